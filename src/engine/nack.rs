//! Loss repair: what the receiver asks for again, and what the sender keeps to answer (RFC 4585 §6.2.1, RFC 4588).

use std::collections::VecDeque;

use bytes::Bytes;

use crate::media::peer::OutgoingRtp;

/// A gap wider than this is a break in the stream, not a loss: nothing of it is asked for.
pub(super) const MAX_GAP: u64 = 256;
/// How often one packet is asked for.
pub(super) const MAX_TRIES: u8 = 10;
/// One packet is sent again this often at most: some peers do not see that a repair came and ask for ever, which would leave no
/// room for the repairs of others.
pub(super) const MAX_RESENT: u8 = 10;
/// A reordered packet may still arrive in this time, µs.
pub(super) const REORDER_WAIT_US: u64 = 10_000;
/// Never ask for the same packet again sooner, µs.
const MIN_REPEAT_US: u64 = 20_000;
/// Packets that a sender keeps per stream…
pub(super) const HISTORY_PACKETS: usize = 1024;
/// …their payload bytes…
pub(super) const HISTORY_BYTES: usize = 512 * 1024;
/// …and their age: three round trips, between these, µs. What is repaired later comes too late to be shown (docs/protocol/04 §20).
pub(super) const MIN_HISTORY_US: u64 = 1_000_000;
pub(super) const MAX_HISTORY_US: u64 = 3_000_000;
/// The newest of them that stay whole when the other side has them: they are what padding is made of.
pub(super) const FOR_PADDING: usize = 8;

struct Miss {
    seq: u64,
    next_us: u64,
    tries: u8,
}

/// Packets of one stream that have not come.
#[derive(Default)]
pub(super) struct Missing {
    /// Ascending.
    list: Vec<Miss>,
    /// When the newest gap is to be asked for, until somebody took note.
    pub fresh_us: Option<u64>,
    pub given_up: u64,
}

impl Missing {
    /// Sequence numbers `from..to` were skipped.
    pub fn gap(&mut self, from: u64, to: u64, now_us: u64) {
        if to - from > MAX_GAP {
            self.given_up += self.list.len() as u64;
            self.list.clear();
            return;
        }
        let over = (self.list.len() + (to - from) as usize).saturating_sub(MAX_GAP as usize);
        self.given_up += over as u64;
        self.list.drain(..over);
        let next_us = now_us + REORDER_WAIT_US;
        self.fresh_us = Some(next_us);
        self.list.extend((from..to).map(|seq| Miss { seq, next_us, tries: 0 }));
    }

    /// A packet came; whether it had been asked for.
    #[inline]
    pub fn arrived(&mut self, seq: u64) -> bool {
        if self.list.is_empty() {
            return false;
        }
        let Ok(i) = self.list.binary_search_by_key(&seq, |m| m.seq) else { return false };
        self.list.remove(i).tries > 0
    }

    /// When something is to be asked for or given up.
    pub fn due_us(&self) -> Option<u64> {
        self.list.iter().map(|m| m.next_us).min()
    }

    /// Appends the sequence numbers to ask for now to `out`.
    pub fn due(&mut self, now_us: u64, rtt_us: u64, out: &mut Vec<u16>) {
        let next_us = now_us + (rtt_us + rtt_us / 4).max(MIN_REPEAT_US);
        let before = self.list.len();
        self.list.retain_mut(|m| {
            if m.next_us > now_us {
                return true;
            }
            if m.tries >= MAX_TRIES {
                return false;
            }
            (m.next_us, m.tries) = (next_us, m.tries + 1);
            out.push(m.seq as u16);
            true
        });
        self.given_up += (before - self.list.len()) as u64;
    }
}

/// A packet as it was sent. One line of the cache: each is looked at when it comes and when it goes.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct Sent {
    pub payload: Bytes,
    pub extra: Option<Box<(u8, Bytes)>>,
    at_us: u64,
    pub ts: u32,
    /// From `at_us` to when it was last sent again, µs; means nothing while `resent` is 0.
    resent_after_us: u32,
    pub seq: u16,
    pub pt: u8,
    pub marker: bool,
    /// How often it was sent again.
    resent: u8,
    /// The other side has it.
    arrived: bool,
}

const _: () = assert!(size_of::<Sent>() == 64);

/// The last packets of one stream that the other side may still ask for. What transport-cc says that it has is let go: what is sent in a
/// round trip stays in the cache, what is sent in a second does not, and is ten times the memory.
#[derive(Default)]
pub(super) struct History {
    sent: VecDeque<Sent>,
    /// Of payloads.
    bytes: usize,
}

impl History {
    /// Keeps a packet, and others for as long as the round trip makes sense. Places follow from numbers: where some were sent in between that
    /// nobody may ask for (another codec), what was before them goes.
    pub fn push(&mut self, now_us: u64, rtt_us: u64, seq: u16, p: OutgoingRtp) {
        if self.sent.back().is_some_and(|s| s.seq.wrapping_add(1) != seq) {
            (self.bytes, self.sent) = (0, VecDeque::new());
        }
        self.bytes += p.payload.len();
        let age_us = (3 * rtt_us).clamp(MIN_HISTORY_US, MAX_HISTORY_US);
        while let Some(s) = self.sent.front()
            && (self.sent.len() >= HISTORY_PACKETS
                || self.bytes > HISTORY_BYTES
                || now_us.saturating_sub(s.at_us) > age_us)
        {
            self.pop();
        }
        self.sent.push_back(Sent {
            payload: p.payload,
            extra: p.extra.map(Box::new),
            at_us: now_us,
            ts: p.ts,
            resent_after_us: 0,
            seq,
            pt: p.pt,
            marker: p.marker,
            resent: 0,
            arrived: false,
        });
        // The one that is no longer among the newest.
        if let Some(i) = self.sent.len().checked_sub(FOR_PADDING + 1)
            && self.sent[i].arrived
        {
            self.release(i);
        }
    }

    fn pop(&mut self) {
        self.bytes -= self.sent.pop_front().map_or(0, |s| s.payload.len());
    }

    /// The other side has this packet.
    #[inline]
    pub fn arrived(&mut self, seq: u16) {
        let Some(first) = self.sent.front() else { return };
        let i = usize::from(seq.wrapping_sub(first.seq));
        let Some(s) = self.sent.get_mut(i) else { return };
        s.arrived = true;
        if i + FOR_PADDING < self.sent.len() {
            self.release(i);
        }
    }

    /// One that arrived and is not among the newest.
    fn release(&mut self, i: usize) {
        let s = &mut self.sent[i];
        self.bytes -= std::mem::take(&mut s.payload).len();
        s.extra = None;
        while self.sent.len() > FOR_PADDING && self.sent[0].arrived {
            self.pop();
        }
    }

    /// One of the newest packets, of which there are [`FOR_PADDING`]; a number past the oldest begins again with the newest.
    pub fn newest(&self, i: usize) -> Option<&Sent> {
        let i = i.checked_rem(self.sent.len().min(FOR_PADDING))?;
        self.sent.get(self.sent.len() - 1 - i)
    }

    /// A packet to send again. `None` if it is gone, arrived, was sent again less than a round trip ago, or [`MAX_RESENT`] times.
    pub fn again(&mut self, now_us: u64, seq: u16, rtt_us: u64) -> Option<Sent> {
        let i = usize::from(seq.wrapping_sub(self.sent.front()?.seq));
        let s = self.sent.get_mut(i)?;
        let after_us = now_us.saturating_sub(s.at_us);
        let again_us = after_us.saturating_sub(u64::from(s.resent_after_us));
        if s.arrived || s.resent >= MAX_RESENT || s.resent > 0 && again_us < rtt_us * 9 / 10 {
            return None;
        }
        s.resent_after_us = u32::try_from(after_us).unwrap_or(u32::MAX);
        s.resent += 1;
        Some(s.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &Bytes) -> OutgoingRtp {
        let payload = payload.clone();
        OutgoingRtp { ssrc: 1, pt: 100, ts: 0, marker: false, level: None, extra: None, payload }
    }

    #[test]
    fn a_gap_is_asked_for_after_the_reorder_wait_until_it_is_filled() {
        let mut m = Missing::default();
        m.gap(65535, 65538, 0);
        let mut out = vec![];
        m.due(REORDER_WAIT_US - 1, 0, &mut out);
        assert!(out.is_empty());
        m.due(REORDER_WAIT_US, 0, &mut out);
        assert_eq!(out, [65535, 0, 1]);
        assert!(m.arrived(65536) && !m.arrived(65536) && !m.arrived(1));
        out.clear();
        m.due(REORDER_WAIT_US + MIN_REPEAT_US, 0, &mut out);
        assert_eq!(out, [65535, 1]);
    }

    #[test]
    fn a_packet_is_sent_again_a_few_times_and_no_more() {
        let mut h = History::default();
        h.push(0, 0, 7, packet(&Bytes::from_static(b"x")));
        for n in 0..u64::from(MAX_RESENT) {
            assert!(h.again(n * 1000, 7, 1000).is_some(), "{n}");
        }
        assert!(h.again(1_000_000, 7, 1000).is_none());
    }

    #[test]
    fn a_packet_is_given_up_after_the_last_try() {
        let (mut m, mut out, mut now) = (Missing::default(), vec![], 0);
        m.gap(5, 6, 0);
        while let Some(t) = m.due_us() {
            now = t;
            m.due(t, 100_000, &mut out);
        }
        assert_eq!((out.len(), m.given_up), (usize::from(MAX_TRIES), 1));
        assert!(now < 2_000_000);
    }

    #[test]
    fn a_gap_at_the_limit_is_repaired_and_one_past_it_is_not() {
        let (mut m, mut out) = (Missing::default(), vec![]);
        m.gap(0, MAX_GAP, 0);
        m.due(u64::MAX / 2, 0, &mut out);
        assert_eq!(out.len(), MAX_GAP as usize);
        m.gap(1000, 1001 + MAX_GAP, 0);
        assert_eq!((m.due_us(), m.given_up), (None, MAX_GAP));
        // Many small gaps stay inside the same bound.
        for i in 0..1000u64 {
            m.gap(i * 2, i * 2 + 1, 0);
        }
        assert_eq!(m.list.len(), MAX_GAP as usize);
    }

    #[test]
    fn history_is_bounded_by_count_bytes_and_age_and_answers_once_per_round_trip() {
        let mut h = History::default();
        let small = Bytes::from_static(&[1; 10]);
        for i in 0..=HISTORY_PACKETS as u16 {
            h.push(0, 0, i, packet(&small));
        }
        assert!(h.again(0, 0, 0).is_none());
        assert!(h.again(0, 1, 100).is_some_and(|s| s.seq == 1));
        assert!(h.again(89, 1, 100).is_none());
        assert!(h.again(90, 1, 100).is_some());
        assert!(h.again(0, HISTORY_PACKETS as u16 + 1, 0).is_none());
        let big = Bytes::from(vec![0; HISTORY_BYTES / 4]);
        for i in 0..6 {
            h.push(1, 0, 2000 + i, packet(&big));
        }
        assert!(h.bytes <= HISTORY_BYTES && h.sent.len() <= 4);
        h.push(2 + MIN_HISTORY_US, 0, 2006, packet(&small));
        assert_eq!((h.sent.len(), h.bytes), (1, 10));
        // Long round trips keep them longer, up to the limit.
        for (rtt, kept) in [(500_000, 1_500_000), (9_000_000, MAX_HISTORY_US)] {
            let mut h = History::default();
            h.push(0, rtt, 0, packet(&small));
            h.push(kept, rtt, 1, packet(&small));
            assert_eq!(h.sent.len(), 2, "{rtt}");
            h.push(kept + 1, rtt, 2, packet(&small));
            assert_eq!(h.sent.len(), 2, "{rtt}");
        }
    }

    #[test]
    fn packets_that_nobody_may_ask_for_move_no_others() {
        let mut h = History::default();
        for seq in [7, 8, 65_535, 0, 3] {
            h.push(0, 0, seq, packet(&Bytes::copy_from_slice(&seq.to_be_bytes())));
        }
        h.arrived(2);
        let again = |h: &mut History, seq| h.again(0, seq, 0).map(|s| s.payload);
        assert_eq!([7, 8, 65_535, 0, 2].map(|seq| again(&mut h, seq)), [const { None }; 5]);
        assert_eq!((again(&mut h, 3).as_deref(), h.bytes), (Some(&[0, 3][..]), 2));
    }

    #[test]
    fn what_arrived_is_not_sent_again_and_leaves_the_newest_for_padding() {
        let (mut h, payload) = (History::default(), Bytes::from_static(&[1; 10]));
        let kept = FOR_PADDING + 20;
        let first = u16::MAX - 5;
        let seq = |i: usize| first.wrapping_add(i as u16);
        (0..kept).for_each(|i| h.push(0, 0, seq(i), packet(&payload)));
        // Not the third, and numbers that were never sent.
        (0..kept + 5).filter(|i| *i != 2).for_each(|i| h.arrived(seq(i)));
        h.arrived(first.wrapping_sub(1));
        assert_eq!((h.sent.len(), h.bytes), (kept - 2, (FOR_PADDING + 1) * 10));
        assert!((0..kept).all(|i| h.again(0, seq(i), 0).is_some() == (i == 2)));
        // Padding goes round the newest, all of which are whole.
        let round: Vec<_> = (0..2 * FOR_PADDING).filter_map(|i| h.newest(i)).collect();
        assert!(round.len() == 2 * FOR_PADDING && round.iter().all(|s| s.payload.len() == 10));
        assert_eq!((round[0].seq, round[FOR_PADDING - 1].seq), (seq(kept - 1), seq(kept - FOR_PADDING)));
        // The third arrives, said twice: what waited behind it goes; each new one lets go of one.
        h.arrived(seq(2));
        h.arrived(seq(2));
        assert_eq!((h.sent.len(), h.bytes), (FOR_PADDING, FOR_PADDING * 10));
        h.push(0, 0, seq(kept), packet(&payload));
        assert_eq!((h.sent.len(), h.bytes), (FOR_PADDING, FOR_PADDING * 10));
    }
}
