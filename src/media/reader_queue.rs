//! What a reader keeps for a slow program: bounded, with a drop policy and counters. A plain structure; locks are the driver's.

use super::frame::EncodedFrame;
use super::kind::MediaType;
use std::collections::VecDeque;
use std::sync::Arc;

/// Sources that may be waiting for a key frame at once; more are simply not tracked.
pub(super) const MAX_WAITING_SOURCES: usize = 256;

/// Counters of one reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderStats {
    /// Frames taken by the program.
    pub delivered: u64,
    /// Frames dropped because it was slow.
    pub dropped: u64,
    /// Frames waiting.
    pub queued: u64,
}

/// The queue.
#[derive(Debug)]
pub struct ReaderQueue {
    frames: VecDeque<EncodedFrame>,
    bound: usize,
    drop_newest: bool,
    /// Video sources of which a frame was dropped: no use before their next key frame.
    waiting: Vec<Arc<str>>,
    stats: ReaderStats,
}

impl ReaderQueue {
    /// A queue of at most `bound` frames (at least 1).
    pub fn new(bound: usize, drop_newest: bool) -> ReaderQueue {
        ReaderQueue {
            frames: VecDeque::new(),
            bound: bound.max(1),
            drop_newest,
            waiting: Vec::new(),
            stats: ReaderStats::default(),
        }
    }

    /// Adds a frame; drops one when full.
    pub fn push(&mut self, frame: EncodedFrame) {
        if frame.media == MediaType::Video
            && let Some(at) = self.waiting.iter().position(|s| *s == frame.source_name)
        {
            if !frame.key {
                self.stats.dropped += 1;
                return;
            }
            self.waiting.swap_remove(at);
        }
        if self.frames.len() >= self.bound {
            if self.drop_newest {
                self.dropped(&frame);
                return;
            }
            if let Some(old) = self.frames.pop_front() {
                self.drop_dependents(&old);
                if frame.key {
                    // It begins anew what was just dropped: the frames after it can be decoded.
                    self.waiting.retain(|s| *s != frame.source_name);
                }
                // The new frame may be one of those that lean on it.
                if self.waiting.contains(&frame.source_name) && !frame.key && frame.media == MediaType::Video {
                    self.stats.dropped += 1;
                    return;
                }
            }
        }
        self.frames.push_back(frame);
    }

    fn dropped(&mut self, frame: &EncodedFrame) {
        self.stats.dropped += 1;
        let known = self.waiting.contains(&frame.source_name) || self.waiting.len() >= MAX_WAITING_SOURCES;
        if frame.media == MediaType::Video && !known {
            self.waiting.push(frame.source_name.clone());
        }
    }

    /// After the oldest frame: those of its source up to the next key frame cannot be decoded.
    fn drop_dependents(&mut self, old: &EncodedFrame) {
        self.stats.dropped += 1;
        if old.media == MediaType::Audio {
            return;
        }
        let (mut alive, mut gone) = (false, 0);
        self.frames.retain(|f| {
            let same = f.media == MediaType::Video && f.source_name == old.source_name;
            alive |= same && f.key;
            let keep = !same || alive;
            gone += u64::from(!keep);
            keep
        });
        self.stats.dropped += gone;
        if !alive && self.waiting.len() < MAX_WAITING_SOURCES && !self.waiting.contains(&old.source_name) {
            self.waiting.push(old.source_name.clone());
        }
    }

    /// The oldest frame.
    pub fn pop(&mut self) -> Option<EncodedFrame> {
        let f = self.frames.pop_front();
        self.stats.delivered += u64::from(f.is_some());
        f
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Counters so far.
    pub fn stats(&self) -> ReaderStats {
        ReaderStats { queued: self.frames.len() as u64, ..self.stats }
    }
}
