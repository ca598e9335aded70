//! `jmeet_stats`: statistics of all tracks and ways at one moment; and what endpoints say of their connections, ours included.

use super::args::{Struct, fill, init, jmeet_str, out, out_of_range, required, writable};
use super::client::Client;
use super::conference::{jmeet_conference, room};
use super::entry::entry;
use super::error::jmeet_error;
use super::event::{asked, jmeet_event, wrong_event};
use super::handle::{Object, Table, get, make, take};
use super::participant::jmeet_participant;
use super::status::jmeet_status;
use super::track::jmeet_track;
use crate::meeting::event::{EventKind, LocalStats};
use crate::meeting::measure::MeetingStats;
use std::sync::Arc;
use std::time::Duration;

/// Statistics at one moment. Freed by the caller.
///
/// Functions: `jmeet_conference_stats_new`, `jmeet_stats_get`, `jmeet_stats_size`, `jmeet_stats_get_track`, `jmeet_stats_free`.
pub struct jmeet_stats {
    _opaque: [u8; 0],
}

/// Our own connection in the last ten seconds. All 0 before the first of them are over.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_local_stats {
    pub struct_size: u32,
    /// How good it is, from 0 to 100: what we send compared with what we should be able to send by now, or loss alone where no
    /// camera is sent.
    pub quality: u32,
    /// A `jmeet_media_path`: the way that carries our media.
    pub path: u32,
    /// Greatest height that we send, in pixels; 0: no video.
    pub max_height: u32,
    /// To the other end of it and back, in microseconds; 0: not known.
    pub round_trip_us: u64,
    /// Payload of audio that went out, in kbit/s.
    pub audio_upload_kbps: u32,
    pub audio_download_kbps: u32,
    pub video_upload_kbps: u32,
    pub video_download_kbps: u32,
    /// Of what we sent, lost packets in percent, as the other end reports them.
    pub loss_upload: u32,
    /// Of what came, lost packets in percent, repaired ones not counted.
    pub loss_download: u32,
}

/// Of PARTICIPANT_STATS. What they did not say is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_participant_stats_info {
    pub struct_size: u32,
    /// How good their connection is, from 0 to 100.
    pub quality: u32,
    /// Whose, while they are in the room; else NULL.
    pub participant: *mut jmeet_participant,
    pub endpoint_id: jmeet_str,
    /// Where their bridge is; may be empty.
    pub server_region: jmeet_str,
    /// From them to their bridge and back, in milliseconds.
    pub round_trip_ms: u32,
    /// Greatest height that they send, in pixels.
    pub max_height: u32,
    pub audio_upload_kbps: u32,
    pub audio_download_kbps: u32,
    pub video_upload_kbps: u32,
    pub video_download_kbps: u32,
    /// Lost packets in percent.
    pub loss_upload: u32,
    pub loss_download: u32,
}

/// One stream of one track on one way. Our tracks have one for each encoding; a track that two ways know has one for each.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_track_stats {
    pub struct_size: u32,
    /// A `jmeet_media`.
    pub media: u32,
    /// A `jmeet_media_path`.
    pub path: u32,
    /// A `jmeet_codec`; UNSPECIFIED before a frame was sent, or put together for a reader.
    pub codec: u32,
    /// Of ours: which encoding.
    pub encoding: u32,
    /// One of ours: it is sent, and lost packets and jitter are as the other end reports them.
    pub local: bool,
    /// NULL when it was removed meanwhile.
    pub track: *mut jmeet_track,
    /// As in its info.
    pub track_key: u64,
    /// RTP packets, each once.
    pub packets: u64,
    /// Of their payloads.
    pub bytes: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came as a repair, or that we sent again.
    pub repaired: u64,
    /// How uneven packets arrive (RFC 3550), in microseconds.
    pub jitter_us: u64,
    /// Of payload, in the last second.
    pub bits_per_second: u64,
    /// Whole frames. Of somebody else's only while a reader reads them.
    pub frames: u64,
    /// Frames that could not be put together, or not be decoded without one that could not.
    pub damaged: u64,
    /// In the last second.
    pub frames_per_second: u32,
    /// Of the last key frame, in pixels; 0: not known.
    pub width: u32,
    pub height: u32,
    /// Must not be read; 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_local_stats {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_participant_stats_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_track_stats {}

struct Statistics {
    client: Arc<Client>,
    stats: MeetingStats,
}

impl Object for Statistics {
    type Handle = jmeet_stats;

    fn table() -> &'static Table<Statistics> {
        static TABLE: Table<Statistics> = Table::wrapping(15);
        &TABLE
    }
}

fn local(l: &LocalStats) -> jmeet_local_stats {
    let s = &l.stats;
    jmeet_local_stats {
        struct_size: 0,
        quality: if l.path.is_some() { s.connection_quality.into() } else { 0 },
        path: l.path.map_or(0, |p| p as u32),
        max_height: s.max_height.unwrap_or(0),
        round_trip_us: l.round_trip.map_or(0, |r| u64::try_from(r.as_micros()).unwrap_or(u64::MAX)),
        audio_upload_kbps: s.audio.upload,
        audio_download_kbps: s.audio.download,
        video_upload_kbps: s.video.upload,
        video_download_kbps: s.video.download,
        loss_upload: s.loss.upload.into(),
        loss_download: s.loss.download.into(),
    }
}

/// Reads a PARTICIPANT_STATS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_participant_stats(
    event: *const jmeet_event,
    info: *mut jmeet_participant_stats_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::ParticipantStats(p) = &e.event.kind else { return Err(wrong_event()) };
        let s = &p.stats;
        let [endpoint_id, server_region] =
            e.texts.get([p.endpoint_id.as_str(), s.server_region.as_deref().unwrap_or_default()]);
        fill(
            info,
            jmeet_participant_stats_info {
                struct_size: 0,
                quality: s.connection_quality.into(),
                participant: e.client.participant(p.participant).unwrap_or(std::ptr::null_mut()),
                endpoint_id,
                server_region,
                round_trip_ms: s.jvb_rtt.unwrap_or(0),
                max_height: s.max_height.unwrap_or(0),
                audio_upload_kbps: s.audio.upload,
                audio_download_kbps: s.audio.download,
                video_upload_kbps: s.video.upload,
                video_download_kbps: s.video.download,
                loss_upload: s.loss.upload.into(),
                loss_download: s.loss.download.into(),
            },
        )
    })
}

/// Reads a LOCAL_STATS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_local_stats(
    event: *const jmeet_event,
    stats: *mut jmeet_local_stats,
) -> jmeet_status {
    entry!({
        let e = asked(event, stats)?;
        let EventKind::LocalStats(l) = &e.event.kind else { return Err(wrong_event()) };
        fill(stats, local(l))
    })
}

/// Takes statistics of every track on every way, as of now. Counters run from the first packet of a stream; what there is in a time is
/// the difference of two looks. Waits for the client's thread, for `timeout_ms` at most (negative: 10 s), never for the network. Any thread.
///
/// Errors: `JMEET_ERR_TIMEOUT`, `JMEET_ERR_CLOSED`, `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_stats_new(
    room: *const jmeet_conference,
    timeout_ms: i32,
    stats: *mut *mut jmeet_stats,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(stats)?;
        let (r, conference) = self::room(room)?;
        let timeout = u64::try_from(timeout_ms).map_or(Duration::from_secs(10), Duration::from_millis);
        let taken = conference.stats(timeout)?;
        out(stats, make(Arc::new(Statistics { client: r.client.clone(), stats: taken }))?)
    })
}

/// Our own connection as it was summed up last, which happens every ten seconds while media flows. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_stats_get(stats: *const jmeet_stats, own: *mut jmeet_local_stats) -> jmeet_status {
    entry!({
        writable(own)?;
        fill(own, local(&get::<Statistics>(stats)?.stats.summary))
    })
}

/// How many streams there are; 0 if `stats` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_stats_size(stats: *const jmeet_stats) -> usize {
    entry!(or 0; { Ok(get::<Statistics>(stats)?.stats.tracks.len()) })
}

/// Reads stream number `index`, from 0. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many, or struct_size. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_stats_get_track(
    stats: *const jmeet_stats,
    index: usize,
    track: *mut jmeet_track_stats,
) -> jmeet_status {
    entry!({
        writable(track)?;
        let s = get::<Statistics>(stats)?;
        let t = s.stats.tracks.get(index).ok_or_else(out_of_range)?;
        fill(
            track,
            jmeet_track_stats {
                struct_size: 0,
                media: t.media as u32,
                path: t.path as u32,
                codec: t.codec.map_or(0, |c| c as u32),
                encoding: t.encoding,
                local: t.local,
                track: s.client.track_or_null(t.track),
                track_key: t.track.0,
                packets: t.stream.packets,
                bytes: t.stream.bytes,
                lost: t.stream.lost,
                repaired: t.stream.repaired,
                jitter_us: u64::try_from(t.stream.jitter.as_micros()).unwrap_or(u64::MAX),
                bits_per_second: t.stream.bits_per_second,
                frames: t.frames,
                damaged: t.damaged,
                frames_per_second: u32::try_from(t.frames_per_second).unwrap_or(u32::MAX),
                width: t.size.0.into(),
                height: t.size.1.into(),
                reserved: 0,
            },
        )
    })
}

/// Frees statistics. NULL is fine.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_stats_free(stats: *mut jmeet_stats) -> jmeet_status {
    entry!({ take::<Statistics>(stats).map(drop) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_local_stats_init(stats: *mut jmeet_local_stats, size: usize) -> jmeet_status {
    entry!({ init(stats, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_stats_info_init(
    info: *mut jmeet_participant_stats_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_stats_init(stats: *mut jmeet_track_stats, size: usize) -> jmeet_status {
    entry!({ init(stats, size) })
}
