//! `jmeet_event`: one thing that happened, opaque; what it carries is in `event_info.rs`, one accessor per type.

use super::args::{Texts, fill, writable};
use super::client::{Client, jmeet_client};
use super::conference::jmeet_conference;
use super::entry::entry;
use super::error::{info, jmeet_error_info, no_error};
use super::handle::{Held, Object as _, Own, Table, pointer};
use super::status::{jmeet_event_kind, jmeet_status};
use crate::client::QueuedEvent;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::{Event, EventKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Something that happened to a client. Everything that an event says, strings included, lives until it is freed.
///
/// Any thread may use it. Order, per client: a participant before its tracks, a track removed before its participant leaves, a
/// request done after the state that it caused, CLOSED once and last. Getters of other objects may be ahead of the queue.
///
/// Functions: `jmeet_event_type`, `_client`, `_conference`, `_user_value`, `_tag`, `_status`, `_error`, `_retain`, `_free`, and for what it
/// carries one per type, named in `jmeet_event_kind`.
pub struct jmeet_event {
    _opaque: [u8; 0],
}

/// References, in one number: the program's, and above them one bit for an event that a callback is looking at.
const LENT: u32 = 1 << 31;

pub(super) struct Delivered {
    pub client: Arc<Client>,
    pub event: Box<Event>,
    pub texts: Texts,
    references: AtomicU32,
}

impl Delivered {
    /// Events are never shared, only looked at under their handle: they live in its slot.
    fn table() -> &'static Table<Delivered, Own<Delivered>> {
        static TABLE: Table<Delivered, Own<Delivered>> = Table::wrapping(3);
        &TABLE
    }

    fn with(queued: QueuedEvent, references: u32) -> Result<*mut jmeet_event, Error> {
        // The driver knows a client of C by its handle.
        let client = Client::table().get(queued.user_value as usize)?;
        let (event, texts, references) = (queued.event, Texts::default(), AtomicU32::new(references));
        let handle = Delivered::table().insert(Own(Delivered { client, event, texts, references }))?;
        Ok(std::ptr::without_provenance_mut(handle))
    }

    /// An event of the program's own.
    pub fn hand_over(queued: QueuedEvent) -> Result<*mut jmeet_event, Error> {
        Delivered::with(queued, 1)
    }

    /// An event for the time of a callback.
    pub fn lend(queued: QueuedEvent) -> Result<*mut jmeet_event, Error> {
        Delivered::with(queued, LENT)
    }

    /// The callback has returned.
    pub fn take_back(handle: *mut jmeet_event) {
        // Gone already if the program freed more than it had.
        let _ = end(handle, |n| Ok(n & !LENT));
    }

    /// The error that it carries, if it is of a type that can.
    fn error(&self) -> Option<&Error> {
        match &self.event.kind {
            EventKind::RequestDone(e) | EventKind::Closed(e) => e.as_ref(),
            _ => None,
        }
    }
}

/// Checks a handle of an event that C gave us.
fn hold(event: *const jmeet_event) -> Result<Held<Delivered>, Error> {
    if event.is_null() {
        return Err(super::args::null());
    }
    Delivered::table().hold(event.addr())
}

/// Gives references back, and ends the event with the last.
fn end(handle: *mut jmeet_event, rest: impl FnOnce(u32) -> Result<u32, Error>) -> Result<(), Error> {
    if handle.is_null() {
        return Err(super::args::null());
    }
    let ended = Delivered::table().remove_if(handle.addr(), |e| {
        // Nobody else looks at it: `remove_if`.
        let rest = rest(e.references.load(Ordering::Acquire))?;
        e.references.store(rest, Ordering::Release);
        Ok(rest == 0)
    })?;
    if let Some(e) = ended {
        // The removal of an object ends its handle with it (design §5.1).
        match &e.event.kind {
            EventKind::ParticipantLeft(l) => e.client.release_participant(l.participant.key),
            EventKind::TrackRemoved(t) => e.client.release_track(t.key),
            _ => {}
        }
    }
    Ok(())
}

fn kind(event: &Event) -> jmeet_event_kind {
    use jmeet_event_kind::*;
    match &event.kind {
        EventKind::RequestDone(_) => JMEET_EVENT_REQUEST_DONE,
        EventKind::State(_) => JMEET_EVENT_STATE,
        EventKind::Joined(_) => JMEET_EVENT_JOINED,
        EventKind::ParticipantJoined(_) => JMEET_EVENT_PARTICIPANT_JOINED,
        EventKind::ParticipantUpdated(..) => JMEET_EVENT_PARTICIPANT_UPDATED,
        EventKind::ParticipantLeft(_) => JMEET_EVENT_PARTICIPANT_LEFT,
        EventKind::Role(_) => JMEET_EVENT_ROLE,
        EventKind::Message(_) => JMEET_EVENT_MESSAGE,
        EventKind::Subject(_) => JMEET_EVENT_SUBJECT,
        EventKind::TrackAdded(_) => JMEET_EVENT_TRACK_ADDED,
        EventKind::TrackUpdated(_) => JMEET_EVENT_TRACK_UPDATED,
        EventKind::TrackRemoved(_) => JMEET_EVENT_TRACK_REMOVED,
        EventKind::Focus(_) => JMEET_EVENT_FOCUS,
        EventKind::Media(..) => JMEET_EVENT_MEDIA,
        EventKind::BridgeOffered => JMEET_EVENT_BRIDGE_OFFERED,
        EventKind::BridgeChannel(_) => JMEET_EVENT_BRIDGE_CHANNEL,
        EventKind::Speaker(_) => JMEET_EVENT_SPEAKER,
        EventKind::EndpointMessage(_) => JMEET_EVENT_ENDPOINT_MESSAGE,
        EventKind::Tone(_) => JMEET_EVENT_TONE,
        EventKind::TrackForwarded { .. } => JMEET_EVENT_TRACK_FORWARDED,
        EventKind::SourcesRefused(_) => JMEET_EVENT_SOURCES_REFUSED,
        EventKind::ParticipantStats(_) => JMEET_EVENT_PARTICIPANT_STATS,
        EventKind::LocalStats(_) => JMEET_EVENT_LOCAL_STATS,
        EventKind::StartMuted { .. } => JMEET_EVENT_START_MUTED,
        EventKind::RestartRefused { .. } => JMEET_EVENT_RESTART_REFUSED,
        EventKind::TrackStreaming { .. } => JMEET_EVENT_TRACK_STREAMING,
        EventKind::Connectivity(_) => JMEET_EVENT_CONNECTIVITY,
        EventKind::RoundTrip(_) => JMEET_EVENT_ROUND_TRIP,
        EventKind::Downlink { .. } => JMEET_EVENT_DOWNLINK,
        EventKind::BridgeAvailable(_) => JMEET_EVENT_BRIDGE,
        EventKind::KeyFrameWanted { .. } => JMEET_EVENT_KEY_FRAME_WANTED,
        EventKind::TargetBitrate { .. } => JMEET_EVENT_TARGET_BITRATE,
        EventKind::CodecWanted { .. } => JMEET_EVENT_CODEC_WANTED,
        EventKind::Bandwidth { .. } => JMEET_EVENT_BANDWIDTH,
        EventKind::Timeline(..) => JMEET_EVENT_TIMELINE,
        EventKind::Overrun { .. } => JMEET_EVENT_OVERRUN,
        EventKind::Closed(_) => JMEET_EVENT_CLOSED,
    }
}

/// Its `jmeet_event_kind`; `JMEET_EVENT_NONE` if `event` is none. Skip what you do not know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_type(event: *const jmeet_event) -> u32 {
    entry!(or jmeet_event_kind::JMEET_EVENT_NONE as u32; { Ok(kind(&hold(event)?.event) as u32) })
}

/// Whose event it is; NULL if `event` is none. Not the caller's to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_client(event: *const jmeet_event) -> *mut jmeet_client {
    entry!(or std::ptr::null_mut(); { Ok(pointer::<Client>(hold(event)?.client.handle())) })
}

/// The room that it is about, as `jmeet_client_join` gave it; NULL if it is about none. Not the caller's to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_conference(event: *const jmeet_event) -> *mut jmeet_conference {
    entry!(or std::ptr::null_mut(); {
        let e = hold(event)?;
        Ok(if e.event.conference.is_some() { e.client.room() } else { std::ptr::null_mut() })
    })
}

/// The `user_value` that its client was made with; 0 if `event` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_user_value(event: *const jmeet_event) -> u64 {
    entry!(or 0; { Ok(hold(event)?.client.user_value()) })
}

/// The tag of the call that a REQUEST_DONE completes; 0 for every other event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_tag(event: *const jmeet_event) -> u64 {
    entry!(or 0; { Ok(hold(event)?.event.tag) })
}

/// What a REQUEST_DONE or CLOSED came to; `JMEET_OK` for every other event. `JMEET_ERR_NULL` or `JMEET_ERR_INVALID_HANDLE` if `event`
/// is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_status(event: *const jmeet_event) -> jmeet_status {
    entry!({ hold(event)?.error().map_or(Ok(()), |e| Err(e.clone())) })
}

/// The same with stage, condition and text. All zero and empty when nothing failed.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_error(event: *const jmeet_event, info: *mut jmeet_error_info) -> jmeet_status {
    entry!({
        writable(info)?;
        let e = hold(event)?;
        fill(info, e.error().map_or_else(no_error, |error| self::info(error, &e.texts)))
    })
}

/// Keeps an event: it needs one more `jmeet_event_free`. In a callback the way to keep the event after returning.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_retain(event: *mut jmeet_event) -> jmeet_status {
    entry!({
        hold(event)?.references.fetch_add(1, Ordering::AcqRel);
        Ok(())
    })
}

/// Frees an event, once for `jmeet_queue_next` and once for each `jmeet_event_retain`; with the last, its strings end. NULL is
/// fine.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`: freed already. `JMEET_ERR_STATE`: a callback's event that was not retained; it stays good
/// until the callback returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_free(event: *mut jmeet_event) -> jmeet_status {
    entry!({
        if event.is_null() {
            return Ok(());
        }
        end(event, |n| {
            let owned = n & !LENT > 0;
            owned
                .then(|| n - 1)
                .ok_or_else(|| Error::new(Code::State, Stage::None, "the event belongs to the callback"))
        })
    })
}

/// Where an accessor of one type writes: the event and a checked info struct.
pub(super) unsafe fn asked<T: super::args::Struct>(
    event: *const jmeet_event,
    info: *mut T,
) -> Result<Held<Delivered>, Error> {
    // SAFETY: the caller's promise about `info`.
    unsafe { writable(info)? };
    hold(event)
}

/// The answer to a question about another type of event.
pub(super) fn wrong_event() -> Error {
    Error::new(Code::WrongEvent, Stage::None, String::new())
}
