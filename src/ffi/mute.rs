//! Muting others, and being muted: by a moderator or by the focus. Strings live as long as the event.

use super::args::{Struct, fault, fill, init, jmeet_str};
use super::entry::entry;
use super::error::jmeet_error;
use super::event::{asked, jmeet_event, wrong_event};
use super::participant::{jmeet_participant, participant};
use super::status::jmeet_status;
use crate::error::Code;
use crate::meeting::event::{EventKind, MuteKind};

/// What of a participant is muted, all of one kind at once.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_mute_kind {
    JMEET_MUTE_UNSPECIFIED = 0,
    /// Every microphone.
    JMEET_MUTE_AUDIO = 1,
    /// Every camera.
    JMEET_MUTE_CAMERA = 2,
    /// Every screen.
    JMEET_MUTE_DESKTOP = 3,
}

/// Of MUTED_BY.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_muted_by_info {
    pub struct_size: u32,
    /// A `jmeet_mute_kind`: all of our tracks of this kind are muted now.
    pub kind: u32,
    /// Who asked for it, while they are in the room; NULL when the focus did it by itself, as where the room is moderated.
    pub participant: *mut jmeet_participant,
    /// Endpoint id of who asked for it; empty when the focus did it by itself.
    pub endpoint_id: jmeet_str,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_muted_by_info {}

/// Mutes somebody for everybody, which moderators may (`JMEET_ROLE_MODERATOR`): all of their tracks of a `jmeet_mute_kind`. Nobody can be
/// unmuted by others. Returns at once; with a `tag` a REQUEST_DONE comes when the focus has answered; that they are muted is seen by the
/// TRACK_UPDATED of their tracks. Any thread.
///
/// Errors: `JMEET_ERR_GONE`: they have left. `JMEET_ERR_INVALID_ARGUMENT`: no such kind. `JMEET_ERR_STATE`: not in the room. `JMEET_ERR_BUSY`,
/// `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`. REQUEST_DONE: `JMEET_ERR_NOT_ALLOWED`: we are no moderator, or they are one
/// who cannot be muted. `JMEET_ERR_NO_SUCH_PARTICIPANT`: they left first. `JMEET_ERR_STATE`: no focus is in the room, or we are not any more.
/// `JMEET_ERR_REQUEST`: the focus refused, the condition says how. `JMEET_ERR_REQUEST_TIMEOUT`: it did not answer. `JMEET_ERR_CANCELLED`: the
/// meeting ended first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_mute(
    participant: *mut jmeet_participant,
    kind: u32,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        let (conference, key) = self::participant(participant)?;
        let kind = MuteKind::ALL.into_iter().find(|k| *k as u32 == kind);
        conference.mute(key, kind.ok_or_else(|| fault(Code::InvalidArgument, "no such kind of muting"))?, tag)
    })
}

/// Reads a MUTED_BY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_muted_by(
    event: *const jmeet_event,
    info: *mut jmeet_muted_by_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::MutedBy(m) = &e.event.kind else { return Err(wrong_event()) };
        let participant = e.participant(m.participant);
        let [endpoint_id] = e.texts.get([&m.endpoint_id]);
        fill(info, jmeet_muted_by_info { struct_size: 0, kind: m.kind as u32, participant, endpoint_id })
    })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_muted_by_info_init(info: *mut jmeet_muted_by_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_muting_has_the_value_of_its_rust_counterpart() {
        assert_eq!(jmeet_mute_kind::JMEET_MUTE_AUDIO as u32, MuteKind::Audio as u32);
        assert_eq!(jmeet_mute_kind::JMEET_MUTE_CAMERA as u32, MuteKind::Camera as u32);
        assert_eq!(jmeet_mute_kind::JMEET_MUTE_DESKTOP as u32, MuteKind::Desktop as u32);
    }
}
