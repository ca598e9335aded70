//! The bound stream: stream management, answers, what the domain offers, and the requests the stream answers itself
//! (docs/protocol/01 §4, §5.1–5.2, §9).

use super::{Phase, Stream};
use crate::time::Time;
use crate::wire::sm::{self, Sm};
use crate::wire::stream_error::stream_error;
use crate::wire::{Document, IqType, Jid, Stanza, StanzaKind, XmlWriter, bind, disco, extdisco, ns, stanza};
use crate::xmpp::error::{Step, StreamError};
use crate::xmpp::iq::{IqError, Purpose};
use crate::xmpp::options::{DISCO_TIMEOUT, EXTDISCO_TIMEOUT};
use crate::xmpp::output::Output;
use std::time::Duration;

impl Stream {
    pub(super) fn bound(&mut self, jid: Jid, now: Time) {
        let features = self.features.take().unwrap_or_default();
        self.phase = Phase::Bound;
        self.step_deadline = None;
        self.jid = Some(jid.clone());
        self.liveness.start(now);
        self.out.push_back(Output::Bound { jid });
        if features.session_required {
            let timeout = self.options.step_timeout;
            self.request(None, IqType::Set, &bind::session_payload(), Purpose::Session, timeout, now);
        }
        if features.sm {
            self.send(sm::enable(true));
            self.sm.requested();
            self.online_deadline = Some(now + self.options.step_timeout);
        } else {
            self.out.push_back(Output::Online { sm: false });
        }
        if !self.domain_known {
            self.ask_services(&disco::info_query(None), Purpose::Disco, DISCO_TIMEOUT, now);
        }
        if !self.services_known {
            let query = extdisco::services_query(ns::EXTDISCO);
            self.ask_services(&query, Purpose::Services2, EXTDISCO_TIMEOUT, now);
        }
    }

    pub(super) fn bound_frame(&mut self, document: Document, now: Time) {
        let root = document.root();
        if let Some(s) = Sm::read(root) {
            return self.sm_frame(s.ok(), now);
        }
        let Some(s) = Stanza::read(root) else {
            self.stats.unknown_frames += 1;
            return;
        };
        self.sm.received();
        if self.pushed(s) {
            return;
        }
        match s.iq_type() {
            Some(IqType::Result | IqType::Error) => {
                let purpose = self.jid.as_ref().and_then(|own| self.iqs.take(s, own));
                match purpose {
                    Some(purpose) => self.answered(purpose, document, now),
                    None => {
                        self.stats.stray_answers += 1;
                        self.out.push_back(Output::Stanza(document));
                    }
                }
            }
            Some(IqType::Get) => {
                let ping = s.payload().is_some_and(|p| p.is("ping", ns::PING));
                let reply = if ping { stanza::result_of(s).map(XmlWriter::finish) } else { self.caps.answer(s) };
                match reply {
                    Some(reply) => self.send_counted(reply),
                    None => self.out.push_back(Output::Stanza(document)),
                }
            }
            _ => self.out.push_back(Output::Stanza(document)),
        }
    }

    fn sm_frame(&mut self, s: Option<Sm>, now: Time) {
        match s {
            Some(Sm::Enabled { id, max }) => {
                if self.sm.enabled(id, max) {
                    self.online(true);
                }
            }
            Some(Sm::Failed { .. }) => {
                if self.sm.failed() {
                    self.online(false);
                }
            }
            Some(Sm::Request) => {
                if let Some(h) = self.sm.h() {
                    self.send(sm::ack(h));
                }
            }
            Some(Sm::Ack { h }) => {
                if self.sm.acked(h).is_err() {
                    self.send(stream_error("undefined-condition", "acknowledged stanzas that were not sent"));
                    self.protocol_error("the server acknowledged what was not sent", now);
                }
            }
            None => self.stats.unknown_frames += 1,
        }
        self.ask_for_ack();
    }

    pub(super) fn online(&mut self, sm: bool) {
        // Said already if the answer came after its time.
        if self.online_deadline.take().is_some() {
            self.out.push_back(Output::Online { sm });
        }
    }

    /// The domain's unsolicited discovery message (§4.2), whenever it comes. Only the domain itself may send it.
    pub(super) fn pushed(&mut self, s: Stanza<'_>) -> bool {
        if s.kind() != StanzaKind::Message || s.type_str() == "error" {
            return false;
        }
        let from_domain = s.from_str().is_none_or(|f| f == self.options.domain || f == self.options.services());
        let query = s.element().child("query", ns::DISCO_INFO).and_then(disco::Info::read);
        let services = s.element().children().find_map(extdisco::read_services);
        if !from_domain || (query.is_none() && services.is_none()) {
            return false;
        }
        if let Some(info) = query {
            self.domain_known = true;
            self.out.push_back(Output::Domain(Some(info)));
        }
        self.ice_servers(services.unwrap_or_default());
        true
    }

    /// An empty list keeps what is known: the reference would lose its defaults (§9.2).
    fn ice_servers(&mut self, servers: Vec<extdisco::IceServer>) {
        if !servers.is_empty() {
            self.services_known = true;
            self.out.push_back(Output::IceServers(servers));
        }
    }

    /// A request of ours was answered.
    fn answered(&mut self, purpose: Purpose, document: Document, now: Time) {
        let answer = Stanza::read(document.root());
        let error = answer.and_then(Stanza::error);
        let payload = answer.and_then(Stanza::payload);
        match purpose {
            Purpose::Upper(token) => {
                let result = match error {
                    Some(e) => Err(IqError::Error(e)),
                    None => Ok(document),
                };
                self.out.push_back(Output::IqAnswer { token, result });
            }
            Purpose::Session => {
                if let Some(e) = error {
                    let condition = e.condition.as_str().to_owned();
                    self.failed(StreamError::Bind { condition, text: e.text }, now);
                }
            }
            Purpose::Ping => self.liveness.answered(),
            Purpose::Disco => {
                let info = payload.filter(|_| error.is_none()).and_then(disco::Info::read);
                self.out.push_back(Output::Domain(info));
            }
            Purpose::Services2 if error.is_some() => {
                let query = extdisco::services_query(ns::EXTDISCO_1);
                self.ask_services(&query, Purpose::Services1, EXTDISCO_TIMEOUT, now);
            }
            Purpose::Services2 | Purpose::Services1 => {
                let servers = payload.filter(|_| error.is_none()).and_then(extdisco::read_services);
                self.ice_servers(servers.unwrap_or_default());
            }
        }
    }

    /// A request of ours was not answered in time.
    pub(super) fn unanswered(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Upper(token) => {
                self.out.push_back(Output::IqAnswer { token, result: Err(IqError::Timeout) });
            }
            Purpose::Session => self.fail(StreamError::Timeout(Step::Bind), true),
            Purpose::Ping => {
                if self.liveness.unanswered() {
                    self.fail(StreamError::PingTimeout, true);
                }
            }
            Purpose::Disco => self.out.push_back(Output::Domain(None)),
            Purpose::Services2 | Purpose::Services1 => {}
        }
    }

    /// Asks the domain that has the services.
    pub(super) fn ask_services(&mut self, payload: &str, purpose: Purpose, timeout: Duration, now: Time) {
        let to = Jid::parse(self.options.services()).ok();
        self.request(to.as_ref(), IqType::Get, payload, purpose, timeout, now);
    }
}
