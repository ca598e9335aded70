//! What leaves: RTP, paced, and RTCP, protected, on the path that media takes now; and the timers of feedback.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::pacer::{Pacer, Waiting};
use super::rtcp::{self, MAX_BLOCKS};
use super::rtp::{Fields, MAX_OWN_HEADER, write_header};
use super::srtp::Srtp;
use super::stream::rtx_prefix;
use super::twcc::Sending;
use super::{Engine, KEY_FRAME_INTERVAL_US};
use crate::media::peer::{
    CodecKind, Event, ExtensionIds, MAX_RTP_PAYLOAD, NTP_UNIX_OFFSET, OutgoingRtp, Output, Transmit,
};
use crate::time::Time;

/// Between two reports of ours, µs.
pub(super) const REPORT_US: u64 = 1_000_000;
/// So much before its time a report goes with a frame or with feedback, in one system call, rather than alone: intervals need not be
/// even (RFC 3550 §6.3.1 has them vary by half).
const REPORT_EARLY_US: u64 = 100_000;
/// A stream that was silent for so long is not reported on, µs.
const REPORTED_FOR_US: u64 = 5 * REPORT_US;
/// A compound is closed once it is longer than this.
const COMPOUND: usize = 900;
/// Round trip assumed before one was measured, µs: for asking again, and for answering again.
const ASK_RTT_US: u64 = 100_000;
const ANSWER_RTT_US: u64 = 20_000;
/// Bytes of IP and UDP headers, which the bandwidth estimate counts.
const BELOW_RTP: usize = 28;
/// Buffers that were given back and wait to be filled again; more are freed, and so are those longer than joined datagrams become.
const MAX_SPARE: usize = 2;
/// A buffer is made as long as this and holds one datagram; one that takes more becomes as long as joined datagrams may.
const NEW_BUFFER: usize = 1500;

/// What sending needs, apart from the stream tables.
pub(super) struct Wire {
    pub srtp: Option<Srtp>,
    pub path: Option<(SocketAddr, SocketAddr)>,
    pub ids: ExtensionIds,
    pub sending: Sending,
    pub pacer: Pacer,
    /// Bytes of RTP sent, as the estimate counts them.
    pub sent_bytes: u64,
    pub out: VecDeque<Output>,
    spare: Vec<Vec<u8>>,
    /// The header in the making.
    head: Vec<u8>,
    /// Between two compounds, the buffer that they are written in.
    compound: Vec<u8>,
}

/// The payload type of repairs for a packet of this one; `made`: that which the stream was made with.
pub(super) fn rtx_pt(repaired_by: &[u8; 128], pt: u8, made: u8) -> u8 {
    match repaired_by[usize::from(pt & 0x7f)] {
        0 => made,
        own => own,
    }
}

/// NTP time, 32.32 fixed point.
pub(super) fn ntp(now: Time) -> u64 {
    let us = (now.unix_us + NTP_UNIX_OFFSET * 1_000_000).max(0) as u64;
    ((us / 1_000_000) << 32) | (((us % 1_000_000) << 32) / 1_000_000)
}

/// Where a datagram of `len` bytes is to be written: behind those that wait for the same path, or in a buffer of its own.
#[inline]
fn room<'a>(
    out: &'a mut VecDeque<Output>,
    spare: &mut Vec<Vec<u8>>,
    path: (SocketAddr, SocketAddr),
    len: usize,
) -> Option<&'a mut Vec<u8>> {
    if !matches!(out.back(), Some(Output::Transmit(t)) if t.takes(path, len)) {
        let data = spare.pop().unwrap_or_else(|| Vec::with_capacity(NEW_BUFFER.max(len)));
        out.push_back(Output::Transmit(Transmit { local: path.0, remote: path.1, data, segment: len }));
    }
    let Some(Output::Transmit(t)) = out.back_mut() else { return None };
    if t.data.capacity() - t.data.len() < len {
        t.data.reserve_exact(len.max(Transmit::MAX_JOINED.saturating_sub(t.data.len())));
    }
    Some(&mut t.data)
}

impl Wire {
    pub fn new(ids: ExtensionIds, estimate_bps: u64) -> Wire {
        Wire {
            srtp: None,
            path: None,
            ids,
            sending: Sending::default(),
            pacer: Pacer::new(estimate_bps),
            sent_bytes: 0,
            out: VecDeque::new(),
            spare: vec![],
            head: vec![],
            compound: vec![],
        }
    }

    /// Takes a buffer back.
    pub fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < MAX_SPARE && (NEW_BUFFER..=Transmit::MAX_JOINED).contains(&buffer.capacity()) {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Sends a datagram that is not RTP.
    pub fn transmit(&mut self, data: &[u8]) {
        let Some(path) = self.path else { return };
        if let Some(b) = room(&mut self.out, &mut self.spare, path, data.len()) {
            b.extend_from_slice(data);
        }
    }

    pub fn event(&mut self, e: Event) {
        self.out.push_back(Output::Event(e));
    }

    /// Protects and sends one RTP packet; `original`: the sequence number that an RTX packet repairs. `false` if it could not
    /// go.
    #[inline]
    pub fn rtp(&mut self, now: Time, mut f: Fields<'_>, original: Option<u16>, payload: &[u8]) -> bool {
        let (Some(srtp), Some(path)) = (&mut self.srtp, self.path) else { return false };
        if self.ids.abs_send_time != 0 {
            // 6.18 seconds: the middle of the NTP time.
            f.abs_send_time = (ntp(now) >> 14) as u32 & 0xff_ffff;
        }
        let extra = f.extra.map_or(0, |(_, v)| v.len() + 8);
        let size = payload.len() + MAX_OWN_HEADER + extra + BELOW_RTP;
        if self.ids.transport_cc != 0 {
            f.transport_cc = self.sending.stamp(now.mono_us, (f.ssrc, f.seq), size);
        }
        self.sent_bytes += size as u64;
        self.head.clear();
        write_header(&mut self.head, &self.ids, &f);
        let header = self.head.len();
        if let Some(seq) = original {
            self.head.extend_from_slice(&rtx_prefix(seq));
        }
        let len = self.head.len() + payload.len() + srtp.overhead();
        let Some(b) = room(&mut self.out, &mut self.spare, path, len) else { return false };
        let start = b.len();
        b.extend_from_slice(&self.head);
        b.extend_from_slice(payload);
        if !srtp.protect(f.ssrc, f.seq, header, b, start) {
            // Only what no datagram could hold is refused; nothing of it is to go.
            b.truncate(start);
            if start == 0 {
                self.out.pop_back();
            }
            return false;
        }
        true
    }

    /// An empty compound, to be written and given to [`Wire::rtcp`].
    pub fn compound(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.compound)
    }

    /// Protects and sends one compound, and leaves it empty.
    pub fn rtcp(&mut self, compound: &mut Vec<u8>) {
        if !compound.is_empty()
            && let Some(srtp) = &mut self.srtp
            && srtp.protect_rtcp(compound)
        {
            self.transmit(compound);
        }
        compound.clear();
    }

    /// Sends what was written last, and keeps the buffer for the next.
    pub fn last_rtcp(&mut self, mut compound: Vec<u8>) {
        self.rtcp(&mut compound);
        self.compound = compound;
    }
}

impl Engine {
    pub(super) fn send(&mut self, p: OutgoingRtp, now: Time) {
        let Some(t) =
            self.tx.get_mut(&p.ssrc).filter(|_| self.wire.srtp.is_some() && p.payload.len() <= MAX_RTP_PAYLOAD)
        else {
            self.stats.send_dropped += 1;
            return;
        };
        let pt = self.payload_types[usize::from(p.pt & 0x7f)];
        let keep = pt.is_some_and(|t| t.nack).then(|| self.rtt_us.unwrap_or(0));
        let seq = t.next(now.mono_us, &p);
        self.report_us.get_or_insert(now.mono_us + REPORT_US);
        // Without transport-cc nothing is known of the path, and there is no rate to keep.
        if self.wire.ids.transport_cc != 0 {
            let waits = pt.is_none_or(|t| t.kind != CodecKind::Audio) && !self.wire.pacer.is_open(now.mono_us);
            if waits {
                if let Some(rtt_us) = keep {
                    t.history.push(now.mono_us, rtt_us, seq, p.clone());
                }
                return self.wait(p, seq, now);
            }
            self.wire.pacer.sent(now.mono_us, p.payload.len());
        }
        let f = Fields {
            pt: p.pt,
            marker: p.marker,
            seq,
            ts: p.ts,
            ssrc: p.ssrc,
            level: p.level,
            abs_send_time: 0,
            transport_cc: 0,
            extra: p.extra.as_ref(),
            padded: false,
        };
        let (marker, len) = (p.marker, p.payload.len());
        let sent = self.wire.rtp(now, f, None, &p.payload);
        if let Some(rtt_us) = keep {
            t.history.push(now.mono_us, rtt_us, seq, p);
        }
        self.count_sent(sent, len);
        if marker && self.report_may_go(now) {
            self.send_reports(now);
        }
    }

    /// Whether a report may leave with something else.
    #[inline]
    fn report_may_go(&self, now: Time) -> bool {
        self.report_us.is_some_and(|t| t <= now.mono_us + REPORT_EARLY_US)
    }

    #[inline]
    fn count_sent(&mut self, sent: bool, payload: usize) {
        if sent {
            self.stats.rtp_out += 1;
            self.stats.rtp_out_bytes += payload as u64;
        } else {
            self.stats.send_dropped += 1;
        }
    }

    fn wait(&mut self, p: OutgoingRtp, seq: u16, now: Time) {
        let taken = self.wire.pacer.push(Waiting {
            ssrc: p.ssrc,
            pt: p.pt,
            marker: p.marker,
            seq,
            ts: p.ts,
            extra: p.extra,
            payload: p.payload,
            original: None,
            repair: false,
            since_us: now.mono_us,
        });
        self.stats.send_dropped += u64::from(!taken);
    }

    /// Sends what may leave by now.
    fn run_pacer(&mut self, now: Time) {
        while let Some(w) = self.wire.pacer.pop(now.mono_us) {
            let f = Fields {
                pt: w.pt,
                marker: w.marker,
                seq: w.seq,
                ts: w.ts,
                ssrc: w.ssrc,
                level: None,
                abs_send_time: 0,
                transport_cc: 0,
                extra: w.extra.as_ref(),
                padded: false,
            };
            let sent = self.wire.rtp(now, f, w.original, &w.payload);
            if w.repair {
                self.stats.rtx_out += u64::from(sent);
            } else {
                self.count_sent(sent, w.payload.len());
            }
        }
    }

    /// Answers a NACK: repairs go before first transmissions, at the same pace.
    pub(super) fn resend(&mut self, media: u32, pairs: &[u8], now: Time) {
        let Some(t) = self.tx.get_mut(&media) else { return };
        // A queue on the way makes the round trip longer than reports tell, which may be lost in it.
        let rtt = self.rtt_us.unwrap_or(ANSWER_RTT_US).max(self.feedback_rtt_us);
        let limited = self.wire.ids.transport_cc != 0;
        for seq in rtcp::nacked(pairs) {
            self.stats.nacks_in += 1;
            if limited && !self.wire.pacer.may_repair(now.mono_us) {
                continue;
            }
            let Some(s) = t.history.again(now.mono_us, seq, rtt) else { continue };
            let (ssrc, pt, number, original) = match t.rtx {
                // The stream may have changed its codec since it was made.
                Some((ssrc, pt)) => (ssrc, rtx_pt(&self.repaired_by, s.pt, pt), t.next_rtx(), Some(seq)),
                None => (media, s.pt, seq, None),
            };
            let (marker, ts, since_us) = (s.marker, s.ts, now.mono_us);
            let (extra, payload) = (s.extra.map(|e| *e), s.payload);
            self.wire.pacer.repaired(now.mono_us, payload.len());
            let w = Waiting { ssrc, pt, marker, seq: number, ts, extra, payload, original, repair: true, since_us };
            let taken = self.wire.pacer.push(w);
            t.repaired += u64::from(taken);
            self.stats.send_dropped += u64::from(!taken);
        }
        self.run_pacer(now);
    }

    /// Asks for a key frame, now or as soon as the throttle lets us.
    pub(super) fn ask_key_frame(&mut self, ssrc: u32, now: Time) {
        if self.wire.srtp.is_none() {
            return;
        }
        if self.key_frames.len() >= super::MAX_STREAMS && !self.key_frames.contains_key(&ssrc) {
            self.key_frames.retain(|_, (asked, _)| now.mono_us.saturating_sub(*asked) < KEY_FRAME_INTERVAL_US);
        }
        match self.key_frames.get_mut(&ssrc) {
            Some((asked, again)) if now.mono_us.saturating_sub(*asked) < KEY_FRAME_INTERVAL_US => {
                *again = true;
                let due = *asked + KEY_FRAME_INTERVAL_US;
                self.key_frame_us = Some(self.key_frame_us.map_or(due, |t| t.min(due)));
            }
            _ => {
                self.key_frames.insert(ssrc, (now.mono_us, false));
                self.stats.key_frame_requests_out += 1;
                let mut b = self.wire.compound();
                rtcp::write_pli(&mut b, self.feedback_ssrc, ssrc);
                self.wire.last_rtcp(b);
            }
        }
    }

    /// Everything that is due by time alone.
    pub(super) fn feedback(&mut self, now: Time) {
        let due = |t: Option<u64>| t.is_some_and(|t| t <= now.mono_us);
        if due(self.wire.pacer.due_us()) {
            self.run_pacer(now);
        }
        if due(self.prober.due_us()) {
            self.run_probe(now);
        }
        let tell = due(self.arrivals.due_us());
        // Before feedback, which is shorter: what is not longer than the datagram before it goes with that one.
        if due(self.report_us) || tell && self.report_may_go(now) {
            self.send_reports(now);
        }
        if tell {
            self.send_transport_cc();
        }
        if due(self.nack_us) {
            self.send_nacks(now);
        }
        if due(self.key_frame_us) {
            self.key_frame_us = self.tell_key_frames(now);
            let wanted: Vec<u32> = self.key_frames.iter().filter(|(_, k)| k.1).map(|(s, _)| *s).collect();
            wanted.into_iter().for_each(|s| self.ask_key_frame(s, now));
        }
    }

    pub(super) fn send_transport_cc(&mut self) {
        let mut b = self.wire.compound();
        while self.arrivals.write(self.feedback_ssrc, &mut b) {
            self.stats.transport_cc_out += 1;
            self.wire.rtcp(&mut b);
        }
        self.wire.last_rtcp(b);
    }

    fn send_nacks(&mut self, now: Time) {
        let rtt = self.rtt_us.unwrap_or(ASK_RTT_US);
        let (mut next, mut b) = (None::<u64>, self.wire.compound());
        for (ssrc, r) in &mut self.rx {
            if r.missing.due_us().is_some_and(|t| t <= now.mono_us) {
                let given_up = r.missing.given_up;
                self.asked.clear();
                r.missing.due(now.mono_us, rtt, &mut self.asked);
                self.stats.unrecovered += r.missing.given_up - given_up;
                self.stats.nacks_out += self.asked.len() as u64;
                rtcp::write_nack(&mut b, self.feedback_ssrc, *ssrc, &self.asked);
                if b.len() > COMPOUND {
                    self.wire.rtcp(&mut b);
                }
            }
            if let Some(t) = r.missing.due_us() {
                next = Some(next.map_or(t, |n| n.min(t)));
            }
        }
        self.wire.last_rtcp(b);
        self.nack_us = next;
    }

    /// Sender reports of what was sent, report blocks of what was received (RFC 3550 §6.4); none when neither is.
    fn send_reports(&mut self, now: Time) {
        self.report_us = None;
        let (ntp, mut b) = (ntp(now), self.wire.compound());
        for (ssrc, t) in &mut self.tx {
            let clock = self.payload_types[usize::from(t.pt & 0x7f)].map_or(super::DEFAULT_CLOCK, |p| p.clock);
            let Some(info) = t.report(now.mono_us, ntp, clock) else { continue };
            rtcp::write_report(&mut b, *ssrc, Some(&info), &[]);
            rtcp::write_cname(&mut b, *ssrc, &self.cname);
            self.report_us = Some(now.mono_us + REPORT_US);
            if b.len() > COMPOUND {
                self.wire.rtcp(&mut b);
            }
        }
        self.wire.rtcp(&mut b);
        let live = self.rx.iter_mut().filter(|(_, r)| now.mono_us.saturating_sub(r.last_us) < REPORTED_FOR_US);
        let blocks: Vec<_> = live.map(|(ssrc, r)| r.report(*ssrc, now.mono_us)).collect();
        for blocks in blocks.chunks(MAX_BLOCKS) {
            rtcp::write_report(&mut b, self.feedback_ssrc, None, blocks);
            rtcp::write_cname(&mut b, self.feedback_ssrc, &self.cname);
            self.wire.rtcp(&mut b);
            self.report_us = Some(now.mono_us + REPORT_US);
        }
        self.wire.last_rtcp(b);
    }

    /// Goodbye of these streams, in one compound.
    pub(super) fn say_bye(&mut self, ssrcs: &[u32]) {
        let mut b = self.wire.compound();
        for ssrcs in ssrcs.chunks(MAX_BLOCKS) {
            rtcp::write_report(&mut b, self.feedback_ssrc, None, &[]);
            rtcp::write_cname(&mut b, self.feedback_ssrc, &self.cname);
            ssrcs.iter().for_each(|s| rtcp::write_bye(&mut b, *s));
            self.wire.rtcp(&mut b);
        }
        self.wire.last_rtcp(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_are_given_back_are_few_and_no_longer_than_joined_datagrams() {
        let mut w = Wire::new(ExtensionIds::default(), 1_000_000);
        for _ in 0..=MAX_SPARE {
            w.recycle(vec![1; NEW_BUFFER]);
        }
        assert!(w.spare.len() == MAX_SPARE && w.spare.iter().all(Vec::is_empty));
        w.spare.clear();
        w.recycle(Vec::with_capacity(Transmit::MAX_JOINED + 1));
        w.recycle(Vec::with_capacity(NEW_BUFFER - 1));
        assert!(w.spare.is_empty());
        w.recycle(Vec::with_capacity(Transmit::MAX_JOINED));
        assert_eq!(w.spare.len(), 1);
    }
}
