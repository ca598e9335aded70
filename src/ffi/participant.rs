//! `jmeet_participant` and lists of them.

use super::args::{Kept, Struct, Texts, fill, init, jmeet_str, out, required, writable};
use super::client::Client;
use super::entry::{about, entry};
use super::handle::{Object, Table, get, make, take};
use super::status::jmeet_status;
use crate::client::Conference;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::{Participant, ParticipantKey};
use std::sync::Arc;

/// Somebody else in the room. Borrowed, never freed by the program: it stays the same through every change of connection, answers
/// `JMEET_ERR_GONE` once they left, and ends when the PARTICIPANT_LEFT event is freed (or the client).
///
/// Functions: `jmeet_participant_endpoint_id`, `jmeet_participant_key`, `jmeet_participant_get_status`, `jmeet_participant_get_stats`,
/// `jmeet_participant_mute`, `jmeet_participant_list_new`. From `jmeet_event_participant`, `jmeet_conference_find_participant`,
/// `jmeet_participant_list_get`.
pub struct jmeet_participant {
    _opaque: [u8; 0],
}

/// Participants as they were at one moment. Freed by the caller.
///
/// Functions: `jmeet_conference_list_participants`, `jmeet_participant_list_new`, `jmeet_participant_list_size`, `jmeet_participant_list_get`,
/// `jmeet_participant_list_free`.
pub struct jmeet_participant_list {
    _opaque: [u8; 0],
}

/// What is known of a participant. Strings live as long as the event or list that it came from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_participant_info {
    pub struct_size: u32,
    /// A `jmeet_role`.
    pub role: u32,
    /// Its handle; NULL in a list when they have left meanwhile.
    pub participant: *mut jmeet_participant,
    /// Never used again within this client.
    pub key: u64,
    /// Eight hexadecimal digits.
    pub endpoint_id: jmeet_str,
    /// May be empty.
    pub display_name: jmeet_str,
    /// The real address; empty where the room hides it.
    pub real_jid: jmeet_str,
    /// What their client says it can do: names separated by newlines.
    pub features: jmeet_str,
    /// Since when the hand is up, in milliseconds since 1970; 0: it is down.
    pub raised_hand_ms: i64,
    /// PARTICIPANT_UPDATED: which of these changed, bits `JMEET_CHANGED_…`, of every update since the last one that was taken; else 0.
    pub changed: u32,
    /// Must not be read; 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_participant_info {}

pub(super) struct Person {
    client: Arc<Client>,
    pub key: ParticipantKey,
    endpoint_id: String,
    texts: Texts,
    /// What they said of themselves, as long as the handle.
    kept: Kept,
}

impl Person {
    pub fn new(client: Arc<Client>, p: &Participant) -> Person {
        Person {
            client,
            key: p.key,
            endpoint_id: p.endpoint_id.clone(),
            texts: Texts::default(),
            kept: Kept::default(),
        }
    }

    /// A string that lives as long as the handle.
    pub fn keep(&self, s: &str) -> Result<jmeet_str, Error> {
        self.kept.keep(s)
    }

    /// The endpoint id, which lives as long as the handle.
    pub fn id(&self) -> jmeet_str {
        let [id] = self.texts.get([&self.endpoint_id]);
        id
    }
}

impl Object for Person {
    type Handle = jmeet_participant;

    fn table() -> &'static Table<Person> {
        static TABLE: Table<Person> = Table::new(6);
        &TABLE
    }
}

pub(super) struct People {
    client: Arc<Client>,
    people: Vec<(Arc<Participant>, Texts)>,
}

impl People {
    pub fn new(client: Arc<Client>, people: Vec<Arc<Participant>>) -> People {
        People { client, people: people.into_iter().map(|p| (p, Texts::default())).collect() }
    }
}

impl Object for People {
    type Handle = jmeet_participant_list;

    fn table() -> &'static Table<People> {
        static TABLE: Table<People> = Table::wrapping(12);
        &TABLE
    }
}

/// The info of a participant whose strings, and one more, `texts` keeps.
pub(super) fn info(
    p: &Participant,
    changed: u32,
    participant: *mut jmeet_participant,
    more: &str,
    texts: &Texts,
) -> (jmeet_participant_info, jmeet_str) {
    let features = p.features.join("\n");
    let [endpoint_id, display_name, real_jid, features, more] =
        texts.get([&p.endpoint_id, &p.display_name, &p.real_jid, &features, more]);
    let raised_hand_ms = match p.raised_hand.as_str() {
        "" => 0,
        // A hand that is up at an unreadable time is up.
        text => text.parse().unwrap_or(1),
    };
    let info = jmeet_participant_info {
        struct_size: 0,
        role: p.role as u32,
        participant,
        key: p.key.0,
        endpoint_id,
        display_name,
        real_jid,
        features,
        raised_hand_ms,
        changed,
        reserved: 0,
    };
    (info, more)
}

/// A participant handle of C: its room and its key.
pub(super) fn participant(handle: *const jmeet_participant) -> Result<(Conference, ParticipantKey), Error> {
    let p = get::<Person>(handle)?;
    about(p.client.handle());
    Ok((p.client.conference()?, p.key))
}

fn gone() -> Error {
    Error::new(Code::Gone, Stage::None, "the participant has left")
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_info_init(info: *mut jmeet_participant_info, size: usize) -> jmeet_status {
    entry!({ init(info, size) })
}

/// The endpoint id, which never changes. Also of one who has left. Lives as long as the handle. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_endpoint_id(
    participant: *const jmeet_participant,
    endpoint_id: *mut jmeet_str,
) -> jmeet_status {
    entry!({
        required(endpoint_id)?;
        out(endpoint_id, get::<Person>(participant)?.id())
    })
}

/// The number of a participant, never used again within its client; 0 if `participant` is none. Also of one who has left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_key(participant: *const jmeet_participant) -> u64 {
    entry!(or 0; { Ok(get::<Person>(participant)?.key.0) })
}

/// A list of this one, as it is now: what changes of a participant is read from a list, whose strings stay. Freed by the caller.
/// Any thread; does not block.
///
/// Errors: `JMEET_ERR_GONE`: they have left. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_list_new(
    participant: *const jmeet_participant,
    list: *mut *mut jmeet_participant_list,
) -> jmeet_status {
    entry!({
        required(list)?;
        let p = get::<Person>(participant)?;
        about(p.client.handle());
        let now = p.client.conference()?.participant_by_key(p.key).ok_or_else(gone)?;
        out(list, make(Arc::new(People::new(p.client.clone(), vec![now])))?)
    })
}

/// How many there are; 0 if `list` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_list_size(list: *const jmeet_participant_list) -> usize {
    entry!(or 0; { Ok(get::<People>(list)?.people.len()) })
}

/// Reads number `index` of a list, from 0. The strings live as long as the list. Any thread; does not block.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many, or struct_size. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_list_get(
    list: *const jmeet_participant_list,
    index: usize,
    info: *mut jmeet_participant_info,
) -> jmeet_status {
    entry!({
        writable(info)?;
        let l = get::<People>(list)?;
        let (p, texts) = l.people.get(index).ok_or_else(super::args::out_of_range)?;
        let handle = l.client.participant(p.key).unwrap_or(std::ptr::null_mut());
        fill(info, self::info(p, 0, handle, "", texts).0)
    })
}

/// Frees a list and its strings. NULL is fine.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_participant_list_free(list: *mut jmeet_participant_list) -> jmeet_status {
    entry!({ take::<People>(list).map(drop) })
}
