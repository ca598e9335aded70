//! What the bridge tells of speakers, endpoints and tracks, as events and as of now. Strings live as long as the event.

use super::args::{Struct, fill, init, jmeet_str, micros, out, required, writable};
use super::conference::{jmeet_conference, room};
use super::entry::entry;
use super::event::{asked, jmeet_event, wrong_event};
use super::handle::make;
use super::participant::{People, jmeet_participant, jmeet_participant_list, participant};
use super::status::jmeet_status;
use super::track::{jmeet_track, track};
use crate::meeting::event::EventKind;
use std::sync::Arc;

/// Who speaks now; see `jmeet_conference_get_speaking`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_speaking {
    pub struct_size: u32,
    /// Nobody speaks any more, where the bridge looks for that; the rest is then about who spoke last.
    pub silence: bool,
    /// We are the dominant speaker ourselves.
    pub ours: bool,
    /// The dominant speaker; NULL for ourselves (`ours`), for one who has left, and before anybody spoke.
    pub participant: *mut jmeet_participant,
}

/// Of TRACK_STREAMING.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_track_streaming_info {
    pub struct_size: u32,
    /// A `jmeet_streaming`.
    pub streaming: u32,
    /// The remote track; NULL once it is removed.
    pub track: *mut jmeet_track,
    /// INACTIVE: a `jmeet_suspended`, why; else NONE.
    pub suspended: u32,
    /// Must not be read; 0.
    pub reserved: u32,
}

/// Of CONNECTIVITY.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_connectivity_info {
    pub struct_size: u32,
    /// The bridge hears the endpoint again. Not: it has heard nothing of it for some seconds.
    pub active: bool,
    /// Who, while they are in the room; NULL for ourselves.
    pub participant: *mut jmeet_participant,
    /// Whose connection it is; may be ours.
    pub endpoint_id: jmeet_str,
}

/// Of ROUND_TRIP.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_round_trip_info {
    pub struct_size: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// To whom, while they are in the room; else NULL.
    pub participant: *mut jmeet_participant,
    /// To whom.
    pub endpoint_id: jmeet_str,
    /// The shortest of five, through the bridge and back, in microseconds.
    pub round_trip_us: u64,
}

/// How a remote track does now; see `jmeet_track_get_status`. Only of video: an audio track is always ACTIVE, not forwarded, NONE, for the
/// bridge does not speak of audio; whether any comes is seen by its frames and statistics.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_track_status {
    pub struct_size: u32,
    /// A `jmeet_streaming`.
    pub streaming: u32,
    /// The bridge has said that it forwards the track to us. Never of audio, and not of what comes straight from a peer.
    pub forwarded: bool,
    /// A `jmeet_suspended`: why the bridge does not. NONE while it does, while it has said nothing of its video yet, and of what comes
    /// straight from a peer. Of a track that was never forwarded it is there once the track is INACTIVE.
    pub suspended: u32,
}

/// How a participant's connection does now; see `jmeet_participant_get_status`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_participant_status {
    pub struct_size: u32,
    /// The bridge hears something of them; true until it says otherwise.
    pub active: bool,
    /// They have said how good their connection is.
    pub has_quality: bool,
    /// How good, from 0 to 100.
    pub quality: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// Through the bridge to them and back, in microseconds; 0: not measured (yet). `jmeet_client_options.measure_round_trips`.
    pub round_trip_us: u64,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_speaking {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_track_streaming_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_connectivity_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_round_trip_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_track_status {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_participant_status {}

/// Reads a TRACK_STREAMING.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_track_streaming(
    event: *const jmeet_event,
    info: *mut jmeet_track_streaming_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::TrackStreaming { track, status, suspended } = e.event.kind else { return Err(wrong_event()) };
        let track = e.track(track);
        let (streaming, suspended) = (status as u32, suspended.map_or(0, |why| why as u32));
        fill(info, jmeet_track_streaming_info { struct_size: 0, streaming, track, suspended, reserved: 0 })
    })
}

/// Reads a CONNECTIVITY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_connectivity(
    event: *const jmeet_event,
    info: *mut jmeet_connectivity_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Connectivity(c) = &e.event.kind else { return Err(wrong_event()) };
        let participant = e.participant(c.participant);
        let [endpoint_id] = e.texts.get([&c.endpoint_id]);
        fill(info, jmeet_connectivity_info { struct_size: 0, active: c.active, participant, endpoint_id })
    })
}

/// Reads a ROUND_TRIP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_round_trip(
    event: *const jmeet_event,
    info: *mut jmeet_round_trip_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::RoundTrip(r) = &e.event.kind else { return Err(wrong_event()) };
        let participant = e.participant(Some(r.participant));
        let [endpoint_id] = e.texts.get([&r.endpoint_id]);
        let round_trip_us = micros(r.round_trip);
        fill(info, jmeet_round_trip_info { struct_size: 0, reserved: 0, participant, endpoint_id, round_trip_us })
    })
}

/// Who speaks now, as the bridge hears it, which may be ahead of the queue. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_get_speaking(
    room: *const jmeet_conference,
    speaking: *mut jmeet_speaking,
) -> jmeet_status {
    entry!({
        writable(speaking)?;
        let (r, conference) = self::room(room)?;
        let s = conference.speaker();
        let who = s.as_ref().and_then(|s| s.participant).and_then(|key| r.client.participant(key));
        let ours = s.as_ref().is_some_and(|s| conference.endpoint_id().as_deref() == Some(s.endpoint_id.as_str()));
        let (silence, participant) = (s.is_some_and(|s| s.silence), who.unwrap_or(std::ptr::null_mut()));
        fill(speaking, jmeet_speaking { struct_size: 0, silence, ours, participant })
    })
}

/// Who spoke last, the dominant speaker first and then the earlier ones, the latest first: those of the others who are still here. We
/// ourselves are never in it, for there is no `jmeet_participant` of us: `jmeet_speaking.ours`, and SPEAKER names us by our endpoint id.
/// The list is the caller's, freed with `jmeet_participant_list_free`. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_list_speakers(
    room: *const jmeet_conference,
    list: *mut *mut jmeet_participant_list,
) -> jmeet_status {
    entry!({
        required(list)?;
        let (r, conference) = self::room(room)?;
        out(list, make(Arc::new(People::new(r.client.clone(), conference.speakers())))?)
    })
}

/// How a remote track does now, which may be ahead of the queue. Any thread; does not block.
///
/// Errors: `JMEET_ERR_GONE`: it was removed. `JMEET_ERR_INVALID_ARGUMENT`: it is ours, or struct_size. `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_get_status(
    track: *const jmeet_track,
    status: *mut jmeet_track_status,
) -> jmeet_status {
    entry!({
        writable(status)?;
        let t = self::track(track)?;
        let s = t.client.conference()?.track_status(t.key)?;
        let suspended = s.suspended.map_or(0, |why| why as u32);
        let (streaming, forwarded) = (s.streaming as u32, s.forwarded);
        fill(status, jmeet_track_status { struct_size: 0, streaming, forwarded, suspended })
    })
}

/// How a participant's connection does now, which may be ahead of the queue. Any thread; does not block.
///
/// Errors: `JMEET_ERR_GONE`: they have left. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_get_status(
    participant: *const jmeet_participant,
    status: *mut jmeet_participant_status,
) -> jmeet_status {
    entry!({
        writable(status)?;
        let (conference, key) = self::participant(participant)?;
        let s = conference.endpoint_status(key)?;
        let round_trip_us = s.round_trip.map_or(0, micros);
        let (has_quality, quality) = (s.stats.is_some(), s.stats.map_or(0, |s| s.connection_quality.into()));
        let (active, reserved) = (s.active, 0);
        fill(status, jmeet_participant_status { struct_size: 0, active, has_quality, quality, reserved, round_trip_us })
    })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_speaking_init(speaking: *mut jmeet_speaking, size: usize) -> jmeet_status {
    entry!({ init(speaking, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_streaming_info_init(
    info: *mut jmeet_track_streaming_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_connectivity_info_init(info: *mut jmeet_connectivity_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_round_trip_info_init(info: *mut jmeet_round_trip_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_status_init(status: *mut jmeet_track_status, size: usize) -> jmeet_status {
    entry!({ init(status, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_status_init(
    status: *mut jmeet_participant_status,
    size: usize,
) -> jmeet_status {
    entry!({ init(status, size) })
}
