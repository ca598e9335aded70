//! `jmeet_client`: one participant: one connection and its main room (design §5.3).

use super::args::{Struct, fault, fill, init, optional, options, out, required, text, timeout, truth, writable};
use super::conference::{Room, jmeet_conference};
use super::entry::{about, entry};
use super::error::jmeet_error;
use super::handle::{Object, Table, get, make, pointer, take};
use super::participant::{Person, jmeet_participant};
use super::queue::{Events, jmeet_queue};
use super::reader::{Reading, jmeet_reader};
use super::room_kinds::jmeet_state;
use super::runtime::{Threads, jmeet_runtime};
use super::status::jmeet_status;
use super::track::{Source, jmeet_track};
use super::writer::{Writing, jmeet_writer};
use crate::client::{self as rust, Conference, FOR_EVER, FREE_LINGER, Queue, Writer};
use crate::error::{Code, Error, Stage};
use crate::log;
use crate::media::Codec;
use crate::meeting::ClientOptions;
use crate::meeting::event::{Event, EventKind, Participant, ParticipantKey, Track, TrackKey};
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, HashSet};
use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A participant: one connection and its main room.
///
/// Functions: `jmeet_client_new`, `jmeet_client_join`, `jmeet_client_conference`, `jmeet_client_state`, `jmeet_client_timeline`,
/// `jmeet_client_get_stats`, `jmeet_client_close`, `jmeet_client_free`.
pub struct jmeet_client {
    _opaque: [u8; 0],
}

/// Everything about a participant. `url` and `room` are enough. All strings are UTF-8, NULL or empty for the default, of 16384 bytes at most
/// where nothing else is said (`focus_users` and certificates may be longer), and copied before `jmeet_client_new` returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_client_options {
    pub struct_size: u32,
    /// Time for all of joining, retries included, in milliseconds; 0: 30 s.
    pub join_timeout_ms: u32,
    /// Whose threads drive it; NULL: threads of its own.
    pub runtime: *mut jmeet_runtime,
    /// Given back by each of its events (`jmeet_event_user_value`).
    pub user_value: u64,
    /// Required: "wss://host/xmpp-websocket", or "ws://…", over which passwords and tokens go only on this machine. "?room=" is added.
    pub url: *const c_char,
    /// Required: the room's name, without domain.
    pub room: *const c_char,
    /// XMPP domain; default: the host of `url`.
    pub domain: *const c_char,
    /// Where rooms are; default: "conference." and the domain.
    pub muc: *const c_char,
    /// Where conferences are asked for; default: "focus." and the domain.
    pub focus: *const c_char,
    /// Addresses trusted as focus from the start, separated by spaces; those that the server names are added.
    pub focus_users: *const c_char,
    /// What others see; at most 512 bytes.
    pub display_name: *const c_char,
    /// JWT.
    pub token: *const c_char,
    /// Login; default: anonymous. With `password`. Both are normalised (SASLprep, RFC 4013), so that it does not matter how an
    /// accented letter was typed; control characters and mixed writing directions are refused (`JMEET_ERR_OPTIONS`).
    pub username: *const c_char,
    /// With `username`.
    pub password: *const c_char,
    /// Password of the room.
    pub room_password: *const c_char,
    /// Our own endpoint id, eight lower-case hexadecimal digits: for tests. Default: random.
    pub nickname: *const c_char,
    /// Certificates trusted beside the system's, PEM: for the server and for the channel to the bridge.
    pub extra_ca_pem: *const c_char,
    /// Not 0: takes any certificate. Anybody on the path can then read and change everything.
    pub insecure_skip_tls_verification: u32,
    /// Not 0: sends passwords and tokens over unencrypted connections that are not loopback.
    pub insecure_allow_plaintext_secrets: u32,
    /// Not 0: no media sessions directly with another participant.
    pub disable_p2p: u32,
    /// Not 0: media over loopback addresses, for tests on one machine: without it two programs there that have no other address never connect.
    pub allow_loopback: u32,
    /// Not 0: no media sessions with the bridge: media flows only while there are two of us.
    pub disable_bridge: u32,
    /// Not 0: the bridge does not choose the SSRCs of what we receive; sources are then all signalled by the focus.
    pub disable_ssrc_rewriting: u32,
    /// Not 0: measures how far the other endpoints are, by a few messages to each through the bridge; ROUND_TRIP tells. Of two who do,
    /// the one with the greater endpoint id asks; in meetings of more than 200 nobody does.
    pub measure_round_trips: u32,
    /// Not 0: the channel to the bridge over a WebSocket also where the bridge offers a data channel.
    pub prefer_websocket: u32,
    /// Video codecs that the program can both make and show, the best first, separated by commas or spaces: "av1,vp9,vp8,h264", in any case;
    /// another name is refused (`JMEET_ERR_OPTIONS`). The others are told, and which of them each of our tracks is sent with comes as
    /// CODEC_WANTED, as people come and go, whatever the track was made with: frames of another codec answer `JMEET_ERR_CODEC`. Default: those
    /// that our tracks are made with, and VP8; each track then stays with its own unless somebody in the room lacks it.
    pub video_codecs: *const c_char,
    /// WebSocket URLs of the bridge at this host are passed over, if there are others. Default: none are.
    pub ignore_channel_domain: *const c_char,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_client_options {
    // As in the first release.
    const OLDER: &[usize] = &[std::mem::offset_of!(jmeet_client_options, disable_bridge)];
}

/// What came from the server and was passed over, over the life of a client. Numbers that grow and grow mean that the server speaks of
/// what this library does not know, or that somebody tries things; a few are from words that crossed on their way.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_client_stats {
    pub struct_size: u32,
    /// Must not be read; 0.
    pub reserved: u32,
    /// Frames that are no stanza.
    pub unknown_frames: u64,
    /// Frames past a limit of size, depth or number, dropped.
    pub oversized_frames: u64,
    /// Answers to nothing that was asked, or from another than was asked.
    pub stray_answers: u64,
    /// Stanzas of other rooms and strangers, requests that were answered with an error (also those about a media session that ended
    /// while they were on their way), and messages of the bridge that are not known.
    pub unhandled_stanzas: u64,
    /// RTP packets that came after the bridge had given their SSRC to another source, dropped: no reader gets them as the other's.
    pub late_packets: u64,
    /// RTP packets on an SSRC whose owner nobody named within 2 s, or that came while too many of them waited, dropped.
    pub unclaimed_packets: u64,
    /// Datagrams of media that were refused: STUN with a wrong user name or integrity, SRTP and SRTCP that is not authentic or came twice,
    /// what is nothing that is known here, and what came before the handshake was done.
    pub refused_datagrams: u64,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_client_stats {}

/// How long a client that was freed inside a meeting goes on saying good-bye in its runtime, at most.
pub const JMEET_FREE_LINGER_MS: u32 = 250;
/// Requests of one client that may be under way at once; past it a call answers `JMEET_ERR_BUSY`.
pub const JMEET_MAX_REQUESTS: u32 = 1024;

const _: () = assert!(JMEET_FREE_LINGER_MS as u128 == FREE_LINGER.as_millis());
const _: () = assert!(JMEET_MAX_REQUESTS as usize == rust::MAX_REQUESTS);
// As the comment of the options says.
const _: () = assert!(crate::meeting::options::MAX_OPTION_BYTES == 16384);

/// Handles of objects that end with the client.
#[derive(Default)]
struct Owned {
    writers: HashSet<usize>,
    readers: HashSet<usize>,
}

pub(super) struct Client {
    /// `None` before it is made and after it is freed.
    rust: RwLock<Option<rust::Client>>,
    queue: Queue,
    handle: OnceLock<usize>,
    /// Handle of the main room, once joined.
    room: OnceLock<usize>,
    runtime: Option<Arc<Threads>>,
    participants: Mutex<HashMap<ParticipantKey, usize>>,
    tracks: Mutex<HashMap<TrackKey, usize>>,
    owned: Mutex<Owned>,
    /// Freed: no handle is added any more.
    ended: AtomicBool,
}

impl Object for Client {
    type Handle = jmeet_client;

    fn table() -> &'static Table<Client> {
        static TABLE: Table<Client> = Table::new(4);
        &TABLE
    }
}

impl Client {
    /// A client with a handle, but without a driver yet.
    fn unmade(queue: &Queue, runtime: Option<Arc<Threads>>) -> Result<Arc<Client>, Error> {
        let c = Arc::new(Client {
            rust: RwLock::new(None),
            queue: queue.clone(),
            handle: OnceLock::new(),
            room: OnceLock::new(),
            runtime,
            participants: Mutex::default(),
            tracks: Mutex::default(),
            owned: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let handle = make(c.clone())?;
        c.handle.get_or_init(|| handle.addr());
        Ok(c)
    }

    /// For tests and benches: its events are pushed by hand.
    #[cfg(any(test, feature = "testkit"))]
    pub fn without_driver(queue: &Queue) -> usize {
        Client::unmade(queue, None).map_or(0, |c| c.handle())
    }

    pub fn handle(&self) -> usize {
        self.handle.get().copied().unwrap_or(0)
    }

    /// The room's handle, NULL before join.
    pub fn room(&self) -> *mut jmeet_conference {
        pointer::<Room>(self.room.get().copied().unwrap_or(0))
    }

    fn rust(&self) -> Result<rust::Client, Error> {
        // Freed between the look-up of the handle and now.
        self.rust.read().clone().ok_or_else(freed)
    }

    pub fn conference(&self) -> Result<Conference, Error> {
        Ok(self.rust()?.conference())
    }

    /// After a defect: CLOSED with the error, and nothing more of this client.
    pub fn fail(&self, error: Error) {
        if let Ok(c) = self.rust() {
            let kind = EventKind::Closed(Some(error.into()));
            self.queue.push(c.id(), c.user_value(), Event { tag: 0, conference: None, kind });
            // The queue drops the second CLOSED; what else fails, fails unheard.
            let _ = c.close(Duration::ZERO);
        }
    }

    /// Frees everything of it. Its own handle is gone already.
    pub fn end(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.dismiss(self.handle());
        }
        self.ended.store(true, Ordering::SeqCst);
        let rust = self.rust.write().take();
        if let Some(c) = rust {
            // Drops its undelivered events and waits for the callback that looks at one.
            c.free();
            log::write(log::Level::Info, "client", || format!("client {:x} is freed", c.id()));
        }
        // Handles that somebody else freed in between answer an error to `remove`: all the same.
        let Owned { writers, readers } = std::mem::take(&mut *self.owned.lock());
        for handle in readers {
            if let Ok(r) = Reading::table().remove(handle) {
                r.end();
            }
        }
        writers.into_iter().for_each(|h| drop(Writing::table().remove(h)));
        let tracks = std::mem::take(&mut *self.tracks.lock());
        tracks.into_values().for_each(|h| drop(Source::table().remove(h)));
        let people = std::mem::take(&mut *self.participants.lock());
        people.into_values().for_each(|h| drop(Person::table().remove(h)));
        if let Some(room) = self.room.get() {
            drop(Room::table().remove(*room));
        }
    }

    /// Whether a handle may still be added; to be asked under the lock of its list.
    fn alive(&self) -> Result<(), Error> {
        if self.ended.load(Ordering::SeqCst) { Err(freed()) } else { Ok(()) }
    }

    /// A reader's handle, ended with the client.
    pub fn own_reader(&self, reader: Arc<Reading>) -> Result<*mut jmeet_reader, Error> {
        let mut owned = self.owned.lock();
        self.alive()?;
        let handle = make(reader)?;
        owned.readers.insert(handle.addr());
        Ok(handle)
    }

    pub fn disown_reader(&self, handle: usize) {
        self.owned.lock().readers.remove(&handle);
    }

    /// A writer's handle, ended with the client.
    pub fn own_writer(&self, writer: Arc<Writing>) -> Result<*mut jmeet_writer, Error> {
        let mut owned = self.owned.lock();
        self.alive()?;
        let handle = make(writer)?;
        owned.writers.insert(handle.addr());
        Ok(handle)
    }

    pub fn disown_writer(&self, handle: usize) {
        self.owned.lock().writers.remove(&handle);
    }

    /// The handle of a participant that a getter or a message names; `None` once they have left.
    pub fn participant(self: &Arc<Self>, key: ParticipantKey) -> Option<*mut jmeet_participant> {
        if let Some(handle) = self.participants.lock().get(&key) {
            return Some(pointer::<Person>(*handle));
        }
        let c = self.rust().ok()?;
        let room = c.conference();
        let handle = self.participant_of_event(&*room.participant_by_key(key)?);
        // Getters are ahead of the queue: from now on the left event comes for certain, and ends the handle. Unless they left just
        // now, and both events cancelled each other.
        self.queue.pin_participant(c.id(), key);
        if room.participant_by_key(key).is_none() {
            self.release_participant(key);
            return None;
        }
        Some(handle)
    }

    pub fn participant_or_null(self: &Arc<Self>, key: Option<ParticipantKey>) -> *mut jmeet_participant {
        key.and_then(|key| self.participant(key)).unwrap_or(std::ptr::null_mut())
    }

    /// The handle of a participant whose lifecycle event is in the program's hands. NULL when no handle is left or the client was freed.
    pub fn participant_of_event(self: &Arc<Self>, p: &Participant) -> *mut jmeet_participant {
        let mut known = self.participants.lock();
        if let Some(handle) = known.get(&p.key) {
            return pointer::<Person>(*handle);
        }
        let made = self.alive().and_then(|()| make(Arc::new(Person::new(self.clone(), p))));
        let Ok(handle) = made else { return std::ptr::null_mut() };
        known.insert(p.key, handle.addr());
        handle
    }

    pub fn release_participant(&self, key: ParticipantKey) {
        if let Some(handle) = self.participants.lock().remove(&key) {
            // Freed with the client meanwhile: all the same.
            drop(Person::table().remove(handle));
        }
    }

    /// The handle of a track that a getter or a frame names; `None` once it is removed.
    pub fn track(self: &Arc<Self>, key: TrackKey) -> Option<*mut jmeet_track> {
        if let Some(handle) = self.tracks.lock().get(&key) {
            return Some(pointer::<Source>(*handle));
        }
        let c = self.rust().ok()?;
        let room = c.conference();
        let handle = self.track_of_event(&*room.track(key)?);
        self.queue.pin_track(c.id(), key);
        if room.track(key).is_none() {
            self.release_track(key);
            return None;
        }
        Some(handle)
    }

    pub fn track_or_null(self: &Arc<Self>, key: TrackKey) -> *mut jmeet_track {
        self.track(key).unwrap_or(std::ptr::null_mut())
    }

    /// The handle of a track whose lifecycle event is in the program's hands. NULL when no handle is left or the client was freed.
    pub fn track_of_event(self: &Arc<Self>, t: &Track) -> *mut jmeet_track {
        let mut known = self.tracks.lock();
        if let Some(handle) = known.get(&t.key) {
            return pointer::<Source>(*handle);
        }
        self.add_track(&mut known, || Ok(Source::remote(self.clone(), t.key))).unwrap_or(std::ptr::null_mut())
    }

    /// The handle of a track of ours that `send` adds. The handles are held meanwhile: another thread may take its TRACK_ADDED at once, and would
    /// make one without the writer, whose end is the end of the track.
    pub fn send_track(
        self: &Arc<Self>,
        send: impl FnOnce() -> Result<Writer, Error>,
    ) -> Result<*mut jmeet_track, Error> {
        let mut key = TrackKey(0);
        let handle = self.add_track(&mut self.tracks.lock(), || {
            let writer = send()?;
            key = writer.track();
            Ok(Source::local(self.clone(), writer))
        })?;
        // The removal of a track that the program made must be told.
        if let Ok(c) = self.rust() {
            self.queue.pin_track(c.id(), key);
        }
        Ok(handle)
    }

    #[cfg(test)]
    pub fn holds_tracks(&self) -> bool {
        self.tracks.is_locked()
    }

    fn add_track(
        &self,
        known: &mut HashMap<TrackKey, usize>,
        source: impl FnOnce() -> Result<Source, Error>,
    ) -> Result<*mut jmeet_track, Error> {
        self.alive()?;
        let source = source()?;
        let key = source.key;
        let handle = make(Arc::new(source))?;
        known.insert(key, handle.addr());
        Ok(handle)
    }

    pub fn release_track(&self, key: TrackKey) {
        if let Some(handle) = self.tracks.lock().remove(&key) {
            // Freed with the client meanwhile: all the same.
            drop(Source::table().remove(handle));
        }
    }
}

fn freed() -> Error {
    fault(Code::InvalidHandle, "the client was freed")
}

/// A client handle of C; a panic from here on closes this client.
pub(super) fn client(handle: *const jmeet_client) -> Result<Arc<Client>, Error> {
    let c = get::<Client>(handle)?;
    about(handle.addr());
    Ok(c)
}

unsafe fn read_options(o: &jmeet_client_options) -> Result<ClientOptions, Error> {
    // SAFETY: each is NULL or NUL-terminated by the header's words.
    unsafe {
        Ok(ClientOptions {
            url: text(o.url)?.into(),
            room: text(o.room)?.into(),
            domain: optional(o.domain)?,
            muc: optional(o.muc)?,
            focus: optional(o.focus)?,
            focus_users: optional(o.focus_users)?.split_whitespace().map(str::to_owned).collect(),
            display_name: optional(o.display_name)?,
            token: optional(o.token)?,
            username: optional(o.username)?,
            password: optional(o.password)?,
            room_password: optional(o.room_password)?,
            nickname: optional(o.nickname)?,
            join_timeout: Duration::from_millis(o.join_timeout_ms.into()),
            extra_ca_pem: optional(o.extra_ca_pem)?.into_bytes(),
            insecure_skip_tls_verification: truth(o.insecure_skip_tls_verification),
            insecure_allow_plaintext_secrets: truth(o.insecure_allow_plaintext_secrets),
            disable_p2p: truth(o.disable_p2p),
            disable_bridge: truth(o.disable_bridge),
            disable_ssrc_rewriting: truth(o.disable_ssrc_rewriting),
            prefer_websocket: truth(o.prefer_websocket),
            ignore_channel_domain: optional(o.ignore_channel_domain)?,
            measure_round_trips: truth(o.measure_round_trips),
            video_codecs: codecs(&optional(o.video_codecs)?)?,
            allow_loopback: truth(o.allow_loopback),
            user_value: o.user_value,
        })
    }
}

/// A list of codecs by their names in presence.
fn codecs(list: &str) -> Result<Vec<Codec>, Error> {
    let unknown = |name: &str| {
        let text = format!("video_codecs: {name:.16} is none that this library knows");
        Error::new(Code::Options, Stage::None, text)
    };
    let names = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|n| !n.is_empty());
    names.map(|n| Codec::from_rtp_name(n).ok_or_else(|| unknown(n))).collect()
}

fn new(queue: &Events, o: ClientOptions, threads: Option<Arc<Threads>>) -> Result<*mut jmeet_client, Error> {
    let c = Client::unmade(queue.queue(), threads.clone())?;
    let handle = pointer::<Client>(c.handle());
    // The driver gives this with every event: from it the event finds its client.
    let id = handle.addr() as u64;
    match rust::Client::with_id(threads.as_ref().map(|t| t.runtime()), queue.queue(), o, id) {
        Ok(made) => {
            log::write(log::Level::Info, "client", || format!("client {id:x} is made"));
            *c.rust.write() = Some(made);
            if let Some(t) = threads {
                t.adopt(handle.addr());
            }
            Ok(handle)
        }
        Err(e) => {
            drop(Client::table().remove(handle.addr()));
            Err(e)
        }
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_options_init(options: *mut jmeet_client_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Makes a client whose events go to `queue`. No network yet; without `options.runtime` it starts threads. It is a child of its
/// runtime, and the queue cannot be freed before it. Any thread; does not block.
///
/// Errors: `JMEET_ERR_OPTIONS`, `JMEET_ERR_TOO_LARGE` (the error's text says which), `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_NULL` (also for
/// `url` and `room`), `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_UNSUPPORTED`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_new(
    queue: *mut jmeet_queue,
    options: *const jmeet_client_options,
    client: *mut *mut jmeet_client,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(client)?;
        let o = self::options(options)?;
        let queue = get::<Events>(queue)?;
        let threads = if o.runtime.is_null() { None } else { Some(get::<Threads>(o.runtime)?) };
        out(client, new(&queue, read_options(&o)?, threads)?)
    })
}

/// Connects and joins the room. Returns at once; a REQUEST_DONE with `tag` (if it is not 0) says that we are in, or the one reason
/// why not. When it fails CLOSED follows. `room` receives the main room, which is borrowed: it ends with the client. Any thread.
///
/// Errors: `JMEET_ERR_STATE`: a client joins once. `JMEET_ERR_CLOSED`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_join(
    client: *mut jmeet_client,
    tag: u64,
    room: *mut *mut jmeet_conference,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(room)?;
        let c = self::client(client)?;
        let rust = c.rust()?;
        // The handle exists before any event can name it.
        if c.room.get().is_none() {
            let made = make(Arc::new(Room::new(c.clone())))?;
            if c.room.set(made.addr()).is_err() {
                drop(Room::table().remove(made.addr()));
            }
        }
        rust.join(tag)?;
        if c.ended.load(Ordering::SeqCst) {
            // Freed by another thread meanwhile, perhaps before the room's handle was there to be ended.
            drop(Room::table().remove(c.room().addr()));
            return Err(freed());
        }
        out(room, c.room())
    })
}

/// The main room again, as `jmeet_client_join` gave it. Any thread; does not block.
///
/// Errors: `JMEET_ERR_STATE`: not joined yet. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_conference(
    client: *const jmeet_client,
    room: *mut *mut jmeet_conference,
) -> jmeet_status {
    entry!({
        required(room)?;
        let handle = self::client(client)?.room();
        if handle.is_null() {
            return Err(Error::new(Code::State, Stage::None, "not joined yet"));
        }
        out(room, handle)
    })
}

/// Its `jmeet_state`, which may be ahead of the queue; `JMEET_STATE_UNSPECIFIED` if `client` is none. Any thread; does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_state(client: *const jmeet_client) -> u32 {
    entry!(or jmeet_state::JMEET_STATE_UNSPECIFIED as u32; { Ok(self::client(client)?.rust()?.state() as u32) })
}

/// When a `jmeet_timeline_stage` was reached, on the clock of `jmeet_now_us`; 0: not yet. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_timeline(
    client: *const jmeet_client,
    stage: u32,
    time_us: *mut u64,
) -> jmeet_status {
    entry!({
        required(time_us)?;
        let reached = self::client(client)?.rust()?.timeline();
        out(time_us, reached.iter().find(|(s, _)| *s as u32 == stage).map_or(0, |(_, at)| *at))
    })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_stats_init(stats: *mut jmeet_client_stats, size: usize) -> jmeet_status {
    entry!({ init(stats, size) })
}

/// Counters so far; they stay when it has closed. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_INVALID_ARGUMENT` (struct_size).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_get_stats(
    client: *const jmeet_client,
    stats: *mut jmeet_client_stats,
) -> jmeet_status {
    entry!({
        writable(stats)?;
        let s = self::client(client)?.rust()?.ignored();
        fill(
            stats,
            jmeet_client_stats {
                struct_size: 0,
                reserved: 0,
                unknown_frames: s.unknown_frames,
                oversized_frames: s.oversized_frames,
                stray_answers: s.stray_answers,
                unhandled_stanzas: s.unhandled_stanzas,
                late_packets: s.late_packets,
                unclaimed_packets: s.unclaimed_packets,
                refused_datagrams: s.refused_datagrams,
            },
        )
    })
}

/// Leaves the room, closes the connection and waits at most `timeout_ms` until CLOSED is in the queue: 0: not at all, OK then says that it
/// has begun; `JMEET_FOREVER`: as long as it takes, which is some seconds where the server does not answer. Either way CLOSED is delivered,
/// once. Closing again is fine. Blocks up to the timeout; any thread, also inside a callback.
///
/// Errors: `JMEET_ERR_TIMEOUT`: it goes on closing and CLOSED follows. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_close(client: *mut jmeet_client, timeout_ms: i32) -> jmeet_status {
    entry!({ self::client(client)?.rust()?.close(timeout(timeout_ms).unwrap_or(FOR_EVER)) })
}

/// Frees a client with its room, participants, tracks, writers and readers; their handles are invalid from now on, and a reader
/// that blocks wakes with `JMEET_ERR_CLOSED`. Its undelivered events are dropped, those in the program's hands stay good. Inside a
/// meeting it says good-bye without waiting: nobody sees a ghost of it. NULL is fine.
///
/// When this returns no callback with an event of this client runs or will run, but the one that this was called from. Blocks
/// while such a callback runs on another thread: never call it while holding a lock that your callback takes. Any thread.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_client_free(client: *mut jmeet_client) -> jmeet_status {
    entry!({
        if let Some(c) = take::<Client>(client)? {
            c.end();
        }
        Ok(())
    })
}
