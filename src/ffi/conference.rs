//! `jmeet_conference`: a room, who is in it, and what one can do there.

use super::args::{Kept, jmeet_str, options, options_or_default, out, required, text};
use super::client::Client;
use super::entry::{about, entry};
use super::error::jmeet_error;
use super::handle::{Object, Table, get, make};
use super::participant::{People, jmeet_participant, jmeet_participant_list};
use super::reader::{Reading, jmeet_reader, jmeet_reader_options};
use super::status::jmeet_status;
use super::track::{Sources, jmeet_track, jmeet_track_list, jmeet_track_options, no_such_track};
use crate::client as rust;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::{ParticipantKey, TrackKey};
use std::ffi::c_char;
use std::sync::Arc;

/// A room: the main room of a client. Borrowed: it ends with the client.
///
/// Functions: `jmeet_conference_send_message`, `_send_private_message`, `_set_display_name`, `_leave`, `_room_jid`, `_endpoint_id`,
/// `_list_participants`, `_find_participant`, `_find_participant_by_key`, `_list_tracks`, `_find_track`, `_find_track_by_key`, `_send_track`,
/// `_reader_new`, `_set_receive`, `_send_endpoint_message`, `_get_speaking`, `_list_speakers`, `_stats_new`.
pub struct jmeet_conference {
    _opaque: [u8; 0],
}

pub(super) struct Room {
    pub client: Arc<Client>,
    kept: Kept,
}

impl Object for Room {
    type Handle = jmeet_conference;

    fn table() -> &'static Table<Room> {
        static TABLE: Table<Room> = Table::new(5);
        &TABLE
    }
}

impl Room {
    pub fn new(client: Arc<Client>) -> Room {
        Room { client, kept: Kept::default() }
    }
}

/// A room handle of C, with the Rust object behind it.
pub(super) fn room(handle: *const jmeet_conference) -> Result<(Arc<Room>, rust::Conference), Error> {
    let r = get::<Room>(handle)?;
    about(r.client.handle());
    let conference = r.client.conference()?;
    Ok((r, conference))
}

/// Longest text of a chat message, in bytes.
pub const JMEET_MAX_MESSAGE_BYTES: u32 = 65536;
const _: () = assert!(JMEET_MAX_MESSAGE_BYTES as usize == rust::MAX_MESSAGE_BYTES);

/// Says something to everybody. Returns at once; with a `tag` a REQUEST_DONE comes when the room has taken it, or why not. Our own
/// words are no MESSAGE event. Any thread.
///
/// Errors: `JMEET_ERR_STATE`: not in the room. `JMEET_ERR_TOO_LARGE` (`JMEET_MAX_MESSAGE_BYTES`), `JMEET_ERR_INVALID_ARGUMENT` (empty), `JMEET_ERR_INVALID_UTF8`,
/// `JMEET_ERR_BUSY` (`JMEET_MAX_REQUESTS`), `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`. A call that fails makes no event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_send_message(
    room: *mut jmeet_conference,
    text: *const c_char,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; { self::room(room)?.1.send_message(self::text(text)?, tag) })
}

/// Says something to one participant. With a `tag` a REQUEST_DONE comes when the room has passed it on, or why it did not.
///
/// Errors: as `jmeet_conference_send_message`, and `JMEET_ERR_NO_SUCH_PARTICIPANT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_send_private_message(
    room: *mut jmeet_conference,
    endpoint_id: *const c_char,
    text: *const c_char,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        self::room(room)?.1.send_private_message(self::text(endpoint_id)?, self::text(text)?, tag)
    })
}

/// Changes the name that others see; empty removes it. Returns at once; with a `tag` a REQUEST_DONE comes when it is on its way. Any thread.
///
/// Errors: `JMEET_ERR_TOO_LARGE` (512 bytes), `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_set_display_name(
    room: *mut jmeet_conference,
    name: *const c_char,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; { self::room(room)?.1.set_display_name(self::text(name)?, tag) })
}

/// Leaves the room and closes the connection. Returns at once; with a `tag` a REQUEST_DONE comes when we have left, and CLOSED follows in any
/// case. Any thread.
///
/// Errors: `JMEET_ERR_CLOSED`, `JMEET_ERR_BUSY`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_leave(
    room: *mut jmeet_conference,
    tag: u64,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; { self::room(room)?.1.leave(tag) })
}

/// The room's address. Lives as long as the room. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_room_jid(room: *const jmeet_conference, jid: *mut jmeet_str) -> jmeet_status {
    entry!({
        required(jid)?;
        let (r, conference) = self::room(room)?;
        out(jid, r.kept.keep(&conference.room_jid())?)
    })
}

/// Our own endpoint id. Lives as long as the room. Any thread; does not block.
///
/// Errors: `JMEET_ERR_STATE`: not in the room yet. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_endpoint_id(
    room: *const jmeet_conference,
    endpoint_id: *mut jmeet_str,
) -> jmeet_status {
    entry!({
        required(endpoint_id)?;
        let (r, conference) = self::room(room)?;
        let id = conference.endpoint_id().ok_or_else(|| Error::new(Code::State, Stage::None, "not in the room yet"))?;
        out(endpoint_id, r.kept.keep(&id)?)
    })
}

/// Everybody else in the room now, which may be ahead of the queue. The list is the caller's, freed with
/// `jmeet_participant_list_free`. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_list_participants(
    room: *const jmeet_conference,
    list: *mut *mut jmeet_participant_list,
) -> jmeet_status {
    entry!({
        required(list)?;
        let (r, conference) = self::room(room)?;
        out(list, make(Arc::new(People::new(r.client.clone(), conference.participants())))?)
    })
}

/// The participant with an endpoint id, which may be ahead of the queue. Borrowed. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_find_participant(
    room: *const jmeet_conference,
    endpoint_id: *const c_char,
    participant: *mut *mut jmeet_participant,
) -> jmeet_status {
    entry!({
        required(participant)?;
        let (r, conference) = self::room(room)?;
        let found = conference.participant(text(endpoint_id)?).and_then(|p| r.client.participant(p.key));
        out(participant, found.ok_or_else(|| Error::new(Code::NoSuchParticipant, Stage::None, String::new()))?)
    })
}

/// The participant with a key, as frames and infos carry it. Borrowed. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_find_participant_by_key(
    room: *const jmeet_conference,
    key: u64,
    participant: *mut *mut jmeet_participant,
) -> jmeet_status {
    entry!({
        required(participant)?;
        let found = self::room(room)?.0.client.participant(ParticipantKey(key));
        out(participant, found.ok_or_else(|| Error::new(Code::NoSuchParticipant, Stage::None, String::new()))?)
    })
}

/// All tracks now, ours included, which may be ahead of the queue. The list is the caller's, freed with `jmeet_track_list_free`. Any
/// thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_list_tracks(
    room: *const jmeet_conference,
    list: *mut *mut jmeet_track_list,
) -> jmeet_status {
    entry!({
        required(list)?;
        let (r, conference) = self::room(room)?;
        out(list, make(Arc::new(Sources::new(r.client.clone(), conference.tracks())))?)
    })
}

/// The track with a source name, which may be ahead of the queue. Borrowed. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NO_SUCH_TRACK`: there is none, or not any more. `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_find_track(
    room: *const jmeet_conference,
    source_name: *const c_char,
    track: *mut *mut jmeet_track,
) -> jmeet_status {
    entry!({
        required(track)?;
        let (r, conference) = self::room(room)?;
        let name = text(source_name)?;
        let found = conference.tracks().into_iter().find(|t| t.source_name == name);
        out(track, found.and_then(|t| r.client.track(t.key)).ok_or_else(no_such_track)?)
    })
}

/// The track with a key, as frames and infos carry it. Borrowed. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NO_SUCH_TRACK`: there is none, or not any more. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_find_track_by_key(
    room: *const jmeet_conference,
    key: u64,
    track: *mut *mut jmeet_track,
) -> jmeet_status {
    entry!({
        required(track)?;
        out(track, self::room(room)?.0.client.track(TrackKey(key)).ok_or_else(no_such_track)?)
    })
}

/// Tracks of ours at once.
pub const JMEET_MAX_LOCAL_TRACKS: u32 = 16;
const _: () = assert!(JMEET_MAX_LOCAL_TRACKS as usize == crate::meeting::MAX_LOCAL_TRACKS);

/// Adds a local track: a microphone, camera or screen that others see. Frames go through a writer made from it
/// (`jmeet_writer_new`). Allowed as soon as join was called; then it is part of the first offer. (It may answer
/// `JMEET_ERR_CLOSED` already, where the connection was refused at once: the queue has the reason.) The track is borrowed: it ends with
/// `jmeet_track_remove` or the client. With a `tag` a REQUEST_DONE comes at once when it was taken: the room is told then, or with the join where
/// that is not done. TRACK_ADDED follows when the room is told. `options` names at least `media` or `codec`. A codec that the other side does not
/// take, or that is not in `jmeet_client_options.video_codecs`, is no error: CODEC_WANTED names another one at once. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: media, codec and video type do not fit. `JMEET_ERR_NOT_BUILT`: the library has no media.
/// `JMEET_ERR_BUSY`, `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`. REQUEST_DONE:
/// `JMEET_ERR_RESOURCES`: there are `JMEET_MAX_LOCAL_TRACKS` tracks of ours. `JMEET_ERR_CLOSED`, `JMEET_ERR_CANCELLED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_send_track(
    room: *mut jmeet_conference,
    options: *const jmeet_track_options,
    tag: u64,
    track: *mut *mut jmeet_track,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(track)?;
        let o = self::options(options)?.read()?;
        let (r, conference) = self::room(room)?;
        out(track, r.client.send_track(|| conference.send_track(o, tag))?)
    })
}

/// Makes a reader of everybody but ourselves, also before we are in: one thread hears the whole room. What is read is what is asked for:
/// without readers of video the bridge sends us none (audio it sends always, and without readers it is dropped here). `options` may be NULL.
/// The reader is the caller's, freed with `jmeet_reader_free`. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: an option. `JMEET_ERR_NOT_BUILT`: the library has no media. `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_conference_reader_new(
    room: *mut jmeet_conference,
    options: *const jmeet_reader_options,
    reader: *mut *mut jmeet_reader,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(reader)?;
        let o = options_or_default(options)?.read()?;
        let (r, conference) = self::room(room)?;
        out(reader, Reading::make(&r.client, conference.reader(None, o)?)?)
    })
}
