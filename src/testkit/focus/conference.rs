//! One conference: the focus's way into the room, its participants, who of them gets a bridge session and when (docs/protocol/02
//! §1.1, §23.16, 03 §6.4, §8).

use super::colibri::{Allocate, Answer, Request};
use super::features::Shape;
use super::limits::RateLimit;
use super::request::Request as Asked;
use super::session::{Session, State};
use super::signal::{Pending, send_sources};
use super::sources::ConferenceSources;
use super::{DISCO_TIMEOUT, INITIAL_TIMEOUT, Io, MAX_CAPS, NICK, SINGLE_PARTICIPANT_TIMEOUT, SessionOptions};
use crate::time::{Time, earliest};
use crate::wire::disco::Info;
use crate::wire::{Element, Jid, XmlWriter, ns};
use std::collections::BTreeMap;

const START_MUTED: &str = "http://jitsi.org/jitmeet/start-muted";

/// What handling something takes beside the conference itself.
pub(super) struct Cx<'a> {
    pub io: &'a mut Io,
    pub options: &'a SessionOptions,
    pub now: Time,
}

impl Cx<'_> {
    /// What a participant gets: what it announces, cut by what is configured.
    pub(super) fn shape(&self, nick: &str, m: &Member) -> Shape {
        let mut shape = if let Discovery::Known(s) = m.discovery { s } else { Shape::UNKNOWN };
        let own = self.options.endpoints.get(nick).copied().unwrap_or_default();
        shape.json &= own.json.unwrap_or(self.options.json);
        shape.rewriting &= own.rewriting.unwrap_or(self.options.rewriting);
        shape.mid_demux &= shape.rewriting && self.options.mid_demux;
        shape.sctp &= own.sctp.unwrap_or(self.options.sctp);
        shape
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Join presence sent.
    Joining,
    /// In the room, its configuration form sent.
    Configuring,
    Ready,
}

/// What is known of what a participant can.
pub(super) enum Discovery {
    Unasked,
    Asked { id: String, ver: Option<String>, until: Time },
    Known(Shape),
}

/// Where a participant stands with the bridge.
pub(super) enum Invite {
    /// It gets a session as soon as it can.
    Waiting,
    /// The bridge was asked; the session that is to be replaced by its answer, if one is.
    Allocating {
        token: u64,
        over: Option<Session>,
    },
    Session(Session),
    /// It gets none before it joins again.
    Abandoned,
}

pub(super) struct Member {
    real: Option<Jid>,
    pub moderator: bool,
    /// The owner affiliation was asked for.
    granted: bool,
    pub discovery: Discovery,
    pub invite: Invite,
    /// Its first session was not made yet.
    pub just_joined: bool,
    /// What the bridge was told to drop of it: audio, video.
    pub force_muted: (bool, bool),
    pub pending: Pending,
    pub flush_at: Option<Time>,
    pub terminates: RateLimit,
    pub ice_restarts: RateLimit,
}

impl Member {
    pub(super) fn session(&self) -> Option<&Session> {
        if let Invite::Session(s) = &self.invite { Some(s) } else { None }
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Session> {
        if let Invite::Session(s) = &mut self.invite { Some(s) } else { None }
    }

    /// Takes its session away; it gets another.
    fn take_session(&mut self) -> Option<Session> {
        match std::mem::replace(&mut self.invite, Invite::Waiting) {
            Invite::Session(s) => Some(s),
            // The answer finds its token gone.
            Invite::Allocating { .. } | Invite::Waiting => None,
            Invite::Abandoned => {
                self.invite = Invite::Abandoned;
                None
            }
        }
    }
}

pub(super) struct Conference {
    pub room: String,
    pub stage: Stage,
    pub waiting: Vec<Asked>,
    pub members: BTreeMap<String, Member>,
    /// The focus leaves then, if nobody came.
    pub empty_until: Option<Time>,
    pub sources: ConferenceSources,
    /// The id that the sessions carry while they are on one bridge.
    pub bridge_session: Option<String>,
    /// The sessions of who is alone end then.
    alone_until: Option<Time>,
    /// Audio and video of those who join, by a moderator's word.
    start_muted: (bool, bool),
    properties: Vec<(String, String)>,
    no_bridge: bool,
}

impl Conference {
    pub(super) fn new(room: &str, asked: Asked, empty_until: Time) -> Conference {
        Conference {
            room: room.to_owned(),
            stage: Stage::Joining,
            waiting: vec![asked],
            members: BTreeMap::new(),
            empty_until: Some(empty_until),
            sources: ConferenceSources::default(),
            bridge_session: None,
            alone_until: None,
            start_muted: (false, false),
            properties: vec![("support-terminate-restart".into(), "true".into()), ("bridge-count".into(), "0".into())],
            no_bridge: false,
        }
    }

    /// Enters the room.
    pub(super) fn join(&self, io: &mut Io) {
        self.presence(true, io);
    }

    /// Shows its presence as it is now.
    pub(super) fn show(&self, io: &mut Io) {
        self.presence(false, io);
    }

    fn presence(&self, join: bool, io: &mut Io) {
        let mut w = io.stanza("presence", &format!("{}/{NICK}", self.room));
        if join {
            w.open("x", ns::MUC).close();
        }
        w.open("versions", ns::JITMEET).open_same("component").attr("name", NICK).text(&io.options.version);
        w.close().close();
        w.open("conference-properties", ns::FOCUS);
        for (key, value) in &self.properties {
            w.open_same("property").attr("key", key).attr("value", value).close();
        }
        w.close();
        if self.no_bridge {
            w.open("bridgeNotAvailable", ns::FOCUS).close();
        }
        io.push(w.finish());
    }

    pub(super) fn set_property(&mut self, key: &str, value: Option<&str>) {
        self.properties.retain(|(k, _)| k != key);
        self.properties.extend(value.map(|v| (key.to_owned(), v.to_owned())));
    }

    fn count_bridges(&mut self, count: &str, io: &mut Io) {
        if !self.properties.iter().any(|(k, v)| k == "bridge-count" && v == count) {
            self.set_property("bridge-count", Some(count));
            self.show(io);
        }
    }

    /// Its own presence came back.
    pub(super) fn joined(&mut self, io: &mut Io) {
        if self.stage != Stage::Joining {
            return;
        }
        self.stage = Stage::Configuring;
        let id = io.id("config");
        let mut w = io.stanza("iq", &self.room);
        w.attr("type", "set").attr("id", &id);
        w.open("query", ns::MUC_OWNER).open("x", ns::DATA).attr("type", "submit");
        for (var, value) in [("FORM_TYPE", ns::MUC_ROOMCONFIG), ("muc#roomconfig_whois", "anyone")] {
            w.open_same("field").attr("var", var).open_same("value").text(value).close().close();
        }
        io.push(w.finish());
    }

    /// The room answered the form. A refusal does not matter: rooms that show real addresses by default need none.
    pub(super) fn configured(&mut self, io: &mut Io) {
        if self.stage == Stage::Configuring {
            self.stage = Stage::Ready;
            for r in std::mem::take(&mut self.waiting) {
                io.answer(&r, &self.room, true, None, |_| {});
            }
        }
    }

    /// It may not be in the room.
    pub(super) fn refused(&mut self, io: &mut Io) {
        for r in std::mem::take(&mut self.waiting) {
            let mut w = XmlWriter::new();
            w.open("iq", &io.options.stanza_ns).attr("type", "error").attr("id", &r.id);
            w.attr("from", &r.to).attr("to", &r.from);
            w.open_same("error").attr("type", "wait").open("internal-server-error", ns::STANZA_ERRORS);
            io.push(w.finish());
        }
    }

    /// A participant's presence.
    pub(super) fn seen(&mut self, p: Element<'_>, nick: &str, io: &mut Io) {
        let item = p.child("x", ns::MUC_USER).and_then(|x| x.child("item", ns::MUC_USER));
        let moderator = item.is_some_and(|i| i.attr("role") == Some("moderator"));
        let real = item.and_then(|i| i.attr("jid")).and_then(|j| Jid::parse(j).ok());
        let m = self.members.entry(nick.to_owned()).or_insert_with(|| Member {
            real: None,
            moderator: false,
            granted: false,
            discovery: Discovery::Unasked,
            invite: Invite::Waiting,
            just_joined: true,
            force_muted: (false, false),
            pending: Pending::default(),
            flush_at: None,
            terminates: RateLimit::default(),
            ice_restarts: RateLimit::default(),
        });
        m.granted = moderator;
        m.moderator = moderator;
        m.real = real;
        if let Some(s) = p.child("startmuted", START_MUTED).filter(|_| moderator) {
            self.start_muted = (s.attr("audio") == Some("true"), s.attr("video") == Some("true"));
        }
        self.empty_until = None;
        self.give_owner(io);
    }

    /// A participant left; whether the conference is over.
    pub(super) fn left(&mut self, nick: &str, now: Time, io: &mut Io) -> bool {
        self.members.remove(nick);
        if self.members.is_empty() && self.stage == Stage::Ready {
            return true;
        }
        if self.members.is_empty() {
            self.empty_until = Some(now + INITIAL_TIMEOUT);
        } else {
            self.give_owner(io);
        }
        false
    }

    /// Makes the first participant owner when no participant is moderator.
    fn give_owner(&mut self, io: &mut Io) {
        if self.members.values().any(|m| m.moderator || m.granted) {
            return;
        }
        let Some(m) = self.members.values_mut().find(|m| m.real.is_some()) else { return };
        m.granted = true;
        let real = m.real.as_ref().map(|j| j.bare_str().to_owned()).unwrap_or_default();
        let id = io.id("owner");
        let mut w = io.stanza("iq", &self.room);
        w.attr("type", "set").attr("id", &id).open("query", ns::MUC_ADMIN);
        w.open_same("item").attr("affiliation", "owner").attr("jid", &real);
        io.push(w.finish());
    }

    /// A participant is there: what it can is looked up or asked.
    pub(super) fn came(&mut self, p: Element<'_>, nick: &str, cx: &mut Cx<'_>) {
        let Some(m) = self.members.get_mut(nick) else { return };
        if matches!(m.discovery, Discovery::Unasked) {
            let caps = p.child("c", ns::CAPS);
            let ver = caps.and_then(|c| c.attr("ver")).map(str::to_owned);
            if let Some(shape) = ver.as_ref().and_then(|v| cx.io.caps.get(v)) {
                m.discovery = Discovery::Known(*shape);
            } else {
                let id = cx.io.id("disco");
                let node = caps.and_then(|c| c.attr("node")).zip(ver.as_deref()).map(|(n, v)| format!("{n}#{v}"));
                let mut w = cx.io.stanza("iq", &format!("{}/{nick}", self.room));
                w.attr("type", "get").attr("id", &id);
                w.open("query", ns::DISCO_INFO).attr_opt("node", node.as_deref());
                cx.io.push(w.finish());
                m.discovery = Discovery::Asked { id, ver, until: cx.now + DISCO_TIMEOUT };
            }
        }
        self.consider(cx);
    }

    /// A participant goes: its sources vanish without a word to the others, who see it leave.
    pub(super) fn went(&mut self, nick: &str, cx: &mut Cx<'_>) {
        self.sources.clear(nick);
        for m in self.members.values_mut() {
            m.pending.forget(nick);
        }
        if self.members.get(nick).is_some_and(|m| !matches!(m.invite, Invite::Waiting)) {
            self.expire(nick, cx);
        }
    }

    pub(super) fn expire(&self, nick: &str, cx: &mut Cx<'_>) {
        cx.io.ask(Request::Expire { conference: self.room.clone(), endpoint: nick.to_owned() });
    }

    /// A participant answered a request of ours.
    pub(super) fn answered(&mut self, iq: Element<'_>, nick: &str, cx: &mut Cx<'_>) {
        let id = iq.attr("id").unwrap_or_default();
        let failed = iq.attr("type") == Some("error");
        let Some(m) = self.members.get_mut(nick) else { return };
        match &m.discovery {
            Discovery::Asked { id: asked, ver, .. } if asked == id => {
                let info = iq.child("query", ns::DISCO_INFO).and_then(Info::read);
                let shape = info.filter(|_| !failed).map_or(Shape::UNKNOWN, |i| Shape::of(&i));
                if let Some(ver) = ver.clone().filter(|_| !failed) {
                    if cx.io.caps.len() >= MAX_CAPS {
                        cx.io.caps.clear();
                    }
                    cx.io.caps.insert(ver, shape);
                }
                m.discovery = Discovery::Known(shape);
                self.consider(cx);
            }
            _ => self.session_answered(id, failed, nick, cx),
        }
    }

    /// Invites whoever is to be invited now.
    pub(super) fn consider(&mut self, cx: &mut Cx<'_>) {
        if self.stage != Stage::Ready {
            return;
        }
        if self.members.len() < cx.options.min_participants {
            let any = self.members.values().any(|m| matches!(m.invite, Invite::Session(_) | Invite::Allocating { .. }));
            if any && self.alone_until.is_none() {
                self.alone_until = Some(cx.now + SINGLE_PARTICIPANT_TIMEOUT);
            }
            return;
        }
        self.alone_until = None;
        let ready = |m: &Member| matches!((&m.invite, &m.discovery), (Invite::Waiting, Discovery::Known(_)));
        let nicks: Vec<String> = self.members.iter().filter(|(_, m)| ready(m)).map(|(n, _)| n.clone()).collect();
        if nicks.is_empty() || cx.options.silent {
            return;
        }
        if !cx.io.bridge {
            if !self.no_bridge {
                self.no_bridge = true;
                self.show(cx.io);
            }
            return;
        }
        for nick in nicks {
            self.allocate(&nick, None, cx);
        }
    }

    /// Asks the bridge for an endpoint.
    pub(super) fn allocate(&mut self, nick: &str, over: Option<Session>, cx: &mut Cx<'_>) {
        let Some(m) = self.members.get_mut(nick) else { return };
        if self.bridge_session.is_none() {
            self.bridge_session = Some(uuid(cx.io));
        }
        let token = cx.io.env.u64();
        let shape = cx.shape(nick, m);
        m.invite = Invite::Allocating { token, over };
        m.pending.clear();
        m.flush_at = None;
        cx.io.ask(Request::Allocate(Allocate {
            conference: self.room.clone(),
            endpoint: nick.to_owned(),
            token,
            sctp: shape.sctp,
            rewriting: shape.rewriting,
            mid_demux: shape.mid_demux,
            rtx: shape.rtx,
        }));
    }

    /// Whether a member starts muted: audio, video.
    pub(super) fn starts_muted(&self, m: &Member, cx: &Cx<'_>) -> (bool, bool) {
        let past = |limit: Option<usize>| limit.is_some_and(|n| self.members.len() > n);
        let (audio, video) = cx.options.start_muted_after;
        let policy = if m.just_joined { self.start_muted } else { (false, false) };
        (policy.0 || past(audio), policy.1 || past(video))
    }

    pub(super) fn bridge_answer(&mut self, answer: Answer, cx: &mut Cx<'_>) {
        match answer {
            Answer::Allocated { endpoint, token, transport, own_ssrcs, .. } => {
                let Some(m) = self.members.get_mut(&endpoint) else { return };
                let over = match std::mem::replace(&mut m.invite, Invite::Waiting) {
                    Invite::Allocating { token: t, over } if t == token => over,
                    other => {
                        m.invite = other;
                        return;
                    }
                };
                self.count_bridges("1", cx.io);
                self.invite(&endpoint, &transport, own_ssrcs, over, cx);
            }
            Answer::Refused { endpoint, token, .. } => {
                let Some(m) = self.members.get_mut(&endpoint) else { return };
                if matches!(m.invite, Invite::Allocating { token: t, .. } if t == token) {
                    m.invite = Invite::Waiting;
                    if !self.no_bridge {
                        self.no_bridge = true;
                        self.show(cx.io);
                    }
                }
            }
            Answer::Restarted { endpoint, transport, generation, .. } => {
                self.ice_restarted(&endpoint, &transport, generation, cx);
            }
            // The re-invitation that ought to follow fails in Jicofo (docs/protocol/02 §10.1).
            Answer::Declined { endpoint, .. } => self.end_moving(&endpoint, cx),
        }
    }

    pub(super) fn bridge_up(&mut self, cx: &mut Cx<'_>) {
        if std::mem::take(&mut self.no_bridge) {
            self.show(cx.io);
        }
        self.consider(cx);
    }

    pub(super) fn bridge_down(&mut self, cx: &mut Cx<'_>) {
        if self.bridge_session.take().is_none() {
            return;
        }
        self.count_bridges("0", cx.io);
        let ended = self.end_all("success", "moving", cx);
        // Several are moved at once, and one still hears of the other's sources on the session that just ended.
        if let Some((first, _)) = ended.first() {
            let gone = self.sources.of(first);
            let gone = if cx.options.strip_simulcast { gone.stripped() } else { gone };
            for (nick, sid) in &ended[1..] {
                let Some(m) = self.members.get(nick) else { continue };
                let shape = cx.shape(nick, m);
                if !gone.is_empty() && !shape.rewriting {
                    let to = format!("{}/{nick}", self.room);
                    send_sources(&to, sid, "source-remove", &[(first.clone(), gone.clone())], shape.json, cx);
                }
            }
        }
        for (nick, _) in &ended {
            self.sources.clear(nick);
        }
        self.consider(cx);
    }

    pub(super) fn bridge_moved(&mut self, cx: &mut Cx<'_>) {
        if self.bridge_session.take().is_none() {
            return self.consider(cx);
        }
        if !cx.options.transport_replace {
            for (nick, _) in self.end_all("success", "moving", cx) {
                self.sources.clear(&nick);
            }
            return self.consider(cx);
        }
        for nick in self.members.keys().cloned().collect::<Vec<_>>() {
            let over = self.members.get_mut(&nick).and_then(Member::take_session);
            if let Some(over) = over {
                self.sources.clear(&nick);
                self.allocate(&nick, Some(over), cx);
            }
        }
        self.consider(cx);
    }

    pub(super) fn invite_over(&mut self, cx: &mut Cx<'_>) {
        // Who is alone keeps its session until it is idle: nobody would invite it again.
        if self.members.len() < cx.options.min_participants {
            return;
        }
        for nick in self.members.keys().cloned().collect::<Vec<_>>() {
            if self.members.get_mut(&nick).and_then(Member::take_session).is_some() {
                self.sources.clear(&nick);
            }
        }
        self.consider(cx);
    }

    /// Ends every session; whose, with the sids that they had. Their sources stay in the table.
    fn end_all(&mut self, reason: &str, text: &str, cx: &mut Cx<'_>) -> Vec<(String, String)> {
        let mut ended = Vec::new();
        for nick in self.members.keys().cloned().collect::<Vec<_>>() {
            let Some(m) = self.members.get_mut(&nick) else { continue };
            m.pending.clear();
            let Some(s) = m.take_session() else { continue };
            self.send_terminate(&nick, &s.sid, reason, text, cx);
            ended.push((nick, s.sid));
        }
        ended
    }

    pub(super) fn timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now;
        let late = |t: &Option<Time>| t.is_some_and(|t| t <= now);
        if late(&self.alone_until) {
            self.alone_until = None;
            for (nick, _) in self.end_all("expired", "Idle session timeout", cx) {
                self.sources.clear(&nick);
                self.expire(&nick, cx);
            }
        }
        let due: Vec<String> = self.members.iter().filter(|(_, m)| late(&m.flush_at)).map(|(n, _)| n.clone()).collect();
        for nick in due {
            self.flush(&nick, cx);
        }
        for m in self.members.values_mut() {
            if matches!(m.discovery, Discovery::Asked { until, .. } if until <= cx.now) {
                m.discovery = Discovery::Known(Shape::UNKNOWN);
            }
        }
        self.consider(cx);
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let empty = self.empty_until.filter(|_| self.members.is_empty());
        let of_member = |m: &Member| {
            let asked = if let Discovery::Asked { until, .. } = m.discovery { Some(until) } else { None };
            earliest(asked, m.flush_at)
        };
        self.members.values().map(of_member).fold(earliest(empty, self.alone_until), earliest)
    }

    pub(super) fn session_of(&self, endpoint: &str) -> Option<(&str, bool)> {
        let s = self.members.get(endpoint)?.session()?;
        Some((&s.sid, s.state == State::Active))
    }
}

fn uuid(io: &mut Io) -> String {
    let h = io.env.hex(32);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}
