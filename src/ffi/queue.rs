//! `jmeet_queue`: where events wait. `next`, descriptor, wake-up and callback are four ways to the same events in the same order.

use super::args::{Struct, init, options_or_default, out, required, timeout};
use super::entry::entry;
use super::error::jmeet_error;
use super::event::{Delivered, jmeet_event};
use super::gate::{Gate, UserData};
use super::handle::{Object, Table, get, hold, make, take};
use super::status::jmeet_status;
use crate::client::Queue;
use crate::error::{Code, Error, Stage};
use parking_lot::Mutex;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A queue of events. One can serve many clients: events name their client.
///
/// A queue that nobody drains stays small. A participant that came and went is not mentioned; of state events the newest per
/// object is kept; of messages the newest `JMEET_MAX_MESSAGES` per client, the loss is counted in an OVERRUN event.
///
/// Functions: `jmeet_queue_new`, `jmeet_queue_next`, `jmeet_queue_fd`, `jmeet_queue_set_wakeup`, `jmeet_queue_set_callback`,
/// `jmeet_queue_free`.
pub struct jmeet_queue {
    _opaque: [u8; 0],
}

/// How a queue is made. No choices yet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct jmeet_queue_options {
    pub struct_size: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: as the trait asks.
unsafe impl Struct for jmeet_queue_options {}

/// Gets an event. `event` is borrowed until the function returns; `jmeet_event_retain` keeps it longer. Runs on the queue's
/// dispatcher thread, one call at a time, with no lock of the library held: it may call every function of this header, also
/// those that free the client, the queue, or replace this callback. No C++ exception may leave it.
pub type jmeet_event_callback = Option<unsafe extern "C" fn(event: *mut jmeet_event, user_data: *mut c_void)>;

/// Says that something waits. Runs on a thread of the library: signal another thread and return; call nothing of this library.
pub type jmeet_wakeup_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Frees what a callback's `user_data` points to. Called once, after the last call of that callback.
pub type jmeet_destroy_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Messages of one client that wait in a queue at most.
pub const JMEET_MAX_MESSAGES: u32 = 1024;

const _: () = assert!(JMEET_MAX_MESSAGES as usize == crate::client::MAX_MESSAGES);

pub(super) struct Events {
    queue: Queue,
    /// Of the wake-up that is set.
    gate: Mutex<Option<Arc<Gate>>>,
}

impl Object for Events {
    type Handle = jmeet_queue;

    fn table() -> &'static Table<Events> {
        static TABLE: Table<Events> = Table::new(2);
        &TABLE
    }
}

impl Events {
    pub fn queue(&self) -> &Queue {
        &self.queue
    }
}

/// A wake-up of C as Rust calls it, behind a gate that can be shut.
pub(super) type Wakeup = Box<dyn Fn() + Send + Sync>;

/// Sets a wake-up by `set` and shuts the gate of the one before.
pub(super) fn replace_wakeup(
    gate: &Mutex<Option<Arc<Gate>>>,
    callback: jmeet_wakeup_callback,
    user_data: *mut c_void,
    set: impl FnOnce(Option<Wakeup>),
) {
    let fresh = Arc::new(Gate::default());
    let user = UserData::new(user_data);
    let wakeup = callback.map(|f| {
        let gate = fresh.clone();
        // SAFETY: the program gave this function for this purpose.
        let call: Wakeup = Box::new(move || gate.pass(|| unsafe { f(user.get()) }));
        call
    });
    let before = {
        let mut g = gate.lock();
        let kept = wakeup.is_some().then_some(fresh);
        set(wakeup);
        std::mem::replace(&mut *g, kept)
    };
    if let Some(before) = before {
        before.shut();
    }
}

/// Runs the program's `destroy` once, on the thread where the callback ends, if the callback was taken at all.
struct Destroy {
    f: jmeet_destroy_callback,
    user: UserData,
    state: AtomicU8,
}

const UNDECIDED: u8 = 0;
const TAKEN: u8 = 1;
const ENDED: u8 = 2;

impl Destroy {
    fn run(&self) {
        if let Some(f) = self.f {
            // SAFETY: the program gave this function for this purpose; the states let it run once.
            unsafe { f(self.user.get()) }
        }
    }

    /// The callback was taken.
    fn taken(&self) {
        if self.state.swap(TAKEN, Ordering::AcqRel) == ENDED {
            self.run();
        }
    }
}

/// Held by the callback; dropped with it.
struct Ends(Arc<Destroy>);

impl Drop for Ends {
    fn drop(&mut self) {
        if self.0.state.swap(ENDED, Ordering::AcqRel) == TAKEN {
            self.0.run();
        }
    }
}

/// Sets all fields to their defaults; for languages that see no macros. `size` is that of the struct as the caller knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_queue_options_init(options: *mut jmeet_queue_options, size: usize) -> jmeet_status {
    entry!({ init(options, size) })
}

/// Makes a queue. `options` may be NULL. Starts no thread. Any thread; does not block.
///
/// Errors: `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_ARGUMENT`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_queue_new(
    options: *const jmeet_queue_options,
    queue: *mut *mut jmeet_queue,
    error: *mut *mut jmeet_error,
) -> jmeet_status {
    entry!(error; {
        required(queue)?;
        if options_or_default(options)?.reserved != 0 {
            return Err(Error::new(Code::Unsupported, Stage::None, "reserved must be 0"));
        }
        out(queue, make(Arc::new(Events { queue: Queue::new()?, gate: Mutex::default() }))?)
    })
}

/// Takes the next event, or waits for one at most `timeout_ms` (0: not at all; `JMEET_FOREVER`). The event is the caller's, who
/// frees it with `jmeet_event_free`. Several threads may wait; each event goes to one of them. Blocks up to the timeout.
///
/// Errors: `JMEET_ERR_TIMEOUT`: none came. `JMEET_ERR_CLOSED`: the queue was freed meanwhile. `JMEET_ERR_STATE`: the queue has a
/// callback. `JMEET_ERR_NULL`, `JMEET_ERR_INVALID_HANDLE`, `JMEET_ERR_RESOURCES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_queue_next(
    queue: *mut jmeet_queue,
    timeout_ms: i32,
    event: *mut *mut jmeet_event,
) -> jmeet_status {
    entry!({
        required(event)?;
        let ready = hold::<Events>(queue)?.queue.ready()?;
        let queued = match ready {
            Some(queued) => queued,
            None => {
                // The object is let go before the wait, so that freeing the queue ends it.
                let waiting = get::<Events>(queue)?.queue.clone();
                waiting.next(timeout(timeout_ms))?
            }
        };
        out(event, Delivered::hand_over(queued)?)
    })
}

/// A descriptor that is readable while an event waits, for poll, select and event loops. It belongs to the queue: never read or
/// close it. When it is readable call `jmeet_queue_next(queue, 0, …)` until `JMEET_ERR_TIMEOUT`. Any thread; does not block.
///
/// Errors: `JMEET_ERR_UNSUPPORTED` where the system has no such descriptors, `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL`,
/// `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_queue_fd(queue: *mut jmeet_queue, fd: *mut isize) -> jmeet_status {
    entry!({
        required(fd)?;
        out(fd, get::<Events>(queue)?.queue.fd()? as isize)
    })
}

/// Has `wakeup` called whenever the queue stops being empty; NULL ends it. Drain the queue once after setting it: what waits
/// already makes no call. When this returns the wake-up before it does not run and will not run again, but the call that this was
/// called from. Any thread.
///
/// Errors: `JMEET_ERR_NULL` for the queue, `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_queue_set_wakeup(
    queue: *mut jmeet_queue,
    wakeup: jmeet_wakeup_callback,
    user_data: *mut c_void,
) -> jmeet_status {
    entry!({
        let events = get::<Events>(queue)?;
        replace_wakeup(&events.gate, wakeup, user_data, |w| events.queue.set_wakeup(w));
        Ok(())
    })
}

/// Has every event delivered to `callback` by one dispatcher thread ("jmeet-events"), instead of `jmeet_queue_next`. NULL ends
/// it. `destroy` (may be NULL) is called once with `user_data` after the last call, on the dispatcher thread; it has run
/// when the call that ends the callback returns, unless that call was made inside the callback; not at all when
/// this function fails.
///
/// When this returns the callback before it does not run and will not run again, but the call that this was called from; a new
/// one starts after that has returned. Any thread; blocks while the callback before it runs. Never call it while holding a lock
/// that your callback takes.
///
/// Errors: `JMEET_ERR_CLOSED`, `JMEET_ERR_BUSY`: another thread sets a callback. `JMEET_ERR_RESOURCES`, `JMEET_ERR_NULL` for the queue,
/// `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_queue_set_callback(
    queue: *mut jmeet_queue,
    callback: jmeet_event_callback,
    user_data: *mut c_void,
    destroy: jmeet_destroy_callback,
) -> jmeet_status {
    entry!({ set_callback(&get::<Events>(queue)?.queue.clone(), callback, user_data, destroy) })
}

fn set_callback(
    queue: &Queue,
    callback: jmeet_event_callback,
    user_data: *mut c_void,
    destroy: jmeet_destroy_callback,
) -> Result<(), Error> {
    let Some(f) = callback else { return queue.set_callback(None) };
    let user = UserData::new(user_data);
    let destroy = Arc::new(Destroy { f: destroy, user, state: AtomicU8::new(UNDECIDED) });
    let ends = Ends(destroy.clone());
    queue.set_callback(Some(Box::new(move |event| {
        let _keep = &ends;
        // Without a handle left the event is lost: the program holds millions of them.
        let Ok(lent) = Delivered::lend(event) else { return };
        // SAFETY: the program gave this function for this purpose.
        unsafe { f(lent, user.get()) };
        Delivered::take_back(lent);
    })))?;
    destroy.taken();
    Ok(())
}

/// Frees a queue. Blocked calls of `jmeet_queue_next` wake with `JMEET_ERR_CLOSED`; a callback ends as in
/// `jmeet_queue_set_callback`. Events in the program's hands stay good. NULL is fine. Any thread, also inside its callback.
///
/// Errors: `JMEET_ERR_IN_USE`: free its clients first; nothing was done. `JMEET_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_queue_free(queue: *mut jmeet_queue) -> jmeet_status {
    entry!({
        if queue.is_null() {
            return Ok(());
        }
        if get::<Events>(queue)?.queue.clients() > 0 {
            return Err(Error::new(Code::InUse, Stage::None, "the queue has clients"));
        }
        if let Some(events) = take::<Events>(queue)? {
            events.queue.close();
            replace_wakeup(&events.gate, None, std::ptr::null_mut(), |w| events.queue.set_wakeup(w));
        }
        Ok(())
    })
}
