//! The channel to the bridge over TLS, as deployments have it: the certificate of the program's own authority counts there too, and a
//! certificate that nobody vouches for opens no channel, while media goes on.

use base64::Engine as _;
use jmeet::client::{Client, Queue, Runtime};
use jmeet::meeting::ClientOptions;
use jmeet::meeting::event::{BridgeChannel, EventKind, MediaPath, MediaState};
use jmeet::testkit::{BridgeConfig, BridgePlace, Deployment, ServerOptions, SessionOptions};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn pem(what: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|l| std::str::from_utf8(l).ok()).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

/// Two in a room with a bridge whose channel is a `wss` at localhost; what the first hears of it until `done`.
fn meet(trusts: bool, done: impl Fn(&[EventKind]) -> bool) -> Vec<EventKind> {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let certificate = pem("CERTIFICATE", certified.cert.der());
    let key = pem("PRIVATE KEY", &certified.signing_key.serialize_der());
    let sessions = SessionOptions { sctp: false, ..SessionOptions::default() };
    let kit =
        Deployment::start(ServerOptions { sessions: Some(sessions), ..ServerOptions::default() }).expect("a server");
    let place = BridgePlace {
        host: "localhost".into(),
        tls: Some((certificate.clone().into_bytes(), key.into_bytes())),
        ..BridgePlace::default()
    };
    let config = BridgeConfig { sctp: false, websocket: true, ..BridgeConfig::default() };
    kit.start_bridge_at(config, place).expect("a bridge");
    let (queue, runtime) = (Queue::new().expect("a queue"), Runtime::new(1).expect("threads"));
    let options = |n: u64| ClientOptions {
        url: kit.url(),
        domain: kit.domain().to_owned(),
        room: "wss".into(),
        extra_ca_pem: if trusts { certificate.clone().into_bytes() } else { Vec::new() },
        allow_loopback: true,
        disable_p2p: true,
        user_value: n,
        ..ClientOptions::default()
    };
    let clients: Vec<Client> =
        (0..2).map(|n| Client::new(Some(&runtime), &queue, options(n)).expect("a client")).collect();
    for c in &clients {
        c.join(0).expect("it joins");
    }
    let (mut told, end) = (Vec::new(), Instant::now() + PATIENCE);
    while !done(&told) && Instant::now() < end {
        if let Ok(e) = queue.next(Some(Duration::from_millis(100)))
            && e.user_value == 0
        {
            told.push(e.event.kind.clone());
        }
    }
    told
}

fn channel(told: &[EventKind]) -> Option<BridgeChannel> {
    told.iter().rev().find_map(|e| if let EventKind::BridgeChannel(state) = e { Some(*state) } else { None })
}

fn connected(told: &[EventKind]) -> bool {
    told.iter().any(|e| matches!(e, EventKind::Media(MediaPath::Bridge, MediaState::Connected { .. })))
}

#[test]
fn a_certificate_of_our_own_authority_opens_the_channel() {
    let told = meet(true, |t| connected(t) && channel(t) == Some(BridgeChannel::WebSocket));
    assert_eq!((channel(&told), connected(&told)), (Some(BridgeChannel::WebSocket), true), "{told:?}");
}

#[test]
fn one_that_nobody_vouches_for_opens_none_and_media_goes_on() {
    let told = meet(false, |t| connected(t) && channel(t) == Some(BridgeChannel::Waiting));
    assert_eq!((channel(&told), connected(&told)), (Some(BridgeChannel::Waiting), true), "{told:?}");
    assert!(!told.iter().any(|e| matches!(e, EventKind::BridgeChannel(BridgeChannel::WebSocket))));
}
