//! The library's time and the `Instant` that str0m is driven by: one fixed origin per process plus the monotonic reading, so
//! that virtual time works. Only the origin is read from a clock.

use crate::time::Time;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A deadline further away than this is none: str0m says so for "never".
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// Time moves by this much at least between two looks at a machine that wants to be looked at again at once.
pub(super) const STEP: Duration = Duration::from_millis(1);
/// str0m keeps moments of its own "before everything"; the origin is later than those.
const HEADROOM: Duration = Duration::from_secs(3600);

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| Instant::now() + HEADROOM)
}

/// The instant of a moment.
pub(super) fn instant(t: Time) -> Instant {
    origin() + Duration::from_micros(t.mono_us)
}

/// The moment of a deadline, at least `now`, rounded up: never too early by a part of a microsecond.
pub(super) fn deadline(at: Instant, now: Time) -> Option<Time> {
    let ahead = at.saturating_duration_since(instant(now));
    let up = u64::try_from(ahead.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
    (ahead < NEVER).then(|| now + Duration::from_micros(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_back_never_early_and_never_is_none() {
        let now = Time::new(5_000_000, 7_000_000);
        let later = instant(now) + Duration::from_nanos(1_500_000_100);
        assert_eq!(deadline(later, now), Some(Time::new(6_500_001, 8_500_001)));
        assert_eq!(deadline(instant(Time::new(1, 1)), now), Some(now));
        assert_eq!(deadline(instant(now) + NEVER, now), None);
    }
}
