//! What a probe sends beside the media, and what its outcome means for the estimate.

use std::time::Duration;

use super::Engine;
use super::outbound::rtx_pt;
use super::probe::Outcome;
use super::rtp::Fields;
use crate::media::peer::{Bandwidth, Event};
use crate::time::Time;

/// A packet of nothing but padding: the last byte counts them (RFC 3550 §5.1).
static PADDING: [u8; 255] = {
    let mut b = [0; 255];
    b[254] = 255;
    b
};

impl Engine {
    /// Begins a probe, or tells at once what is known when there can be none.
    pub(super) fn start_probe(&mut self, bps: u64, duration: Duration, now: Time) {
        let bps = bps.min(self.estimator.max());
        let able = self.wire.srtp.is_some() && self.wire.ids.transport_cc != 0 && self.padding_stream().is_some();
        if able && self.prober.start(bps, duration, self.wire.sent_bytes, now.mono_us) {
            self.set_pace();
            self.run_probe(now);
        } else {
            self.tell_bandwidth(now);
        }
    }

    /// What is due of a probe.
    pub(super) fn run_probe(&mut self, now: Time) {
        if let Some(bytes) = self.prober.padding(self.wire.sent_bytes, now.mono_us) {
            self.pad(bytes, now);
        } else if let Some(o) = self.prober.late(now.mono_us) {
            self.probe_over(o, now);
        }
    }

    pub(super) fn probe_over(&mut self, o: Outcome, now: Time) {
        if let Some(bps) = o.bps {
            self.estimator.probed(bps);
        }
        self.set_pace();
        self.tell_bandwidth(now);
    }

    pub(super) fn set_pace(&mut self) {
        let bps = self.estimator.bps().max(self.prober.bps().unwrap_or(0));
        self.wire.pacer.set_estimate(bps, self.estimator.carried());
    }

    pub(super) fn tell_bandwidth(&mut self, now: Time) {
        let bps = self.estimator.bps();
        self.told = (bps, now.mono_us);
        let loss = (self.estimator.loss() * 256.0).min(255.0) as u8;
        let rtt = self.rtt_us.map(Duration::from_micros);
        self.wire.event(Event::Bandwidth(Bandwidth { bps, rtt, loss }));
    }

    /// The stream with repairs that was last sent on.
    fn padding_stream(&self) -> Option<u32> {
        let able = self.tx.iter().filter(|(_, t)| t.rtx.is_some());
        able.max_by_key(|(ssrc, t)| (t.last_us(), **ssrc)).map(|(ssrc, _)| *ssrc)
    }

    fn pad(&mut self, bytes: u64, now: Time) {
        let Some(stream) = self.padding_stream() else { return };
        let until = self.wire.sent_bytes + bytes;
        while self.wire.sent_bytes < until {
            let Some(t) = self.tx.get_mut(&stream) else { return };
            let Some((ssrc, pt)) = t.rtx else { return };
            let seq = t.next_rtx();
            let mut f = Fields {
                pt,
                marker: false,
                seq,
                ts: 0,
                ssrc,
                level: None,
                abs_send_time: 0,
                transport_cc: 0,
                extra: None,
                padded: false,
            };
            self.padded = self.padded.wrapping_add(1);
            let sent = match t.history.newest(self.padded) {
                Some(s) => {
                    (f.ts, f.marker, f.extra) = (s.ts, s.marker, s.extra.as_deref());
                    f.pt = rtx_pt(&self.repaired_by, s.pt, pt);
                    self.wire.rtp(now, f, Some(s.seq), &s.payload)
                }
                None => {
                    f.padded = true;
                    self.wire.rtp(now, f, None, &PADDING)
                }
            };
            if !sent {
                return;
            }
            self.stats.padding_out += 1;
        }
    }
}
