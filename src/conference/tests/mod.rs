//! Virtual-time tests of the room: each says what a program may rely on. Here is the bench; the tests are by topic.

mod ending;
mod focus;
mod joining;
mod members;
mod messages;
mod mute;

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
