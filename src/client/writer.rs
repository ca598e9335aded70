//! The sending end of a local track. A write copies nothing but the handle of the frame and never blocks.

use super::shared::{Shared, ToDriver};
use crate::error::{Code, Error, Stage};
use crate::media::frame::is_frame;
use crate::media::h264;
use crate::media::kind::MediaType;
use crate::media::peer::MAX_RTP_PAYLOAD;
use crate::media::telephone_event::{Keys, KeysError};
use crate::media::{Codec, OutgoingFrame};
use crate::meeting::event::{ClientState, TrackKey};
use crate::meeting::measure::TrackStats;
use crate::meeting::options::{DEFAULT_WRITER_FRAMES, MAX_ENCODINGS};
use crate::meeting::{Command, TrackOptions};
use crate::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Largest frame taken, bytes: a 4K key frame has room to spare.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

const NO_SUCH_ENCODING: &str = "the track has no such encoding";

/// What became of the frames of one encoding.
#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    dropped: AtomicU64,
    full: AtomicU64,
}

/// Counters of one encoding of a track of ours, as of now.
#[derive(Clone, Debug, PartialEq)]
pub struct WriterStats {
    /// Frames that writes took.
    pub taken: u64,
    /// Frames that writes answered with `Muted` or `NotReady`.
    pub dropped: u64,
    /// Frames that writes answered with `Full`.
    pub full: u64,
    /// Frames of the track that wait for the driver.
    pub queued: u32,
    /// What went out of it on the way that carries our media now; none before one is there.
    pub stream: Option<TrackStats>,
}

/// What driver and handles of one local track share.
pub(crate) struct WriterShared {
    pub muted: AtomicBool,
    pub ready: AtomicBool,
    pub refused: AtomicBool,
    /// A bit for each encoding that is not to be sent now.
    pub idle: AtomicU32,
    /// The codec that frames must be, as a number.
    pub wanted: AtomicU32,
    pub queued: AtomicU32,
    pub closed: AtomicBool,
    bound: u32,
    codec: Codec,
    encodings: u32,
    counts: [Counts; MAX_ENCODINGS as usize],
}

impl WriterShared {
    pub fn new(options: &TrackOptions) -> WriterShared {
        WriterShared {
            muted: AtomicBool::new(options.muted),
            ready: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            idle: AtomicU32::new(0),
            wanted: AtomicU32::new(options.codec as u32),
            queued: AtomicU32::new(0),
            closed: AtomicBool::new(false),
            bound: if options.queue_frames == 0 { DEFAULT_WRITER_FRAMES } else { options.queue_frames },
            codec: options.codec,
            encodings: options.encodings(),
            counts: Default::default(),
        }
    }
}

struct Inner {
    track: TrackKey,
    state: Arc<WriterShared>,
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.state.closed.swap(true, Ordering::AcqRel) && self.shared.state() != ClientState::Closed {
            // The client may have closed in between: then there is nothing left to remove.
            let _ = self.shared.request_end(Command::RemoveTrack { track: self.track, tag: 0 });
        }
    }
}

/// Writes frames of one local track. Clones write to the same track; the last one removes it.
#[derive(Clone)]
pub struct Writer(Arc<Inner>);

impl Writer {
    pub(super) fn new(track: TrackKey, state: Arc<WriterShared>, shared: Arc<Shared>) -> Writer {
        Writer(Arc::new(Inner { track, state, shared }))
    }

    /// The track's key.
    pub fn track(&self) -> TrackKey {
        self.0.track
    }

    /// The codec it was made with.
    pub fn codec(&self) -> Codec {
        self.0.state.codec
    }

    /// Counters of one encoding. Waits for the driver, for `timeout` at most (none: as long as it takes), never for the network.
    ///
    /// # Errors
    /// `InvalidArgument`: the track has no such encoding. `Closed`: it was removed, or the meeting is over. `Timeout`.
    pub fn stats(&self, encoding: u32, timeout: Option<Duration>) -> Result<WriterStats, Error> {
        let s = &self.0.state;
        let counts = s.counts.get(encoding as usize).filter(|_| encoding < s.encodings);
        let counts = counts.ok_or_else(|| Error::new(Code::InvalidArgument, Stage::Media, NO_SUCH_ENCODING))?;
        if s.closed.load(Ordering::Acquire) {
            return Err(self.0.shared.closed_error());
        }
        let all = self.0.shared.measure(Some(self.0.track), timeout)?;
        let mut ours = all.tracks.into_iter().filter(|t| t.encoding == encoding);
        Ok(WriterStats {
            taken: counts.taken.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            full: counts.full.load(Ordering::Relaxed),
            queued: s.queued.load(Ordering::Relaxed),
            stream: ours.find(|t| Some(t.path) == all.active),
        })
    }

    /// Hands a frame over. Never blocks; pacing frames is the caller's, pacing packets ours. Parameter sets of H.264 are kept whatever becomes
    /// of their picture, and taken at any time if they come without one.
    ///
    /// # Errors
    /// `Muted` and `NotReady`: dropped, nothing is wrong. `Codec`: the other side takes none of this codec, or another one is wanted
    /// now. `Full`: not taken, the network is behind. `TooLarge`: over [`MAX_FRAME_BYTES`], or an Opus packet over [`MAX_RTP_PAYLOAD`].
    /// `InvalidArgument`: empty, no Opus packet, neither picture nor parameter sets of H.264, nothing of an AV1 temporal unit but its
    /// delimiter, or of an encoding that the track has not. `Closed`.
    pub fn write(&self, frame: OutgoingFrame) -> Result<(), Error> {
        let (encoding, codec) = (frame.encoding, frame.codec.unwrap_or(self.0.state.codec));
        let only_sets = codec == Codec::H264 && h264::only_parameter_sets(&frame.data);
        let done = self.hand_over(frame, codec, only_sets);
        if let Some(c) = self.0.state.counts.get(encoding as usize).filter(|_| !only_sets) {
            let counter = match &done {
                Ok(()) => &c.taken,
                Err(e) if matches!(e.code, Code::Muted | Code::NotReady) => &c.dropped,
                Err(e) if e.code == Code::Full => &c.full,
                Err(_) => return done,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    /// Why a frame of an encoding would not be sent now.
    fn held_back(&self, codec: Codec, encoding: u32) -> Option<(Code, &'static str)> {
        let s = &self.0.state;
        if codec as u32 != s.wanted.load(Ordering::Acquire) {
            return Some((Code::Codec, "another codec is wanted now: see the newest CodecWanted"));
        }
        if s.muted.load(Ordering::Acquire) {
            return Some((Code::Muted, "the track is muted"));
        }
        if s.refused.load(Ordering::Acquire) {
            return Some((Code::Codec, "the other side takes none of this codec"));
        }
        if !s.ready.load(Ordering::Acquire) {
            return Some((Code::NotReady, "nobody receives media yet"));
        }
        let idle = s.idle.load(Ordering::Acquire) >> encoding & 1 == 1;
        idle.then_some((Code::NotReady, "nobody wants this encoding now, or the path does not carry it"))
    }

    fn hand_over(&self, mut frame: OutgoingFrame, codec: Codec, only_sets: bool) -> Result<(), Error> {
        let s = &self.0.state;
        let refuse = |code, text: &str| Err(Error::new(code, Stage::Media, text));
        if s.closed.load(Ordering::Acquire) {
            return Err(self.0.shared.closed_error());
        }
        if frame.data.is_empty() {
            return refuse(Code::InvalidArgument, "an empty frame");
        }
        if frame.encoding >= s.encodings {
            return refuse(Code::InvalidArgument, NO_SUCH_ENCODING);
        }
        if frame.data.len() > MAX_FRAME_BYTES {
            return refuse(Code::TooLarge, "the frame is over its limit");
        }
        // One packet is one frame: what does not fit cannot be split.
        if s.codec == Codec::Opus && frame.data.len() > MAX_RTP_PAYLOAD {
            return refuse(Code::TooLarge, "an Opus packet over its limit");
        }
        if !only_sets && !is_frame(codec, &frame.data) {
            return refuse(Code::InvalidArgument, "not a frame of this codec");
        }
        let mut answer = Ok(());
        if let Some((code, text)) = self.held_back(codec, frame.encoding) {
            // Later key frames may need what stands before a picture that is not sent.
            let sets = if codec == Codec::H264 { h264::parameter_sets(&frame.data) } else { None };
            let Some(sets) = sets else { return refuse(code, text) };
            if !only_sets {
                answer = refuse(code, text);
            }
            frame.data = sets;
        }
        if s.queued.fetch_add(1, Ordering::AcqRel) >= s.bound {
            s.queued.fetch_sub(1, Ordering::AcqRel);
            answer?;
            return refuse(Code::Full, "the writer's queue is full");
        }
        self.0.shared.send(ToDriver::Frame(self.0.track, frame))?;
        answer
    }

    /// Whether a write would be taken now.
    pub fn ready(&self) -> bool {
        let s = &self.0.state;
        s.ready.load(Ordering::Acquire) && !s.muted.load(Ordering::Acquire) && !s.closed.load(Ordering::Acquire)
    }

    /// Mutes or unmutes, so that others see it. Writes answer `Muted` from now on. What the focus muted stays so until it consents: by the
    /// completed request `NotAllowed`, `Request` or `RequestTimeout` when it does not.
    pub fn set_muted(&self, muted: bool, tag: u64) -> Result<(), Error> {
        // Before the request: what the driver says of it afterwards counts.
        let before = self.0.state.muted.swap(muted, Ordering::AcqRel);
        let request = self.0.shared.request(Command::SetMuted { track: self.0.track, muted, tag });
        if request.is_err() {
            self.0.state.muted.store(before, Ordering::Release);
        }
        request
    }

    /// What the encoder of the track does: whether it has too little CPU, and the height of the largest picture that it makes, 0 for what
    /// `TargetBitrate` says, or, if limited, less than that. What follows is docs/protocol/04 §13.3: another codec (`CodecWanted`), fewer
    /// and smaller videos received; and these come back.
    ///
    /// # Errors
    /// `InvalidArgument`: the track is audio. `Closed`: it was removed, or the meeting is over.
    pub fn set_limited(&self, limited: bool, height: u32) -> Result<(), Error> {
        if self.0.state.closed.load(Ordering::Acquire) {
            return Err(self.0.shared.closed_error());
        }
        if self.0.state.codec.media_type() != MediaType::Video {
            return Err(Error::new(Code::InvalidArgument, Stage::Media, "only video has a height"));
        }
        // Nothing completes it, so it takes no slot.
        self.0.shared.send(ToDriver::Command(Command::SetLimited { track: self.0.track, limited, height }))
    }

    /// Presses keys of a telephone, `0`–`9`, `*`, `#`, `A`–`D`, one after the other, as events in the audio (RFC 4733); zero times are 200 ms.
    /// While one is held, frames of the track are not sent. Done when the last was released.
    ///
    /// # Errors
    /// `InvalidArgument`: the track is video, there is no such key, or a time is out of range: a key is held for 40 ms to 6 s, with a pause of
    /// 30 ms to 6 s. `TooLarge`: more than [`MAX_KEYS`](crate::media::telephone_event::MAX_KEYS). `Busy`, `Closed`. By the completed request: `Muted`, `NotReady`, `Codec`: the
    /// other side takes none; `Busy`: those before are not done.
    pub fn send_tones(&self, keys: &str, held: Duration, gap: Duration, tag: u64) -> Result<(), Error> {
        let refuse = |code, text: &str| Err(Error::new(code, Stage::Media, text));
        let track = self.0.track;
        if self.0.state.closed.load(Ordering::Acquire) {
            return Err(self.0.shared.closed_error());
        }
        if self.0.state.codec.media_type() != MediaType::Audio {
            return refuse(Code::InvalidArgument, "only audio carries the keys of a telephone");
        }
        match Keys::new(keys, held, gap, Time::default()) {
            Err(KeysError::NoKeys) => refuse(Code::InvalidArgument, "no keys, or one that no telephone has"),
            Err(KeysError::Time) => refuse(Code::InvalidArgument, "held or apart for too short or too long"),
            Err(KeysError::TooMany) => refuse(Code::TooLarge, "too many keys"),
            Ok(_) => self.0.shared.request(Command::SendTones { track, keys: keys.to_owned(), held, gap, tag }),
        }
    }

    /// Removes the track. Later writes answer `Closed`.
    pub fn close(&self) {
        if !self.0.state.closed.swap(true, Ordering::AcqRel) {
            // As in drop: a closed client has no track left.
            let _ = self.0.shared.request_end(Command::RemoveTrack { track: self.0.track, tag: 0 });
        }
    }
}
