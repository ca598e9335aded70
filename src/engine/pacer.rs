//! Pacing of what we send: video leaves at a few times the estimated rate, so that a frame does not fill the queue of a bottleneck in
//! one burst. Audio never waits; repairs go before first transmissions; nothing waits longer than [`MAX_WAIT_US`]: the more there is
//! in waiting, the faster it leaves.
//!
//! Numbers of transport-cc are given when a packet leaves, sequence numbers before: what does not fit here is a loss that can be
//! seen, and repaired.

use std::collections::VecDeque;

use bytes::Bytes;

/// Video leaves at this many times the estimate.
const FACTOR_TENTHS: u64 = 25;
/// And at this rate at least, bit/s.
const MIN_BPS: u64 = 500_000;
/// Packets leave in bursts as long as this, at the pacing rate, µs: a timer per packet would cost more than it gives.
pub(super) const BURST_US: u64 = 5_000;
/// The longest that a packet waits, µs.
pub(super) const MAX_WAIT_US: u64 = 250_000;
/// Payload bytes in waiting; more are dropped.
pub(super) const MAX_WAITING: usize = 1024 * 1024;

/// Repairs may take one part in so many of what the path carries: one that is full loses more the more it is given.
const REPAIR_SHARE: u64 = 2;
/// What they may take at once, besides, as a time of that rate, µs.
const REPAIR_BURST_US: u64 = 300_000;

/// A packet in waiting.
pub(super) struct Waiting {
    pub ssrc: u32,
    pub pt: u8,
    pub marker: bool,
    pub seq: u16,
    pub ts: u32,
    pub extra: Option<(u8, Bytes)>,
    pub payload: Bytes,
    /// The sequence number that an RTX packet repairs.
    pub original: Option<u16>,
    /// Sent before, by whatever name.
    pub repair: bool,
    pub since_us: u64,
}

/// The queue before the wire.
pub(super) struct Pacer {
    ns_per_byte: u64,
    ns_per_repair_byte: u64,
    /// When all repairs had left at the rate of their share, ns.
    repaired_ns: u64,
    /// When all that was sent has left, at the pacing rate, ns.
    free_ns: u64,
    repairs: VecDeque<Waiting>,
    media: VecDeque<Waiting>,
    bytes: usize,
}

impl Pacer {
    pub fn new(estimate_bps: u64) -> Pacer {
        let (repairs, media) = (VecDeque::new(), VecDeque::new());
        let mut p =
            Pacer { ns_per_byte: 0, ns_per_repair_byte: 0, repaired_ns: 0, free_ns: 0, repairs, media, bytes: 0 };
        p.set_estimate(estimate_bps, estimate_bps);
        p
    }

    /// What media is paced by, and what the path carries in all.
    pub fn set_estimate(&mut self, bps: u64, carried_bps: u64) {
        self.ns_per_repair_byte = REPAIR_SHARE * 8_000_000_000 / carried_bps.max(1);
        let bps = (bps.saturating_mul(FACTOR_TENTHS) / 10).max(MIN_BPS);
        self.ns_per_byte = 8_000_000_000 / bps;
    }

    /// Whether a packet may leave at once: nothing waits, and the burst is not full.
    #[inline]
    pub fn is_open(&self, now_us: u64) -> bool {
        self.bytes == 0 && self.has_room(now_us)
    }

    #[inline]
    fn has_room(&self, now_us: u64) -> bool {
        self.free_ns <= (now_us + BURST_US) * 1000
    }

    /// A packet left.
    #[inline]
    pub fn sent(&mut self, now_us: u64, size: usize) {
        self.free_ns = self.free_ns.max(now_us * 1000) + size as u64 * self.ns_per_byte;
    }

    /// Whether a repair may be made now.
    pub fn may_repair(&self, now_us: u64) -> bool {
        self.repaired_ns <= (now_us + REPAIR_BURST_US) * 1000
    }

    /// A repair was made.
    pub fn repaired(&mut self, now_us: u64, size: usize) {
        self.repaired_ns = self.repaired_ns.max(now_us * 1000) + size as u64 * self.ns_per_repair_byte;
    }

    /// Takes a packet; `false` if there is no room for it.
    pub fn push(&mut self, w: Waiting) -> bool {
        if self.bytes + w.payload.len() > MAX_WAITING {
            return false;
        }
        self.bytes += w.payload.len().max(1);
        if w.repair {
            self.repairs.push_back(w)
        } else {
            self.media.push_back(w)
        }
        true
    }

    /// The next packet that may leave now.
    pub fn pop(&mut self, now_us: u64) -> Option<Waiting> {
        let since_us = self.oldest_us()?;
        let left_us = (since_us + MAX_WAIT_US).saturating_sub(now_us);
        if left_us > 0 && !self.has_room(now_us) {
            return None;
        }
        let w = if left_us == 0 && self.media.front().is_some_and(|w| w.since_us == since_us) {
            self.media.pop_front()
        } else {
            self.repairs.pop_front().or_else(|| self.media.pop_front())
        }?;
        // All of it is to be gone when the oldest has waited long enough.
        let slow = self.ns_per_byte;
        self.ns_per_byte = slow.min(left_us * 1000 / self.bytes as u64);
        self.sent(now_us, w.payload.len());
        self.ns_per_byte = slow;
        self.bytes -= w.payload.len().max(1);
        Some(w)
    }

    fn oldest_us(&self) -> Option<u64> {
        let fronts = [self.repairs.front(), self.media.front()];
        fronts.into_iter().flatten().map(|w| w.since_us).min()
    }

    /// When [`Pacer::pop`] is due, µs.
    #[inline]
    pub fn due_us(&self) -> Option<u64> {
        if self.bytes == 0 {
            return None;
        }
        Some((self.free_ns / 1000).min(self.oldest_us()? + MAX_WAIT_US))
    }

    /// A stream is gone: nothing of it is to leave any more.
    pub fn forget(&mut self, ssrc: u32, rtx: Option<u32>) {
        let gone = |w: &Waiting| w.ssrc == ssrc || Some(w.ssrc) == rtx;
        for q in [&mut self.repairs, &mut self.media] {
            self.bytes -= q.iter().filter(|w| gone(w)).map(|w| w.payload.len().max(1)).sum::<usize>();
            q.retain(|w| !gone(w));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(n: u16, len: usize, repair: bool, since_us: u64) -> Waiting {
        let payload = Bytes::from(vec![0; len]);
        Waiting {
            ssrc: 1,
            pt: 100,
            marker: false,
            seq: n,
            ts: 0,
            extra: None,
            payload,
            original: None,
            repair,
            since_us,
        }
    }

    /// When each leaves, driven by its own deadline.
    fn drain(p: &mut Pacer, mut now: u64) -> Vec<(u16, u64)> {
        let mut out = vec![];
        while let Some(due) = p.due_us() {
            now = now.max(due);
            while let Some(w) = p.pop(now) {
                out.push((w.seq, now));
            }
            assert!(p.due_us().is_none_or(|t| t > now), "a deadline that does not move");
        }
        out
    }

    #[test]
    fn a_frame_leaves_at_the_pacing_rate_in_order() {
        // 400 kbit/s, paced at 1 Mbit/s: 1000 bytes in 8 ms.
        let mut p = Pacer::new(400_000);
        let mut now = 1_000_000;
        let mut sent = 0;
        while p.is_open(now) {
            p.sent(now, 1000);
            sent += 1;
        }
        assert_eq!(sent, 1, "the burst is shorter than one packet");
        for n in 0..10 {
            assert!(p.push(waiting(n, 1000, false, now)));
        }
        let out = drain(&mut p, now);
        assert_eq!(out.iter().map(|o| o.0).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        now = out[9].1 - now;
        assert!((70_000..90_000).contains(&now), "{now}");
    }

    #[test]
    fn repairs_go_before_first_transmissions() {
        let mut p = Pacer::new(400_000);
        for n in 0..3 {
            p.push(waiting(n, 1000, false, 0));
            p.push(waiting(100 + n, 1000, true, 0));
        }
        assert_eq!(drain(&mut p, 0).iter().map(|o| o.0).collect::<Vec<_>>(), [100, 101, 102, 0, 1, 2]);
    }

    #[test]
    fn nothing_waits_longer_than_the_longest_wait_and_it_leaves_evenly() {
        let mut p = Pacer::new(100_000);
        for n in 0..200 {
            assert!(p.push(waiting(n, 1000, false, 0)));
        }
        let out = drain(&mut p, 0);
        assert_eq!(out.len(), 200);
        let last = out[199].1;
        assert!((MAX_WAIT_US - 10_000..=MAX_WAIT_US).contains(&last), "{last}");
        let half = out[100].1;
        assert!((100_000..150_000).contains(&half), "{half}");
        // Repairs without end starve nobody: 8 Mbit/s of them.
        let mut left = None;
        p.push(waiting(999, 1000, false, 300_000));
        for now in (300_000..600_000).step_by(1000) {
            p.push(waiting(1, 1000, true, now));
            while let Some(w) = p.pop(now) {
                if w.seq == 999 {
                    left = Some(now);
                }
            }
        }
        assert_eq!(left, Some(300_000 + MAX_WAIT_US));
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_leaves_with_its_stream() {
        let mut p = Pacer::new(100_000);
        let fit = (MAX_WAITING / 1000) as u16;
        for n in 0..fit {
            assert!(p.push(waiting(n, 1000, false, 0)));
        }
        assert!(!p.push(waiting(0, 1000, false, 0)));
        assert!(p.push(waiting(0, MAX_WAITING % 1000, true, 0)));
        p.forget(2, None);
        assert!(p.bytes == MAX_WAITING);
        p.forget(7, Some(1));
        assert!(p.bytes == 0 && p.due_us().is_none() && p.is_open(0));
    }

    #[test]
    fn repairs_take_their_share_and_no_more() {
        let mut p = Pacer::new(800_000);
        let mut n = 0;
        for now in (0..10_000_000).step_by(10_000) {
            while p.may_repair(now) {
                p.repaired(now, 1000);
                n += 1;
            }
        }
        // 50 a second, and 15 at once.
        assert!((510..520).contains(&n), "{n}");
    }

    #[test]
    fn silence_saves_up_no_more_than_a_burst() {
        let mut p = Pacer::new(4_000_000);
        p.sent(0, 1000);
        let mut n = 0;
        while p.is_open(10_000_000) {
            p.sent(10_000_000, 1000);
            n += 1;
        }
        // 10 Mbit/s for 5 ms.
        assert_eq!(n, 7);
    }
}
