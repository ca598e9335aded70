//! One receive stream (RFC 3550 appendix A: extended sequence numbers, jitter, report blocks) and one send stream.

use super::nack::{History, Missing};
use super::rtcp::{Block, SenderInfo};
use super::rtp::unwrap_near;
use crate::media::meter::Meter;
use crate::media::peer::{Numbers, OutgoingRtp, Sender, StreamStats};
use crate::time::Time;
use std::time::Duration;

/// How far behind the newest packet a late one still counts.
const WINDOW: u64 = 1024;
/// Sequence numbers begin here, so that packets before the first are not negative.
const FIRST_CYCLE: u64 = 0x1_0000;
/// A stream that goes on past this number skips those up to the next cycle: losing its first packets cannot confuse the rollover counter of
/// a peer that hears it for the first time.
const LAST_START: u16 = 0xfc00;

/// A remote SSRC.
pub(super) struct Receiver {
    /// When the newest packet came.
    pub last_us: u64,
    pub missing: Missing,
    /// Lost packets are asked for: the payload type says so, and media was seen (not just padding).
    pub nackable: bool,
    clock: u32,
    first: u64,
    top: u64,
    received: u64,
    seen: [u64; (WINDOW / 64) as usize],
    transit: Option<i64>,
    /// In 1/16 of the RTP clock's units.
    jitter: u32,
    last_sr: Option<(u32, u64)>,
    prior: (u64, u64),
    bytes: u64,
    repaired: u64,
    meter: Meter,
}

/// RTP time as time.
fn ticks(n: u32, clock: u32) -> Duration {
    Duration::from_micros(u64::from(n) * 1_000_000 / u64::from(clock.max(1)))
}

impl Receiver {
    /// A stream whose first packet has this sequence number.
    pub fn new(seq: u16, now_us: u64, clock: u32) -> Receiver {
        let first = FIRST_CYCLE + u64::from(seq);
        Receiver {
            last_us: now_us,
            missing: Missing::default(),
            nackable: false,
            clock,
            first,
            top: first - 1,
            received: 0,
            seen: Default::default(),
            transit: None,
            jitter: 0,
            last_sr: None,
            prior: (0, 0),
            bytes: 0,
            repaired: 0,
            meter: Meter::default(),
        }
    }

    /// A packet that had not come yet had a payload of so many bytes.
    #[inline]
    pub fn count(&mut self, now_us: u64, payload: usize, repaired: bool) {
        self.bytes += payload as u64;
        self.repaired += u64::from(repaired);
        self.meter.add(payload as u64, now_us);
    }

    /// What came of it so far.
    pub fn stats(&self, ssrc: u32, now: Time) -> StreamStats {
        let expected = self.top + 1 - self.first.min(self.top + 1);
        StreamStats {
            ssrc,
            sent: false,
            packets: self.received,
            bytes: self.bytes,
            repaired: self.repaired,
            lost: expected.saturating_sub(self.received),
            jitter: ticks(self.jitter >> 4, self.clock),
            bits_per_second: 8 * self.meter.per_second(now),
            last_us: self.last_us,
        }
    }

    #[inline]
    fn bit(seq: u64) -> (usize, u64) {
        ((seq % WINDOW / 64) as usize, 1 << (seq % 64))
    }

    /// Extended sequence number, and whether it is a repair: it came as one (`recovered`), or it had been asked for, as plain repairs
    /// are (docs/protocol/04 §8). `None` for a duplicate or a packet older than the window. It came at `arrival_us` and is read now.
    #[inline]
    pub fn arrived(&mut self, now_us: u64, arrival_us: u64, seq: u16, ts: u32, recovered: bool) -> Option<(u64, bool)> {
        let ext = unwrap_near(self.top, seq)?;
        if ext + WINDOW <= self.top || ext + WINDOW < self.first {
            return None;
        }
        if ext > self.top {
            for s in (self.top + 1).max(ext.saturating_sub(WINDOW))..ext + 1 {
                let (word, bit) = Self::bit(s);
                self.seen[word] &= !bit;
            }
            if self.nackable && ext > self.top + 1 {
                self.missing.gap(self.top + 1, ext, now_us);
            }
            self.top = ext;
        }
        let (word, bit) = Self::bit(ext);
        if self.seen[word] & bit != 0 {
            return None;
        }
        self.seen[word] |= bit;
        self.received += 1;
        let asked = self.missing.arrived(ext);
        self.last_us = now_us;
        // A late packet says nothing about jitter.
        if !recovered && ext == self.top {
            let (s, us) = (arrival_us / 1_000_000, arrival_us % 1_000_000);
            let clock_time =
                s.wrapping_mul(u64::from(self.clock)).wrapping_add(us * u64::from(self.clock) / 1_000_000) as i64;
            let transit = clock_time.wrapping_sub(i64::from(ts));
            if let Some(before) = self.transit {
                // RTP time wraps and restarts; only the 32-bit difference has a meaning.
                let d = (transit.wrapping_sub(before) as i32).unsigned_abs();
                if d < self.clock.saturating_mul(10) {
                    self.jitter = self.jitter.wrapping_add(d).wrapping_sub((self.jitter + 8) >> 4);
                }
            }
            self.transit = Some(transit);
        }
        Some((ext, recovered || asked))
    }

    /// A sender report came: the middle of its NTP time goes into our next block.
    pub fn on_sender_report(&mut self, now_us: u64, ntp: u64) {
        self.last_sr = Some(((ntp >> 16) as u32, now_us));
    }

    /// The report block since the last one.
    pub fn report(&mut self, ssrc: u32, now_us: u64) -> Block {
        let expected = self.top + 1 - self.first.min(self.top + 1);
        let (expected_now, received_now) =
            (expected.saturating_sub(self.prior.0), self.received.saturating_sub(self.prior.1));
        self.prior = (expected, self.received);
        let lost_now = expected_now.saturating_sub(received_now);
        Block {
            ssrc,
            fraction_lost: (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8,
            lost: (expected as i64 - self.received as i64).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_seq: (self.top - FIRST_CYCLE) as u32,
            jitter: self.jitter >> 4,
            last_sr: self.last_sr.map_or(0, |s| s.0),
            delay: self.last_sr.map_or(0, |s| ((now_us.saturating_sub(s.1) << 16) / 1_000_000) as u32),
        }
    }
}

/// A stream that we send.
pub(super) struct Transmitter {
    pub rtx: Option<(u32, u8)>,
    /// Payload type of the newest packet.
    pub pt: u8,
    rtx_seq: u16,
    seq: u16,
    packets: u32,
    octets: u32,
    reported: u32,
    /// Time and RTP time of the newest packet.
    last: Option<(u64, u32)>,
    pub history: History,
    /// When those above were last told that a key frame is wanted, and whether one was asked for again since.
    pub key_frame_wanted: Option<(u64, bool)>,
    /// Packets and bytes of payload, from the first on.
    sent: (u64, u64),
    /// Packets sent again.
    pub repaired: u64,
    /// What the other side says: lost packets, and jitter in RTP time.
    told: (u64, u32),
    meter: Meter,
}

impl Transmitter {
    /// A stream with random first sequence numbers.
    pub fn new(s: &Sender, random: u32) -> Transmitter {
        Transmitter {
            rtx: s.rtx,
            pt: s.pt,
            // Below 2^15, so that losing the first packets cannot confuse the peer's rollover counter (RFC 3711 §3.3.1).
            rtx_seq: random as u16 & 0x7fff,
            seq: (random >> 16) as u16 & 0x7fff,
            packets: 0,
            octets: 0,
            reported: 0,
            last: None,
            history: History::default(),
            key_frame_wanted: None,
            sent: (0, 0),
            repaired: 0,
            told: (0, 0),
            meter: Meter::default(),
        }
    }

    /// Nothing went out yet, and what does comes after what another engine sent.
    pub fn go_on(&mut self, from: Numbers) {
        let safe = |seq: u16| if seq > LAST_START { 0 } else { seq };
        if self.packets == 0 {
            (self.seq, self.rtx_seq) = (safe(from.seq), safe(from.rtx_seq));
        }
    }

    /// What its next packets are numbered.
    pub fn numbers(&self) -> Numbers {
        Numbers { seq: self.seq, rtx_seq: self.rtx_seq }
    }

    /// A report block of the other side.
    pub fn on_block(&mut self, b: &Block) {
        self.told = (u64::try_from(b.lost).unwrap_or(0), b.jitter);
    }

    /// What went of it so far.
    pub fn stats(&self, ssrc: u32, clock: u32, now: Time) -> StreamStats {
        StreamStats {
            ssrc,
            sent: true,
            packets: self.sent.0,
            bytes: self.sent.1,
            repaired: self.repaired,
            lost: self.told.0,
            jitter: ticks(self.told.1, clock),
            bits_per_second: 8 * self.meter.per_second(now),
            last_us: self.last_us().unwrap_or(0),
        }
    }

    /// Takes the next sequence number and counts the packet.
    #[inline]
    pub fn next(&mut self, now_us: u64, p: &OutgoingRtp) -> u16 {
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(p.payload.len() as u32);
        self.sent = (self.sent.0 + 1, self.sent.1 + p.payload.len() as u64);
        self.meter.add(p.payload.len() as u64, now_us);
        (self.pt, self.last) = (p.pt, Some((now_us, p.ts)));
        seq
    }

    /// The next sequence number of the repair stream.
    pub fn next_rtx(&mut self) -> u16 {
        let seq = self.rtx_seq;
        self.rtx_seq = seq.wrapping_add(1);
        seq
    }

    /// When it was last sent on.
    pub fn last_us(&self) -> Option<u64> {
        self.last.map(|l| l.0)
    }

    /// Sender info, if anything was sent since the last report.
    pub fn report(&mut self, now_us: u64, ntp: u64, clock: u32) -> Option<SenderInfo> {
        let (at_us, ts) = self.last?;
        if self.packets == self.reported {
            return None;
        }
        self.reported = self.packets;
        let since = u128::from(now_us.saturating_sub(at_us)) * u128::from(clock) / 1_000_000;
        Some(SenderInfo { ntp, rtp: ts.wrapping_add(since as u32), packets: self.packets, octets: self.octets })
    }
}

/// A repair's payload: the original sequence number before the original payload (RFC 4588 §4).
pub(super) fn rtx_prefix(seq: u16) -> [u8; 2] {
    seq.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn receiver(seq: u16) -> Receiver {
        let mut r = Receiver::new(seq, 0, 90_000);
        r.nackable = true;
        r
    }

    #[test]
    fn sequence_numbers_are_extended_and_duplicates_found() {
        let mut r = receiver(65534);
        assert_eq!(r.arrived(0, 0, 65534, 0, false), Some((0x1_fffe, false)));
        assert_eq!(r.arrived(0, 0, 1, 0, false), Some((0x2_0001, false)));
        assert_eq!(r.arrived(0, 0, 1, 0, false), None);
        assert_eq!(r.arrived(0, 0, 65535, 0, true), Some((0x1_ffff, true)));
        // Before the first, still inside the window.
        assert_eq!(r.arrived(0, 0, 65533, 0, false), Some((0x1_fffd, false)));
        let mut out = vec![];
        r.missing.due(1_000_000, 0, &mut out);
        assert_eq!(out, [0]);
    }

    #[test]
    fn a_packet_at_the_edge_of_the_window_is_taken_and_one_past_it_is_not() {
        let mut r = receiver(0);
        r.arrived(0, 0, 0, 0, false);
        r.arrived(0, 0, 2000, 0, false);
        assert!(r.arrived(0, 0, 2000 - WINDOW as u16 + 1, 0, false).is_some());
        assert!(r.arrived(0, 0, 2000 - WINDOW as u16, 0, false).is_none());
    }

    #[test]
    fn a_report_tells_loss_and_the_age_of_the_senders_report() {
        let mut r = receiver(10);
        for seq in [10, 11, 13, 14] {
            r.arrived(0, 0, seq, 0, false);
        }
        r.on_sender_report(1_000_000, 0x0001_2345_6789_0000);
        let b = r.report(7, 1_500_000);
        assert_eq!((b.ssrc, b.lost, b.fraction_lost, b.highest_seq), (7, 1, 51, 14));
        assert_eq!((b.last_sr, b.delay), (0x2345_6789, 0x8000));
        // A repair mends the total and shows no new loss.
        r.arrived(0, 0, 12, 0, true);
        let b = r.report(7, 1_500_000);
        assert_eq!((b.lost, b.fraction_lost), (0, 0));
    }

    #[test]
    fn jitter_follows_the_spread_of_arrivals() {
        let mut even = receiver(0);
        let mut uneven = receiver(0);
        for i in 0..200u64 {
            even.arrived(i * 20_000, i * 20_000, i as u16, i as u32 * 1800, false);
            uneven.arrived(i * 20_000, i * 20_000 + (i % 2) * 10_000, i as u16, i as u32 * 1800, false);
        }
        assert_eq!(even.report(1, 0).jitter, 0);
        let j = uneven.report(1, 0).jitter;
        assert!((850..950).contains(&j), "10 ms are 900 units: {j}");
    }

    #[test]
    fn a_stream_goes_on_where_another_engine_left_it_and_not_just_before_a_rollover() {
        let sender = Sender { ssrc: 1, rtx: Some((2, 96)), pt: 111 };
        let payload = Bytes::from_static(b"abc");
        let p = OutgoingRtp { ssrc: 1, pt: 111, ts: 960, marker: false, level: None, extra: None, payload };
        let mut before = Transmitter::new(&sender, 7 << 16 | 9);
        assert_eq!((before.next(0, &p), before.next(0, &p), before.next_rtx()), (7, 8, 9));
        let mut t = Transmitter::new(&sender, u32::MAX);
        t.go_on(before.numbers());
        assert_eq!((t.next(0, &p), t.next_rtx()), (9, 10));
        t.go_on(Numbers { seq: 500, rtx_seq: 500 });
        assert_eq!((t.next(0, &p), t.next_rtx()), (10, 11), "not once it has sent");
        let mut t = Transmitter::new(&sender, u32::MAX);
        t.go_on(Numbers { seq: LAST_START, rtx_seq: LAST_START + 1 });
        assert_eq!((t.next(0, &p), t.next_rtx()), (LAST_START, 0));
    }

    #[test]
    fn a_sender_report_extrapolates_rtp_time() {
        let mut t = Transmitter::new(&Sender { ssrc: 1, rtx: None, pt: 111 }, u32::MAX);
        let payload = Bytes::from_static(b"abc");
        let p = OutgoingRtp { ssrc: 1, pt: 111, ts: 960, marker: false, level: None, extra: None, payload };
        assert!(t.report(0, 0, 48_000).is_none());
        assert_eq!(t.next(0, &p), 0x7fff);
        let i = t.report(20_000, 5, 48_000).expect("report");
        assert_eq!((i.rtp, i.packets, i.octets, i.ntp), (1920, 1, 3, 5));
        assert!(t.report(20_000, 5, 48_000).is_none());
    }
}
