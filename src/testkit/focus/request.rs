//! Conference requests and how they are answered, well or otherwise (docs/protocol/01 §7).

use super::conference::{Conference, Stage};
use super::{Focus, INITIAL_TIMEOUT, Io, MAX_ROOMS};
use crate::testkit::stanza;
use crate::time::Time;
use crate::wire::{Element, Jid, XmlWriter, ns};

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

/// A request that waits for the room to be ready.
pub(super) struct Request {
    pub from: String,
    pub to: String,
    pub id: String,
}

impl Focus {
    pub(super) fn conference_request(&mut self, iq: Element<'_>, conference: Element<'_>, now: Time) {
        let stanza_ns = self.io.options.stanza_ns.clone();
        let room = match conference.attr("room").map(Jid::parse) {
            Some(Ok(j)) if j.local().is_some() && j.resource().is_none() => j.as_str().to_owned(),
            _ => return self.io.push(stanza::error(iq, &stanza_ns, "modify", "bad-request", None)),
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
                return self.io.answer(&request, &room, false, None, |_| {});
            }
            Some(Refusal::SessionInvalid(n)) => {
                *n -= 1;
                let e = stanza::error_with(iq, &stanza_ns, "modify", "not-acceptable", None, |w| {
                    w.open("session-invalid", ns::FOCUS).close();
                });
                return self.io.push(e);
            }
            Some(Refusal::Condition(c)) => {
                let e = stanza::error(iq, &stanza_ns, stanza::error_type(c), c, None);
                return self.io.push(e);
            }
            Some(Refusal::Reservation { code, text }) => {
                let e = stanza::error_with(iq, &stanza_ns, "cancel", "not-allowed", Some(text), |w| {
                    w.open("reservation-error", ns::FOCUS).attr_of("error-code", code).close();
                });
                return self.io.push(e);
            }
            Some(Refusal::NotLive) => {
                return self.io.answer(&request, &room, false, None, |w| {
                    w.open_same("property").attr("name", "live").attr("value", "false").close();
                });
            }
            Some(Refusal::Redirect { vnode }) => {
                let vnode = vnode.clone();
                return self.io.answer(&request, &room, true, Some(&vnode), |_| {});
            }
        }
        if let Some(c) = self.rooms.get_mut(&room) {
            c.empty_until = c.empty_until.map(|_| now + INITIAL_TIMEOUT);
            if c.stage == Stage::Ready {
                return self.io.answer(&request, &room, true, None, |_| {});
            }
            return c.waiting.push(request);
        }
        if self.rooms.len() >= MAX_ROOMS {
            return self.io.push(stanza::error(iq, &stanza_ns, "wait", "resource-constraint", None));
        }
        let conference = Conference::new(&room, request, now + INITIAL_TIMEOUT);
        conference.join(&mut self.io);
        self.rooms.insert(room, conference);
    }
}

impl Io {
    pub(super) fn answer(
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
        self.push(w.finish());
    }
}
