//! Requests of others: refusal, dispatch, and the acknowledgement after the synchronous part (docs/protocol/02 §3.2, §4).

use super::error::{IqRefusal, acknowledge};
use super::p2p::Operation;
use super::refuse::{self, NOT_THE_FOCUS, Offerer};
use super::types::{Event, Output, SessionKind};
use super::{Jingle, describe, terminate};
use crate::time::Time;
use crate::wire::jingle::{self as wire, Action};
use crate::wire::{Element, Jid};

impl Jingle {
    /// A Jingle request (an IQ of type `set` or `get` whose payload is `jingle`) from `from`.
    pub fn on_iq(&mut self, from: &Jid, id: &str, payload: Element<'_>, now: Time) {
        let Some(j) = wire::Jingle::read(payload) else {
            return self.refuse(from, id, "", IqRefusal::UnknownAction);
        };
        if let Some(refusal) = refuse::refusal(self.peer_of(j.sid).map(|(_, peer)| peer), from, j.action, j.sid) {
            return self.refuse(from, id, j.action.as_str(), refusal);
        }
        let kind = self.peer_of(j.sid).map(|(kind, _)| kind);
        let action = j.action;
        match (action, kind) {
            (Action::SessionInitiate, _) => match refuse::offerer(from, &self.conference) {
                Offerer::Focus if self.config.bridge => self.on_bridge_offer(from, &j, now),
                Offerer::Focus => {
                    self.out.push_back(Output::Event(Event::BridgeOffered { sid: j.sid.to_owned() }));
                    return self.refuse(from, id, j.action.as_str(), IqRefusal::NotImplemented);
                }
                Offerer::Impostor => self.reject(from, &j, "security-error", NOT_THE_FOCUS),
                Offerer::Peer => self.on_p2p_offer(from, &j, now),
            },
            (_, Some(SessionKind::Bridge)) => {
                if let Some(refusal) = self.on_bridge_request(from, j, now) {
                    return self.refuse(from, id, action.as_str(), refusal);
                }
            }
            (Action::SessionAccept, _) => self.on_accept(&j),
            (Action::SessionTerminate, _) => self.end_p2p(terminate::reason(&j)),
            (Action::TransportInfo, _) => self.operate_p2p(Operation::Candidates(describe::candidates(&j))),
            (Action::SourceAdd, _) => self.operate_p2p(Operation::Add(j.sources)),
            (Action::SourceRemove, _) => self.operate_p2p(Operation::Remove(j.sources)),
            (Action::ContentModify, _) => self.on_content_modify(&j),
            // Said yes to and not done, it would leave the sender waiting (docs/protocol/02 §12).
            (Action::TransportReplace, _) => {
                return self.refuse(from, id, j.action.as_str(), IqRefusal::NotImplemented);
            }
            _ => return self.refuse(from, id, j.action.as_str(), IqRefusal::UnknownAction),
        }
        self.out.push_back(Output::Reply(acknowledge(from, id)));
    }

    /// The session of this id: its kind, and who speaks for the other side.
    fn peer_of(&self, sid: &str) -> Option<(SessionKind, &Jid)> {
        let bridge = self.bridge.session.as_ref().filter(|s| s.sid == sid).map(|s| (SessionKind::Bridge, &s.focus));
        bridge.or_else(|| self.p2p.session.as_ref().filter(|s| s.sid == sid).map(|s| (SessionKind::P2p, &s.peer)))
    }

    fn refuse(&mut self, from: &Jid, id: &str, action: &str, refusal: IqRefusal) {
        self.out.push_back(Output::Reply(refusal.reply(from, id)));
        let event = Event::Refused { from: from.clone(), action: action.to_owned(), with: refusal.as_str() };
        self.out.push_back(Output::Event(event));
    }

    /// Refuses an offer by a session-terminate; the acknowledgement follows it.
    pub(super) fn reject(&mut self, from: &Jid, j: &wire::Jingle<'_>, condition: &'static str, text: &str) {
        let payload = terminate::request(j.sid, from.as_str(), condition, text);
        self.tell(from.clone(), payload);
        let action = j.action.as_str().to_owned();
        self.out.push_back(Output::Event(Event::Refused { from: from.clone(), action, with: condition }));
    }
}
