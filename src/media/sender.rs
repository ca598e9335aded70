//! One local source: whole frames in, RTP payloads out. RTP time, picture ids and temporal ids live here; numbering,
//! encryption and repair are the engine's.

use super::frame::OutgoingFrame;
use super::kind::Codec;
use super::peer::{MAX_RTP_PAYLOAD, OutgoingRtp};
use super::{opus, vp8};
use crate::env::Env;
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

/// Frames without a duration of their own count as this long.
const DEFAULT_FRAME: Duration = Duration::from_millis(20);
/// A pause longer than this is a pause, not jitter of the caller: RTP time then follows the clock.
const PAUSE: Duration = Duration::from_millis(300);

/// Why a frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Not a frame of this codec, or too large for one packet where one packet is one frame.
    Malformed,
}

/// The pipeline of one local source.
#[derive(Debug)]
pub struct Sender {
    codec: Codec,
    ssrc: u32,
    pt: u8,
    /// RTP time of the next frame, if it comes when the last one ends.
    next_ts: u32,
    last: Option<(Time, u32, Duration)>,
    picture_id: u16,
    tl0_pic_idx: u8,
    frames: u64,
}

impl Sender {
    /// A pipeline whose RTP time and picture id start at random (RFC 3550 §5.1).
    pub fn new(codec: Codec, ssrc: u32, pt: u8, env: &mut Env) -> Sender {
        let (next_ts, ids) = (env.u32(), env.u32());
        let (picture_id, tl0_pic_idx) = ((ids & 0x7fff) as u16, (ids >> 16) as u8);
        Sender { codec, ssrc, pt, next_ts, last: None, picture_id, tl0_pic_idx, frames: 0 }
    }

    /// The SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Frames sent so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Gives each packet of the frame to `out`.
    pub fn frame(&mut self, f: &OutgoingFrame, now: Time, mut out: impl FnMut(OutgoingRtp)) -> Result<(), SendError> {
        let own = match self.codec {
            Codec::Opus => {
                let d = opus::duration(&f.data).filter(|_| f.data.len() <= MAX_RTP_PAYLOAD);
                Some(d.ok_or(SendError::Malformed)?)
            }
            Codec::Vp8 if f.data.is_empty() => return Err(SendError::Malformed),
            Codec::Vp8 => None,
        };
        let duration = own.or(f.duration).unwrap_or(DEFAULT_FRAME);
        let ts = self.stamp(now, duration);
        let packet = |payload: Bytes, marker: bool| OutgoingRtp {
            ssrc: self.ssrc,
            pt: self.pt,
            ts,
            marker,
            level: f.audio_level,
            extra: None,
            payload,
        };
        match self.codec {
            // The marker begins a talkspurt (RFC 3551 §4.1).
            Codec::Opus => out(packet(f.data.clone(), self.frames == 0)),
            Codec::Vp8 => {
                let tid = f.temporal_id.unwrap_or(0).min(3);
                self.picture_id = (self.picture_id + 1) & 0x7fff;
                if tid == 0 {
                    self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
                }
                let d = vp8::Descriptor {
                    picture_id: Some(self.picture_id),
                    tl0_pic_idx: Some(self.tl0_pic_idx),
                    // The bridge drops layers by these. Upper layers lean on the base alone: without the sync bit Chromium decodes
                    // a quarter of the frames.
                    temporal: Some((tid, tid > 0)),
                    ..Default::default()
                };
                for (payload, last) in vp8::packetise(&f.data, d, MAX_RTP_PAYLOAD) {
                    out(packet(payload, last));
                }
            }
        }
        self.frames += 1;
        Ok(())
    }

    fn stamp(&mut self, now: Time, duration: Duration) -> u32 {
        let clock = u128::from(self.codec.clock_rate());
        // RTP time is modulo 2³², whatever duration the caller names.
        let ticks = |d: Duration| (d.as_micros() * clock / 1_000_000) as u32;
        if let Some((at, ts, before)) = self.last {
            let passed = now.since(at);
            if passed > before.saturating_add(PAUSE) {
                self.next_ts = ts.wrapping_add(ticks(passed));
            }
        }
        let ts = self.next_ts;
        self.next_ts = ts.wrapping_add(ticks(duration));
        self.last = Some((now, ts, duration));
        ts
    }
}
