//! The server as one machine: streams, rooms and focus joined by a router. Frames of connections in, frames out, in whatever
//! time it is told; `io.rs` puts it on sockets.

mod host;
pub mod io;
mod room;
mod room_admin;
pub mod sasl;
mod session;
#[cfg(test)]
mod tests;

use super::candidates::{self, MapCandidate};
use super::faults::{Faults, Step};
use super::focus::colibri::{Answer, Colibri, Request};
use super::focus::{Focus, FocusOptions, SessionOptions};
use super::stanza;
use crate::env::Env;
use crate::time::{Time, earliest};
use crate::wire::{Document, Element, Jid, XmlLimits, XmlWriter, ns};
use room::Room;
pub use room::{Affiliation, DEFAULT_HISTORY};
use sasl::User;
use session::{Got, Host, Session};
use std::collections::{BTreeMap, VecDeque};

/// Rooms at once; a join past it is refused with `resource-constraint`.
pub const MAX_ROOMS: usize = 4096;
/// Occupants of one room, unless the options say otherwise.
pub const DEFAULT_MAX_OCCUPANTS: usize = 512;

/// How a deployment is set up.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// XMPP domain. Rooms are at `conference.DOMAIN`, the focus at `focus.DOMAIN`.
    pub domain: String,
    /// Users with passwords: then SCRAM and PLAIN are offered. Empty: anonymous login.
    pub users: Vec<User>,
    /// Whether stream management is offered.
    pub stream_management: bool,
    /// ICE servers told through XEP-0215: type (`stun`, `turn`), host, UDP port.
    pub services: Vec<(String, String, u16)>,
    /// Components told as identities of the host: type, address. `end_conference` is served, others only announced.
    pub components: Vec<(String, String)>,
    /// Messages that a late joiner gets.
    pub history: usize,
    /// Occupants of a room.
    pub max_occupants: usize,
    /// Bridge sessions, made once there is a bridge ([`Server::set_bridge`]); `None`: participants talk peer to peer only.
    pub sessions: Option<SessionOptions>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        let domain = "meet.localhost".to_owned();
        ServerOptions {
            components: vec![("end_conference".into(), format!("endconference.{domain}"))],
            domain,
            users: Vec::new(),
            stream_management: true,
            services: Vec::new(),
            history: DEFAULT_HISTORY,
            max_occupants: DEFAULT_MAX_OCCUPANTS,
            sessions: None,
        }
    }
}

/// A connection, as the driver numbers it.
pub type ConnId = u64;

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send one text frame.
    Send(ConnId, String),
    /// Close the WebSocket properly.
    Close(ConnId),
    /// Cut the connection without a word.
    Cut(ConnId),
}

/// The server.
pub struct Server {
    options: ServerOptions,
    /// What it does wrong.
    pub faults: Faults,
    /// Shows other candidates than participants signal, so that their media goes another way.
    pub candidates: Option<Box<dyn MapCandidate>>,
    focus: Option<Focus>,
    bridge: Option<Box<dyn Colibri>>,
    sessions: BTreeMap<ConnId, Session>,
    by_jid: BTreeMap<String, ConnId>,
    rooms: BTreeMap<String, Room>,
    env: Env,
    out: VecDeque<Output>,
    muc_domain: String,
    focus_domain: String,
}

impl Server {
    /// A server without connections.
    pub fn new(options: ServerOptions, mut env: Env) -> Server {
        let muc_domain = format!("conference.{}", options.domain);
        let focus_domain = format!("focus.{}", options.domain);
        let focus = FocusOptions { sessions: options.sessions.clone(), ..FocusOptions::new(&focus_domain) };
        Server {
            focus: Focus::new(focus, env.fork()),
            bridge: None,
            options,
            faults: Faults::default(),
            candidates: None,
            sessions: BTreeMap::new(),
            by_jid: BTreeMap::new(),
            rooms: BTreeMap::new(),
            env,
            out: VecDeque::new(),
            muc_domain,
            focus_domain,
        }
    }

    /// The focus; `None` while it is down.
    pub fn focus(&mut self) -> Option<&mut Focus> {
        self.focus.as_mut()
    }

    /// Takes the focus down, as a killed one goes: its rooms lose it, requests are answered `service-unavailable`.
    pub fn stop_focus(&mut self, now: Time) {
        if let Some(focus) = self.focus.take() {
            let jid = focus.jid().clone();
            self.gone(&jid, false, now);
        }
    }

    /// A new focus that knows nothing of what was. The bridge, if there is one, lived on.
    pub fn start_focus(&mut self, now: Time) {
        let options = FocusOptions { sessions: self.options.sessions.clone(), ..FocusOptions::new(&self.focus_domain) };
        self.focus = Focus::new(options, self.env.fork());
        if let Some(f) = self.focus.as_mut().filter(|_| self.bridge.is_some()) {
            f.bridge_up(now);
        }
    }

    /// Gives the focus a bridge, a dead one's place too.
    pub fn set_bridge(&mut self, bridge: Box<dyn Colibri>, now: Time) {
        let before = self.bridge.replace(bridge);
        if let Some(f) = &mut self.focus {
            if before.is_some() { f.bridge_moved(now) } else { f.bridge_up(now) }
        }
        self.run_focus(now);
    }

    /// The bridge, for whoever carries its datagrams.
    pub fn bridge_mut(&mut self) -> Option<&mut dyn Colibri> {
        match &mut self.bridge {
            Some(b) => Some(b.as_mut()),
            None => None,
        }
    }

    /// The bridge dies; the focus learns of it at once.
    pub fn kill_bridge(&mut self, now: Time) {
        self.bridge = None;
        if let Some(f) = &mut self.focus {
            f.bridge_down(now);
        }
        self.run_focus(now);
    }

    /// Changes how bridge sessions are made, now and by a focus that is started later; nothing without them.
    pub fn configure_sessions(&mut self, change: impl Fn(&mut SessionOptions)) {
        let of_focus = self.focus.as_mut().and_then(Focus::sessions_mut);
        self.options.sessions.as_mut().into_iter().chain(of_focus).for_each(change);
    }

    /// Runs `f` on the focus, and delivers what it says; `None` while it is down.
    pub fn with_focus<R>(&mut self, now: Time, f: impl FnOnce(&mut Focus, Time) -> R) -> Option<R> {
        let done = self.focus.as_mut().map(|focus| f(focus, now));
        self.run_focus(now);
        done
    }

    /// A WebSocket was opened.
    pub fn connected(&mut self, conn: ConnId) {
        self.sessions.insert(conn, Session::new());
    }

    /// A text frame arrived.
    pub fn receive(&mut self, conn: ConnId, text: &str, now: Time) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let host = Host {
            domain: &self.options.domain,
            users: &self.options.users,
            stream_management: self.options.stream_management,
            faults: &self.faults,
            env: &mut self.env,
        };
        let (got, stanza) = session.receive(text, host);
        self.flush(conn);
        match got {
            Got::Nothing => {}
            Got::Bound => {
                if let Some(jid) = self.sessions.get(&conn).and_then(|s| s.jid.clone()) {
                    self.by_jid.insert(jid.as_str().to_owned(), conn);
                }
            }
            Got::Stanza => {
                let from = self.sessions.get(&conn).and_then(|s| s.jid.clone());
                if let (Some(from), Some(d)) = (from, stanza) {
                    // The server, not the client, says whom a stanza is from (RFC 6120 §8.1.2.1).
                    self.route(d.root(), &from, now);
                }
            }
            Got::Ended(clean) => self.end(conn, clean, now),
        }
    }

    /// The socket is gone.
    pub fn disconnected(&mut self, conn: ConnId, now: Time) {
        if let Some(jid) = self.sessions.remove(&conn).and_then(|s| s.jid)
            && self.by_jid.remove(jid.as_str()).is_some()
        {
            self.gone(&jid, false, now);
        }
    }

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        if let Some(focus) = &mut self.focus {
            focus.handle_timeout(now);
        }
        if let Some(bridge) = &mut self.bridge {
            bridge.handle_timeout(now);
        }
        self.run_focus(now);
    }

    /// When [`Server::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        let bridge = self.bridge.as_ref().and_then(|b| b.next_deadline());
        earliest(bridge, self.focus.as_ref().and_then(Focus::next_deadline))
    }

    /// What the driver must do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// The connection of the occupant with this endpoint id, or with this full or bare address.
    pub fn find(&self, who: &str) -> Option<ConnId> {
        let by_nick = self.rooms.values().find_map(|r| r.real_of(who));
        let full = by_nick.map_or(who, Jid::as_str);
        let bare = || self.by_jid.iter().find(|(j, _)| j.split('/').next() == Some(who)).map(|(_, c)| *c);
        self.by_jid.get(full).copied().or_else(bare)
    }

    /// Sends a frame to a client as it stands: stray, spoofed and broken ones too. It is counted as a stanza if it is one.
    pub fn inject(&mut self, conn: ConnId, text: &str) {
        if let Some(s) = self.sessions.get_mut(&conn) {
            if ["<iq", "<message", "<presence"].iter().any(|t| text.starts_with(t)) {
                s.send(text.to_owned());
            } else {
                s.out.push_back(text.to_owned());
            }
            self.flush(conn);
        }
    }

    /// Handles a stanza as if this client had sent it.
    pub fn send_as(&mut self, conn: ConnId, text: &str, now: Time) {
        let from = self.sessions.get(&conn).and_then(|s| s.jid.clone());
        if let (Some(from), Ok(d)) = (from, Document::parse_with(text, ns::CLIENT, &XmlLimits::default())) {
            self.route(d.root(), &from, now);
        }
    }

    /// Cuts a connection without a word. Its occupants leave with status 333.
    pub fn cut(&mut self, conn: ConnId, now: Time) {
        self.out.push_back(Output::Cut(conn));
        self.disconnected(conn, now);
    }

    /// Makes a connection silent, or speak again: the socket stays open, nothing passes in either direction.
    pub fn silence(&mut self, conn: ConnId, silent: bool) {
        if let Some(s) = self.sessions.get_mut(&conn) {
            s.silent = silent;
        }
    }

    /// Ends a client's stream with a stream error.
    pub fn end_stream(&mut self, conn: ConnId, condition: &str, now: Time) {
        if let Some(s) = self.sessions.get_mut(&conn) {
            s.fail(condition);
            self.flush(conn);
            self.end(conn, false, now);
        }
    }

    /// Destroys a room (by its local part), as its owner or the end-conference component does.
    pub fn destroy_room(&mut self, name: &str, reason: &str, now: Time) {
        let jid = format!("{name}@{}", self.muc_domain);
        if let Some(room) = self.rooms.get_mut(&jid) {
            room.destroy(reason, None);
            self.run_room(&jid, now);
        }
    }

    /// The endpoint ids in a room, the focus left out.
    pub fn endpoints(&self, name: &str) -> Vec<String> {
        let room = self.rooms.get(&format!("{name}@{}", self.muc_domain));
        let nicks = room.into_iter().flat_map(|r| r.occupants.keys());
        nicks.filter(|n| *n != super::focus::NICK).cloned().collect()
    }

    /// Connections, addresses and rooms that it knows.
    pub fn held(&self) -> (usize, usize, usize) {
        (self.sessions.len(), self.by_jid.len(), self.rooms.len())
    }

    fn end(&mut self, conn: ConnId, clean: bool, now: Time) {
        self.out.push_back(Output::Close(conn));
        if let Some(jid) = self.sessions.remove(&conn).and_then(|s| s.jid) {
            self.by_jid.remove(jid.as_str());
            self.gone(&jid, clean, now);
        }
    }

    /// A real address is no more: it leaves all rooms.
    fn gone(&mut self, jid: &Jid, clean: bool, now: Time) {
        let rooms: Vec<String> =
            self.rooms.iter().filter(|(_, r)| r.nick_of(jid).is_some()).map(|(j, _)| j.clone()).collect();
        for room in rooms {
            if let Some(r) = self.rooms.get_mut(&room) {
                r.lost(jid, clean);
            }
            self.run_room(&room, now);
        }
    }

    fn flush(&mut self, conn: ConnId) {
        if let Some(s) = self.sessions.get_mut(&conn) {
            let frames = s.out.drain(..).map(|text| Output::Send(conn, text));
            self.out.extend(frames);
        }
    }

    /// Delivers a stanza from a real address.
    fn route(&mut self, s: Element<'_>, from: &Jid, now: Time) {
        let to = match s.attr("to") {
            None => return self.host_stanza(s, from, now),
            Some(to) => match Jid::parse(to) {
                Ok(to) => to,
                Err(_) => return self.bounce(s, from, "jid-malformed"),
            },
        };
        if to.domain() == self.muc_domain {
            self.room_stanza(s, from, &to, now);
        } else if to.domain() == self.focus_domain {
            self.focus_stanza(s, from, now);
        } else if to.domain() == self.options.domain && to.local().is_none() {
            self.host_stanza(s, from, now);
        } else if self.component("end_conference") == Some(to.domain()) && s.name() == "message" {
            self.end_conference(s, from, now);
        } else if self.options.components.iter().any(|(_, a)| a == to.domain()) {
            self.bounce(s, from, "feature-not-implemented");
        } else if let Some(conn) = self.by_jid.get(to.as_str()).copied() {
            self.deliver(conn, stanza::relay(s, ns::CLIENT, from.as_str(), to.as_str(), None));
        } else {
            self.bounce(s, from, "service-unavailable");
        }
    }

    fn component(&self, kind: &str) -> Option<&str> {
        self.options.components.iter().find(|(k, _)| k == kind).map(|(_, a)| a.as_str())
    }

    fn deliver(&mut self, conn: ConnId, text: String) {
        if let Some(s) = self.sessions.get_mut(&conn) {
            s.send(text);
            self.flush(conn);
        }
    }

    /// Delivers a stanza that one of the services wrote, by its `to`.
    fn deliver_text(&mut self, text: &str, now: Time) {
        let Ok(d) = Document::parse_with(text, ns::CLIENT, &XmlLimits::default()) else { return };
        let to = d.root().attr("to").unwrap_or_default();
        let conn = self.by_jid.get(to).copied();
        let to_focus = conn.is_none() && self.focus.as_ref().is_some_and(|f| f.jid().as_str() == to);
        if conn.is_none() && !to_focus {
            return;
        }
        // The bridge learns of candidates through the focus: it, too, is shown the other ones.
        let mapped = match &mut self.candidates {
            Some(map) if candidates::carries_candidates(d.root()) => Some(candidates::rewrite(d.root(), map.as_mut())),
            _ => None,
        };
        if let Some(conn) = conn {
            self.deliver(conn, mapped.unwrap_or_else(|| text.to_owned()));
        } else if let Some(f) = &mut self.focus {
            match &mapped {
                Some(text) => f.handle_text(text, now),
                None => f.handle(d.root(), now),
            }
            self.run_focus(now);
        }
    }

    fn room_stanza(&mut self, s: Element<'_>, from: &Jid, to: &Jid, now: Time) {
        let jid = to.bare_str().to_owned();
        if to.local().is_none() {
            return self.muc_service_stanza(s, from);
        }
        let joins = s.name() == "presence" && s.attr("type").is_none();
        let enters = joins && self.rooms.get(&jid).is_none_or(|r| r.nick_of(from).is_none());
        let client = self.by_jid.contains_key(from.as_str());
        if enters && client && self.faults.silent(Step::Join) {
            return;
        }
        if !self.rooms.contains_key(&jid) {
            if !joins || to.resource().is_none() {
                return self.bounce(s, from, "item-not-found");
            }
            if self.rooms.len() >= MAX_ROOMS {
                return self.bounce(s, from, "resource-constraint");
            }
            let meeting = self.env.hex(32);
            let room = Room::new(to.bare(), meeting, self.options.history, self.options.max_occupants, now);
            self.rooms.insert(jid.clone(), room);
        }
        // Only clients are refused by the script, never the focus.
        let refusal = self.faults.refuse_join.clone().filter(|_| enters && client);
        let refusal = match &mut self.faults.refuse_join_times {
            _ if refusal.is_none() => None,
            Some(0) => None,
            Some(n) => {
                *n -= 1;
                refusal
            }
            None => refusal,
        };
        if let Some(room) = self.rooms.get_mut(&jid) {
            room.handle(s, from, to.resource(), refusal.as_ref(), now);
        }
        self.run_room(&jid, now);
    }

    fn run_room(&mut self, jid: &str, now: Time) {
        while let Some(text) = self.rooms.get_mut(jid).and_then(Room::poll_output) {
            self.deliver_text(&text, now);
        }
        if self.rooms.get(jid).is_some_and(Room::is_empty) {
            self.rooms.remove(jid);
        }
    }

    fn focus_stanza(&mut self, s: Element<'_>, from: &Jid, now: Time) {
        if self.focus.is_none() {
            return self.bounce(s, from, "service-unavailable");
        }
        let to = s.attr("to").unwrap_or_default();
        let text = stanza::relay(s, ns::CLIENT, from.as_str(), to, None);
        if let (Ok(d), Some(focus)) = (Document::parse(&text), &mut self.focus) {
            focus.handle(d.root(), now);
        }
        self.run_focus(now);
    }

    fn run_focus(&mut self, now: Time) {
        self.run_colibri(now);
        while let Some(text) = self.focus.as_mut().and_then(Focus::poll_output) {
            let Ok(d) = Document::parse(&text) else { continue };
            let root = d.root();
            match root.attr("from").and_then(|f| Jid::parse(f).ok()) {
                // Answers from the component's bare domain go straight to whom they are for.
                Some(from) if from.local().is_some() => self.route(root, &from, now),
                _ => self.deliver_text(&text, now),
            }
        }
    }

    /// Carries requests of the focus to the bridge, and answers back. Without a bridge they are lost, as stanzas to a dead
    /// component are.
    fn run_colibri(&mut self, now: Time) {
        while let Some(request) = self.focus.as_mut().and_then(Focus::poll_colibri) {
            let answer = match request {
                Request::RestartIce { conference, endpoint } if self.faults.decline_ice_restart => {
                    Some(Answer::Declined { conference, endpoint })
                }
                request => self.bridge.as_mut().and_then(|b| b.request(request, now)),
            };
            if let (Some(answer), Some(f)) = (answer, &mut self.focus) {
                f.handle_answer(answer, now);
            }
        }
    }

    fn bounce(&mut self, s: Element<'_>, from: &Jid, condition: &str) {
        if s.attr("type") == Some("error") || (s.name() == "iq" && s.attr("type") == Some("result")) {
            return;
        }
        let mut w = XmlWriter::stanza(s.name());
        w.attr("type", "error").attr_opt("from", s.attr("to")).attr("to", from.as_str()).attr_opt("id", s.attr("id"));
        w.open_same("error").attr("type", stanza::error_type(condition)).open(condition, ns::STANZA_ERRORS);
        let text = w.finish();
        if let Some(conn) = self.by_jid.get(from.as_str()).copied() {
            self.deliver(conn, text);
        }
    }
}
