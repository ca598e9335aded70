//! Requests of the focus (docs/protocol/02 §4–§5, §8, §10–§12).

use super::session::{Change, MAX_QUEUED_CHANGES, Session};
use super::{ice_restart, offer};
use crate::jingle::error::IqRefusal;
use crate::jingle::sources::Authority;
use crate::jingle::types::{BridgeState, EndReason, Event, Output, Removal};
use crate::jingle::{Jingle, terminate};
use crate::time::Time;
use crate::wire::Jid;
use crate::wire::jingle::{self as wire, Action};

impl Jingle {
    /// A session-initiate of the focus. One that comes while a session runs replaces it: the focus has forgotten that
    /// one, or died meanwhile (docs/protocol/02 §23.2, §23.17).
    pub(in crate::jingle) fn on_bridge_offer(&mut self, from: &Jid, j: &wire::Jingle<'_>, now: Time) {
        match offer::read(j) {
            Ok(offer) => self.begin_bridge(from, j, offer, Action::SessionAccept, now),
            Err((condition, why)) => self.reject(from, j, condition, why),
        }
    }

    fn begin_bridge(
        &mut self,
        from: &Jid,
        j: &wire::Jingle<'_>,
        offer: offer::Offer,
        answer: Action<'static>,
        now: Time,
    ) {
        let same_id = self.bridge.session.as_mut().filter(|s| s.sid == j.sid);
        let told_before =
            same_id.map(|s| s.told.drain(..).chain(s.told_before.drain(..)).collect()).unwrap_or_default();
        self.end_bridge(EndReason::Replaced);
        self.bridge.awaited = None;
        self.bridge.restarts.session_began();
        let session = self.new_key();
        let deadline = now + self.config.accept_timeout;
        let mut s = Session::new(session, j.sid.to_owned(), from.clone(), answer, &offer, deadline);
        s.told_before = told_before;
        let sources = s.table.add(&self.bridge.leavers.filter(&j.sources), Authority::Focus).sources;
        self.bridge.session = Some(s);
        let offer::Offer { transport, candidates, negotiated, bridge, .. } = offer;
        self.out.push_back(Output::Event(Event::Bridge { session, state: BridgeState::Starting }));
        self.out.push_back(Output::CreateEngine { session, controlling: false, bridge: Some(bridge) });
        self.out.push_back(Output::RemoteDescription { session, transport, negotiated });
        if !candidates.is_empty() {
            // At once: the bridge answers checks before it has our accept, which saves a round trip.
            self.out.push_back(Output::RemoteCandidates { session, candidates });
        }
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesAdded { session, sources });
        }
    }

    /// Any other request of the focus about the session.
    pub(in crate::jingle) fn on_bridge_request(
        &mut self,
        from: &Jid,
        j: wire::Jingle<'_>,
        now: Time,
    ) -> Option<IqRefusal> {
        // Whoever took the name of a focus that is gone is not heard.
        if self.conference.focus.as_ref() != Some(from) {
            return Some(IqRefusal::UnknownSession);
        }
        match j.action {
            Action::SessionTerminate => {
                let alone = j.reason.as_ref().is_some_and(|r| r.condition == "expired");
                self.end_bridge(terminate::reason(&j));
                // After a time alone the next invitation comes with the next participant.
                if !alone {
                    self.await_invitation(now);
                }
            }
            Action::SourceAdd => self.change(Change::Add(j.sources)),
            Action::SourceRemove => self.change(Change::Remove(j.sources)),
            Action::TransportInfo => {
                // Without a generation it says nothing new.
                if let Some(restart) = ice_restart::read(&j) {
                    self.change(restart);
                }
            }
            // All of the session begins anew under the same id.
            Action::TransportReplace => match offer::read(&j) {
                Ok(offer) => self.begin_bridge(from, &j, offer, Action::TransportAccept, now),
                Err(_) => return Some(IqRefusal::NotImplemented),
            },
            Action::SessionAccept | Action::ContentModify => {}
            _ => return Some(IqRefusal::UnknownAction),
        }
        None
    }

    /// Applies a change, or keeps it until our accept is acknowledged.
    fn change(&mut self, change: Change) {
        let Some(s) = &mut self.bridge.session else { return };
        if s.resumed {
            return self.apply(change);
        }
        s.queue.push(change);
        if s.queue.len() > MAX_QUEUED_CHANGES {
            self.apply_queued();
        }
    }

    pub(super) fn apply_queued(&mut self) {
        let Some(s) = &mut self.bridge.session else { return };
        for change in std::mem::take(&mut s.queue) {
            self.apply(change);
        }
    }

    fn apply(&mut self, change: Change) {
        let Some(s) = &mut self.bridge.session else { return };
        let session = s.key;
        let removes = matches!(change, Change::Remove(_));
        let output = match change {
            Change::Add(map) => {
                let sources = s.table.add(&self.bridge.leavers.filter(&map), Authority::Focus).sources;
                (!sources.is_empty()).then_some(Output::SourcesAdded { session, sources })
            }
            Change::Remove(map) => {
                let sources = s.table.remove(&map, Authority::Focus).sources;
                let because = Removal::Signalled;
                (!sources.is_empty()).then_some(Output::SourcesRemoved { session, sources, because })
            }
            Change::RestartIce { generation, credentials, candidates } => {
                // Recorded before it is tried: one that fails is not repeated, a newer one is.
                let last = std::mem::replace(&mut s.generation, generation);
                s.generation = generation.max(last);
                (generation > last).then_some(Output::RestartIce { session, generation, credentials, candidates })
            }
        };
        self.out.extend(output);
        if removes {
            self.sources_went();
        }
    }
}
