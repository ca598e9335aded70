//! One source of a participant: its clock, and the frames that wait for their times.

use super::clock::{Clock, Run};
use crate::media::{Codec, EncodedFrame, MediaType};
use bytes::Bytes;
use std::collections::VecDeque;

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
    last_us: u64,
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
        // Runs that touch never go back behind each other.
        let at_us = u64::try_from(at).unwrap_or(0).max(self.last_us);
        self.last_us = at_us;
        let EncodedFrame { codec, key, size, data, .. } = frame;
        Some(Timed { at_us, codec, key, size, data })
    }

    /// When [`Source::next`] can say more.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.held.is_empty() { None } else { self.clock.next_deadline() }
    }
}
