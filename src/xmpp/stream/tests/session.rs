//! The bound stream: acknowledgements, requests both ways, what the domain tells.

use super::*;
use crate::error::Code;
use crate::wire::disco::Info;
use crate::wire::extdisco::IceServer;
use crate::wire::{Condition, IqType, Jid, Stanza, StanzaError};
use crate::xmpp::iq::{IqError, MAX_PENDING_IQS};
use crate::xmpp::options::{DISCO_TIMEOUT, EXTDISCO_TIMEOUT};
use crate::xmpp::stream::NotBound;

#[test]
fn refused_or_missing_management_does_not_stop_the_stream() {
    let refused =
        "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    let mut r = Rig::anonymous();
    r.bind(true);
    r.recv(refused);
    assert!(r.said().contains(&"Online { sm: false }".to_owned()));
    for _ in 0..20 {
        r.stream.send_stanza("<message xmlns='jabber:client'/>".into()).unwrap();
    }
    assert!(r.frames().iter().all(|f| f.starts_with("<message")), "no <r/>");
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), [""; 0]);

    let mut r = Rig::anonymous();
    let flight = r.bind(false);
    assert!(!flight[0].contains("enable"));
    assert!(r.said().contains(&"Online { sm: false }".to_owned()));

    // No answer at all: told once, and a late answer is taken.
    let mut r = Rig::anonymous();
    r.bind(true);
    r.told.clear();
    r.pass(STEP);
    let online = |r: &mut Rig| r.said().iter().filter(|s| s.starts_with("Online")).count();
    assert_eq!(online(&mut r), 1);
    r.recv(ENABLED);
    assert_eq!(online(&mut r), 0);
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), ["<a xmlns='urn:xmpp:sm:3' h='0'/>"]);
}

#[test]
fn acknowledgements_are_asked_for_given_and_checked() {
    let mut r = Rig::anonymous();
    r.bind(true); // two stanzas counted
    r.told.clear();
    let message = || "<message xmlns='jabber:client'/>".to_owned();
    for _ in 0..4 {
        r.stream.send_stanza(message()).unwrap();
    }
    assert_eq!(r.frames().len(), 4, "no <r/> before <enabled/>");
    assert_eq!(r.recv(ENABLED), ["<r xmlns='urn:xmpp:sm:3'/>"]);
    r.recv("<a xmlns='urn:xmpp:sm:3' h='6'/>");
    for n in 1..=5 {
        r.stream.send_stanza(message()).unwrap();
        assert_eq!(r.frames().len(), if n == 5 { 2 } else { 1 });
    }
    r.recv("<message xmlns='jabber:client' from='a@b/c'/>");
    r.recv("<presence xmlns='jabber:client' from='a@b/c'/>");
    r.recv("<other xmlns='urn:other'/>");
    assert_eq!(r.recv("<r xmlns='urn:xmpp:sm:3'/>"), ["<a xmlns='urn:xmpp:sm:3' h='2'/>"]);
    r.told.clear();
    for h in ["2", "12"] {
        let mut bad = Rig::anonymous();
        bad.online();
        bad.stream.send_stanza(message()).unwrap();
        bad.frames();
        bad.recv("<a xmlns='urn:xmpp:sm:3' h='3'/>");
        bad.recv("<a xmlns='urn:xmpp:sm:3'/>");
        let sent = bad.recv(&format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
        assert!(sent[0].contains("undefined-condition") && sent[1] == OUR_CLOSE, "{sent:?}");
        assert_eq!(bad.failure().to_error().code, Code::Protocol);
    }
}

#[test]
fn pings_and_disco_are_answered_and_other_requests_go_up() {
    let mut r = Rig::anonymous();
    r.online();
    let get = |payload: &str| {
        format!("<iq xmlns='jabber:client' type='get' from='r@c.x/focus' to='{JID}' id='q1'>{payload}</iq>")
    };
    assert_eq!(
        r.recv(&get("<ping xmlns='urn:xmpp:ping'/>")),
        ["<iq xmlns='jabber:client' type='result' to='r@c.x/focus' id='q1'/>"]
    );
    let answer =
        r.recv(&get("<query xmlns='http://jabber.org/protocol/disco#info' node='https://jitsi.org/jitsi-meet#old'/>"));
    let d = Document::parse(&answer[0]).unwrap();
    let info = Info::read(Stanza::read(d.root()).unwrap().payload().unwrap()).unwrap();
    assert_eq!(info.node.as_deref(), Some("https://jitsi.org/jitsi-meet#old"));
    assert!(info.features == r.stream.caps().features() && info.features.len() == 11);
    assert!(r.recv(&get("<query xmlns='http://jabber.org/protocol/disco#items'/>"))[0].contains("type='result'"));
    assert!(r.told.is_empty());
    r.recv(&get("<query xmlns='jabber:iq:version'/>"));
    let told = r.told();
    let [Output::Stanza(unknown)] = &told[..] else { panic!("{told:?}") };
    r.stream.reply_unhandled(unknown);
    assert_eq!(
        r.frames(),
        ["<iq xmlns='jabber:client' type='error' to='r@c.x/focus' id='q1'><error type='cancel'>\
          <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"]
    );
    let ver = r.stream.caps().ver().to_owned();
    r.stream.set_features(["urn:x".to_owned()]);
    assert_ne!(r.stream.caps().ver(), ver);
}

#[test]
fn requests_are_answered_once_by_whom_they_were_sent_to() {
    let mut r = Rig::anonymous();
    r.online();
    let focus = Jid::parse("focus.meet.example").unwrap();
    let ask = |r: &mut Rig| {
        let token = r.stream.send_iq(Some(&focus), IqType::Set, "<c xmlns='urn:c'/>", STEP, r.now);
        (token, r.frames().remove(0))
    };
    let (token, q) = ask(&mut r);
    // Somebody in the room pretends; it goes up as a stanza and answers nothing.
    r.recv(&result(&q, "room@conference.meet.example/evil", ""));
    assert!(matches!(&r.told()[..], [Output::Stanza(_)]));
    assert_eq!(r.stream.stats().stray_answers, 1);
    r.recv(&result(&q, "focus.meet.example", "<c xmlns='urn:c' ready='true'/>"));
    let told = r.told();
    assert!(matches!(&told[..], [Output::IqAnswer { token: t, result: Ok(d) }] if *t == token
        && Stanza::read(d.root()).unwrap().payload().unwrap().attr("ready") == Some("true")));
    r.recv(&result(&q, "focus.meet.example", ""));
    assert!(matches!(&r.told()[..], [Output::Stanza(_)]), "a second answer answers nothing");
    let answered = |r: &mut Rig| match r.told().pop() {
        Some(Output::IqAnswer { result: Err(e), .. }) => e,
        other => panic!("{other:?}"),
    };
    let (_, q) = ask(&mut r);
    r.recv(&error(&q, "focus.meet.example", "forbidden"));
    let StanzaError { condition, .. } = match answered(&mut r) {
        IqError::Error(e) => e,
        other => panic!("{other:?}"),
    };
    assert_eq!(condition, Condition::Forbidden);
    let start = r.now;
    ask(&mut r);
    r.stream.handle(Input::Timer, start + (STEP - Duration::from_micros(1)));
    r.frames();
    assert!(!r.told().iter().any(|o| matches!(o, Output::IqAnswer { .. })));
    r.now = start + STEP;
    r.input(Input::Timer);
    assert_eq!(answered(&mut r), IqError::Timeout);
    ask(&mut r);
    r.lost();
    let told = r.told();
    assert!(
        matches!(&told[..], [Output::IqAnswer { result: Err(IqError::Disconnected), .. }, Output::Failed(_)]),
        "{told:?}"
    );
}

#[test]
fn nothing_is_sent_while_not_bound() {
    let mut r = Rig::anonymous();
    assert_eq!(r.stream.send_stanza("<message/>".into()), Err(NotBound));
    r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
    assert_eq!(r.frames(), [""; 0]);
    assert!(matches!(&r.told()[..], [Output::IqAnswer { result: Err(IqError::Disconnected), .. }]));
}

#[test]
fn past_the_limit_of_requests_the_next_is_refused() {
    let mut r = Rig::anonymous();
    r.online();
    for _ in 0..MAX_PENDING_IQS {
        r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
    }
    r.frames();
    assert!(r.told().is_empty());
    r.stream.send_iq(None, IqType::Get, "<q xmlns='urn:q'/>", STEP, r.now);
    assert_eq!(r.frames(), [""; 0]);
    assert!(matches!(&r.told()[..], [Output::IqAnswer { result: Err(IqError::Busy), .. }]));
}

fn urls(told: &[Output]) -> Vec<String> {
    told.iter()
        .filter_map(|o| if let Output::IceServers(s) = o { Some(s.iter().map(IceServer::url)) } else { None })
        .flatten()
        .collect()
}

#[test]
fn domain_and_ice_servers_are_learned_by_asking() {
    let mut r = Rig::anonymous();
    let flight = r.bind(true);
    r.told.clear();
    r.recv(&result(&flight[1], "meet.example", "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='component' type='polls' name='polls.meet.example'/></query>"));
    r.recv(&result(
        &flight[2],
        "meet.example",
        "<services xmlns='urn:xmpp:extdisco:2'><service type='stun' host='t.example' port='3478'/></services>",
    ));
    let told = r.told();
    assert!(matches!(&told[0], Output::Domain(Some(i)) if i.identity("polls") == Some("polls.meet.example")));
    assert_eq!(urls(&told), ["stun:t.example:3478"]);
}

#[test]
fn the_first_version_is_asked_when_the_second_is_refused_and_an_empty_answer_keeps_what_is_known() {
    let mut r = Rig::anonymous();
    let flight = r.bind(true);
    r.told.clear();
    let second = r.recv(&error(&flight[2], "meet.example", "service-unavailable"));
    assert!(second[0].contains("urn:xmpp:extdisco:1"));
    r.recv(&result(&second[0], "meet.example", "<services xmlns='urn:xmpp:extdisco:1'><service type='turn' host='t.example' username='u' password='p'/></services>"));
    assert_eq!(urls(&r.told()), ["turn:t.example:3478"]);

    let mut r = Rig::anonymous();
    let flight = r.bind(true);
    r.told.clear();
    r.recv(&result(&flight[2], "meet.example", "<services xmlns='urn:xmpp:extdisco:2'/>"));
    let second = r.recv(&error(&flight[1], "meet.example", "forbidden"));
    assert_eq!(second, [""; 0]);
    assert!(matches!(&r.told()[..], [Output::Domain(None)]));
}

#[test]
fn silence_to_the_streams_own_questions_ends_nothing() {
    let mut r = Rig::new(StreamOptions { ping_interval: Duration::ZERO, ..StreamOptions::new("meet.example") });
    r.bind(true);
    r.recv(ENABLED);
    r.told.clear();
    r.pass(DISCO_TIMEOUT);
    assert!(matches!(&r.told()[..], [Output::Domain(None)]));
    r.pass(EXTDISCO_TIMEOUT);
    assert!(r.told().is_empty() && r.stream.next_deadline().is_none());
}

#[test]
fn a_pushed_discovery_message_saves_the_questions_and_its_services_are_used() {
    let pushed = |from: &str| {
        format!(
            "<message xmlns='jabber:client' from='{from}' to='{JID}'><query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity category='component' type='room_metadata' name='metadata.meet.example'/>\
             <feature var='http://jitsi.org/protocol/lobbyrooms#displayname_required'/></query>\
             <services xmlns='urn:xmpp:extdisco:2'><service type='turns' host='turn.meet.example' port='443' transport='tcp' username='u' password='p'/></services></message>"
        )
    };
    let mut r = Rig::anonymous();
    r.log_in();
    r.recv(&bind_features(true));
    r.told.clear();
    r.recv(&pushed("evil@meet.example/x"));
    assert!(r.told().is_empty());
    r.recv(&pushed("meet.example"));
    let told = r.told();
    assert!(matches!(&told[0], Output::Domain(Some(i)) if i.identity("room_metadata").is_some()));
    assert_eq!(urls(&told), ["turns:turn.meet.example:443?transport=tcp"]);
    let bound = r.bind_result();
    assert_eq!(r.recv(&bound), ["<enable xmlns='urn:xmpp:sm:3' resume='true'/>"]);
    // Shortly after bind it is taken as well, and from another it is only a message.
    let mut r = Rig::anonymous();
    r.bind(true);
    r.told.clear();
    r.recv(&pushed("meet.example"));
    assert!(matches!(&r.told()[..], [Output::Domain(Some(_)), Output::IceServers(_)]));
    r.recv(&pushed("room@conference.meet.example/evil"));
    assert!(matches!(&r.told()[..], [Output::Stanza(_)]));
}
