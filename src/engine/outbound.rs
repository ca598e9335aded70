//! What leaves: RTP, paced, and RTCP, protected, on the path that media takes now; and the timers of feedback.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::pacer::{Pacer, Waiting};
use super::rtcp::{self, MAX_BLOCKS};
use super::rtp::{Fields, MAX_OWN_HEADER, write_header};
use super::srtp::{MAX_OVERHEAD, Srtp};
use super::stream::rtx_prefix;
use super::twcc::Sending;
use super::{Engine, KEY_FRAME_INTERVAL_US};
use crate::media::peer::{
    CodecKind, Event, ExtensionIds, MAX_RTP_PAYLOAD, NTP_UNIX_OFFSET, OutgoingRtp, Output, Transmit,
};
use crate::time::Time;

/// Between two reports of ours, µs.
pub(super) const REPORT_US: u64 = 1_000_000;
/// Between two transport-cc feedbacks, µs.
pub(super) const TRANSPORT_CC_US: u64 = 50_000;
/// A stream that was silent for so long is not reported on, µs.
const REPORTED_FOR_US: u64 = 5 * REPORT_US;
/// A compound is closed once it is longer than this.
const COMPOUND: usize = 900;
/// Round trip assumed before one was measured, µs: for asking again, and for answering again.
const ASK_RTT_US: u64 = 100_000;
const ANSWER_RTT_US: u64 = 20_000;
/// Bytes of IP and UDP headers, which the bandwidth estimate counts.
const BELOW_RTP: usize = 28;

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

impl Wire {
    #[inline]
    pub fn transmit(&mut self, data: Vec<u8>) {
        if let Some((local, remote)) = self.path {
            self.out.push_back(Output::Transmit(Transmit { local, remote, data }));
        }
    }

    pub fn event(&mut self, e: Event) {
        self.out.push_back(Output::Event(e));
    }

    /// Protects and sends one RTP packet; `original`: the sequence number that an RTX packet repairs. `false` if it could not
    /// go.
    #[inline]
    pub fn rtp(&mut self, now: Time, mut f: Fields<'_>, original: Option<u16>, payload: &[u8]) -> bool {
        let Some(srtp) = &mut self.srtp else { return false };
        if self.path.is_none() {
            return false;
        }
        if self.ids.abs_send_time != 0 {
            // 6.18 seconds: the middle of the NTP time.
            f.abs_send_time = (ntp(now) >> 14) as u32 & 0xff_ffff;
        }
        let extra = f.extra.map_or(0, |(_, v)| v.len() + 8);
        let size = payload.len() + MAX_OWN_HEADER + extra + BELOW_RTP;
        if self.ids.transport_cc != 0 {
            f.transport_cc = self.sending.stamp(now.mono_us, size);
        }
        self.sent_bytes += size as u64;
        let mut b = Vec::with_capacity(MAX_OWN_HEADER + extra + 2 + payload.len() + MAX_OVERHEAD);
        write_header(&mut b, &self.ids, &f);
        let header = b.len();
        if let Some(seq) = original {
            b.extend_from_slice(&rtx_prefix(seq));
        }
        b.extend_from_slice(payload);
        if !srtp.protect(f.ssrc, f.seq, header, &mut b) {
            return false;
        }
        self.transmit(b);
        true
    }

    /// Protects and sends one compound.
    pub fn rtcp(&mut self, mut compound: Vec<u8>) {
        if compound.is_empty() {
            return;
        }
        if let Some(srtp) = &mut self.srtp
            && srtp.protect_rtcp(&mut compound)
        {
            self.transmit(compound);
        }
    }
}

impl Engine {
    pub(super) fn send(&mut self, p: &OutgoingRtp, now: Time) {
        let Some(t) =
            self.tx.get_mut(&p.ssrc).filter(|_| self.wire.srtp.is_some() && p.payload.len() <= MAX_RTP_PAYLOAD)
        else {
            self.stats.send_dropped += 1;
            return;
        };
        let pt = self.payload_types[usize::from(p.pt & 0x7f)];
        let seq = t.next(now.mono_us, p, pt.is_some_and(|t| t.nack));
        self.report_us.get_or_insert(now.mono_us + REPORT_US);
        // Without transport-cc nothing is known of the path, and there is no rate to keep.
        if self.wire.ids.transport_cc != 0 {
            let waits = pt.is_none_or(|t| t.kind != CodecKind::Audio) && !self.wire.pacer.is_open(now.mono_us);
            if waits {
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
        let sent = self.wire.rtp(now, f, None, &p.payload);
        self.count_sent(sent, p.payload.len());
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

    fn wait(&mut self, p: &OutgoingRtp, seq: u16, now: Time) {
        let taken = self.wire.pacer.push(Waiting {
            ssrc: p.ssrc,
            pt: p.pt,
            marker: p.marker,
            seq,
            ts: p.ts,
            extra: p.extra.clone(),
            payload: p.payload.clone(),
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
            let (extra, payload) = (s.extra, s.payload);
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
                let mut b = vec![];
                rtcp::write_pli(&mut b, self.feedback_ssrc, ssrc);
                self.wire.rtcp(b);
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
        if due(self.transport_cc_us) {
            self.send_transport_cc();
        }
        if due(self.nack_us) {
            self.send_nacks(now);
        }
        if due(self.key_frame_us) {
            self.key_frame_us = None;
            let wanted: Vec<u32> = self.key_frames.iter().filter(|(_, k)| k.1).map(|(s, _)| *s).collect();
            wanted.into_iter().for_each(|s| self.ask_key_frame(s, now));
        }
        if due(self.report_us) {
            self.report_us = None;
            self.send_reports(now);
        }
    }

    pub(super) fn send_transport_cc(&mut self) {
        self.transport_cc_us = None;
        loop {
            let mut b = vec![];
            if !self.arrivals.write(self.feedback_ssrc, &mut b) {
                return;
            }
            self.stats.transport_cc_out += 1;
            self.wire.rtcp(b);
        }
    }

    fn send_nacks(&mut self, now: Time) {
        let rtt = self.rtt_us.unwrap_or(ASK_RTT_US);
        let (mut next, mut b) = (None::<u64>, vec![]);
        for (ssrc, r) in &mut self.rx {
            if r.missing.due_us().is_some_and(|t| t <= now.mono_us) {
                let given_up = r.missing.given_up;
                self.asked.clear();
                r.missing.due(now.mono_us, rtt, &mut self.asked);
                self.stats.unrecovered += r.missing.given_up - given_up;
                self.stats.nacks_out += self.asked.len() as u64;
                rtcp::write_nack(&mut b, self.feedback_ssrc, *ssrc, &self.asked);
                if b.len() > COMPOUND {
                    self.wire.rtcp(std::mem::take(&mut b));
                }
            }
            if let Some(t) = r.missing.due_us() {
                next = Some(next.map_or(t, |n| n.min(t)));
            }
        }
        self.wire.rtcp(b);
        self.nack_us = next;
    }

    /// Sender reports of what was sent, report blocks of what was received (RFC 3550 §6.4); none when neither is.
    fn send_reports(&mut self, now: Time) {
        let (ntp, mut b) = (ntp(now), vec![]);
        for (ssrc, t) in &mut self.tx {
            let clock = self.payload_types[usize::from(t.pt & 0x7f)].map_or(super::DEFAULT_CLOCK, |p| p.clock);
            let Some(info) = t.report(now.mono_us, ntp, clock) else { continue };
            rtcp::write_report(&mut b, *ssrc, Some(&info), &[]);
            rtcp::write_cname(&mut b, *ssrc, &self.cname);
            self.report_us = Some(now.mono_us + REPORT_US);
            if b.len() > COMPOUND {
                self.wire.rtcp(std::mem::take(&mut b));
            }
        }
        self.wire.rtcp(b);
        let live = self.rx.iter_mut().filter(|(_, r)| now.mono_us.saturating_sub(r.last_us) < REPORTED_FOR_US);
        let blocks: Vec<_> = live.map(|(ssrc, r)| r.report(*ssrc, now.mono_us)).collect();
        for blocks in blocks.chunks(MAX_BLOCKS) {
            let mut b = vec![];
            rtcp::write_report(&mut b, self.feedback_ssrc, None, blocks);
            rtcp::write_cname(&mut b, self.feedback_ssrc, &self.cname);
            self.wire.rtcp(b);
            self.report_us = Some(now.mono_us + REPORT_US);
        }
    }

    /// Goodbye of these streams, in one compound.
    pub(super) fn say_bye(&mut self, ssrcs: &[u32]) {
        for ssrcs in ssrcs.chunks(MAX_BLOCKS) {
            let mut b = vec![];
            rtcp::write_report(&mut b, self.feedback_ssrc, None, &[]);
            rtcp::write_cname(&mut b, self.feedback_ssrc, &self.cname);
            ssrcs.iter().for_each(|s| rtcp::write_bye(&mut b, *s));
            self.wire.rtcp(b);
        }
    }
}
