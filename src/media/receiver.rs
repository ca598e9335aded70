//! One remote track: packets in any order in, whole frames in order out, with provenance (design §5.6).
//!
//! A damaged video frame is dropped whole, and what follows it up to the next key frame too: a reader never gets a picture that
//! cannot be decoded. A key frame is then asked for, throttled.

use super::frame::EncodedFrame;
use super::jitter::{Jitter, JitterStats, MAX_HELD_PACKETS};
use super::kind::{Codec, MediaType};
use super::peer::{IncomingRtp, SenderReport};
use super::vp8;
use crate::time::Time;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Largest frame put together, bytes; past it the frame counts as damaged.
pub const MAX_FRAME_BYTES: usize = 4 << 20;
/// Least time between two requests for a key frame of one track.
pub const KEY_FRAME_REQUEST_EVERY: Duration = Duration::from_millis(500);
/// Frames that wait to be taken. One packet can release all that the jitter buffer holds, and end a frame begun before:
/// whoever drains after each packet loses none.
pub const MAX_WAITING_FRAMES: usize = MAX_HELD_PACKETS + 2;

/// Counters of one track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    pub frames: u64,
    /// Video frames dropped because a packet of them is missing, or they refer to such a one.
    pub damaged: u64,
    /// Packets with a payload type or a payload that was not understood.
    pub malformed: u64,
    /// Frames dropped because nobody took those that wait.
    pub overflowed: u64,
    pub key_frames_requested: u64,
    pub jitter: JitterStats,
}

/// The pipeline of one remote track.
#[derive(Debug)]
pub struct Receiver {
    endpoint_id: Arc<str>,
    source_name: Arc<str>,
    media: MediaType,
    payload_types: Vec<(u8, Codec)>,
    jitter: Jitter,
    ssrc: Option<u32>,
    timeline: u32,
    rtp: Unwrap,
    report: Option<SenderReport>,
    building: Option<Building>,
    /// Nothing decodable is there before the next key frame.
    needs_key: bool,
    asked_at: Option<Time>,
    lost: u32,
    out: VecDeque<EncodedFrame>,
    stats: ReceiverStats,
}

#[derive(Debug)]
struct Building {
    ts: u32,
    data: Joined,
    temporal_id: Option<u8>,
    /// It begins as a key frame does.
    key: bool,
    damaged: bool,
}

/// A frame in one packet is a slice of it; copying begins with the second.
#[derive(Debug)]
enum Joined {
    One(Bytes),
    Many(BytesMut),
}

impl Joined {
    fn push(&mut self, more: &[u8]) {
        match self {
            Joined::Many(b) => b.extend_from_slice(more),
            Joined::One(first) => {
                let mut b = BytesMut::with_capacity((first.len() + more.len()) * 4);
                b.extend_from_slice(first);
                b.extend_from_slice(more);
                *self = Joined::Many(b);
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Joined::One(b) => b.len(),
            Joined::Many(b) => b.len(),
        }
    }

    fn freeze(self) -> Bytes {
        match self {
            Joined::One(b) => b,
            Joined::Many(b) => b.freeze(),
        }
    }
}

impl Receiver {
    /// A pipeline for one track. `wait`: the longest time for a missing packet.
    pub fn new(endpoint_id: Arc<str>, source_name: Arc<str>, media: MediaType, wait: Duration) -> Receiver {
        Receiver {
            endpoint_id,
            source_name,
            media,
            payload_types: Vec::new(),
            jitter: Jitter::new(wait),
            ssrc: None,
            timeline: 0,
            rtp: Unwrap::default(),
            report: None,
            building: None,
            needs_key: media == MediaType::Video,
            asked_at: None,
            lost: 0,
            out: VecDeque::new(),
            stats: ReceiverStats::default(),
        }
    }

    /// The last timeline of this track in an earlier session: the next one is greater (design §5.6).
    pub fn after_timeline(mut self, timeline: u32) -> Receiver {
        self.timeline = timeline;
        self
    }

    /// What the payload types mean, from the negotiation.
    pub fn set_payload_types(&mut self, payload_types: Vec<(u8, Codec)>) {
        self.payload_types = payload_types;
    }

    /// The RTP time restarts with the next packet: a new session carries the same track.
    pub fn restart(&mut self) {
        self.ssrc = None;
    }

    /// A packet of this track.
    pub fn packet(&mut self, p: IncomingRtp, now: Time) {
        if self.ssrc != Some(p.ssrc) {
            self.ssrc = Some(p.ssrc);
            self.jitter.reset();
            self.new_timeline();
        }
        if self.jitter.push(p) {
            // The sender began again under the same SSRC; its RTP time and clock reports then mean something else.
            self.new_timeline();
        }
        self.handle_timeout(now);
    }

    fn new_timeline(&mut self) {
        self.timeline = self.timeline.saturating_add(1);
        self.rtp = Unwrap::default();
        self.report = None;
        self.building = None;
        self.needs_key = self.media == MediaType::Video;
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((p, lost)) = self.jitter.pop(now) {
            self.lost = self.lost.saturating_add(lost);
            if lost > 0 && self.media == MediaType::Video {
                self.damage();
            }
            self.in_order(p);
        }
    }

    /// When to call [`Receiver::handle_timeout`].
    pub fn next_deadline(&self) -> Option<Time> {
        self.jitter.next_deadline()
    }

    /// The next whole frame.
    pub fn poll_frame(&mut self) -> Option<EncodedFrame> {
        self.out.pop_front()
    }

    /// The SSRC to ask for a key frame now, if one is needed and none is on its way in.
    pub fn poll_key_frame_request(&mut self, now: Time) -> Option<u32> {
        let due = self.asked_at.is_none_or(|t| now >= t + KEY_FRAME_REQUEST_EVERY);
        let arriving = self.building.as_ref().is_some_and(|b| b.key && !b.damaged);
        if !self.needs_key || !due || arriving {
            return None;
        }
        let ssrc = self.ssrc?;
        self.asked_at = Some(now);
        self.stats.key_frames_requested += 1;
        Some(ssrc)
    }

    /// The sender's clock, for capture times.
    pub fn sender_report(&mut self, sr: SenderReport) {
        if self.ssrc == Some(sr.ssrc) {
            self.report = Some(sr);
        }
    }

    /// Counters so far.
    pub fn stats(&self) -> ReceiverStats {
        ReceiverStats { jitter: self.jitter.stats(), ..self.stats }
    }

    fn damage(&mut self) {
        if let Some(b) = &mut self.building {
            b.damaged = true;
        }
        self.needs_key = true;
    }

    fn in_order(&mut self, p: IncomingRtp) {
        let codec = self.payload_types.iter().find(|t| t.0 == p.pt).map(|t| t.1);
        match codec.filter(|c| c.media_type() == self.media) {
            // An empty payload is padding that probes for bandwidth.
            _ if p.payload.is_empty() => {}
            Some(Codec::Opus) => {
                let data = p.payload.clone();
                self.emit(Codec::Opus, &p, data, true, None, None);
            }
            Some(Codec::Vp8) => self.vp8(p),
            None => self.stats.malformed += 1,
        }
    }

    fn vp8(&mut self, p: IncomingRtp) {
        let Some((d, at)) = vp8::Descriptor::parse(&p.payload).filter(|d| d.1 < p.payload.len()) else {
            self.stats.malformed += 1;
            self.damage();
            return;
        };
        if self.building.as_ref().is_some_and(|b| b.ts != p.ts) {
            // The marker of the frame before never came: it was in a packet that is lost, which is known already, or the
            // sender sets none.
            self.finish(&p);
        }
        let first = d.start && d.partition == 0;
        match &mut self.building {
            Some(b) if b.data.len() + p.payload.len() > MAX_FRAME_BYTES => b.damaged = true,
            Some(b) => b.data.push(&p.payload[at..]),
            None => {
                let temporal_id = d.temporal.map(|t| t.0);
                let data = Joined::One(p.payload.slice(at..));
                let key = vp8::is_key(&p.payload[at..]);
                self.building = Some(Building { ts: p.ts, data, temporal_id, key, damaged: !first });
            }
        }
        if p.marker {
            self.finish(&p);
        }
    }

    fn finish(&mut self, last: &IncomingRtp) {
        let Some(b) = self.building.take() else { return };
        let data = b.data.freeze();
        if b.damaged || (self.needs_key && !b.key) {
            self.stats.damaged += 1;
            self.needs_key = true;
            return;
        }
        self.needs_key = false;
        let size = if b.key { vp8::size(&data) } else { None };
        let at = IncomingRtp { ts: b.ts, payload: Bytes::new(), ..last.clone() };
        self.emit(Codec::Vp8, &at, data, b.key, b.temporal_id, size);
    }

    fn emit(
        &mut self,
        codec: Codec,
        p: &IncomingRtp,
        data: Bytes,
        key: bool,
        tid: Option<u8>,
        size: Option<(u16, u16)>,
    ) {
        if self.out.len() >= MAX_WAITING_FRAMES {
            self.stats.overflowed += 1;
            // What leans on it cannot be decoded.
            self.needs_key = self.media == MediaType::Video;
            return;
        }
        self.stats.frames += 1;
        let capture_unix_us = self.report.map(|sr| {
            let ticks = i64::from(p.ts.wrapping_sub(sr.rtp) as i32);
            sr.unix_us() + ticks * 1_000_000 / i64::from(codec.clock_rate())
        });
        self.out.push_back(EncodedFrame {
            endpoint_id: self.endpoint_id.clone(),
            source_name: self.source_name.clone(),
            media: self.media,
            codec,
            encoding: 0,
            temporal_id: tid,
            key,
            timeline: self.timeline,
            rtp_time: self.rtp.unwrap(p.ts),
            arrival_us: p.arrival.mono_us,
            capture_unix_us,
            audio_level: p.level,
            gap: std::mem::take(&mut self.lost),
            size,
            data,
        });
    }
}

/// 32-bit RTP time to 64 bits, following small steps both ways.
#[derive(Debug, Default)]
struct Unwrap(Option<u64>);

impl Unwrap {
    fn unwrap(&mut self, ts: u32) -> u64 {
        // One turn of head start, so that a step back from the first is not below zero.
        let last = self.0.unwrap_or((1 << 32) | u64::from(ts));
        let step = i64::from(ts.wrapping_sub(last as u32) as i32);
        let now = last.saturating_add_signed(step);
        self.0 = Some(now);
        now
    }
}
