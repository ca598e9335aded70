//! Time as the machines see it: an argument, never a clock (design §4).
//!
//! Both readings travel together so that an input log can be stored and replayed: monotonic time drives timers,
//! wall time is needed where a protocol speaks of it (JWT expiry, RTCP NTP stamps, delayed delivery).

use std::time::Duration;

/// A moment: monotonic microseconds since an arbitrary start, and microseconds since the Unix epoch.
///
/// Ordering is by the monotonic reading first, so deadlines compare as expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Monotonic clock, µs. The clock of `jmeet_now_us()`.
    pub mono_us: u64,
    /// Wall clock, µs since 1970-01-01T00:00:00Z.
    pub unix_us: i64,
}

impl Time {
    /// A moment with the given monotonic and wall readings.
    pub const fn new(mono_us: u64, unix_us: i64) -> Time {
        Time { mono_us, unix_us }
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.mono_us.saturating_sub(earlier.mono_us))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, d: Duration) -> Time {
        let us = u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        Time {
            mono_us: self.mono_us.saturating_add(us),
            unix_us: self.unix_us.saturating_add(i64::try_from(us).unwrap_or(i64::MAX)),
        }
    }
}

impl std::ops::Sub<Duration> for Time {
    type Output = Time;

    /// No further back than where the clocks begin.
    fn sub(self, d: Duration) -> Time {
        let us = u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        Time {
            mono_us: self.mono_us.saturating_sub(us),
            unix_us: self.unix_us.saturating_sub(i64::try_from(us).unwrap_or(i64::MAX)),
        }
    }
}

/// The earlier of two optional deadlines.
pub fn earliest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
