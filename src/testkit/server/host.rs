//! What the server's own addresses answer: the host (discovery, ping, ICE servers by XEP-0215), the room service, and the
//! end-conference component (docs/protocol/01 §4.1, §6, §9; 03 §10.8).

use super::Server;
use super::room::Room;
use crate::testkit::faults::Step;
use crate::time::Time;
use crate::wire::{Element, Jid, XmlWriter, ns};

impl Server {
    /// `<end_conference/>` from a moderator ends its room (docs/protocol/03 §10.8).
    pub(super) fn end_conference(&mut self, m: Element<'_>, from: &Jid, now: Time) {
        let moderated = |r: &Room| r.nick_of(from).and_then(|n| r.occupants.get(n)).is_some_and(|o| o.moderator);
        let room = self.rooms.iter().find(|(_, r)| moderated(r)).map(|(j, _)| j.clone());
        let (Some(room), true) = (room, m.child_named("end_conference").is_some()) else { return };
        if let Some(r) = self.rooms.get_mut(&room) {
            r.destroy("The meeting has been terminated", None);
        }
        self.run_room(&room, now);
    }

    pub(super) fn muc_service_stanza(&mut self, s: Element<'_>, from: &Jid) {
        let disco = s.child("query", ns::DISCO_INFO).is_some() && s.attr("type") == Some("get");
        if s.name() != "iq" || !disco {
            return self.bounce(s, from, "service-unavailable");
        }
        let mut w = self.answer(s, from);
        w.open("query", ns::DISCO_INFO);
        w.open_same("identity").attr("category", "conference").attr("type", "text").close();
        w.open_same("feature").attr("var", ns::MUC);
        self.reply(from, w);
    }

    fn answer(&self, iq: Element<'_>, from: &Jid) -> XmlWriter {
        let mut w = XmlWriter::stanza("iq");
        w.attr("type", "result")
            .attr_opt("from", iq.attr("to"))
            .attr("to", from.as_str())
            .attr_opt("id", iq.attr("id"));
        w
    }

    fn reply(&mut self, to: &Jid, w: XmlWriter) {
        if let Some(conn) = self.by_jid.get(to.as_str()).copied() {
            self.deliver(conn, w.finish());
        }
    }

    /// A stanza to the server itself: discovery, ping, ICE servers.
    pub(super) fn host_stanza(&mut self, s: Element<'_>, from: &Jid, now: Time) {
        if s.name() == "presence" {
            if s.attr("type") == Some("unavailable") && s.attr("to").is_none() {
                self.gone(from, true, now);
            }
            return;
        }
        let kind = s.attr("type").unwrap_or_default();
        if s.name() != "iq" || !matches!(kind, "get" | "set") {
            return;
        }
        let Some(q) = s.children().next() else { return self.bounce(s, from, "bad-request") };
        let silent = self.faults.silent(Step::Disco);
        match (kind, q.name(), q.ns()) {
            ("get", "query", ns::DISCO_INFO) if !silent => {
                let mut w = self.answer(s, from);
                w.open("query", ns::DISCO_INFO).attr_opt("node", q.attr("node"));
                let own = [("server", "im", "jmeet testkit")].into_iter();
                let components = self.options.components.iter().map(|(k, a)| ("component", k.as_str(), a.as_str()));
                for (category, kind, name) in own.chain(components) {
                    w.open_same("identity").attr("category", category).attr("type", kind).attr("name", name).close();
                }
                for var in [ns::PING, ns::DISCO_INFO, ns::DISCO_ITEMS, ns::EXTDISCO, ns::EXTDISCO_1] {
                    w.open_same("feature").attr("var", var).close();
                }
                self.reply(from, w);
            }
            ("get", "query", ns::DISCO_ITEMS) if !silent => {
                let mut w = self.answer(s, from);
                w.open("query", ns::DISCO_ITEMS);
                for jid in [&self.muc_domain, &self.focus_domain] {
                    w.open_same("item").attr("jid", jid).close();
                }
                self.reply(from, w);
            }
            ("get", "services", ns::EXTDISCO | ns::EXTDISCO_1) if !silent => {
                let mut w = self.answer(s, from);
                w.open("services", q.ns());
                for (kind, host, port) in &self.options.services {
                    w.open_same("service").attr("type", kind).attr("host", host).attr_of("port", port);
                    w.attr("transport", "udp").close();
                }
                self.reply(from, w);
            }
            ("get", "query" | "services", ns::DISCO_INFO | ns::DISCO_ITEMS | ns::EXTDISCO | ns::EXTDISCO_1) => {}
            ("get", "ping", ns::PING) | ("set", "session", ns::SESSION) => {
                let w = self.answer(s, from);
                self.reply(from, w);
            }
            ("get", "query", "jabber:iq:roster") => {
                let mut w = self.answer(s, from);
                w.open("query", "jabber:iq:roster");
                self.reply(from, w);
            }
            _ => self.bounce(s, from, "service-unavailable"),
        }
    }
}
