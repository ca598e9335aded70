//! What is asked of the bridge and of other endpoints: video, messages, tones; and the events that come of it.

use super::super::{bridge_info::*, event::*, event_kind::*, participant::*, queue::*, tones::*, track::*};
use super::model::{Handle, Kind, Sized, Wrong, extreme, string};
use super::run::Run;
use super::{GETTERS, MAX_EVENTS};
use std::ffi::c_char;
use std::ptr::{null, null_mut};
use std::time::Instant;

/// Wishes, right and wrong.
fn sources(choice: u8, wrong: &mut Wrong) -> *const c_char {
    match choice % 8 {
        0 => null(),
        1 => c"0000000a-v0=720 0000000b-v0=180".as_ptr(),
        2 => c"".as_ptr(),
        3 => c"  0000000a-v0=0  ".as_ptr(),
        4 => c"0000000a-v0=-1".as_ptr(),
        5 => c"0000000a-v0=99999999999999999999".as_ptr(),
        6 => c"=".as_ptr(),
        _ => string(choice >> 4, wrong, false),
    }
}

/// Payloads, right and wrong.
fn payload(choice: u8, wrong: &mut Wrong) -> *const c_char {
    match choice % 8 {
        0 => c"{\"a\":1}".as_ptr(),
        1 => c"{}".as_ptr(),
        2 => c"[1]".as_ptr(),
        3 => c"{\"a\":".as_ptr(),
        4 => c"{\"a\":1e999}".as_ptr(),
        5 => c"{\"colibriClass\":\"EndpointMessage\",\"to\":\"\"}".as_ptr(),
        6 => c"null".as_ptr(),
        _ => string(choice >> 4, wrong, true),
    }
}

impl Run {
    pub fn receives(&mut self, a: [u8; 7], mut wrong: Wrong) {
        let w = &mut wrong;
        let r = w.handle(self.pick(Kind::Room, a[0]));
        w.may_be(&["ERR_INVALID_ARGUMENT"]);
        let mut options = Sized::new(size_of::<jmeet_receive_options>(), a[1], w);
        let mut o = options.get::<jmeet_receive_options>();
        // SAFETY: room for the struct, every string NUL-terminated or NULL, the handle may be anything.
        unsafe {
            ((*o).last_n, (*o).default_height) = (extreme(a[2]) as i32, extreme(a[3]) as i32);
            ((*o).on_stage, (*o).selected) = (string(a[4], w, false), string(a[4] >> 4, w, false));
            (*o).sources = sources(a[5], w);
            if a[6] & 4 != 0 {
                o = null_mut();
                w.certain.retain(|s| matches!(*s, "ERR_NULL" | "ERR_INVALID_HANDLE"));
                // The handle's alone.
                if r.key != 0 {
                    w.certain.remove("ERR_NULL");
                }
            }
            self.asks("jmeet_conference_set_receive", a[6], &wrong, |e| jmeet_conference_set_receive(r.get(), o, e));
        }
    }

    pub fn sends_to_endpoints(&mut self, a: [u8; 7], mut wrong: Wrong) {
        let w = &mut wrong;
        let r = w.handle(self.pick(Kind::Room, a[0]));
        let (to, text) = (string(a[1], w, false), payload(a[2], w));
        w.may_be(&["ERR_INVALID_ARGUMENT", "ERR_TOO_LARGE"]);
        // SAFETY: strings are NUL-terminated or NULL, the handle may be anything.
        self.asks("jmeet_conference_send_endpoint_message", a[3], &wrong, |e| unsafe {
            jmeet_conference_send_endpoint_message(r.get(), to, text, extreme(a[4]), e)
        });
    }

    pub fn tones(&mut self, t: Handle, a: [u8; 7], mut wrong: Wrong) {
        let w = &mut wrong;
        let keys = match a[2] % 4 {
            0 | 1 => c"123#".as_ptr(),
            2 => c"AD*x".as_ptr(),
            _ => string(a[2] >> 4, w, true),
        };
        w.may_be(&["ERR_INVALID_ARGUMENT", "ERR_TOO_LARGE"]);
        let (held, gap) = (extreme(a[3]) as u32, extreme(a[4]) as u32);
        if [held, gap].iter().any(|ms| *ms > 6000) || (1..40).contains(&held) || (1..30).contains(&gap) {
            w.is("ERR_INVALID_ARGUMENT");
        }
        w.may_be(&["ERR_GONE", "ERR_CLOSED", "ERR_BUSY"]);
        // SAFETY: the string is NUL-terminated or NULL, the handle may be anything.
        self.asks("jmeet_track_send_tones", a[5], &wrong, |e| unsafe {
            jmeet_track_send_tones(t.get(), keys, held, gap, extreme(a[6]), e)
        });
    }

    /// Takes what a queue has, waiting a little, reads all of each event, and meets whom it names. Ends at one of a kind, or when no more comes.
    pub fn takes_events(&mut self, a: [u8; 7]) {
        let (queue, start) = (self.pick(Kind::Queue, a[0]), Instant::now());
        let mut wrong = Wrong::default();
        wrong.handle(queue);
        for _ in 0..MAX_EVENTS {
            let mut event: *mut jmeet_event = null_mut();
            // SAFETY: the handle may be anything.
            let status = unsafe { jmeet_queue_next(queue.get(), self.patience_ms(), &raw mut event) };
            if !self.answered("jmeet_queue_next", status, &wrong) {
                break;
            }
            self.adopt(Kind::Event, event.addr(), 0, false);
            let h = self.pick(Kind::Event, 0);
            self.look_at(h);
            // SAFETY: a handle.
            let kind = unsafe { jmeet_event_type(h.get()) };
            for (name, size, getter) in GETTERS {
                // SAFETY: a handle, and the struct of this getter.
                let read = self.fills(name, size, 0, Wrong::default(), |to| unsafe { getter(h.get(), to) });
                // SAFETY: they were filled.
                match (name, read) {
                    ("jmeet_event_track", Some(mut info)) => {
                        let track = unsafe { (*info.get::<jmeet_track_info>()).track };
                        self.adopt_borrowed(Kind::Track, track.addr());
                    }
                    ("jmeet_event_participant", Some(mut info)) => {
                        self.meets(unsafe { (*info.get::<jmeet_participant_info>()).participant });
                    }
                    _ => {}
                }
            }
            if a[1] & 1 == 0 {
                self.frees_event(h);
            }
            if kind == u32::from(a[2]) || kind == jmeet_event_kind::JMEET_EVENT_CLOSED as u32 {
                break;
            }
        }
        self.waited(start);
    }
}
