//! The sending end of a local track. A write copies nothing but the handle of the frame and never blocks.

use super::shared::{Shared, ToDriver};
use crate::error::{Code, Error, Stage};
use crate::media::kind::MediaType;
use crate::media::peer::MAX_RTP_PAYLOAD;
use crate::media::telephone_event::{Keys, KeysError};
use crate::media::{Codec, OutgoingFrame, opus};
use crate::meeting::event::{ClientState, TrackKey};
use crate::meeting::options::DEFAULT_WRITER_FRAMES;
use crate::meeting::{Command, TrackOptions};
use crate::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Largest frame taken, bytes: a 4K key frame has room to spare.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

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
            let _ = self.shared.request(Command::RemoveTrack { track: self.track, tag: 0 });
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

    /// Hands a frame over. Never blocks; pacing frames is the caller's, pacing packets ours.
    ///
    /// # Errors
    /// `Muted` and `NotReady`: dropped, nothing is wrong. `Codec`: the other side takes none of this codec, or another one is wanted now. `Full`: not taken, the network is behind. `TooLarge`: over
    /// [`MAX_FRAME_BYTES`], or an Opus packet over [`MAX_RTP_PAYLOAD`]. `InvalidArgument`: empty, not an Opus packet, or of an encoding that the track has not. `Closed`.
    pub fn write(&self, frame: OutgoingFrame) -> Result<(), Error> {
        let s = &self.0.state;
        let refuse = |code, text: &str| Err(Error::new(code, Stage::Media, text));
        if s.closed.load(Ordering::Acquire) {
            return Err(self.0.shared.closed_error());
        }
        if frame.data.is_empty() {
            return refuse(Code::InvalidArgument, "an empty frame");
        }
        if frame.encoding >= s.encodings {
            return refuse(Code::InvalidArgument, "the track has no such encoding");
        }
        if frame.data.len() > MAX_FRAME_BYTES {
            return refuse(Code::TooLarge, "the frame is over its limit");
        }
        if s.codec == Codec::Opus {
            // One packet is one frame: what does not fit cannot be split.
            if frame.data.len() > MAX_RTP_PAYLOAD {
                return refuse(Code::TooLarge, "an Opus packet over its limit");
            }
            if opus::duration(&frame.data).is_none() {
                return refuse(Code::InvalidArgument, "not an Opus packet");
            }
        }
        let codec = frame.codec.unwrap_or(s.codec);
        if codec as u32 != s.wanted.load(Ordering::Acquire) {
            return refuse(Code::Codec, "another codec is wanted now: see the newest CodecWanted");
        }
        if s.muted.load(Ordering::Acquire) {
            return refuse(Code::Muted, "the track is muted");
        }
        if s.refused.load(Ordering::Acquire) {
            return refuse(Code::Codec, "the other side takes none of this codec");
        }
        if !s.ready.load(Ordering::Acquire) {
            return refuse(Code::NotReady, "nobody receives media yet");
        }
        if s.idle.load(Ordering::Acquire) >> frame.encoding & 1 == 1 {
            return refuse(Code::NotReady, "nobody wants this encoding now, or the path does not carry it");
        }
        if s.queued.fetch_add(1, Ordering::AcqRel) >= s.bound {
            s.queued.fetch_sub(1, Ordering::AcqRel);
            return refuse(Code::Full, "the writer's queue is full");
        }
        self.0.shared.send(ToDriver::Frame(self.0.track, frame))
    }

    /// Whether a write would be taken now.
    pub fn ready(&self) -> bool {
        let s = &self.0.state;
        s.ready.load(Ordering::Acquire) && !s.muted.load(Ordering::Acquire) && !s.closed.load(Ordering::Acquire)
    }

    /// Mutes or unmutes, so that others see it. Writes answer `Muted` from now on.
    pub fn set_muted(&self, muted: bool, tag: u64) -> Result<(), Error> {
        self.0.shared.request(Command::SetMuted { track: self.0.track, muted, tag })?;
        self.0.state.muted.store(muted, Ordering::Release);
        Ok(())
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
            let _ = self.0.shared.request(Command::RemoveTrack { track: self.0.track, tag: 0 });
        }
    }
}
