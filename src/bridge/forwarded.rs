//! Which video sources reach us (docs/protocol/04 §2.10): until the bridge says so for the first time, all of them count. Why it
//! forwards one no more, it does not say; what we know makes the reason (§4.1).

use crate::few::gathered;
use std::collections::BTreeSet;

/// Why a source does not reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Suspended {
    /// It is not there any more.
    Gone = 1,
    /// Its owner sends nothing.
    Muted = 2,
    /// We ask for none of it, or for no video at all.
    NotWanted = 3,
    /// Others come first, and no more than our last-N are sent.
    LastN = 4,
    /// It does not fit into the bandwidth that the bridge sees.
    Bandwidth = 5,
}

/// What we know of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its owner is in the room and has it.
    pub present: bool,
    pub muted: bool,
    /// Greatest height that we ask for: −1 any, 0 none.
    pub height: i32,
    /// Of what we ask for: −1 any.
    pub last_n: i32,
}

/// The sources that are forwarded now.
#[derive(Debug, Default)]
pub struct Forwarded(Option<BTreeSet<String>>);

impl Forwarded {
    /// The bridge's new list; what came and what went.
    pub fn set(&mut self, sources: Vec<String>) -> (Vec<String>, Vec<String>) {
        let new: BTreeSet<String> = gathered(sources);
        let empty = BTreeSet::new();
        let old = self.0.as_ref().unwrap_or(&empty);
        let came = new.difference(old).cloned().collect();
        let went = old.difference(&new).cloned().collect();
        self.0 = Some(new);
        (came, went)
    }

    /// Whether this source reaches us.
    pub fn has(&self, source: &str) -> bool {
        self.0.as_ref().is_none_or(|f| f.contains(source))
    }

    /// How many reach us, as far as was said.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, BTreeSet::len)
    }

    /// Whether the bridge has said anything.
    pub fn known(&self) -> bool {
        self.0.is_some()
    }

    /// Why this source, which is not forwarded, is not.
    pub fn reason(&self, about: &About) -> Suspended {
        let sent = self.0.as_ref().map_or(0, BTreeSet::len);
        match about {
            About { present: false, .. } => Suspended::Gone,
            About { muted: true, .. } => Suspended::Muted,
            About { height: 0, .. } | About { last_n: 0, .. } => Suspended::NotWanted,
            About { last_n, .. } if usize::try_from(*last_n).is_ok_and(|n| sent >= n) => Suspended::LastN,
            _ => Suspended::Bandwidth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| n.to_string()).collect()
    }

    #[test]
    fn all_count_until_the_first_list_and_changes_are_told_once() {
        let mut f = Forwarded::default();
        assert!(f.has("a-v0") && !f.known());
        assert_eq!(f.set(list(&["a-v0", "b-v0"])), (list(&["a-v0", "b-v0"]), Vec::new()));
        assert_eq!(f.set(list(&["b-v0", "b-v0"])), (Vec::new(), list(&["a-v0"])));
        assert_eq!(f.set(list(&["b-v0"])), (Vec::new(), Vec::new()));
        assert!(!f.has("a-v0") && f.has("b-v0") && f.known());
    }

    #[test]
    fn the_first_reason_that_holds_is_told() {
        let mut f = Forwarded::default();
        f.set(list(&["a-v0"]));
        let good = About { present: true, muted: false, height: 180, last_n: -1 };
        for (about, reason) in [
            (good, Suspended::Bandwidth),
            (About { height: -1, ..good }, Suspended::Bandwidth),
            (About { last_n: 2, ..good }, Suspended::Bandwidth),
            (About { last_n: 1, ..good }, Suspended::LastN),
            (About { last_n: 0, ..good }, Suspended::NotWanted),
            (About { height: 0, last_n: 1, ..good }, Suspended::NotWanted),
            (About { muted: true, height: 0, ..good }, Suspended::Muted),
            (About { present: false, muted: true, ..good }, Suspended::Gone),
        ] {
            assert_eq!(f.reason(&about), reason, "{about:?}");
        }
    }
}
