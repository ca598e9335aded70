//! The endpoints of a bridge, by id and by number, with its work list: which of them were touched since they were last looked
//! at, and when each wants to be looked at by itself. Whoever borrows an endpoint to change it puts it on the list, so nothing is
//! forgotten and nothing else is looked at, however many endpoints there are.

use super::endpoint::Endpoint;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The number of an endpoint, its own while it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(usize);

struct Slot {
    endpoint: Option<Endpoint>,
    /// On the work list.
    touched: bool,
    /// As it stands in `deadlines`.
    deadline: Option<Time>,
}

/// All endpoints.
#[derive(Default)]
pub(super) struct Endpoints {
    slots: Vec<Slot>,
    free: Vec<Key>,
    keys: BTreeMap<String, Key>,
    touched: VecDeque<Key>,
    /// Monotonic microseconds.
    deadlines: BTreeSet<(u64, Key)>,
}

impl Endpoints {
    /// Adds an endpoint; one of the same id must not be there.
    pub fn insert(&mut self, e: Endpoint) -> Key {
        let id = e.id.clone();
        let slot = Slot { endpoint: Some(e), touched: false, deadline: None };
        let key = match self.free.pop() {
            Some(key) => {
                self.slots[key.0] = slot;
                key
            }
            None => {
                self.slots.push(slot);
                Key(self.slots.len() - 1)
            }
        };
        self.keys.insert(id, key);
        self.touch(key);
        key
    }

    /// Takes an endpoint out; its number may be another's afterwards.
    pub fn remove(&mut self, id: &str) -> Option<(Key, Endpoint)> {
        let key = self.keys.remove(id)?;
        self.unschedule(key);
        let slot = self.slots.get_mut(key.0)?;
        if std::mem::take(&mut slot.touched) {
            self.touched.retain(|k| *k != key);
        }
        self.free.push(key);
        slot.endpoint.take().map(|e| (key, e))
    }

    pub fn clear(&mut self) {
        *self = Endpoints::default();
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Ids, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Numbers, in the order of ids.
    pub fn keys(&self) -> Vec<Key> {
        self.keys.values().copied().collect()
    }

    /// All, in the order of ids.
    pub fn values(&self) -> impl Iterator<Item = &Endpoint> {
        self.keys.values().filter_map(|k| self.by(*k))
    }

    pub fn key(&self, id: &str) -> Option<Key> {
        self.keys.get(id).copied()
    }

    pub fn get(&self, id: &str) -> Option<&Endpoint> {
        self.by(self.key(id)?)
    }

    /// To be changed: it is on the work list then.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Endpoint> {
        self.by_mut(self.key(id)?)
    }

    pub fn by(&self, key: Key) -> Option<&Endpoint> {
        self.slots.get(key.0)?.endpoint.as_ref()
    }

    /// To be changed: it is on the work list then.
    pub fn by_mut(&mut self, key: Key) -> Option<&mut Endpoint> {
        self.touch(key);
        self.quietly(key)
    }

    /// To be changed in what has no consequence.
    pub fn quietly(&mut self, key: Key) -> Option<&mut Endpoint> {
        self.slots.get_mut(key.0)?.endpoint.as_mut()
    }

    /// Puts an endpoint on the work list, once.
    pub fn touch(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key.0).filter(|s| s.endpoint.is_some() && !s.touched) {
            slot.touched = true;
            self.touched.push_back(key);
        }
    }

    /// The next of the work list; it is off it then.
    pub fn next_touched(&mut self) -> Option<Key> {
        let key = self.touched.pop_front()?;
        if let Some(slot) = self.slots.get_mut(key.0) {
            slot.touched = false;
        }
        Some(key)
    }

    /// Notes when an endpoint wants to be looked at.
    pub fn schedule(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key.0) else { return };
        let next = slot.endpoint.as_ref().and_then(|e| e.transport.next_deadline());
        if next != slot.deadline {
            self.unschedule(key);
            self.slots[key.0].deadline = next;
            self.deadlines.extend(next.map(|t| (t.mono_us, key)));
        }
    }

    fn unschedule(&mut self, key: Key) {
        if let Some(t) = self.slots.get_mut(key.0).and_then(|s| s.deadline.take()) {
            self.deadlines.remove(&(t.mono_us, key));
        }
    }

    /// One whose time has come; it has none then before it is scheduled anew.
    pub fn due(&mut self, now: Time) -> Option<Key> {
        let (at, key) = *self.deadlines.first()?;
        (at <= now.mono_us).then(|| {
            self.unschedule(key);
            key
        })
    }

    /// The earliest time that any of them wants.
    pub fn next_deadline(&self) -> Option<Time> {
        let (_, key) = self.deadlines.first()?;
        self.slots.get(key.0)?.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::testkit::bridge::receiver::Receiver;
    use crate::testkit::bridge::stack::{Foundation, Stack};
    use crate::testkit::bridge::types::{BridgeConfig, EndpointOptions, RemoteTransport};
    use std::time::Duration;

    fn endpoint(id: &str) -> Endpoint {
        let now = Time::new(1, 1);
        let stack = Stack::new(&Foundation::fake().0, &[], (false, false, false), &mut Env::seeded(1), now);
        let receiver = Receiver::new(&BridgeConfig::default(), &EndpointOptions::default());
        Endpoint::new(id, EndpointOptions::default(), stack, String::new(), receiver, now)
    }

    fn work(e: &mut Endpoints) -> Vec<Key> {
        std::iter::from_fn(|| e.next_touched()).collect()
    }

    #[test]
    fn whoever_is_borrowed_to_be_changed_is_on_the_work_list_once_and_nobody_else() {
        let mut e = Endpoints::default();
        let [b, a, c] = ["b", "a", "c"].map(|id| e.insert(endpoint(id)));
        assert_eq!(work(&mut e), [b, a, c], "who is new");
        assert!(e.get("a").is_some() && e.by(b).is_some() && e.quietly(c).is_some());
        assert_eq!(work(&mut e), []);
        assert!(e.by_mut(c).is_some() && e.get_mut("a").is_some() && e.by_mut(c).is_some());
        assert_eq!(work(&mut e), [c, a]);
        assert_eq!((e.keys(), e.ids().collect::<Vec<_>>()), (vec![a, b, c], vec!["a", "b", "c"]));
    }

    #[test]
    fn one_who_is_gone_is_on_no_list_and_another_may_have_its_number() {
        let mut e = Endpoints::default();
        let [a, b] = ["a", "b"].map(|id| e.insert(endpoint(id)));
        assert_eq!(e.remove("a").map(|(k, e)| (k, e.id)), Some((a, "a".to_owned())));
        assert!(e.remove("a").is_none() && e.by(a).is_none() && e.by_mut(a).is_none() && e.get("a").is_none());
        assert_eq!((work(&mut e), e.len(), e.due(Time::new(u64::MAX, 0))), (vec![b], 1, None));
        let c = e.insert(endpoint("c"));
        assert_eq!((c, e.by(a).map(|e| e.id.as_str()), e.key("c")), (a, Some("c"), Some(c)));
        assert_eq!(work(&mut e), [c]);
    }
    #[test]
    fn those_whose_time_has_come_are_given_in_its_order_and_once() {
        let mut e = Endpoints::default();
        let keys = ["a", "b"].map(|id| e.insert(endpoint(id)));
        let remote = RemoteTransport {
            ufrag: "u".into(),
            pwd: "p".into(),
            fingerprint: Some(Foundation::fake().1),
            setup: "active".into(),
            candidates: vec![],
        };
        let at = |ms: u64| Time::default() + Duration::from_millis(ms);
        // The later one first.
        for (key, ms) in [(keys[0], 5000), (keys[1], 2000)] {
            e.by_mut(key).expect("there").transport.accept(&remote, at(ms)).expect("a transport");
            e.schedule(key);
        }
        let [later, sooner] = keys.map(|k| e.by(k).and_then(|e| e.transport.next_deadline()).expect("a deadline"));
        assert!(sooner < later);
        assert_eq!((e.next_deadline(), e.due(at(1999))), (Some(sooner), None));
        assert_eq!((e.due(later), e.next_deadline()), (Some(keys[1]), Some(later)));
        assert_eq!((e.due(later), e.due(later), e.next_deadline()), (Some(keys[0]), None, None));
        for key in keys {
            e.schedule(key);
        }
        assert_eq!(e.next_deadline(), Some(sooner));
        e.remove("b");
        assert_eq!(e.next_deadline(), Some(later));
    }
}
