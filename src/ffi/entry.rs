//! The one macro that is the body of every exported function: fork check, panic boundary, explicit default (design §6).
//!
//! A panic is a defect of this library. It is caught here, logged, answered with `JMEET_ERR_PANIC` (or the default), and the
//! client that the call was about is closed with an event; the process and the other clients live.

use super::error;
use super::handle;
use super::status::jmeet_status;
use crate::error::{Code, Error, Stage};
use crate::log;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

/// `entry!({ … Ok(()) })` answers a status; `entry!(error; { … })` gives the caller a `jmeet_error` too; `entry!(or default; { … Ok(value) })`
/// answers a value. The body may do what an `unsafe fn` may: the header states what the caller promises.
macro_rules! entry {
    ($body:block) => {
        $crate::ffi::entry::status(std::ptr::null_mut(), || unsafe { $body })
    };
    ($error:ident; $body:block) => {
        $crate::ffi::entry::status($error, || unsafe { $body })
    };
    (or $default:expr; $body:block) => {
        $crate::ffi::entry::value($default, || unsafe { $body })
    };
}
pub(super) use entry;

/// What each call asks first: whether the library is set up, and not in a forked child.
static PHASE: AtomicU8 = AtomicU8::new(NEW);
const NEW: u8 = 0;
const READY: u8 = 1;
const FORKED: u8 = 2;

/// The calls that this thread is in. Together, for in a shared library finding one costs a call.
struct Calls {
    /// How deep inside entry points: a panic here is ours and goes to the log, not to stderr.
    inside: Cell<u32>,
    /// Handle of the client that the running call is about; 0: none.
    client: Cell<usize>,
}

thread_local! {
    static CALLS: Calls = const { Calls { inside: Cell::new(0), client: Cell::new(0) } };
}

/// The running call is about this client.
pub(super) fn about(client: usize) {
    CALLS.with(|c| c.client.set(client));
}

extern "C" fn in_child() {
    PHASE.store(FORKED, Ordering::Relaxed);
}

fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        #[cfg(all(unix, not(miri)))]
        // SAFETY: the handler only stores to an atomic, which is allowed in a forked child.
        unsafe {
            // Without the handler only the answer in a forked child is lost.
            libc::pthread_atfork(None, None, Some(in_child));
        }
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CALLS.with(|c| c.inside.get()) > 0
                || std::thread::current().name().is_some_and(|n| n.starts_with("jmeet-"))
            {
                // The text of a panic may hold anything: its place is enough to find it.
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                log::write(log::Level::Error, "panic", || format!("a defect was caught at {place}"));
            } else {
                before(info);
            }
        }));
        // Forked meanwhile: so it stays.
        let _ = PHASE.compare_exchange(NEW, READY, Ordering::Release, Ordering::Relaxed);
    });
}

/// The first call, or one that is refused.
#[cold]
fn not_ready() -> Result<(), Error> {
    if forked() {
        return Err(Error::new(Code::Forked, Stage::None, "nothing works in a forked child"));
    }
    start();
    Ok(())
}

fn forked() -> bool {
    PHASE.load(Ordering::Relaxed) == FORKED
}

/// Runs a body inside the boundary.
#[inline]
fn guarded<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if PHASE.load(Ordering::Acquire) != READY {
        not_ready()?;
    }
    let (result, client) = CALLS.with(|c| {
        c.inside.set(c.inside.get() + 1);
        let outer = c.client.replace(0);
        let result = catch_unwind(AssertUnwindSafe(body));
        let client = c.client.replace(outer);
        c.inside.set(c.inside.get() - 1);
        (result, client)
    });
    result.unwrap_or_else(|payload| Err(defect(payload, client)))
}

#[cold]
fn defect(payload: Box<dyn Any + Send>, client: usize) -> Error {
    // Dropping a payload can panic again; forgetting it leaks a few bytes once per defect.
    std::mem::forget(payload);
    let error = Error::new(Code::Panic, Stage::None, "a defect of the library was caught");
    if client != 0 {
        // The client may be gone, or closing it may fail by the same defect: there is nobody to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if let Ok(c) = handle::get::<super::client::Client>(handle::pointer::<super::client::Client>(client)) {
                c.fail(error.clone());
            }
        }));
    }
    error
}

/// For functions that answer a status.
#[inline]
pub(super) fn status(error: *mut *mut error::jmeet_error, body: impl FnOnce() -> Result<(), Error>) -> jmeet_status {
    match guarded(body) {
        Ok(()) => jmeet_status::JMEET_OK,
        Err(e) => failed(error, e),
    }
}

#[cold]
fn failed(error: *mut *mut error::jmeet_error, e: Error) -> jmeet_status {
    let code = jmeet_status::from(e.code);
    if !forked() {
        error::give(error, e);
    }
    code
}

/// For functions that answer a value.
#[inline]
pub(super) fn value<T>(default: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    guarded(body).unwrap_or(default)
}
