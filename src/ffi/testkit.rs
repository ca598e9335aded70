//! `jmeet_testkit`: a Jitsi deployment in a test tube for C programs (feature `testkit`). Declared in `include/jmeet_testkit.h`,
//! absent from the library that is shipped.

use super::args::{
    Kept, Struct, fault, init, jmeet_str, optional, options, options_or_default, out, out_of_range, required, text,
    timeout, truth,
};
use super::entry::entry;
use super::error::jmeet_error;
use super::handle::{Object, Table, get, make, take};
use super::status::jmeet_status;
use crate::client::FOR_EVER;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::BridgeChannel;
use crate::testkit::{
    BridgeConfig, Deployment, Faults, JoinRefusal, LinkOptions, Refusal, ServerOptions, SessionOptions, User,
};
use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

/// What shares of packets are counted in.
const PERMILLE: u32 = 1000;

/// A Jitsi deployment in a test tube: XMPP server over WebSocket on a free port of 127.0.0.1, rooms and focus, a videobridge where
/// the options ask for one, with faults by order. Clients need `allow_loopback` for media.
///
/// Functions: `jmeet_testkit_new`, `_free`, `_url`, `_domain`, `_count_endpoints`, `_endpoint`, `_wait_for_endpoints`, `_cut`, `_silence`,
/// `_inject`, `_send_as`, `_end_stream`, `_refuse_login`, `_refuse_join`, `_clear_faults`, `_focus_not_ready`, `_refuse_conference`,
/// `_focus_leaves`, `_stop_focus`, `_start_focus`, `_destroy_room`, `_set_media_link`, `_media_counts`,
/// `_start_bridge`, `_kill_bridge`, `_count_bridge_endpoints`.
pub struct jmeet_testkit {
    _opaque: [u8; 0],
}

/// How a deployment is set up.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_testkit_options {
    pub struct_size: u32,
    /// Not 0: the server offers no stream management (XEP-0198). Either way a lost connection ends the meeting.
    pub no_stream_management: u32,
    /// XMPP domain; NULL: "meet.localhost".
    pub domain: *const c_char,
    /// The one user that may log in, part before the `@`; NULL: login is anonymous.
    pub user: *const c_char,
    /// The user's password.
    pub password: *const c_char,
    /// Occupants of a room at most, the focus counted; 0: 512.
    pub max_occupants: u32,
    /// A videobridge on free ports of 127.0.0.1, over which everybody in a room gets a session as soon as so many are there, 2 as
    /// with Jicofo or more; 0: no bridge, two participants talk peer to peer. Whether two talk peer to peer beside the bridge is the
    /// clients' choice (`disable_p2p`).
    pub bridge_participants: u32,
    /// How clients reach the bridge's messages: `JMEET_BRIDGE_CHANNEL_DATA_CHANNEL` or `JMEET_BRIDGE_CHANNEL_WEBSOCKET`; 0: both are
    /// offered.
    pub bridge_channel: u32,
    /// Not 0: the SSRCs of senders are signalled to everybody, even to clients that would let the bridge choose.
    pub no_ssrc_rewriting: u32,
    /// Not 0: sources are signalled as XML, even to clients that read JSON.
    pub no_json_sources: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_testkit_options {}

/// A bad link, the same in both directions.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_testkit_link {
    pub struct_size: u32,
    /// Every packet takes this long, in milliseconds.
    pub delay_ms: u32,
    /// And up to this much longer, evenly spread: packets overtake each other.
    pub jitter_ms: u32,
    /// Of a thousand packets so many are lost, 0 to 1000.
    pub loss_permille: u32,
    /// Of a thousand packets so many come twice, 0 to 1000.
    pub duplicate_permille: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_testkit_link {}

pub(super) struct Kit {
    deployment: Deployment,
    /// How its bridge is made; `None`: it has none.
    bridge: Option<BridgeConfig>,
    kept: Kept,
}

impl Object for Kit {
    type Handle = jmeet_testkit;

    fn table() -> &'static Table<Kit> {
        static TABLE: Table<Kit> = Table::new(14);
        &TABLE
    }
}

/// The bridge that the options ask for.
fn bridge_of(o: &jmeet_testkit_options) -> Result<Option<(SessionOptions, BridgeConfig)>, Error> {
    let (sctp, websocket) = match o.bridge_channel {
        0 => (true, true),
        n if n == BridgeChannel::DataChannel as u32 => (true, false),
        n if n == BridgeChannel::WebSocket as u32 => (false, true),
        _ => return Err(fault(Code::InvalidArgument, "neither a data channel nor a WebSocket")),
    };
    let sessions = SessionOptions {
        min_participants: o.bridge_participants as usize,
        rewriting: !truth(o.no_ssrc_rewriting),
        json: !truth(o.no_json_sources),
        sctp,
        ..SessionOptions::default()
    };
    let config = BridgeConfig { sctp, websocket, ..BridgeConfig::default() };
    match o.bridge_participants {
        0 => Ok(None),
        1 => Err(fault(Code::InvalidArgument, "nobody needs a bridge alone")),
        _ => Ok(Some((sessions, config))),
    }
}

impl Kit {
    fn start_bridge(&self) -> Result<(), Error> {
        let config =
            self.bridge.clone().ok_or_else(|| fault(Code::State, "the deployment was made without a bridge"))?;
        self.deployment.start_bridge(config).map_err(|e| Error::new(Code::Resources, Stage::None, e.to_string()))
    }

    fn faults(&self, change: impl FnOnce(&mut Faults) + Send + 'static) -> Result<(), Error> {
        self.deployment.with(|s, _| change(&mut s.faults)).ok_or_else(gone)
    }

    fn endpoints(&self, room: &str) -> Result<Vec<String>, Error> {
        let room = room.to_owned();
        self.deployment.with(move |s, _| s.endpoints(&room)).ok_or_else(gone)
    }
}

/// The server's thread has ended, which only a defect brings about.
fn gone() -> Error {
    fault(Code::Closed, "the test server has ended")
}

/// A call on a client's connection: whether it was found.
fn found(done: bool) -> Result<(), Error> {
    if done { Ok(()) } else { Err(Error::new(Code::NoSuchParticipant, Stage::None, String::new())) }
}

/// A defined condition of XMPP, which becomes the name of an element.
fn condition(name: &str) -> Result<String, Error> {
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !name.starts_with('-');
    if valid { Ok(name.to_owned()) } else { Err(fault(Code::InvalidArgument, "not the name of a condition")) }
}

/// The same where NULL takes the fault away.
unsafe fn optional_condition(p: *const c_char) -> Result<Option<String>, Error> {
    if p.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    condition(unsafe { text(p) }?).map(Some)
}

fn share(permille: u32) -> Result<f64, Error> {
    if permille > PERMILLE {
        return Err(fault(Code::InvalidArgument, "a share is above 1000 of 1000"));
    }
    Ok(f64::from(permille) / f64::from(PERMILLE))
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_options_init(options: *mut jmeet_testkit_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_link_init(link: *mut jmeet_testkit_link, size: usize) -> jmeet_status {
    entry!({ init(link, size) })
}

/// Starts a deployment with a thread of its own. `options` may be NULL. The deployment is the caller's, freed with
/// `jmeet_testkit_free`. Any thread; returns when the server listens, without waiting for any network.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_UNSUPPORTED`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_new(
    options: *const jmeet_testkit_options,
    testkit: *mut *mut jmeet_testkit,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(testkit)?;
        let o = options_or_default(options)?;
        let mut server = ServerOptions::default();
        if !o.domain.is_null() {
            server.domain = text(o.domain)?.to_owned();
            server.components = vec![("end_conference".into(), format!("endconference.{}", server.domain))];
        }
        if !o.user.is_null() {
            server.users.push(User { name: text(o.user)?.to_owned(), password: optional(o.password)? });
        }
        server.stream_management = !truth(o.no_stream_management);
        if o.max_occupants != 0 {
            server.max_occupants = o.max_occupants as usize;
        }
        let bridge = bridge_of(&o)?.map(|(sessions, config)| {
            server.sessions = Some(sessions);
            config
        });
        let deployment = Deployment::start(server).map_err(|e| Error::new(Code::Resources, Stage::None, e.to_string()))?;
        let kit = Kit { deployment, bridge, kept: Kept::default() };
        if kit.bridge.is_some() {
            kit.start_bridge()?;
        }
        out(testkit, make(Arc::new(kit))?)
    })
}

/// Stops a deployment; its clients lose their connections. Blocks until its thread has ended, which takes milliseconds; a call that
/// another thread is in ends first. NULL is fine. Any thread.
///
/// Errors: `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_free(testkit: *mut jmeet_testkit) -> jmeet_status {
    entry!({ take::<Kit>(testkit).map(drop) })
}

/// The WebSocket URL that clients take, without a room. Lives as long as the deployment. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_url(testkit: *const jmeet_testkit, url: *mut jmeet_str) -> jmeet_status {
    entry!({
        required(url)?;
        let kit = get::<Kit>(testkit)?;
        out(url, kit.kept.keep(&kit.deployment.url())?)
    })
}

/// The XMPP domain that clients take. Lives as long as the deployment. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_domain(testkit: *const jmeet_testkit, domain: *mut jmeet_str) -> jmeet_status {
    entry!({
        required(domain)?;
        let kit = get::<Kit>(testkit)?;
        out(domain, kit.kept.keep(kit.deployment.domain())?)
    })
}

/// How many endpoints are in a room (its name, without domain), the focus left out; 0 when there is no such room. Any thread; waits
/// for the server's thread, which takes microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_count_endpoints(
    testkit: *const jmeet_testkit,
    room: *const c_char,
    count: *mut usize,
) -> jmeet_status {
    entry!({
        required(count)?;
        out(count, get::<Kit>(testkit)?.endpoints(text(room)?)?.len())
    })
}

/// The id of endpoint number `index` of a room as it is now, from 0. Lives as long as the deployment. Any thread; waits for the
/// server's thread, which takes microseconds.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: there are not so many. `JMEET_ERR_RESOURCES`: more than 60 different ids were asked for.
/// `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_endpoint(
    testkit: *const jmeet_testkit,
    room: *const c_char,
    index: usize,
    endpoint_id: *mut jmeet_str,
) -> jmeet_status {
    entry!({
        required(endpoint_id)?;
        let kit = get::<Kit>(testkit)?;
        let all = kit.endpoints(text(room)?)?;
        out(endpoint_id, kit.kept.keep(all.get(index).ok_or_else(out_of_range)?)?)
    })
}

/// Waits until a room holds exactly `count` endpoints. Waits for `timeout_ms` at most (0: only looks; `JMEET_FOREVER`). Any thread.
///
/// Errors: `JMEET_ERR_TIMEOUT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_wait_for_endpoints(
    testkit: *const jmeet_testkit,
    room: *const c_char,
    count: usize,
    timeout_ms: i32,
) -> jmeet_status {
    entry!({
        let limit = timeout(timeout_ms).unwrap_or(FOR_EVER);
        let there = get::<Kit>(testkit)?.deployment.wait_for_endpoints(text(room)?, count, limit);
        if there { Ok(()) } else { Err(fault(Code::Timeout, "the room has another number of endpoints")) }
    })
}

/// Cuts a client's socket without a word. `who` is its endpoint id in some room, or its address. Any thread; returns when the server
/// has done it, which takes microseconds.
///
/// Errors: `JMEET_ERR_NO_SUCH_PARTICIPANT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_cut(testkit: *mut jmeet_testkit, who: *const c_char) -> jmeet_status {
    entry!({ found(get::<Kit>(testkit)?.deployment.cut(text(who)?)) })
}

/// Lets nothing pass between server and client any more while the socket stays open, or with `silent` 0 lets it pass again. `who`,
/// threads, blocking and errors: as `jmeet_testkit_cut`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_silence(
    testkit: *mut jmeet_testkit,
    who: *const c_char,
    silent: u32,
) -> jmeet_status {
    entry!({ found(get::<Kit>(testkit)?.deployment.silence(text(who)?, truth(silent))) })
}

/// Sends a frame to a client as it stands: stray, spoofed and broken stanzas. `who`, threads, blocking and errors: as
/// `jmeet_testkit_cut`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_inject(
    testkit: *mut jmeet_testkit,
    who: *const c_char,
    frame: *const c_char,
) -> jmeet_status {
    entry!({ found(get::<Kit>(testkit)?.deployment.inject(text(who)?, text(frame)?)) })
}

/// Handles a stanza as if the client had sent it: a participant that does what this library would not. What is not XML is ignored.
/// `who`, threads, blocking and errors: as `jmeet_testkit_cut`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_send_as(
    testkit: *mut jmeet_testkit,
    who: *const c_char,
    stanza: *const c_char,
) -> jmeet_status {
    entry!({ found(get::<Kit>(testkit)?.deployment.send_as(text(who)?, text(stanza)?)) })
}

/// Ends a client's stream with a stream error ("conflict", "system-shutdown" …). `who`, threads and blocking: as `jmeet_testkit_cut`.
///
/// Errors: as `jmeet_testkit_cut`, and `JMEET_ERR_INVALID_ARGUMENT`: not the name of a condition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_end_stream(
    testkit: *mut jmeet_testkit,
    who: *const c_char,
    condition: *const c_char,
) -> jmeet_status {
    entry!({
        let condition = self::condition(text(condition)?)?;
        found(get::<Kit>(testkit)?.deployment.end_stream(text(who)?, &condition))
    })
}

/// Refuses logins from now on with a SASL condition ("not-authorized", "account-disabled" …) and `words` for people, which may be
/// NULL. A NULL `condition` lets them in again. Any thread; returns when the server knows it, which takes microseconds.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`: not the name of a condition. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_refuse_login(
    testkit: *mut jmeet_testkit,
    condition: *const c_char,
    words: *const c_char,
) -> jmeet_status {
    entry!({
        let words = Some(optional(words)?).filter(|w| !w.is_empty());
        let refusal = optional_condition(condition)?.map(|c| (c, words));
        get::<Kit>(testkit)?.faults(|f| f.refuse_login = refusal)
    })
}

/// Refuses joins from now on with a stanza condition, as rooms do: "not-authorized" (a password is wanted), "not-allowed",
/// "service-unavailable" (full), "registration-required" (members only), "conflict" …, and `words` for people, which may be NULL.
/// After `times` refusals joins are let in again; 0: never. A NULL `condition` lets them in at once. Any thread; returns when the
/// server knows it, which takes microseconds.
///
/// Errors: as `jmeet_testkit_refuse_login`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_refuse_join(
    testkit: *mut jmeet_testkit,
    condition: *const c_char,
    words: *const c_char,
    times: u32,
) -> jmeet_status {
    entry!({
        let text = Some(optional(words)?).filter(|w| !w.is_empty());
        let refusal = optional_condition(condition)?.map(|c| JoinRefusal { text, ..JoinRefusal::condition(&c) });
        get::<Kit>(testkit)?.faults(move |f| {
            f.refuse_join = refusal;
            f.refuse_join_times = (times > 0).then_some(times);
        })
    })
}

/// Logins and joins are let in again, and the focus does its work, if it was not stopped. Any thread; returns when the server knows
/// it, which takes microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_clear_faults(testkit: *mut jmeet_testkit) -> jmeet_status {
    entry!({
        let kit = get::<Kit>(testkit)?;
        kit.deployment.refuse_conference(None);
        kit.faults(|f| *f = Faults::default())
    })
}

/// The focus answers the next `times` conference requests that it is not ready yet. Any thread; returns when the server knows it,
/// which takes microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_focus_not_ready(testkit: *mut jmeet_testkit, times: u32) -> jmeet_status {
    entry!({
        get::<Kit>(testkit)?.deployment.refuse_conference(Some(Refusal::NotReady(times)));
        Ok(())
    })
}

/// The focus refuses conference requests from now on with a stanza condition ("not-authorized", "not-acceptable" …). A NULL
/// `condition` makes it do its work again. Any thread; returns when the server knows it, which takes microseconds.
///
/// Errors: as `jmeet_testkit_refuse_login`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_refuse_conference(
    testkit: *mut jmeet_testkit,
    condition: *const c_char,
) -> jmeet_status {
    entry!({
        let refusal = optional_condition(condition)?.map(Refusal::Condition);
        get::<Kit>(testkit)?.deployment.refuse_conference(refusal);
        Ok(())
    })
}

/// The focus leaves all rooms, and comes back when it is asked. Any thread; returns when it has, which takes microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_focus_leaves(testkit: *mut jmeet_testkit) -> jmeet_status {
    entry!({
        get::<Kit>(testkit)?.deployment.focus_leaves();
        Ok(())
    })
}

/// The focus is killed; requests are answered "service-unavailable". Any thread; returns when it is, which takes microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_stop_focus(testkit: *mut jmeet_testkit) -> jmeet_status {
    entry!({
        get::<Kit>(testkit)?.deployment.stop_focus();
        Ok(())
    })
}

/// A new focus, which knows nothing of what was. Any thread; returns when it is there, which takes microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_start_focus(testkit: *mut jmeet_testkit) -> jmeet_status {
    entry!({
        get::<Kit>(testkit)?.deployment.start_focus();
        Ok(())
    })
}

/// Destroys a room (its name, without domain), as a moderator who ends the meeting for all; `reason` may be NULL. Any thread; returns
/// when it is gone, which takes microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_UTF8`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_destroy_room(
    testkit: *mut jmeet_testkit,
    room: *const c_char,
    reason: *const c_char,
) -> jmeet_status {
    entry!({
        let reason = optional(reason)?;
        get::<Kit>(testkit)?.deployment.destroy_room(text(room)?, &reason);
        Ok(())
    })
}

/// Puts a bad link between participants that meet from now on, and between them and the bridge: their media passes through it. Called
/// again it changes the link, also for media under way. Any thread; returns when the server knows it, which takes microseconds.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_UNSUPPORTED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_set_media_link(
    testkit: *mut jmeet_testkit,
    link: *const jmeet_testkit_link,
) -> jmeet_status {
    entry!({
        let l = options(link)?;
        let link = LinkOptions {
            delay: Duration::from_millis(l.delay_ms.into()),
            jitter: Duration::from_millis(l.jitter_ms.into()),
            loss: share(l.loss_permille)?,
            duplicate: share(l.duplicate_permille)?,
        };
        get::<Kit>(testkit)?.deployment.set_media_link(link);
        Ok(())
    })
}

/// How many datagrams the bad link let pass and how many it lost so far. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_media_counts(
    testkit: *const jmeet_testkit,
    passed: *mut u64,
    dropped: *mut u64,
) -> jmeet_status {
    entry!({
        required(passed)?;
        required(dropped)?;
        let counts = get::<Kit>(testkit)?.deployment.media_counts();
        out(passed, counts.passed)?;
        out(dropped, counts.dropped)
    })
}

/// The bridge is killed: its sockets close, the focus ends everybody's session with it ("moving") and shows that it has no bridge. Any
/// thread; returns when it is dead, which takes microseconds. Nothing happens where there is none.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_kill_bridge(testkit: *mut jmeet_testkit) -> jmeet_status {
    entry!({
        get::<Kit>(testkit)?.deployment.kill_bridge();
        Ok(())
    })
}

/// A new bridge, in the place of one that was killed or that runs: everybody who is to have a session gets a new one. Any thread;
/// returns when it listens, without waiting for any network.
///
/// Errors: `JMEET_ERR_STATE`: the options asked for none. `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_start_bridge(testkit: *mut jmeet_testkit) -> jmeet_status {
    entry!({ get::<Kit>(testkit)?.start_bridge() })
}

/// How many endpoints the bridge holds, of all rooms; 0 when there is no bridge. Any thread; waits for the server's thread, which takes
/// microseconds.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_testkit_count_bridge_endpoints(
    testkit: *const jmeet_testkit,
    count: *mut usize,
) -> jmeet_status {
    entry!({
        required(count)?;
        out(count, get::<Kit>(testkit)?.deployment.with_bridge(|b, _| b.endpoints().count()).unwrap_or(0))
    })
}
