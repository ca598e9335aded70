//! What events of the bridge carry, and what C says to the bridge. Strings live as long as the event.

use super::args::{Struct, fault, fill, init, jmeet_str, optional, options, text};
use super::conference::{jmeet_conference, room};
use super::entry::entry;
use super::error::jmeet_error;
use super::event::{asked, asked_number, jmeet_event, wrong_event};
use super::event_kind::jmeet_event_kind;
use super::participant::jmeet_participant;
use super::status::jmeet_status;
use super::track::jmeet_track;
use crate::bridge::outbox::{MAX_WAITING, MAX_WAITING_BYTES, PATIENCE};
use crate::bridge::{AllConstraints, SpeakerChange};
use crate::error::{Code, Error, Stage};
use crate::meeting::event::EventKind;
use std::ffi::c_char;

/// Application messages that wait for the channel to the bridge at most.
pub const JMEET_MAX_WAITING_MESSAGES: u32 = 64;
/// Their bytes in all.
pub const JMEET_MAX_WAITING_MESSAGE_BYTES: u32 = 262144;
/// How long one waits, in milliseconds.
pub const JMEET_WAITING_MESSAGE_MS: u32 = 30000;

const _: () = assert!(JMEET_MAX_WAITING_MESSAGES as usize == MAX_WAITING);
const _: () = assert!(JMEET_MAX_WAITING_MESSAGE_BYTES as usize == MAX_WAITING_BYTES);
const _: () = assert!(JMEET_WAITING_MESSAGE_MS as u128 == PATIENCE.as_millis());

/// Of BRIDGE_CHANNEL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_bridge_channel_info {
    pub struct_size: u32,
    /// A `jmeet_bridge_channel`.
    pub state: u32,
}

/// Of SPEAKER.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_speaker_info {
    pub struct_size: u32,
    /// Nobody speaks any more, where the bridge looks for that.
    pub silence: bool,
    /// Only `previous` is news: the dominant speaker and the silence are as before.
    pub only_previous: bool,
    /// Who, while they are in the room; NULL for ourselves.
    pub participant: *mut jmeet_participant,
    /// The dominant speaker's endpoint id; may be ours.
    pub endpoint_id: jmeet_str,
    /// Endpoint ids of earlier speakers, the latest first, with a space between them.
    pub previous: jmeet_str,
}

/// Of ENDPOINT_MESSAGE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_endpoint_message_info {
    pub struct_size: u32,
    /// To us alone.
    pub is_private: bool,
    /// Who sent it, while they are in the room; else NULL.
    pub participant: *mut jmeet_participant,
    /// Endpoint id of the sender, as the bridge tells it.
    pub endpoint_id: jmeet_str,
    /// A JSON object.
    pub payload: jmeet_str,
}

/// Of TRACK_FORWARDED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_track_forwarded_info {
    pub struct_size: u32,
    /// The bridge sends it to us now.
    pub forwarded: bool,
    /// A `jmeet_suspended`: why it does so no more; NONE while it does.
    pub suspended: u32,
    /// The remote track; NULL once it is removed.
    pub track: *mut jmeet_track,
}

/// Of DOWNLINK.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_downlink_info {
    pub struct_size: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// What the bridge thinks that the way to us carries.
    pub bits_per_second: u64,
}

/// Which video is wanted; see `jmeet_conference_set_receive`. Source names are those of tracks.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_receive_options {
    pub struct_size: u32,
    /// Greatest number of sources; 0: no limit, negative: none at all.
    pub last_n: i32,
    /// Greatest height in pixels of sources that `sources` does not name; 0: no limit, negative: none of them.
    pub default_height: i32,
    /// Must be 0.
    pub reserved: u32,
    /// Most important sources, most important first, with spaces between them; they get what they want before the others
    /// get anything. May be NULL.
    pub on_stage: *const c_char,
    /// Sources that come after those. May be NULL.
    pub selected: *const c_char,
    /// Greatest height of single sources: "1a2b3c4d-v0=720 5e6f7a8b-v0=180". May be NULL.
    pub sources: *const c_char,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_bridge_channel_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_speaker_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_endpoint_message_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_track_forwarded_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_downlink_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_receive_options {}

impl jmeet_receive_options {
    unsafe fn read(&self) -> Result<AllConstraints, Error> {
        let bad = |what: &str| Error::new(Code::InvalidArgument, Stage::None, format!("sources: {what}"));
        let limit = |n: i32| if n == 0 { -1 } else { n.max(0) };
        // SAFETY: each is NULL or NUL-terminated by the header's words.
        let [on_stage, selected, sources] =
            unsafe { [optional(self.on_stage)?, optional(self.selected)?, optional(self.sources)?] };
        let names = |s: String| s.split_whitespace().map(str::to_owned).collect();
        let one = |s: &str| {
            let (name, height) = s.split_once('=').ok_or_else(|| bad("a name without a height"))?;
            Ok((name.to_owned(), limit(height.parse().map_err(|_| bad("a height that is no number"))?)))
        };
        Ok(AllConstraints {
            last_n: limit(self.last_n),
            on_stage: names(on_stage),
            selected: names(selected),
            default_height: limit(self.default_height),
            heights: sources.split_whitespace().map(one).collect::<Result<_, Error>>()?,
        })
    }
}

/// Reads a BRIDGE_CHANNEL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_bridge_channel(
    event: *const jmeet_event,
    info: *mut jmeet_bridge_channel_info,
) -> jmeet_status {
    entry!({
        let state = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_BRIDGE_CHANNEL)?;
        fill(info, jmeet_bridge_channel_info { struct_size: 0, state: state as u32 })
    })
}

/// Reads a SPEAKER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_speaker(event: *const jmeet_event, info: *mut jmeet_speaker_info) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Speaker(s) = &e.event.kind else { return Err(wrong_event()) };
        let participant = e.participant(s.participant);
        let [endpoint_id, previous] = e.texts.get([s.endpoint_id.as_str(), &s.previous.join(" ")]);
        let (silence, only_previous) = (s.silence, s.change == SpeakerChange::Previous);
        fill(info, jmeet_speaker_info { struct_size: 0, silence, only_previous, participant, endpoint_id, previous })
    })
}

/// Reads an ENDPOINT_MESSAGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_endpoint_message(
    event: *const jmeet_event,
    info: *mut jmeet_endpoint_message_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::EndpointMessage(m) = &e.event.kind else { return Err(wrong_event()) };
        let participant = e.participant(m.participant);
        let [endpoint_id, payload] = e.texts.get([&m.endpoint_id, &m.payload]);
        let is_private = m.private;
        fill(info, jmeet_endpoint_message_info { struct_size: 0, is_private, participant, endpoint_id, payload })
    })
}

/// Reads a TRACK_FORWARDED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_track_forwarded(
    event: *const jmeet_event,
    info: *mut jmeet_track_forwarded_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::TrackForwarded { track, suspended } = e.event.kind else { return Err(wrong_event()) };
        let track = e.track(track);
        let (forwarded, suspended) = (suspended.is_none(), suspended.map_or(0, |why| why as u32));
        fill(info, jmeet_track_forwarded_info { struct_size: 0, forwarded, suspended, track })
    })
}

/// Reads a DOWNLINK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_downlink(
    event: *const jmeet_event,
    info: *mut jmeet_downlink_info,
) -> jmeet_status {
    entry!({
        let bits_per_second = asked_number(event, info, jmeet_event_kind::JMEET_EVENT_DOWNLINK)?;
        fill(info, jmeet_downlink_info { struct_size: 0, reserved: 0, bits_per_second })
    })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_downlink_info_init(info: *mut jmeet_downlink_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_forwarded_info_init(
    info: *mut jmeet_track_forwarded_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_endpoint_message_info_init(
    info: *mut jmeet_endpoint_message_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_speaker_info_init(info: *mut jmeet_speaker_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_bridge_channel_info_init(
    info: *mut jmeet_bridge_channel_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_receive_options_init(options: *mut jmeet_receive_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Says which video the bridge is to send, instead of what follows from the readers. It makes no reader: what is sent and not read is
/// dropped here, at the cost of our downlink, and what is read and not sent does not come. A peer hears nothing of it: of what comes straight
/// from one the readers decide. `options` NULL: the readers decide again. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: `sources` is not as described. `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_set_receive(
    room: *mut jmeet_conference,
    options: *const jmeet_receive_options,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        let wanted = if options.is_null() { None } else { Some(self::options(options)?.read()?) };
        let (_, conference) = self::room(room)?;
        conference.set_receive(wanted)
    })
}

/// Sends a JSON object (at most 65536 bytes) to one endpoint through the bridge, or to all others when `endpoint_id` is
/// NULL. REQUEST_DONE comes when it is on its way to the bridge; nobody confirms that it arrived. While the channel to the bridge opens,
/// or opens again after an outage, it waits: up to `JMEET_MAX_WAITING_MESSAGES` with `JMEET_MAX_WAITING_MESSAGE_BYTES` in all, and each
/// for `JMEET_WAITING_MESSAGE_MS` at most. Messages are sent in their order. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: no JSON object, or an empty `endpoint_id`, which may be a forgotten one. `JMEET_ERR_TOO_LARGE`.
/// `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_STATE`: not in the room. `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_BUSY`,
/// `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`. REQUEST_DONE: `JMEET_ERR_FULL`: too much waits. `JMEET_ERR_NOT_READY`: there is no channel to the bridge, or it did not open in
/// time. `JMEET_ERR_CANCELLED`: the meeting ended first. What was refused or given up is not sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_send_endpoint_message(
    room: *mut jmeet_conference,
    endpoint_id: *const c_char,
    payload: *const c_char,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        let to = optional(endpoint_id)?;
        if to.is_empty() && !endpoint_id.is_null() {
            return Err(fault(Code::InvalidArgument, "the endpoint id is empty; NULL is for all others"));
        }
        let payload = text(payload)?;
        let (_, conference) = self::room(room)?;
        conference.send_endpoint_message(&to, payload, tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Outbox;
    use crate::time::Time;

    #[test]
    fn the_bounds_in_the_header_are_those_of_what_waits() {
        let (mut many, mut large, now) = (Outbox::default(), Outbox::default(), Time::default());
        for n in 0..=JMEET_MAX_WAITING_MESSAGES {
            assert_eq!(many.push("x".into(), 1, now), n < JMEET_MAX_WAITING_MESSAGES);
        }
        assert!(!large.push("x".repeat(JMEET_MAX_WAITING_MESSAGE_BYTES as usize + 1), 1, now));
        assert!(large.push("x".repeat(JMEET_MAX_WAITING_MESSAGE_BYTES as usize), 1, now));
    }
}
