//! One local source: whole frames in, RTP payloads out. RTP time, picture ids and temporal ids live here; numbering,
//! encryption and repair are the engine's.

use super::dependency_descriptor::{self, Writer};
use super::frame::OutgoingFrame;
use super::kind::{Codec, MediaType};
use super::peer::{AudioLevel, MAX_RTP_PAYLOAD, OutgoingRtp};
use super::telephone_event::Keys;
use super::temporal::{MAX_TEMPORAL_LAYERS, Temporal};
use super::{assembler, av1, h264, opus, vp8, vp9};
use crate::env::Env;
use crate::time::Time;
use bytes::Bytes;
use std::time::Duration;

/// Frames without a duration of their own count as this long.
const DEFAULT_FRAME: Duration = Duration::from_millis(20);
/// A pause longer than this is a pause, not jitter of the caller: RTP time then follows the clock.
pub(super) const PAUSE: Duration = Duration::from_millis(300);

/// Room for the descriptor of a frame that is no key frame, references written out.
const DELTA_DESCRIPTOR: usize = 16;

/// Why a frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Not a frame of this codec, or too large for one packet where one packet is one frame.
    Malformed,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    Out,
    /// Not sent: a key frame has to come first ([`Sender::await_key`]).
    NeedsKey,
}

/// The pipeline of one local source.
#[derive(Clone, Debug)]
pub struct Sender {
    codec: Codec,
    pt: u8,
    /// RTP time of the next picture, if it comes when the last one ends.
    next_ts: u32,
    last: Option<(Time, u32, Duration)>,
    /// The encoding that the last frame belongs to.
    at: usize,
    encodings: Vec<Encoding>,
    /// Id of the dependency descriptor's extension; 0: not negotiated.
    descriptor_id: u8,
    frames: u64,
}

/// One of the source's streams. Its numbers are its own; RTP time is the source's.
#[derive(Clone, Debug)]
struct Encoding {
    ssrc: u32,
    picture_id: u16,
    tl0_pic_idx: u8,
    temporal: Temporal,
    /// Nothing goes out before a key frame: what is sent leans on pictures that were not.
    awaits_key: bool,
    /// Temporal layers that came so far: the next key frame says how many there are.
    layers: u8,
    descriptors: Writer,
}

impl Encoding {
    fn new(ssrc: u32, env: &mut Env) -> Encoding {
        let ids = env.u32();
        let (picture_id, tl0_pic_idx) = ((ids & 0x7fff) as u16, (ids >> 16) as u8);
        Encoding {
            ssrc,
            picture_id,
            tl0_pic_idx,
            awaits_key: false,
            temporal: Temporal::default(),
            layers: 1,
            descriptors: Writer::new(1, (ids >> 8) as u16),
        }
    }
}

impl Sender {
    /// A pipeline whose RTP time and picture id start at random (RFC 3550 §5.1).
    pub fn new(codec: Codec, ssrc: u32, pt: u8, env: &mut Env) -> Sender {
        Sender::simulcast(codec, ssrc, &[], pt, env)
    }

    /// With more encodings than the smallest, in rising order: each has an SSRC and numbers of its own.
    pub fn simulcast(codec: Codec, primary: u32, larger: &[u32], pt: u8, env: &mut Env) -> Sender {
        let next_ts = env.u32();
        let encodings = std::iter::once(&primary).chain(larger).map(|ssrc| Encoding::new(*ssrc, env)).collect();
        Sender { codec, pt, next_ts, last: None, at: 0, encodings, descriptor_id: 0, frames: 0 }
    }

    /// Another codec from the next frame on, which must be a key frame: SSRCs, numbers and RTP time go on.
    pub fn set_codec(&mut self, codec: Codec, pt: u8) {
        if self.codec != codec {
            for e in &mut self.encodings {
                (e.temporal, e.layers) = (Temporal::default(), 1);
            }
        }
        (self.codec, self.pt) = (codec, pt);
    }

    /// The dependency descriptor was negotiated with this id: AV1 and H264 frames carry one, without which a bridge knows no
    /// layers of them (docs/protocol/04 §7).
    pub fn set_dependency_descriptor(&mut self, id: u8) {
        self.descriptor_id = id;
    }

    /// Frames in between went another way or none: what comes now may lean on them, which the unbroken numbers of those before and after hide
    /// from whoever receives them. So the next that goes out of each encoding is a key frame.
    pub fn await_key(&mut self) {
        self.encodings.iter_mut().for_each(|e| e.awaits_key = true);
    }

    /// How many temporal layers the frames will have, where it is known before the first of each came.
    pub fn set_temporal_layers(&mut self, layers: u8) {
        for e in &mut self.encodings {
            e.layers = layers.clamp(1, MAX_TEMPORAL_LAYERS as u8);
        }
    }

    /// The codec of the next frame.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The SSRC of the smallest encoding, which is the source's primary one.
    pub fn ssrc(&self) -> u32 {
        self.encodings.first().map_or(0, |e| e.ssrc)
    }

    /// The SSRCs of all encodings, the smallest first.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> {
        self.encodings.iter().map(|e| e.ssrc)
    }

    /// Frames sent so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Gives each packet of the frame to `out`. An encoding beyond those that there are counts as the largest.
    pub fn frame(&mut self, f: &OutgoingFrame, now: Time, mut out: impl FnMut(OutgoingRtp)) -> Result<Went, SendError> {
        let at = (f.encoding as usize).min(self.encodings.len() - 1);
        let own = match self.codec {
            Codec::Opus => {
                let d = opus::duration(&f.data).filter(|_| f.data.len() <= MAX_RTP_PAYLOAD);
                Some(d.ok_or(SendError::Malformed)?)
            }
            _ if f.data.is_empty() => return Err(SendError::Malformed),
            // Nor does it take a picture's time.
            Codec::H264 if !h264::has_picture(&f.data) => return Err(SendError::Malformed),
            _ => None,
        };
        let duration = own.or(f.duration).unwrap_or(DEFAULT_FRAME);
        // The encodings of one picture follow each other and have one RTP time.
        let ts = match self.last {
            Some((then, ts, before)) if at > self.at && now.since(then) <= before.saturating_add(PAUSE) => ts,
            _ => self.stamp(now, duration),
        };
        self.at = at;
        let (codec, pt, id) = (self.codec, self.pt, self.descriptor_id);
        let e = &mut self.encodings[at];
        let ssrc = e.ssrc;
        let packet = |payload: Bytes, marker: bool, extra: Option<(u8, Bytes)>| OutgoingRtp {
            ssrc,
            pt,
            ts,
            marker,
            level: f.audio_level,
            extra,
            payload,
        };
        if codec.media_type() == MediaType::Audio {
            // The marker begins a talkspurt (RFC 3551 §4.1).
            out(packet(f.data.clone(), self.frames == 0, None));
            self.frames += 1;
            return Ok(Went::Out);
        }
        let key = f.key.unwrap_or_else(|| assembler::is_key(codec, &f.data));
        if e.awaits_key && !key {
            return Ok(Went::NeedsKey);
        }
        let leaning = e.temporal.next(f.temporal_id.unwrap_or(0), key);
        e.layers = e.layers.max(leaning.temporal_id + 1);
        e.picture_id = (e.picture_id + 1) & 0x7fff;
        if leaning.temporal_id == 0 {
            e.tl0_pic_idx = e.tl0_pic_idx.wrapping_add(1);
        }
        let descriptor = (id != 0 && matches!(codec, Codec::Av1 | Codec::H264))
            .then(|| e.descriptors.frame(&leaning, key, e.layers, assembler::size(codec, &f.data)));
        let room = match &descriptor {
            Some(_) if key => MAX_RTP_PAYLOAD - dependency_descriptor::MAX_WRITTEN,
            Some(_) => MAX_RTP_PAYLOAD - DELTA_DESCRIPTOR,
            None => MAX_RTP_PAYLOAD,
        };
        let mut first = true;
        let mut put = |payload: Bytes, last: bool| {
            let extra = descriptor.as_ref().map(|d| (id, d.packet(std::mem::take(&mut first), last)));
            out(packet(payload, last, extra));
        };
        let sent = match codec {
            Codec::Opus => false,
            Codec::Vp8 => {
                let d = vp8::Descriptor {
                    picture_id: Some(e.picture_id),
                    tl0_pic_idx: Some(e.tl0_pic_idx),
                    // The bridge drops layers by these. Without the sync bit on what leans on the base alone, Chromium decodes
                    // a quarter of the frames.
                    temporal: Some((leaning.temporal_id, leaning.sync)),
                    ..Default::default()
                };
                for (payload, last) in vp8::packetise(&f.data, d, room) {
                    put(payload, last);
                }
                true
            }
            Codec::Vp9 => {
                let back = leaning.back().iter().filter_map(|b| u8::try_from(*b).ok().filter(|b| *b < 128));
                let o = vp9::Outgoing {
                    picture_id: e.picture_id,
                    temporal: leaning.temporal_id,
                    references: vp9::References::Flexible(back.take(vp9::MAX_P_DIFF).collect()),
                };
                vp9::packetise(&f.data, &o, room, put);
                true
            }
            Codec::H264 => h264::packetise(&f.data, room, put),
            Codec::Av1 => av1::packetise(&f.data, room, put),
        };
        if !sent {
            return Err(SendError::Malformed);
        }
        self.encodings[at].awaits_key = false;
        self.frames += 1;
        Ok(Went::Out)
    }

    /// Keys of a telephone that are due, among our audio: with this payload type and clock.
    pub fn keys(&mut self, keys: &mut Keys, (pt, clock): (u8, u32), now: Time, mut out: impl FnMut(OutgoingRtp)) {
        let ssrc = self.ssrc();
        for p in keys.poll(now, clock, |held| self.stamp(now, held)) {
            // As loud as speech: whoever forwards only what is heard shall forward it.
            let level = Some(AudioLevel { level: 30, voice: true });
            let payload = Bytes::copy_from_slice(&p.payload);
            out(OutgoingRtp { ssrc, pt, ts: p.ts, marker: p.marker, level, extra: None, payload });
        }
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
