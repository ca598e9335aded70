//! One source of a participant: its clock, and the frames that wait for their times.

use super::clock::{Clock, Run};
use crate::media::{Codec, EncodedFrame, MediaType};
use bytes::Bytes;
use std::collections::VecDeque;

/// What times of a container can tell apart.
const TICK_US: u64 = 1000;
/// What a frame takes beside its payload, about: it counts, or frames of one byte would be held by the million.
pub const FRAME_COST: usize = 256;

/// A frame with its time.
#[derive(Clone, Debug)]
pub struct Timed {
    /// µs since the recording began.
    pub at_us: u64,
    pub codec: Codec,
    pub key: bool,
    pub size: Option<(u16, u16)>,
    pub data: Bytes,
}

#[derive(Debug)]
struct Held {
    run: Run,
    rtp_us: u64,
    frame: EncodedFrame,
}

/// A source.
#[derive(Debug, Default)]
pub struct Source {
    clock: Clock,
    held: VecDeque<Held>,
    bytes: usize,
    /// Nothing can be decoded before a key frame of this codec.
    decodable: Option<Codec>,
    last_us: Option<u64>,
}

impl Source {
    /// A frame that came.
    pub fn frame(&mut self, frame: EncodedFrame) {
        if frame.media == MediaType::Video && self.decodable != Some(frame.codec) {
            if !frame.key {
                return;
            }
            self.decodable = Some(frame.codec);
        }
        let rtp_us = (u128::from(frame.rtp_time) * 1_000_000 / u128::from(frame.codec.clock_rate())) as u64;
        let run = self.clock.frame(frame.timeline, rtp_us, frame.arrival_us);
        self.bytes += frame.data.len() + FRAME_COST;
        self.held.push_back(Held { run, rtp_us, frame });
    }

    /// Bytes that wait, with [`FRAME_COST`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The oldest frame whose time is known; `began_us`: when the recording began, on the clock of arrivals.
    pub fn next(&mut self, began_us: u64, now_us: u64) -> Option<Timed> {
        let first = self.held.front()?;
        let offset = self.clock.offset(first.run, now_us)?;
        let Held { rtp_us, frame, .. } = self.held.pop_front()?;
        self.bytes -= frame.data.len() + FRAME_COST;
        let at = (rtp_us as i64).saturating_add(offset).saturating_sub(began_us as i64);
        // Runs that touch never go back behind each other, nor does a container hold two frames of one time.
        let at_us = u64::try_from(at).unwrap_or(0).max(self.last_us.map_or(0, |l| l + TICK_US));
        self.last_us = Some(at_us);
        let EncodedFrame { codec, key, size, data, .. } = frame;
        Some(Timed { at_us, codec, key, size, data })
    }

    /// When [`Source::next`] can say more.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.held.is_empty() { None } else { self.clock.next_deadline() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_frames_have_one_time_where_runs_overlap() {
        let mut s = Source::default();
        // A first frame that came late and alone on its timeline, and those after it on another one, which came in time.
        for (timeline, rtp_ms, arrival_ms) in
            [(1, 0, 1250), (2, 80, 1180), (2, 160, 1260), (2, 240, 1340), (2, 320, 1420)]
        {
            s.frame(EncodedFrame {
                endpoint_id: "e".into(),
                participant: None,
                track: None,
                source_name: "e-v0".into(),
                media: MediaType::Video,
                codec: Codec::Vp8,
                encoding: 0,
                temporal_id: None,
                key: true,
                timeline,
                rtp_time: rtp_ms * 90,
                arrival_us: arrival_ms * 1000,
                capture_unix_us: None,
                audio_level: None,
                gap: 0,
                size: None,
                data: Bytes::from_static(b"frame"),
            });
        }
        let times: Vec<u64> = std::iter::from_fn(|| s.next(1_000_000, u64::MAX / 4)).map(|t| t.at_us).collect();
        assert_eq!(times, [250_000, 251_000, 260_000, 340_000, 420_000]);
        assert_eq!(s.bytes(), 0);
    }
}
