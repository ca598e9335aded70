//! Slots of SSRC rewriting (docs/protocol/04 §10.2): which SSRC of ours carries which source for one receiver. A source keeps
//! its slot until another needs it more; the least recently used one gives way.

use super::types::Kind;
use crate::env::Env;

/// One outgoing SSRC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub ssrc: u32,
    pub rtx: u32,
    /// `a0`, `v0` …; stays with the slot for good.
    pub mid: String,
    pub source: String,
    pub owner: String,
    used: u64,
}

/// What an assignment did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Assigned {
    /// It has its slot already.
    Kept,
    /// A new slot, or one taken from another source: its map has to be told.
    Mapped(Slot),
    /// All slots are held by sources of the same call.
    None,
}

/// The slots of one kind of media towards one receiver.
#[derive(Debug)]
pub(super) struct Slots {
    kind: Kind,
    limit: usize,
    slots: Vec<Slot>,
    made: u32,
    clock: u64,
}

impl Slots {
    /// No slots yet, `limit` at most.
    pub fn new(kind: Kind, limit: usize) -> Slots {
        Slots { kind, limit, slots: Vec::new(), made: 0, clock: 0 }
    }

    /// All slots.
    pub fn all(&self) -> &[Slot] {
        &self.slots
    }

    /// Gives a source a slot; those that were `touched` after `since` are not taken from.
    pub fn assign(&mut self, source: &str, owner: &str, since: u64, env: &mut Env) -> Assigned {
        self.clock += 1;
        let clock = self.clock;
        if let Some(s) = self.slots.iter_mut().find(|s| s.source == source) {
            s.used = clock;
            return Assigned::Kept;
        }
        if self.slots.len() < self.limit {
            let taken: Vec<u32> = self.slots.iter().flat_map(|s| [s.ssrc, s.rtx]).collect();
            let ssrc = env.ssrc(|s| taken.contains(&s));
            let rtx = env.ssrc(|s| s == ssrc || taken.contains(&s));
            let letter = if self.kind == Kind::Audio { 'a' } else { 'v' };
            let mid = format!("{letter}{}", self.made);
            self.made += 1;
            let slot = Slot { ssrc, rtx, mid, source: source.to_owned(), owner: owner.to_owned(), used: clock };
            self.slots.push(slot.clone());
            return Assigned::Mapped(slot);
        }
        let oldest = self.slots.iter_mut().min_by_key(|s| s.used).filter(|s| s.used <= since);
        let Some(s) = oldest else { return Assigned::None };
        (s.source, s.owner, s.used) = (source.to_owned(), owner.to_owned(), clock);
        Assigned::Mapped(s.clone())
    }

    /// The moment to give to [`Slots::assign`] for a group of sources that must not take from each other.
    pub fn now(&self) -> u64 {
        self.clock
    }

    /// An endpoint is gone, and its slots with it: SSRCs and `mid`s do not come back.
    pub fn remove_owner(&mut self, owner: &str) -> Vec<Slot> {
        let (gone, left) = std::mem::take(&mut self.slots).into_iter().partition(|s| s.owner == owner);
        self.slots = left;
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(a: Assigned) -> Slot {
        match a {
            Assigned::Mapped(s) => s,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_least_recently_used_slot_is_taken_and_keeps_ssrc_and_mid() {
        let mut env = Env::seeded(1);
        let mut s = Slots::new(Kind::Video, 2);
        let a = mapped(s.assign("a-v0", "a", s.now(), &mut env));
        let b = mapped(s.assign("b-v0", "b", s.now(), &mut env));
        assert_eq!((a.mid.as_str(), b.mid.as_str()), ("v0", "v1"));
        assert_eq!(s.assign("a-v0", "a", s.now(), &mut env), Assigned::Kept);
        let c = mapped(s.assign("c-v0", "c", s.now(), &mut env));
        assert_eq!((c.ssrc, c.rtx, c.mid.as_str()), (b.ssrc, b.rtx, "v1"));
        let sources: Vec<&str> = s.all().iter().map(|s| s.source.as_str()).collect();
        assert_eq!(sources, ["a-v0", "c-v0"]);
    }

    #[test]
    fn sources_of_one_call_do_not_take_from_each_other() {
        let mut env = Env::seeded(1);
        let mut s = Slots::new(Kind::Video, 1);
        let since = s.now();
        mapped(s.assign("a-v0", "a", since, &mut env));
        assert_eq!(s.assign("b-v0", "b", since, &mut env), Assigned::None);
        assert_eq!(Slots::new(Kind::Audio, 0).assign("x", "x", 0, &mut env), Assigned::None);
    }

    #[test]
    fn slots_of_an_endpoint_that_left_are_not_used_again() {
        let mut env = Env::seeded(1);
        let mut s = Slots::new(Kind::Audio, 5);
        let a = mapped(s.assign("a-a0", "a", s.now(), &mut env));
        assert_eq!(s.remove_owner("a"), std::slice::from_ref(&a));
        let again = mapped(s.assign("a-a0", "a", s.now(), &mut env));
        assert_ne!(again.ssrc, a.ssrc);
        assert_eq!(again.mid, "a1");
    }
}
