//! The bridge session: offers, sources, restarts, against recorded focuses and made-up ones.

use super::*;
use crate::wire::{Condition, StanzaError};

mod chaos;
mod cost;
mod offers;
mod own_sources;
mod recorded;
mod remote_sources;
mod restarts;
mod with_p2p;

/// The room of the real captures.
const REAL: &str = "real@conference.meet.localhost";

/// Our endpoint in that room.
const OWN: &str = "7759b137";

/// A participant in a room with a focus.
struct Guest {
    side: Side,
    room: String,
    conference: Conference,
}

impl Guest {
    fn new(room: &str, ep: &'static str, others: &[&str]) -> Guest {
        let mut side = Side::new(ep, 7);
        side.j.set_local_sources(sources(ep, 101));
        // Keeps peer to peer out of it.
        let conference = Conference { needs_bridge: true, ..Conference::default() };
        let mut g = Guest { side, room: room.to_owned(), conference };
        g.conference.own = Some(g.jid(ep));
        g.conference.focus = Some(g.jid("focus"));
        g.with(others, at(0));
        g
    }

    /// In a running session of the recorded offer, connected.
    fn in_session() -> (Guest, SessionKey) {
        let mut g = Guest::new(REAL, OWN, &["560b777f"]);
        let out = g.focus(&offer(), at(1));
        g.side.answer_all(&out, at(2));
        let key = g.key();
        g.side.j.ice_connected(key, at(3));
        assert_eq!(kinds(&g.side.drain(at(3))), ["bridge-active"]);
        (g, key)
    }

    fn jid(&self, nick: &str) -> Jid {
        Jid::parse(&format!("{}/{nick}", self.room)).unwrap()
    }

    /// These others are in the room.
    fn with(&mut self, others: &[&str], now: Time) -> Vec<Output> {
        let participant = |o: &&str| Participant { jid: self.jid(o), jigasi: false, poltergeist: false };
        self.conference.participants = others.iter().map(participant).collect();
        self.tell(now)
    }

    fn tell(&mut self, now: Time) -> Vec<Output> {
        self.side.j.set_conference(self.conference.clone(), now);
        self.side.drain(now)
    }

    fn iq(&mut self, from: &str, payload: &str, now: Time) -> Vec<Output> {
        let d = Document::parse_with(payload, ns::CLIENT, &Default::default()).unwrap();
        let from = self.jid(from);
        self.side.j.on_iq(&from, "id1", d.root(), now);
        self.side.drain(now)
    }

    fn focus(&mut self, payload: &str, now: Time) -> Vec<Output> {
        self.iq("focus", payload, now)
    }

    fn key(&self) -> SessionKey {
        self.side.j.session(SessionKind::Bridge).unwrap().0
    }

    fn has_session(&self) -> bool {
        self.side.j.session(SessionKind::Bridge).is_some()
    }

    /// Waits until the machine's deadline, which must be `ms`.
    fn wait(&mut self, ms: u64) -> Vec<Output> {
        let deadline = self.side.j.next_deadline().map(|d| d.mono_us / 1000);
        assert_eq!(deadline, Some(ms));
        if ms > 0 {
            self.side.j.handle_timeout(at(ms - 1));
            assert!(self.side.drain(at(ms - 1)).is_empty());
        }
        self.side.j.handle_timeout(at(ms));
        self.side.drain(at(ms))
    }

    fn answer(&mut self, to: &[Output], answer: IqAnswer, now: Time) -> Vec<Output> {
        for token in tokens(to) {
            self.side.j.on_iq_answer(token, answer.clone(), now);
        }
        self.side.drain(now)
    }

    fn table(&self) -> Vec<String> {
        let t = self.side.j.remote_sources(self.key()).unwrap();
        let of = |s: &RemoteSource| {
            let (mut ssrcs, mut groups) = (s.ssrcs.clone(), s.groups.clone());
            ssrcs.sort_unstable();
            groups.sort_by_key(|g| g.1.clone());
            format!("{} {ssrcs:?} {groups:?}", s.name)
        };
        let mut all: Vec<String> = t.iter().map(of).collect();
        all.sort_unstable();
        all
    }
}

fn tokens(out: &[Output]) -> Vec<IqToken> {
    out.iter().filter_map(|o| if let Output::SendIq { token, .. } = o { Some(*token) } else { None }).collect()
}

fn error(condition: Condition) -> IqAnswer {
    IqAnswer::Error(StanzaError::new(condition))
}

/// The recorded offer of the real focus.
fn offer() -> String {
    static OFFER: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    OFFER.get_or_init(|| recorded("51-real-session-json-sources", 'A', false, "session-initiate")).clone()
}

/// The id of the session that it makes.
const SID: &str = "espffcvv2eh72";

/// A request of the focus within that session.
fn request(action: &str, inside: &str) -> String {
    format!("<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{SID}'>{inside}</jingle>")
}

/// Sources of an endpoint as compact JSON.
fn json(owner: &str, video: &[u32]) -> String {
    let sources: Vec<String> =
        video.iter().enumerate().map(|(i, s)| format!("{{\"s\":{s},\"n\":\"{owner}-v{i}\"}}")).collect();
    format!(
        "<json-message xmlns='http://jitsi.org/jitmeet'>{{\"sources\":{{\"{owner}\":[[{}]]}}}}</json-message>",
        sources.join(",")
    )
}

fn bridge_ended(out: &[Output]) -> Option<EndReason> {
    out.iter().find_map(|o| match o {
        Output::Event(Event::Bridge { state: BridgeState::Ended(r), .. }) => Some(r.clone()),
        _ => None,
    })
}

fn rejoin(out: &[Output]) -> Option<RejoinReason> {
    out.iter().find_map(|o| match o {
        Output::Event(Event::RejoinWanted(r)) => Some(r.clone()),
        _ => None,
    })
}
