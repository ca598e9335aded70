//! `jmeet_event`: one thing that happened, opaque; what it carries is in `event_info.rs`, one accessor per type.

use super::args::{Texts, fill, required, writable};
use super::client::{Client, jmeet_client};
use super::conference::jmeet_conference;
use super::entry::entry;
use super::error::{info, jmeet_error_info, no_error};
use super::event_kind::jmeet_event_kind;
use super::handle::{Held, NO_SLOT, Own, Table, get, pointer};
use super::participant::jmeet_participant;
use super::slot::{Mark, Owner};
use super::status::jmeet_status;
use super::track::jmeet_track;
use crate::client::QueuedEvent;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::{Event, EventKind, ParticipantKey, TrackKey};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::Arc;

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

/// A free slot of the table of events: the thread that takes events and frees them needs no more, and no lock.
struct Spare(Cell<u32>);

impl Drop for Spare {
    fn drop(&mut self) {
        if self.0.get() != NO_SLOT {
            Delivered::table().recycle(self.0.get());
        }
    }
}

thread_local! {
    static SPARE: Spare = const { Spare(Cell::new(NO_SLOT)) };
}

pub(super) struct Delivered {
    /// Handle of its client, which may be freed before it: looked up where an accessor needs it, so that an event costs no share.
    client: usize,
    user_value: u64,
    pub event: Event,
    pub texts: Texts,
}

impl Delivered {
    /// Events are never shared, only looked at under their handle: they live in its slot. Its mark is their type, and the number that some
    /// of them are.
    fn table() -> &'static Table<Delivered, Own<Delivered>> {
        static TABLE: Table<Delivered, Own<Delivered>> =
            Table::with_spare(3, |slot| SPARE.try_with(|s| s.0.replace(slot)).unwrap_or(slot));
        &TABLE
    }

    fn with(queued: QueuedEvent, owner: Owner) -> Result<*mut jmeet_event, Error> {
        let QueuedEvent { client, user_value, event } = queued;
        let mark = Mark { kind: kind(&event) as u32, number: number(&event) };
        // The driver knows a client of C by its handle.
        let delivered = Delivered { client: client as usize, user_value, event, texts: Texts::default() };
        let handle = Delivered::table().insert_for(owner, Own(delivered), mark)?;
        Ok(std::ptr::without_provenance_mut(handle))
    }

    /// An event of the program's own.
    pub fn hand_over(queued: QueuedEvent) -> Result<*mut jmeet_event, Error> {
        Delivered::with(queued, Owner::Program)
    }

    /// An event for the time of a callback.
    pub fn lend(queued: QueuedEvent) -> Result<*mut jmeet_event, Error> {
        Delivered::with(queued, Owner::Callback)
    }

    /// The callback has returned.
    pub fn take_back(handle: *mut jmeet_event) {
        // It was lent until now, whatever the program freed.
        let _ = Delivered::table().release(handle.addr(), Owner::Callback);
    }

    /// Its client, unless that was freed.
    pub fn client(&self) -> Option<Arc<Client>> {
        get::<Client>(pointer::<Client>(self.client)).ok()
    }

    /// The handle of a participant that it names; NULL for nobody, once they have left, and when the client was freed.
    pub fn participant(&self, key: Option<ParticipantKey>) -> *mut jmeet_participant {
        // Most events name nobody: they need no look-up.
        key.and_then(|_| self.client()).map_or(null_mut(), |c| c.participant_or_null(key))
    }

    /// The handle of a track that it names; NULL once it is removed or the client was freed.
    pub fn track(&self, key: TrackKey) -> *mut jmeet_track {
        self.client().map_or(null_mut(), |c| c.track_or_null(key))
    }

    /// The error that it carries, if it is of a type that can.
    fn error(&self) -> Option<&Error> {
        match &self.event.kind {
            EventKind::RequestDone(e) | EventKind::Closed(e) => e.as_deref(),
            _ => None,
        }
    }
}

impl Drop for Delivered {
    /// The removal of an object ends its handle with it (design §5.1).
    fn drop(&mut self) {
        match &self.event.kind {
            EventKind::ParticipantLeft(l) => {
                self.client().into_iter().for_each(|c| c.release_participant(l.participant.key))
            }
            EventKind::TrackRemoved(t) => self.client().into_iter().for_each(|c| c.release_track(t.key)),
            _ => {}
        }
    }
}

/// Checks a handle of an event that C gave us.
fn hold(event: *const jmeet_event) -> Result<Held<'static, Delivered, Own<Delivered>>, Error> {
    if event.is_null() {
        return Err(super::args::null());
    }
    Delivered::table().hold(event.addr())
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
        EventKind::MutedBy(_) => JMEET_EVENT_MUTED_BY,
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

/// Of the events that are no more than a number, that.
fn number(event: &Event) -> u64 {
    match &event.kind {
        EventKind::State(state) => *state as u64,
        EventKind::Role(role) => *role as u64,
        EventKind::Focus(yes) | EventKind::BridgeAvailable(yes) => u64::from(*yes),
        EventKind::BridgeChannel(state) => *state as u64,
        EventKind::Bandwidth { bits_per_second } | EventKind::Downlink { bits_per_second } => *bits_per_second,
        EventKind::Overrun { dropped } => *dropped,
        _ => 0,
    }
}

/// Its `jmeet_event_kind`; `JMEET_EVENT_NONE` if `event` is none. Skip what you do not know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_type(event: *const jmeet_event) -> u32 {
    entry!(or jmeet_event_kind::JMEET_EVENT_NONE as u32; { Ok(Delivered::table().mark(event.addr())?.kind) })
}

/// Whose event it is; NULL if `event` is none. Not the caller's to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_client(event: *const jmeet_event) -> *mut jmeet_client {
    entry!(or null_mut(); { Ok(pointer::<Client>(hold(event)?.client)) })
}

/// The room that it is about, as `jmeet_client_join` gave it; NULL if it is about none, or once the client is freed. Not the caller's to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_conference(event: *const jmeet_event) -> *mut jmeet_conference {
    entry!(or null_mut(); {
        let e = hold(event)?;
        let about = e.event.conference.and_then(|_| e.client());
        Ok(about.map_or(null_mut(), |c| c.room()))
    })
}

/// The `user_value` that its client was made with; 0 if `event` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_user_value(event: *const jmeet_event) -> u64 {
    entry!(or 0; { Ok(hold(event)?.user_value) })
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
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`: more than half a million references to one event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_event_retain(event: *mut jmeet_event) -> jmeet_status {
    entry!({
        required(event)?;
        Delivered::table().retain(event.addr())
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
        Delivered::table().release(event.addr(), Owner::Program)
    })
}

/// Where an accessor of one type writes: the event and a checked info struct.
pub(super) unsafe fn asked<T: super::args::Struct>(
    event: *const jmeet_event,
    info: *mut T,
) -> Result<Held<'static, Delivered, Own<Delivered>>, Error> {
    // SAFETY: the caller's promise about `info`.
    unsafe { writable(info)? };
    hold(event)
}

/// The same for an event of this type that is no more than a number: nobody holds it for that.
pub(super) unsafe fn asked_number<T: super::args::Struct>(
    event: *const jmeet_event,
    info: *mut T,
    kind: jmeet_event_kind,
) -> Result<u64, Error> {
    // SAFETY: the caller's promise about `info`.
    unsafe { writable(info)? };
    required(event)?;
    let mark = Delivered::table().mark(event.addr())?;
    if mark.kind == kind as u32 { Ok(mark.number) } else { Err(wrong_event()) }
}

/// The answer to a question about another type of event.
#[cold]
pub(super) fn wrong_event() -> Error {
    Error::new(Code::WrongEvent, Stage::None, String::new())
}
