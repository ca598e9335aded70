//! `jmeet_stats`: statistics of all tracks and ways at one moment; and what endpoints say of their connections, ours included.

use super::args::{Struct, Texts, fill, init, jmeet_str, micros, out, out_of_range, required, timeout, writable};
use super::client::Client;
use super::conference::{jmeet_conference, room};
use super::entry::entry;
use super::error::jmeet_error;
use super::event::{asked, jmeet_event, wrong_event};
use super::handle::{Object, Table, get, make, take};
use super::participant::{Person, jmeet_participant, participant};
use super::status::jmeet_status;
use super::track::jmeet_track;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::{EventKind, LocalStats};
use crate::meeting::measure::MeetingStats;
use crate::wire::colibri::EndpointStats;
use std::sync::Arc;

/// Statistics at one moment. Freed by the caller.
///
/// Functions: `jmeet_conference_stats_new`, `jmeet_stats_get`, `jmeet_stats_size`, `jmeet_stats_get_track`, `jmeet_stats_free`.
pub struct jmeet_stats {
    _opaque: [u8; 0],
}

/// Our own connection in the last ten seconds. All 0 before the first of them are over (`path` is UNSPECIFIED then).
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
    /// Payload of audio that came.
    pub audio_download_kbps: u32,
    /// Payload of video that went out.
    pub video_upload_kbps: u32,
    /// Payload of video that came.
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
    /// Whose.
    pub endpoint_id: jmeet_str,
    /// Where their bridge is; may be empty.
    pub server_region: jmeet_str,
    /// From them to their bridge and back, in microseconds (they tell it in whole milliseconds); 0: not known.
    pub round_trip_us: u64,
    /// Greatest height that they send, in pixels; 0: none, or not known.
    pub max_height: u32,
    /// Audio that they send, in kbit/s.
    pub audio_upload_kbps: u32,
    /// Audio that they get.
    pub audio_download_kbps: u32,
    /// Video that they send.
    pub video_upload_kbps: u32,
    /// Video that they get.
    pub video_download_kbps: u32,
    /// Of what they send, lost packets in percent.
    pub loss_upload: u32,
    /// Of what they get, lost packets in percent.
    pub loss_download: u32,
    /// Must not be read; 0.
    pub reserved: u32,
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
    /// `jmeet_track_get` tells whose it is. NULL when it was removed meanwhile; `source_name` says then which it was.
    pub track: *mut jmeet_track,
    /// As in its info.
    pub track_key: u64,
    /// RTP packets, each once: those that came only as a repair count, what we sent again does not.
    pub packets: u64,
    /// Of their payloads, without headers.
    pub bytes: u64,
    /// Packets that never came, repairs allowed for; of ours as the other end counts them.
    pub lost: u64,
    /// Of somebody else's: how many of `packets` came only as a repair. Of ours: how many were sent again, beside `packets`.
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
    /// To the other end of its way and back, in microseconds; 0: not known.
    pub round_trip_us: u64,
    /// Of our video on the way that carries it now: what TARGET_BITRATE told of this encoding; else 0.
    pub target_bits_per_second: u64,
    /// Which track, as in its info. Lives as long as the statistics.
    pub source_name: jmeet_str,
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
    /// Strings of each stream, in their order.
    texts: Vec<Texts>,
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
        round_trip_us: l.round_trip.map_or(0, micros),
        audio_upload_kbps: s.audio.upload,
        audio_download_kbps: s.audio.download,
        video_upload_kbps: s.video.upload,
        video_download_kbps: s.video.download,
        loss_upload: s.loss.upload.into(),
        loss_download: s.loss.download.into(),
    }
}

/// What a participant says of their connection, with their id and the bridge's region as strings.
fn said_by(
    s: &EndpointStats,
    participant: *mut jmeet_participant,
    [endpoint_id, server_region]: [jmeet_str; 2],
) -> jmeet_participant_stats_info {
    jmeet_participant_stats_info {
        struct_size: 0,
        quality: s.connection_quality.into(),
        participant,
        endpoint_id,
        server_region,
        round_trip_us: u64::from(s.jvb_rtt.unwrap_or(0)) * 1000,
        max_height: s.max_height.unwrap_or(0),
        audio_upload_kbps: s.audio.upload,
        audio_download_kbps: s.audio.download,
        video_upload_kbps: s.video.upload,
        video_download_kbps: s.video.download,
        loss_upload: s.loss.upload.into(),
        loss_download: s.loss.download.into(),
        reserved: 0,
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
        let texts = e.texts.get([p.endpoint_id.as_str(), p.stats.server_region.as_deref().unwrap_or_default()]);
        let participant = e.participant(Some(p.participant));
        fill(info, said_by(&p.stats, participant, texts))
    })
}

/// What a participant said last of their connection, as PARTICIPANT_STATS told it, which may be ahead of the queue. The strings live as
/// long as the participant's handle. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NOT_READY`: they have said nothing yet. `JMEET_ERR_GONE`: they have left. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`,
/// `JMEET_ERR_INVALID_ARGUMENT` (struct_size), `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_get_stats(
    participant: *mut jmeet_participant,
    info: *mut jmeet_participant_stats_info,
) -> jmeet_status {
    entry!({
        writable(info)?;
        let (conference, key) = self::participant(participant)?;
        let said = conference.endpoint_status(key)?.stats;
        let said = said.ok_or_else(|| Error::new(Code::NotReady, Stage::None, "they have said nothing of it yet"))?;
        let kept = get::<Person>(participant)?;
        let texts = [kept.id(), kept.keep(said.server_region.as_deref().unwrap_or_default())?];
        fill(info, said_by(&said, participant, texts))
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
/// the difference of two looks. Waits for the client's thread, which takes microseconds, for `timeout_ms` at most
/// (`JMEET_FOREVER`: as long as it takes), never for the network. Any thread.
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
        let taken = conference.stats(timeout(timeout_ms))?;
        let texts = taken.tracks.iter().map(|_| Texts::default()).collect();
        out(stats, make(Arc::new(Statistics { client: r.client.clone(), stats: taken, texts }))?)
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
        let (t, texts) = s.stats.tracks.get(index).zip(s.texts.get(index)).ok_or_else(out_of_range)?;
        let [source_name] = texts.get([&t.source_name]);
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
                jitter_us: micros(t.stream.jitter),
                bits_per_second: t.stream.bits_per_second,
                frames: t.frames,
                damaged: t.damaged,
                frames_per_second: u32::try_from(t.frames_per_second).unwrap_or(u32::MAX),
                width: t.size.0.into(),
                height: t.size.1.into(),
                reserved: 0,
                round_trip_us: t.round_trip.map_or(0, micros),
                target_bits_per_second: t.target,
                source_name,
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
