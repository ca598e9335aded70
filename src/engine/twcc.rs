//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): arrivals are reported
//! to the peer, and what the peer reports of our packets is matched with when they were sent.

use std::collections::VecDeque;

use super::rtcp::{begin_transport_cc, end_transport_cc};
use super::rtp::unwrap_near;

/// A feedback follows the first arrival it tells of after this time: a bridge that heard later (100 ms was tried) believes in half of the rate.
const FEEDBACK_US: u64 = 50_000;
/// Arrivals in one feedback packet: it stays below the MTU in the worst case.
pub(super) const MAX_PER_FEEDBACK: usize = 160;
/// Arrivals that wait for feedback; the oldest are dropped past it.
pub(super) const MAX_ARRIVALS: usize = 2048;
/// A hole in the numbers wider than this is not reported as lost.
const MAX_HOLE: u64 = 1000;
/// Packets we sent and have no feedback of yet.
pub(super) const MAX_SENT: usize = 4096;
/// Arrival times are told in units of 250 µs, the reference time in 64 ms.
const TICK_US: u64 = 250;
const TICKS_PER_REFERENCE: i64 = 256;
const MAX_RUN: usize = 0x1fff;
/// Symbols in a two-bit status vector.
const VECTOR: usize = 7;

/// Arrivals since the last feedback.
#[derive(Default)]
pub(super) struct Arrivals {
    top: Option<u64>,
    list: Vec<(u64, i64)>,
    next: u64,
    count: u8,
    media: u32,
    /// When the first of them was read, µs.
    since_us: Option<u64>,
}

impl Arrivals {
    /// When feedback is due, µs.
    #[inline]
    pub fn due_us(&self) -> Option<u64> {
        Some(self.since_us? + FEEDBACK_US)
    }

    /// A packet with this transport-wide number came at `arrival_us` and is read now.
    #[inline]
    pub fn arrived(&mut self, now_us: u64, arrival_us: u64, seq: u16, media: u32) {
        self.since_us.get_or_insert(now_us);
        let ext = match self.top {
            Some(top) => unwrap_near(top, seq).unwrap_or(top),
            None => {
                let first = 0x1_0000 + u64::from(seq);
                self.next = first;
                first
            }
        };
        self.top = Some(self.top.map_or(ext, |t| t.max(ext)));
        self.media = media;
        if self.list.len() >= MAX_ARRIVALS {
            self.list.remove(0);
        }
        self.list.push((ext, (arrival_us / TICK_US) as i64));
    }

    /// Appends one feedback packet to `out`; `false` when there is nothing (more) to tell.
    pub fn write(&mut self, sender: u32, out: &mut Vec<u8>) -> bool {
        self.since_us = None;
        if !self.list.is_sorted() {
            self.list.sort_unstable();
        }
        self.list.dedup_by_key(|a| a.0);
        // What came after its number was already reported lost is left out.
        let late = self.list.partition_point(|a| a.0 < self.next);
        self.list.drain(..late);
        let Some(&(first, first_tick)) = self.list.first() else { return false };
        let base = if first - self.next > MAX_HOLE { first } else { self.next };
        let mut time = first_tick.div_euclid(TICKS_PER_REFERENCE) * TICKS_PER_REFERENCE;
        let reference = time / TICKS_PER_REFERENCE;
        let fits =
            |(seq, tick): (u64, i64), time: i64, at: u64| i16::try_from(tick - time).is_ok() && seq - at <= MAX_HOLE;
        let (mut used, mut at, mut before) = (0, base, time);
        for &a in self.list.iter().take(MAX_PER_FEEDBACK) {
            if used > 0 && !fits(a, before, at) {
                break;
            }
            (used, at, before) = (used + 1, a.0 + 1, a.1);
        }
        let start = out.len();
        begin_transport_cc(out, sender, self.media);
        out.extend_from_slice(&(base as u16).to_be_bytes());
        out.extend_from_slice(&((at - base) as u16).to_be_bytes());
        out.extend_from_slice(&(reference as u32).to_be_bytes()[1..]);
        out.push(self.count);
        // Statuses, then deltas: two passes over what is short cost less than memory for the second.
        let delta = |tick: i64, time: i64| (tick - time).clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
        let (mut runs, mut at, mut before) = (Runs::default(), base, time);
        for &(seq, tick) in &self.list[..used] {
            runs.push(0, (seq - at) as usize, out);
            runs.push(if u8::try_from(delta(tick, before)).is_ok() { 1 } else { 2 }, 1, out);
            (before, at) = (tick, seq + 1);
        }
        runs.flush(out);
        for &(_, tick) in &self.list[..used] {
            let d = delta(tick, time);
            match u8::try_from(d) {
                Ok(small) => out.push(small),
                Err(_) => out.extend_from_slice(&d.to_be_bytes()),
            }
            time = tick;
        }
        end_transport_cc(out, start);
        self.count = self.count.wrapping_add(1);
        self.next = at;
        self.list.drain(..used);
        true
    }
}

/// Status symbols as run lengths, or as two-bit vectors of seven where they are mixed.
#[derive(Default)]
struct Runs {
    symbols: [u8; VECTOR],
    len: usize,
    mixed: bool,
}

impl Runs {
    #[inline]
    fn push(&mut self, symbol: u8, n: usize, out: &mut Vec<u8>) {
        for _ in 0..n {
            // Nearly always: one more of what there are seven of already.
            if !self.mixed && (VECTOR..MAX_RUN).contains(&self.len) && self.symbols[0] == symbol {
                self.len += 1;
            } else {
                self.add(symbol, out);
            }
        }
    }

    fn add(&mut self, symbol: u8, out: &mut Vec<u8>) {
        let differs = self.len > 0 && self.symbols[0] != symbol;
        let full = if self.mixed { VECTOR } else { MAX_RUN };
        if self.len >= full || (differs && self.len >= VECTOR) {
            self.flush(out);
        }
        self.mixed |= self.len > 0 && self.symbols[0] != symbol;
        if self.len < VECTOR {
            self.symbols[self.len] = symbol;
        }
        self.len += 1;
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if self.len == 0 {
            return;
        }
        let chunk = if self.mixed {
            let vector = self.symbols[..self.len].iter().enumerate();
            vector.fold(0xc000, |v, (i, s)| v | (u16::from(*s) << (12 - 2 * i)))
        } else {
            (u16::from(self.symbols[0]) << 13) | self.len as u16
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        (self.len, self.mixed) = (0, false);
    }
}

/// What became of one packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub sent_us: u64,
    pub size: u32,
    /// On the peer's clock, µs; `None`: not arrived.
    pub arrival_us: Option<i64>,
    /// Its SSRC and sequence number.
    pub packet: (u32, u16),
}

#[derive(Clone, Copy)]
struct Sent {
    at_us: u64,
    packet: (u32, u16),
    size: u16,
    told: bool,
}

/// Numbers our packets and remembers when they left.
#[derive(Default)]
pub(super) struct Sending {
    next: u64,
    /// Of numbers `next - sent.len()..next`.
    sent: VecDeque<Sent>,
    /// The last reference time, unwrapped.
    reference: Option<i64>,
}

impl Sending {
    /// The number for a packet of this SSRC and sequence number and this size.
    #[inline]
    pub fn stamp(&mut self, now_us: u64, packet: (u32, u16), size: usize) -> u16 {
        let n = self.next;
        self.next += 1;
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        let size = size.min(usize::from(u16::MAX)) as u16;
        self.sent.push_back(Sent { at_us: now_us, packet, size, told: false });
        n as u16
    }

    /// Reads feedback (from the base sequence number on) and appends what it tells of packets not told of before to `out`.
    /// `false` if it is malformed; what was read until there counts.
    pub fn on_feedback(&mut self, fci: &[u8], out: &mut Vec<Fate>) -> bool {
        let Some((head, mut chunks)) = fci.split_first_chunk::<8>() else { return false };
        let base = u16::from_be_bytes([head[0], head[1]]);
        let count = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let reference = i64::from(i32::from_be_bytes([head[4], head[5], head[6], 0]) >> 8);
        // 24 bits, unwrapped near the last one.
        let reference = match self.reference {
            Some(last) => last + ((reference - last) << 40 >> 40),
            None => reference,
        };
        self.reference = Some(reference);
        let mut deltas = match status_len(chunks, count) {
            Some(n) => &chunks[n..],
            None => return false,
        };
        let Some(mut seq) = unwrap_near(self.next.saturating_sub(1), base) else { return false };
        let oldest = self.next - self.sent.len() as u64;
        let (mut tick, mut left) = (reference * TICKS_PER_REFERENCE, count);
        let mut ok = true;
        'all: while left > 0 {
            let Some((&[hi, lo], rest)) = chunks.split_first_chunk::<2>() else { break };
            chunks = rest;
            let chunk = u16::from_be_bytes([hi, lo]);
            for i in 0..chunk_len(chunk).min(left) {
                match symbol(chunk, i) {
                    1 => {
                        let Some((&d, rest)) = deltas.split_first() else {
                            ok = false;
                            break 'all;
                        };
                        (tick, deltas) = (tick + i64::from(d), rest);
                        self.told(seq, oldest, Some(tick), out);
                    }
                    2 => {
                        let Some((&d, rest)) = deltas.split_first_chunk::<2>() else {
                            ok = false;
                            break 'all;
                        };
                        (tick, deltas) = (tick + i64::from(i16::from_be_bytes(d)), rest);
                        self.told(seq, oldest, Some(tick), out);
                    }
                    _ => self.told(seq, oldest, None, out),
                }
                seq += 1;
            }
            left -= chunk_len(chunk).min(left);
        }
        // Nothing before what is told of now will be told of again.
        while self.sent.front().is_some_and(|s| s.told) {
            self.sent.pop_front();
        }
        ok
    }

    fn told(&mut self, seq: u64, oldest: u64, tick: Option<i64>, out: &mut Vec<Fate>) {
        let Some(i) = seq.checked_sub(oldest) else { return };
        if let Some(s) = self.sent.get_mut(i as usize)
            && !s.told
        {
            s.told = true;
            let arrival_us = tick.map(|t| t * TICK_US as i64);
            out.push(Fate { sent_us: s.at_us, size: u32::from(s.size), arrival_us, packet: s.packet });
        }
    }
}

fn chunk_len(chunk: u16) -> usize {
    match chunk >> 14 {
        2 => 14,
        3 => VECTOR,
        _ => usize::from(chunk & 0x1fff),
    }
}

fn symbol(chunk: u16, i: usize) -> u16 {
    match chunk >> 14 {
        2 => (chunk >> (13 - i)) & 1,
        3 => (chunk >> (12 - 2 * i)) & 3,
        _ => (chunk >> 13) & 3,
    }
}

/// Bytes of the chunks that hold `count` symbols.
fn status_len(chunks: &[u8], count: usize) -> Option<usize> {
    let (mut left, mut n) = (count, 0);
    while left > 0 {
        let chunk = chunks.get(n..n + 2)?;
        let len = chunk_len(u16::from_be_bytes([chunk[0], chunk[1]]));
        // An empty run would let a peer spin us for nothing.
        if len == 0 {
            return None;
        }
        left = left.saturating_sub(len);
        n += 2;
    }
    Some(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rtcp::{Part, parts};

    #[test]
    fn feedback_is_due_a_while_after_the_first_arrival_it_tells_of() {
        let mut a = Arrivals::default();
        assert_eq!(a.due_us(), None);
        a.arrived(1000, 1000, 0, 9);
        a.arrived(30_000, 30_000, 1, 9);
        assert_eq!(a.due_us(), Some(1000 + FEEDBACK_US));
        assert!(a.write(1, &mut vec![]));
        assert_eq!(a.due_us(), None);
        a.arrived(200_000, 200_000, 2, 9);
        assert_eq!(a.due_us(), Some(200_000 + FEEDBACK_US));
    }

    fn feed(s: &mut Sending, b: &[u8]) -> Vec<Fate> {
        let mut out = vec![];
        for p in parts(b) {
            let Ok(Part::TransportCc(fci)) = p else { panic!("{p:?}") };
            assert!(s.on_feedback(fci, &mut out));
        }
        out
    }

    fn written(arrivals: &mut Arrivals) -> Vec<(u16, u16)> {
        let mut all = vec![];
        loop {
            let mut b = vec![];
            if !arrivals.write(1, &mut b) {
                return all;
            }
            // After the header and two SSRCs: base and count.
            all.push((u16::from_be_bytes([b[12], b[13]]), u16::from_be_bytes([b[14], b[15]])));
        }
    }

    #[test]
    fn what_is_told_is_when_it_came_and_is_due_from_when_it_was_read() {
        let (mut arrivals, mut sending) = (Arrivals::default(), Sending::default());
        let (mut b, came) = (Vec::new(), [640_000, 650_000, 645_000]);
        for (n, came) in came.into_iter().enumerate() {
            let seq = sending.stamp(0, (0, n as u16), 100);
            arrivals.arrived(900_000, came, seq, 9);
        }
        assert_eq!(arrivals.due_us(), Some(900_000 + FEEDBACK_US));
        assert!(arrivals.write(1, &mut b));
        let fates = feed(&mut sending, &b);
        assert_eq!(fates.iter().map(|f| f.arrival_us).collect::<Vec<_>>(), came.map(|c| Some(c as i64)));
    }

    #[test]
    fn one_feedback_tells_of_a_bounded_number_of_arrivals() {
        for (n, packets) in [(MAX_PER_FEEDBACK, 1), (MAX_PER_FEEDBACK + 1, 2)] {
            let mut arrivals = Arrivals::default();
            (0..n).for_each(|i| arrivals.arrived(i as u64 * 1000, i as u64 * 1000, i as u16, 9));
            assert_eq!(written(&mut arrivals).len(), packets);
        }
    }

    #[test]
    fn a_hole_is_told_as_lost_and_a_wider_one_is_not() {
        for (hole, told) in [(MAX_HOLE, Some((1, MAX_HOLE as u16 + 1))), (MAX_HOLE + 1, None)] {
            let mut arrivals = Arrivals::default();
            arrivals.arrived(0, 0, 0, 9);
            assert_eq!(written(&mut arrivals), [(0, 1)]);
            let next = 1 + hole as u16;
            arrivals.arrived(1000, 1000, next, 9);
            assert_eq!(written(&mut arrivals), [told.unwrap_or((next, 1))]);
        }
    }

    #[test]
    fn feedback_reads_back_with_losses_and_wraps() {
        let lost = |i: u64| i % 13 == 5 || (40..60).contains(&i);
        let (mut arrivals, mut sending) = (Arrivals::default(), Sending::default());
        for _ in 0..65_500 {
            sending.stamp(0, (0, 0), 1);
        }
        for i in 0..1000 {
            let n = sending.stamp(i * 3000, (0, 0), 100);
            if !lost(i) {
                arrivals.arrived(7_000_000 + i * 3000, 7_000_000 + i * 3000, n, 9);
            }
        }
        let (mut fates, mut packets) = (vec![], 0);
        loop {
            let mut b = vec![];
            if !arrivals.write(1, &mut b) {
                break;
            }
            assert!(b.len() < 1100 && b.len().is_multiple_of(4), "{}", b.len());
            packets += 1;
            fates.extend(feed(&mut sending, &b));
        }
        assert!(packets > 3);
        let fates: Vec<_> = fates.into_iter().filter(|f| f.size == 100).collect();
        assert_eq!(fates.len(), 1000);
        for (i, f) in fates.iter().enumerate() {
            assert_eq!(f.arrival_us.is_none(), lost(i as u64), "{i}");
            assert_eq!(f.sent_us, i as u64 * 3000);
            if let Some(a) = f.arrival_us {
                assert_eq!(a, 7_000_000 + f.sent_us as i64);
            }
        }
        assert!(!arrivals.write(1, &mut vec![]));
    }

    #[test]
    fn every_spacing_of_losses_reads_back() {
        for gap in 1..40u64 {
            let (mut arrivals, mut sending) = (Arrivals::default(), Sending::default());
            for i in 0..600 {
                let n = sending.stamp(i, (0, 0), 1);
                if i % gap == 0 {
                    arrivals.arrived(i * 100_000, i * 100_000, n, 9);
                }
            }
            let mut fates = vec![];
            loop {
                let mut b = vec![];
                if !arrivals.write(1, &mut b) {
                    break;
                }
                assert!(b.len() < 1200, "{}", b.len());
                fates.extend(feed(&mut sending, &b));
            }
            let came = fates.iter().filter(|f| f.arrival_us.is_some()).count();
            assert_eq!(came as u64, 600u64.div_ceil(gap), "{gap}");
        }
    }

    #[test]
    fn reordered_and_doubled_arrivals_are_told_once() {
        let mut a = Arrivals::default();
        for (t, seq) in [(0, 10), (1000, 12), (2000, 11), (3000, 12)] {
            a.arrived(t, t, seq, 1);
        }
        let mut sending = Sending::default();
        for _ in 0..20 {
            sending.stamp(0, (0, 0), 1);
        }
        let mut b = vec![];
        assert!(a.write(1, &mut b));
        let fates = feed(&mut sending, &b);
        assert_eq!(fates.iter().map(|f| f.arrival_us).collect::<Vec<_>>(), [Some(0), Some(2000), Some(1000)]);
    }

    #[test]
    fn malformed_feedback_is_refused_and_memory_stays_bounded() {
        let mut s = Sending::default();
        for _ in 0..MAX_SENT + 10 {
            s.stamp(0, (0, 0), 1);
        }
        assert_eq!(s.sent.len(), MAX_SENT);
        let mut out = vec![];
        for bad in [
            &[][..],
            &[0; 7],
            &[0, 0, 0, 5, 0, 0, 0, 0],
            &[0, 0, 0, 5, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 5, 0, 0, 0, 0, 0x20, 5],
        ] {
            assert!(!s.on_feedback(bad, &mut out), "{bad:?}");
        }
        let mut a = Arrivals::default();
        for i in 0..MAX_ARRIVALS + 10 {
            a.arrived(0, 0, i as u16, 1);
        }
        assert_eq!(a.list.len(), MAX_ARRIVALS);
    }
}
