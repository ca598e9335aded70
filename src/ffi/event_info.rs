//! What events carry: one plain struct and one accessor per type. Strings live as long as the event.

use super::args::{Struct, fill, init, jmeet_str};
use super::entry::entry;
use super::event::{asked, asked_number, jmeet_event, wrong_event};
use super::event_kind::jmeet_event_kind;
use super::participant::{self, jmeet_participant, jmeet_participant_info};
use super::status::jmeet_status;
use super::track::{self, jmeet_track, jmeet_track_info};
use crate::error::Code;
use crate::meeting::event::{EventKind, MediaState};

/// A struct of the header with all that its accessor needs of it.
macro_rules! infos {
    ($($t:ty),* $(,)?) => { $(
        // SAFETY: as the trait asks.
        unsafe impl Struct for $t {}
    )* };
}

infos!(
    jmeet_state_info,
    jmeet_joined_info,
    jmeet_participant_left_info,
    jmeet_role_info,
    jmeet_message_info,
    jmeet_subject_info,
    jmeet_focus_info,
    jmeet_bridge_info,
    jmeet_key_frame_wanted_info,
    jmeet_codec_wanted_info,
    jmeet_bandwidth_info,
    jmeet_timeline_info,
    jmeet_overrun_info,
);

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_media_info {
    // As in the first release.
    const OLDER: &[usize] = &[std::mem::offset_of!(jmeet_media_info, path)];
}

/// Of STATE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_state_info {
    pub struct_size: u32,
    /// A `jmeet_state`.
    pub state: u32,
}

/// Of JOINED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_joined_info {
    pub struct_size: u32,
    /// Our `jmeet_role`.
    pub role: u32,
    /// Our endpoint id: eight hexadecimal digits.
    pub endpoint_id: jmeet_str,
}

/// Of PARTICIPANT_LEFT, beside what `jmeet_event_participant` says.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_participant_left_info {
    pub struct_size: u32,
    /// Removed by a moderator.
    pub kicked: bool,
    /// The connection was lost; no good-bye came.
    pub vanished: bool,
    /// It is we who left, or were made to: they are still there, as far as we know.
    pub we_left: bool,
    /// Their words, or the reason of the kick; may be empty.
    pub reason: jmeet_str,
}

/// Of ROLE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_role_info {
    pub struct_size: u32,
    /// Our `jmeet_role`.
    pub role: u32,
}

/// Of MESSAGE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_message_info {
    pub struct_size: u32,
    /// To us alone; answer with `jmeet_conference_send_private_message`.
    pub is_private: bool,
    /// From before we came: the room's history.
    pub delayed: bool,
    /// Who said it, while they are in the room; else NULL.
    pub participant: *mut jmeet_participant,
    /// Endpoint id of the sender, also when they have left.
    pub endpoint_id: jmeet_str,
    /// Their display name at the time; may be empty.
    pub display_name: jmeet_str,
    pub text: jmeet_str,
    /// Of the message; empty when it had none.
    pub id: jmeet_str,
    /// When it was sent, in milliseconds since 1970.
    pub sent_ms: i64,
}

/// Of SUBJECT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_subject_info {
    pub struct_size: u32,
    /// Empty: none.
    pub subject: jmeet_str,
}

/// Of FOCUS.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_focus_info {
    pub struct_size: u32,
    /// It is there.
    pub present: bool,
}

/// Of BRIDGE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_bridge_info {
    pub struct_size: u32,
    /// The focus has a videobridge for the room. While it has none, media flows only between two participants.
    pub available: bool,
}

/// Of MEDIA.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_media_info {
    pub struct_size: u32,
    /// A `jmeet_media_state`.
    pub state: u32,
    /// ENDED: the other side ended it.
    pub by_peer: bool,
    /// The other participant; empty for the bridge.
    pub endpoint_id: jmeet_str,
    /// ENDED: the protocol's reason, such as "success"; else empty.
    pub reason: jmeet_str,
    /// ENDED: a sentence for people; may be empty.
    pub text: jmeet_str,
    /// A `jmeet_media_path`.
    pub path: u32,
    /// ENDED: a `jmeet_status`, what failed here: `JMEET_ERR_ICE` (no path to the other side), `JMEET_ERR_DTLS` (its handshake failed, or its
    /// certificate is not the one that was signalled). Else `JMEET_OK`: the reason tells.
    pub status: u32,
}

/// Of KEY_FRAME_WANTED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_key_frame_wanted_info {
    pub struct_size: u32,
    /// Which encoding, as in `jmeet_outgoing_frame.encoding`.
    pub encoding: u32,
    /// The local track; NULL once it is removed.
    pub track: *mut jmeet_track,
}

/// Of TARGET_BITRATE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_target_bitrate_info {
    pub struct_size: u32,
    /// Which encoding, as in `jmeet_outgoing_frame.encoding`.
    pub encoding: u32,
    /// The local track; NULL once it is removed.
    pub track: *mut jmeet_track,
    /// 0: send nothing of this encoding, for it is muted, nobody wants it or the path does not carry it; writes answer `JMEET_ERR_NOT_READY`
    /// (`JMEET_ERR_MUTED`). After it the first frame must be a key frame.
    pub bits_per_second: u64,
    /// Pixels that the picture is to be high, so that nobody gets more than is wanted; 0 with a rate of 0. Another height needs a key frame.
    pub height: u32,
    /// Must not be read; 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_target_bitrate_info {
    // As in the first release.
    const OLDER: &[usize] = &[std::mem::offset_of!(jmeet_target_bitrate_info, height)];
}

/// Of CODEC_WANTED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_codec_wanted_info {
    pub struct_size: u32,
    /// A `jmeet_codec`.
    pub codec: u32,
    /// The local track; NULL once it is removed.
    pub track: *mut jmeet_track,
}

/// Of BANDWIDTH.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_bandwidth_info {
    pub struct_size: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// Of all that we send together.
    pub bits_per_second: u64,
}

/// Of TIMELINE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_timeline_info {
    pub struct_size: u32,
    /// A `jmeet_timeline_stage`.
    pub stage: u32,
    /// When, on the clock of `jmeet_now_us`.
    pub time_us: u64,
}

/// Of OVERRUN.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_overrun_info {
    pub struct_size: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// Messages that were dropped at this place.
    pub dropped: u64,
}

/// Reads a STATE. Errors of this and the following accessors: `JMEET_ERR_WRONG_EVENT` for an event of another type, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size). They do not block, on any thread; strings live as long as the
/// event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_state(event: *const jmeet_event, info: *mut jmeet_state_info) -> jmeet_status {
    entry!({
        let state = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_STATE)?;
        fill(info, jmeet_state_info { struct_size: 0, state: state as u32 })
    })
}

/// Reads a JOINED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_joined(event: *const jmeet_event, info: *mut jmeet_joined_info) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Joined(j) = &e.event.kind else { return Err(wrong_event()) };
        let [endpoint_id] = e.texts.get([&j.endpoint_id]);
        fill(info, jmeet_joined_info { struct_size: 0, role: j.role as u32, endpoint_id })
    })
}

/// Reads the participant of a PARTICIPANT_JOINED, PARTICIPANT_UPDATED or PARTICIPANT_LEFT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_participant(
    event: *const jmeet_event,
    info: *mut jmeet_participant_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let (p, changed, reason) = match &e.event.kind {
            EventKind::ParticipantJoined(p) => (p, 0, ""),
            EventKind::ParticipantUpdated(p, changed) => (p, *changed, ""),
            EventKind::ParticipantLeft(l) => (&l.participant, 0, l.reason.as_str()),
            _ => return Err(wrong_event()),
        };
        let participant = e.client().map_or(std::ptr::null_mut(), |c| c.participant_of_event(p));
        fill(info, participant::info(p, changed, participant, reason, &e.texts).0)
    })
}

/// Reads how somebody left, of a PARTICIPANT_LEFT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_participant_left(
    event: *const jmeet_event,
    info: *mut jmeet_participant_left_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::ParticipantLeft(l) = &e.event.kind else { return Err(wrong_event()) };
        // The strings of one event are made together.
        let (_, reason) = participant::info(&l.participant, 0, std::ptr::null_mut(), &l.reason, &e.texts);
        let (kicked, vanished, we_left) = (l.kicked, l.vanished, l.we_left);
        fill(info, jmeet_participant_left_info { struct_size: 0, kicked, vanished, we_left, reason })
    })
}

/// Reads a ROLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_role(event: *const jmeet_event, info: *mut jmeet_role_info) -> jmeet_status {
    entry!({
        let role = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_ROLE)?;
        fill(info, jmeet_role_info { struct_size: 0, role: role as u32 })
    })
}

/// Reads a MESSAGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_message(event: *const jmeet_event, info: *mut jmeet_message_info) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Message(m) = &e.event.kind else { return Err(wrong_event()) };
        let [endpoint_id, display_name, text, id] = e.texts.get([&m.endpoint_id, &m.display_name, &m.text, &m.id]);
        let participant = e.participant(m.participant);
        fill(
            info,
            jmeet_message_info {
                struct_size: 0,
                is_private: m.private,
                delayed: m.delayed,
                participant,
                endpoint_id,
                display_name,
                text,
                id,
                sent_ms: m.sent_ms,
            },
        )
    })
}

/// Reads a SUBJECT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_subject(event: *const jmeet_event, info: *mut jmeet_subject_info) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Subject(subject) = &e.event.kind else { return Err(wrong_event()) };
        let [subject] = e.texts.get([subject]);
        fill(info, jmeet_subject_info { struct_size: 0, subject })
    })
}

/// Reads the track of a TRACK_ADDED, TRACK_UPDATED or TRACK_REMOVED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_track(event: *const jmeet_event, info: *mut jmeet_track_info) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let (EventKind::TrackAdded(t) | EventKind::TrackUpdated(t) | EventKind::TrackRemoved(t)) = &e.event.kind else {
            return Err(wrong_event());
        };
        let track = e.client().map_or(std::ptr::null_mut(), |c| c.track_of_event(t));
        fill(info, track::info(t, e.participant(t.participant), track, &e.texts))
    })
}

/// Reads a FOCUS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_focus(event: *const jmeet_event, info: *mut jmeet_focus_info) -> jmeet_status {
    entry!({
        let present = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_FOCUS)?;
        fill(info, jmeet_focus_info { struct_size: 0, present: present != 0 })
    })
}

/// Reads a BRIDGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_bridge(event: *const jmeet_event, info: *mut jmeet_bridge_info) -> jmeet_status {
    entry!({
        let available = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_BRIDGE)?;
        fill(info, jmeet_bridge_info { struct_size: 0, available: available != 0 })
    })
}

/// Reads a MEDIA.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_media(event: *const jmeet_event, info: *mut jmeet_media_info) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Media(path, m) = &e.event.kind else { return Err(wrong_event()) };
        let (state, by_peer, texts) = match m {
            MediaState::Connecting { endpoint_id } => (1, false, [endpoint_id.as_str(), "", ""]),
            MediaState::Connected { endpoint_id } => (2, false, [endpoint_id.as_str(), "", ""]),
            MediaState::Recovering { endpoint_id } => (4, false, [endpoint_id.as_str(), "", ""]),
            MediaState::Ended(end) => (3, end.by_peer, [end.endpoint_id.as_str(), &end.reason, &end.text]),
        };
        let [endpoint_id, reason, text] = e.texts.get(texts);
        let failed = if let MediaState::Ended(end) = m { end.code } else { Code::Ok };
        let (path, status) = (*path as u32, jmeet_status::from(failed) as u32);
        fill(info, jmeet_media_info { struct_size: 0, state, by_peer, endpoint_id, reason, text, path, status })
    })
}

/// Reads a KEY_FRAME_WANTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_key_frame_wanted(
    event: *const jmeet_event,
    info: *mut jmeet_key_frame_wanted_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::KeyFrameWanted { track, encoding } = e.event.kind else { return Err(wrong_event()) };
        fill(info, jmeet_key_frame_wanted_info { struct_size: 0, encoding, track: e.track(track) })
    })
}

/// Reads a TARGET_BITRATE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_target_bitrate(
    event: *const jmeet_event,
    info: *mut jmeet_target_bitrate_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::TargetBitrate { track, encoding, bits_per_second, height } = e.event.kind else {
            return Err(wrong_event());
        };
        let track = e.track(track);
        let told = jmeet_target_bitrate_info { struct_size: 0, encoding, track, bits_per_second, height, reserved: 0 };
        fill(info, told)
    })
}

/// Reads a CODEC_WANTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_codec_wanted(
    event: *const jmeet_event,
    info: *mut jmeet_codec_wanted_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::CodecWanted { track, codec } = e.event.kind else { return Err(wrong_event()) };
        let track = e.track(track);
        fill(info, jmeet_codec_wanted_info { struct_size: 0, codec: codec as u32, track })
    })
}

/// Reads a BANDWIDTH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_bandwidth(
    event: *const jmeet_event,
    info: *mut jmeet_bandwidth_info,
) -> jmeet_status {
    entry!({
        let bits_per_second = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_BANDWIDTH)?;
        fill(info, jmeet_bandwidth_info { struct_size: 0, reserved: 0, bits_per_second })
    })
}

/// Reads a TIMELINE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_timeline(
    event: *const jmeet_event,
    info: *mut jmeet_timeline_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Timeline(stage, time_us) = e.event.kind else { return Err(wrong_event()) };
        fill(info, jmeet_timeline_info { struct_size: 0, stage: stage as u32, time_us })
    })
}

/// Reads an OVERRUN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_overrun(event: *const jmeet_event, info: *mut jmeet_overrun_info) -> jmeet_status {
    entry!({
        let dropped = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_OVERRUN)?;
        fill(info, jmeet_overrun_info { struct_size: 0, reserved: 0, dropped })
    })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_state_info_init(info: *mut jmeet_state_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_joined_info_init(info: *mut jmeet_joined_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_left_info_init(
    info: *mut jmeet_participant_left_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_role_info_init(info: *mut jmeet_role_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_message_info_init(info: *mut jmeet_message_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_subject_info_init(info: *mut jmeet_subject_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_focus_info_init(info: *mut jmeet_focus_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_bridge_info_init(info: *mut jmeet_bridge_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_media_info_init(info: *mut jmeet_media_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_key_frame_wanted_info_init(
    info: *mut jmeet_key_frame_wanted_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_target_bitrate_info_init(
    info: *mut jmeet_target_bitrate_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_codec_wanted_info_init(info: *mut jmeet_codec_wanted_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_bandwidth_info_init(info: *mut jmeet_bandwidth_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_timeline_info_init(info: *mut jmeet_timeline_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_overrun_info_init(info: *mut jmeet_overrun_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}
