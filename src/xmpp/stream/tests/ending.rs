//! How a stream ends: errors, silence, pings, the goodbye; and what does not end it.

use super::*;
use crate::error::{Code, Stage};
use crate::wire::IqType;
use crate::xmpp::error::Step;
use crate::xmpp::iq::IqError;
use crate::xmpp::options::{CLOSE_TIMEOUT, PING_INTERVAL};
use crate::xmpp::stream::NotBound;

#[test]
fn stream_errors_are_told_by_step_and_condition() {
    // In place of the features, during SASL, and when bound.
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(&stream_error("host-unknown"));
    let p = r.failure().to_error();
    assert_eq!((p.code, p.stage, &*p.text), (Code::HostUnknown, Stage::Stream, "meet.example: why"));
    let mut r = Rig::with_password(true);
    scram(&mut r);
    r.recv(&stream_error("policy-violation"));
    let p = r.failure().to_error();
    assert_eq!((p.code, p.stage, &*p.condition), (Code::Stream, Stage::Auth, "policy-violation"));
    let mut r = Rig::anonymous();
    r.online();
    assert_eq!(r.recv(&stream_error("conflict")), [OUR_CLOSE]);
    let p = r.failure().to_error();
    assert_eq!((p.code, &*p.condition, &*p.text), (Code::Replaced, "conflict", "why"));
}

#[test]
fn a_close_from_the_server_ends_the_stream_at_every_step() {
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OUR_CLOSE);
    assert_eq!(r.failure(), StreamError::ClosedByServer { step: Step::Open, see_other_uri: None });
    let mut r = Rig::anonymous();
    r.online();
    r.recv("<close xmlns=\"urn:ietf:params:xml:ns:xmpp-framing\" />");
    assert_eq!(r.failure(), StreamError::ClosedByServer { step: Step::Bound, see_other_uri: None });
    // Being sent elsewhere is not tried again here.
    let mut r = Rig::anonymous();
    r.open();
    r.recv("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='ws://evil.example/'/>");
    assert!(matches!(r.failure(), StreamError::ClosedByServer { see_other_uri: Some(_), .. }));
}

#[test]
fn a_silent_server_ends_in_a_time_out_at_every_step() {
    let short = STEP - Duration::from_micros(1);
    let check = |r: &mut Rig, step: Step| {
        r.pass(short);
        assert!(!r.told.iter().any(|o| matches!(o, Output::Failed(_))), "{step:?} too early");
        r.pass(Duration::from_micros(1));
        let e = r.failure();
        assert_eq!(e, StreamError::Timeout(step));
        assert_eq!(e.to_error().code, Code::ServerTimeout);
    };
    let mut r = Rig::anonymous();
    r.open();
    check(&mut r, Step::Open);
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OPEN);
    check(&mut r, Step::Open);
    let mut r = Rig::with_password(true);
    scram(&mut r);
    check(&mut r, Step::Auth);
    let mut r = Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    r.log_in();
    check(&mut r, Step::Bind);
    let mut r = Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    r.log_in();
    r.recv(&bind_features(true));
    check(&mut r, Step::Bind);
    // The second connection does not come.
    let mut r = Rig::anonymous();
    r.open();
    r.lost();
    check(&mut r, Step::Connect);
}

#[test]
fn two_unanswered_pings_end_the_stream_after_25_seconds() {
    let mut r = Rig::anonymous();
    r.online();
    r.pass(PING_INTERVAL); // something was heard in this one
    let pings = r.pass(Duration::from_secs(24));
    let pings = pings.iter().filter(|f| f.contains("urn:xmpp:ping")).count();
    assert!(pings == 2 && r.told().is_empty());
    r.pass(Duration::from_secs(1));
    assert_eq!(r.failure(), StreamError::PingTimeout);
}

#[test]
fn answered_pings_keep_the_stream_for_ever() {
    let mut r = Rig::anonymous();
    r.online();
    let mut count = 0;
    for _ in 0..600 {
        for f in r.pass(Duration::from_secs(1)) {
            if f.contains("urn:xmpp:ping") {
                count += 1;
                let answer = if count % 2 == 0 {
                    error(&f, "meet.example", "service-unavailable")
                } else {
                    result(&f, "meet.example", "")
                };
                r.recv(&answer);
            }
        }
    }
    assert!((58..=60).contains(&count), "{count}");
    assert!(r.told().is_empty());
}

#[test]
fn closing_says_goodbye_and_is_bounded_in_time() {
    let goodbye = ["<presence xmlns='jabber:client' type='unavailable'/>", OUR_CLOSE];
    for finish in ["agreed", "lost", "silent"] {
        let mut r = Rig::anonymous();
        r.online();
        r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
        r.frames();
        r.stream.close(r.now);
        assert_eq!(r.frames(), goodbye);
        assert!(matches!(&r.told()[..], [Output::IqAnswer { result: Err(IqError::Disconnected), .. }]));
        r.stream.close(r.now);
        assert_eq!(r.stream.send_stanza("<message/>".into()), Err(NotBound));
        let sent = match finish {
            "agreed" => r.recv(OUR_CLOSE),
            "lost" => r.lost(),
            _ => r.pass(CLOSE_TIMEOUT),
        };
        assert_eq!(sent, [""; 0]);
        let said = r.said();
        assert_eq!(said.last().map(String::as_str), Some("Closed"));
        assert_eq!(said.len(), if finish == "lost" { 1 } else { 2 }, "{said:?}");
    }
    // Before the stream is bound there is nobody to wait for.
    let mut r = Rig::anonymous();
    r.open();
    r.stream.close(r.now);
    assert_eq!(r.frames(), [OUR_CLOSE]);
    assert_eq!(r.said(), ["CloseTransport", "Closed"]);
    let mut r = Rig::anonymous();
    r.stream.close(r.now);
    assert_eq!(r.frames(), [""; 0]);
    assert_eq!(r.said(), ["CloseTransport", "Closed"]);
}

#[test]
fn bad_xml_ends_the_stream_and_oversized_stanzas_only_themselves() {
    for (bad, condition) in [
        ("<a>", "not-well-formed"),
        ("<!DOCTYPE a><a/>", "restricted-xml"),
        ("<a><!-- --></a>", "restricted-xml"),
        ("<x:a/>", "bad-namespace-prefix"),
    ] {
        let mut r = Rig::anonymous();
        r.online();
        let sent = r.recv(bad);
        assert!(sent[0].contains(condition) && sent[1] == OUR_CLOSE, "{sent:?}");
        assert_eq!(r.failure().to_error().code, Code::Protocol);
    }
    let mut r = Rig::anonymous();
    r.online();
    let h = attr(&r.recv("<r xmlns='urn:xmpp:sm:3'/>")[0], "h").parse::<u32>().unwrap();
    r.recv(&format!("<message xmlns='jabber:client'><body>{}</body></message>", "x".repeat(1 << 20)));
    r.recv(&format!("<iq type='get' id='1'>{}{}</iq>", "<a>".repeat(100_000), "</a>".repeat(100_000)));
    r.recv(&format!("<messages>{}{}</messages>", "<a>".repeat(100), "</a>".repeat(100)));
    assert_eq!(r.stream.stats().oversized_frames, 3);
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), [format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", h + 2)]);
    assert!(r.told().is_empty());
}

#[test]
fn frames_out_of_turn_end_the_handshake_and_unknown_ones_do_not() {
    for frames in [
        &[mechanisms(&["PLAIN"])][..],
        &[OPEN.to_owned(), SUCCESS.to_owned()][..],
        &[OPEN.to_owned(), mechanisms(&["SCRAM-SHA-1"]), "<x xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".to_owned()][..],
    ] {
        let mut r = Rig::with_password(true);
        r.open();
        for f in frames {
            r.recv(f);
        }
        assert_eq!(r.failure().to_error().code, Code::Protocol, "{frames:?}");
    }
    let mut r = Rig::anonymous();
    r.open();
    r.recv(OPEN);
    r.recv(&mechanisms(&["ANONYMOUS"]));
    r.recv("<message xmlns='jabber:client'/>");
    r.recv("<x xmlns='urn:x'/>");
    r.recv(&server::frame("challenge", "x"));
    assert_eq!(r.said(), ["Opened", "CloseTransport", "Reconnect { pipelined: false }"]);
    assert_eq!(r.stream.stats().unknown_frames, 2);
}

#[test]
fn nothing_secret_reaches_debug_output() {
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OPEN);
    r.stream.handle(Input::Frame(mechanisms(&["PLAIN"])), r.now);
    let mut text = format!("{:?}", r.stream);
    while let Some(o) = r.stream.poll_output() {
        text.push_str(&format!("{o:?}"));
    }
    text.push_str(&format!("{:?}", Input::Frame("pencil".into())));
    assert!(!text.contains("pencil") && !text.contains("AHVzZXIAcGVuY2ls"), "{text}");
}

/// Any order of inputs: no panic, at most one last word, nothing after it, no timer that does not move.
#[test]
fn any_order_of_inputs_ends_at_most_once() {
    let frames = [
        OPEN.to_owned(),
        OUR_CLOSE.to_owned(),
        mechanisms(&["ANONYMOUS"]),
        mechanisms(&["SCRAM-SHA-1"]),
        bind_features(true),
        SUCCESS.to_owned(),
        ENABLED.to_owned(),
        sasl_failure("not-allowed", ""),
        server::frame("challenge", "r=x"),
        "<r xmlns='urn:xmpp:sm:3'/>".to_owned(),
        "<a xmlns='urn:xmpp:sm:3' h='1'/>".to_owned(),
        "<failed xmlns='urn:xmpp:sm:3'/>".to_owned(),
        "<iq xmlns='jabber:client' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>".to_owned(),
        "<message xmlns='jabber:client' from='meet.example'><query xmlns='http://jabber.org/protocol/disco#info'/></message>"
            .to_owned(),
        "<presence xmlns='jabber:client'/>".to_owned(),
        "<x xmlns='urn:x'/>".to_owned(),
    ];
    let mut env = Env::seeded(11);
    let mut bound = 0;
    for round in 0..600 {
        let mut r = if round % 4 == 0 { Rig::with_password(true) } else { Rig::anonymous() };
        // Most rounds walk the true path for a while, so that every phase meets every input.
        let path = [OPEN, &mechanisms(&["ANONYMOUS"]), SUCCESS, OPEN, &bind_features(true), &r.bind_result(), ENABLED];
        r.open();
        for frame in &path[..env.below(path.len() as u32 + 1) as usize] {
            r.recv(frame);
        }
        bound += u32::from(r.stream.jid().is_some());
        let mut over = false;
        for _ in 0..12 {
            r.told.clear();
            let sent = match env.below(20) {
                0 => r.open(),
                1 => r.lost(),
                2 => r.pass(Duration::from_millis(u64::from(env.below(20_000)))),
                3 => {
                    r.stream.close(r.now);
                    r.frames()
                }
                4 => {
                    r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
                    // Answered at once when the stream is over; that is no word of the stream's.
                    while r.stream.poll_output().is_some() {}
                    Vec::new()
                }
                _ => {
                    let frame = &frames[env.below(frames.len() as u32) as usize];
                    r.recv(frame)
                }
            };
            assert!(!over || (sent.is_empty() && r.told.is_empty()), "after the last word: {sent:?} {:?}", r.told);
            let last_words = r.told.iter().filter(|o| matches!(o, Output::Failed(_) | Output::Closed)).count();
            assert!(last_words <= 1);
            over |= last_words == 1;
            assert!(!over || r.stream.next_deadline().is_none());
        }
    }
    assert!(bound > 50, "every phase was met");
}
