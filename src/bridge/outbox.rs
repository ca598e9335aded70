//! Application messages that wait for the channel to open, or to open again: some, and for a while. Each is told of once: sent, or
//! given up.

use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Messages that wait; past it another is refused.
pub const MAX_WAITING: usize = 64;
/// Bytes of messages that wait.
pub const MAX_WAITING_BYTES: usize = 256 * 1024;
/// How long one waits: about what a new session with another bridge takes, and then some.
pub const PATIENCE: Duration = Duration::from_secs(30);

struct Waiting {
    text: String,
    tag: u64,
    until: Time,
}

/// What waits, the oldest first.
#[derive(Default)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

impl Outbox {
    /// A message has to wait. `false`: too much waits already.
    pub fn push(&mut self, text: String, tag: u64, now: Time) -> bool {
        if self.waiting.len() >= MAX_WAITING || self.bytes + text.len() > MAX_WAITING_BYTES {
            return false;
        }
        self.bytes += text.len();
        self.waiting.push_back(Waiting { text, tag, until: now + PATIENCE });
        true
    }

    /// The next one to send, with its tag: the channel is open.
    pub fn pop(&mut self) -> Option<(String, u64)> {
        let w = self.waiting.pop_front()?;
        self.bytes -= w.text.len();
        Some((w.text, w.tag))
    }

    /// When [`Outbox::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        self.waiting.front().map(|w| w.until)
    }

    /// The tag of the next one that waited too long, and is given up.
    pub fn handle_timeout(&mut self, now: Time) -> Option<u64> {
        self.waiting.front().filter(|w| w.until.mono_us <= now.mono_us)?;
        self.pop().map(|w| w.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time { mono_us: 1_000_000, unix_us: 0 };

    #[test]
    fn what_waits_is_bounded_in_number_and_bytes_and_comes_out_in_order() {
        let mut o = Outbox::default();
        for n in 0..=MAX_WAITING {
            assert_eq!(o.push(n.to_string(), n as u64, T0), n < MAX_WAITING, "the one past it is refused");
        }
        for n in 0..MAX_WAITING as u64 {
            assert_eq!(o.pop(), Some((n.to_string(), n)));
        }
        assert_eq!((o.pop(), o.next_deadline()), (None, None));
        assert!(!o.push("x".repeat(MAX_WAITING_BYTES + 1), 1, T0));
        assert!(o.push("x".repeat(MAX_WAITING_BYTES), 1, T0) && !o.push("x".into(), 2, T0));
        o.pop();
        assert!(o.push("x".into(), 2, T0));
    }

    #[test]
    fn what_waited_too_long_is_given_up() {
        let mut o = Outbox::default();
        let later = T0 + Duration::from_secs(1);
        assert!(o.push("a".into(), 1, T0) && o.push("b".into(), 2, later));
        assert_eq!(o.next_deadline(), Some(T0 + PATIENCE));
        assert_eq!(
            (o.handle_timeout(T0), o.handle_timeout(T0 + PATIENCE), o.handle_timeout(T0 + PATIENCE)),
            (None, Some(1), None)
        );
        assert_eq!(o.handle_timeout(later + PATIENCE), Some(2));
    }
}
