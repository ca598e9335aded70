//! Packets of SSRCs that nobody named yet, or whose owner is in doubt (`takeover`): they wait in a bounded ring until signalling
//! names an owner, or nobody does (design §5.8). Never a wrong owner.

use super::peer::{IncomingRtp, Mid};
use crate::few::{gathered, in_order};
use crate::time::Time;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Packets that wait at most: two seconds of a large picture. The oldest goes first.
pub const MAX_EARLY_PACKETS: usize = 1024;
/// Longest wait.
pub const EARLY_WAIT: Duration = Duration::from_secs(2);

/// The ring.
#[derive(Debug, Default)]
pub struct Early {
    ring: VecDeque<IncomingRtp>,
    dropped: u64,
}

impl Early {
    /// Keeps a packet.
    pub fn push(&mut self, p: IncomingRtp, now: Time) {
        while self.ring.front().is_some_and(|f| self.ring.len() >= MAX_EARLY_PACKETS || now > f.read_at() + EARLY_WAIT)
        {
            self.ring.pop_front();
            self.dropped += 1;
        }
        self.ring.push_back(p);
    }

    /// The packets of an SSRC that has an owner now, in their order; too old ones are dropped.
    pub fn take(&mut self, ssrc: u32, now: Time) -> Vec<IncomingRtp> {
        if self.ring.is_empty() {
            return Vec::new();
        }
        let (mine, rest): (VecDeque<_>, VecDeque<_>) = self.ring.drain(..).partition(|p| p.ssrc == ssrc);
        self.ring = rest;
        let before = mine.len();
        // Whoever takes them begins at the first.
        let fresh = in_order(mine.into_iter().filter(|p| now <= p.read_at() + EARLY_WAIT), |p| p.seq);
        self.dropped += (before - fresh.len()) as u64;
        fresh
    }

    /// SSRCs of packets that wait and carry this `mid`.
    pub fn on_mid(&self, mid: Mid) -> BTreeSet<u32> {
        gathered(self.ring.iter().filter(|p| p.mid == Some(mid)).map(|p| p.ssrc))
    }

    /// Packets that nobody claimed in time.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
