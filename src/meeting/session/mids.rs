//! Slots of SSRC rewriting by their `mid` (docs/protocol/04 §10.2): a packet on an SSRC that no map named is of the slot whose `mid` it
//! carries.
//!
//! A map binds an owner to an SSRC; a `mid` is the other name of that SSRC, for as long as the slot is there. So where a map names the SSRC
//! of a packet, its `mid` is not looked at: the two can only differ by a mistake, and the SSRC is what the packet's numbers, its repairs and
//! its reports hang on. That costs packets on known SSRCs nothing.

use crate::media::peer::{MAX_STREAMS, Mid};
use std::collections::{HashMap, VecDeque};

/// Slots whose `mid` is known, here as in the engine. Packets of a slot past it wait for a map that names their SSRC.
pub const MAX_MIDS: usize = MAX_STREAMS;
/// SSRCs that were found to be a slot's by their `mid` alone; a slot has one at a time. Past it the one found longest ago is forgotten.
pub const MAX_FOUND_SSRCS: usize = 128;

/// The table.
#[derive(Debug, Default)]
pub struct Mids {
    /// The SSRC that maps name.
    slots: HashMap<Mid, u32>,
    mids: HashMap<u32, Mid>,
    /// SSRCs that were found, with their slot's; the oldest first.
    found: VecDeque<(u32, u32)>,
}

impl Mids {
    /// A map names the slot's `mid`; another slot that had it has none from now on. `false` past [`MAX_MIDS`].
    pub fn name(&mut self, mid: Mid, slot: u32) -> bool {
        if self.slots.len() >= MAX_MIDS && !self.slots.contains_key(&mid) {
            return false;
        }
        if let Some(other) = self.slots.insert(mid, slot).filter(|other| *other != slot) {
            self.mids.remove(&other);
        }
        if let Some(before) = self.mids.insert(slot, mid).filter(|before| *before != mid) {
            self.slots.remove(&before);
        }
        true
    }

    /// The slot that has this `mid`.
    pub fn holder(&self, mid: Mid) -> Option<u32> {
        self.slots.get(&mid).copied()
    }

    /// The `mid` of a slot.
    pub fn of(&self, slot: u32) -> Option<Mid> {
        self.mids.get(&slot).copied()
    }

    /// The SSRC in whose numbers the packets of a slot count: the one found last, or its own.
    pub fn numbered_by(&self, slot: u32) -> u32 {
        self.found.iter().rev().find(|f| f.1 == slot).map_or(slot, |f| f.0)
    }

    /// The slot that a packet on an SSRC without an owner is of. That of a slot is nobody else's, whatever it carries.
    pub fn slot(&self, ssrc: u32, mid: Option<Mid>) -> Option<u32> {
        self.slots.get(&mid?).copied().filter(|_| !self.mids.contains_key(&ssrc))
    }

    /// The SSRC that has to go for one more, if any has.
    pub fn crowded(&self) -> Option<u32> {
        self.found.front().filter(|_| self.found.len() >= MAX_FOUND_SSRCS).map(|f| f.0)
    }

    /// An SSRC is this slot's; there must be room for it.
    pub fn find(&mut self, ssrc: u32, slot: u32) {
        // It may have been found before its slot changed hands.
        self.unfind(ssrc);
        debug_assert!(self.crowded().is_none(), "whoever finds one makes room");
        self.found.push_back((ssrc, slot));
    }

    /// An SSRC is no found one any more; the slot that it was of.
    pub fn unfind(&mut self, ssrc: u32) -> Option<u32> {
        let at = self.found.iter().position(|f| f.0 == ssrc)?;
        self.found.remove(at).map(|f| f.1)
    }

    /// SSRCs that were found to be this slot's.
    pub fn found_of(&self, slot: u32) -> Vec<u32> {
        self.found.iter().filter(|f| f.1 == slot).map(|f| f.0).collect()
    }

    /// A slot is no more, and what was found of it.
    pub fn forget(&mut self, slot: u32) {
        self.found.retain(|f| f.1 != slot);
        if let Some(mid) = self.mids.remove(&slot) {
            self.slots.remove(&mid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed_tests::{Bed, SSRC, of};
    use super::super::{Heard, Source};
    use super::*;
    use crate::media::kind::MediaType;

    fn mid(text: &str) -> Mid {
        Mid::new(text.as_bytes()).expect("a mid")
    }

    #[test]
    fn a_packet_is_of_the_slot_that_its_mid_names_unless_its_ssrc_is_a_slots_own() {
        let mut m = Mids::default();
        assert!(m.name(mid("v0"), 1) && m.name(mid("v1"), 2));
        assert_eq!((m.slot(9, Some(mid("v0"))), m.slot(9, Some(mid("v1")))), (Some(1), Some(2)));
        assert_eq!((m.slot(9, None), m.slot(9, Some(mid("v2")))), (None, None));
        assert_eq!(m.slot(2, Some(mid("v0"))), None, "the SSRC wins");
        // The newest word holds; and each slot has one mid.
        assert!(m.name(mid("v0"), 2));
        assert_eq!((m.slot(9, Some(mid("v0"))), m.slot(9, Some(mid("v1")))), (Some(2), None));
        m.forget(2);
        assert_eq!((m.slot(9, Some(mid("v0"))), m.slots.len(), m.mids.len()), (None, 0, 0));
    }

    #[test]
    fn as_many_mids_are_known_as_the_limit_says_and_no_more() {
        let mut m = Mids::default();
        for n in 0..MAX_MIDS as u32 {
            assert!(m.name(mid(&format!("v{n}")), n));
        }
        assert!(!m.name(mid("more"), 100_000));
        assert!(m.name(mid("v0"), 100_000), "one that is known may move");
        assert_eq!((m.slots.len(), m.mids.len()), (MAX_MIDS, MAX_MIDS));
    }

    #[test]
    fn as_many_ssrcs_are_found_as_the_limit_says_and_the_oldest_goes_for_one_more() {
        let mut m = Mids::default();
        assert!(m.name(mid("v0"), 1));
        for n in 0..MAX_FOUND_SSRCS as u32 {
            assert_eq!(m.crowded(), None);
            m.find(100 + n, 1);
        }
        assert_eq!((m.crowded(), m.unfind(100)), (Some(100), Some(1)));
        m.find(99, 1);
        assert_eq!((m.found_of(1).len(), m.found_of(2).len()), (MAX_FOUND_SSRCS, 0));
        assert_eq!((m.numbered_by(1), m.numbered_by(2)), (99, 2));
        assert_eq!((m.unfind(99), m.unfind(99)), (Some(1), None));
        assert_eq!(m.numbered_by(1), 100 + MAX_FOUND_SSRCS as u32 - 1);
        m.forget(1);
        assert!(m.found.is_empty());
    }

    const OTHER: u32 = 70;

    /// Ann has the slot, which has a mid.
    fn bed() -> Bed {
        let mut b = Bed::new();
        b.mid = Some(mid("a0"));
        b.ann();
        b
    }

    #[test]
    fn what_carries_a_slots_mid_on_an_ssrc_that_nobody_named_is_the_slots() {
        let mut b = bed();
        assert_eq!(b.sound_on(OTHER, Some(mid("a0")), 50, 200, 200), Heard::Packet(MediaType::Audio));
        // Known by now, a mid is not needed; and another slot's changes nothing: the SSRC wins.
        b.sound_on(OTHER, None, 51, 220, 220);
        b.sound_on(OTHER, Some(mid("a9")), 52, 240, 240);
        assert_eq!(b.heard(), of("ann", 50..=52));
        // Who has no slot yet waits, as ever.
        assert_eq!(b.sound_on(71, Some(mid("a1")), 1, 0, 250), Heard::Nothing);
        assert_eq!(b.sound_on(72, None, 1, 0, 250), Heard::Nothing);
        assert_eq!(b.heard(), []);
    }

    #[test]
    fn an_ssrc_that_a_map_names_is_its_slots_whatever_mid_its_packets_carry() {
        let mut b = bed();
        let now = b.at(200);
        let bob = Source { primaries: vec![8], mid: Some(mid("a1")), ..b.source("bob") };
        b.session.add_source(&bob, now);
        b.sound_on(8, Some(mid("a0")), 60, 0, 210);
        b.sound_on(SSRC, Some(mid("a1")), 10, 200, 210);
        assert_eq!(b.heard(), [of("bob", [60]), of("ann", [10])].concat());
        // Also while nobody has the slot: what comes waits for who has it next.
        b.session.remove_source("bob-a0", &[8], true, now);
        assert_eq!(b.sound_on(8, Some(mid("a0")), 61, 5000, 5210), Heard::Nothing);
        assert_eq!(b.heard(), []);
    }

    #[test]
    fn what_waits_with_a_mid_is_its_slots_as_soon_as_a_map_names_that() {
        let mut b = Bed::new();
        b.mid = Some(mid("a0"));
        b.sound_on(OTHER, None, 1, 0, 0);
        b.sound_on(OTHER, Some(mid("a0")), 2, 20, 20);
        b.sound_on(71, Some(mid("a1")), 3, 20, 20);
        b.map(None, Some("ann"), 30);
        assert_eq!(b.heard(), of("ann", [1, 2]));
        b.sound_on(OTHER, Some(mid("a0")), 3, 40, 40);
        assert_eq!(b.heard(), of("ann", [3]));
    }

    #[test]
    fn a_slots_mid_may_be_told_after_its_source() {
        let mut b = Bed::new();
        b.ann();
        b.sound_on(OTHER, Some(mid("a0")), 50, 200, 200);
        assert_eq!(b.heard(), []);
        let now = b.at(210);
        let told = Source { mid: Some(mid("a0")), ..b.source("ann") };
        b.session.add_source(&told, now);
        assert_eq!(b.heard(), of("ann", [50]));
    }

    #[test]
    fn a_found_ssrc_goes_with_its_slot_from_owner_to_owner() {
        let mut b = bed();
        for n in 0..5 {
            b.sound_on(OTHER, Some(mid("a0")), 50 + n, 200 + n * 20, 200 + n * 20);
        }
        assert_eq!(b.heard().len(), 5);
        // Bob's overtake the map: silence, and time that does not follow it.
        b.sound_on(OTHER, Some(mid("a0")), 55, 300, 5000);
        assert_eq!(b.heard(), []);
        b.map(Some("ann"), Some("bob"), 5010);
        b.sound_on(OTHER, Some(mid("a0")), 56, 320, 5020);
        // One of ann's that was on its way.
        b.sound_on(OTHER, Some(mid("a0")), 49, 180, 5025);
        assert_eq!((b.heard(), b.session.unclear.passed_over().0), (of("bob", [55, 56]), 1));
        // Nobody has it, then cid.
        b.map(Some("bob"), None, 9000);
        b.sound_on(OTHER, Some(mid("a0")), 57, 340, 9010);
        assert_eq!(b.heard(), []);
        b.map(None, Some("cid"), 9020);
        b.sound_on(OTHER, None, 58, 360, 9030);
        assert_eq!(b.heard(), of("cid", [57, 58]));
        // He leaves, and his slot is no more.
        let now = b.at(9040);
        b.session.remove_source("cid-a0", &[SSRC], false, now);
        assert_eq!(b.sound_on(OTHER, Some(mid("a0")), 59, 380, 9050), Heard::Nothing);
        assert_eq!((b.session.sources(), b.session.mids.slots.len(), b.session.mids.found.len()), (0, 0, 0));
    }

    #[test]
    fn an_ssrc_that_gets_a_map_of_its_own_is_no_others_slots_any_more() {
        let mut b = bed();
        b.sound_on(OTHER, Some(mid("a0")), 50, 200, 200);
        assert_eq!(b.heard(), of("ann", [50]));
        let now = b.at(210);
        let bob = Source { primaries: vec![OTHER], mid: Some(mid("a1")), ..b.source("bob") };
        b.session.add_source(&bob, now);
        b.sound_on(OTHER, Some(mid("a0")), 51, 220, 220);
        b.sound_on(SSRC, Some(mid("a0")), 10, 2000, 2000);
        assert_eq!(b.heard(), [of("bob", [51]), of("ann", [10])].concat());
        b.map(Some("ann"), None, 2100);
        b.sound_on(OTHER, Some(mid("a1")), 52, 2100, 2100);
        assert_eq!(b.heard(), of("bob", [52]));
    }

    #[test]
    fn a_mid_that_another_slot_gets_takes_what_was_found_by_it_along() {
        let mut b = bed();
        b.sound_on(OTHER, Some(mid("a0")), 50, 200, 200);
        assert_eq!(b.heard(), of("ann", [50]));
        let now = b.at(5000);
        let bob = Source { primaries: vec![8], mid: Some(mid("a0")), ..b.source("bob") };
        b.session.add_source(&bob, now);
        // The first may be one of ann's that was on its way; her time ends there.
        for n in 0..3 {
            b.sound_on(OTHER, Some(mid("a0")), 90 + n, 90_000 + n * 20, 5010 + n * 20);
        }
        assert_eq!(b.heard(), of("bob", 90..=92));
        assert_eq!(b.session.mids.found_of(8), [OTHER]);
    }

    #[test]
    fn ssrcs_without_end_on_one_mid_make_no_table_without_end() {
        let mut b = bed();
        for n in 0..2 * MAX_FOUND_SSRCS as u32 {
            b.sound_on(1000 + n, Some(mid("a0")), 1, 0, 200);
        }
        let i = b.session.incoming.iter().flatten().next().expect("ann's");
        assert_eq!((i.ssrcs().count(), b.session.mids.found.len()), (MAX_FOUND_SSRCS + 1, MAX_FOUND_SSRCS));
        assert_eq!(b.session.by_ssrc.len(), MAX_FOUND_SSRCS + 1);
    }
}
