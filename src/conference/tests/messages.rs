//! Words: completed, limited, cancelled, and history.

use super::*;

#[test]
fn an_own_message_completes_by_its_reflection_and_is_no_message() {
    let mut b = Bench::joined();
    b.room.send_message("hi <all>", None, 5, b.now);
    let sent = b.sent();
    let doc = Document::parse(&sent[0]).unwrap();
    let id = doc.root().attr("id").unwrap().to_owned();
    assert_eq!(b.outputs(), []);
    b.take(&format!("<message from='r@c.x/0b0b0b0b' type='groupchat' id='{id}'><body>not me</body></message>"));
    assert!(matches!(&b.events()[..], [RoomEvent::Message { .. }]));
    b.take(&format!("<message from='r@c.x/{ME}' type='groupchat' id='{id}'><body>hi</body></message>"));
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 5, error: None }]);
    b.take(&format!("<message from='r@c.x/{ME}' type='groupchat' id='{id}'><body>hi</body></message>"));
    assert_eq!(b.events(), []);
}

#[test]
fn requests_complete_with_the_error_that_fits() {
    let mut b = Bench::joining();
    b.outputs();
    b.room.send_message("x", None, 1, b.now);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 1, error: Some(RoomError::NotJoined) }]);
    let mut b = Bench::joined();
    let fit = "x".repeat(MAX_MESSAGE_BYTES);
    b.room.send_message(&fit, None, 2, b.now);
    assert_eq!(b.sent().len(), 1);
    b.room.send_message(&(fit + "x"), None, 3, b.now);
    let error = Some(RoomError::MessageSize(MAX_MESSAGE_BYTES + 1));
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 3, error }]);
    b.room.send_message("", None, 4, b.now);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 4, error: Some(RoomError::MessageSize(0)) }]);
    b.room.send_message("x", Some("0b0b0b0b"), 5, b.now);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 5, error: Some(RoomError::NoSuchParticipant) }]);
    b.member("0b0b0b0b");
    b.outputs();
    b.room.send_message("psst", Some("0b0b0b0b"), 6, b.now);
    let out = b.outputs();
    assert!(matches!(&out[0], RoomOutput::Send(s) if s.contains("type='chat' to='r@c.x/0b0b0b0b'")));
    let RoomOutput::SendIq { token, .. } = out[1] else { panic!("{out:?}") };
    b.room.on_iq_answer(token, Err(IqFailure::Refused(StanzaError::default())), b.now);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 6, error: None }]);
    b.room.send_message("no", None, 7, b.now);
    let sent = b.sent();
    let id = Document::parse(&sent[0]).unwrap().root().attr("id").unwrap().to_owned();
    b.take(&format!(
        "<message from='r@c.x' type='error' id='{id}'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ));
    let events = b.events();
    assert!(matches!(&events[..], [RoomEvent::RequestDone { request: 7, error: Some(RoomError::MessageRefused(e)) }]
        if e.condition == crate::wire::Condition::NotAllowed));
    // Request 2 is still waiting.
    assert_eq!(b.jump(), MESSAGE_TIMEOUT);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 2, error: Some(RoomError::MessageTimeout) }]);
}

#[test]
fn messages_that_wait_are_limited_and_cancelled_at_the_end() {
    let mut b = Bench::joined();
    for i in 0..MAX_PENDING_MESSAGES as u64 {
        b.room.send_message("x", None, i, b.now);
    }
    assert_eq!(b.sent().len(), MAX_PENDING_MESSAGES);
    b.room.send_message("x", None, 9999, b.now);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 9999, error: Some(RoomError::TooManyRequests) }]);
    b.typed("unavailable", ME, "<item role='none'/><status code='110'/><status code='332'/>", "");
    let events = b.events();
    assert_eq!(events.len(), MAX_PENDING_MESSAGES + 1);
    let cancelled = RoomEvent::RequestDone { request: 0, error: Some(RoomError::Cancelled) };
    assert_eq!(events[0], cancelled);
    assert_eq!(
        events[MAX_PENDING_MESSAGES],
        RoomEvent::Ended(Some(RoomError::Removed { status: 332, reason: String::new() }))
    );
}

#[test]
fn a_private_message_is_done_when_the_room_has_answered_what_came_after_it() {
    let mut b = Bench::joined();
    b.member("0b0b0b0b");
    b.outputs();
    b.room.send_message("psst", Some("0b0b0b0b"), 1, b.now);
    let out = b.outputs();
    let [RoomOutput::Send(text), RoomOutput::SendIq { token, text_payload, to, kind: IqKind::Get, .. }] = &out[..]
    else {
        panic!("{out:?}")
    };
    assert!(text.contains("type='chat'") && text_payload.contains("urn:xmpp:ping") && to.as_str() == "r@c.x");
    // Whatever the room thinks of pings.
    b.room.on_iq_answer(*token, Err(IqFailure::Refused(StanzaError::default())), b.now);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 1, error: None }]);

    // Refused before the answer: that is its end, and the answer ends nothing more.
    b.room.send_message("psst", Some("0b0b0b0b"), 2, b.now);
    let out = b.outputs();
    let [RoomOutput::Send(text), RoomOutput::SendIq { token, .. }] = &out[..] else { panic!("{out:?}") };
    let id = text.split("id='").nth(1).and_then(|t| t.split('\'').next()).unwrap();
    b.take(&format!(
        "<message from='r@c.x/0b0b0b0b' type='error' id='{id}'><error type='cancel'>\
         <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ));
    let events = b.events();
    assert!(
        matches!(&events[..], [RoomEvent::RequestDone { request: 2, error: Some(RoomError::MessageRefused(e)) }]
            if e.condition == Condition::ItemNotFound),
        "{events:?}"
    );
    b.room.on_iq_answer(*token, Err(IqFailure::Refused(StanzaError::default())), b.now);
    assert_eq!(b.events(), []);

    // A room that answers nothing.
    b.room.send_message("psst", Some("0b0b0b0b"), 3, b.now);
    b.outputs();
    assert_eq!(b.jump(), MESSAGE_TIMEOUT);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 3, error: Some(RoomError::MessageTimeout) }]);
}

#[test]
fn what_the_leaving_cancels_says_so_in_words() {
    assert!(!RoomError::Cancelled.to_error().text.is_empty());
}

#[test]
fn history_is_told_as_delayed_with_its_time() {
    let mut b = Bench::joined();
    let delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-23T19:43:52Z'/>";
    b.take(&format!("<message from='r@c.x/gone' type='groupchat' id='m'><body>old</body>{delay}</message>"));
    b.take("<message from='r@c.x/gone' type='groupchat'><subject>S</subject></message>");
    b.take("<message from='r@c.x/gone' type='chat' id='p'><body>psst</body></message>");
    let events = b.events();
    assert_eq!(
        events[0],
        RoomEvent::Message {
            endpoint_id: "gone".into(),
            display_name: String::new(),
            text: "old".into(),
            id: "m".into(),
            private: false,
            delayed: true,
            sent_ms: 1_795_463_032_000,
        }
    );
    assert_eq!(events[1], RoomEvent::Subject("S".into()));
    assert!(matches!(&events[2], RoomEvent::Message { private: true, delayed: false, sent_ms: 1_800_000_000_000, .. }));
}

#[test]
fn who_enters_again_asks_for_what_was_missed_and_is_told_nothing_twice_and_never_his_own_words() {
    let mut b = Bench::joined();
    let stamp = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-23T19:43:52Z'/>";
    let said = |nick: &str, id: &str, text: &str, more: &str| {
        format!("<message from='r@c.x/{nick}' type='groupchat' id='{id}'><body>{text}</body>{more}</message>")
    };
    let told = |events: Vec<RoomEvent>| -> Vec<String> {
        events
            .into_iter()
            .filter_map(|e| if let RoomEvent::Message { text, .. } = e { Some(text) } else { None })
            .collect()
    };
    b.take(&said("0b0b0b0b", "1", "one", ""));
    b.take(&said(ME, "mine", "my own", ""));
    b.take("<message from='r@c.x/0b0b0b0b' type='groupchat'><subject>S</subject></message>");
    // Said twice is told twice, within one stay.
    b.take(&said("0b0b0b0b", "1", "one", ""));
    assert_eq!(told(b.events()), ["one", "one"]);
    b.now = b.now + Duration::from_secs(60);
    let config = Bench::new().room.config;
    b.room = b.room.again(config, Env::seeded(8));
    b.room.start(b.now);
    let (token, _) = b.iq();
    b.conference(token, "ready='true'");
    let join = b.sent();
    assert!(join[0].contains("<history seconds='66'/>"), "{join:?}");
    b.focus();
    b.presence(ME, PARTICIPANT, "<status code='110'/>");
    b.events();
    for (nick, id, text) in [
        ("0b0b0b0b", "1", "one"),
        (ME, "mine", "my own"),
        (ME, "lost", "mine too"),
        ("0b0b0b0b", "2", "two"),
        ("0b0b0b0b", "2", "two"),
    ] {
        b.take(&said(nick, id, text, stamp));
    }
    b.take("<message from='r@c.x/0b0b0b0b' type='groupchat'><subject>S</subject></message>");
    let events = b.events();
    assert!(!events.iter().any(|e| matches!(e, RoomEvent::Subject(_))));
    assert_eq!(told(events), ["two"]);
}
