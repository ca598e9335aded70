//! A rate over the last second or two, without a timer: bytes are gathered for a second, and the second before is what is told.

use crate::time::Time;

/// For how long bytes are gathered, µs.
const WINDOW_US: u64 = 1_000_000;

/// Something that is counted as it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    since_us: u64,
    count: u64,
    /// Of the window before this one, a second.
    before: u64,
}

impl Meter {
    /// So much came, or went.
    #[inline]
    pub fn add(&mut self, count: u64, now_us: u64) {
        let elapsed = now_us.saturating_sub(self.since_us);
        if elapsed >= WINDOW_US {
            self.turn(elapsed, now_us);
        }
        self.count += count;
    }

    #[cold]
    fn turn(&mut self, elapsed: u64, now_us: u64) {
        // Before a pause there was another rate.
        self.before = if elapsed < 2 * WINDOW_US { self.count * WINDOW_US / elapsed } else { 0 };
        (self.since_us, self.count) = (now_us, 0);
    }

    /// How much in a second, lately.
    pub fn per_second(&self, now: Time) -> u64 {
        match now.mono_us.saturating_sub(self.since_us) {
            elapsed if elapsed >= 2 * WINDOW_US => 0,
            elapsed if elapsed >= WINDOW_US => self.count * WINDOW_US / elapsed,
            _ => self.before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::new(5_000_000 + ms * 1000, 0)
    }

    #[test]
    fn a_steady_rate_is_told_after_a_second_and_forgotten_two_seconds_after_its_end() {
        let mut m = Meter::default();
        assert_eq!(m.per_second(at(0)), 0);
        for ms in (0..3000).step_by(20) {
            m.add(100, at(ms).mono_us);
            if ms > 1100 {
                assert!((4900..=5100).contains(&m.per_second(at(ms))), "{ms}: {}", m.per_second(at(ms)));
            }
        }
        assert!(m.per_second(at(3500)) > 0);
        assert_eq!(m.per_second(at(5100)), 0);
        // What came before a pause does not count after it.
        m.add(1, at(60_000).mono_us);
        assert_eq!(m.per_second(at(60_100)), 0);
    }
}
