//! What the focus, or a peer, does not let us do. Strings live as long as the event.

use super::args::{Struct, fill, init, jmeet_str};
use super::entry::entry;
use super::event::{asked, jmeet_event, wrong_event};
use super::media_kinds::jmeet_source_refusal;
use super::status::jmeet_status;
use crate::meeting::event::{EventKind, SourceRefusal};

/// Of SOURCES_REFUSED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_sources_refused_info {
    pub struct_size: u32,
    /// A `jmeet_source_refusal`.
    pub why: u32,
    /// A `jmeet_media_path`: the tracks may well be sent the other way.
    pub path: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// Source names of our tracks, with a space between them (`jmeet_conference_find_track`).
    pub source_names: jmeet_str,
    /// REFUSED: the protocol's condition, such as "resource-constraint"; else empty.
    pub condition: jmeet_str,
    /// REFUSED: a sentence for people; may be empty.
    pub text: jmeet_str,
}

/// Of START_MUTED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_start_muted_info {
    pub struct_size: u32,
    /// Our microphones begin muted.
    pub audio: bool,
    /// Our cameras and screens begin muted.
    pub video: bool,
}

/// Of RESTART_REFUSED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_restart_refused_info {
    pub struct_size: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// The protocol's condition, such as "service-unavailable".
    pub condition: jmeet_str,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_sources_refused_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_start_muted_info {}
// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_restart_refused_info {}

/// Reads a SOURCES_REFUSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_sources_refused(
    event: *const jmeet_event,
    info: *mut jmeet_sources_refused_info,
) -> jmeet_status {
    entry!({
        use jmeet_source_refusal::*;
        let e = asked(event, info)?;
        let EventKind::SourcesRefused(r) = &e.event.kind else { return Err(wrong_event()) };
        let (why, condition, text) = match &r.why {
            SourceRefusal::Refused { condition, text } => (JMEET_SOURCE_REFUSAL_REFUSED, *condition, text.as_str()),
            SourceRefusal::NotAnswered => (JMEET_SOURCE_REFUSAL_NOT_ANSWERED, "", ""),
            SourceRefusal::TooManySsrcs | SourceRefusal::TooManyGroups => (JMEET_SOURCE_REFUSAL_TOO_MANY, "", ""),
            SourceRefusal::BadSsrc(_) | SourceRefusal::BadMsid => (JMEET_SOURCE_REFUSAL_CONFLICT, "", ""),
        };
        let [source_names, condition, text] = e.texts.get([r.names.join(" ").as_str(), condition, text]);
        let (why, path) = (why as u32, r.path as u32);
        fill(info, jmeet_sources_refused_info { struct_size: 0, why, path, reserved: 0, source_names, condition, text })
    })
}

/// Reads a START_MUTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_start_muted(
    event: *const jmeet_event,
    info: *mut jmeet_start_muted_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::StartMuted { audio, video } = e.event.kind else { return Err(wrong_event()) };
        fill(info, jmeet_start_muted_info { struct_size: 0, audio, video })
    })
}

/// Reads a RESTART_REFUSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_restart_refused(
    event: *const jmeet_event,
    info: *mut jmeet_restart_refused_info,
) -> jmeet_status {
    entry!({
        let e = asked(event, info)?;
        let EventKind::RestartRefused { condition } = &e.event.kind else { return Err(wrong_event()) };
        let [condition] = e.texts.get([condition]);
        fill(info, jmeet_restart_refused_info { struct_size: 0, reserved: 0, condition })
    })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_sources_refused_info_init(
    info: *mut jmeet_sources_refused_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_start_muted_info_init(info: *mut jmeet_start_muted_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_restart_refused_info_init(
    info: *mut jmeet_restart_refused_info,
    size: usize,
) -> jmeet_status {
    entry!({ init(info, size) })
}
