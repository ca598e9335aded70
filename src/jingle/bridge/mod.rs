//! The session with the bridge, which the focus begins, changes and ends (docs/protocol/02 §5–§12, §16, §18, §23).

mod accept;
mod ice_restart;
mod leavers;
mod offer;
mod own_sources;
mod recovery;
mod requests;
mod restart;
mod session;

pub use accept::{MAX_ACCEPT_CANDIDATES, MAX_FRAME_BYTES};
pub use leavers::MAX_LEFT_ENDPOINTS;
pub use offer::MAX_WEB_SOCKETS;
pub use own_sources::{MAX_GROUPS_OF_OURS, MAX_SSRCS_OF_OURS};
pub use recovery::REINVITE_WAIT;
pub use restart::{
    IN_PLACE_WAIT, MAX_RESTART_ATTEMPTS, MAX_RESTARTS_IN_WINDOW, MIN_BETWEEN_RESTARTS, RESTART_WINDOW, STABLE_AFTER,
};
pub use session::MAX_QUEUED_CHANGES;

pub(super) use session::Session;

use super::types::{
    BridgeState, Conference, EndReason, Event, IceCandidate, IqAnswer, LocalSource, LocalTransport, Output,
    RejoinReason, Removal, SessionKey, SessionState, SourceRefusal, due,
};
use super::{Jingle, Purpose};
use crate::time::{Time, earliest};
use crate::wire::jingle::Action;
use crate::wire::{Condition, StanzaError};
use accept::Accept;
use leavers::Leavers;
use restart::Restarts;

/// What was asked of the focus.
#[derive(Debug)]
pub(super) enum Asked {
    /// With these sources.
    Accept(Vec<LocalSource>),
    Add(Vec<LocalSource>),
    Remove,
    IceRestart,
    Restart,
}

/// Everything about the bridge.
#[derive(Debug, Default)]
pub(super) struct Bridge {
    pub session: Option<Session>,
    /// Sources as they were when the focus refused them: they are not signalled again before they change, in no session.
    refused: Vec<LocalSource>,
    /// Sources that break a rule of the focus now, with that rule: they are signalled once they break none.
    broken: Vec<(LocalSource, SourceRefusal)>,
    last_n: Option<u32>,
    leavers: Leavers,
    restarts: Restarts,
    /// By when the focus must have invited us again, and why we want to join again otherwise.
    awaited: Option<(Time, RejoinReason)>,
    /// Our stream is down.
    offline: bool,
}

impl Jingle {
    /// How many videos the next accept asks for at most, until the bridge channel is open; `None` leaves it to the bridge.
    pub fn set_initial_last_n(&mut self, last_n: Option<u32>) {
        self.bridge.last_n = last_n;
    }

    pub(super) fn bridge_deadline(&self) -> Option<Time> {
        let session = self.bridge.session.as_ref().and_then(|s| s.deadline);
        earliest(session, self.recovery_deadline())
    }

    pub(super) fn bridge_timeout(&mut self, now: Time) {
        if self.bridge.session.as_mut().is_some_and(|s| s.deadline.take_if(|d| due(Some(*d), now)).is_some()) {
            // Our own engine does not answer: another one may.
            self.bridge_lost(EndReason::NotAnswered, now);
        }
        self.recovery_timeout(now);
    }

    /// The room changed: who left takes his sources along.
    pub(super) fn bridge_conference(&mut self, before: &Conference, now: Time) {
        self.hold_changed(self.bridge.offline || before.bridge_not_available, now);
        let left = self.bridge.leavers.update(before, &self.conference);
        if before.own.is_some() && before.own != self.conference.own {
            return self.leave_bridge();
        }
        let Some(s) = &mut self.bridge.session else { return };
        for endpoint in left {
            let sources = s.table.remove_owner(&endpoint);
            if !sources.is_empty() {
                let because = Removal::OwnerLeft;
                self.out.push_back(Output::SourcesRemoved { session: s.key, sources, because });
            }
        }
        self.sources_went();
    }

    /// Sources of others went: an SSRC of ours that one of them had may be free now.
    pub(super) fn sources_went(&mut self) {
        if !self.bridge.broken.is_empty() {
            self.signal_sources_to_bridge();
        }
    }

    pub(super) fn leave_bridge(&mut self) {
        self.bridge.leavers = Leavers::default();
        self.bridge.restarts.forget_attempts();
        self.bridge.awaited = None;
        self.end_bridge(EndReason::Left);
    }

    /// The engine's credentials: the answer goes out.
    pub(super) fn bridge_transport(&mut self, local: LocalTransport, candidates: &[IceCandidate]) {
        let Some(s) = self.bridge.session.as_mut().filter(|s| s.local.is_none()) else { return };
        let Some(own) = &self.conference.own else { return };
        s.deadline = None;
        s.state = SessionState::Active;
        let all = wanted(&self.sources, &self.bridge.refused, &mut self.bridge.broken, s, &mut self.out);
        let mut sources = all.clone();
        let accept = Accept {
            action: s.answer,
            sid: &s.sid,
            initiator: s.focus.as_str(),
            responder: own.as_str(),
            trace: s.trace.as_ref(),
            contents: &s.contents,
            transport: &local,
            setup: s.setup,
            last_n: self.bridge.last_n,
        };
        let ids: Vec<String> = candidates.iter().take(MAX_ACCEPT_CANDIDATES).map(|_| self.env.hex(10)).collect();
        let payload = accept.fitted(&mut sources, candidates, &ids, accept::budget(s.focus.as_str()));
        s.local = Some(local);
        s.told.clone_from(&sources);
        // It may hold what went meanwhile: that is taken back, in vain if it does not.
        let meanwhile = std::mem::take(&mut s.told_before).into_iter();
        s.told.extend(meanwhile.filter(|b| !all.iter().any(|x| own_sources::same(x, b))));
        self.ask_focus(Asked::Accept(sources), payload);
    }

    pub(super) fn bridge_answer(&mut self, key: SessionKey, asked: Asked, answer: IqAnswer, now: Time) {
        if matches!(asked, Asked::Restart) {
            return self.restart_answered(&answer, now);
        }
        let Some(s) = self.bridge.session.as_mut().filter(|s| s.key == key) else { return };
        match (asked, answer) {
            (Asked::Accept(_), IqAnswer::Result) => {
                s.resumed = true;
                self.apply_queued();
            }
            (Asked::Accept(sources), IqAnswer::Error(e)) => self.accept_refused(key, sources, &e, now),
            (Asked::Accept(_), IqAnswer::Timeout) => self.bridge_lost(EndReason::NotAnswered, now),
            (Asked::Add(sources), IqAnswer::Error(e)) => {
                s.unanswered -= 1;
                s.told.retain(|t| !sources.iter().any(|r| own_sources::same(r, t)));
                // Of a focus that is gone the room says so: the next one may be told again.
                if !about_sources(&e) {
                    s.untold.extend(sources.iter().cloned());
                }
                self.refused_by_focus(key, sources, &e);
            }
            (Asked::Add(sources), IqAnswer::Timeout) => {
                s.unanswered -= 1;
                s.told.retain(|t| !sources.iter().any(|r| own_sources::same(r, t)));
                s.untold.extend(sources.iter().cloned());
                self.refuse_sources(key, sources, SourceRefusal::NotAnswered);
            }
            // A source that the focus does not know is removed all the same.
            (Asked::Add(_), IqAnswer::Result) | (Asked::Remove, _) => s.unanswered -= 1,
            (Asked::IceRestart, answer) => self.in_place_answered(&answer, now),
            (Asked::Restart, _) => {}
        }
        self.signal_sources_to_bridge();
    }

    /// Tells the focus what came and what went: what went first, one change at a time.
    pub(super) fn signal_sources_to_bridge(&mut self) {
        // What is no source of ours any more may be tried again should it come back.
        let sources = &self.sources;
        self.bridge.refused.retain(|r| sources.iter().any(|s| own_sources::same(s, r)));
        if let Some(s) = &mut self.bridge.session {
            s.untold.retain(|r| sources.iter().any(|s| own_sources::same(s, r)));
        }
        let Some(s) = self.bridge.session.as_mut().filter(|s| s.resumed && s.unanswered == 0) else { return };
        let wanted = wanted(&self.sources, &self.bridge.refused, &mut self.bridge.broken, s, &mut self.out);
        let lacks = |list: &[LocalSource], x: &LocalSource| !list.iter().any(|y| own_sources::same(x, y));
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut s.told).into_iter().partition(|t| lacks(&wanted, t));
        let new: Vec<LocalSource> = wanted.into_iter().filter(|w| lacks(&kept, w)).collect();
        s.told = kept;
        s.told.extend_from_slice(&new);
        let (sid, focus) = (&s.sid, s.focus.as_str());
        let request = |action, sources| own_sources::requests(action, sid, focus, sources, accept::budget(focus));
        let (removals, additions) = (request(Action::SourceRemove, &gone), request(Action::SourceAdd, &new));
        s.unanswered = removals.len() + additions.len();
        for (_, payload) in removals {
            self.ask_focus(Asked::Remove, payload);
        }
        for (sources, payload) in additions {
            self.ask_focus(Asked::Add(sources), payload);
        }
    }

    /// The focus holds the session for ended (docs/protocol/02 §3.5).
    fn accept_refused(&mut self, key: SessionKey, sources: Vec<LocalSource>, e: &StanzaError, now: Time) {
        let replaced = self.bridge.session.as_ref().is_some_and(|s| s.answer == Action::TransportAccept);
        self.end_bridge(EndReason::NotAnswered);
        if about_sources(e) && !sources.is_empty() {
            // What was on its way when the session was replaced under its id came after, and counts as said twice: only the
            // accept of a session of its own tells whether the sources break a rule. After that one goes without them.
            if !replaced {
                self.refused_by_focus(key, sources, e);
            }
            let (condition, text) = (e.condition.as_str(), e.text.clone());
            self.rejoin(RejoinReason::AcceptRefused { condition, text }, now);
        } else {
            // Of a session that was replaced, or that nobody knows any more: another one is on its way, or not.
            self.await_invitation(now);
        }
    }

    fn refused_by_focus(&mut self, key: SessionKey, sources: Vec<LocalSource>, e: &StanzaError) {
        let (condition, text) = (e.condition.as_str(), e.text.clone());
        self.refuse_sources(key, sources, SourceRefusal::Refused { condition, text });
    }

    fn refuse_sources(&mut self, session: SessionKey, sources: Vec<LocalSource>, why: SourceRefusal) {
        if sources.is_empty() {
            return;
        }
        let names = sources.iter().map(|s| s.name.clone()).collect();
        let untold = self.bridge.session.as_ref().map_or(&[][..], |s| &s.untold);
        let broke_rules = |x: &LocalSource| !untold.iter().any(|u| own_sources::same(u, x));
        self.bridge.refused.extend(sources.into_iter().filter(broke_rules));
        self.out.push_back(Output::Event(Event::SourcesRefused { session, names, why }));
    }

    /// Ends the session here. The focus is told nothing: it knows, or the caller tells it.
    pub(super) fn end_bridge(&mut self, reason: EndReason) {
        let Some(mut s) = self.bridge.session.take() else { return };
        let (session, sources) = (s.key, s.table.drain());
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesRemoved { session, sources, because: Removal::SessionEnded });
        }
        self.out.push_back(Output::CloseEngine { session });
        self.out.push_back(Output::Event(Event::Bridge { session, state: BridgeState::Ended(reason) }));
    }

    /// Sends a request within the session.
    fn ask_focus(&mut self, asked: Asked, payload: String) {
        if let Some((to, key)) = self.bridge.session.as_ref().map(|s| (s.focus.clone(), s.key)) {
            self.ask(to, key, Purpose::Bridge(asked), payload);
        }
    }
}

/// Whether an error says that our sources break a rule, and not that the focus is gone or knows no session.
fn about_sources(e: &StanzaError) -> bool {
    match e.condition {
        Condition::Forbidden | Condition::ResourceConstraint | Condition::NotAllowed => true,
        // With the rule that was broken; without any text it does not know the session.
        Condition::BadRequest => !e.text.is_empty(),
        _ => false,
    }
}

/// Our sources as the focus should know them; those that break its rules are reported once.
fn wanted(
    sources: &[LocalSource],
    refused: &[LocalSource],
    broken: &mut Vec<(LocalSource, SourceRefusal)>,
    s: &Session,
    out: &mut impl Extend<Output>,
) -> Vec<LocalSource> {
    let candidates = sources.iter().filter(|x| {
        let old = refused.iter().chain(&s.untold).any(|r| own_sources::same(r, x));
        !x.encodings.is_empty() && s.contents.has(x.media) && !old
    });
    let (good, bad) = own_sources::checked(candidates, &s.told, &s.table);
    for (x, why) in &bad {
        if !broken.iter().any(|(b, known)| own_sources::same(b, x) && known == why) {
            let (names, why) = (vec![x.name.clone()], why.clone());
            out.extend([Output::Event(Event::SourcesRefused { session: s.key, names, why })]);
        }
    }
    *broken = bad.into_iter().map(|(x, why)| (x.clone(), why)).collect();
    good.into_iter().cloned().collect()
}
