//! Puts the packets of one stream in order, waiting a bounded time for the ones that are missing.

use super::peer::IncomingRtp;
use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Packets held at most; past it the oldest gap is given up at once.
pub const MAX_HELD_PACKETS: usize = 1024;
/// A sequence number this far from the expected one is no gap but a restart of the stream, if the next one follows it (RFC
/// 3550 A.1): one stray packet restarts nothing.
pub const MAX_SEQUENCE_JUMP: u64 = 3000;

/// What happened to packets on their way through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Never came in time.
    pub lost: u64,
    /// Came after their gap was given up.
    pub late: u64,
    pub duplicates: u64,
    /// The sequence jumped too far to be loss.
    pub restarts: u64,
    /// Alone too far from the rest.
    pub strays: u64,
}

/// The buffer.
#[derive(Debug)]
pub struct Jitter {
    wait: Duration,
    /// Sequence number of `held[0]`, the next one to give.
    next: Option<u64>,
    held: VecDeque<Option<IncomingRtp>>,
    /// The last packet that came from too far: the next one tells whether the stream begins anew with it.
    stray: Option<IncomingRtp>,
    count: usize,
    lost: u32,
    stats: JitterStats,
}

impl Jitter {
    /// A buffer that waits at most `wait` for a missing packet.
    pub fn new(wait: Duration) -> Jitter {
        Jitter {
            wait,
            next: None,
            held: VecDeque::new(),
            stray: None,
            count: 0,
            lost: 0,
            stats: JitterStats::default(),
        }
    }

    /// Another stream begins; the counters go on.
    pub fn reset(&mut self) {
        self.next = None;
        self.held.clear();
        self.stray = None;
        self.count = 0;
        self.lost = 0;
    }

    /// Another longest time for a missing packet; also for those that are missing now.
    pub fn set_wait(&mut self, wait: Duration) {
        self.wait = wait;
    }

    /// A packet arrived. `true`: it begins the stream anew, and what was held is gone.
    pub fn push(&mut self, p: IncomingRtp) -> bool {
        let next = *self.next.get_or_insert(p.seq);
        if p.seq < next {
            if next - p.seq > MAX_SEQUENCE_JUMP {
                return self.far(p);
            }
            self.stats.late += 1;
            return false;
        }
        let at = p.seq - next;
        if at > MAX_SEQUENCE_JUMP {
            return self.far(p);
        }
        let at = at as usize;
        if at >= self.held.len() {
            self.held.resize_with(at + 1, || None);
        }
        if self.held[at].is_some() {
            self.stats.duplicates += 1;
            return false;
        }
        self.held[at] = Some(p);
        self.count += 1;
        false
    }

    fn far(&mut self, p: IncomingRtp) -> bool {
        match self.stray.take() {
            Some(first) if first.seq + 1 == p.seq => {
                self.stats.restarts += 1;
                self.stats.strays -= 1;
                self.lost = self.lost.saturating_add(1);
                self.held.clear();
                self.next = Some(first.seq);
                self.held.extend([Some(first), Some(p)]);
                self.count = 2;
                true
            }
            _ => {
                self.stats.strays += 1;
                self.stray = Some(p);
                false
            }
        }
    }

    /// The next packet in order, with how many before it were lost for good.
    pub fn pop(&mut self, now: Time) -> Option<(IncomingRtp, u32)> {
        if self.count == 0 {
            self.held.clear();
            return None;
        }
        if self.held.front().is_some_and(Option::is_none) {
            let first = self.first()?;
            if now < first + self.wait && self.count < MAX_HELD_PACKETS {
                return None;
            }
            while self.held.front().is_some_and(Option::is_none) {
                self.held.pop_front();
                self.next = self.next.map(|n| n + 1);
                self.lost += 1;
                self.stats.lost += 1;
            }
        }
        let p = self.held.pop_front().flatten()?;
        self.next = self.next.map(|n| n + 1);
        self.count -= 1;
        Some((p, std::mem::take(&mut self.lost)))
    }

    /// When the oldest packet behind the gap was read: what is missing may lie in the socket behind it.
    fn first(&self) -> Option<Time> {
        self.held.iter().flatten().map(IncomingRtp::read_at).min()
    }

    /// When the gap at the front is given up.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.count == 0 || self.held.front().is_some_and(Option::is_some) {
            return None;
        }
        self.first().map(|t| t + self.wait)
    }

    /// Counters so far.
    pub fn stats(&self) -> JitterStats {
        self.stats
    }
}
