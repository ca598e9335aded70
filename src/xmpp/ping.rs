//! Liveness by XMPP ping (XEP-0199, docs/protocol/01 §6): when to ask, and when to give up. Sending is the stream's.
//!
//! Unlike the reference, an error answer counts as a sign of life: it proves that the server is there.

use crate::time::Time;
use crate::wire::{XmlWriter, ns};
use std::time::Duration;

/// The timer of one stream.
#[derive(Debug)]
pub(super) struct Liveness {
    interval: Duration,
    threshold: u32,
    /// The next look; none while the stream is not bound, or pings are off.
    next: Option<Time>,
    /// Something was received since the last look.
    heard: bool,
    failures: u32,
}

impl Liveness {
    pub fn new(interval: Duration, threshold: u32) -> Liveness {
        Liveness { interval, threshold: threshold.max(1), next: None, heard: false, failures: 0 }
    }

    /// The stream is bound: the first look is one interval away.
    pub fn start(&mut self, now: Time) {
        self.next = (!self.interval.is_zero()).then(|| now + self.interval);
        (self.heard, self.failures) = (false, 0);
    }

    /// The stream ended.
    pub fn stop(&mut self) {
        self.next = None;
    }

    /// Something came from the server.
    pub fn heard(&mut self) {
        self.heard = true;
    }

    /// At the time of a look: whether a ping is due. No ping when anything was heard since the last one.
    pub fn due(&mut self, now: Time) -> bool {
        if self.next.is_none_or(|t| t > now) {
            return false;
        }
        self.next = Some(now + self.interval);
        if std::mem::take(&mut self.heard) {
            self.failures = 0;
            return false;
        }
        true
    }

    /// A ping was answered.
    pub fn answered(&mut self) {
        self.failures = 0;
        self.heard = false;
    }

    /// A ping went unanswered. True when it was one too many.
    pub fn unanswered(&mut self) -> bool {
        self.failures += 1;
        self.failures >= self.threshold
    }

    pub fn next_deadline(&self) -> Option<Time> {
        self.next
    }
}

/// The payload of a ping.
pub(super) fn payload() -> String {
    let mut w = XmlWriter::new();
    w.open("ping", ns::PING);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Time {
        Time::default() + Duration::from_secs(s)
    }

    #[test]
    fn a_ping_is_due_only_after_silence() {
        let mut l = Liveness::new(Duration::from_secs(10), 2);
        assert!(!l.due(at(100)), "not before the stream is bound");
        l.start(at(0));
        assert_eq!(l.next_deadline(), Some(at(10)));
        assert!(!l.due(at(9)));
        assert!(l.due(at(10)));
        l.answered();
        l.heard();
        assert!(!l.due(at(20)));
        assert!(l.due(at(30)));
        l.stop();
        assert_eq!(l.next_deadline(), None);
    }

    #[test]
    fn two_unanswered_in_a_row_are_the_end_and_an_answer_between_starts_anew() {
        let mut l = Liveness::new(Duration::from_secs(10), 2);
        l.start(at(0));
        assert!(!l.unanswered());
        l.answered();
        assert!(!l.unanswered());
        assert!(l.unanswered());
        l.start(at(0));
        assert!(!l.unanswered());
        l.heard();
        assert!(!l.due(at(10)));
        assert!(!l.unanswered(), "traffic resets the count");
    }

    #[test]
    fn no_interval_means_no_pings() {
        let mut l = Liveness::new(Duration::ZERO, 2);
        l.start(at(0));
        assert!(l.next_deadline().is_none() && !l.due(at(1000)));
    }
}
