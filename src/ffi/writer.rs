//! `jmeet_writer`: the sending end of media.

use super::args::{Struct, fault, fill, init, micros, options, options_or_default, out, required, timeout, writable};
use super::client::Client;
use super::entry::{about, entry};
use super::error::jmeet_error;
use super::frame::jmeet_outgoing_frame;
use super::handle::{Object, Table, get, take};
use super::media_kinds::jmeet_limitation;
use super::status::jmeet_status;
use super::track::{jmeet_track, track};
use crate::client::Writer;
use crate::error::Code;
use std::sync::Arc;

/// Writes frames of one of our tracks. Freed by the caller, which leaves the track; it ends with its client.
///
/// Functions: `jmeet_writer_new`, `jmeet_writer_write`, `jmeet_writer_set_limited`, `jmeet_writer_get_stats`, `jmeet_writer_free`.
pub struct jmeet_writer {
    _opaque: [u8; 0],
}

/// How a writer is made. No choices yet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_writer_options {
    pub struct_size: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_writer_options {}

/// Counters of one encoding of a track of ours, whichever of its writers wrote the frames.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_writer_stats {
    pub struct_size: u32,
    /// Frames of the track that wait.
    pub queued: u32,
    /// Frames that `jmeet_writer_write` took.
    pub taken: u64,
    /// Frames that it answered with `JMEET_ERR_MUTED` or `JMEET_ERR_NOT_READY`.
    pub dropped: u64,
    /// Frames that it answered with `JMEET_ERR_FULL`.
    pub full: u64,
    /// A `jmeet_media_path`: the way that carries our media now, of which all that follows is; UNSPECIFIED before the
    /// first packet of this encoding went out on it: then all that follows is 0.
    pub path: u32,
    /// A `jmeet_codec`: of the newest frame that went out; UNSPECIFIED before one did.
    pub codec: u32,
    /// Frames that went out, since the way is there.
    pub frames: u64,
    /// RTP packets, what was sent again not counted.
    pub packets: u64,
    /// Of their payloads, without headers.
    pub bytes: u64,
    /// Packets that were sent again because the other end missed them.
    pub retransmitted: u64,
    /// Packets that never came, as the other end counts them.
    pub lost: u64,
    /// How uneven they arrive there (RFC 3550), in microseconds.
    pub jitter_us: u64,
    /// To the other end and back, in microseconds; 0: not known.
    pub round_trip_us: u64,
    /// Of payload, in the last second.
    pub bits_per_second: u64,
    /// What TARGET_BITRATE told of this encoding; 0 for audio, and while nothing is to be sent of it.
    pub target_bits_per_second: u64,
    /// In the last second.
    pub frames_per_second: u32,
    /// Must not be read; 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_writer_stats {}

pub(super) struct Writing {
    client: Arc<Client>,
    writer: Writer,
}

impl Object for Writing {
    type Handle = jmeet_writer;

    fn table() -> &'static Table<Writing> {
        static TABLE: Table<Writing> = Table::new(8);
        &TABLE
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_options_init(options: *mut jmeet_writer_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Makes a writer of a track of ours. `options` may be NULL. Freed by the caller. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: the track is not ours. `JMEET_ERR_GONE`: it was removed. `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_new(
    track: *mut jmeet_track,
    options: *const jmeet_writer_options,
    writer: *mut *mut jmeet_writer,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(writer)?;
        if options_or_default(options)?.reserved != 0 {
            return Err(fault(Code::Unsupported, "reserved must be 0"));
        }
        let t = self::track(track)?;
        let made = Writing { client: t.client.clone(), writer: t.writer()?.clone() };
        out(writer, t.client.own_writer(Arc::new(made))?)
    })
}

/// Longest frame, in bytes.
pub const JMEET_MAX_FRAME_BYTES: u32 = 4194304;
const _: () = assert!(
    JMEET_MAX_FRAME_BYTES as usize == crate::client::MAX_FRAME_BYTES && crate::media::peer::MAX_RTP_PAYLOAD == 1180
);

/// Hands a frame over; it is copied. Never blocks: pacing frames is the caller's, pacing packets ours. Any thread: frames of one encoding go
/// out in the order of the calls, so write those from one thread, or in an order of your own; different encodings, and different writers of
/// one track, may be written at the same time.
///
/// Video that did not go out is missing to what follows: after each of these three answers the next frame must be a key frame, or after FULL
/// the same frame again. Where KEY_FRAME_WANTED says that media goes another way, what comes before that key frame answers OK and is not
/// sent; the event is repeated meanwhile. Audio is not held up by that; what is on its way in that moment may be lost. Of H.264 the parameter
/// sets are kept even so (JMEET_CODEC_H264).
///
/// Errors: `JMEET_ERR_MUTED` and `JMEET_ERR_NOT_READY` (nobody receives media yet, or nothing of this encoding is to be sent now:
/// TARGET_BITRATE 0): dropped, nothing is wrong. `JMEET_ERR_FULL`: not taken, the network is behind. `JMEET_ERR_TOO_LARGE`
/// (`JMEET_MAX_FRAME_BYTES`; of Opus 1180), `JMEET_ERR_INVALID_ARGUMENT` (empty, no such encoding, no Opus packet, neither a picture nor
/// parameter sets of H.264, no temporal unit of AV1 with more than a delimiter, video without a duration, a temporal layer or level out of
/// range), `JMEET_ERR_CODEC` (the other side takes none of this codec, or CODEC_WANTED named another one), `JMEET_ERR_CLOSED` (the track was
/// removed, or the meeting is over), `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_write(
    writer: *mut jmeet_writer,
    frame: *const jmeet_outgoing_frame,
) -> jmeet_status {
    entry!({
        let frame = options(frame)?;
        let w = get::<Writing>(writer)?;
        about(w.client.handle());
        w.writer.write(frame.read(w.writer.codec())?)
    })
}

/// Says what the encoder of a video track does, which the library cannot see: whether it has too little CPU, and the `height` of the largest
/// picture that it makes now. 0: as high as TARGET_BITRATE says; with `JMEET_LIMITATION_CPU`: less than that. Say it when it changes; saying the
/// same again changes nothing. A program that never calls it is never limited. `limitation`: a `jmeet_limitation`.
///
/// While the encoder is limited by CPU and makes less than the height of TARGET_BITRATE, this happens, as in Jitsi's own clients:
/// 1. If `video_codecs` of the client's options names a codec that is cheaper to encode (of a camera AV1, VP9, VP8 from dear to cheap, of a
///    screen VP9, VP8, AV1) and everybody takes, CODEC_WANTED names it after 60 s, during which none of the following happens.
/// 2. Else fewer videos are asked of the bridge: half of those that come, at least 3.
/// 3. Where no more than 3 may come already, smaller ones: a level of 2160, 1080, 720, 540, 480, 360, 270, 180 less. 2 and 3 go on every 10 s.
///
/// When no track is limited any more, one video is asked for again every 60 s, then a level of height; a limit that comes back meanwhile ends
/// that for good, for this client. All this is beside what readers and `jmeet_conference_set_receive` want, which is never exceeded. Any
/// thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: audio, or not a `jmeet_limitation`. `JMEET_ERR_CLOSED`: the track was removed, or the meeting is over.
/// `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_set_limited(
    writer: *mut jmeet_writer,
    limitation: u32,
    height: u32,
) -> jmeet_status {
    entry!({
        let w = get::<Writing>(writer)?;
        about(w.client.handle());
        let limited = match limitation {
            n if n == jmeet_limitation::JMEET_LIMITATION_NONE as u32 => false,
            n if n == jmeet_limitation::JMEET_LIMITATION_CPU as u32 => true,
            _ => return Err(fault(Code::InvalidArgument, "not a jmeet_limitation")),
        };
        w.writer.set_limited(limited, height)
    })
}

/// Counters of one encoding of the writer's track, from 0, the smallest. Waits for the client's thread, which takes microseconds, for
/// `timeout_ms` at most (`JMEET_FOREVER`: as long as it takes), never for the network. Any thread.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: the track has not so many encodings, or struct_size. `JMEET_ERR_TIMEOUT`. `JMEET_ERR_CLOSED`: the track
/// was removed, or the meeting is over. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_get_stats(
    writer: *const jmeet_writer,
    encoding: u32,
    timeout_ms: i32,
    stats: *mut jmeet_writer_stats,
) -> jmeet_status {
    entry!({
        writable(stats)?;
        let w = get::<Writing>(writer)?;
        about(w.client.handle());
        let s = w.writer.stats(encoding, timeout(timeout_ms))?;
        let went = s.stream.as_ref();
        let stream = went.map(|t| t.stream).unwrap_or_default();
        fill(
            stats,
            jmeet_writer_stats {
                struct_size: 0,
                queued: s.queued,
                taken: s.taken,
                dropped: s.dropped,
                full: s.full,
                path: went.map_or(0, |t| t.path as u32),
                codec: went.and_then(|t| t.codec).map_or(0, |c| c as u32),
                frames: went.map_or(0, |t| t.frames),
                packets: stream.packets,
                bytes: stream.bytes,
                retransmitted: stream.repaired,
                lost: stream.lost,
                jitter_us: micros(stream.jitter),
                round_trip_us: went.and_then(|t| t.round_trip).map_or(0, micros),
                bits_per_second: stream.bits_per_second,
                target_bits_per_second: went.map_or(0, |t| t.target),
                frames_per_second: went.map_or(0, |t| u32::try_from(t.frames_per_second).unwrap_or(u32::MAX)),
                reserved: 0,
            },
        )
    })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_stats_init(stats: *mut jmeet_writer_stats, size: usize) -> jmeet_status {
    entry!({ init(stats, size) })
}

/// Frees a writer. Its track stays; `jmeet_track_remove` removes it. NULL is fine. Any thread.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_writer_free(writer: *mut jmeet_writer) -> jmeet_status {
    entry!({
        if let Some(w) = take::<Writing>(writer)? {
            w.client.disown_writer(writer.addr());
        }
        Ok(())
    })
}
