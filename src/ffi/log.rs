//! The log callback of the process, and how much its texts matter.

use super::args::{Texts, jmeet_str};
use super::entry::entry;
use super::gate::{Gate, UserData};
use super::status::jmeet_status;
use crate::error::Code;
use crate::log::{self, Level};
use parking_lot::Mutex;
use std::ffi::c_void;
use std::sync::Arc;

/// How much a log text matters. Above DEBUG (that is, in ERROR, WARN and INFO) no text holds names of people or rooms, tokens, network
/// addresses or keys.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_log_level {
    /// Nothing: the default.
    JMEET_LOG_OFF = 0,
    /// Defects of the library.
    JMEET_LOG_ERROR = 1,
    /// What should not happen, and was survived.
    JMEET_LOG_WARN = 2,
    /// The course of each client: connections, states, requests, media sessions, the bridge channel, and how it ended.
    JMEET_LOG_INFO = 3,
    /// And who comes and goes, tracks, the stages of connecting, other people's texts of errors.
    JMEET_LOG_DEBUG = 4,
    /// And what each stanza and each message over the bridge's WebSocket is: type, sender and size, never what it says; no tokens, passwords
    /// or keys.
    JMEET_LOG_TRACE = 5,
}

/// Gets a text of the log. Called on any thread, several at a time; it must not block and may call nothing of this library but
/// `jmeet_log_set_callback`. The strings live until it returns.
pub type jmeet_log_callback =
    Option<unsafe extern "C" fn(level: u32, target: jmeet_str, text: jmeet_str, user_data: *mut c_void)>;

static GATE: Mutex<Option<Arc<Gate>>> = Mutex::new(None);

/// Hears what the library does, up to a level (`jmeet_log_level`); for the whole process. NULL or `JMEET_LOG_OFF` ends it: off is
/// the default, and nothing is ever written to stdout or stderr. When this returns the callback before it does not run and will
/// not run again, but the call that this was called from. Any thread.
///
/// Errors: `JMEET_ERR_INVALID_ARGUMENT` for an unknown level.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jmeet_log_set_callback(
    level: u32,
    callback: jmeet_log_callback,
    user_data: *mut c_void,
) -> jmeet_status {
    entry!({ set(level, callback, user_data) })
}

fn set(level: u32, callback: jmeet_log_callback, user_data: *mut c_void) -> Result<(), crate::Error> {
    let level = match level {
        0 => None,
        1 => Some(Level::Error),
        2 => Some(Level::Warn),
        3 => Some(Level::Info),
        4 => Some(Level::Debug),
        5 => Some(Level::Trace),
        _ => return Err(super::args::fault(Code::InvalidArgument, "no such log level")),
    };
    let gate = Arc::new(Gate::default());
    let user = UserData::new(user_data);
    let sink = callback.zip(level).map(|(f, level)| {
        let gate = gate.clone();
        let sink: log::Sink = Arc::new(move |level: Level, target: &str, text: &str| {
            gate.pass(|| {
                let texts = Texts::default();
                let [target, text] = texts.get([target, text]);
                // SAFETY: the program gave this function for this purpose; the strings outlive the call.
                unsafe { f(level as u32, target, text, user.get()) }
            });
        });
        (level, sink)
    });
    let before = match sink {
        Some((level, sink)) => {
            let before = GATE.lock().replace(gate);
            log::set(level, Some(sink));
            before
        }
        None => {
            log::set(Level::Error, None);
            GATE.lock().take()
        }
    };
    if let Some(before) = before {
        before.shut();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_the_value_of_its_rust_counterpart() {
        assert_eq!(jmeet_log_level::JMEET_LOG_ERROR as u32, Level::Error as u32);
        assert_eq!(jmeet_log_level::JMEET_LOG_TRACE as u32, Level::Trace as u32);
    }
}
