//! What owners and moderators may ask of a room: configuration form, affiliations and roles, kick, destruction; and its
//! service discovery (XEP-0045 §9, §10; docs/protocol/03 §7, §10.1, §10.2, §10.4).

use super::room::{Affiliation, Notice, Room};
use crate::wire::{Element, Jid, XmlWriter, ns};

const ROOM_INFO: &str = "http://jabber.org/protocol/muc#roominfo";

impl Room {
    /// An IQ to the room itself.
    pub(super) fn command(&mut self, iq: Element<'_>, from: &Jid) {
        let done = match (iq.attr("type"), iq.children().next()) {
            (Some("get"), Some(q)) if q.is("query", ns::DISCO_INFO) => Ok(self.disco(iq, from)),
            (Some("get"), Some(q)) if q.is("ping", ns::PING) => Ok(result(iq, from).finish()),
            (Some("get"), Some(q)) if q.is("query", ns::MUC_OWNER) => self.configuration_form(iq, from),
            (Some("set"), Some(q)) if q.is("query", ns::MUC_OWNER) => match self.owner_command(iq, q, from) {
                Ok(None) => return,
                Ok(Some(answer)) => Ok(answer),
                Err(condition) => Err(condition),
            },
            (Some("set"), Some(q)) if q.is("query", ns::MUC_ADMIN) => self.admin_command(iq, q, from),
            (Some("get" | "set"), _) => Err("service-unavailable"),
            _ => return,
        };
        match done {
            Ok(answer) => self.out.push_back(answer),
            Err(condition) => self.bounce(iq, from, condition, None),
        }
    }

    fn disco(&self, iq: Element<'_>, from: &Jid) -> String {
        let mut w = result(iq, from);
        w.open("query", ns::DISCO_INFO);
        w.open_same("identity").attr("category", "conference").attr("type", "text").close();
        let password = if self.password.is_empty() { "muc_unsecured" } else { "muc_passwordprotected" };
        let members = if self.members_only { "muc_membersonly" } else { "muc_open" };
        for var in [
            ns::MUC,
            "http://jabber.org/protocol/muc#stable_id",
            "http://jabber.org/protocol/muc#self-ping-optimization",
            "muc_hidden",
            "muc_nonanonymous",
            "muc_temporary",
            "muc_unmoderated",
            password,
            members,
        ] {
            w.open_same("feature").attr("var", var).close();
        }
        w.open("x", ns::DATA).attr("type", "result");
        let created = (self.created.unix_us / 1000).to_string();
        let occupants = self.occupants.len().to_string();
        for (var, value) in [
            ("FORM_TYPE", ROOM_INFO),
            ("muc#roominfo_occupants", &occupants),
            ("muc#roominfo_meetingId", &self.meeting_id),
            ("muc#roominfo_created_timestamp", &created),
        ] {
            w.open_same("field").attr("var", var);
            if var == "FORM_TYPE" {
                w.attr("type", "hidden");
            }
            w.leaf("value", ns::DATA, value).close();
        }
        w.finish()
    }

    fn configuration_form(&self, iq: Element<'_>, from: &Jid) -> Result<String, &'static str> {
        if self.affiliation(from) != Affiliation::Owner {
            return Err("forbidden");
        }
        let mut w = result(iq, from);
        w.open("query", ns::MUC_OWNER).open("x", ns::DATA).attr("type", "form");
        let flag = |b: bool| if b { "1" } else { "0" };
        for (var, kind, value) in [
            ("FORM_TYPE", "hidden", ns::MUC_ROOMCONFIG),
            ("muc#roomconfig_passwordprotectedroom", "boolean", flag(!self.password.is_empty())),
            ("muc#roomconfig_roomsecret", "text-private", &self.password),
            ("muc#roomconfig_membersonly", "boolean", flag(self.members_only)),
            ("muc#roomconfig_whois", "list-single", "anyone"),
        ] {
            w.open_same("field").attr("var", var).attr("type", kind).leaf("value", ns::DATA, value).close();
        }
        Ok(w.finish())
    }

    /// `None` when the answer is sent already.
    fn owner_command(
        &mut self,
        iq: Element<'_>,
        query: Element<'_>,
        from: &Jid,
    ) -> Result<Option<String>, &'static str> {
        if self.affiliation(from) != Affiliation::Owner {
            return Err("forbidden");
        }
        if let Some(d) = query.child_named("destroy") {
            let reason = d.child_named("reason").map(|r| r.text().into_owned()).unwrap_or_default();
            self.destroy(&reason, d.attr("jid"));
            return Ok(Some(result(iq, from).finish()));
        }
        let form = query.child("x", ns::DATA).ok_or("bad-request")?;
        if form.attr("type") == Some("cancel") {
            return Ok(Some(result(iq, from).finish()));
        }
        let value = |var: &str| {
            let field = form.children().find(|f| f.attr("var") == Some(var))?;
            Some(field.child_named("value").map(|v| v.text().into_owned()).unwrap_or_default())
        };
        let truth = |v: String| matches!(v.as_str(), "1" | "true");
        let mut changed = false;
        if let Some(secret) = value("muc#roomconfig_roomsecret") {
            changed |= self.password != secret;
            self.password = secret;
        }
        if value("muc#roomconfig_passwordprotectedroom").is_some_and(|v| !truth(v)) {
            changed |= !self.password.is_empty();
            self.password.clear();
        }
        if let Some(members_only) = value("muc#roomconfig_membersonly").map(truth) {
            changed |= self.members_only != members_only;
            self.members_only = members_only;
        }
        // The result goes first, as Prosody sends it.
        self.out.push_back(result(iq, from).finish());
        for to in self.audience("").into_iter().filter(|_| changed) {
            let mut w = XmlWriter::stanza("message");
            w.attr("type", "groupchat").attr("from", self.jid.as_str()).attr("to", to.as_str());
            w.open("x", ns::MUC_USER).open_same("status").attr("code", "104");
            self.out.push_back(w.finish());
        }
        Ok(None)
    }

    fn admin_command(&mut self, iq: Element<'_>, query: Element<'_>, from: &Jid) -> Result<String, &'static str> {
        let actor = self.nick_of(from).map(str::to_owned);
        let own = self.affiliation(from);
        let moderator = actor.as_deref().is_some_and(|a| self.occupants.get(a).is_some_and(|o| o.moderator));
        for item in query.children().filter(|c| c.name() == "item") {
            let reason = item.child_named("reason").map(|r| r.text().into_owned());
            let actor = actor.as_deref().map(|nick| (nick, from));
            let notice = Notice { actor, reason: reason.as_deref(), ..Notice::default() };
            if let Some(affiliation) = item.attr("affiliation") {
                let affiliation = Affiliation::parse(affiliation).ok_or("bad-request")?;
                let target = item.attr("jid").and_then(|j| Jid::parse(j).ok()).ok_or("bad-request")?;
                let needed = if affiliation.is_moderator() || self.affiliation(&target).is_moderator() {
                    Affiliation::Owner
                } else {
                    Affiliation::Admin
                };
                if own < needed {
                    return Err("not-allowed");
                }
                self.affiliate(&target, affiliation, &notice);
            } else if let (Some(nick), Some(role)) = (item.attr("nick"), item.attr("role")) {
                let target = self.real_of(nick).cloned().ok_or("item-not-found")?;
                if !moderator {
                    return Err("not-allowed");
                }
                if self.affiliation(&target) > own || self.affiliation(&target) == Affiliation::Owner {
                    return Err("not-allowed");
                }
                match role {
                    "none" => self.leave(nick, &Notice { codes: &["307"], ..notice }, None),
                    "moderator" | "participant" => {
                        if let Some(o) = self.occupants.get_mut(nick) {
                            o.moderator = role == "moderator";
                        }
                        self.show(nick, &notice);
                    }
                    _ => return Err("bad-request"),
                }
            } else {
                return Err("bad-request");
            }
        }
        Ok(result(iq, from).finish())
    }

    /// Sets the affiliation of a user, and the role of its occupants by it.
    fn affiliate(&mut self, target: &Jid, affiliation: Affiliation, notice: &Notice<'_>) {
        self.affiliations.insert(target.bare_str().to_owned(), affiliation);
        let of_target = self.occupants.iter().filter(|(_, o)| o.real.bare_str() == target.bare_str());
        for nick in of_target.map(|(n, _)| n.clone()).collect::<Vec<_>>() {
            if affiliation == Affiliation::Outcast {
                self.leave(&nick, &Notice { codes: &["301"], ..*notice }, None);
            } else {
                if let Some(o) = self.occupants.get_mut(&nick) {
                    o.moderator = affiliation.is_moderator();
                }
                self.show(&nick, notice);
            }
        }
    }

    /// Ends the room: everybody hears only of their own leaving (capture 18).
    pub fn destroy(&mut self, reason: &str, venue: Option<&str>) {
        for nick in self.occupants.keys().cloned().collect::<Vec<_>>() {
            let notice = Notice { destroyed: Some((reason, venue)), ..Notice::default() };
            let alone = self.occupants.remove(&nick);
            let Some(o) = alone else { continue };
            let others = std::mem::take(&mut self.occupants);
            self.occupants.insert(nick.clone(), o);
            self.leave(&nick, &notice, None);
            self.occupants = others;
        }
        self.affiliations.clear();
    }
}

/// Opens a result for the real address that asked.
fn result(iq: Element<'_>, from: &Jid) -> XmlWriter {
    let mut w = XmlWriter::stanza("iq");
    w.attr("type", "result").attr_opt("from", iq.attr("to")).attr("to", from.as_str()).attr_opt("id", iq.attr("id"));
    w
}
