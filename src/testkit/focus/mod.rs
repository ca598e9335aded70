//! A conference focus as a machine: Jicofo, as far as participants see it (docs/protocol/01 §7, 02 §5–§12, 03 §8, §10.3). One
//! machine used twice: inside the testkit's server, and over XEP-0114 beside a real Prosody (`component.rs`).
//!
//! Without [`SessionOptions`] it does no bridge: two participants talk peer to peer. With them it makes a bridge session for
//! everybody as soon as two are there, and asks the bridge by values (`colibri.rs`). It answers from the address that a request
//! was sent to.

pub mod colibri;
mod conference;
mod dry_bridge;
mod features;
mod limits;
mod mute;
mod offer;
mod options;
mod request;
mod session;
#[cfg(test)]
mod session_tests;
mod signal;
pub mod sources;
#[cfg(test)]
mod tests;

pub use dry_bridge::DryBridge;
pub use limits::{RESTART_INTERVAL, RESTART_WINDOW, RESTARTS_PER_WINDOW};
pub use options::{EndpointOptions, SessionOptions};
pub use request::Refusal;

use super::stanza;
use crate::env::Env;
use crate::time::{Time, earliest};
use crate::wire::{Document, Element, Jid, XmlWriter, ns};
use colibri::{Answer, Request};
use conference::{Conference, Cx};
use features::Shape;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long the focus waits in a room that nobody enters (Jicofo's `conference.initial-timeout`).
pub const INITIAL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the last one's bridge session lives on (Jicofo's `conference.single-participant-timeout`).
pub const SINGLE_PARTICIPANT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a participant may take to say what it can.
pub const DISCO_TIMEOUT: Duration = Duration::from_secs(5);
/// The nickname of the focus in every room.
pub const NICK: &str = "focus";
/// Most conferences at once; a request past it is refused with `resource-constraint`.
pub const MAX_ROOMS: usize = 1024;
/// Capability hashes that are remembered; past it the participants are asked again.
pub const MAX_CAPS: usize = 256;

/// What the focus needs to know.
#[derive(Clone, Debug)]
pub struct FocusOptions {
    /// Domain of its component: requests go there, and its own address is `focus@DOMAIN/focus`.
    pub domain: String,
    /// Namespace of the stanzas that it writes: `jabber:client`, or `jabber:component:accept` on a component stream.
    pub stanza_ns: String,
    /// Version that it shows in its presence.
    pub version: String,
    /// Bridge sessions; `None`: there is no bridge, and none is missed.
    pub sessions: Option<SessionOptions>,
}

impl FocusOptions {
    /// A focus at `domain`, speaking `jabber:client`, without bridge sessions.
    pub fn new(domain: &str) -> FocusOptions {
        FocusOptions {
            domain: domain.into(),
            stanza_ns: ns::CLIENT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            sessions: None,
        }
    }
}

/// What goes out, and what it takes to write it.
pub(super) struct Io {
    options: FocusOptions,
    jid: Jid,
    env: Env,
    out: VecDeque<String>,
    colibri: VecDeque<Request>,
    next_id: u64,
    /// What the participants of a capability hash can.
    caps: BTreeMap<String, Shape>,
    /// A bridge is there.
    bridge: bool,
}

impl Io {
    fn push(&mut self, stanza: String) {
        self.out.push_back(stanza);
    }

    fn ask(&mut self, request: Request) {
        self.colibri.push_back(request);
    }

    fn stanza(&self, name: &str, to: &str) -> XmlWriter {
        let mut w = XmlWriter::new();
        w.open(name, &self.options.stanza_ns).attr("from", self.jid.as_str()).attr("to", to);
        w
    }

    fn id(&mut self, what: &str) -> String {
        self.next_id += 1;
        format!("{what}-{}", self.next_id)
    }

    fn leave(&mut self, room: &str) {
        let mut w = self.stanza("presence", &format!("{room}/{NICK}"));
        w.attr("type", "unavailable");
        self.push(w.finish());
    }
}

/// The focus. Stanzas in, stanzas and requests to the bridge out.
pub struct Focus {
    io: Io,
    sessions: Option<SessionOptions>,
    refusal: Option<Refusal>,
    rooms: BTreeMap<String, Conference>,
}

impl Focus {
    /// A focus in no room. `None` when the domain is no address.
    pub fn new(options: FocusOptions, env: Env) -> Option<Focus> {
        let jid = Jid::parse(&format!("{NICK}@{}/{NICK}", options.domain)).ok()?;
        let sessions = options.sessions.clone();
        let io = Io {
            options,
            jid,
            env,
            out: VecDeque::new(),
            colibri: VecDeque::new(),
            next_id: 0,
            caps: BTreeMap::new(),
            bridge: false,
        };
        Some(Focus { io, sessions, refusal: None, rooms: BTreeMap::new() })
    }

    /// Its own full address, by which participants know it.
    pub fn jid(&self) -> &Jid {
        &self.io.jid
    }

    /// Answers conference requests in this way from now on; `None` means well.
    pub fn refuse(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal;
    }

    /// How bridge sessions are made from now on; `None` while there are none.
    pub fn sessions_mut(&mut self) -> Option<&mut SessionOptions> {
        self.sessions.as_mut()
    }

    /// Leaves every room at once, as a focus that goes down does (docs/protocol/03 §8.2). The bridge goes on.
    pub fn leave_all(&mut self) {
        for room in std::mem::take(&mut self.rooms).into_keys() {
            self.io.leave(&room);
        }
    }

    /// Forgets everything without a word: what a killed focus leaves behind.
    pub fn forget(&mut self) {
        self.rooms.clear();
        self.io.out.clear();
        self.io.colibri.clear();
    }

    /// A stanza addressed to the focus's domain arrived.
    pub fn handle(&mut self, stanza: Element<'_>, now: Time) {
        match stanza.name() {
            "iq" => self.iq(stanza, now),
            "presence" => self.presence(stanza, now),
            // Group chat and subjects of the rooms are nothing to it.
            _ => {}
        }
    }

    /// The bridge answered.
    pub fn handle_answer(&mut self, answer: Answer, now: Time) {
        let (Answer::Allocated { conference, .. }
        | Answer::Refused { conference, .. }
        | Answer::Restarted { conference, .. }
        | Answer::Declined { conference, .. }) = &answer;
        let room = conference.clone();
        self.with_room(&room, now, |c, cx| c.bridge_answer(answer, cx));
    }

    /// A bridge is there: those who wait for one are invited.
    pub fn bridge_up(&mut self, now: Time) {
        self.io.bridge = true;
        self.with_rooms(now, Conference::bridge_up);
    }

    /// The only bridge died (docs/protocol/02 §23.16): sessions end with `moving`, the presence says `bridgeNotAvailable`.
    pub fn bridge_down(&mut self, now: Time) {
        self.io.bridge = false;
        self.with_rooms(now, Conference::bridge_down);
    }

    /// The bridge died, and another takes its conferences: everybody is invited anew.
    pub fn bridge_moved(&mut self, now: Time) {
        self.io.bridge = true;
        self.with_rooms(now, Conference::bridge_moved);
    }

    /// Sends everybody in a room a session-initiate with a new sid over the session that is running.
    pub fn invite_over(&mut self, room: &str, now: Time) {
        self.with_room(room, now, Conference::invite_over);
    }

    /// Ends an endpoint's session with this reason and text; it is not invited again before it joins again.
    pub fn end_session(&mut self, room: &str, endpoint: &str, reason: &str, text: &str, now: Time) {
        self.with_room(room, now, |c, cx| c.end_session(endpoint, reason, text, cx));
    }

    /// Sets a property of a conference, and shows it (docs/protocol/03 §8.1); `None` takes it away.
    pub fn set_property(&mut self, room: &str, key: &str, value: Option<&str>) {
        if let Some(c) = self.rooms.get_mut(room) {
            c.set_property(key, value);
            c.show(&mut self.io);
        }
    }

    /// The current session of an endpoint: its sid, and whether it was accepted.
    pub fn session_of(&self, room: &str, endpoint: &str) -> Option<(&str, bool)> {
        self.rooms.get(room)?.session_of(endpoint)
    }

    /// What everybody in a room sends, as the focus holds it.
    pub fn sources_of(&self, room: &str) -> Option<&sources::ConferenceSources> {
        self.rooms.get(room).map(|c| &c.sources)
    }

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        let late = |c: &Conference| c.members.is_empty() && c.empty_until.is_some_and(|t| t <= now);
        let empty: Vec<_> = self.rooms.iter().filter(|(_, c)| late(c)).map(|(room, _)| room.clone()).collect();
        for room in empty {
            self.rooms.remove(&room);
            self.io.leave(&room);
        }
        self.with_rooms(now, Conference::timeout);
    }

    /// When [`Focus::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        self.rooms.values().fold(None, |t, c| earliest(t, c.next_deadline()))
    }

    /// The next stanza to send.
    pub fn poll_output(&mut self) -> Option<String> {
        self.io.out.pop_front()
    }

    /// The next request to the bridge; to be done before stanzas are sent.
    pub fn poll_colibri(&mut self) -> Option<Request> {
        self.io.colibri.pop_front()
    }

    fn with_room(&mut self, room: &str, now: Time, f: impl FnOnce(&mut Conference, &mut Cx<'_>)) {
        if let (Some(c), Some(options)) = (self.rooms.get_mut(room), &self.sessions) {
            f(c, &mut Cx { io: &mut self.io, options, now });
        }
    }

    fn with_rooms(&mut self, now: Time, f: impl Fn(&mut Conference, &mut Cx<'_>)) {
        if let Some(options) = &self.sessions {
            for c in self.rooms.values_mut() {
                f(c, &mut Cx { io: &mut self.io, options, now });
            }
        }
    }

    fn iq(&mut self, iq: Element<'_>, now: Time) {
        let kind = iq.attr("type").unwrap_or_default();
        if matches!(kind, "result" | "error") {
            return self.iq_answer(iq, now);
        }
        let stanza_ns = &self.io.options.stanza_ns;
        let jingle = iq.child("jingle", ns::JINGLE).filter(|_| kind == "set" && self.sessions.is_some());
        let answer = if let Some(c) = iq.child("conference", ns::FOCUS).filter(|_| kind == "set") {
            return self.conference_request(iq, c, now);
        } else if let Some(jingle) = jingle {
            let from = iq.attr("from").and_then(|f| Jid::parse(f).ok());
            let known = from.as_ref().is_some_and(|f| self.rooms.contains_key(f.bare_str()));
            match from.filter(|_| known) {
                Some(from) => return self.with_room(from.bare_str(), now, |c, cx| c.jingle(iq, jingle, &from, cx)),
                None => stanza::error(iq, stanza_ns, "cancel", "item-not-found", None),
            }
        } else if let Some(mute) = iq.children().find(|c| c.name() == "mute" && mute::mute_media(c.ns()).is_some()) {
            self.mute(iq, mute)
        } else if iq.child("ping", ns::PING).is_some() && kind == "get" {
            stanza::iq_result(iq, stanza_ns).finish()
        } else if let Some(q) = iq.child("query", ns::DISCO_INFO).filter(|_| kind == "get") {
            let mut w = stanza::iq_result(iq, stanza_ns);
            w.open("query", ns::DISCO_INFO).attr_opt("node", q.attr("node"));
            w.open_same("identity").attr("category", "component").attr("type", "conference").attr("name", NICK).close();
            w.open_same("feature").attr("var", ns::DISCO_INFO).close();
            w.open_same("feature").attr("var", ns::PING);
            w.finish()
        } else {
            stanza::error(iq, stanza_ns, "cancel", "service-unavailable", None)
        };
        self.io.push(answer);
    }

    /// The room answered the configuration form, or the grant of an affiliation (which shows itself in a presence); a
    /// participant answered what it was asked.
    fn iq_answer(&mut self, iq: Element<'_>, now: Time) {
        let Some(from) = iq.attr("from").and_then(|f| Jid::parse(f).ok()) else { return };
        let room = from.bare_str().to_owned();
        if let Some(nick) = from.resource() {
            return self.with_room(&room, now, |c, cx| c.answered(iq, nick, cx));
        }
        let configured = iq.attr("id").is_some_and(|id| id.starts_with("config-"));
        if let Some(c) = self.rooms.get_mut(&room).filter(|_| configured) {
            c.configured(&mut self.io);
        }
        self.with_room(&room, now, Conference::consider);
    }

    fn presence(&mut self, p: Element<'_>, now: Time) {
        let Some(from) = p.attr("from").and_then(|f| Jid::parse(f).ok()) else { return };
        let (room, Some(nick)) = (from.bare_str().to_owned(), from.resource()) else { return };
        let Some(c) = self.rooms.get_mut(&room) else { return };
        match (p.attr("type"), nick == NICK) {
            (None, true) => c.joined(&mut self.io),
            // Refused, kicked, or the room is gone: those who wait are told so.
            (Some("error" | "unavailable"), true) => {
                c.refused(&mut self.io);
                self.rooms.remove(&room);
            }
            (None, false) => {
                c.seen(p, nick, &mut self.io);
                self.with_room(&room, now, |c, cx| c.came(p, nick, cx));
            }
            (Some("unavailable"), false) => {
                self.with_room(&room, now, |c, cx| c.went(nick, cx));
                if self.rooms.get_mut(&room).is_some_and(|c| c.left(nick, now, &mut self.io)) {
                    self.rooms.remove(&room);
                    self.io.leave(&room);
                }
                self.with_room(&room, now, Conference::consider);
            }
            _ => {}
        }
    }

    /// Handles a stanza given as text; what is no XML is ignored. For drivers.
    pub fn handle_text(&mut self, text: &str, now: Time) {
        if let Ok(d) = Document::parse_with(text, &self.io.options.stanza_ns, &Default::default()) {
            self.handle(d.root(), now);
        }
    }
}
