//! The rate limit of restart requests (docs/protocol/02 §11.1): some seconds between two, some in a minute.

use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Least time between two restart requests of one kind.
pub const RESTART_INTERVAL: Duration = Duration::from_secs(5);
/// Restart requests of one kind in [`RESTART_WINDOW`].
pub const RESTARTS_PER_WINDOW: usize = 5;
/// The time in which they are counted.
pub const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// The requests that were let through lately.
#[derive(Clone, Debug, Default)]
pub(super) struct RateLimit(VecDeque<Time>);

impl RateLimit {
    /// Whether a request now is within the limits. A refused one does not count.
    pub(super) fn accept(&mut self, now: Time) -> bool {
        while self.0.front().is_some_and(|t| now.since(*t) >= RESTART_WINDOW) {
            self.0.pop_front();
        }
        let too_soon = self.0.back().is_some_and(|t| now.since(*t) < RESTART_INTERVAL);
        if too_soon || self.0.len() >= RESTARTS_PER_WINDOW {
            return false;
        }
        self.0.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_minute_and_five_seconds_apart() {
        let at = |ms: u64| Time::new(ms * 1000, 0);
        let mut l = RateLimit::default();
        assert!(l.accept(at(0)));
        assert!(!l.accept(at(4_999)), "too soon");
        assert!(l.accept(at(5_000)), "a refused one does not count");
        for s in [10, 15, 20] {
            assert!(l.accept(at(s * 1000)));
        }
        assert!(!l.accept(at(25_000)), "the sixth in a minute");
        assert!(!l.accept(at(59_999)));
        assert!(l.accept(at(60_000)));
    }
}
