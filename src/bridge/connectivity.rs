//! Endpoints that the bridge hears nothing of; docs/protocol/04 §1.5, §2.12.
//!
//! When the channel opens again the bridge names those that are silent now, and says nothing of those that are back. So whoever
//! is not named again within a while is back.

use crate::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Silent endpoints that are kept; past it another counts as heard.
pub const MAX_SILENT_ENDPOINTS: usize = 1024;
/// How long the bridge may take to name the silent ones after the channel has opened.
pub const RESYNC: Duration = Duration::from_secs(2);

/// Who is silent.
#[derive(Debug, Default)]
pub struct Connectivity {
    /// By endpoint id: named since the channel opened.
    silent: BTreeMap<String, bool>,
    resync: Option<Time>,
}

impl Connectivity {
    /// The bridge says that it hears an endpoint, or not any more. Whether that is news.
    pub fn set(&mut self, endpoint: &str, active: bool) -> bool {
        if active {
            return self.silent.remove(endpoint).is_some();
        }
        if let Some(named) = self.silent.get_mut(endpoint) {
            *named = true;
            return false;
        }
        if self.silent.len() >= MAX_SILENT_ENDPOINTS {
            return false;
        }
        self.silent.insert(endpoint.to_owned(), true);
        true
    }

    /// Whether the bridge hears this endpoint; so it is until it says otherwise.
    pub fn is_active(&self, endpoint: &str) -> bool {
        !self.silent.contains_key(endpoint)
    }

    /// Who is silent.
    pub fn silent(&self) -> Vec<String> {
        self.silent.keys().cloned().collect()
    }

    /// Somebody left.
    pub fn remove(&mut self, endpoint: &str) {
        self.silent.remove(endpoint);
    }

    /// The channel opened, perhaps again.
    pub fn opened(&mut self, now: Time) {
        self.silent.values_mut().for_each(|named| *named = false);
        self.resync = (!self.silent.is_empty()).then(|| now + RESYNC);
    }

    /// The channel is not open any more: what is known stays.
    pub fn closed(&mut self) {
        self.resync = None;
    }

    /// When [`Connectivity::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        self.resync
    }

    /// Who turns out to be back.
    pub fn handle_timeout(&mut self, now: Time) -> Vec<String> {
        if self.resync.take_if(|t| t.mono_us <= now.mono_us).is_none() {
            return Vec::new();
        }
        let back: Vec<String> = self.silent.iter().filter(|(_, named)| !**named).map(|(e, _)| e.clone()).collect();
        self.silent.retain(|_, named| *named);
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time { mono_us: 1_000_000, unix_us: 0 };

    #[test]
    fn a_change_is_told_once() {
        let mut c = Connectivity::default();
        assert!(c.is_active("a") && !c.set("a", true));
        assert!(c.set("a", false) && !c.set("a", false) && !c.is_active("a"));
        assert!(c.set("a", true) && c.is_active("a"));
        c.set("b", false);
        c.remove("b");
        assert!(c.is_active("b"));
    }

    #[test]
    fn who_is_not_named_again_after_a_new_opening_is_back() {
        let mut c = Connectivity::default();
        c.opened(T0);
        assert_eq!(c.next_deadline(), None, "nothing to ask for");
        c.set("a", false);
        c.set("b", false);
        c.closed();
        c.opened(T0);
        assert!(!c.set("b", false) && c.set("c", false));
        assert!(c.handle_timeout(T0).is_empty() && !c.is_active("a"));
        assert_eq!(c.next_deadline(), Some(T0 + RESYNC));
        assert_eq!(c.handle_timeout(T0 + RESYNC), ["a"]);
        assert_eq!((c.is_active("b"), c.is_active("c"), c.next_deadline()), (false, false, None));
    }

    #[test]
    fn silent_endpoints_have_a_bound() {
        let mut c = Connectivity::default();
        for n in 0..=MAX_SILENT_ENDPOINTS {
            assert_eq!(c.set(&n.to_string(), false), n < MAX_SILENT_ENDPOINTS);
        }
        assert!(c.set("0", true) && c.set("another", false));
    }
}
