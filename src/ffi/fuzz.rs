//! Call sequences of the C ABI from bytes: what a C program may do in any order, with good, stale, wrong and invented handles, NULL, odd
//! struct sizes, bad strings and extreme numbers. Run by a seeded mutator on stable (`tests/fuzz_corpus.rs`) and by libFuzzer (`fuzz/`).
//!
//! No call may crash, and each answers a status that the header names for it (read from `include/jmeet.h` itself); a bad argument is
//! never taken, an out-parameter is written only on success, `destroy` runs once per callback. Clients are sent where nobody listens, or
//! into a room of the testkit, where they meet each other. Every function of the header is called, which a test counts.

mod clients;
mod corpus;
mod figures;
mod inits;
mod model;
mod people;
mod requests;
mod run;
#[cfg(test)]
mod tests;

use super::args::jmeet_str;
use super::bridge_info::*;
use super::bridge_states::*;
use super::mute::*;
use super::refusals::*;
use super::stats::*;
use super::tones::*;
use super::{client::*, conference::*, error::*, event::*, event_info::*, frame::*, log::*, participant::*};
use super::{queue::*, reader::*, runtime::*, status::*, track::*, version::*, writer::*};
pub use corpus::corpus;
use model::{Kind, Life, Sized, Wrong, all_called, called, check_text, extreme, string};
use run::Run;
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

/// Bytes of one call: which, and seven arguments. All zero is a good call.
pub const CALL_BYTES: usize = 8;
/// Calls of one input at most.
const MAX_CALLS: usize = 256;
/// Queues, clients and runtimes alive at once at most: threads cost more than they teach.
const MAX_ALIVE: usize = 3;
/// Kinds of calls; the number in the input is taken modulo it.
const CALLS: u8 = 47;
/// Milliseconds that one input waits in all for what the network brings.
const PATIENCE_MS: u64 = 300;
/// Of `jmeet_client_options`: into the testkit.
const TO_THE_TESTKIT: u8 = 0x80;
/// Of a call that takes from a queue or reader: it waits for all that is left of the patience.
const TO_WAIT: u8 = 0x80;
/// Events that one step of a program takes at most.
const MAX_EVENTS: usize = 64;

unsafe extern "C" fn on_wakeup(_: *mut c_void) {}

unsafe extern "C" fn on_log(_: u32, target: jmeet_str, text: jmeet_str, _: *mut c_void) {
    check_text(target);
    check_text(text);
}

/// A getter of an event: its name, the size of its struct, and the call.
type Getter = (&'static str, usize, unsafe fn(*const jmeet_event, *mut c_void) -> jmeet_status);

macro_rules! getters {
    ($($function:ident $info:ty),* $(,)?) => {
        [$((
            stringify!($function),
            size_of::<$info>(),
            // SAFETY: the caller's promises.
            (|e, to| unsafe { $function(e, to.cast::<$info>()) }) as unsafe fn(*const jmeet_event, *mut c_void) -> jmeet_status,
        )),*]
    };
}

const GETTERS: [Getter; 33] = getters!(
    jmeet_event_error jmeet_error_info,
    jmeet_event_state jmeet_state_info,
    jmeet_event_joined jmeet_joined_info,
    jmeet_event_participant jmeet_participant_info,
    jmeet_event_participant_left jmeet_participant_left_info,
    jmeet_event_role jmeet_role_info,
    jmeet_event_message jmeet_message_info,
    jmeet_event_subject jmeet_subject_info,
    jmeet_event_track jmeet_track_info,
    jmeet_event_focus jmeet_focus_info,
    jmeet_event_bridge jmeet_bridge_info,
    jmeet_event_media jmeet_media_info,
    jmeet_event_track_streaming jmeet_track_streaming_info,
    jmeet_event_connectivity jmeet_connectivity_info,
    jmeet_event_round_trip jmeet_round_trip_info,
    jmeet_event_sources_refused jmeet_sources_refused_info,
    jmeet_event_start_muted jmeet_start_muted_info,
    jmeet_event_restart_refused jmeet_restart_refused_info,
    jmeet_event_tone jmeet_tone_info,
    jmeet_event_participant_stats jmeet_participant_stats_info,
    jmeet_event_local_stats jmeet_local_stats,
    jmeet_event_key_frame_wanted jmeet_key_frame_wanted_info,
    jmeet_event_target_bitrate jmeet_target_bitrate_info,
    jmeet_event_codec_wanted jmeet_codec_wanted_info,
    jmeet_event_bandwidth jmeet_bandwidth_info,
    jmeet_event_timeline jmeet_timeline_info,
    jmeet_event_overrun jmeet_overrun_info,
    jmeet_event_bridge_channel jmeet_bridge_channel_info,
    jmeet_event_speaker jmeet_speaker_info,
    jmeet_event_endpoint_message jmeet_endpoint_message_info,
    jmeet_event_track_forwarded jmeet_track_forwarded_info,
    jmeet_event_downlink jmeet_downlink_info,
    jmeet_event_muted_by jmeet_muted_by_info,
);

impl Run {
    fn call(&mut self, n: u8, a: [u8; 7]) {
        let mut wrong = Wrong::default();
        let w = &mut wrong;
        // SAFETY: handles may be anything; pointers are valid or NULL, strings NUL-terminated, structs as long as they say.
        unsafe {
            match n % CALLS {
                0 if self.alive(Kind::Queue) < MAX_ALIVE => {
                    let mut o = Sized::new(size_of::<jmeet_queue_options>(), a[1], w);
                    let o = o.get();
                    self.makes("jmeet_queue_new", Kind::Queue, 0, a[0], wrong, |q, e| jmeet_queue_new(o, q.cast(), e));
                }
                1 => self.new_client(a),
                2 => {
                    let c = w.handle(self.pick(Kind::Client, a[0]));
                    self.makes("jmeet_client_join", Kind::Room, c.key, a[1], wrong, |r, e| {
                        jmeet_client_join(c.get(), a[2].into(), r.cast(), e)
                    });
                }
                3 => {
                    let q = w.handle(self.pick(Kind::Queue, a[0]));
                    let timeout = if a[1] & TO_WAIT == 0 { i32::from(a[1] % 4) } else { self.patience_ms() };
                    self.makes("jmeet_queue_next", Kind::Event, 0, a[2], wrong, |e, _| {
                        jmeet_queue_next(q.get(), timeout, e.cast())
                    });
                }
                4 => self.set_callback(self.pick(Kind::Queue, a[0]), a[1], a[2]),
                5 => {
                    let q = w.handle(self.pick(Kind::Queue, a[0]));
                    let wakeup: jmeet_wakeup_callback = if a[1] & 1 == 0 { Some(on_wakeup) } else { None };
                    self.answered("jmeet_queue_set_wakeup", jmeet_queue_set_wakeup(q.get(), wakeup, null_mut()), w);
                    let mut fd = -7;
                    if self.answered("jmeet_queue_fd", jmeet_queue_fd(q.get(), &raw mut fd), w) {
                        assert!(fd >= 0);
                    }
                }
                6 => self.frees("jmeet_queue_free", self.pick(Kind::Queue, a[0]), jmeet_queue_free),
                7 => self.look_at(self.pick(Kind::Event, a[0])),
                8 => {
                    let e = w.handle(self.pick(Kind::Event, a[0]));
                    let (name, size, getter) = GETTERS[a[1] as usize % GETTERS.len()];
                    self.fills(name, size, a[2], wrong, |to| getter(e.get(), to));
                }
                9 => {
                    let e = w.handle(self.pick(Kind::Event, a[0]));
                    if self.answered("jmeet_event_retain", jmeet_event_retain(e.get()), w)
                        && let Some(h) = self.held.get_mut(&e.key)
                    {
                        h.references += 1;
                        h.life = if h.lent { h.life } else { Life::Alive };
                    }
                }
                10 => self.frees_event(self.pick(Kind::Event, a[0])),
                11 => {
                    let c = w.handle(self.pick(Kind::Client, a[0]));
                    self.makes("jmeet_client_conference", Kind::Room, c.key, a[1] | 2, wrong, |r, _| {
                        jmeet_client_conference(c.get(), r.cast())
                    });
                }
                12 => {
                    let c = w.handle(self.pick(Kind::Client, a[0]));
                    let mut at = 0;
                    let stage = extreme(a[1]) as u32;
                    self.answered("jmeet_client_timeline", jmeet_client_timeline(c.get(), stage, &raw mut at), w);
                    called("jmeet_client_state", true);
                    assert!(c.life != Life::Ended || jmeet_client_state(c.get()) == 0);
                    self.fills("jmeet_client_get_stats", size_of::<jmeet_client_stats>(), a[2], wrong, |s| {
                        jmeet_client_get_stats(c.get(), s.cast())
                    });
                }
                13 => {
                    let c = w.handle(self.pick(Kind::Client, a[0]));
                    self.answered("jmeet_client_close", jmeet_client_close(c.get(), i32::from(a[1] % 8) - 1), w);
                }
                14 => self.frees("jmeet_client_free", self.pick(Kind::Client, a[0]), jmeet_client_free),
                15..=17 => {
                    let r = w.handle(self.pick(Kind::Room, a[0]));
                    let (text, tag) = (string(a[1], w, true), a[2].into());
                    match n % CALLS {
                        15 => self.asks("jmeet_conference_send_message", a[3], &wrong, |e| {
                            jmeet_conference_send_message(r.get(), text, tag, e)
                        }),
                        16 => {
                            let to = string(a[4], w, true);
                            self.asks("jmeet_conference_send_private_message", a[3], &wrong, |e| {
                                jmeet_conference_send_private_message(r.get(), to, text, tag, e)
                            });
                        }
                        _ => self.asks("jmeet_conference_set_display_name", a[3], &wrong, |e| {
                            jmeet_conference_set_display_name(r.get(), text, tag, e)
                        }),
                    }
                }
                18 => {
                    let r = w.handle(self.pick(Kind::Room, a[0]));
                    self.asks("jmeet_conference_leave", a[1], &wrong, |e| {
                        jmeet_conference_leave(r.get(), a[2].into(), e)
                    });
                }
                19 => {
                    let r = w.handle(self.pick(Kind::Room, a[0]));
                    let mut text = jmeet_str { data: null(), size: 0 };
                    if self.answered("jmeet_conference_room_jid", jmeet_conference_room_jid(r.get(), &raw mut text), w)
                    {
                        check_text(text);
                    }
                    if self.answered(
                        "jmeet_conference_endpoint_id",
                        jmeet_conference_endpoint_id(r.get(), &raw mut text),
                        w,
                    ) {
                        check_text(text);
                    }
                }
                20 => {
                    let r = w.handle(self.pick(Kind::Room, a[0]));
                    self.makes("jmeet_conference_list_participants", Kind::People, 0, a[1], wrong, |l, _| {
                        jmeet_conference_list_participants(r.get(), l.cast())
                    });
                }
                21 => {
                    let r = w.handle(self.pick(Kind::Room, a[0]));
                    self.makes("jmeet_conference_list_tracks", Kind::Tracks, 0, a[1], wrong, |l, _| {
                        jmeet_conference_list_tracks(r.get(), l.cast())
                    });
                }
                22 => {
                    let r = w.handle(self.pick(Kind::Room, a[0]));
                    if a[3] & 2 != 0 {
                        let key = extreme(a[1]);
                        return self.makes(
                            "jmeet_conference_find_track_by_key",
                            Kind::Track,
                            r.key,
                            a[2],
                            wrong,
                            |t, _| jmeet_conference_find_track_by_key(r.get(), key, t.cast()),
                        );
                    }
                    let id = string(a[1], w, true);
                    if a[3] & 1 == 0 {
                        self.makes("jmeet_conference_find_participant", Kind::Person, r.key, a[2], wrong, |p, _| {
                            jmeet_conference_find_participant(r.get(), id, p.cast())
                        });
                    } else {
                        self.makes("jmeet_conference_find_track", Kind::Track, r.key, a[2], wrong, |t, _| {
                            jmeet_conference_find_track(r.get(), id, t.cast())
                        });
                    }
                }
                23 => {
                    let r = w.handle(self.pick(Kind::Room, a[0]));
                    w.may_be(&["ERR_INVALID_ARGUMENT"]);
                    let mut options = Sized::new(size_of::<jmeet_track_options>(), a[1], w);
                    let o = options.get::<jmeet_track_options>();
                    ((*o).encodings, (*o).height) = ((a[5] >> 1).into(), extreme(a[5]) as u32);
                    (*o).max_frame_rate = extreme(a[6]) as u32;
                    (*o).codec = u32::from(a[2] % 4).wrapping_add(1);
                    ((*o).media, (*o).video_type) = ((a[3] % 4).into(), (a[4] % 4).into());
                    ((*o).muted, (*o).queue_frames) = (u32::from(a[5] & 1), u32::from(a[5]));
                    let parent = self.held.get(&r.key).map_or(0, |h| h.parent);
                    self.makes("jmeet_conference_send_track", Kind::Track, parent, a[6], wrong, |t, e| {
                        jmeet_conference_send_track(r.get(), o, 1, t.cast(), e)
                    });
                }
                24 => {
                    let by_track = a[1] & 1 != 0;
                    let from = match by_track {
                        true => self.borrowed(Kind::Track, a[0]),
                        false => self.pick(Kind::Room, a[0]),
                    };
                    let from = w.handle(from);
                    w.may_be(&["ERR_INVALID_ARGUMENT"]);
                    let mut options = Sized::new(size_of::<jmeet_reader_options>(), a[2], w);
                    let o = options.get::<jmeet_reader_options>();
                    ((*o).media, (*o).queue_frames, (*o).jitter_ms) =
                        ((a[3] % 4).into(), a[4].into(), u32::from(a[5]) << 24);
                    let parent = self.held.get(&from.key).map_or(0, |h| h.parent);
                    let name = if by_track { "jmeet_reader_new" } else { "jmeet_conference_reader_new" };
                    self.makes(name, Kind::Reader, parent, a[6], wrong, |r, e| match by_track {
                        true => jmeet_reader_new(from.get(), o, r.cast(), e),
                        false => jmeet_conference_reader_new(from.get(), o, r.cast(), e),
                    });
                }
                25 => self.person(a, wrong),
                26 | 27 => {
                    let people = n % CALLS == 26;
                    let l = w.handle(self.pick(if people { Kind::People } else { Kind::Tracks }, a[0]));
                    let index = extreme(a[1]) as usize;
                    if people {
                        called("jmeet_participant_list_size", true);
                        let all = jmeet_participant_list_size(l.get());
                        assert!(l.life != Life::Ended || all == 0);
                        let size = size_of::<jmeet_participant_info>();
                        let read = self.fills("jmeet_participant_list_get", size, a[2], wrong, |i| {
                            jmeet_participant_list_get(l.get(), index, i.cast())
                        });
                        if let Some(mut info) = read {
                            self.meets((*info.get::<jmeet_participant_info>()).participant);
                        }
                    } else {
                        called("jmeet_track_list_size", true);
                        let all = jmeet_track_list_size(l.get());
                        assert!(l.life != Life::Ended || all == 0);
                        let size = size_of::<jmeet_track_info>();
                        let read = self.fills("jmeet_track_list_get", size, a[2], wrong, |i| {
                            jmeet_track_list_get(l.get(), index, i.cast())
                        });
                        if let Some(mut info) = read {
                            let track = (*info.get::<jmeet_track_info>()).track;
                            self.adopt_borrowed(Kind::Track, track.addr());
                        }
                    }
                }
                28 => self.frees(
                    "jmeet_participant_list_free",
                    self.pick(Kind::People, a[0]),
                    jmeet_participant_list_free,
                ),
                29 => self.frees("jmeet_track_list_free", self.pick(Kind::Tracks, a[0]), jmeet_track_list_free),
                30 => {
                    let t = w.handle(self.borrowed(Kind::Track, a[0]));
                    called("jmeet_track_key", true);
                    assert!(t.life != Life::Ended || jmeet_track_key(t.get()) == 0);
                    match a[1] % 6 {
                        0 => {
                            self.fills("jmeet_track_get", size_of::<jmeet_track_info>(), a[2], wrong, |i| {
                                jmeet_track_get(t.get(), i.cast())
                            });
                        }
                        1 => self.asks("jmeet_track_set_muted", a[2], &wrong, |e| {
                            jmeet_track_set_muted(t.get(), a[3].into(), a[4].into(), e)
                        }),
                        2 => {
                            let status = jmeet_track_request_key_frame(t.get());
                            self.answered("jmeet_track_request_key_frame", status, &wrong);
                        }
                        3 => {
                            self.answered("jmeet_track_remove", jmeet_track_remove(t.get()), &wrong);
                        }
                        4 => {
                            let size = size_of::<jmeet_track_status>();
                            w.may_be(&["ERR_INVALID_ARGUMENT"]);
                            self.fills("jmeet_track_get_status", size, a[2], wrong, |s| {
                                jmeet_track_get_status(t.get(), s.cast())
                            });
                        }
                        _ => self.tones(t, a, wrong),
                    }
                }
                31 => {
                    let t = w.handle(self.borrowed(Kind::Track, a[0]));
                    let mut options = Sized::new(size_of::<jmeet_writer_options>(), a[1], w);
                    let o = options.get();
                    let parent = self.held.get(&t.key).map_or(0, |h| h.parent);
                    self.makes("jmeet_writer_new", Kind::Writer, parent, a[2], wrong, |out, e| {
                        jmeet_writer_new(t.get(), o, out.cast(), e)
                    });
                }
                32 if a[6] >= 0xf0 => {
                    let h = w.handle(self.pick(Kind::Writer, a[0]));
                    w.may_be(&["ERR_INVALID_ARGUMENT"]);
                    let status = jmeet_writer_set_limited(h.get(), extreme(a[3]) as u32, extreme(a[4]) as u32);
                    self.answered("jmeet_writer_set_limited", status, w);
                }
                32 => {
                    let h = w.handle(self.pick(Kind::Writer, a[0]));
                    let mut frame = Sized::new(size_of::<jmeet_outgoing_frame>(), a[1], w);
                    let f = frame.get::<jmeet_outgoing_frame>();
                    let data = [a[2]; 64];
                    if a[3] & 15 == 15 {
                        w.is("ERR_NULL");
                    } else {
                        (*f).data = data.as_ptr();
                    }
                    (*f).size = usize::from(a[4] % 65);
                    ((*f).fields, (*f).rtp_duration) = ((a[3] >> 4).into(), u32::from(a[5]) * 90);
                    ((*f).temporal_id, (*f).audio_level) = (a[6].into(), a[6].into());
                    w.may_be(&["ERR_INVALID_ARGUMENT", "ERR_UNSUPPORTED", "ERR_NULL"]);
                    self.answered("jmeet_writer_write", jmeet_writer_write(h.get(), f), w);
                }
                33 => self.frees("jmeet_writer_free", self.pick(Kind::Writer, a[0]), jmeet_writer_free),
                34 => {
                    let r = w.handle(self.pick(Kind::Reader, a[0]));
                    match a[1] % 4 {
                        0 => {
                            let timeout = if a[3] & TO_WAIT == 0 { i32::from(a[3] % 3) } else { self.patience_ms() };
                            let start = Instant::now();
                            self.fills("jmeet_reader_next", size_of::<jmeet_frame>(), a[2], wrong, |f| {
                                jmeet_reader_next(r.get(), timeout, f.cast())
                            });
                            self.waited(start);
                        }
                        1 => {
                            self.fills("jmeet_reader_get_stats", size_of::<jmeet_reader_stats>(), a[2], wrong, |s| {
                                jmeet_reader_get_stats(r.get(), s.cast())
                            });
                        }
                        2 => {
                            let wakeup: jmeet_wakeup_callback = if a[2] & 1 == 0 { Some(on_wakeup) } else { None };
                            let status = jmeet_reader_set_wakeup(r.get(), wakeup, null_mut());
                            self.answered("jmeet_reader_set_wakeup", status, w);
                            let mut fd = -7;
                            self.answered("jmeet_reader_fd", jmeet_reader_fd(r.get(), &raw mut fd), w);
                        }
                        _ => self.makes("jmeet_frame_retain", Kind::Kept, 0, a[2], wrong, |f, _| {
                            jmeet_frame_retain(r.get(), f.cast())
                        }),
                    }
                }
                35 => self.frees("jmeet_reader_free", self.pick(Kind::Reader, a[0]), jmeet_reader_free),
                36 => {
                    let e = w.handle(self.pick(Kind::Error, a[0]));
                    check_text(jmeet_error_text(e.get()));
                    check_text(jmeet_error_condition(e.get()));
                    called("jmeet_error_stage", true);
                    assert!(e.life != Life::Ended || jmeet_error_stage(e.get()) == 0);
                    let size = size_of::<jmeet_error_info>();
                    self.fills("jmeet_error_get", size, a[1], wrong, |i| jmeet_error_get(e.get(), i.cast()));
                }
                37 => self.frees("jmeet_error_free", self.pick(Kind::Error, a[0]), jmeet_error_free),
                38 => match a[0] % 4 {
                    0 if self.alive(Kind::Runtime) < MAX_ALIVE => {
                        let mut options = Sized::new(size_of::<jmeet_runtime_options>(), a[1], w);
                        let o = options.get::<jmeet_runtime_options>();
                        (*o).threads = u32::from(a[2] % 3);
                        self.makes("jmeet_runtime_new", Kind::Runtime, 0, a[3], wrong, |r, e| {
                            jmeet_runtime_new(o, r.cast(), e)
                        });
                    }
                    1 => self.frees("jmeet_runtime_free", self.pick(Kind::Runtime, a[1]), jmeet_runtime_free),
                    2 => self.frees("jmeet_frame_release", self.pick(Kind::Kept, a[1]), jmeet_frame_release),
                    _ => {
                        let f = w.handle(self.pick(Kind::Kept, a[1]));
                        let size = size_of::<jmeet_frame>();
                        self.fills("jmeet_frame_get", size, a[2], wrong, |i| jmeet_frame_get(f.get(), i.cast()));
                    }
                },
                39 => {
                    if a[0] % 8 > 5 {
                        w.is("ERR_INVALID_ARGUMENT");
                    }
                    let callback: jmeet_log_callback = if a[1] & 1 == 0 { Some(on_log) } else { None };
                    let status = jmeet_log_set_callback((a[0] % 8).into(), callback, null_mut());
                    self.answered("jmeet_log_set_callback", status, w);
                    assert!(!CStr::from_ptr(jmeet_status_name(i32::from(a[2]) * 7 - 50)).is_empty());
                    assert!(!CStr::from_ptr(jmeet_version()).is_empty() && jmeet_abi_version() > 0);
                    assert_eq!(jmeet_features(), JMEET_FEATURE_MEDIA);
                    let at = jmeet_now_us();
                    assert!(at <= jmeet_now_us());
                    all_called(
                        ["jmeet_status_name", "jmeet_version", "jmeet_abi_version", "jmeet_features", "jmeet_now_us"],
                        true,
                    );
                }
                40 => self.inits(a),
                41 => self.takes_events(a),
                42 => self.statistics(a, wrong),
                43 => self.stats_of_a_writer(a, wrong),
                44 => self.speakers(a, wrong),
                45 => self.receives(a, wrong),
                _ => self.sends_to_endpoints(a, wrong),
            }
        }
        self.collect();
    }
}

/// A program of calls, eight bytes each: which, and its arguments.
pub fn calls(data: &[u8]) {
    run_for(data, Duration::from_millis(PATIENCE_MS));
}

fn run_for(data: &[u8], patience: Duration) {
    let mut run = Run::new(patience);
    for call in data.chunks_exact(CALL_BYTES).take(MAX_CALLS) {
        if let [n, a @ ..] = call
            && let Ok(a) = <[u8; 7]>::try_from(a)
        {
            run.call(*n, a);
        }
    }
    run.finish();
}
