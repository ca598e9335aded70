//! The clock and the random source of the driver: the only place where machines meet the real ones.

use crate::env::{Env, Random};
use crate::time::Time;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Now, on both clocks.
pub(crate) fn now() -> Time {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time { mono_us: now_us(), unix_us: i64::try_from(unix.as_micros()).unwrap_or(i64::MAX) }
}

/// The monotonic clock that every µs value of the API is on. Starts near zero at the first use in the process.
pub fn now_us() -> u64 {
    // One second ahead, so that a moment before the first call is still a positive number.
    (start().elapsed() + Duration::from_secs(1)).as_micros() as u64
}

/// The moment on tokio's clock.
pub(crate) fn instant(at: Time) -> Instant {
    start() + Duration::from_micros(at.mono_us.saturating_sub(1_000_000))
}

struct Os;

impl Random for Os {
    fn fill(&mut self, out: &mut [u8]) {
        // Without entropy neither TLS nor ICE can be safe: there is nothing to go on with. The entry point's panic boundary
        // turns this into ERR_PANIC.
        getrandom::fill(out).expect("the operating system has no randomness");
    }
}

/// An environment over the operating system's randomness.
pub(crate) fn os_env() -> Env {
    Env::new(Os)
}
