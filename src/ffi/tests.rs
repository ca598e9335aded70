//! The C functions, called as C calls them. What needs no driver also runs under miri; the C programs of `tests/c` do the rest.

use super::alone::Bench;
use super::args::{jmeet_str, text};
use super::client::*;
use super::conference::*;
use super::entry::{about, entry};
use super::error::*;
use super::event::*;
use super::event_info::*;
use super::event_kind::jmeet_event_kind::{self, *};
use super::frame::*;
use super::participant::*;
use super::queue::*;
use super::reader::*;
use super::runtime::*;
use super::status::jmeet_status::{self, *};
use super::track::*;
use super::writer::*;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::*;
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn alice() -> Arc<Participant> {
    Arc::new(Participant {
        key: ParticipantKey(9),
        endpoint_id: "0000000a".into(),
        display_name: "Alice".into(),
        real_jid: String::new(),
        role: Role::Moderator,
        features: vec!["one".into(), "two".into()],
        raised_hand: "12".into(),
    })
}

fn message(words: &str) -> EventKind {
    EventKind::Message(Box::new(Message {
        participant: None,
        endpoint_id: "0000000a".into(),
        display_name: "Alice".into(),
        text: words.into(),
        id: "m1".into(),
        private: true,
        delayed: false,
        sent_ms: 5,
    }))
}

/// A struct with its size set, as the INIT macros make it.
macro_rules! info {
    ($t:ty, $init:ident) => {{
        let mut info = std::mem::MaybeUninit::<$t>::zeroed();
        // SAFETY: all zero is a value, and the size is right.
        unsafe {
            assert_eq!($init(info.as_mut_ptr(), size_of::<$t>()), JMEET_OK);
            info.assume_init()
        }
    }};
}

fn read(s: jmeet_str) -> String {
    // SAFETY: what the header promises of every jmeet_str.
    unsafe { text(s.data).unwrap().to_owned() }
}

#[test]
fn an_event_is_read_and_freed_once() {
    let b = Bench::new();
    b.push(0, message("hello"));
    let event = b.next();
    let mut m = info!(jmeet_message_info, jmeet_message_info_init);
    let mut wrong = info!(jmeet_state_info, jmeet_state_info_init);
    // SAFETY: valid pointers and handles, stale ones among them.
    unsafe {
        assert_eq!(jmeet_event_type(event), JMEET_EVENT_MESSAGE as u32);
        assert_eq!(jmeet_event_user_value(event), 77);
        assert_eq!(jmeet_event_client(event).addr(), b.client);
        assert_eq!(jmeet_event_status(event), JMEET_OK);
        assert_eq!(jmeet_event_message(event, &raw mut m), JMEET_OK);
        assert_eq!(
            (read(m.text), read(m.endpoint_id), m.is_private, m.sent_ms),
            ("hello".into(), "0000000a".into(), true, 5)
        );
        assert!(m.participant.is_null());
        assert_eq!(jmeet_event_state(event, &raw mut wrong), JMEET_ERR_WRONG_EVENT);
        assert_eq!(jmeet_event_retain(event), JMEET_OK);
        assert_eq!(jmeet_event_free(event), JMEET_OK);
        assert_eq!(read(m.text), "hello");
        assert_eq!(jmeet_event_free(event), JMEET_OK);
        assert_eq!(jmeet_event_free(event), JMEET_ERR_INVALID_HANDLE);
        assert_eq!(jmeet_event_retain(event), JMEET_ERR_INVALID_HANDLE);
        assert_eq!(jmeet_event_type(event), JMEET_EVENT_NONE as u32);
        assert_eq!(jmeet_event_message(event, &raw mut m), JMEET_ERR_INVALID_HANDLE);
        // Another type's handle.
        assert_eq!(jmeet_event_free(b.queue.cast()), JMEET_ERR_INVALID_HANDLE);
    }
    b.end();
}

/// Those that nobody holds to be read: the same answers to what is stale, wrong or NULL.
#[test]
fn an_event_that_is_a_number_is_read_while_it_lives_and_by_its_own_accessor() {
    let b = Bench::new();
    macro_rules! number {
        ($kind:expr, $t:ty, $init:ident, $get:ident, $field:ident, $want:expr) => {{
            b.push(0, $kind);
            b.push(0, message("another"));
            let (event, other) = (b.next(), b.next());
            let mut i = info!($t, $init);
            // SAFETY: valid pointers and handles, stale ones among them.
            unsafe {
                assert_eq!($get(other, &raw mut i), JMEET_ERR_WRONG_EVENT);
                assert_eq!($get(null(), &raw mut i), JMEET_ERR_NULL);
                assert_eq!($get(event, null_mut()), JMEET_ERR_NULL);
                assert_eq!($get(b.queue.cast(), &raw mut i), JMEET_ERR_INVALID_HANDLE);
                assert_eq!(($get(event, &raw mut i), i.$field), (JMEET_OK, $want));
                assert_eq!(i.struct_size as usize, size_of::<$t>());
                assert_eq!((jmeet_event_free(event), jmeet_event_free(other)), (JMEET_OK, JMEET_OK));
                assert_eq!($get(event, &raw mut i), JMEET_ERR_INVALID_HANDLE);
            }
        }};
    }
    let large = u64::MAX - 5;
    let state = EventKind::State(ClientState::Joined);
    number!(state, jmeet_state_info, jmeet_state_info_init, jmeet_event_state, state, ClientState::Joined as u32);
    let role = EventKind::Role(Role::Moderator);
    number!(role, jmeet_role_info, jmeet_role_info_init, jmeet_event_role, role, Role::Moderator as u32);
    number!(EventKind::Focus(true), jmeet_focus_info, jmeet_focus_info_init, jmeet_event_focus, present, true);
    let bridge = EventKind::BridgeAvailable(true);
    number!(bridge, jmeet_bridge_info, jmeet_bridge_info_init, jmeet_event_bridge, available, true);
    let overrun = EventKind::Overrun { dropped: large };
    number!(overrun, jmeet_overrun_info, jmeet_overrun_info_init, jmeet_event_overrun, dropped, large);
    let bandwidth = EventKind::Bandwidth { bits_per_second: large };
    number!(bandwidth, jmeet_bandwidth_info, jmeet_bandwidth_info_init, jmeet_event_bandwidth, bits_per_second, large);
    b.end();
}

#[test]
fn a_finished_request_tells_its_error() {
    let b = Bench::new();
    let error = Error::new(Code::Auth, Stage::Auth, "wrong").with_condition("not-authorized");
    b.push(5, EventKind::RequestDone(Some(error.into())));
    let event = b.next();
    let mut e = info!(jmeet_error_info, jmeet_error_info_init);
    // SAFETY: valid pointers and handles.
    unsafe {
        assert_eq!((jmeet_event_tag(event), jmeet_event_status(event)), (5, JMEET_ERR_AUTH));
        assert_eq!(jmeet_event_error(event, &raw mut e), JMEET_OK);
        assert_eq!(e.struct_size as usize, size_of::<jmeet_error_info>());
        assert_eq!((e.status, e.stage), (JMEET_ERR_AUTH as i32, Stage::Auth as u32));
        assert_eq!((read(e.condition), read(e.text)), ("not-authorized".into(), "wrong".into()));
        jmeet_event_free(event);
    }
    b.end();
}

#[test]
fn a_participants_handle_ends_with_the_left_event() {
    let b = Bench::new();
    b.push(0, EventKind::ParticipantJoined(alice()));
    let joined = b.next();
    let left =
        ParticipantLeft { participant: alice(), reason: "bye".into(), kicked: false, vanished: true, we_left: true };
    b.push(0, EventKind::ParticipantLeft(Box::new(left)));
    let gone = b.next();
    let mut p = info!(jmeet_participant_info, jmeet_participant_info_init);
    let mut l = info!(jmeet_participant_left_info, jmeet_participant_left_info_init);
    let mut id = jmeet_str::EMPTY;
    // SAFETY: valid pointers and handles.
    unsafe {
        assert_eq!(jmeet_event_participant(joined, &raw mut p), JMEET_OK);
        let alice = p.participant;
        assert_eq!((read(p.display_name), read(p.features), p.raised_hand_ms), ("Alice".into(), "one\ntwo".into(), 12));
        assert_eq!(jmeet_event_participant(gone, &raw mut p), JMEET_OK);
        assert_eq!(p.participant, alice);
        assert_eq!(jmeet_event_participant_left(gone, &raw mut l), JMEET_OK);
        assert_eq!((read(l.reason), l.vanished, l.kicked), ("bye".into(), true, false));
        assert_eq!(jmeet_event_free(joined), JMEET_OK);
        assert_eq!(jmeet_participant_endpoint_id(alice, &raw mut id), JMEET_OK);
        assert_eq!((read(id), jmeet_participant_key(alice)), ("0000000a".into(), 9));
        assert_eq!(jmeet_event_free(gone), JMEET_OK);
        assert_eq!(jmeet_participant_endpoint_id(alice, &raw mut id), JMEET_ERR_INVALID_HANDLE);
        assert_eq!(jmeet_participant_key(alice), 0);
    }
    b.end();
}

#[derive(Default)]
struct Seen {
    tags: AtomicUsize,
    destroyed: AtomicUsize,
    kept: AtomicUsize,
}

unsafe extern "C" fn on_event(event: *mut jmeet_event, user: *mut c_void) {
    // SAFETY: what the test passed.
    unsafe {
        let seen = &*user.cast::<Seen>();
        assert_eq!(jmeet_event_free(event), JMEET_ERR_STATE, "it is the dispatcher's");
        if jmeet_event_tag(event) == 2 {
            assert_eq!(jmeet_event_retain(event), JMEET_OK);
            seen.kept.store(event.addr(), Ordering::SeqCst);
        }
        seen.tags.fetch_add(jmeet_event_tag(event) as usize, Ordering::SeqCst);
    }
}

unsafe extern "C" fn on_destroy(user: *mut c_void) {
    // SAFETY: what the test passed.
    unsafe { (*user.cast::<Seen>()).destroyed.fetch_add(1, Ordering::SeqCst) };
}

#[test]
fn a_callback_borrows_its_event_and_destroy_runs_once() {
    let b = Bench::new();
    let seen = Seen::default();
    let user: *mut c_void = (&raw const seen).cast_mut().cast();
    // SAFETY: `seen` outlives the callback, which is ended below.
    unsafe {
        assert_eq!(jmeet_queue_set_callback(b.queue, Some(on_event), user, Some(on_destroy)), JMEET_OK);
        b.push(1, EventKind::RequestDone(None));
        b.push(2, EventKind::RequestDone(None));
        while seen.tags.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        let mut event = null_mut();
        assert_eq!(jmeet_queue_next(b.queue, 0, &raw mut event), JMEET_ERR_STATE);
        assert_eq!(jmeet_queue_set_callback(b.queue, None, null_mut(), None), JMEET_OK);
        assert_eq!(seen.destroyed.load(Ordering::SeqCst), 1);
        let kept: *mut jmeet_event = std::ptr::without_provenance_mut(seen.kept.load(Ordering::SeqCst));
        assert_eq!(jmeet_event_tag(kept), 2);
        assert_eq!(jmeet_event_free(kept), JMEET_OK);
        assert_eq!(jmeet_event_free(kept), JMEET_ERR_INVALID_HANDLE);
    }
    b.end();
    assert_eq!(seen.destroyed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_defect_is_answered_and_reported() {
    let mut error: *mut jmeet_error = null_mut();
    let out = &raw mut error;
    let status = entry!(out; { panic!("meant to fail") });
    assert_eq!(status, JMEET_ERR_PANIC);
    // SAFETY: handles.
    unsafe {
        assert_eq!(jmeet_error_status(error), JMEET_ERR_PANIC);
        assert_eq!(jmeet_error_free(error), JMEET_OK);
        assert_eq!(jmeet_error_free(error), JMEET_ERR_INVALID_HANDLE);
    }
    assert_eq!(entry!(or 7; { panic!("meant to fail") }), 7);
}

#[cfg(not(miri))]
mod with_threads {
    use super::*;

    fn client(queue: *mut jmeet_queue) -> *mut jmeet_client {
        let mut o = info!(jmeet_client_options, jmeet_client_options_init);
        (o.url, o.room) = (c"ws://127.0.0.1:1/x".as_ptr(), c"room".as_ptr());
        let mut client = null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { jmeet_client_new(queue, &raw const o, &raw mut client, null_mut()) }, JMEET_OK);
        client
    }

    fn queue() -> *mut jmeet_queue {
        let mut queue = null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { jmeet_queue_new(null(), &raw mut queue, null_mut()) }, JMEET_OK);
        queue
    }

    #[test]
    fn a_defect_closes_the_client_that_it_was_about() {
        let queue = queue();
        let client = client(queue);
        assert_eq!(
            entry!({
                about(client.addr());
                panic!("meant to fail")
            }),
            JMEET_ERR_PANIC
        );
        let mut event = null_mut();
        // SAFETY: handles.
        unsafe {
            assert_eq!(jmeet_queue_next(queue, 1000, &raw mut event), JMEET_OK);
            assert_eq!(
                (jmeet_event_type(event), jmeet_event_status(event)),
                (JMEET_EVENT_CLOSED as u32, JMEET_ERR_PANIC)
            );
            jmeet_event_free(event);
            assert_eq!(jmeet_queue_next(queue, 50, &raw mut event), JMEET_ERR_TIMEOUT);
            assert_eq!(jmeet_queue_free(queue), JMEET_ERR_IN_USE);
            assert_eq!(jmeet_client_free(client), JMEET_OK);
            assert_eq!(jmeet_client_free(client), JMEET_ERR_INVALID_HANDLE);
            assert_eq!(jmeet_queue_free(queue), JMEET_OK);
        }
    }

    #[test]
    fn freeing_a_runtime_frees_its_clients() {
        let queue = queue();
        let (mut runtime, mut client) = (null_mut(), null_mut());
        let mut o = info!(jmeet_client_options, jmeet_client_options_init);
        (o.url, o.room) = (c"ws://127.0.0.1:1/x".as_ptr(), c"room".as_ptr());
        // SAFETY: valid pointers and handles.
        unsafe {
            assert_eq!(jmeet_runtime_new(null(), &raw mut runtime, null_mut()), JMEET_OK);
            o.runtime = runtime;
            assert_eq!(jmeet_client_new(queue, &raw const o, &raw mut client, null_mut()), JMEET_OK);
            assert_eq!(jmeet_runtime_free(runtime), JMEET_OK);
            assert_eq!(jmeet_client_state(client), 0);
            assert_eq!(jmeet_client_close(client, 0), JMEET_ERR_INVALID_HANDLE);
            assert_eq!(jmeet_client_new(queue, &raw const o, &raw mut client, null_mut()), JMEET_ERR_INVALID_HANDLE);
            assert_eq!(jmeet_queue_free(queue), JMEET_OK);
        }
    }

    #[test]
    fn a_track_of_ours_has_its_writer_whoever_takes_its_event_first() {
        // A server that never answers: the client is on its way for as long as the test takes.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = std::ffi::CString::new(format!("ws://{}/x", silent.local_addr().unwrap())).unwrap();
        let queue = queue();
        let mut o = info!(jmeet_client_options, jmeet_client_options_init);
        (o.url, o.room) = (url.as_ptr(), c"room".as_ptr());
        let (mut client, mut room, mut writer) = (null_mut(), null_mut(), null_mut());
        // SAFETY: valid pointers and handles.
        unsafe {
            assert_eq!(jmeet_client_new(queue, &raw const o, &raw mut client, null_mut()), JMEET_OK);
            assert_eq!(jmeet_client_join(client, 0, &raw mut room, null_mut()), JMEET_OK);
        }
        let c = super::super::client::client(client).unwrap();
        let mut other = None;
        let track = c.send_track(|| {
            let options = crate::meeting::TrackOptions::new(crate::media::Codec::Opus);
            let writer = c.conference()?.send_track(options, 0)?;
            // As if its TRACK_ADDED were in another thread's hands already.
            let key = writer.track();
            let t = Track { key, ..audio_of_ours() };
            let of_event = c.clone();
            other = Some(std::thread::spawn(move || of_event.track_of_event(&t).addr()));
            assert!(c.holds_tracks(), "that thread has to wait");
            Ok(writer)
        });
        let track = track.unwrap();
        assert_eq!(other.unwrap().join().unwrap(), track.addr());
        // SAFETY: handles.
        unsafe {
            assert_eq!(jmeet_writer_new(track, null(), &raw mut writer, null_mut()), JMEET_OK);
            assert_eq!(jmeet_writer_free(writer), JMEET_OK);
            assert_eq!(jmeet_client_free(client), JMEET_OK);
            assert_eq!(jmeet_queue_free(queue), JMEET_OK);
        }
    }

    fn audio_of_ours() -> Track {
        Track {
            key: TrackKey(0),
            participant: None,
            endpoint_id: String::new(),
            source_name: String::new(),
            media: crate::media::MediaType::Audio,
            video_type: crate::media::VideoType::Camera,
            muted: false,
            local: true,
            codec: None,
        }
    }

    #[test]
    fn a_client_that_never_joined_closes_once() {
        let queue = queue();
        let client = client(queue);
        let mut event = null_mut();
        // SAFETY: handles.
        unsafe {
            assert_eq!(jmeet_client_close(client, 100), JMEET_OK);
            assert_eq!(jmeet_client_close(client, 0), JMEET_OK);
            let mut closed = 0;
            while jmeet_queue_next(queue, 20, &raw mut event) == JMEET_OK {
                closed += u32::from(jmeet_event_type(event) == JMEET_EVENT_CLOSED as u32);
                jmeet_event_free(event);
            }
            assert_eq!(closed, 1);
            let mut room = null_mut();
            assert_ne!(jmeet_client_join(client, 1, &raw mut room, null_mut()), JMEET_OK);
            jmeet_client_free(client);
            jmeet_queue_free(queue);
        }
    }

    #[test]
    fn options_that_make_no_sense_are_named() {
        let queue = queue();
        let mut o = info!(jmeet_client_options, jmeet_client_options_init);
        o.room = c"room".as_ptr();
        let (mut client, mut error) = (null_mut(), null_mut());
        // SAFETY: valid pointers and handles.
        unsafe {
            assert_eq!(jmeet_client_new(queue, &raw const o, &raw mut client, &raw mut error), JMEET_ERR_NULL);
            jmeet_error_free(error);
            o.url = c"http://x".as_ptr();
            assert_eq!(jmeet_client_new(queue, &raw const o, &raw mut client, &raw mut error), JMEET_ERR_OPTIONS);
            assert!(read(jmeet_error_text(error)).contains("ws://"));
            jmeet_error_free(error);
            o.url = c"\xff".as_ptr();
            assert_eq!(jmeet_client_new(queue, &raw const o, &raw mut client, null_mut()), JMEET_ERR_INVALID_UTF8);
            o.struct_size = 3;
            assert_eq!(jmeet_client_new(queue, &raw const o, &raw mut client, null_mut()), JMEET_ERR_INVALID_ARGUMENT);
            assert!(client.is_null());
            jmeet_queue_free(queue);
        }
    }
}

#[test]
fn null_is_answered_everywhere() {
    let free: [jmeet_status; 9] = {
        let n = null_mut;
        // SAFETY: NULL is allowed.
        unsafe {
            [
                jmeet_runtime_free(n()),
                jmeet_queue_free(null_mut()),
                jmeet_client_free(null_mut()),
                jmeet_event_free(null_mut()),
                jmeet_error_free(null_mut()),
                jmeet_writer_free(null_mut()),
                jmeet_reader_free(null_mut()),
                jmeet_frame_release(null_mut()),
                jmeet_track_list_free(null_mut()),
            ]
        }
    };
    assert_eq!(free, [JMEET_OK; 9]);
    // SAFETY: NULL is allowed to be given, and refused.
    unsafe {
        assert_eq!(jmeet_queue_next(null_mut(), 0, null_mut()), JMEET_ERR_NULL);
        assert_eq!(jmeet_client_join(null_mut(), 0, null_mut(), null_mut()), JMEET_ERR_NULL);
        assert_eq!(jmeet_conference_send_message(null_mut(), null(), 0, null_mut()), JMEET_ERR_NULL);
        assert_eq!(jmeet_reader_next(null_mut(), 0, null_mut()), JMEET_ERR_NULL);
        assert_eq!(jmeet_writer_write(null_mut(), null()), JMEET_ERR_NULL);
        assert_eq!(jmeet_frame_get(null(), null_mut()), JMEET_ERR_NULL);
        assert_eq!(jmeet_error_status(null()), JMEET_ERR_NULL);
        assert_eq!(jmeet_participant_list_size(null()), 0);
        assert_eq!(jmeet_track_get(null_mut(), null_mut()), JMEET_ERR_NULL);
        assert_eq!(CStr::from_ptr(jmeet_error_text(null()).data), c"");
    }
}

#[test]
fn a_client_that_could_not_be_made_does_not_keep_its_queue_in_use() {
    let mut queue = null_mut();
    let mut client = null_mut();
    let mut options = info!(jmeet_client_options, jmeet_client_options_init);
    (options.url, options.room, options.muc) = (c"ws://127.0.0.1:1/x".as_ptr(), c"room".as_ptr(), c"a b@/".as_ptr());
    // SAFETY: valid pointers and strings.
    unsafe {
        assert_eq!(jmeet_queue_new(null(), &raw mut queue, null_mut()), JMEET_OK);
        let refused = jmeet_client_new(queue, &raw const options, &raw mut client, null_mut());
        assert_eq!(refused, JMEET_ERR_OPTIONS);
        assert_eq!(jmeet_queue_free(queue), JMEET_OK);
    }
}

#[test]
fn every_event_type_has_a_number_of_its_own() {
    let kinds: [jmeet_event_kind; 3] = [JMEET_EVENT_NONE, JMEET_EVENT_REQUEST_DONE, JMEET_EVENT_CLOSED];
    assert_eq!(kinds.map(|k| k as u32), [0, 1, 22]);
}
