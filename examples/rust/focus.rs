//! A conference focus beside a real XMPP server, as an external component (XEP-0114), and where it is wanted a bridge beside it:
//! `cargo run --example focus --features testkit -- --port 5347 --domain focus.meet.localhost --secret SECRET --bridge 2`.
//! Prints `READY` once it is authenticated, and serves until its standard input closes: then it leaves its rooms. Lines on standard
//! input, each answered by `ok` or `no`: `kill-bridge`, `start-bridge`, `end-session ROOM-JID ENDPOINT` (with `moving`, and no new one).

mod bridge_args;

use bridge_args::BridgeArgs;
use jmeet::testkit::component::{FocusComponent, FocusHandle};
use std::io::{self, BufRead};
use std::process::ExitCode;

struct Args {
    host: String,
    port: u16,
    domain: String,
    secret: String,
    bridge: BridgeArgs,
}

fn args() -> io::Result<Args> {
    let (host, bridge) = ("127.0.0.1".to_owned(), BridgeArgs::default());
    let mut a = Args { host, port: 5347, domain: String::new(), secret: String::new(), bridge };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        if a.bridge.take(&name, &mut words)? {
            continue;
        }
        let value = words.next().unwrap_or_default();
        match name.as_str() {
            "--host" => a.host = value,
            "--port" => a.port = value.parse().map_err(io::Error::other)?,
            "--domain" => a.domain = value,
            "--secret" => a.secret = value,
            _ => return Err(io::Error::other(format!("unknown option {name}"))),
        }
    }
    if a.domain.is_empty() || a.secret.is_empty() {
        return Err(io::Error::other("--domain and --secret are wanted"));
    }
    Ok(a)
}

fn serve(a: &Args) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sessions = a.bridge.wanted.then(|| a.bridge.sessions.clone());
    let connect = FocusComponent::connect(&a.host, a.port, &a.domain, &a.secret, sessions);
    let component = runtime.block_on(connect)?;
    let (handle, bridge) = (component.handle(), a.bridge.clone());
    std::thread::spawn(move || {
        // An unreadable input is a closed one, and what cannot be obeyed at all ends the component.
        if let Err(e) = obey(&handle, &bridge) {
            eprintln!("focus: {e}");
        }
        handle.stop();
    });
    runtime.block_on(component.run())
}

fn obey(handle: &FocusHandle, bridge: &BridgeArgs) -> io::Result<()> {
    let start = || handle.start_bridge(bridge.config.clone(), bridge.place.clone());
    if bridge.wanted {
        start()?;
    }
    println!("READY");
    for line in io::stdin().lock().lines() {
        let line = line?;
        let done = match line.split(' ').collect::<Vec<_>>()[..] {
            ["kill-bridge"] => {
                handle.kill_bridge();
                true
            }
            ["start-bridge"] => start().is_ok(),
            ["end-session", room, endpoint] => {
                handle.end_session(room, endpoint, "moving");
                true
            }
            _ => false,
        };
        println!("{}", if done { "ok" } else { "no" });
    }
    Ok(())
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(a) => a,
        Err(e) => {
            eprintln!(
                "{e}\nusage: focus [--host 127.0.0.1] [--port 5347] --domain focus.DOMAIN --secret SECRET {}",
                BridgeArgs::USAGE
            );
            return ExitCode::from(2);
        }
    };
    match serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("focus: {e}");
            ExitCode::FAILURE
        }
    }
}
