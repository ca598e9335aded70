//! Virtual-time tests of the room: each says what a program may rely on.

use super::*;
use crate::wire::{Condition, Document, StanzaError};

pub(super) const ME: &str = "0a0a0a0a";
const FOCUS_REAL: &str = "focus@auth.x/focus";

pub(super) fn jid(s: &str) -> Jid {
    Jid::parse(s).unwrap()
}

/// A room on a clock, with its outputs collected.
pub(super) struct Bench {
    pub(super) room: Room,
    pub(super) now: Time,
}

impl Bench {
    pub(super) fn at(room: &str, id: &str) -> Bench {
        let config = RoomConfig {
            room: jid(room),
            focus: jid("focus.x"),
            machine_uid: "9d4b".into(),
            token: String::new(),
            password: String::new(),
            display_name: "Alice".into(),
            endpoint_id: id.into(),
            trusted_focus: Vec::new(),
            features: vec!["urn:xmpp:jingle:1".into()],
            codecs: vec!["vp9".into(), "vp8".into()],
            stats_id: "Ada-x1Z".into(),
        };
        let now = Time::new(0, 1_800_000_000_000_000);
        Bench { room: Room::new(config, Env::seeded(7)), now }
    }

    fn new() -> Bench {
        Bench::at("r@c.x", ME)
    }

    pub(super) fn outputs(&mut self) -> Vec<RoomOutput> {
        std::iter::from_fn(|| self.room.poll_output()).collect()
    }

    pub(super) fn events(&mut self) -> Vec<RoomEvent> {
        let event = |o| match o {
            RoomOutput::Event(e) => Some(e),
            _ => None,
        };
        self.outputs().into_iter().filter_map(event).collect()
    }

    pub(super) fn sent(&mut self) -> Vec<String> {
        let stanza = |o| match o {
            RoomOutput::Send(s) => Some(s),
            _ => None,
        };
        self.outputs().into_iter().filter_map(stanza).collect()
    }

    /// The token and text of the one iq that was sent.
    pub(super) fn iq(&mut self) -> (u64, String) {
        let iq = |o| match o {
            RoomOutput::SendIq { token, text_payload, .. } => Some((token, text_payload)),
            _ => None,
        };
        let mut all: Vec<_> = self.outputs().into_iter().filter_map(iq).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub(super) fn answer(&mut self, token: u64, iq: &str) {
        let doc = Document::parse_with(iq, ns::CLIENT, &Default::default()).unwrap();
        self.room.on_iq_answer(token, Ok(doc.root()), self.now);
    }

    fn conference(&mut self, token: u64, attrs: &str) {
        self.answer(
            token,
            &format!(
                "<iq type='result'><conference xmlns='http://jitsi.org/protocol/focus' focusjid='focus@auth.x' {attrs}/></iq>"
            ),
        );
    }

    fn refuse(&mut self, token: u64, kind: &str, condition: &str, more: &str) {
        self.answer(
            token,
            &format!(
                "<iq type='error'><error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{more}</error></iq>"
            ),
        );
    }

    /// Any stanza of the room.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let doc = Document::parse_with(text, ns::CLIENT, &Default::default()).unwrap();
        match doc.root().name() {
            "presence" => self.room.on_presence(doc.root(), self.now),
            _ => self.room.on_message(doc.root(), self.now),
        }
    }

    fn presence(&mut self, nick: &str, item: &str, more: &str) -> bool {
        self.typed("", nick, item, more)
    }

    fn typed(&mut self, kind: &str, nick: &str, user: &str, more: &str) -> bool {
        let kind = if kind.is_empty() { String::new() } else { format!("type='{kind}'") };
        self.take(&format!(
            "<presence from='r@c.x/{nick}' {kind}>{more}<x xmlns='http://jabber.org/protocol/muc#user'>{user}</x></presence>"
        ))
    }

    fn join_error(&mut self, condition: &str, more: &str) {
        self.take(&format!(
            "<presence from='r@c.x/{ME}' type='error'><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{more}</error></presence>"
        ));
    }

    /// Jumps to the next deadline, and tells how long that took.
    fn jump(&mut self) -> Duration {
        let at = self.room.next_deadline().expect("a deadline");
        let pause = at.since(self.now);
        self.now = at;
        self.room.handle_timeout(self.now);
        pause
    }

    /// Up to the join presence.
    fn joining() -> Bench {
        let mut b = Bench::new();
        b.room.start(b.now);
        let (token, _) = b.iq();
        b.conference(token, "ready='true'");
        b
    }

    /// In, with the focus.
    fn joined() -> Bench {
        let mut b = Bench::joining();
        b.focus();
        b.presence(ME, PARTICIPANT, "<status code='110'/>");
        b.outputs();
        b
    }

    fn focus(&mut self) {
        self.presence("focus", &item(FOCUS_REAL, "moderator"), "");
    }

    fn member(&mut self, id: &str) {
        self.presence(id, &item(&format!("{id}-u@x/res"), "participant"), "");
    }

    fn ended(&mut self) -> Option<RoomError> {
        match self.events().pop() {
            Some(RoomEvent::Ended(e)) => e,
            other => panic!("{other:?}"),
        }
    }
}

const PARTICIPANT: &str = "<item affiliation='none' role='participant'/><status code='110'/>";

fn item(real: &str, role: &str) -> String {
    format!("<item affiliation='none' role='{role}' jid='{real}'/>")
}

#[test]
fn a_join_is_request_ready_presence_and_own_presence() {
    let mut b = Bench::new();
    b.room.start(b.now);
    b.room.start(b.now);
    let first = b.outputs();
    assert!(
        matches!(&first[..], [RoomOutput::SendIq { to, kind: IqKind::Set, .. }, RoomOutput::Event(RoomEvent::RequestSent)]
        if to.as_str() == "focus.x")
    );
    b.conference(1, "ready='true'");
    let out = b.outputs();
    assert_eq!(out[0], RoomOutput::Event(RoomEvent::Ready));
    let RoomOutput::Send(presence) = &out[1] else { panic!("{out:?}") };
    assert_eq!(
        presence,
        "<presence xmlns='jabber:client' to='r@c.x/0a0a0a0a'><x xmlns='http://jabber.org/protocol/muc'/>\
         <stats-id>Ada-x1Z</stats-id><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
         node='https://jitsi.org/jitsi-meet' ver='rqD7gB/0i1xC/uZjLL4ZNpoQRnQ='/><SourceInfo>{}</SourceInfo>\
         <jitsi_participant_codecList>vp9,vp8</jitsi_participant_codecList>\
         <nick xmlns='http://jabber.org/protocol/nick'>Alice</nick></presence>"
    );
    assert_eq!(out[2], RoomOutput::Event(RoomEvent::JoinSent));
    b.focus();
    b.member("0b0b0b0b");
    assert!(b.presence(ME, PARTICIPANT, ""));
    let events = b.events();
    assert!(
        matches!(&events[..], [
        RoomEvent::Focus(true),
        RoomEvent::MemberJoined(m),
        RoomEvent::Joined { role: MucRole::Participant },
    ] if m.endpoint_id == "0b0b0b0b"),
        "{events:?}"
    );
    assert_eq!(b.room.next_deadline(), None);
}

#[test]
fn a_focus_that_is_not_ready_is_asked_again_with_growing_pauses() {
    let mut b = Bench::new();
    b.room.start(b.now);
    for want in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
        let (token, _) = b.iq();
        b.conference(token, "ready='false'");
        assert_eq!(b.jump().as_secs(), want);
    }
}

#[test]
fn a_stale_session_is_dropped_and_retried_six_times() {
    let mut b = Bench::new();
    b.room.start(b.now);
    let (token, _) = b.iq();
    b.conference(token, "ready='false' session-id='s1'");
    b.jump();
    let (mut token, payload) = b.iq();
    assert!(payload.contains("session-id='s1'"));
    for want in [1, 2, 4, 8, 16, 32] {
        b.refuse(token, "modify", "not-acceptable", "<session-invalid xmlns='http://jitsi.org/protocol/focus'/>");
        assert_eq!(b.jump().as_secs(), want);
        let (next, payload) = b.iq();
        assert!(!payload.contains("session-id"));
        token = next;
    }
    b.refuse(token, "modify", "not-acceptable", "");
    assert!(matches!(b.ended(), Some(RoomError::RequestRefused(_))));
}

#[test]
fn every_refusal_of_the_focus_has_its_own_error() {
    let last = |answer: &dyn Fn(&mut Bench, u64)| {
        let mut b = Bench::new();
        b.room.start(b.now);
        let (token, _) = b.iq();
        answer(&mut b, token);
        b.ended()
    };
    let code = |e: Option<RoomError>| e.unwrap().to_error().code;
    let got = last(&|b, t| b.refuse(t, "auth", "not-authorized", ""));
    assert_eq!(got, Some(RoomError::AuthenticationRequired));
    let reservation = "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>full</text>\
                       <reservation-error xmlns='http://jitsi.org/protocol/focus' error-code='409'/>";
    let got = last(&|b, t| b.refuse(t, "cancel", "service-unavailable", reservation));
    assert_eq!(got, Some(RoomError::Reservation { code: "409".into(), text: "full".into() }));
    let got = last(&|b, t| b.conference(t, "ready='true' vnode='v1'"));
    assert_eq!(got, Some(RoomError::Redirected { vnode: "v1".into(), focus: Some(jid("focus@auth.x")) }));
    let got = last(&|b, t| {
        b.answer(
            t,
            "<iq type='result'><conference xmlns='http://jitsi.org/protocol/focus' ready='false'>\
             <property name='live' value='false'/></conference></iq>",
        );
    });
    assert_eq!(got, Some(RoomError::NotLive));
    let got = last(&|b, t| b.refuse(t, "cancel", "forbidden", ""));
    assert_eq!(code(got), crate::Code::ConferenceRequest);
    // An error that the stream has read already is the same.
    let typed = crate::wire::StanzaError::new(crate::wire::Condition::NotAuthorized);
    let got = last(&|b, t| b.room.on_iq_answer(t, Err(IqFailure::Refused(typed.clone())), b.now));
    assert_eq!(got, Some(RoomError::AuthenticationRequired));
    assert_eq!(last(&|b, t| b.answer(t, "<iq type='result'/>")), Some(RoomError::RequestUnreadable));
    let got = last(&|b, t| b.room.on_iq_answer(t, Err(IqFailure::Disconnected), b.now));
    assert_eq!(got, Some(RoomError::Disconnected));
}

#[test]
fn a_focus_that_does_not_answer_is_asked_four_times() {
    let mut b = Bench::new();
    b.room.start(b.now);
    for want in [1, 2, 4] {
        let (token, _) = b.iq();
        b.room.on_iq_answer(token, Err(IqFailure::Timeout), b.now);
        assert_eq!(b.jump().as_secs(), want);
    }
    let (token, _) = b.iq();
    b.refuse(token, "cancel", "service-unavailable", "");
    assert!(matches!(b.ended(), Some(RoomError::RequestRefused(_))));
    assert_eq!(b.room.next_deadline(), None);
}

#[test]
fn a_room_that_does_not_exist_is_asked_for_and_joined_again_three_times() {
    let mut b = Bench::joining();
    for n in 1..=MAX_JOIN_RETRIES {
        b.join_error("not-allowed", "<room-does-not-exist xmlns='http://jitsi.org/jitmeet'/>");
        let pause = b.jump().as_millis();
        assert!((500..3375).contains(&pause), "{n}: {pause}");
        let (token, _) = b.iq();
        b.conference(token, "ready='true'");
        assert!(b.sent()[0].contains("protocol/muc'"));
    }
    b.join_error("not-allowed", "<room-does-not-exist xmlns='http://jitsi.org/jitmeet'/>");
    assert_eq!(b.ended(), Some(RoomError::RoomDoesNotExist { text: String::new() }));
}

#[test]
fn a_refused_join_ends_with_its_error_and_nothing_follows() {
    let mut b = Bench::joining();
    // An error of another occupant's address is not ours.
    b.take("<presence from='r@c.x/other' type='error'><error type='auth'/></presence>");
    b.outputs();
    b.join_error("not-authorized", "");
    assert_eq!(b.ended(), Some(RoomError::PasswordRequired));
    b.presence(ME, PARTICIPANT, "");
    b.room.leave(b.now);
    b.room.handle_timeout(b.now + Duration::from_secs(100));
    assert_eq!(b.outputs(), []);
}

#[test]
fn a_join_without_answer_ends_and_leaves_no_ghost() {
    let mut b = Bench::joining();
    b.outputs();
    assert_eq!(b.jump(), JOIN_TIMEOUT);
    let out = b.outputs();
    assert!(matches!(&out[0], RoomOutput::Send(s) if s.contains("unavailable")));
    assert_eq!(out[1], RoomOutput::Event(RoomEvent::Ended(Some(RoomError::JoinTimeout))));
}

#[test]
fn presence_and_messages_of_other_rooms_are_refused() {
    let mut b = Bench::joined();
    for from in ["r@c.evil/0b0b0b0b", "other@c.x/0b0b0b0b", "x@r@c.x", ""] {
        assert!(!b.take(&format!("<presence from='{from}'/>")), "{from}");
        assert!(!b.take(&format!("<message from='{from}' type='groupchat'><body>x</body></message>")), "{from}");
    }
    assert!(!b.take("<presence/>"));
    assert_eq!(b.outputs(), []);
}

#[test]
fn changes_before_the_join_is_done_are_sent_once_after_it() {
    let mut b = Bench::joining();
    b.outputs();
    b.room.set_source("0a0a0a0a-a0", true, false, b.now);
    b.room.set_display_name("Eve", b.now);
    assert_eq!(b.outputs(), []);
    b.presence(ME, PARTICIPANT, "");
    let sent = b.sent();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("{\"0a0a0a0a-a0\":{\"muted\":true}}") && sent[0].contains("Eve"), "{sent:?}");
    assert!(!sent[0].contains("protocol/muc'"));
    b.room.set_source("0a0a0a0a-a0", true, false, b.now);
    assert_eq!(b.outputs(), []);
    b.room.set_source("0a0a0a0a-v0", false, true, b.now);
    assert_eq!(b.sent().len(), 1);
    b.room.remove_source("0a0a0a0a-v0", b.now);
    b.room.set_codecs(vec!["vp8".into()], b.now);
    b.room.set_display_name("", b.now);
    let sent = b.sent();
    assert_eq!(sent.len(), 3);
    assert!(!sent[2].contains("<nick") && sent[2].contains(">vp8<"));
}

#[test]
fn a_member_is_followed_from_coming_to_going() {
    let mut b = Bench::joined();
    let it = item("b@x/r", "participant");
    let info = "<SourceInfo>{\"0b0b0b0b-a0\":{\"muted\":true},\"0c0c0c0c-a0\":{\"muted\":true}}</SourceInfo>";
    let nick = "<nick xmlns='http://jabber.org/protocol/nick'>Bob</nick>";
    b.presence("0b0b0b0b", &it, &format!("{nick}{info}"));
    let events = b.events();
    assert!(matches!(&events[..], [RoomEvent::MemberJoined(m), RoomEvent::Sources { .. }] if m.display_name == "Bob"));
    assert_eq!(b.room.source_state("0b0b0b0b", "0b0b0b0b-a0"), Some(SourceState { muted: true, desktop: false }));
    assert_eq!(b.room.source_state("0b0b0b0b", "0c0c0c0c-a0"), None);
    b.presence("0b0b0b0b", &it, &format!("{nick}{info}"));
    assert_eq!(b.events(), []);
    let hand = "<jitsi_participant_raisedHand>17</jitsi_participant_raisedHand>";
    b.presence("0b0b0b0b", &item("b@x/r", "moderator"), &format!("{nick}{info}{hand}<status>away</status>"));
    let events = b.events();
    let bits = CHANGED_ROLE | CHANGED_HAND | CHANGED_STATUS;
    assert!(matches!(&events[..], [RoomEvent::MemberUpdated(m, got)] if *got == bits && m.raised_hand == "17"));
    b.typed("unavailable", "0b0b0b0b", &it, "<status>bye</status>");
    let events = b.events();
    assert!(
        matches!(&events[..], [RoomEvent::MemberLeft { reason, kicked: false, vanished: false, .. }] if reason == "bye")
    );
    assert_eq!(b.room.members().count(), 0);
    b.typed("unavailable", "0b0b0b0b", &it, "");
    assert_eq!(b.events(), []);
}

#[test]
fn who_was_kicked_or_vanished_is_told_apart() {
    let mut b = Bench::joined();
    for (statuses, want) in
        [("<status code='307'/>", (true, false)), ("<status code='307'/><status code='333'/>", (false, true))]
    {
        b.member("0b0b0b0b");
        b.events();
        b.typed("unavailable", "0b0b0b0b", &format!("<item role='none'><reason>x</reason></item>{statuses}"), "");
        let events = b.events();
        assert!(
            matches!(&events[..], [RoomEvent::MemberLeft { kicked, vanished, reason, .. }] if (*kicked, *vanished) == want && reason == "x"),
            "{events:?}"
        );
    }
}

#[test]
fn an_impostor_named_focus_is_neither_focus_nor_member() {
    let mut b = Bench::joined();
    assert!(b.room.is_focus(&jid("r@c.x/focus")));
    b.presence("focus2", &item("focus@auth.x.evil/focus", "moderator"), PROPERTIES);
    assert!(matches!(&b.events()[..], [RoomEvent::MemberJoined(_)]));
    assert!(!b.room.is_focus(&jid("r@c.x/focus2")));
    b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
    assert_eq!(b.events(), [RoomEvent::Focus(false)]);
    b.presence("focus", &item("eve@x/focus", "moderator"), PROPERTIES);
    assert_eq!(b.events(), []);
    assert!(!b.room.is_focus(&jid("r@c.x/focus")) && b.room.member("focus").is_none());
    assert!(!b.room.is_focus(&jid("other@c.x/focus")));
}

const PROPERTIES: &str = "<conference-properties xmlns='http://jitsi.org/protocol/focus'><property key='k' value='v'/></conference-properties>";

#[test]
fn trust_is_judged_again_at_each_presence() {
    let mut b = Bench::joined();
    b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
    // At first without a real address: a member; then the focus; then not any more.
    b.presence("abc", "<item role='moderator'/>", "");
    b.presence("abc", &item(FOCUS_REAL, "moderator"), PROPERTIES);
    b.presence("abc", "<item role='moderator'/>", "");
    b.presence("abc", &item("eve@x/r", "moderator"), "");
    let events = b.events();
    assert!(
        matches!(&events[..], [
            RoomEvent::Focus(false),
            RoomEvent::MemberJoined(_),
            RoomEvent::MemberLeft { .. },
            RoomEvent::Focus(true),
            RoomEvent::Properties(p),
            RoomEvent::MemberJoined(_),
            RoomEvent::Focus(false),
        ] if p.len() == 1),
        "{events:?}"
    );
}

#[test]
fn a_missing_focus_is_asked_for_within_the_budget_and_the_stay_goes_on() {
    let mut b = Bench::joined();
    b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
    b.outputs();
    let first = b.jump();
    assert!(first >= Duration::from_millis(500) && first <= FOCUS_LOST_JITTER + Duration::from_millis(500));
    let mut pauses = Vec::new();
    for i in 0..8 {
        let (token, _) = b.iq();
        match i % 3 {
            0 => b.room.on_iq_answer(token, Err(IqFailure::Timeout), b.now),
            1 => b.refuse(token, "auth", "not-authorized", ""),
            _ => b.conference(token, "ready='true' vnode='v1'"),
        }
        assert_eq!(b.outputs(), []);
        pauses.push(b.jump().as_secs());
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120, 120]);
    b.outputs();
    b.focus();
    assert_eq!(b.events(), [RoomEvent::Focus(true)]);
    assert_eq!(b.room.next_deadline(), None);
}

#[test]
fn a_flapping_focus_does_not_break_the_request_budget() {
    let mut b = Bench::joined();
    let (mut requests, start) = (1, b.now);
    while b.now.since(start) < Duration::from_secs(55) {
        b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
        b.jump();
        requests += b.events().iter().filter(|e| **e == RoomEvent::RequestSent).count();
        b.focus();
        b.outputs();
    }
    assert_eq!(requests, REQUESTS_PER_MINUTE);
}

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
fn whether_there_is_a_bridge_is_a_state_that_the_focus_alone_sets() {
    let mut b = Bench::joined();
    b.focus();
    b.member("0b0b0b0b");
    b.events();
    let none = "<bridgeNotAvailable xmlns='http://jitsi.org/protocol/focus'/>";
    b.presence("0b0b0b0b", &item("0b0b0b0b-u@x/res", "participant"), none);
    assert_eq!(b.events(), []);
    let focus = item(FOCUS_REAL, "moderator");
    b.presence("focus", &focus, none);
    b.presence("focus", &focus, none);
    assert_eq!(b.events(), [RoomEvent::BridgeAvailable(false)]);
    assert!(!b.room.bridge_available());
    b.presence("focus", &focus, "");
    assert_eq!(b.events(), [RoomEvent::BridgeAvailable(true)]);
    // It goes while there is none: the next one says it anew.
    b.presence("focus", &focus, none);
    b.events();
    b.typed("unavailable", "focus", &focus, "");
    assert_eq!(b.events(), [RoomEvent::BridgeAvailable(true), RoomEvent::Focus(false)]);
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
fn leaving_is_confirmed_or_times_out() {
    let mut b = Bench::joined();
    b.room.leave(b.now);
    b.room.leave(b.now);
    assert_eq!(b.sent(), ["<presence xmlns='jabber:client' type='unavailable' to='r@c.x/0a0a0a0a'/>"]);
    b.typed("unavailable", ME, "<item role='none'/><status code='110'/>", "");
    assert_eq!(b.events(), [RoomEvent::Ended(None)]);
    let mut b = Bench::joined();
    b.room.leave(b.now);
    b.outputs();
    assert_eq!(b.jump(), LEAVE_TIMEOUT);
    assert_eq!(b.events(), [RoomEvent::Ended(None)]);
    let mut b = Bench::new();
    b.room.start(b.now);
    b.outputs();
    b.room.leave(b.now);
    assert_eq!(b.outputs(), [RoomOutput::Event(RoomEvent::Ended(None))]);
    let mut b = Bench::joining();
    b.outputs();
    b.room.leave(b.now);
    let out = b.outputs();
    assert!(
        matches!(&out[..], [RoomOutput::Send(s), RoomOutput::Event(RoomEvent::Ended(None))] if s.contains("unavailable"))
    );
}

#[test]
fn being_put_out_ends_with_who_and_why() {
    let ended = |user: &str, more: &str| {
        let mut b = Bench::joined();
        b.typed("unavailable", ME, user, more);
        b.ended()
    };
    let kick =
        "<item role='none'><actor nick='0b0b0b0b'/><reason>bye</reason></item><status code='307'/><status code='110'/>";
    assert_eq!(ended(kick, ""), Some(RoomError::Kicked { by: "0b0b0b0b".into(), reason: "bye".into() }));
    let destroy = "<item role='none'/><destroy jid='new@c.x'><reason>over</reason></destroy>";
    let want = RoomError::Destroyed { alternative: Some(jid("new@c.x")), reason: "over".into() };
    assert_eq!(ended(destroy, ""), Some(want));
    for status in [301, 321, 322, 332, 333] {
        let user = format!("<item role='none'/><status code='110'/><status code='{status}'/>");
        let want = RoomError::Removed { status, reason: "t".into() };
        assert_eq!(ended(&user, "<status>t</status>"), Some(want));
    }
    assert_eq!(ended("<item role='none'/>", ""), Some(RoomError::Removed { status: 0, reason: String::new() }));
}

#[test]
fn a_destroy_in_the_presence_of_another_does_not_end_our_stay() {
    let mut b = Bench::joined();
    b.member("0b0b0b0b");
    b.events();
    b.typed("unavailable", "0b0b0b0b", "<item role='none'/><destroy/>", "");
    assert!(matches!(&b.events()[..], [RoomEvent::MemberLeft { .. }]));
    b.typed("unavailable", ME, "<item/>", "<ignore xmlns='http://jitsi.org/jitmeet/'/>");
    assert_eq!(b.events(), []);
}

#[test]
fn a_room_that_forgot_us_ends_the_stay_and_other_errors_do_not() {
    let mut b = Bench::joined();
    b.join_error("policy-violation", "");
    assert_eq!(b.events(), []);
    b.join_error("item-not-found", "");
    assert!(matches!(b.ended(), Some(RoomError::Removed { status: 0, .. })));
}

#[test]
fn own_role_changes_are_told() {
    let mut b = Bench::joined();
    b.presence(ME, "<item affiliation='owner' role='moderator'/><status code='110'/>", "");
    b.presence(ME, "<item affiliation='owner' role='moderator'/><status code='110'/>", "");
    assert_eq!(b.events(), [RoomEvent::RoleChanged(MucRole::Moderator)]);
    assert!(b.room.member(ME).is_none());
}

#[test]
fn participants_past_the_limit_are_not_seen() {
    let mut b = Bench::joined();
    // The focus takes one place.
    for i in 1..MAX_PARTICIPANTS {
        b.member(&format!("{i:08x}"));
    }
    assert_eq!(b.room.members().count(), MAX_PARTICIPANTS - 1);
    b.events();
    b.member("ffffffff");
    assert_eq!(b.events(), []);
    b.typed("unavailable", "00000001", "<item/>", "");
    b.events();
    b.member("ffffffff");
    assert!(matches!(&b.events()[..], [RoomEvent::MemberJoined(_)]));
}

#[test]
fn another_nickname_than_asked_for_is_a_conflict() {
    let mut b = Bench::joining();
    b.outputs();
    b.presence("other", "<item role='participant'/><status code='210'/><status code='110'/>", "");
    let out = b.outputs();
    assert!(matches!(&out[0], RoomOutput::Send(s) if s.contains("to='r@c.x/other'")));
    assert_eq!(out[1], RoomOutput::Event(RoomEvent::Ended(Some(RoomError::NicknameConflict))));
}

#[test]
fn a_room_that_we_created_shows_real_addresses() {
    let mut b = Bench::joining();
    b.outputs();
    b.presence(ME, "<item role='moderator'/><status code='201'/><status code='110'/>", "");
    let (token, query) = b.iq();
    assert!(query.contains("muc#owner"));
    b.answer(
        token,
        "<iq type='result'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='form'>\
         <field var='muc#roomconfig_whois'/></x></query></iq>",
    );
    let (_, form) = b.iq();
    assert!(form.contains("<field var='muc#roomconfig_whois'><value>anyone</value>"), "{form}");
}

#[test]
fn nothing_follows_the_end_whatever_is_answered_late() {
    let gone = "<item role='none'/><status code='110'/>";
    // The focus is missing and asked for; its answer names another focus, who is here, after we left.
    let mut b = Bench::joined();
    b.presence("0c0c0c0c", &item("focus@other.x/focus", "moderator"), "");
    b.typed("unavailable", "focus", "<item role='none'/>", "");
    b.outputs();
    b.jump();
    let (token, _) = b.iq();
    b.room.leave(b.now);
    b.typed("unavailable", ME, gone, "");
    assert_eq!(b.ended(), None);
    b.answer(
        token,
        "<iq type='result'><conference xmlns='http://jitsi.org/protocol/focus' focusjid='focus@other.x' ready='true'/></iq>",
    );
    assert_eq!(b.outputs(), []);
    // The form of a room that we created.
    let mut b = Bench::joining();
    b.focus();
    b.outputs();
    b.presence(ME, "<item affiliation='owner' role='moderator'/><status code='110'/><status code='201'/>", "");
    let (token, _) = b.iq();
    b.room.leave(b.now);
    b.typed("unavailable", ME, gone, "");
    assert_eq!(b.ended(), None);
    b.answer(
        token,
        "<iq type='result'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='form'>\
         <field var='muc#roomconfig_whois'/></x></query></iq>",
    );
    assert_eq!(b.outputs(), []);
}

#[test]
fn a_full_room_does_not_hide_the_focus() {
    let mut b = Bench::joining();
    for i in 0..=MAX_PARTICIPANTS {
        b.member(&format!("{i:08x}"));
    }
    assert_eq!(b.room.members().count(), MAX_PARTICIPANTS);
    b.focus();
    assert!(b.room.focus_occupant().is_some());
    assert_eq!(b.room.members().count(), MAX_PARTICIPANTS);
}
