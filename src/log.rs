//! Where the library says what it does: one callback of the program, off by default; never stdout or stderr (design §6).
//!
//! Above [`Level::Debug`] a text holds no address of people, no room name, token, network address or key.

use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// A defect, or something that ends a meeting.
    Error = 1,
    /// Something that should not happen, survived.
    Warn = 2,
    /// The course of things.
    Info = 3,
    /// Details; may name rooms and people.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// Called on any thread, several at a time. It must not block.
pub type Sink = Arc<dyn Fn(Level, &str, &str) + Send + Sync>;

static LEVEL: AtomicU32 = AtomicU32::new(0);
static SINK: RwLock<Option<Sink>> = RwLock::new(None);

/// Sends texts up to `level` to `sink`, or nowhere.
pub fn set(level: Level, sink: Option<Sink>) {
    let mut s = SINK.write();
    LEVEL.store(if sink.is_some() { level as u32 } else { 0 }, Ordering::Relaxed);
    *s = sink;
}

/// Whether anybody hears this level.
pub fn enabled(level: Level) -> bool {
    level as u32 <= LEVEL.load(Ordering::Relaxed)
}

/// Says something; the text is made only when somebody hears it. `target` names the part of the library.
pub fn write(level: Level, target: &str, text: impl FnOnce() -> String) {
    if enabled(level) {
        // Cloned: no lock is held while user code runs.
        let sink = SINK.read().clone();
        if let Some(sink) = sink {
            sink(level, target, &text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[test]
    fn only_the_wanted_levels_are_made_and_heard() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        write(Level::Error, "t", || unreachable!("nobody listens"));
        let h = heard.clone();
        // Other tests of this process may write meanwhile.
        let sink = move |l, target: &str, text: &str| {
            if target == "t" {
                h.lock().push((l, text.to_owned()));
            }
        };
        set(Level::Warn, Some(Arc::new(sink)));
        write(Level::Warn, "t", || "a".into());
        write(Level::Info, "t", || unreachable!("too detailed"));
        set(Level::Trace, None);
        write(Level::Error, "t", || unreachable!("nobody listens any more"));
        assert_eq!(*heard.lock(), [(Level::Warn, "a".to_string())]);
    }
}
