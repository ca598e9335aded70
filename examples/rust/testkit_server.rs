//! The testkit's deployment as a program, for tests in languages without the testkit's functions, and for trying a client by hand:
//! `cargo run --example testkit_server --features testkit`.
//!
//! Prints one JSON line with `url`, `domain` and `muc`, then obeys lines on standard input, each answered by `ok` or `no`:
//! `cut WHO`, `silence WHO`, `speak WHO`, `inject WHO XML`, `send-as WHO XML`, `end-stream WHO CONDITION`,
//! `not-ready N`, `stop-focus`, `start-focus`, `focus-leaves`, `destroy ROOM REASON`, `endpoints ROOM` (which answers with their
//! ids), `media-link DELAY_MS JITTER_MS LOSS` (a bad link between participants), `media-only KINDS` (of
//! `stun`, `dtls`, `rtp`, and nothing else), `media-counts` (passed and dropped), `kill-bridge`,
//! `start-bridge`, `bridge-events` (what the bridge tells of itself). WHO is an endpoint id. Stops when its input closes. `--user NAME PASSWORD` asks for a password, `--stun PORT`
//! announces a server, `--bind ADDRESS:PORT` listens elsewhere than on loopback; the options of a bridge: `bridge_args.rs`.

mod bridge_args;

use bridge_args::BridgeArgs;
use jmeet::testkit::{Deployment, LinkOptions, MediaKind, Refusal, ServerOptions, User};
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut options = ServerOptions::default();
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut bridge = BridgeArgs::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if bridge.take(&arg, &mut args)? {
            continue;
        }
        match (arg.as_str(), args.next(), args.len()) {
            ("--user", Some(name), 1..) => {
                options.users.push(User { name, password: args.next().unwrap_or_default() });
            }
            ("--stun", Some(port), _) => {
                let port = port.parse().map_err(io::Error::other)?;
                options.services.push(("stun".into(), "127.0.0.1".into(), port));
            }
            ("--bind", Some(at), _) => address = at.parse().map_err(io::Error::other)?,
            _ => {
                return Err(io::Error::other(format!(
                    "usage: testkit_server [--user NAME PASSWORD] [--stun PORT] [--bind ADDRESS:PORT] {}",
                    BridgeArgs::USAGE
                )));
            }
        }
    }
    options.sessions = bridge.wanted.then(|| bridge.sessions.clone());
    bridge.place.address = address.ip();
    let kit = Deployment::start_on(options, address)?;
    let start_bridge = || kit.start_bridge_at(bridge.config.clone(), bridge.place.clone());
    if bridge.wanted {
        start_bridge()?;
    }
    let values = serde_json::json!({
        "url": kit.url(), "domain": kit.domain(), "muc": format!("conference.{}", kit.domain()),
        "focus": format!("focus.{}", kit.domain()),
    });
    println!("{values}");
    io::stdout().flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.splitn(3, ' ');
        let (command, who, rest) =
            (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let done = match command {
            "cut" => kit.cut(who),
            "silence" => kit.silence(who, true),
            "speak" => kit.silence(who, false),
            "inject" => kit.inject(who, rest),
            "send-as" => kit.send_as(who, rest),
            "end-stream" => kit.end_stream(who, rest),
            "not-ready" => {
                kit.refuse_conference(who.parse().ok().map(Refusal::NotReady));
                true
            }
            "stop-focus" => {
                kit.stop_focus();
                true
            }
            "start-focus" => {
                kit.start_focus();
                true
            }
            "focus-leaves" => {
                kit.focus_leaves();
                true
            }
            "kill-bridge" => {
                kit.kill_bridge();
                true
            }
            "start-bridge" => start_bridge().is_ok(),
            "destroy" => {
                kit.destroy_room(who, rest);
                true
            }
            "media-link" => {
                let number = |s: &str| s.parse::<f64>().unwrap_or(0.0);
                let (jitter, loss) = rest.split_once(' ').unwrap_or((rest, "0"));
                let ms = |s: &str| Duration::from_secs_f64(number(s).max(0.0) / 1000.0);
                kit.set_media_link(LinkOptions {
                    delay: ms(who),
                    jitter: ms(jitter),
                    loss: number(loss),
                    ..LinkOptions::default()
                });
                true
            }
            "media-only" => {
                kit.set_media_link(LinkOptions::default());
                let kind = |word: &str| match word {
                    "stun" => Some(MediaKind::Stun),
                    "dtls" => Some(MediaKind::Dtls),
                    "rtp" => Some(MediaKind::Rtp),
                    _ => None,
                };
                kit.set_media_only(Some([who].into_iter().chain(rest.split(' ')).filter_map(kind).collect()));
                true
            }
            "media-counts" => {
                let counts = kit.media_counts();
                println!("{} {}", counts.passed, counts.dropped);
                continue;
            }
            "bridge-events" => {
                println!("{:?}", kit.bridge_events());
                continue;
            }
            "endpoints" => {
                println!("{}", kit.endpoints(who).join(" "));
                continue;
            }
            _ => false,
        };
        println!("{}", if done { "ok" } else { "no" });
        io::stdout().flush()?;
    }
    Ok(())
}
