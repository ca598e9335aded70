//! What arrives: RTP and RTCP from checked pairs.

use std::net::SocketAddr;

use bytes::{Buf, Bytes};

use super::agents::Follow;
use super::outbound::{REPORT_US, ntp};
use super::rtcp::{self, Blocks, Part};
use super::rtp::{Header, read_extensions, split_rtx};
use super::stream::Receiver;
use super::{DEFAULT_CLOCK, Engine, KEY_FRAME_INTERVAL_US, MAX_EARLY, MAX_STREAMS, RX_CHUNK};
use crate::media::peer::{AudioLevel, Event, IncomingRtp, Mid};
use crate::time::Time;

/// A measured round trip beyond this is a mistake (docs/protocol/04 §9), in 1/65536 s.
const MAX_RTT: u32 = 7 << 16;
/// The estimate is told again when it moved by this part, or after this time, µs.
const TELL_CHANGE: f64 = 0.03;
const TELL_EVERY_US: u64 = 1_000_000;
/// From hearing of a request to sending the key frame: an encoder waits for its next picture, µs.
const KEY_FRAME_MADE_US: u64 = 100_000;

/// What the header extensions say to those above.
struct Extra {
    level: Option<AudioLevel>,
    mid: Option<Mid>,
    descriptor: Option<Bytes>,
}

impl Engine {
    #[inline]
    pub(super) fn on_rtp(&mut self, path: (SocketAddr, SocketAddr), b: &[u8], came: Time, now: Time) {
        let Some(h) = Header::parse(b) else {
            self.stats.junk += 1;
            return;
        };
        let Some(srtp) = &mut self.wire.srtp else {
            // Media may overtake the last flight of the handshake.
            if self.early.len() < MAX_EARLY {
                self.early.push((path, b.to_vec(), came));
            } else {
                self.stats.junk += 1;
            }
            return;
        };
        if self.arena.capacity() < b.len() {
            // Takes the old chunk again if nobody holds a part of it.
            self.arena.reserve(RX_CHUNK.max(b.len()));
        }
        let Some(newest) = srtp.unprotect(&h, b, &mut self.arena) else {
            self.stats.srtp_errors += 1;
            return;
        };
        if srtp.received_streams() > MAX_STREAMS {
            self.evict(h.ssrc);
        }
        self.stats.rtp_in += 1;
        let body_len = self.arena.len();
        self.stats.rtp_in_bytes += body_len as u64;
        let seen = read_extensions(&h, b, &self.wire.ids);
        if let Some(n) = seen.transport_cc {
            self.arrivals.arrived(now.mono_us, came.mono_us, n, h.ssrc);
        }
        let Some(len) = h.payload_len(&self.arena[..body_len]) else {
            self.arena.clear();
            self.stats.junk += 1;
            return;
        };
        // The header is read where it came; what outlives it goes behind the payload, into the same chunk.
        let descriptor = seen.dependency_descriptor.map(|d| {
            self.arena.extend_from_slice(d);
            body_len..body_len + d.len()
        });
        let mut body = self.arena.split().freeze();
        let descriptor = descriptor.map(|range| body.slice(range));
        body.truncate(len);
        self.take(h, Extra { level: seen.level, mid: seen.mid, descriptor }, body, came, now);
        if newest {
            self.follow(path, now);
        }
    }

    /// Undoes a repair and delivers.
    #[inline]
    fn take(&mut self, mut h: Header, extra: Extra, mut payload: Bytes, came: Time, now: Time) {
        let mut pt = self.payload_types[usize::from(h.pt)];
        let repairs = pt.and_then(|p| p.repairs);
        if let Some(original_pt) = repairs {
            // Repairs of a stream that nobody named, and probes on a repair stream, are counted and no more.
            let named = self.repairs.get(&h.ssrc).copied();
            let Some(primary) = named.or_else(|| self.repaired_by_mid(extra.mid)) else { return };
            let Some((seq, range)) = split_rtx(&payload) else { return };
            payload.advance(range.start);
            (h.pt, h.ssrc, h.seq) = (original_pt & 0x7f, primary, seq);
            pt = self.payload_types[usize::from(h.pt)];
        }
        let (clock, nack) = pt.map_or((DEFAULT_CLOCK, false), |p| (p.clock, p.nack));
        let r = self.rx.entry(h.ssrc).or_insert_with(|| Receiver::new(h.seq, now.mono_us, clock));
        // Padding alone (a probe of the bridge) makes no stream that is worth a repair.
        r.nackable |= nack && !payload.is_empty();
        let before = r.missing.given_up;
        let Some((seq, recovered)) = r.arrived(now.mono_us, came.mono_us, h.seq, h.ts, repairs.is_some()) else {
            self.stats.duplicates += 1;
            return;
        };
        r.count(now.mono_us, payload.len(), recovered);
        self.stats.unrecovered += r.missing.given_up - before;
        if let Some(t) = r.missing.fresh_us.take() {
            self.nack_us = Some(self.nack_us.map_or(t, |n| n.min(t)));
        }
        self.report_us.get_or_insert(now.mono_us + REPORT_US);
        self.stats.recovered += u64::from(recovered);
        if payload.is_empty() {
            return;
        }
        self.wire.event(Event::Rtp(IncomingRtp {
            ssrc: h.ssrc,
            pt: h.pt,
            seq,
            ts: h.ts,
            marker: h.marker,
            recovered,
            arrival: came,
            waited_us: u32::try_from(now.since(came).as_micros()).unwrap_or(u32::MAX),
            level: extra.level,
            mid: extra.mid,
            dependency_descriptor: extra.descriptor,
            payload,
        }));
    }

    /// The stream whose repairs carry this `mid`. Nothing is kept of the SSRC that they came on: a slot has one `mid` for good, and
    /// whoever makes up SSRCs fills no table.
    #[cold]
    fn repaired_by_mid(&self, mid: Option<Mid>) -> Option<u32> {
        self.mids.get(&mid?).copied()
    }

    /// Media goes where the peer's newest authentic packet came from, if the peer leads (design §9, X4). Were we to follow
    /// while we lead, both sides could chase each other between two pairs for ever.
    #[inline]
    fn follow(&mut self, path: (SocketAddr, SocketAddr), now: Time) {
        if !self.controlling && self.wire.path != Some(path) {
            self.move_path(path, now);
        }
    }

    #[cold]
    fn move_path(&mut self, (local, remote): (SocketAddr, SocketAddr), now: Time) {
        match self.ice.follow(local, remote, now.mono_us) {
            Follow::Stay => {}
            Follow::There => self.wire.path = Some((local, remote)),
            Follow::Switched => self.drain_ice(now),
        }
    }

    /// The table is full of SSRCs: one that was forgotten goes, else the one silent for longest, but not the newcomer.
    fn evict(&mut self, newcomer: u32) {
        let Some(srtp) = &mut self.wire.srtp else { return };
        while let Some(s) = self.left.pop_front() {
            // Else it came back.
            if s != newcomer && !self.rx.contains_key(&s) && !self.repairs.contains_key(&s) {
                return srtp.forget(s);
            }
        }
        let oldest = self.rx.iter().filter(|(s, _)| **s != newcomer).min_by_key(|(_, r)| r.last_us).map(|(s, _)| *s);
        match oldest {
            Some(s) => {
                self.forget(s);
                let Some(srtp) = &mut self.wire.srtp else { return };
                self.left.drain(..).for_each(|s| srtp.forget(s));
            }
            // Repair streams nobody mapped.
            None => return srtp.forget(newcomer),
        }
        // One that only repairs by `mid` were seen of has nothing in SRTP that could go.
        if let Some(srtp) = self.wire.srtp.as_mut().filter(|s| s.received_streams() > MAX_STREAMS) {
            srtp.forget(newcomer);
        }
    }

    /// Drops the state of a remote stream. That of SRTP stays while there is room: the SSRC may come back, a source that is taken out and put
    /// back has it again, and its numbers go on (RFC 3711 §3.2.3) with a rollover counter that no packet carries.
    pub(super) fn forget(&mut self, ssrc: u32) {
        self.rx.remove(&ssrc);
        self.key_frames.remove(&ssrc);
        self.mids.retain(|_, primary| *primary != ssrc);
        let mut gone = vec![ssrc];
        self.repairs.retain(|rtx, primary| {
            if *primary == ssrc {
                gone.push(*rtx);
            }
            *primary != ssrc
        });
        let Some(srtp) = &self.wire.srtp else { return };
        self.left.retain(|s| !gone.contains(s));
        self.left.extend(gone.into_iter().filter(|s| srtp.receives(*s)));
    }

    pub(super) fn on_rtcp(&mut self, path: (SocketAddr, SocketAddr), b: &[u8], came: Time, now: Time) {
        let Some(srtp) = &mut self.wire.srtp else {
            self.stats.junk += 1;
            return;
        };
        let mut plain = std::mem::take(&mut self.compound);
        plain.clear();
        if srtp.unprotect_rtcp(b, &mut plain).is_none() {
            self.compound = plain;
            self.stats.srtp_errors += 1;
            return;
        }
        self.wire.path.get_or_insert(path);
        for part in rtcp::parts(&plain) {
            match part {
                Ok(part) => self.on_part(part, came, now),
                Err(rtcp::Malformed) => self.stats.junk += 1,
            }
        }
        self.compound = plain;
    }

    /// What measures the path goes by when it came, what is to be done by now.
    fn on_part(&mut self, part: Part<'_>, came: Time, now: Time) {
        match part {
            Part::SenderReport { report, blocks } => {
                if let Some(r) = self.rx.get_mut(&report.ssrc) {
                    r.on_sender_report(came.mono_us, report.ntp);
                    self.wire.event(Event::SenderReport(report));
                }
                self.on_blocks(blocks, came);
            }
            Part::ReceiverReport { blocks } => self.on_blocks(blocks, came),
            Part::Nack { media, pairs } => self.resend(media, pairs, now),
            Part::Pli { media } => self.on_key_frame_wanted(media, now),
            Part::Fir { entries } => rtcp::fir_ssrcs(entries).for_each(|s| self.on_key_frame_wanted(s, now)),
            Part::Bye(list) => {
                for ssrc in rtcp::bye_ssrcs(list).filter(|s| self.rx.contains_key(s)) {
                    self.wire.event(Event::Bye(ssrc));
                }
            }
            Part::TransportCc(fci) => self.on_transport_cc(fci, came, now),
            Part::Other => {}
        }
    }

    fn on_blocks(&mut self, blocks: Blocks<'_>, came: Time) {
        let came = (ntp(came) >> 16) as u32;
        for b in blocks.iter() {
            let Some(t) = self.tx.get_mut(&b.ssrc) else { continue };
            t.on_block(&b);
            if b.last_sr == 0 {
                continue;
            }
            let rtt = came.wrapping_sub(b.last_sr).wrapping_sub(b.delay);
            if rtt < MAX_RTT {
                self.rtt_us = Some((u64::from(rtt) * 1_000_000) >> 16);
                self.rtt_reported = true;
            }
        }
    }

    /// Peers repeat a request each round trip until the frame is there; one of them is enough. What comes later than the frame could be
    /// there is somebody else's need (the bridge asks for each receiver, three times in ten seconds: docs/protocol/04 §9), and is told as
    /// soon as the throttle lets us.
    pub(super) fn on_key_frame_wanted(&mut self, ssrc: u32, now: Time) {
        let answered_us = self.rtt_us.unwrap_or(0) + KEY_FRAME_MADE_US;
        let Some(t) = self.tx.get_mut(&ssrc) else { return };
        self.stats.key_frame_requests_in += 1;
        match &mut t.key_frame_wanted {
            Some((told, again)) if now.mono_us.saturating_sub(*told) < KEY_FRAME_INTERVAL_US => {
                if now.mono_us.saturating_sub(*told) > answered_us {
                    *again = true;
                    let due = *told + KEY_FRAME_INTERVAL_US;
                    self.key_frame_us = Some(self.key_frame_us.map_or(due, |t| t.min(due)));
                }
            }
            wanted => {
                *wanted = Some((now.mono_us, false));
                self.wire.event(Event::KeyFrameWanted(ssrc));
            }
        }
    }

    /// Tells of key frames that were asked for again while the throttle held; when the next is due, µs.
    pub(super) fn tell_key_frames(&mut self, now: Time) -> Option<u64> {
        let mut next = None::<u64>;
        for (ssrc, t) in &mut self.tx {
            let Some((told, again @ true)) = &mut t.key_frame_wanted else { continue };
            let due = *told + KEY_FRAME_INTERVAL_US;
            if due <= now.mono_us {
                (*told, *again) = (now.mono_us, false);
                self.wire.event(Event::KeyFrameWanted(*ssrc));
            } else {
                next = Some(next.map_or(due, |n| n.min(due)));
            }
        }
        next
    }

    fn on_transport_cc(&mut self, fci: &[u8], came: Time, now: Time) {
        self.stats.transport_cc_in += 1;
        self.fates.clear();
        if !self.wire.sending.on_feedback(fci, &mut self.fates) {
            self.stats.junk += 1;
        }
        for frame in self.fates.chunk_by(|a, b| a.packet.0 == b.packet.0) {
            // A repair came on an SSRC that has no history: what it repaired goes with age.
            let Some(t) = self.tx.get_mut(&frame[0].packet.0) else { continue };
            frame.iter().filter(|f| f.arrival_us.is_some()).for_each(|f| t.history.arrived(f.packet.1));
        }
        if let Some(f) = self.fates.iter().rev().find(|f| f.arrival_us.is_some()) {
            self.feedback_rtt_us = came.mono_us.saturating_sub(f.sent_us);
            if !self.rtt_reported {
                // An upper bound until a report block tells better.
                self.rtt_us = Some(self.feedback_rtt_us);
            }
        }
        let backed_off = self.estimator.on_feedback(now.mono_us, &self.fates, self.rtt_us.unwrap_or(0));
        if backed_off {
            self.prober.full(now.mono_us);
        }
        self.set_pace();
        if let Some(outcome) = self.prober.told(&self.fates, now.mono_us) {
            return self.probe_over(outcome, now);
        }
        let bps = self.estimator.bps();
        let (told, at) = self.told;
        let moved = (bps as f64 - told as f64).abs() > TELL_CHANGE * told as f64;
        if moved || now.mono_us.saturating_sub(at) >= TELL_EVERY_US {
            self.tell_bandwidth(now);
        }
    }
}
