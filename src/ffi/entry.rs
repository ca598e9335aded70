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
use std::sync::atomic::{AtomicBool, Ordering};

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

static FORKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Inside an entry point: a panic here is ours and goes to the log, not to stderr.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    /// Handle of the client that the running call is about; 0: none.
    static CLIENT: Cell<usize> = const { Cell::new(0) };
}

/// The running call is about this client.
pub(super) fn about(client: usize) {
    CLIENT.set(client);
}

extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
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
            if INSIDE.get() > 0 || std::thread::current().name().is_some_and(|n| n.starts_with("jmeet-")) {
                // The text of a panic may hold anything: its place is enough to find it.
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                log::write(log::Level::Error, "panic", || format!("a defect was caught at {place}"));
            } else {
                before(info);
            }
        }));
    });
}

fn forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Runs a body inside the boundary.
fn guarded<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if forked() {
        return Err(Error::new(Code::Forked, Stage::None, "nothing works in a forked child"));
    }
    start();
    INSIDE.set(INSIDE.get() + 1);
    let outer = CLIENT.replace(0);
    let result = catch_unwind(AssertUnwindSafe(body));
    let client = CLIENT.replace(outer);
    INSIDE.set(INSIDE.get() - 1);
    result.unwrap_or_else(|payload| Err(defect(payload, client)))
}

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
pub(super) fn status(error: *mut *mut error::jmeet_error, body: impl FnOnce() -> Result<(), Error>) -> jmeet_status {
    match guarded(body) {
        Ok(()) => jmeet_status::JMEET_OK,
        Err(e) => {
            let code = jmeet_status::from(e.code);
            if !forked() {
                error::give(error, e);
            }
            code
        }
    }
}

/// For functions that answer a value.
pub(super) fn value<T>(default: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    guarded(body).unwrap_or(default)
}
