//! One run of the fuzz target: the handles that it holds, how answers are judged, and its end.

use super::super::{
    client::*, error::*, event::*, event_kind::*, log::*, participant::*, queue::*, runtime::*, status::*, track::*,
};
use super::super::{frame::jmeet_frame_release, stats::jmeet_stats_free};
use super::model::{Handle, Held, Kind, Life, Sized, Wrong, all_called, called, check_text, documented, status_name};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What an out-parameter holds before the call.
const POISON: usize = 0x5a5a_5a5a;
/// Addresses that are no handles.
const INVENTED: [usize; 6] = [1, 8, 4096, 0xdead_beef, usize::MAX, usize::MAX / 2];
/// Set in a handle it makes a generation that no run reaches.
const FAR_GENERATION: usize = 1 << (usize::BITS - 9);

/// For what the network brings, of one call: what comes at all on one machine comes sooner.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// What the callbacks of this run saw.
#[derive(Default)]
struct Seen {
    retained: Mutex<Vec<usize>>,
    destroyed: AtomicU32,
    calls: AtomicU32,
}

/// What one callback is told to do, and where to report.
struct Orders {
    seen: Arc<Seen>,
    what: u8,
    queue: usize,
}

unsafe extern "C" fn on_event(event: *mut jmeet_event, user_data: *mut c_void) {
    // SAFETY: the run keeps both until its queues are freed.
    let (orders, seen) = unsafe {
        let orders = &*user_data.cast::<Orders>();
        (orders, &orders.seen)
    };
    seen.calls.fetch_add(1, Ordering::Relaxed);
    // SAFETY: handles.
    unsafe {
        assert_ne!(jmeet_event_type(event), jmeet_event_kind::JMEET_EVENT_NONE as u32);
        match orders.what % 6 {
            1 => {
                assert_eq!(jmeet_event_retain(event), jmeet_status::JMEET_OK);
                seen.retained.lock().push(event.addr());
            }
            2 => assert_eq!(jmeet_event_free(event), jmeet_status::JMEET_ERR_STATE),
            // The client may be freed by the run at the same time.
            3 => drop(jmeet_client_free(jmeet_event_client(event))),
            // Another thread may be replacing it: then this changes nothing.
            4 => drop(jmeet_queue_set_callback(std::ptr::without_provenance_mut(orders.queue), None, null_mut(), None)),
            _ => {}
        }
    }
}

unsafe extern "C" fn on_destroy(user_data: *mut c_void) {
    // SAFETY: as in `on_event`.
    let orders = unsafe { &*user_data.cast::<Orders>() };
    orders.seen.destroyed.fetch_add(1, Ordering::Relaxed);
}

pub(super) struct Run {
    pub held: BTreeMap<usize, Held>,
    /// Keys in the order of their arrival.
    order: Vec<(Kind, usize)>,
    seen: Arc<Seen>,
    orders: Vec<Arc<Orders>>,
    /// Callbacks that were taken with a `destroy`.
    taken: u32,
    /// A callback frees clients when it likes.
    wild: bool,
    /// No other run's, for those before it are still leaving theirs.
    pub room: CString,
    /// What is left of the time for waiting.
    patience: Duration,
}

impl Run {
    pub fn new(patience: Duration) -> Run {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        Run {
            held: BTreeMap::new(),
            order: vec![],
            seen: Arc::default(),
            orders: vec![],
            taken: 0,
            wild: false,
            room: CString::new(format!("r{}", RUNS.fetch_add(1, Ordering::Relaxed))).unwrap_or_default(),
            patience,
        }
    }

    /// How long one call waits, as a `timeout_ms`.
    pub fn patience_ms(&self) -> i32 {
        i32::try_from(self.patience.min(LONGEST_WAIT).as_millis()).unwrap_or(0)
    }

    pub fn waited(&mut self, since: Instant) {
        self.patience = self.patience.saturating_sub(since.elapsed());
    }

    /// A handle that a getter gave; NULL is none.
    pub fn adopt_borrowed(&mut self, kind: Kind, key: usize) {
        // Whose it is matters not: it may end at any time.
        if key != 0 {
            self.adopt(kind, key, 0, false);
        }
    }

    pub fn adopt(&mut self, kind: Kind, key: usize, parent: usize, lent: bool) {
        let held = Held { kind, life: Life::Alive, parent, references: 1, lent };
        // Handles that getters give are the same each time; those that end were told to end.
        self.held.entry(key).and_modify(|h| h.references += u32::from(kind == Kind::Event)).or_insert(held);
        self.order.push((kind, key));
    }

    pub fn alive(&self, kind: Kind) -> usize {
        self.held.values().filter(|h| h.kind == kind && h.life != Life::Ended).count()
    }

    pub fn life(&self, key: usize) -> Life {
        let Some(h) = self.held.get(&key) else { return Life::Ended };
        let of_client = matches!(h.kind, Kind::Client | Kind::Room | Kind::Track | Kind::Writer | Kind::Reader);
        match h.life {
            Life::Alive if self.wild && of_client => Life::Maybe,
            life => life,
        }
    }

    /// A handle by one byte: mostly one of the right kind, newest first, perhaps stale; else NULL, another kind's, invented.
    pub fn pick(&self, kind: Kind, choice: u8) -> Handle {
        let wrong = |key| Handle { key, life: Life::Ended };
        let nth = |right: bool| {
            let mut all = self.order.iter().rev().filter(|(k, _)| (*k == kind) == right).map(|(_, key)| *key);
            let n = all.clone().count();
            if n == 0 { None } else { all.nth(choice as usize % n) }
        };
        match choice {
            0xc0..=0xcf => wrong(0),
            0xd0..=0xdf => wrong(nth(false).unwrap_or(1)),
            0xe0..=0xe7 => wrong(nth(true).map_or(1, |key| key | FAR_GENERATION)),
            0xe8.. => wrong(INVENTED[choice as usize % INVENTED.len()]),
            _ => nth(true).map_or(wrong(0), |key| Handle { key, life: self.life(key) }),
        }
    }

    /// Judges an answer; whether it was OK.
    pub fn answered(&self, name: &'static str, status: jmeet_status, wrong: &Wrong) -> bool {
        let s = status_name(status);
        called(name, status == jmeet_status::JMEET_OK);
        if status == jmeet_status::JMEET_OK {
            assert!(wrong.certain.is_empty(), "{name} took what is {:?}", wrong.certain);
            return true;
        }
        let known = documented().get(name).unwrap_or_else(|| panic!("{name} is not in the header"));
        // The header's words on structs hold for every function.
        let of_struct = s == "ERR_UNSUPPORTED" && wrong.certain.contains(s);
        assert!(known.contains(s) || of_struct, "{name} answers {s}, which the header does not name");
        if !wrong.certain.is_empty() {
            assert!(
                wrong.certain.contains(s) || wrong.possible.contains(s),
                "{name} answers {s} to {:?}",
                wrong.certain
            );
        } else if matches!(s, "ERR_NULL" | "ERR_INVALID_HANDLE") {
            assert!(wrong.possible.contains(s), "{name} answers {s} to good handles");
        }
        false
    }

    /// A call that makes a handle, and may explain its failure.
    pub fn makes(
        &mut self,
        name: &'static str,
        kind: Kind,
        parent: usize,
        odd: u8,
        mut wrong: Wrong,
        call: impl FnOnce(*mut *mut c_void, *mut *mut jmeet_error) -> jmeet_status,
    ) {
        let mut made: *mut c_void = std::ptr::without_provenance_mut(POISON);
        let mut error: *mut jmeet_error = std::ptr::without_provenance_mut(POISON);
        let out = if odd & 1 != 0 {
            wrong.is("ERR_NULL");
            null_mut()
        } else {
            &raw mut made
        };
        let why = if odd & 2 != 0 { null_mut() } else { &raw mut error };
        let status = call(out, why);
        if self.answered(name, status, &wrong) {
            assert!(made.addr() != POISON && !made.is_null(), "{name} gave nothing");
            self.adopt(kind, made.addr(), parent, false);
        } else {
            assert_eq!(made.addr(), POISON, "{name} wrote on failure");
        }
        self.explained(status, error);
    }

    /// `error` is there when the call failed, and says the same.
    pub fn explained(&mut self, status: jmeet_status, error: *mut jmeet_error) {
        if error.addr() == POISON {
            return;
        }
        assert_ne!(status, jmeet_status::JMEET_OK, "an error of a success");
        // SAFETY: a handle.
        unsafe {
            assert_eq!(jmeet_error_status(error), status);
            check_text(jmeet_error_text(error));
            check_text(jmeet_error_condition(error));
            all_called(["jmeet_error_status", "jmeet_error_text", "jmeet_error_condition"], true);
        }
        self.adopt(Kind::Error, error.addr(), 0, false);
    }

    /// A call with a tag that may explain its failure.
    pub fn asks(
        &mut self,
        name: &'static str,
        odd: u8,
        wrong: &Wrong,
        call: impl FnOnce(*mut *mut jmeet_error) -> jmeet_status,
    ) {
        let mut error: *mut jmeet_error = std::ptr::without_provenance_mut(POISON);
        let status = call(if odd & 2 != 0 { null_mut() } else { &raw mut error });
        self.answered(name, status, wrong);
        self.explained(status, error);
    }

    pub fn end(&mut self, key: usize) {
        if let Some(h) = self.held.get_mut(&key) {
            h.life = Life::Ended;
        }
        let children: Vec<usize> = self.held.iter().filter(|(_, h)| h.parent == key).map(|(k, _)| *k).collect();
        for child in children.into_iter().filter(|_| key != 0) {
            if self.held.get(&child).is_some_and(|h| h.life != Life::Ended) {
                self.end(child);
            }
        }
    }

    /// A call that ends a handle.
    pub fn frees<T>(&mut self, name: &'static str, h: Handle, call: unsafe extern "C" fn(*mut T) -> jmeet_status) {
        let mut wrong = Wrong::default();
        wrong.freed(h);
        // SAFETY: any value may be given.
        let status = unsafe { call(h.get()) };
        if self.answered(name, status, &wrong) {
            self.end(h.key);
        }
    }

    pub fn frees_event(&mut self, h: Handle) {
        let mut wrong = Wrong::default();
        wrong.freed(h);
        // SAFETY: any value may be given.
        let ok = self.answered("jmeet_event_free", unsafe { jmeet_event_free(h.get()) }, &wrong);
        if let Some(e) = self.held.get_mut(&h.key).filter(|e| ok && e.kind == Kind::Event && e.references > 0) {
            e.references -= 1;
            if e.references == 0 {
                e.life = if e.lent { Life::Maybe } else { Life::Ended };
            }
        }
    }

    /// Events that callbacks kept.
    pub fn collect(&mut self) {
        let kept = std::mem::take(&mut *self.seen.retained.lock());
        for key in kept {
            self.adopt(Kind::Event, key, 0, true);
        }
    }

    pub fn set_callback(&mut self, queue: Handle, what: u8, with: u8) {
        let mut wrong = Wrong::default();
        wrong.handle(queue);
        let callback: jmeet_event_callback = if with & 1 != 0 { None } else { Some(on_event) };
        let destroy: jmeet_destroy_callback = if with & 2 != 0 { None } else { Some(on_destroy) };
        self.wild |= callback.is_some() && what % 6 == 3;
        let orders = Arc::new(Orders { seen: self.seen.clone(), what, queue: queue.key });
        let user_data = Arc::as_ptr(&orders).cast_mut().cast();
        self.orders.push(orders);
        // SAFETY: the orders live as long as the run.
        let status = unsafe { jmeet_queue_set_callback(queue.get(), callback, user_data, destroy) };
        if self.answered("jmeet_queue_set_callback", status, &wrong) && callback.is_some() && destroy.is_some() {
            self.taken += 1;
        }
    }

    pub fn look_at(&self, h: Handle) {
        // SAFETY: any value may be given.
        unsafe {
            let (kind, client) = (jmeet_event_type(h.get()), jmeet_event_client(h.get()));
            let _ = (jmeet_event_tag(h.get()), jmeet_event_conference(h.get()));
            let names = [
                "jmeet_event_type",
                "jmeet_event_client",
                "jmeet_event_tag",
                "jmeet_event_conference",
                "jmeet_event_user_value",
                "jmeet_event_status",
            ];
            all_called(names, h.life == Life::Alive);
            match h.life {
                Life::Alive => {
                    assert!(kind != 0 && !client.is_null());
                    assert_eq!(jmeet_event_user_value(h.get()), 7);
                    assert_ne!(jmeet_event_status(h.get()), jmeet_status::JMEET_ERR_INVALID_HANDLE);
                }
                Life::Ended => {
                    assert!(kind == 0 && client.is_null());
                    let expected =
                        if h.key == 0 { jmeet_status::JMEET_ERR_NULL } else { jmeet_status::JMEET_ERR_INVALID_HANDLE };
                    assert_eq!(jmeet_event_status(h.get()), expected);
                }
                Life::Maybe => {}
            }
        }
    }

    /// A call that fills a struct of the caller's.
    pub fn fills(
        &self,
        name: &'static str,
        real: usize,
        mode: u8,
        mut wrong: Wrong,
        call: impl FnOnce(*mut c_void) -> jmeet_status,
    ) -> Option<Sized> {
        let mut info = Sized::new(real, mode, &mut wrong);
        let before = info.bytes().to_vec();
        let ok = self.answered(name, call(info.bytes().as_mut_ptr().cast()), &wrong);
        let untouched = if ok { real } else { 0 };
        assert_eq!(info.bytes()[..4], before[..4], "{name} changed struct_size");
        assert!(info.bytes()[untouched..] == before[untouched..], "{name} wrote where it must not");
        ok.then_some(info)
    }

    /// Tracks and participants end when they are removed, or with the meeting, whenever that is told.
    pub fn borrowed(&self, kind: Kind, choice: u8) -> Handle {
        let h = self.pick(kind, choice);
        Handle { life: if h.life == Life::Alive { Life::Maybe } else { h.life }, ..h }
    }

    /// A program at its end: everything is freed, in an order that the header allows.
    pub fn finish(mut self) {
        // SAFETY: handles.
        unsafe {
            let all = |run: &Run, kind| -> Vec<usize> {
                run.held.iter().filter(|(_, h)| h.kind == kind && h.life != Life::Ended).map(|(k, _)| *k).collect()
            };
            for key in all(&self, Kind::Client) {
                self.frees("jmeet_client_free", Handle { key, life: self.life(key) }, jmeet_client_free);
            }
            for key in all(&self, Kind::Queue) {
                let free = || jmeet_queue_free(std::ptr::without_provenance_mut(key));
                // A callback that frees a client may be in the middle of it.
                let busy = |s: &jmeet_status| self.wild && *s == jmeet_status::JMEET_ERR_IN_USE;
                let last = std::iter::repeat_with(free).inspect(|_| std::thread::yield_now()).find(|s| !busy(s));
                assert_eq!(last, Some(jmeet_status::JMEET_OK), "a queue without clients");
            }
            self.collect();
            for key in all(&self, Kind::Event) {
                for _ in 0..self.held.get(&key).map_or(0, |h| h.references) {
                    assert_eq!(jmeet_event_free(std::ptr::without_provenance_mut(key)), jmeet_status::JMEET_OK);
                }
            }
            for key in all(&self, Kind::Runtime) {
                assert_eq!(jmeet_runtime_free(std::ptr::without_provenance_mut(key)), jmeet_status::JMEET_OK);
            }
            for key in all(&self, Kind::Error) {
                assert_eq!(jmeet_error_free(std::ptr::without_provenance_mut(key)), jmeet_status::JMEET_OK);
            }
            for key in all(&self, Kind::People) {
                assert_eq!(jmeet_participant_list_free(std::ptr::without_provenance_mut(key)), jmeet_status::JMEET_OK);
            }
            for key in all(&self, Kind::Tracks) {
                assert_eq!(jmeet_track_list_free(std::ptr::without_provenance_mut(key)), jmeet_status::JMEET_OK);
            }
            for key in all(&self, Kind::Stats) {
                assert_eq!(jmeet_stats_free(std::ptr::without_provenance_mut(key)), jmeet_status::JMEET_OK);
            }
            for key in all(&self, Kind::Kept) {
                assert_eq!(jmeet_frame_release(std::ptr::without_provenance_mut(key)), jmeet_status::JMEET_OK);
            }
            assert_eq!(jmeet_log_set_callback(0, None, null_mut()), jmeet_status::JMEET_OK);
        }
        assert_eq!(self.seen.destroyed.load(Ordering::SeqCst), self.taken, "destroy runs once per callback");
    }
}
