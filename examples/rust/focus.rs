//! A conference focus beside a real XMPP server, as an external component (XEP-0114):
//! `cargo run --example focus --features testkit -- --port 5347 --domain focus.meet.localhost --secret SECRET`.
//! Prints `READY` once it is authenticated, and serves until its standard input closes: then it leaves its rooms.

use jmeet::testkit::component::FocusComponent;
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut host, mut port, mut domain, mut secret) = ("127.0.0.1".to_owned(), 5347, None, None);
    let mut args = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (args.next(), args.next()) {
        match name.as_str() {
            "--host" => host = value,
            "--port" => port = value.parse().unwrap_or(0),
            "--domain" => domain = Some(value),
            "--secret" => secret = Some(value),
            _ => break,
        }
    }
    let (Some(domain), Some(secret)) = (domain, secret) else {
        eprintln!("usage: focus [--host 127.0.0.1] [--port 5347] --domain focus.DOMAIN --secret SECRET");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.and_then(|rt| {
        rt.block_on(async {
            let component = FocusComponent::connect(&host, port, &domain, &secret).await?;
            println!("READY");
            let (input_closed, stop) = tokio::sync::oneshot::channel::<()>();
            std::thread::spawn(move || {
                // An unreadable input is a closed one.
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                drop(input_closed);
            });
            component.run(async { drop(stop.await) }).await
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("focus: {e}");
            ExitCode::FAILURE
        }
    }
}
