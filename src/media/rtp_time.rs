//! RTP time of one stream: unwrapped, and how unevenly its packets arrive.

use crate::time::Time;
use std::time::Duration;

/// How unevenly packets arrive (RFC 3550 §6.4.1).
#[derive(Debug, Default)]
pub struct Spread {
    last: Option<(u64, u32)>,
    jitter_us: u64,
}

impl Spread {
    /// The next packet, in order of arrival.
    pub fn packet(&mut self, arrival: Time, ts: u32, clock: u32) {
        if let Some((at, before)) = self.last {
            let came = arrival.mono_us as i64 - at as i64;
            let sent = i64::from(ts.wrapping_sub(before) as i32) * 1_000_000 / i64::from(clock.max(1));
            // A pause or a jump of the clock is no jitter.
            let d = came.abs_diff(sent).min(1_000_000);
            self.jitter_us = (self.jitter_us * 15 + d) / 16;
        }
        self.last = Some((arrival.mono_us, ts));
    }

    /// The mean.
    pub fn jitter(&self) -> Duration {
        Duration::from_micros(self.jitter_us)
    }
}

/// 32-bit RTP time to 64 bits, following small steps both ways.
#[derive(Debug, Default)]
pub struct Unwrap(Option<u64>);

impl Unwrap {
    /// The next one.
    pub fn unwrap(&mut self, ts: u32) -> u64 {
        // One turn of head start, so that a step back from the first is not below zero.
        let last = self.0.unwrap_or((1 << 32) | u64::from(ts));
        let step = i64::from(ts.wrapping_sub(last as u32) as i32);
        let now = last.saturating_add_signed(step);
        self.0 = Some(now);
        now
    }
}
