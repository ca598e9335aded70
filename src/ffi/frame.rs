//! Encoded frames as C sees them, on the way in (`jmeet_frame`) and out (`jmeet_outgoing_frame`), and frames kept for later.

use super::args::{Struct, Texts, fault, fill, init, jmeet_bytes, jmeet_str, out, required, truth, writable};
use super::entry::entry;
use super::handle::{Object, Table, get, make, take};
use super::reader::{Reading, jmeet_reader};
use super::status::jmeet_status;
use crate::client::MAX_FRAME_BYTES;
use crate::error::{Code, Error};
use crate::media::peer::AudioLevel;
use crate::media::{Codec, EncodedFrame, MediaType, OutgoingFrame, h264};
use bytes::Bytes;
use std::time::Duration;

/// `temporal_id` is known.
pub const JMEET_FRAME_HAS_TEMPORAL_ID: u32 = 1;
/// `audio_level` is known.
pub const JMEET_FRAME_HAS_AUDIO_LEVEL: u32 = 2;
/// `capture_unix_us` is known: a sender report has tied the sender's clock to wall time.
pub const JMEET_FRAME_HAS_CAPTURE_TIME: u32 = 4;
/// `width` and `height` are known: of key frames.
pub const JMEET_FRAME_HAS_SIZE: u32 = 8;

/// `participant_key` is known: they are in the room.
pub const JMEET_FRAME_HAS_PARTICIPANT: u32 = 16;
/// `track_key` is known: the track is there.
pub const JMEET_FRAME_HAS_TRACK: u32 = 32;

/// A frame of somebody. Strings and data live until the next call on its reader, or its free; `jmeet_frame_retain` keeps them longer.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_frame {
    pub struct_size: u32,
    /// Which of the optional fields are known: bits `JMEET_FRAME_HAS_…`.
    pub fields: u32,
    /// A `jmeet_media`.
    pub media: u32,
    /// A `jmeet_codec`.
    pub codec: u32,
    /// Which of the sender's encodings; 0 when there is one.
    pub encoding: u32,
    /// Temporal layer, 0 to 7 (`JMEET_FRAME_HAS_TEMPORAL_ID`).
    pub temporal_id: u32,
    /// Loudness in -dBov: 0 is loudest, 127 silence (`JMEET_FRAME_HAS_AUDIO_LEVEL`).
    pub audio_level: u32,
    /// The sender takes it for speech (`JMEET_FRAME_HAS_AUDIO_LEVEL`).
    pub voice: bool,
    /// Decodable without frames before it. Always for audio.
    pub key_frame: bool,
    /// Pixels (`JMEET_FRAME_HAS_SIZE`).
    pub width: u16,
    /// Pixels (`JMEET_FRAME_HAS_SIZE`).
    pub height: u16,
    /// Grows whenever RTP time starts anew (the sender's source or connection was replaced): compare `rtp_time` only within one.
    pub timeline: u32,
    /// Packets lost for good since the frame before, where they can be counted: not those before a new `timeline`.
    pub gap: u32,
    /// Media time in units of the codec's clock, 64 bits, without wrap-around.
    pub rtp_time: u64,
    /// When its last packet came to the socket, on the clock of `jmeet_now_us`.
    pub arrival_us: u64,
    /// When it was captured, in microseconds since 1970 (`JMEET_FRAME_HAS_CAPTURE_TIME`).
    pub capture_unix_us: i64,
    /// Whose: eight hexadecimal digits (`jmeet_conference_find_participant`).
    pub endpoint_id: jmeet_str,
    /// Of which track, such as "1a2b3c4d-a0" (`jmeet_conference_find_track`).
    pub source_name: jmeet_str,
    /// The frame as the encoder made it; of H.264 as `JMEET_CODEC_H264` says.
    pub data: jmeet_bytes,
    /// The key of whose it is (`JMEET_FRAME_HAS_PARTICIPANT`): `jmeet_participant_info.key`,
    /// `jmeet_conference_find_participant_by_key`.
    pub participant_key: u64,
    /// The key of the track (`JMEET_FRAME_HAS_TRACK`): `jmeet_track_info.key`, `jmeet_conference_find_track_by_key`.
    pub track_key: u64,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_frame {
    // As in the first release.
    const OLDER: &[usize] = &[std::mem::offset_of!(jmeet_frame, participant_key)];
}

/// A frame to send.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_outgoing_frame {
    pub struct_size: u32,
    /// Which of the optional fields are given: bits `JMEET_FRAME_HAS_TEMPORAL_ID`, `JMEET_FRAME_HAS_AUDIO_LEVEL`.
    pub fields: u32,
    /// The frame as the encoder made it; copied before the call returns.
    pub data: *const u8,
    pub size: usize,
    /// How long it lasts, in units of the codec's clock: of video 90000 divided by the frame rate, such as 3000 at 30 pictures a second; not
    /// 0, but of parameter sets by themselves. Of a screen whose pictures come as they change: as at its greatest frame rate. An Opus packet
    /// says it itself: 0 will do. RTP time is the sum of these; after a pause (muted, or nothing to show) of more than 300 ms past the end of
    /// a frame it goes on by the clock.
    pub rtp_duration: u32,
    /// Temporal layer, 0 to 7. Without it: no layers.
    pub temporal_id: u32,
    /// Loudness in -dBov: 0 is loudest, 127 silence. Who is shown as speaker follows from it; without it speech of medium loudness
    /// is told.
    pub audio_level: u32,
    /// With `audio_level`: not 0 if it is speech.
    pub voice: u32,
    /// Which encoding of the track, 0 is the smallest; see `jmeet_track_options.encodings`.
    pub encoding: u32,
    /// A `jmeet_codec`: what it is, after a CODEC_WANTED; 0: what the track was made with. Another one than is wanted now is refused with
    /// `JMEET_ERR_CODEC`.
    pub codec: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_outgoing_frame {
    // As in the first release.
    const OLDER: &[usize] = &[std::mem::offset_of!(jmeet_outgoing_frame, encoding)];
}

/// A frame kept for later, with all its pointers. Freed with `jmeet_frame_release`.
pub struct jmeet_frame_ref {
    _opaque: [u8; 0],
}

/// A frame and its strings, as long as somebody holds it.
pub(super) struct Frame {
    frame: EncodedFrame,
    texts: Texts,
}

impl Object for Frame {
    type Handle = jmeet_frame_ref;

    fn table() -> &'static Table<Frame> {
        static TABLE: Table<Frame> = Table::wrapping(10);
        &TABLE
    }
}

impl Frame {
    pub fn new(frame: EncodedFrame) -> Frame {
        Frame { frame, texts: Texts::default() }
    }

    /// As C sees it. The pointers live as long as `self`.
    pub fn info(&self) -> jmeet_frame {
        let f = &self.frame;
        let [endpoint_id, source_name] = self.texts.get([&f.endpoint_id, &f.source_name]);
        let known = |known: bool, bit: u32| if known { bit } else { 0 };
        let (width, height) = f.size.unwrap_or_default();
        jmeet_frame {
            struct_size: 0,
            fields: known(f.temporal_id.is_some(), JMEET_FRAME_HAS_TEMPORAL_ID)
                | known(f.audio_level.is_some(), JMEET_FRAME_HAS_AUDIO_LEVEL)
                | known(f.capture_unix_us.is_some(), JMEET_FRAME_HAS_CAPTURE_TIME)
                | known(f.size.is_some(), JMEET_FRAME_HAS_SIZE)
                | known(f.participant.is_some(), JMEET_FRAME_HAS_PARTICIPANT)
                | known(f.track.is_some(), JMEET_FRAME_HAS_TRACK),
            media: f.media as u32,
            codec: f.codec as u32,
            encoding: f.encoding,
            temporal_id: f.temporal_id.map_or(0, u32::from),
            audio_level: f.audio_level.map_or(0, |l| l.level.into()),
            voice: f.audio_level.is_some_and(|l| l.voice),
            key_frame: f.key,
            width,
            height,
            timeline: f.timeline,
            gap: f.gap,
            rtp_time: f.rtp_time,
            arrival_us: f.arrival_us,
            capture_unix_us: f.capture_unix_us.unwrap_or(0),
            endpoint_id,
            source_name,
            data: jmeet_bytes { data: f.data.as_ptr(), size: f.data.len() },
            participant_key: f.participant.map_or(0, |p| p.0),
            track_key: f.track.map_or(0, |t| t.0),
        }
    }
}

impl jmeet_outgoing_frame {
    /// Copies the frame out of the program's memory.
    ///
    /// # Safety
    /// `data` is NULL or valid for `size` bytes.
    pub(super) unsafe fn read(&self, codec: Codec) -> Result<OutgoingFrame, Error> {
        required(self.data)?;
        if self.size > MAX_FRAME_BYTES {
            return Err(fault(Code::TooLarge, "the frame is over its limit"));
        }
        if self.fields & !(JMEET_FRAME_HAS_TEMPORAL_ID | JMEET_FRAME_HAS_AUDIO_LEVEL) != 0 {
            return Err(fault(Code::Unsupported, "the frame uses fields that this library does not know"));
        }
        let optional = |bit: u32, value: u32, max: u8| match (self.fields & bit, u8::try_from(value)) {
            (0, _) => Ok(None),
            (_, Ok(v)) if v <= max => Ok(Some(v)),
            _ => Err(fault(Code::InvalidArgument, "temporal_id or audio_level is out of range")),
        };
        let level = optional(JMEET_FRAME_HAS_AUDIO_LEVEL, self.audio_level, 127)?;
        let temporal_id = optional(JMEET_FRAME_HAS_TEMPORAL_ID, self.temporal_id, 7)?;
        // SAFETY: the caller's promise.
        let data = Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(self.data, self.size) });
        let mut made = None;
        if self.codec != 0 {
            let named = Codec::ALL.into_iter().find(|c| *c as u32 == self.codec);
            let fits = named.filter(|c| c.media_type() == codec.media_type());
            made = Some(fits.ok_or_else(|| fault(Code::InvalidArgument, "codec is unknown, or of the other media"))?);
        }
        let is_picture = made.unwrap_or(codec) != Codec::H264 || !h264::only_parameter_sets(&data);
        let nanos = u64::from(self.rtp_duration) * 1_000_000_000 / u64::from(codec.clock_rate());
        let duration = Duration::from_nanos(nanos);
        let mut frame = match codec.media_type() {
            MediaType::Audio => OutgoingFrame::audio(data),
            MediaType::Video if self.rtp_duration == 0 && is_picture => {
                return Err(fault(Code::InvalidArgument, "a video frame needs its rtp_duration"));
            }
            MediaType::Video => OutgoingFrame::video(data, duration),
        };
        if self.rtp_duration != 0 {
            frame.duration = Some(duration);
        }
        if let Some(level) = level {
            frame.audio_level = Some(AudioLevel { level, voice: truth(self.voice) });
        }
        frame.temporal_id = temporal_id;
        frame.encoding = self.encoding;
        frame.codec = made;
        Ok(frame)
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_frame_init(frame: *mut jmeet_frame, size: usize) -> jmeet_status {
    entry!({ init(frame, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_outgoing_frame_init(frame: *mut jmeet_outgoing_frame, size: usize) -> jmeet_status {
    entry!({ init(frame, size) })
}

/// Keeps the frame that the last `jmeet_reader_next` of this reader gave: all its pointers live until `jmeet_frame_release`, also after
/// the reader's end. Any thread; does not block.
///
/// Errors: `JMEET_ERR_STATE`: the last call gave no frame. `JMEET_ERR_BUSY`: another thread is in a call on this reader.
/// `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_frame_retain(
    reader: *mut jmeet_reader,
    frame: *mut *mut jmeet_frame_ref,
) -> jmeet_status {
    entry!({
        required(frame)?;
        out(frame, make(get::<Reading>(reader)?.current()?)?)
    })
}

/// Reads a kept frame. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_frame_get(frame: *const jmeet_frame_ref, out: *mut jmeet_frame) -> jmeet_status {
    entry!({
        writable(out)?;
        fill(out, get::<Frame>(frame)?.info())
    })
}

/// Lets a kept frame go. NULL is fine.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_frame_release(frame: *mut jmeet_frame_ref) -> jmeet_status {
    entry!({ take::<Frame>(frame).map(drop) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_duration_and_parameter_sets_by_themselves_have_none() {
        let frame = |data: &[u8], codec: u32, rtp_duration: u32| {
            // SAFETY: all-zero is a value of it; the data lives as long as it is read.
            unsafe {
                let mut f: jmeet_outgoing_frame = std::mem::zeroed();
                (f.data, f.size, f.codec, f.rtp_duration) = (data.as_ptr(), data.len(), codec, rtp_duration);
                f.read(Codec::Vp8).map(|f| f.duration).map_err(|e| e.code)
            }
        };
        let (h264, sets, picture) = (Codec::H264 as u32, [0, 0, 1, 0x67, 0x42, 0, 10, 0x80], [0, 0, 1, 0x65, 0x88]);
        assert_eq!(frame(&sets, h264, 0), Ok(Some(Duration::ZERO)));
        assert_eq!(frame(&picture, h264, 0), Err(Code::InvalidArgument));
        assert_eq!(frame(&sets, 0, 0), Err(Code::InvalidArgument), "of VP8 it is a picture");
        assert_eq!(frame(&picture, h264, 9000), Ok(Some(Duration::from_millis(100))));
    }
}
