//! What a room says again to one who comes back (XEP-0045 §7.2.13, docs/protocol/03 §11): asked for from the last word on, and what
//! is known of it told to no program twice; nor one's own words.

use crate::time::Time;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Messages that are remembered (default 512): far more than a room keeps. The oldest is forgotten first.
pub const MAX_KNOWN_MESSAGES: usize = 512;
/// Asked for beyond the last word: what may have been on its way then, and clocks of whole seconds.
const MARGIN: Duration = Duration::from_secs(5);

/// What was heard in one room, over all stays in it.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Sender, id and text of each message, as one number.
    known: VecDeque<u64>,
    /// The last word, or the moment of the first entering.
    last: Option<Time>,
}

impl History {
    /// We are in.
    pub(super) fn entered(&mut self, now: Time) {
        self.last.get_or_insert(now);
    }

    /// A message to all; whether it is known already.
    pub(super) fn heard(&mut self, nick: &str, id: Option<&str>, text: &str, now: Time) -> bool {
        let mut h = DefaultHasher::new();
        (nick, id, text).hash(&mut h);
        let h = h.finish();
        if self.known.contains(&h) {
            return true;
        }
        if self.known.len() >= MAX_KNOWN_MESSAGES {
            self.known.pop_front();
        }
        self.known.push_back(h);
        self.last = self.last.max(Some(now));
        false
    }

    /// How much of the past is wanted, in seconds and not as a moment: the server's clock may be another. `None`: what the room
    /// tells to all who are new.
    pub(super) fn wanted(&self, now: Time) -> Option<u64> {
        self.last.map(|t| (now.since(t) + MARGIN).as_secs() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_known_until_too_much_was_heard_since() {
        let (mut h, now) = (History::default(), Time::default());
        assert_eq!(h.wanted(now), None);
        for n in 0..MAX_KNOWN_MESSAGES {
            assert!(!h.heard("a", Some(&n.to_string()), "x", now));
        }
        assert!(h.heard("a", Some("0"), "x", now));
        for other in [("b", Some("0"), "x"), ("a", None, "x"), ("a", Some("0"), "y")] {
            assert!(!h.heard(other.0, other.1, other.2, now));
        }
        assert_eq!(h.known.len(), MAX_KNOWN_MESSAGES);
        assert!(!h.heard("a", Some("0"), "x", now), "forgotten");
    }

    #[test]
    fn no_more_is_asked_for_than_was_missed() {
        let mut h = History::default();
        let at = |s: u64| Time::new(s * 1_000_000, 0);
        h.entered(at(10));
        h.heard("a", None, "x", at(30));
        h.entered(at(100));
        assert_eq!(h.wanted(at(100)), Some(76));
    }
}
