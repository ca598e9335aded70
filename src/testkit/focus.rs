//! A conference focus as a machine: the part of Jicofo that makes a room and gives it a moderator (docs/protocol/01 §7,
//! 03 §8, §10.3). One machine used twice: inside the testkit's server, and over XEP-0114 beside a real Prosody
//! (`component.rs`).
//!
//! It does no bridge: two participants talk peer to peer. It answers from the address that a request was sent to.

use super::stanza;
use crate::time::{Time, earliest};
use crate::wire::{Document, Element, Jid, XmlWriter, ns};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long the focus waits in a room that nobody enters (Jicofo's `conference.initial-timeout`).
pub const INITIAL_TIMEOUT: Duration = Duration::from_secs(15);
/// The nickname of the focus in every room.
pub const NICK: &str = "focus";
/// Most conferences at once; a request past it is refused with `resource-constraint`.
pub const MAX_ROOMS: usize = 1024;

/// How the focus answers conference requests instead of well (docs/protocol/01 §7.6, §7.7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Says `ready='false'` this many times, then does its work.
    NotReady(u32),
    /// Refuses every request with this defined condition (`not-authorized`, `not-acceptable`, `service-unavailable` …).
    Condition(String),
    /// `session-invalid` this many times: a stale session id.
    SessionInvalid(u32),
    /// The reservation system says no.
    Reservation {
        /// Its code.
        code: u32,
        /// Its text.
        text: String,
    },
    /// The meeting is not live.
    NotLive,
    /// Sends the asker to a visitor node.
    Redirect {
        /// Name of the node.
        vnode: String,
    },
    /// Never answers.
    Silent,
}

/// What the focus needs to know.
#[derive(Clone, Debug)]
pub struct FocusOptions {
    /// Domain of its component: requests go there, and its own address is `focus@DOMAIN/focus`.
    pub domain: String,
    /// Namespace of the stanzas that it writes: `jabber:client`, or `jabber:component:accept` on a component stream.
    pub stanza_ns: String,
    /// Version that it shows in its presence.
    pub version: String,
}

impl FocusOptions {
    /// A focus at `domain`, speaking `jabber:client`.
    pub fn new(domain: &str) -> FocusOptions {
        FocusOptions { domain: domain.into(), stanza_ns: ns::CLIENT.into(), version: env!("CARGO_PKG_VERSION").into() }
    }
}

struct Request {
    from: String,
    to: String,
    id: String,
}

struct Member {
    real: Option<Jid>,
    moderator: bool,
    /// The owner affiliation was asked for.
    granted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Join presence sent.
    Joining,
    /// In the room, its configuration form sent.
    Configuring,
    Ready,
}

struct Conference {
    stage: Stage,
    waiting: Vec<Request>,
    members: BTreeMap<String, Member>,
    /// The focus leaves then, if nobody came.
    empty_until: Option<Time>,
}

/// The focus. Stanzas in, stanzas out.
pub struct Focus {
    options: FocusOptions,
    jid: Jid,
    refusal: Option<Refusal>,
    rooms: BTreeMap<String, Conference>,
    out: VecDeque<String>,
    next_id: u64,
}

impl Focus {
    /// A focus in no room. `None` when the domain is no address.
    pub fn new(options: FocusOptions) -> Option<Focus> {
        let jid = Jid::parse(&format!("{NICK}@{}/{NICK}", options.domain)).ok()?;
        Some(Focus { options, jid, refusal: None, rooms: BTreeMap::new(), out: VecDeque::new(), next_id: 0 })
    }

    /// Its own full address, by which participants know it.
    pub fn jid(&self) -> &Jid {
        &self.jid
    }

    /// Answers conference requests in this way from now on; `None` means well.
    pub fn refuse(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal;
    }

    /// Leaves every room at once, as a focus that goes down does (docs/protocol/03 §8.2).
    pub fn leave_all(&mut self) {
        for room in std::mem::take(&mut self.rooms).into_keys() {
            self.send_leave(&room);
        }
    }

    /// Forgets everything without a word: what a killed focus leaves behind.
    pub fn forget(&mut self) {
        self.rooms.clear();
        self.out.clear();
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

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        let late = |c: &Conference| c.members.is_empty() && c.empty_until.is_some_and(|t| t <= now);
        let empty: Vec<_> = self.rooms.iter().filter(|(_, c)| late(c)).map(|(room, _)| room.clone()).collect();
        for room in empty {
            self.rooms.remove(&room);
            self.send_leave(&room);
        }
    }

    /// When [`Focus::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        let empty = self.rooms.values().filter(|c| c.members.is_empty());
        empty.fold(None, |t, c| earliest(t, c.empty_until))
    }

    /// The next stanza to send.
    pub fn poll_output(&mut self) -> Option<String> {
        self.out.pop_front()
    }

    fn iq(&mut self, iq: Element<'_>, now: Time) {
        let kind = iq.attr("type").unwrap_or_default();
        if matches!(kind, "result" | "error") {
            return self.iq_answer(iq);
        }
        let answer = if let Some(c) = iq.child("conference", ns::FOCUS).filter(|_| kind == "set") {
            return self.conference_request(iq, c, now);
        } else if let Some(mute) = iq.children().find(|c| c.name() == "mute" && mute_media(c.ns()).is_some()) {
            self.mute(iq, mute)
        } else if iq.child("ping", ns::PING).is_some() && kind == "get" {
            stanza::iq_result(iq, &self.options.stanza_ns).finish()
        } else if let Some(q) = iq.child("query", ns::DISCO_INFO).filter(|_| kind == "get") {
            let mut w = stanza::iq_result(iq, &self.options.stanza_ns);
            w.open("query", ns::DISCO_INFO).attr_opt("node", q.attr("node"));
            w.open_same("identity").attr("category", "component").attr("type", "conference").attr("name", NICK).close();
            w.open_same("feature").attr("var", ns::DISCO_INFO).close();
            w.open_same("feature").attr("var", ns::PING);
            w.finish()
        } else {
            stanza::error(iq, &self.options.stanza_ns, "cancel", "service-unavailable", None)
        };
        self.out.push_back(answer);
    }

    fn conference_request(&mut self, iq: Element<'_>, conference: Element<'_>, now: Time) {
        let stanza_ns = self.options.stanza_ns.clone();
        let room = match conference.attr("room").map(Jid::parse) {
            Some(Ok(j)) if j.local().is_some() && j.resource().is_none() => j.as_str().to_owned(),
            _ => return self.out.push_back(stanza::error(iq, &stanza_ns, "modify", "bad-request", None)),
        };
        let request = Request {
            from: iq.attr("from").unwrap_or_default().into(),
            to: iq.attr("to").unwrap_or_default().into(),
            id: iq.attr("id").unwrap_or_default().into(),
        };
        match &mut self.refusal {
            None => {}
            Some(Refusal::Silent) => return,
            Some(Refusal::NotReady(0) | Refusal::SessionInvalid(0)) => {}
            Some(Refusal::NotReady(n)) => {
                *n -= 1;
                return self.answer(&request, &room, false, |_| {});
            }
            Some(Refusal::SessionInvalid(n)) => {
                *n -= 1;
                let e = stanza::error_with(iq, &stanza_ns, "modify", "not-acceptable", None, |w| {
                    w.open("session-invalid", ns::FOCUS).close();
                });
                return self.out.push_back(e);
            }
            Some(Refusal::Condition(c)) => {
                let e = stanza::error(iq, &stanza_ns, stanza::error_type(c), c, None);
                return self.out.push_back(e);
            }
            Some(Refusal::Reservation { code, text }) => {
                let e = stanza::error_with(iq, &stanza_ns, "cancel", "not-allowed", Some(text), |w| {
                    w.open("reservation-error", ns::FOCUS).attr_of("error-code", code).close();
                });
                return self.out.push_back(e);
            }
            Some(Refusal::NotLive) => {
                return self.answer(&request, &room, false, |w| {
                    w.open_same("property").attr("name", "live").attr("value", "false").close();
                });
            }
            Some(Refusal::Redirect { vnode }) => {
                let vnode = vnode.clone();
                return self.answer_with(&request, &room, true, Some(&vnode), |_| {});
            }
        }
        if let Some(c) = self.rooms.get_mut(&room) {
            c.empty_until = c.empty_until.map(|_| now + INITIAL_TIMEOUT);
            if c.stage == Stage::Ready {
                return self.answer(&request, &room, true, |_| {});
            }
            return c.waiting.push(request);
        }
        if self.rooms.len() >= MAX_ROOMS {
            return self.out.push_back(stanza::error(iq, &stanza_ns, "wait", "resource-constraint", None));
        }
        let conference = Conference {
            stage: Stage::Joining,
            waiting: vec![request],
            members: BTreeMap::new(),
            empty_until: Some(now + INITIAL_TIMEOUT),
        };
        self.rooms.insert(room.clone(), conference);
        let mut w = self.stanza("presence", &format!("{room}/{NICK}"));
        w.open("x", ns::MUC).close();
        w.open("versions", ns::JITMEET).open_same("component").attr("name", NICK).text(&self.options.version);
        w.close().close();
        w.open("conference-properties", ns::FOCUS);
        for (key, value) in [("support-terminate-restart", "true"), ("bridge-count", "0")] {
            w.open_same("property").attr("key", key).attr("value", value).close();
        }
        self.out.push_back(w.finish());
    }

    fn answer(&mut self, r: &Request, room: &str, ready: bool, more: impl FnOnce(&mut XmlWriter)) {
        self.answer_with(r, room, ready, None, more);
    }

    fn answer_with(
        &mut self,
        r: &Request,
        room: &str,
        ready: bool,
        vnode: Option<&str>,
        more: impl FnOnce(&mut XmlWriter),
    ) {
        let mut w = XmlWriter::new();
        w.open("iq", &self.options.stanza_ns).attr("type", "result").attr("id", &r.id);
        w.attr("from", &r.to).attr("to", &r.from);
        w.open("conference", ns::FOCUS).attr("room", room).attr_of("ready", ready);
        w.attr("focusjid", self.jid.bare_str()).attr_opt("vnode", vnode);
        for (name, value) in [("authentication", "false"), ("visitors-supported", "false")] {
            w.open_same("property").attr("name", name).attr("value", value).close();
        }
        more(&mut w);
        self.out.push_back(w.finish());
    }

    /// The room answered the configuration form, or the grant of an affiliation (which shows itself in a presence).
    fn iq_answer(&mut self, iq: Element<'_>) {
        let Some(room) = iq.attr("from").and_then(|f| Jid::parse(f).ok()).map(|j| j.bare_str().to_owned()) else {
            return;
        };
        let configured = iq.attr("id").is_some_and(|id| id.starts_with("config-"));
        let Some(c) = self.rooms.get_mut(&room).filter(|c| configured && c.stage == Stage::Configuring) else { return };
        // A refused form does not matter: rooms that show real addresses by default need none.
        c.stage = Stage::Ready;
        for r in std::mem::take(&mut c.waiting) {
            self.answer(&r, &room, true, |_| {});
        }
    }

    fn presence(&mut self, p: Element<'_>, now: Time) {
        let Some(from) = p.attr("from").and_then(|f| Jid::parse(f).ok()) else { return };
        let (room, Some(nick)) = (from.bare_str().to_owned(), from.resource()) else { return };
        let Some(c) = self.rooms.get_mut(&room) else { return };
        let x = p.child("x", ns::MUC_USER);
        match (p.attr("type"), nick == NICK) {
            (None, true) if c.stage == Stage::Joining => {
                c.stage = Stage::Configuring;
                let id = self.id("config");
                let mut w = self.stanza("iq", &room);
                w.attr("type", "set").attr("id", &id);
                w.open("query", ns::MUC_OWNER).open("x", ns::DATA).attr("type", "submit");
                for (var, value) in [("FORM_TYPE", ns::MUC_ROOMCONFIG), ("muc#roomconfig_whois", "anyone")] {
                    w.open_same("field").attr("var", var).open_same("value").text(value).close().close();
                }
                self.out.push_back(w.finish());
            }
            (None, true) => {}
            // Refused, kicked, or the room is gone: those who wait are told so.
            (Some("error" | "unavailable"), true) => {
                let waiting = std::mem::take(&mut c.waiting);
                self.rooms.remove(&room);
                for r in waiting {
                    let mut w = XmlWriter::new();
                    w.open("iq", &self.options.stanza_ns).attr("type", "error").attr("id", &r.id);
                    w.attr("from", &r.to).attr("to", &r.from);
                    w.open_same("error").attr("type", "wait").open("internal-server-error", ns::STANZA_ERRORS);
                    self.out.push_back(w.finish());
                }
            }
            (None, false) => {
                let item = x.and_then(|x| x.child("item", ns::MUC_USER));
                let moderator = item.is_some_and(|i| i.attr("role") == Some("moderator"));
                let real = item.and_then(|i| i.attr("jid")).and_then(|j| Jid::parse(j).ok());
                let granted = c.members.get(nick).is_some_and(|m| m.granted && moderator);
                c.members.insert(nick.to_owned(), Member { real, moderator, granted: granted || moderator });
                c.empty_until = None;
                self.give_owner(&room);
            }
            (Some("unavailable"), false) => {
                c.members.remove(nick);
                if c.members.is_empty() && c.stage == Stage::Ready {
                    self.rooms.remove(&room);
                    self.send_leave(&room);
                } else if c.members.is_empty() {
                    c.empty_until = Some(now + INITIAL_TIMEOUT);
                } else {
                    self.give_owner(&room);
                }
            }
            _ => {}
        }
    }

    /// Makes the first participant owner when no participant is moderator (docs/protocol/03 §6.4).
    fn give_owner(&mut self, room: &str) {
        let Some(c) = self.rooms.get_mut(room) else { return };
        if c.members.values().any(|m| m.moderator || m.granted) {
            return;
        }
        let Some(m) = c.members.values_mut().find(|m| m.real.is_some()) else { return };
        m.granted = true;
        let real = m.real.as_ref().map(|j| j.bare_str().to_owned()).unwrap_or_default();
        let id = self.id("owner");
        let mut w = self.stanza("iq", room);
        w.attr("type", "set").attr("id", &id).open("query", ns::MUC_ADMIN);
        w.open_same("item").attr("affiliation", "owner").attr("jid", &real);
        self.out.push_back(w.finish());
    }

    /// A mute request (docs/protocol/03 §10.3). Returns the answer; the target is told beside it.
    fn mute(&mut self, iq: Element<'_>, mute: Element<'_>) -> String {
        let stanza_ns = self.options.stanza_ns.clone();
        let refuse = |condition| stanza::error(iq, &stanza_ns, stanza::error_type(condition), condition, None);
        let from = iq.attr("from").and_then(|f| Jid::parse(f).ok());
        let target = mute.attr("jid").and_then(|f| Jid::parse(f).ok());
        let on = match &*mute.text() {
            "true" => true,
            "false" => false,
            _ => return refuse("bad-request"),
        };
        let (Some(from), Some(target)) = (from, target) else { return refuse("bad-request") };
        let Some(c) = self.rooms.get(from.bare_str()) else { return refuse("item-not-found") };
        let member = |j: &Jid| j.resource().and_then(|n| c.members.get(n));
        let (Some(muter), Some(_)) = (member(&from), member(&target)) else { return refuse("internal-server-error") };
        if target.bare_str() != from.bare_str() {
            return refuse("internal-server-error");
        }
        let own = from == target;
        if !own && (!muter.moderator || !on) {
            return refuse("not-allowed");
        }
        if !own {
            let id = self.id("mute");
            let mut w = self.stanza("iq", target.as_str());
            w.attr("type", "set").attr("id", &id);
            w.open("mute", mute.ns()).attr("actor", from.as_str()).text("true");
            let told = w.finish();
            self.out.push_back(told);
        }
        stanza::iq_result(iq, &stanza_ns).finish()
    }

    fn send_leave(&mut self, room: &str) {
        let mut w = self.stanza("presence", &format!("{room}/{NICK}"));
        w.attr("type", "unavailable");
        self.out.push_back(w.finish());
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

    /// Handles a stanza given as text; what is no XML is ignored. For drivers.
    pub fn handle_text(&mut self, text: &str, now: Time) {
        if let Ok(d) = Document::parse_with(text, &self.options.stanza_ns, &Default::default()) {
            self.handle(d.root(), now);
        }
    }
}

/// The media that a mute namespace speaks of.
fn mute_media(namespace: &str) -> Option<&str> {
    let media = namespace.strip_prefix("http://jitsi.org/jitmeet/")?;
    matches!(media, "audio" | "video" | "desktop").then_some(media)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "r@conference.meet.localhost";

    fn focus() -> Focus {
        Focus::new(FocusOptions::new("focus.meet.localhost")).unwrap()
    }

    fn at(s: u64) -> Time {
        Time::new(s * 1_000_000, 0)
    }

    fn drain(f: &mut Focus) -> Vec<String> {
        std::iter::from_fn(|| f.poll_output()).collect()
    }

    fn request(f: &mut Focus, id: &str, now: Time) -> Vec<String> {
        f.handle_text(
            &format!(
                "<iq type='set' from='a@meet.localhost/1' to='focus.meet.localhost' id='{id}'>\
                 <conference xmlns='http://jitsi.org/protocol/focus' room='{ROOM}'/></iq>"
            ),
            now,
        );
        drain(f)
    }

    fn presence(f: &mut Focus, nick: &str, item: &str, kind: &str, now: Time) -> Vec<String> {
        f.handle_text(
            &format!(
                "<presence from='{ROOM}/{nick}' {kind}><x xmlns='http://jabber.org/protocol/muc#user'><item {item}/></x></presence>"
            ),
            now,
        );
        drain(f)
    }

    fn ready(f: &mut Focus) {
        assert_eq!(request(f, "1", at(0)).len(), 1);
        let form = presence(f, "focus", "role='moderator' affiliation='owner'", "", at(0));
        let id = Document::parse(&form[0]).unwrap().root().attr("id").unwrap().to_owned();
        f.handle_text(&format!("<iq type='result' from='{ROOM}' id='{id}'/>"), at(0));
        let answer = drain(f);
        assert!(answer[0].contains("ready='true'") && answer[0].contains("focusjid='focus@focus.meet.localhost'"));
    }

    #[test]
    fn the_room_is_joined_and_configured_before_the_answer() {
        let mut f = focus();
        let join = request(&mut f, "1", at(0));
        assert!(join[0].starts_with("<presence") && join[0].contains(&format!("to='{ROOM}/focus'")));
        assert!(request(&mut f, "2", at(0)).is_empty());
        let form = presence(&mut f, "focus", "role='moderator'", "", at(0));
        assert!(form[0].contains("muc#roomconfig_whois"));
        f.handle_text(&format!("<iq type='result' from='{ROOM}' id='config-1'/>"), at(0));
        let answers = drain(&mut f);
        assert_eq!(answers.len(), 2);
        assert!(answers[0].contains("id='1'") && answers[1].contains("id='2'"));
        assert!(request(&mut f, "3", at(1))[0].contains("ready='true'"));
    }

    #[test]
    fn the_first_participant_becomes_owner_and_another_when_it_leaves() {
        let mut f = focus();
        ready(&mut f);
        let grant = presence(&mut f, "aaaa0000", "role='participant' jid='a@meet.localhost/1'", "", at(1));
        assert!(grant[0].contains("affiliation='owner' jid='a@meet.localhost'"));
        assert!(presence(&mut f, "bbbb0000", "role='participant' jid='b@meet.localhost/1'", "", at(1)).is_empty());
        assert!(presence(&mut f, "aaaa0000", "role='moderator' jid='a@meet.localhost/1'", "", at(1)).is_empty());
        let grant = presence(&mut f, "aaaa0000", "role='none'", "type='unavailable'", at(2));
        assert!(grant[0].contains("jid='b@meet.localhost'"));
        let leave = presence(&mut f, "bbbb0000", "role='none'", "type='unavailable'", at(3));
        assert!(leave[0].contains("type='unavailable'"));
        assert_eq!(request(&mut f, "9", at(4)).len(), 1, "a new request makes the room anew");
    }

    #[test]
    fn an_empty_room_is_left_after_the_initial_timeout() {
        let mut f = focus();
        ready(&mut f);
        let due = f.next_deadline().unwrap();
        assert_eq!(due, at(0) + INITIAL_TIMEOUT);
        f.handle_timeout(at(14));
        assert!(drain(&mut f).is_empty());
        f.handle_timeout(due);
        assert!(drain(&mut f)[0].contains("unavailable"));
        assert_eq!(f.next_deadline(), None);
    }

    #[test]
    fn only_a_moderator_mutes_others_and_the_target_is_told() {
        let mut f = focus();
        ready(&mut f);
        presence(&mut f, "aaaa0000", "role='moderator' jid='a@meet.localhost/1'", "", at(1));
        presence(&mut f, "bbbb0000", "role='participant' jid='b@meet.localhost/1'", "", at(1));
        let mut mute = |from: &str, target: &str, text: &str| {
            f.handle_text(
                &format!(
                    "<iq type='set' id='m' from='{ROOM}/{from}' to='focus@focus.meet.localhost/focus'>\
                     <mute xmlns='http://jitsi.org/jitmeet/audio' jid='{ROOM}/{target}'>{text}</mute></iq>"
                ),
                at(2),
            );
            drain(&mut f)
        };
        let out = mute("aaaa0000", "bbbb0000", "true");
        assert!(
            out[0].contains(&format!("to='{ROOM}/bbbb0000'")) && out[0].contains(&format!("actor='{ROOM}/aaaa0000'"))
        );
        assert!(out[1].contains("type='result'"));
        assert!(mute("bbbb0000", "aaaa0000", "true")[0].contains("not-allowed"));
        assert!(mute("aaaa0000", "bbbb0000", "false")[0].contains("not-allowed"));
        assert_eq!(mute("bbbb0000", "bbbb0000", "false").len(), 1);
        assert!(mute("aaaa0000", "cccc0000", "true")[0].contains("internal-server-error"));
        assert!(mute("aaaa0000", "bbbb0000", "")[0].contains("bad-request"));
    }

    #[test]
    fn refusals_are_what_they_say_and_not_ready_ends() {
        let mut f = focus();
        f.refuse(Some(Refusal::NotReady(2)));
        assert!(request(&mut f, "1", at(0))[0].contains("ready='false'"));
        assert!(request(&mut f, "2", at(0))[0].contains("ready='false'"));
        assert!(request(&mut f, "3", at(0))[0].starts_with("<presence"));
        for (refusal, sign) in [
            (Refusal::Condition("not-authorized".into()), "not-authorized"),
            (Refusal::SessionInvalid(1), "session-invalid"),
            (Refusal::Reservation { code: 409, text: "nope".into() }, "error-code='409'"),
            (Refusal::NotLive, "name='live' value='false'"),
            (Refusal::Redirect { vnode: "v1".into() }, "vnode='v1'"),
        ] {
            f.refuse(Some(refusal));
            assert!(request(&mut f, "4", at(0))[0].contains(sign), "{sign}");
        }
        f.refuse(Some(Refusal::Silent));
        assert!(request(&mut f, "5", at(0)).is_empty());
    }

    #[test]
    fn rooms_are_bounded() {
        let mut f = focus();
        for i in 0..=MAX_ROOMS {
            f.handle_text(
                &format!(
                    "<iq type='set' from='a@b/1' to='focus.meet.localhost' id='{i}'>\
                     <conference xmlns='http://jitsi.org/protocol/focus' room='r{i}@c'/></iq>"
                ),
                at(0),
            );
        }
        let out = drain(&mut f);
        assert!(out[MAX_ROOMS - 1].starts_with("<presence"));
        assert!(out[MAX_ROOMS].contains("resource-constraint"));
    }
}
