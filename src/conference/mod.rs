//! Layer 4: the room, without I/O. Conference request, join, participants, focus, chat, leave; docs/protocol/03 §2–§11,
//! 01 §7.
//!
//! One [`Room`] is one stay: it ends with [`RoomEvent::Ended`] and is thrown away. A new connection gets a new one.

#[cfg(test)]
mod capture_tests;
mod chat;
mod error;
mod focus;
mod history;
mod join;
mod leave;
mod mute;
mod presence_in;
mod presence_out;
mod request;
mod roster;
mod source_info;
#[cfg(test)]
mod tests;
mod types;

pub use chat::{MAX_MESSAGE_BYTES, MAX_PENDING_MESSAGES, MESSAGE_TIMEOUT};
pub use error::{NotAllowed, RoomError};
pub use focus::{FOCUS_LOST_JITTER, MAX_TRUSTED_FOCUS};
pub use history::MAX_KNOWN_MESSAGES;
pub use join::{JOIN_TIMEOUT, MAX_JOIN_RETRIES};
pub use leave::LEAVE_TIMEOUT;
pub use mute::{MAX_PENDING_MUTES, MUTE_TIMEOUT};
pub use request::{MAX_BACKOFF, MAX_SESSION_BACKOFF, MAX_UNAVAILABLE_RETRIES, REQUEST_TIMEOUT, REQUESTS_PER_MINUTE};
pub use roster::{
    CHANGED_DISPLAY_NAME, CHANGED_FEATURES, CHANGED_HAND, CHANGED_OTHER, CHANGED_ROLE, CHANGED_STATUS,
    MAX_PARTICIPANTS, Member,
};
pub use source_info::SourceState;
pub use types::{IqFailure, IqKind, RoomConfig, RoomEvent, RoomOutput};

pub use crate::wire::muc::MucRole;
pub use crate::wire::mute::MuteKind;

use crate::time::earliest;
use crate::wire::message::{RoomMessage, group_text, private_text};
use crate::wire::source_info::SourceKind;
use crate::wire::{Element, Jid, Stanza, StanzaKind, disco, muc, ns};
use crate::{Env, Time};
use history::History;
use presence_out::{Node, PresenceOut};
use request::{Requester, Verdict};
use roster::Roster;
use source_info::Sources;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// A conference request is under way.
    Requesting(u64),
    /// The next conference request is due then.
    Waiting(Time),
    /// The join presence was sent; the answer is due then.
    Joining(Time),
    Joined,
    /// The confirmation is due then.
    Leaving(Time),
    Ended,
}

/// The room machine.
pub struct Room {
    config: RoomConfig,
    env: Env,
    own: Jid,
    phase: Phase,
    requester: Requester,
    join_retries: u32,
    next_token: u64,
    owner_token: Option<u64>,
    presence: PresenceOut,
    sources: Sources,
    role: MucRole,
    roster: Roster,
    focus: focus::Focus,
    properties: Vec<(String, String)>,
    subject: String,
    chat: chat::Chat,
    mutes: mute::Mutes,
    /// What was heard, in this stay and those before it.
    history: History,
    /// There was one before it.
    again: bool,
    /// What the focus last said.
    bridge_available: bool,
    out: VecDeque<RoomOutput>,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("own", &self.own).field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl Room {
    /// A room that was not entered yet. An endpoint id that is no nickname falls back to a random one.
    pub fn new(config: RoomConfig, mut env: Env) -> Room {
        let own = match config.room.with_resource(&config.endpoint_id) {
            Ok(own) => own,
            Err(_) => config.room.with_resource(&env.hex(8)).unwrap_or_else(|_| config.room.clone()),
        };
        let focus = focus::Focus::new(&config.trusted_focus);
        let mut room = Room {
            own,
            phase: Phase::Idle,
            requester: Requester::default(),
            join_retries: 0,
            next_token: 1,
            owner_token: None,
            presence: PresenceOut::default(),
            sources: Sources::default(),
            role: MucRole::None,
            roster: Roster::default(),
            focus,
            properties: Vec::new(),
            subject: String::new(),
            chat: chat::Chat::default(),
            mutes: mute::Mutes::default(),
            history: History::default(),
            again: false,
            bridge_available: true,
            out: VecDeque::new(),
            config,
            env,
        };
        room.fill_presence();
        room
    }

    /// A room to be entered again after this one was left: what was heard there is not told again.
    pub fn again(&mut self, config: RoomConfig, env: Env) -> Room {
        let (history, subject) = (std::mem::take(&mut self.history), std::mem::take(&mut self.subject));
        Room { history, subject, again: true, ..Room::new(config, env) }
    }

    fn fill_presence(&mut self) {
        if !self.config.stats_id.is_empty() {
            self.presence.set(Node::text("stats-id", &self.config.stats_id));
        }
        let ver = disco::Info { features: self.config.features.clone(), ..disco::Info::default() }.ver();
        let caps = Node::text("c", "").in_ns(ns::CAPS).with("hash", "sha-1");
        self.presence.set(caps.with("node", "https://jitsi.org/jitsi-meet").with("ver", &ver));
        self.presence.set(Node::text("SourceInfo", &self.sources.json()));
        let codecs = self.config.codecs.join(",");
        self.presence.set(Node::text("jitsi_participant_codecList", &codecs));
        if !self.config.display_name.is_empty() {
            self.presence.set(Node::text("nick", &self.config.display_name).in_ns(ns::NICK));
        }
    }

    /// Sends the conference request. Does nothing the second time.
    pub fn start(&mut self, now: Time) {
        if self.phase == Phase::Idle {
            self.request(now);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<RoomOutput> {
        self.out.pop_front()
    }

    /// When [`Room::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        let phase = match self.phase {
            Phase::Waiting(t) | Phase::Joining(t) | Phase::Leaving(t) => Some(t),
            Phase::Idle | Phase::Requesting(_) | Phase::Joined => None,
            Phase::Ended => return None,
        };
        let focus = self.focus.ask_at.filter(|_| self.phase == Phase::Joined);
        earliest(earliest(phase, focus), self.chat.next_deadline())
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.phase {
            Phase::Ended => return,
            Phase::Waiting(t) if t <= now => self.request(now),
            Phase::Joining(t) if t <= now => {
                // The room may have let us in without our hearing of it: no ghost stays behind.
                self.send(leave::unavailable(&self.own));
                return self.end(Some(RoomError::JoinTimeout));
            }
            Phase::Leaving(t) if t <= now => return self.end(None),
            Phase::Joined if self.focus.ask_at.is_some_and(|t| t <= now) => self.ask_for_focus(now),
            _ => {}
        }
        while let Some(request) = self.chat.expired(now) {
            self.done(request, Some(RoomError::MessageTimeout));
        }
    }

    /// Whether the focus has a videobridge for the room, as far as it says.
    pub fn bridge_available(&self) -> bool {
        self.bridge_available
    }

    /// Takes the answer to an iq of this room.
    pub fn on_iq_answer(&mut self, token: u64, answer: Result<Element<'_>, IqFailure>, now: Time) {
        // Requests outlive the stay; what they bring must not follow the end.
        if self.phase == Phase::Ended {
            return;
        }
        if self.phase == Phase::Requesting(token) {
            let verdict = self.requester.answer(answer);
            self.trust_named_focus(now);
            match verdict {
                Verdict::Ready => {
                    self.event(RoomEvent::Ready);
                    self.join(now);
                }
                Verdict::Again(pause) => self.phase = Phase::Waiting(now + pause),
                Verdict::Failed(error) => self.end(Some(error)),
            }
        } else if self.focus.token == Some(token) {
            self.focus.token = None;
            // Whatever it says, we are in and stay; only the focus's coming counts.
            let _ = self.requester.answer(answer);
            self.trust_named_focus(now);
            if self.phase == Phase::Joined && self.focus.current.is_none() {
                self.focus.ask_again(now);
            }
        } else if self.owner_token == Some(token) {
            self.owner_token = None;
            self.configure(answer);
        } else if self.mute_answered(token, &answer) {
        } else if let Some(request) = self.chat.overtaken(token) {
            // Any answer came after what the room had to say of the message; without one it is not known to have arrived.
            let lost = matches!(answer, Err(IqFailure::Timeout | IqFailure::Disconnected));
            self.done(request, lost.then_some(RoomError::MessageTimeout));
        }
    }

    fn request(&mut self, now: Time) {
        match self.send_request(now) {
            Ok(token) => self.phase = Phase::Requesting(token),
            Err(later) => self.phase = Phase::Waiting(later),
        }
    }

    fn ask_for_focus(&mut self, now: Time) {
        match self.send_request(now) {
            Ok(token) => {
                self.focus.token = Some(token);
                self.focus.ask_at = None;
            }
            Err(later) => self.focus.ask_at = Some(later),
        }
    }

    fn send_request(&mut self, now: Time) -> Result<u64, Time> {
        self.requester.take(now)?;
        let payload = self.requester.payload(&self.config);
        let token = self.send_iq(payload, self.config.focus.clone(), IqKind::Set, request::REQUEST_TIMEOUT);
        self.event(RoomEvent::RequestSent);
        Ok(token)
    }

    fn trust_named_focus(&mut self, now: Time) {
        if let Some(jid) = self.requester.focus_jid.take()
            && self.focus.trust(&jid)
        {
            self.review_all(now);
        }
    }

    fn join(&mut self, now: Time) {
        let history = self.history.wanted(now).filter(|_| self.again);
        let presence = self.presence.join(&self.own, &self.config.password, history);
        self.send(presence);
        self.phase = Phase::Joining(now + join::JOIN_TIMEOUT);
        self.event(RoomEvent::JoinSent);
    }

    /// Makes the real addresses of a room that we created visible to all, as the focus would (§4.6).
    fn configure(&mut self, answer: Result<Element<'_>, IqFailure>) {
        let Some(query) = answer.ok().and_then(Stanza::read).filter(|s| s.error().is_none()).and_then(Stanza::payload)
        else {
            return;
        };
        if muc::owner_form_fields(query).iter().any(|f| f == "muc#roomconfig_whois") {
            let form = muc::owner_submit(&[("muc#roomconfig_whois", &["anyone"])]);
            self.send_iq(form, self.config.room.clone(), IqKind::Set, request::REQUEST_TIMEOUT);
        }
    }

    /// Takes a message; false when it is not from this room.
    pub fn on_message(&mut self, stanza: Element<'_>, now: Time) -> bool {
        let Some((stanza, from)) = self.own_stanza(stanza, StanzaKind::Message) else { return false };
        if self.phase == Phase::Ended {
            return true;
        }
        if let Some(error) = stanza.error() {
            if let Some(request) = stanza.id().and_then(|id| self.chat.settle(id)) {
                self.done(request, Some(RoomError::MessageRefused(error)));
            }
            return true;
        }
        let private = match stanza.type_str() {
            "groupchat" => false,
            "chat" => true,
            // Invitations and notices.
            _ => return true,
        };
        let message = RoomMessage::read(stanza.element());
        // A room without a subject says so to everyone who joins.
        if let Some(subject) = message.subject.filter(|s| !private && *s != self.subject) {
            self.subject.clone_from(&subject);
            self.event(RoomEvent::Subject(subject));
        }
        let Some(nick) = from.resource() else { return true };
        if !private && from == self.own {
            if let Some(request) = stanza.id().and_then(|id| self.chat.settle(id)) {
                self.done(request, None);
                return true;
            }
            if message.delayed_ms.is_none() || self.again {
                return true;
            }
        }
        let Some(text) = message.body.filter(|b| !b.is_empty() && !message.not_text) else { return true };
        let again = !private && self.history.heard(nick, stanza.id(), &text, now);
        if again && message.delayed_ms.is_some() && self.again {
            return true;
        }
        let known = self.member(nick).map(|m| m.display_name.clone());
        // Without an id of the sender's the message cannot be referred to, but it still gets one.
        let id = stanza.id().map_or_else(|| self.env.hex(32), str::to_owned);
        self.event(RoomEvent::Message {
            endpoint_id: nick.to_owned(),
            display_name: message.display_name.or(known).unwrap_or_default(),
            text,
            id,
            private,
            delayed: message.delayed_ms.is_some(),
            sent_ms: message.delayed_ms.unwrap_or(now.unix_us / 1000),
        });
        true
    }

    /// Sends a text to all, or to one member. [`RoomEvent::RequestDone`] follows exactly once, except after
    /// [`RoomEvent::Ended`], when nothing is sent and nothing follows.
    pub fn send_message(&mut self, text: &str, to: Option<&str>, request: u64, now: Time) {
        if self.phase == Phase::Ended {
            return;
        }
        let target = match to {
            None => Ok(None),
            Some(id) => self.member(id).map(|m| Some(m.occupant.clone())).ok_or(RoomError::NoSuchParticipant),
        };
        let joined = if self.phase == Phase::Joined { Ok(()) } else { Err(RoomError::NotJoined) };
        let target = match joined.and_then(|()| self.chat.check(text)).and(target) {
            Ok(target) => target,
            Err(error) => return self.done(request, Some(error)),
        };
        let id = self.env.hex(24);
        match target {
            Some(occupant) => {
                self.send(private_text(&occupant, &id, text));
                // The room reflects no private text, and answers what one occupant sends in order: what it refuses, it has refused
                // before it answers this.
                let (room, payload) = (self.config.room.clone(), chat::ping());
                let token = self.send_iq(payload, room, IqKind::Get, chat::MESSAGE_TIMEOUT);
                self.chat.sent_private(request, id, token, now);
            }
            None => {
                self.send(group_text(&self.config.room, &id, text));
                self.chat.sent(request, id, now);
            }
        }
    }

    /// Changes our display name; empty takes it away.
    pub fn set_display_name(&mut self, name: &str, _now: Time) {
        if name.is_empty() {
            self.presence.remove("nick");
        } else {
            self.presence.set(Node::text("nick", name).in_ns(ns::NICK));
        }
        self.send_presence();
    }

    /// Changes our list of codecs.
    pub fn set_codecs(&mut self, codecs: Vec<String>, _now: Time) {
        self.presence.set(Node::text("jitsi_participant_codecList", &codecs.join(",")));
        self.send_presence();
    }

    /// Announces the state of a source of ours. Past the limit of sources of one endpoint it is not announced.
    pub fn set_source(&mut self, name: &str, muted: bool, desktop: bool, _now: Time) {
        if self.sources.set(name, SourceState { muted, desktop }) {
            self.announce_sources();
        }
    }

    /// A source of ours is gone.
    pub fn remove_source(&mut self, name: &str, _now: Time) {
        self.sources.remove(name);
        self.announce_sources();
    }

    fn announce_sources(&mut self) {
        let json = self.sources.json();
        self.presence.set(Node::text("SourceInfo", &json));
        self.send_presence();
    }

    /// Sends our presence if it changed and we are in; else it goes with the join, or right after it.
    fn send_presence(&mut self) {
        if self.phase == Phase::Joined && self.presence.changed() {
            let presence = self.presence.update(&self.own);
            self.send(presence);
        }
    }

    /// Leaves: [`RoomEvent::Ended`] follows at once when we were never in, else at most [`LEAVE_TIMEOUT`] later.
    pub fn leave(&mut self, now: Time) {
        match self.phase {
            Phase::Joined => {
                self.send(leave::unavailable(&self.own));
                self.phase = Phase::Leaving(now + leave::LEAVE_TIMEOUT);
            }
            Phase::Joining(_) => {
                // The join may be on its way to success: take it back, so that no ghost stays.
                self.send(leave::unavailable(&self.own));
                self.end(None);
            }
            Phase::Leaving(_) | Phase::Ended => {}
            Phase::Idle | Phase::Requesting(_) | Phase::Waiting(_) => self.end(None),
        }
    }

    /// Our own address in the room.
    pub fn own_occupant(&self) -> &Jid {
        &self.own
    }

    /// The occupant that is the focus.
    pub fn focus_occupant(&self) -> Option<&Jid> {
        self.focus.current.as_ref()
    }

    /// Whether this occupant is the focus, by its real address.
    pub fn is_focus(&self, occupant: &Jid) -> bool {
        let nick = occupant.resource().filter(|_| occupant.bare_str() == self.config.room.as_str());
        nick.and_then(|n| self.roster.get(n)).is_some_and(|o| self.focus.trusts(o.member.real_jid.as_ref()))
    }

    /// A participant other than ourselves and the focus.
    pub fn member(&self, endpoint_id: &str) -> Option<&Member> {
        self.roster.get(endpoint_id).filter(|o| o.announced).map(|o| &o.member)
    }

    /// All of them.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.occupants().filter(|o| o.announced).map(|o| &o.member)
    }

    /// What a member, or we ourselves, last said of a source; None: nothing.
    pub fn source_state(&self, endpoint_id: &str, source_name: &str) -> Option<SourceState> {
        if self.own.resource() == Some(endpoint_id) {
            return self.sources.get(source_name);
        }
        self.roster.get(endpoint_id).filter(|o| o.announced)?.sources.get(source_name)
    }

    /// The sources that presence names of somebody else.
    pub fn sources(&self, endpoint_id: &str) -> impl Iterator<Item = (&str, SourceKind)> {
        let who = self.roster.get(endpoint_id).filter(|o| o.announced);
        who.into_iter().flat_map(|o| o.sources.names())
    }

    /// The stanza and its sender, when it is of this kind and from this room.
    fn own_stanza<'a>(&self, stanza: Element<'a>, kind: StanzaKind) -> Option<(Stanza<'a>, Jid)> {
        let stanza = Stanza::read(stanza).filter(|s| s.kind() == kind)?;
        let from = stanza.from()?;
        (from.bare_str() == self.config.room.as_str()).then_some((stanza, from))
    }

    fn send(&mut self, stanza: String) {
        self.out.push_back(RoomOutput::Send(stanza));
    }

    fn send_iq(&mut self, text_payload: String, to: Jid, kind: IqKind, timeout: Duration) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.out.push_back(RoomOutput::SendIq { token, text_payload, to, kind, timeout });
        token
    }

    fn event(&mut self, event: RoomEvent) {
        self.out.push_back(RoomOutput::Event(event));
    }

    fn done(&mut self, request: u64, error: Option<RoomError>) {
        self.event(RoomEvent::RequestDone { request, error });
    }

    fn end(&mut self, error: Option<RoomError>) {
        while let Some(request) = self.chat.cancel().or_else(|| self.mutes.cancel()) {
            self.done(request, Some(RoomError::Cancelled));
        }
        self.phase = Phase::Ended;
        self.event(RoomEvent::Ended(error));
    }
}
