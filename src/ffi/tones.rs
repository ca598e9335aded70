//! Keys of a telephone: pressed on our tracks, and heard in those of others.

use super::args::{Struct, fill, init, jmeet_str, text};
use super::entry::entry;
use super::error::jmeet_error;
use super::event::{asked, jmeet_event, wrong_event};
use super::participant::jmeet_participant;
use super::status::jmeet_status;
use super::track::{jmeet_track, track};
use crate::meeting::event::EventKind;
use std::ffi::c_char;
use std::time::Duration;

/// Of TONE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_tone_info {
    pub struct_size: u32,
    /// The key as a character: '0' to '9', '*', '#', 'A' to 'D'.
    pub key: u32,
    /// In whose audio it was; NULL when they have left.
    pub participant: *mut jmeet_participant,
    /// In which; NULL when it was removed meanwhile.
    pub track: *mut jmeet_track,
    /// Whose audio it was.
    pub endpoint_id: jmeet_str,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_tone_info {}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_tone_info_init(info: *mut jmeet_tone_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Reads a TONE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_tone(event: *const jmeet_event, info: *mut jmeet_tone_info) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::Tone(t) = &e.event.kind else { return Err(wrong_event()) };
        let participant = e.participant(t.participant);
        let [endpoint_id] = e.texts.get([&t.endpoint_id]);
        let track = e.track(t.track);
        fill(info, jmeet_tone_info { struct_size: 0, key: t.key.into(), participant, track, endpoint_id })
    })
}

/// Presses keys of a telephone on an audio track of ours, one after the other, as events in its audio (RFC 4733): `keys` such as "123#", of
/// '0' to '9', '*', '#', 'A' to 'D', at most 128. Each is held for `held_ms` (40 to 6000; 0: 200), with a pause of `gap_ms` (30 to 6000; 0: 200)
/// after it. While one is held, frames of the track are not sent. With a `tag` a REQUEST_DONE comes when the last was released, or why not:
/// `JMEET_ERR_MUTED`, `JMEET_ERR_NOT_READY` (nobody receives media yet, or any more), `JMEET_ERR_CODEC` (the other side takes none),
/// `JMEET_ERR_BUSY` (those before are not done), `JMEET_ERR_GONE`, `JMEET_ERR_CANCELLED`. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: not ours, not audio, no such key, or a time out of range. `JMEET_ERR_TOO_LARGE`: too many keys.
/// `JMEET_ERR_GONE`, `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_track_send_tones(
    track: *mut jmeet_track,
    keys: *const c_char,
    held_ms: u32,
    gap_ms: u32,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        // SAFETY: NULL or NUL-terminated by the header's words.
        let keys = unsafe { text(keys) }?;
        let ms = |n: u32| Duration::from_millis(n.into());
        self::track(track)?.writer()?.send_tones(keys, ms(held_ms), ms(gap_ms), tag)
    })
}
