//! What the session does about a lost path, by the policy of `restart`, and how long it waits to be invited again
//! (docs/protocol/02 §10.4, §11, §23.15–17).

use super::restart::{Step, Verdict};
use super::{Asked, Session};
use crate::jingle::types::{
    BridgeState, EndReason, Event, IqAnswer, Output, RejoinReason, RestartRefusal, SessionKey, SessionState, due,
};
use crate::jingle::{Jingle, Purpose};
use crate::time::{Time, earliest};
use crate::wire::Condition;
use crate::wire::jingle::{self as wire, Action, BridgeSession, Reason};
use std::time::Duration;

/// How long a new session-initiate is waited for after the focus ended the session: it comes within 4 s, or never.
pub const REINVITE_WAIT: Duration = Duration::from_secs(10);

impl Jingle {
    /// The stream to the server is up, or down: while it is down nothing is asked, and no wait ends.
    pub fn set_online(&mut self, online: bool, now: Time) {
        let held = self.held();
        self.bridge.offline = !online;
        self.hold_changed(held, now);
    }

    /// Asks the focus for a new ICE agent of the bridge, in the session as it is, as soon as our budget allows. What
    /// comes of it is [`Output::RestartIce`].
    pub fn request_ice_restart(&mut self, key: SessionKey, now: Time) -> Result<(), RestartRefusal> {
        self.may_restart(key)?;
        if self.bridge.restarts.unsupported {
            return Err(RestartRefusal::NotSupported);
        }
        self.want_restart(Step::InPlace, now)
    }

    /// Asks the focus for a new session in place of this one, which ends by it, as soon as our budget allows. One too
    /// many since media was stable ends in [`Event::RejoinWanted`].
    pub fn restart_session(&mut self, key: SessionKey, now: Time) -> Result<(), RestartRefusal> {
        self.may_restart(key)?;
        self.want_restart(Step::Full, now)
    }

    fn want_restart(&mut self, step: Step, now: Time) -> Result<(), RestartRefusal> {
        match self.bridge.restarts.want(step, now) {
            Verdict::Restart => self.restart_due(now),
            Verdict::UnderWay => return Err(RestartRefusal::UnderWay),
            Verdict::Exhausted => self.give_up(EndReason::Restarting, now),
        }
        Ok(())
    }

    fn give_up(&mut self, reason: EndReason, now: Time) {
        self.end_bridge(reason);
        self.rejoin(RejoinReason::RestartsExhausted, now);
    }

    /// Only joining again helps: at once, unless something speaks against it.
    pub(super) fn rejoin(&mut self, reason: RejoinReason, now: Time) {
        self.bridge.awaited = Some((now, reason));
        self.recovery_timeout(now);
    }

    fn may_restart(&self, key: SessionKey) -> Result<(), RestartRefusal> {
        let ready = |s: &&Session| s.key == key && s.state == SessionState::Active;
        let s = self.bridge.session.as_ref().filter(ready).ok_or(RestartRefusal::NoSession)?;
        if s.bridge_id.is_none() {
            return Err(RestartRefusal::NoBridgeId);
        }
        Ok(())
    }

    pub(in crate::jingle) fn bridge_connected(&mut self, now: Time) {
        self.bridge.restarts.connected(now);
        if let Some(s) = self.bridge.session.as_mut().filter(|s| !s.connected) {
            s.connected = true;
            let event = Event::Bridge { session: s.key, state: BridgeState::Active };
            self.out.push_back(Output::Event(event));
        }
    }

    pub(in crate::jingle) fn bridge_ice_failed(&mut self, now: Time) {
        self.bridge_lost(EndReason::IceFailed, now);
    }

    pub(in crate::jingle) fn bridge_media_failed(&mut self, reason: EndReason, now: Time) {
        self.bridge_lost(reason, now);
    }

    /// The session carries nothing any more; `reason` is why it ends if no other can be asked for.
    pub(super) fn bridge_lost(&mut self, reason: EndReason, now: Time) {
        let Some(s) = &mut self.bridge.session else { return };
        // Without the id the focus takes no request.
        let verdict = match s.bridge_id {
            Some(_) => self.bridge.restarts.lost(now),
            None => Verdict::Exhausted,
        };
        if verdict != Verdict::Exhausted && (std::mem::take(&mut s.connected) || verdict == Verdict::Restart) {
            let event = Event::Bridge { session: s.key, state: BridgeState::Recovering };
            self.out.push_back(Output::Event(event));
        }
        match verdict {
            Verdict::UnderWay => {}
            Verdict::Restart => self.restart_due(now),
            Verdict::Exhausted => self.give_up(reason, now),
        }
    }

    pub(super) fn recovery_deadline(&self) -> Option<Time> {
        if self.held() {
            return None;
        }
        let restart = self.bridge.session.as_ref().and_then(|_| self.bridge.restarts.deadline());
        earliest(restart, self.bridge.awaited.as_ref().filter(|_| !self.peer_carries()).map(|(until, _)| *until))
    }

    pub(super) fn recovery_timeout(&mut self, now: Time) {
        if self.held() {
            return;
        }
        self.restart_due(now);
        if self.peer_carries() {
            return;
        }
        let Some((_, reason)) = self.bridge.awaited.take_if(|(until, _)| due(Some(*until), now)) else { return };
        // Alone in the room nobody is invited: that comes with the next participant.
        if reason != RejoinReason::NotInvited || !self.conference.participants.is_empty() {
            self.out.push_back(Output::Event(Event::RejoinWanted(reason)));
        }
    }

    /// Media flows without the bridge: leaving the room would end that, and can wait until it ends by itself.
    fn peer_carries(&self) -> bool {
        self.p2p.session.as_ref().is_some_and(|s| s.connected)
    }

    fn restart_due(&mut self, now: Time) {
        if self.held() || self.bridge.session.is_none() {
            return;
        }
        match self.bridge.restarts.take_due(now) {
            Some(Step::InPlace) => self.ask_in_place(now),
            Some(Step::Full) => self.ask_anew(now),
            None => {}
        }
    }

    /// Nothing is to be asked now: the focus has no bridge and says so, or we cannot be heard.
    fn held(&self) -> bool {
        self.bridge.offline || self.conference.bridge_not_available
    }

    /// What held us may have gone: then every wait begins anew.
    pub(super) fn hold_changed(&mut self, was_held: bool, now: Time) {
        if was_held && !self.held() {
            if let Some((until, _)) = &mut self.bridge.awaited {
                *until = now + REINVITE_WAIT;
            }
            self.restart_due(now);
        }
    }

    fn ask_in_place(&mut self, now: Time) {
        let Some(s) = &self.bridge.session else { return };
        let mut j = wire::Jingle::new(Action::SessionInfo, &s.sid);
        j.initiator = Some(s.focus.as_str());
        let ice_restart = Some(true);
        j.bridge_session = Some(BridgeSession { id: s.bridge_id.as_deref(), ice_restart, ..BridgeSession::default() });
        let payload = j.to_xml();
        self.bridge.restarts.in_place.spend(now);
        self.bridge.restarts.asked_in_place(now);
        self.ask_focus(Asked::IceRestart, payload);
    }

    pub(super) fn in_place_answered(&mut self, answer: &IqAnswer, now: Time) {
        match answer {
            // Accepted, not done: the focus asks the bridge now.
            IqAnswer::Result => self.bridge.restarts.in_place_accepted(now),
            IqAnswer::Error(e) => {
                self.bridge.restarts.unsupported |= e.condition == Condition::FeatureNotImplemented;
                if let Some(s) = &self.bridge.session {
                    let event = Event::IceRestartRefused { session: s.key, condition: e.condition.as_str() };
                    self.out.push_back(Output::Event(event));
                }
                self.bridge.restarts.in_place_failed();
            }
            IqAnswer::Timeout => self.bridge.restarts.in_place_failed(),
        }
        self.restart_due(now);
    }

    /// Ends the session and asks for another one.
    fn ask_anew(&mut self, now: Time) {
        let Some(s) = &self.bridge.session else { return };
        let mut j = wire::Jingle::new(Action::SessionTerminate, &s.sid);
        j.initiator = Some(s.focus.as_str());
        j.reason = Some(Reason { condition: "connectivity-error", text: "ICE FAILED".into() });
        j.bridge_session =
            Some(BridgeSession { id: s.bridge_id.as_deref(), restart: Some(true), ..BridgeSession::default() });
        let (payload, to, key) = (j.to_xml(), s.focus.clone(), s.key);
        self.bridge.restarts.full.spend(now);
        self.ask(to, key, Purpose::Bridge(Asked::Restart), payload);
        self.end_bridge(EndReason::Restarting);
        self.await_invitation(now);
    }

    /// The session is over by the focus's will, or by ours: another one should come.
    pub(super) fn await_invitation(&mut self, now: Time) {
        self.bridge.awaited = Some((now + REINVITE_WAIT, RejoinReason::NotInvited));
    }

    /// The focus heard of the restart, or never will. Errors are waited out like its word: the session-initiate may be
    /// on its way for another reason, and one that was asked for too often wants to be left alone.
    pub(super) fn restart_answered(&mut self, answer: &IqAnswer, now: Time) {
        if self.bridge.session.is_some() {
            return;
        }
        let Some((until, _)) = &mut self.bridge.awaited else { return };
        *until = match answer {
            IqAnswer::Result | IqAnswer::Error(_) => now + REINVITE_WAIT,
            IqAnswer::Timeout => now,
        };
        self.recovery_timeout(now);
    }
}
