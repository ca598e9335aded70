//! The conference request: what each answer of the focus means, and when to ask again; docs/protocol/01 §7.5, §7.6.

use super::{IqFailure, RoomConfig, RoomError};
use crate::Time;
use crate::wire::conference_request::{ConferenceAnswer, ConferenceRequest};
use crate::wire::{Condition, Element, ErrorType, Jid, Stanza, StanzaError};
use std::collections::VecDeque;
use std::time::Duration;

/// How long the focus may take to answer (default 20 s); some requests get no answer at all.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest pause between two conference requests (default 120 s).
pub const MAX_BACKOFF: Duration = Duration::from_secs(120);
/// A session error is retried while its pause is shorter than this (default 60 s): six times.
pub const MAX_SESSION_BACKOFF: Duration = Duration::from_secs(60);
/// How often a request is repeated that nobody answered or that met no focus (default 3).
pub const MAX_UNAVAILABLE_RETRIES: u32 = 3;
/// Conference requests of one room in any minute (default 10): the budget that holds whatever the reason to ask.
pub const REQUESTS_PER_MINUTE: usize = 10;

const MINUTE: Duration = Duration::from_secs(60);

/// What follows from an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ready,
    /// Ask again after this pause.
    Again(Duration),
    Failed(RoomError),
}

/// The state that lives from request to request.
#[derive(Default)]
pub(super) struct Requester {
    session_id: String,
    not_ready: u32,
    session_errors: u32,
    unavailable: u32,
    /// Monotonic µs of the requests of the last minute.
    sent: VecDeque<u64>,
    /// Focus that the last answer named.
    pub(super) focus_jid: Option<Jid>,
    pub(super) visitors_supported: bool,
}

impl Requester {
    /// The payload of the request.
    pub(super) fn payload(&self, config: &RoomConfig) -> String {
        ConferenceRequest {
            room: &config.room,
            machine_uid: &config.machine_uid,
            session_id: &self.session_id,
            token: &config.token,
        }
        .write()
    }

    /// Takes one request out of the budget, or says when there will be one.
    pub(super) fn take(&mut self, now: Time) -> Result<(), Time> {
        let minute = MINUTE.as_micros() as u64;
        while self.sent.front().is_some_and(|t| now.mono_us.saturating_sub(*t) >= minute) {
            self.sent.pop_front();
        }
        match self.sent.front() {
            Some(oldest) if self.sent.len() >= REQUESTS_PER_MINUTE => {
                let age = Duration::from_micros(now.mono_us.saturating_sub(*oldest));
                Err(now + MINUTE.saturating_sub(age))
            }
            _ => {
                self.sent.push_back(now.mono_us);
                Ok(())
            }
        }
    }

    /// Judges what came back.
    pub(super) fn answer(&mut self, answer: Result<Element<'_>, IqFailure>) -> Verdict {
        let iq = match answer {
            Ok(iq) => iq,
            Err(IqFailure::Timeout) => return self.unavailable(RoomError::RequestTimeout),
            Err(IqFailure::Refused(error)) => return self.refused(error),
            Err(IqFailure::Disconnected) => return Verdict::Failed(RoomError::Disconnected),
        };
        let Some(stanza) = Stanza::read(iq) else { return Verdict::Failed(RoomError::RequestUnreadable) };
        if let Some(error) = stanza.error() {
            return self.refused(error);
        }
        let Some(answer) = stanza.payload().and_then(ConferenceAnswer::read) else {
            return Verdict::Failed(RoomError::RequestUnreadable);
        };
        self.session_errors = 0;
        self.unavailable = 0;
        self.visitors_supported = answer.visitors_supported;
        if let Some(id) = answer.session_id {
            self.session_id = id;
        }
        self.focus_jid = answer.focus_jid;
        if !answer.live {
            self.not_ready = 0;
            return Verdict::Failed(RoomError::NotLive);
        }
        if !answer.ready {
            self.not_ready = self.not_ready.saturating_add(1);
            return Verdict::Again(backoff(self.not_ready));
        }
        self.not_ready = 0;
        match answer.vnode {
            Some(vnode) => Verdict::Failed(RoomError::Redirected { vnode, focus: self.focus_jid.clone() }),
            None => Verdict::Ready,
        }
    }

    fn refused(&mut self, error: StanzaError) -> Verdict {
        let application = error.application.as_ref();
        if let Some(a) = application.filter(|a| a.name == "reservation-error") {
            let code = a.attr("error-code").unwrap_or("").to_owned();
            return Verdict::Failed(RoomError::Reservation { code, text: error.text });
        }
        if error.condition == Condition::NotAcceptable || application.is_some_and(|a| a.name == "session-invalid") {
            self.session_id.clear();
            self.not_ready = 0;
            self.session_errors = self.session_errors.saturating_add(1);
            let pause = backoff(self.session_errors);
            if pause < MAX_SESSION_BACKOFF {
                return Verdict::Again(pause);
            }
            return Verdict::Failed(RoomError::RequestRefused(error));
        }
        match error.condition {
            Condition::NotAuthorized => Verdict::Failed(RoomError::AuthenticationRequired),
            // No focus is logged in, or it cannot be reached: it may be starting again.
            Condition::ServiceUnavailable | Condition::RemoteServerTimeout | Condition::RecipientUnavailable => {
                self.unavailable(RoomError::RequestRefused(error))
            }
            _ if error.kind == ErrorType::Wait => self.unavailable(RoomError::RequestRefused(error)),
            _ => Verdict::Failed(RoomError::RequestRefused(error)),
        }
    }

    fn unavailable(&mut self, error: RoomError) -> Verdict {
        self.unavailable = self.unavailable.saturating_add(1);
        if self.unavailable > MAX_UNAVAILABLE_RETRIES {
            self.unavailable = 0;
            return Verdict::Failed(error);
        }
        Verdict::Again(backoff(self.unavailable))
    }
}

/// The pause after the n-th time, n from 1: 1, 2, 4 … s, at most [`MAX_BACKOFF`].
pub(super) fn backoff(n: u32) -> Duration {
    Duration::from_secs(1 << n.saturating_sub(1).min(7)).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_doubles_up_to_two_minutes() {
        let seconds: Vec<u64> = (1..=10).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]);
        assert_eq!(backoff(u32::MAX), MAX_BACKOFF);
        assert!(backoff(6) < MAX_SESSION_BACKOFF && backoff(7) > MAX_SESSION_BACKOFF);
    }

    #[test]
    fn the_budget_of_a_minute_holds() {
        let mut r = Requester::default();
        let at = |s: u64| Time::new(s * 1_000_000, 0);
        for i in 0..REQUESTS_PER_MINUTE as u64 {
            assert_eq!(r.take(at(i)), Ok(()));
        }
        assert_eq!(r.take(at(20)).unwrap_err().mono_us, 60_000_000);
        assert_eq!(r.take(at(60)), Ok(()));
        assert_eq!(r.take(at(60)).unwrap_err().mono_us, 61_000_000);
    }
}
