//! Requests of others: refusal, dispatch, and the acknowledgement after the synchronous part (docs/protocol/02 §3.2, §4).

use super::error::{IqRefusal, acknowledge};
use super::refuse::{self, NOT_THE_FOCUS, Offerer};
use super::session::Operation;
use super::types::{DtlsRole, EndReason, Event, Output, Role, SessionState};
use super::{Jingle, Purpose, answer, content_modify, p2p, terminate};
use crate::time::Time;
use crate::wire::jingle::{self as wire, Action, Setup};
use crate::wire::{Element, Jid};

impl Jingle {
    /// A Jingle request (an IQ of type `set` or `get` whose payload is `jingle`) from `from`.
    pub fn on_iq(&mut self, from: &Jid, id: &str, payload: Element<'_>, now: Time) {
        let Some(j) = wire::Jingle::read(payload) else {
            return self.refuse(from, id, "", IqRefusal::UnknownAction);
        };
        let session = self.session.as_ref().filter(|s| s.sid == j.sid);
        if let Some(refusal) = refuse::refusal(session.map(|s| &s.peer), from, j.action, j.sid) {
            return self.refuse(from, id, j.action.as_str(), refusal);
        }
        match j.action {
            Action::SessionInitiate => match refuse::offerer(from, &self.conference) {
                Offerer::Focus => {
                    self.out.push_back(Output::Event(Event::BridgeOffered { sid: j.sid.to_owned() }));
                    return self.refuse(from, id, j.action.as_str(), IqRefusal::NotImplemented);
                }
                Offerer::Impostor => self.reject(from, &j, "security-error", NOT_THE_FOCUS),
                Offerer::Peer => self.on_offer(from, &j, now),
            },
            Action::SessionAccept => self.on_accept(&j),
            Action::SessionTerminate => {
                let r = j.reason.as_ref();
                let condition = r.map_or("", |r| r.condition).to_owned();
                self.end(EndReason::Peer { condition, text: r.map_or(String::new(), |r| r.text.to_string()) });
            }
            Action::TransportInfo => self.operate(Operation::Candidates(answer::candidates(&j))),
            Action::SourceAdd => self.operate(Operation::Add(j.sources)),
            Action::SourceRemove => self.operate(Operation::Remove(j.sources)),
            Action::ContentModify => self.on_content_modify(&j),
            _ => return self.refuse(from, id, j.action.as_str(), IqRefusal::UnknownAction),
        }
        self.out.push_back(Output::Reply(acknowledge(from, id)));
    }

    fn operate(&mut self, op: Operation) {
        if let Some(s) = &mut self.session {
            s.operate(op, &mut self.out);
        }
    }

    fn refuse(&mut self, from: &Jid, id: &str, action: &str, refusal: IqRefusal) {
        self.out.push_back(Output::Reply(refusal.reply(from, id)));
        let event = Event::Refused { from: from.clone(), action: action.to_owned(), with: refusal.as_str() };
        self.out.push_back(Output::Event(event));
    }

    /// Refuses an offer by a session-terminate; the acknowledgement follows it.
    fn reject(&mut self, from: &Jid, j: &wire::Jingle<'_>, condition: &'static str, text: &str) {
        let payload = terminate::request(j.sid, from.as_str(), condition, text);
        let key = super::SessionKey(0);
        self.send_to(from.clone(), key, Purpose::Told, payload);
        let action = j.action.as_str().to_owned();
        self.out.push_back(Output::Event(Event::Refused { from: from.clone(), action, with: condition }));
    }

    fn on_offer(&mut self, from: &Jid, j: &wire::Jingle<'_>, now: Time) {
        let busy = self.session.is_some();
        if let Some((condition, text)) = p2p::refusal(from, answer::is_p2p(j), busy, &self.conference, &self.config) {
            return self.reject(from, j, condition, text);
        }
        let sections = answer::sections(j);
        let transport = match answer::remote_transport(j, false) {
            Ok(t) => t,
            Err(why) => return self.reject(from, j, "failed-transport", why),
        };
        if answer::is_useless(&sections) {
            return self.reject(from, j, "incompatible-parameters", "no codec in common");
        }
        let negotiated = answer::negotiated(&sections);
        let session = self.begin(j.sid.to_owned(), from.clone(), Role::Responder, now);
        let Some(s) = &mut self.session else { return };
        s.setup = if transport.dtls == DtlsRole::Client { Setup::Active } else { Setup::Passive };
        s.sections = sections;
        self.out.push_back(Output::RemoteDescription { session, transport, negotiated });
        let sources = s.table.add(&j.sources, super::Authority::Peer(s.peer.resource().unwrap_or(""))).sources;
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesAdded { session, sources });
        }
        self.operate(Operation::Candidates(answer::candidates(j)));
    }

    fn on_accept(&mut self, j: &wire::Jingle<'_>) {
        let Some(s) = &mut self.session else { return };
        // One answer to one offer; whatever else comes under this name changes nothing.
        if s.role != Role::Initiator || s.state != SessionState::Pending || s.local.is_none() {
            return;
        }
        let mut sections = s.sections.clone();
        answer::apply(&mut sections, j);
        let transport = match answer::remote_transport(j, true) {
            Ok(t) if !answer::is_useless(&sections) => t,
            Ok(_) => return self.end(EndReason::BadDescription("no codec in common")),
            Err(why) => return self.end(EndReason::BadDescription(why)),
        };
        s.sections = sections;
        s.state = SessionState::Active;
        let negotiated = answer::negotiated(&s.sections);
        self.out.push_back(Output::RemoteDescription { session: s.key, transport, negotiated });
        let (key, by) = (s.key, super::Authority::Peer(s.peer.resource().unwrap_or("")));
        let sources = s.table.add(&j.sources, by).sources;
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesAdded { session: key, sources });
        }
        s.operate(Operation::Candidates(answer::candidates(j)), &mut self.out);
        s.resume(&mut self.out);
        // Always once after the answer (docs/protocol/02 §13).
        self.send_wanted();
        self.signal_sources();
    }

    fn on_content_modify(&mut self, j: &wire::Jingle<'_>) {
        let Some(s) = &mut self.session else { return };
        let r = content_modify::read(j, s.role);
        if !r.heights.is_empty() {
            self.out.push_back(Output::RemoteConstraints { session: s.key, heights: r.heights });
        }
        if let Some(wanted) = r.active.filter(|a| *a != s.video_wanted) {
            s.video_wanted = wanted;
            self.out.push_back(Output::LocalVideoWanted { session: s.key, wanted });
        }
    }
}
