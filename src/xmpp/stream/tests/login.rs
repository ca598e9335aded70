//! Login and bind: the flights, the mechanisms, the second try, and what may go wrong.

use super::*;
use crate::error::{Code, Error, Stage};
use crate::wire::{IqType, Jid};
use crate::xmpp::error::Step;
use crate::xmpp::scram::ScramError;

#[test]
fn anonymous_login_takes_three_flights() {
    let mut r = Rig::anonymous();
    assert_eq!(r.open(), [OUR_OPEN, OUR_AUTH]);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&mechanisms(&["ANONYMOUS"])), [""; 0]);
    let flight = r.recv(SUCCESS);
    assert_eq!(flight[0], OUR_OPEN);
    assert!(flight[1].contains("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>") && flight.len() == 2);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&bind_features(true)), [""; 0]);
    assert_eq!(r.said(), ["Opened", "Authenticated"]);
    let bind_result = r.bind_result();
    let flight = r.recv(&bind_result);
    assert_eq!(flight[0], "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    assert!(flight[1].contains("disco#info") && attr(&flight[1], "to") == "meet.example");
    assert!(flight[2].contains("urn:xmpp:extdisco:2") && attr(&flight[2], "to") == "meet.example");
    assert_eq!(flight.len(), 3);
    assert!(matches!(&r.told()[..], [Output::Bound { jid }] if jid.as_str() == JID), "before <enabled/>");
    // What the upper layers want leaves at once, and counts.
    let focus = Jid::parse("focus.meet.example").unwrap();
    r.stream.send_iq(Some(&focus), IqType::Set, "<conference xmlns='http://jitsi.org/protocol/focus'/>", STEP, r.now);
    let sent = r.frames();
    assert!(sent.len() == 1 && sent[0].ends_with("<conference xmlns='http://jitsi.org/protocol/focus'/></iq>"));
    assert_eq!(r.recv(ENABLED), [""; 0]);
    assert_eq!(r.said(), ["Online { sm: true }"]);
    assert_eq!((r.stream.unacknowledged(), r.stream.resumable()), (3, Some(("c0ffee-1", Some(60)))));
    assert_eq!(r.recv("<a xmlns='urn:xmpp:sm:3' h='3'/>"), [""; 0]);
    assert_eq!(r.stream.unacknowledged(), 0);
    assert!(r.told.is_empty());
}

#[test]
fn without_pipelining_each_answer_is_waited_for() {
    let mut r = Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    assert_eq!(r.open(), [OUR_OPEN]);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&mechanisms(&["ANONYMOUS"])), [OUR_AUTH]);
    assert_eq!(r.recv(SUCCESS), [OUR_OPEN]);
    assert_eq!(r.recv(OPEN), [""; 0]);
    assert_eq!(r.recv(&bind_features(true)).len(), 1);
}

#[test]
fn a_failed_early_login_is_tried_once_more_unpipelined_on_a_new_connection() {
    let spoil: [&dyn Fn(&mut Rig); 5] = [
        &|r| drop(r.recv(&sasl_failure("malformed-request", ""))),
        &|r| drop(r.recv(&stream_error("not-authorized"))),
        &|r| drop(r.recv(OUR_CLOSE)),
        &|r| drop(r.pass(STEP)),
        &|r| drop(r.recv("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>!</success>")),
    ];
    for spoil in spoil {
        let mut r = Rig::anonymous();
        r.open();
        r.recv(OPEN);
        r.recv(&mechanisms(&["ANONYMOUS"]));
        spoil(&mut r);
        assert_eq!(r.said(), ["Opened", "CloseTransport", "Reconnect { pipelined: false }"]);
        assert_eq!(r.open(), [OUR_OPEN]);
        r.recv(OPEN);
        assert_eq!(r.recv(&mechanisms(&["ANONYMOUS"])), [OUR_AUTH]);
        assert_eq!(r.recv(&sasl_failure("not-allowed", "token expired")), [OUR_CLOSE]);
        let e = r.failure();
        assert_eq!(e, StreamError::Sasl { condition: "not-allowed".into(), text: "token expired".into() });
        let p = e.to_error();
        assert_eq!(
            (p.code, p.stage, &*p.condition, &*p.text),
            (Code::Auth, Stage::Auth, "not-allowed", "token expired")
        );
    }
}

#[test]
fn a_connection_lost_in_an_early_login_or_bind_is_made_again() {
    let mut r = Rig::anonymous();
    r.open();
    r.lost();
    assert_eq!(r.said(), ["Reconnect { pipelined: false }"]);
    let mut r = Rig::anonymous();
    r.log_in();
    r.told.clear();
    r.lost();
    assert_eq!(r.said(), ["Reconnect { pipelined: false }"]);
    r.open();
    r.recv(OPEN);
    assert_eq!(r.lost(), [""; 0]);
    let e = r.failure();
    assert!(matches!(e, StreamError::Disconnected { step: Step::Open, .. }), "{e:?}");
}

#[test]
fn no_connection_is_the_transports_own_error() {
    let refused = Error::new(Code::Connect, Stage::Connect, "refused");
    let mut r = Rig::anonymous();
    r.input(Input::TransportClosed { reason: Some(refused.clone()) });
    assert_eq!(r.failure().to_error(), refused);
    let mut r = Rig::anonymous();
    r.open();
    r.lost();
    r.told.clear();
    r.input(Input::TransportClosed { reason: Some(refused.clone()) });
    assert_eq!(r.failure().to_error(), refused);
}

#[test]
fn what_the_server_offers_is_final() {
    for (offer, e) in [
        (&["SCRAM-SHA-1", "PLAIN"][..], StreamError::CredentialsRequired),
        (&["EXTERNAL"][..], StreamError::NoMechanism),
        (&[][..], StreamError::NoMechanism),
    ] {
        let mut r = Rig::anonymous();
        r.open();
        r.recv(OPEN);
        assert_eq!(r.recv(&mechanisms(offer)), [OUR_CLOSE]);
        assert_eq!(r.failure(), e);
    }
    let mut r = Rig::with_password(false);
    r.open();
    r.recv(OPEN);
    r.recv(&mechanisms(&["PLAIN"]));
    assert_eq!(r.failure().to_error().code, Code::Insecure);
}

#[test]
fn a_password_login_verifies_the_server_and_binds_in_one_flight() {
    for in_challenge in [false, true] {
        let mut r = Rig::with_password(false);
        let signature = scram(&mut r);
        let flight = if in_challenge {
            let empty = r.recv(&server::frame("challenge", &signature));
            assert_eq!(empty, ["<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"]);
            r.recv(SUCCESS)
        } else {
            r.recv(&server::frame("success", &signature))
        };
        assert!(flight.len() == 2 && flight[0] == OUR_OPEN && flight[1].contains("<bind"));
        assert_eq!(r.said(), ["Opened", "Authenticated"]);
    }
}

#[test]
fn a_server_without_the_password_is_not_believed() {
    for success in [server::frame("success", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), SUCCESS.to_owned()] {
        let mut r = Rig::with_password(true);
        scram(&mut r);
        assert_eq!(r.recv(&success), [OUR_CLOSE]);
        let e = r.failure();
        assert_eq!(e, StreamError::Scram(ScramError::ServerSignature));
        assert_eq!(e.to_error().code, Code::ServerProof);
    }
}

#[test]
fn a_wrong_password_is_one_error_without_a_second_try() {
    let mut r = Rig::with_password(true);
    scram(&mut r);
    r.recv(&sasl_failure("not-authorized", "no"));
    assert_eq!(r.failure(), StreamError::Sasl { condition: "not-authorized".into(), text: "no".into() });
}

#[test]
fn nonces_differ_between_attempts() {
    let mut r = Rig::with_password(false);
    let first = scram(&mut r);
    r.recv(&server::frame("success", &first));
    r.lost();
    assert!(r.said().contains(&"Reconnect { pipelined: false }".to_owned()), "bind was sent ahead");
    let second = scram(&mut r);
    assert_ne!(first, second);
}

#[test]
fn plain_is_used_where_secrets_are_allowed() {
    let mut r = Rig::with_password(true);
    r.open();
    r.recv(OPEN);
    assert_eq!(
        r.recv(&mechanisms(&["PLAIN"])),
        ["<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHVzZXIAcGVuY2ls</auth>"]
    );
}

#[test]
fn a_bad_open_names_what_is_wrong() {
    for (frame, text) in [
        ("<open version='1.0'/>", "Missing xmlns in <open />"),
        ("<open xmlns='urn:x' version='1.0'/>", "Wrong xmlns in <open />: urn:x"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "Missing version in <open />"),
        ("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='0.9'/>", "Wrong version in <open />: 0.9"),
    ] {
        let mut r = Rig::with_password(true);
        r.open();
        r.recv(frame);
        let p = r.failure().to_error();
        assert_eq!((p.code, p.stage, &*p.text), (Code::Protocol, Stage::Stream, text));
    }
}

#[test]
fn bind_fails_typed() {
    let plain = || Rig::new(StreamOptions { pipelined: false, ..StreamOptions::new("meet.example") });
    let mut r = plain();
    r.log_in();
    r.recv(&features(""));
    assert!(matches!(r.failure(), StreamError::Bind { .. }), "not offered");
    for (answer, condition) in [
        (
            "<iq xmlns='jabber:client' type='error' id='ID'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            "conflict",
        ),
        ("<iq xmlns='jabber:client' type='result' id='ID'/>", ""),
        (
            "<iq xmlns='jabber:client' type='result' id='ID'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>no resource@x</jid></bind></iq>",
            "",
        ),
    ] {
        let mut r = plain();
        r.log_in();
        r.recv(&bind_features(true));
        let id = r.stream.bind_id.clone();
        r.recv(&answer.replace("ID", &id));
        let p = r.failure().to_error();
        assert_eq!((p.code, p.stage, &*p.condition), (Code::Bind, Stage::Bind, condition));
    }
}

#[test]
fn a_session_is_asked_for_only_when_demanded_and_must_succeed() {
    let demanded = features(
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
    );
    for succeeds in [true, false] {
        let mut r = Rig::anonymous();
        r.log_in();
        r.recv(&demanded);
        let bound = r.bind_result();
        let flight = r.recv(&bound);
        assert!(flight[0].contains("urn:ietf:params:xml:ns:xmpp-session"));
        r.told.clear();
        if succeeds {
            r.recv(&format!("<iq xmlns='jabber:client' type='result' id='{}'/>", attr(&flight[0], "id")));
            assert!(r.told.is_empty());
        } else {
            r.recv(&error(&flight[0], "meet.example", "forbidden"));
            assert!(matches!(r.failure(), StreamError::Bind { condition, .. } if condition == "forbidden"));
        }
    }
}
