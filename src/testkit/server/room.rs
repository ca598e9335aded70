//! One room of the multi-user chat service (XEP-0045), as Prosody behaves under Jitsi's configuration: real addresses are
//! shown to all, the first occupant owns the room, roles follow affiliations (docs/protocol/03 §4, §9, §10; captures 01,
//! 02, 15, 17, 18). Joining, leaving and messages are here; owner and admin commands in `room_admin.rs`.

use crate::testkit::faults::JoinRefusal;
use crate::testkit::stanza;
use crate::time::Time;
use crate::wire::{Document, Element, Jid, XmlWriter, ns};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Messages kept for those who come later, unless the options say otherwise (Prosody's default).
pub const DEFAULT_HISTORY: usize = 20;

/// Long-lived relation of a user to the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affiliation {
    Outcast,
    None,
    Member,
    Admin,
    Owner,
}

impl Affiliation {
    pub fn name(self) -> &'static str {
        match self {
            Affiliation::Outcast => "outcast",
            Affiliation::None => "none",
            Affiliation::Member => "member",
            Affiliation::Admin => "admin",
            Affiliation::Owner => "owner",
        }
    }

    pub fn parse(name: &str) -> Option<Affiliation> {
        let all =
            [Affiliation::Outcast, Affiliation::None, Affiliation::Member, Affiliation::Admin, Affiliation::Owner];
        all.into_iter().find(|a| a.name() == name)
    }

    pub fn is_moderator(self) -> bool {
        self >= Affiliation::Admin
    }
}

pub(super) struct Occupant {
    pub real: Jid,
    /// Its last presence, whose children are shown to the others.
    pub presence: Document,
    pub moderator: bool,
}

struct HistoryItem {
    message: Document,
    nick: String,
    at: Time,
}

/// What a change of an occupant is told with.
#[derive(Clone, Copy, Default)]
pub(super) struct Notice<'a> {
    pub codes: &'a [&'a str],
    /// Who did it: nickname and real address.
    pub actor: Option<(&'a str, &'a Jid)>,
    pub reason: Option<&'a str>,
    /// The room is destroyed: reason and other venue.
    pub destroyed: Option<(&'a str, Option<&'a str>)>,
}

/// A room. Stanzas from occupants in, stanzas to real addresses out.
pub struct Room {
    pub(super) jid: Jid,
    pub(super) occupants: BTreeMap<String, Occupant>,
    pub(super) affiliations: BTreeMap<String, Affiliation>,
    pub(super) password: String,
    pub(super) members_only: bool,
    pub(super) meeting_id: String,
    pub(super) created: Time,
    subject: Option<(String, String, Time)>,
    history: VecDeque<HistoryItem>,
    history_limit: usize,
    pub(super) max_occupants: usize,
    pub(super) out: VecDeque<String>,
}

impl Room {
    pub fn new(jid: Jid, meeting_id: String, history_limit: usize, max_occupants: usize, now: Time) -> Room {
        Room {
            jid,
            occupants: BTreeMap::new(),
            affiliations: BTreeMap::new(),
            password: String::new(),
            members_only: false,
            meeting_id,
            created: now,
            subject: None,
            history: VecDeque::new(),
            history_limit,
            max_occupants,
            out: VecDeque::new(),
        }
    }

    /// Nobody is inside.
    pub fn is_empty(&self) -> bool {
        self.occupants.is_empty()
    }

    /// The next stanza to deliver to a real address.
    pub fn poll_output(&mut self) -> Option<String> {
        self.out.pop_front()
    }

    /// The nickname of a real address.
    pub fn nick_of(&self, real: &Jid) -> Option<&str> {
        self.occupants.iter().find(|(_, o)| o.real == *real).map(|(n, _)| n.as_str())
    }

    /// The real address behind a nickname.
    pub fn real_of(&self, nick: &str) -> Option<&Jid> {
        self.occupants.get(nick).map(|o| &o.real)
    }

    pub(super) fn affiliation(&self, real: &Jid) -> Affiliation {
        self.affiliations.get(real.bare_str()).copied().unwrap_or(Affiliation::None)
    }

    /// A stanza from `from` (real address) to this room or one of its nicknames. `refusal` refuses a join.
    pub fn handle(&mut self, s: Element<'_>, from: &Jid, nick: Option<&str>, refusal: Option<&JoinRefusal>, now: Time) {
        match (s.name(), nick) {
            ("presence", Some(nick)) => self.presence(s, from, nick, refusal, now),
            ("message", nick) => self.message(s, from, nick, now),
            ("iq", Some(nick)) => self.relay_iq(s, from, nick),
            ("iq", None) => self.command(s, from),
            _ => {}
        }
    }

    fn presence(&mut self, p: Element<'_>, from: &Jid, nick: &str, refusal: Option<&JoinRefusal>, now: Time) {
        let inside = self.nick_of(from).map(str::to_owned);
        match (p.attr("type"), inside) {
            (Some("unavailable"), Some(own)) => {
                let status = p.child_named("status").map(|s| s.text().into_owned());
                self.leave(&own, &Notice::default(), status.as_deref());
            }
            (None, Some(own)) if own == nick => {
                let Ok(presence) = copy(p) else { return };
                if let Some(o) = self.occupants.get_mut(nick) {
                    o.presence = presence;
                }
                self.show(nick, &Notice::default());
            }
            (None, Some(_)) => self.bounce(p, from, "not-acceptable", Some("Nicknames cannot be changed here")),
            (None, None) => match self.why_not(p, from, nick) {
                _ if refusal.is_some() => {
                    if let Some(r) = refusal {
                        self.out.push_back(r.write(p, from));
                    }
                }
                Some(condition) => self.bounce(p, from, condition, None),
                None => self.join(p, from, nick, now),
            },
            _ => {}
        }
    }

    /// Why this user may not enter.
    fn why_not(&self, p: Element<'_>, from: &Jid, nick: &str) -> Option<&'static str> {
        let x = p.child("x", ns::MUC);
        let affiliation = self.affiliation(from);
        let given = x.and_then(|x| x.child_named("password")).map(|p| p.text().into_owned()).unwrap_or_default();
        if x.is_none() {
            // A presence update of somebody who is no longer inside.
            Some("item-not-found")
        } else if affiliation == Affiliation::Outcast {
            Some("forbidden")
        } else if self.occupants.contains_key(nick) {
            Some("conflict")
        } else if !self.password.is_empty() && given != self.password && affiliation != Affiliation::Owner {
            Some("not-authorized")
        } else if self.members_only && affiliation < Affiliation::Member {
            Some("registration-required")
        } else if self.occupants.len() >= self.max_occupants && !affiliation.is_moderator() {
            Some("service-unavailable")
        } else {
            None
        }
    }

    fn join(&mut self, p: Element<'_>, from: &Jid, nick: &str, now: Time) {
        let Ok(presence) = copy(p) else { return };
        let created = self.occupants.is_empty() && self.affiliations.is_empty();
        if created {
            self.affiliations.insert(from.bare_str().to_owned(), Affiliation::Owner);
            self.created = now;
        }
        for other in self.occupants.keys().cloned().collect::<Vec<_>>() {
            let s = self.presence_of(&other, from, false, &Notice::default());
            self.out.extend(s);
        }
        let moderator = self.affiliation(from).is_moderator();
        self.occupants.insert(nick.to_owned(), Occupant { real: from.clone(), presence, moderator });
        let codes: &[&str] = if created { &["100", "201"] } else { &["100"] };
        self.show(nick, &Notice { codes, ..Notice::default() });
        // XEP-0045 §7.2.13, as far as whole seconds.
        let wanted = p.child("x", ns::MUC).and_then(|x| x.child_named("history")).and_then(|h| h.attr("seconds"));
        let since = wanted.and_then(|s| s.parse().ok()).map(Duration::from_secs);
        for item in self.history.iter().filter(|i| since.is_none_or(|s| now.since(i.at) <= s)) {
            let room_nick = format!("{}/{}", self.jid, item.nick);
            let mut w = stanza::relay_open(item.message.root(), ns::CLIENT, &room_nick, from.as_str(), None);
            item.message.root().children().for_each(|c| c.write_to(&mut w));
            w.open("delay", ns::DELAY).attr("from", self.jid.as_str()).attr("stamp", &stamp(item.at)).close();
            self.out.push_back(w.finish());
        }
        let mut w = XmlWriter::stanza("message");
        let (by, text, at) = match &self.subject {
            Some((by, text, at)) => (format!("{}/{by}", self.jid), text.as_str(), Some(*at)),
            None => (self.jid.to_string(), "", None),
        };
        w.attr("type", "groupchat").attr("from", &by).attr("to", from.as_str()).leaf("subject", ns::CLIENT, text);
        if let Some(at) = at {
            w.open("delay", ns::DELAY).attr("from", self.jid.as_str()).attr("stamp", &stamp(at)).close();
        }
        self.out.push_back(w.finish());
    }

    /// Shows the state of `nick` to everybody inside.
    pub(super) fn show(&mut self, nick: &str, notice: &Notice<'_>) {
        for to in self.audience(nick) {
            let s = self.presence_of(nick, &to, false, notice);
            self.out.extend(s);
        }
    }

    /// Everybody's real address, `last` behind all others: an occupant hears of itself after the rest of the room.
    pub(super) fn audience(&self, last: &str) -> Vec<Jid> {
        let others = self.occupants.iter().filter(|(n, _)| *n != last).map(|(_, o)| o.real.clone());
        others.chain(self.occupants.get(last).map(|o| o.real.clone())).collect()
    }

    /// The presence of `nick` as `to` sees it. To itself it carries status 110, and codes of the join only there.
    fn presence_of(&self, nick: &str, to: &Jid, gone: bool, notice: &Notice<'_>) -> Option<String> {
        let o = self.occupants.get(nick)?;
        let own = o.real == *to;
        let from = format!("{}/{nick}", self.jid);
        let root = o.presence.root();
        let mut w = XmlWriter::stanza("presence");
        w.attr("from", &from).attr("to", to.as_str());
        if gone {
            w.attr("type", "unavailable");
        } else {
            w.attr_opt("id", root.attr("id"));
            // What a sender says about itself in the room's own namespaces is not passed on.
            root.children().filter(|c| !matches!(c.ns(), ns::MUC | ns::MUC_USER)).for_each(|c| c.write_to(&mut w));
        }
        w.open("x", ns::MUC_USER);
        if let Some((reason, venue)) = notice.destroyed {
            w.open_same("destroy").attr_opt("jid", venue).leaf("reason", ns::MUC_USER, reason).close();
        }
        let affiliation = self.affiliation(&o.real).name();
        let role = match (gone, o.moderator) {
            (true, _) => "none",
            (_, true) => "moderator",
            _ => "participant",
        };
        w.open_same("item").attr("affiliation", affiliation).attr("role", role).attr("jid", o.real.as_str());
        if let Some((nick, real)) = notice.actor {
            // The one it is done to sees the nickname alone (capture 18).
            w.open_same("actor").attr("nick", nick).attr_opt("jid", Some(real.as_str()).filter(|_| !own)).close();
        }
        if let Some(reason) = notice.reason {
            w.leaf("reason", ns::MUC_USER, reason);
        }
        w.close();
        for code in notice.codes {
            // 100 and 201 concern the one who enters.
            if own || !matches!(*code, "100" | "201") {
                w.open_same("status").attr("code", code).close();
            }
        }
        if own {
            w.open_same("status").attr("code", "110").close();
        }
        Some(w.finish())
    }

    /// Takes `nick` out and tells everybody, itself last.
    pub(super) fn leave(&mut self, nick: &str, notice: &Notice<'_>, status: Option<&str>) {
        for to in self.audience(nick) {
            let Some(s) = self.presence_of(nick, &to, true, notice) else { continue };
            let s = match status {
                None => s,
                Some(text) => with_status(&s, text),
            };
            self.out.push_back(s);
        }
        self.occupants.remove(nick);
    }

    /// The connection of a real address is gone (status 333: an error, capture 64).
    pub fn lost(&mut self, real: &Jid, clean: bool) {
        if let Some(nick) = self.nick_of(real).map(str::to_owned) {
            let codes: &[&str] = if clean { &[] } else { &["333"] };
            self.leave(&nick, &Notice { codes, ..Notice::default() }, None);
        }
    }

    fn message(&mut self, m: Element<'_>, from: &Jid, nick: Option<&str>, now: Time) {
        let kind = m.attr("type").unwrap_or("normal");
        if kind == "error" {
            return;
        }
        let Some(own) = self.nick_of(from).map(str::to_owned) else {
            return self.bounce(m, from, "not-acceptable", Some("Only occupants may send messages here"));
        };
        let sender = format!("{}/{own}", self.jid);
        match (kind, nick) {
            ("groupchat", None) => self.group_message(m, from, &own, &sender, now),
            ("groupchat", Some(_)) => self.bounce(m, from, "bad-request", None),
            (_, Some(nick)) => match self.real_of(nick).cloned() {
                Some(to) => {
                    let mut w = stanza::relay_open(m, ns::CLIENT, &sender, to.as_str(), None);
                    m.children().filter(|c| c.ns() != ns::MUC_USER).for_each(|c| c.write_to(&mut w));
                    w.open("x", ns::MUC_USER).close();
                    self.out.push_back(w.finish());
                }
                None => self.bounce(m, from, "item-not-found", None),
            },
            _ => self.bounce(m, from, "bad-request", None),
        }
    }

    fn group_message(&mut self, m: Element<'_>, from: &Jid, own: &str, sender: &str, now: Time) {
        let body = m.child_named("body").is_some();
        if let Some(subject) = m.child_named("subject").filter(|_| !body) {
            if !self.occupants.get(own).is_some_and(|o| o.moderator) {
                return self.bounce(m, from, "forbidden", None);
            }
            self.subject = Some((own.to_owned(), subject.text().into_owned(), now));
        } else if (body || m.child_named("store").is_some()) && self.history_limit > 0 {
            if self.history.len() == self.history_limit {
                self.history.pop_front();
            }
            if let Ok(message) = copy(m) {
                self.history.push_back(HistoryItem { message, nick: own.to_owned(), at: now });
            }
        }
        for to in self.audience(own) {
            self.out.push_back(stanza::relay(m, ns::CLIENT, sender, to.as_str(), None));
        }
    }

    /// An IQ from one occupant to another. The room stands between: it gives the request an id of its own, from which it
    /// knows whom the answer is for (as Prosody does).
    fn relay_iq(&mut self, iq: Element<'_>, from: &Jid, nick: &str) {
        let kind = iq.attr("type").unwrap_or_default();
        let request = matches!(kind, "get" | "set");
        let Some(own) = self.nick_of(from).map(str::to_owned) else {
            if request {
                self.bounce(iq, from, "not-acceptable", None);
            }
            return;
        };
        let id = iq.attr("id").unwrap_or_default();
        let sender = format!("{}/{own}", self.jid);
        if request && own == nick && iq.child("ping", ns::PING).is_some() {
            // XEP-0410: the self-ping is the room's to answer.
            let mut w = XmlWriter::stanza("iq");
            w.attr("type", "result").attr("from", &sender).attr("to", from.as_str()).attr("id", id);
            return self.out.push_back(w.finish());
        }
        let Some(to) = self.real_of(nick).cloned() else {
            if request {
                self.bounce(iq, from, "item-not-found", None);
            }
            return;
        };
        if request {
            let mangled = BASE64.encode(format!("{from}\0{id}"));
            self.out.push_back(stanza::relay(iq, ns::CLIENT, &sender, to.as_str(), Some(&mangled)));
        } else {
            // An answer is for the real address in its id, if that is still behind the nickname.
            let decoded = BASE64.decode(id).ok().and_then(|b| String::from_utf8(b).ok());
            let Some((asker, id)) = decoded.as_deref().and_then(|d| d.split_once('\0')) else { return };
            if asker == to.as_str() {
                self.out.push_back(stanza::relay(iq, ns::CLIENT, &sender, asker, Some(id)));
            }
        }
    }

    /// An error back to a real address, as if from the address it wrote to.
    pub(super) fn bounce(&mut self, s: Element<'_>, from: &Jid, condition: &str, text: Option<&str>) {
        let mut w = XmlWriter::stanza(s.name());
        w.attr("type", "error").attr_opt("from", s.attr("to")).attr("to", from.as_str()).attr_opt("id", s.attr("id"));
        if s.name() == "presence" {
            w.open("x", ns::MUC).close();
        }
        w.open_same("error").attr("type", stanza::error_type(condition)).open(condition, ns::STANZA_ERRORS).close();
        if let Some(t) = text {
            w.leaf("text", ns::STANZA_ERRORS, t);
        }
        self.out.push_back(w.finish());
    }
}

/// A document of its own from an element of another.
fn copy(e: Element<'_>) -> Result<Document, crate::wire::XmlError> {
    let mut w = XmlWriter::new();
    e.write_to(&mut w);
    Document::parse(&w.finish())
}

/// The same stanza with `<status>` text, which a leaving occupant may give.
fn with_status(s: &str, text: &str) -> String {
    let Ok(d) = Document::parse(s) else { return s.to_owned() };
    let root = d.root();
    let (from, to) = (root.attr("from").unwrap_or_default(), root.attr("to").unwrap_or_default());
    let mut w = stanza::relay_open(root, ns::CLIENT, from, to, None);
    w.leaf("status", ns::CLIENT, text);
    root.children().for_each(|c| c.write_to(&mut w));
    w.finish()
}

/// XEP-0082 date and time, seconds, UTC.
pub(super) fn stamp(t: Time) -> String {
    let seconds = t.unix_us.div_euclid(1_000_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, in 400-year eras: the calendar repeats there, and leap days come last in their year.
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_calendar_dates() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_549_381, "2026-11-24T19:43:01Z"),
        ] {
            assert_eq!(stamp(Time::new(0, unix * 1_000_000)), text);
        }
    }
}
