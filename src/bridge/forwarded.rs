//! Which video sources reach us (docs/protocol/04 §2.10): until the bridge says so for the first time, all of them count.

use std::collections::BTreeSet;

/// The sources that are forwarded now.
#[derive(Debug, Default)]
pub struct Forwarded(Option<BTreeSet<String>>);

impl Forwarded {
    /// The bridge's new list; what came and what went.
    pub fn set(&mut self, sources: Vec<String>) -> (Vec<String>, Vec<String>) {
        let new: BTreeSet<String> = sources.into_iter().collect();
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

    /// Whether the bridge has said anything.
    pub fn known(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_count_until_the_first_list_and_changes_are_told_once() {
        let mut f = Forwarded::default();
        assert!(f.has("a-v0") && !f.known());
        let list = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(f.set(list(&["a-v0", "b-v0"])), (list(&["a-v0", "b-v0"]), Vec::new()));
        assert_eq!(f.set(list(&["b-v0", "b-v0"])), (Vec::new(), list(&["a-v0"])));
        assert_eq!(f.set(list(&["b-v0"])), (Vec::new(), Vec::new()));
        assert!(!f.has("a-v0") && f.has("b-v0") && f.known());
    }
}
