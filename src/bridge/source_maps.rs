//! SSRC rewriting: the slots that the bridge fills with sources; docs/protocol/04 §2.13, §10.
//!
//! A slot is an SSRC, with that of its repairs and a mid. Which source it carries is the bridge's to say, and to say again:
//! maps are applied at once, repeated ones change nothing, and a source is in one slot at most.

use crate::wire::colibri::{BridgeVideoType, MappedSource};
use crate::wire::source_info::{SourceKind, parse_name};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Slots that carry something: far more than the 50 + 50 that a bridge has at a time. Past it the slot that was filled longest
/// ago goes.
pub const MAX_SLOTS: usize = 1024;
/// Empty slots whose SSRC may go on with another source, and which are remembered for that. Past it an empty one is forgotten.
pub const MAX_EMPTY_SLOTS: usize = 128;

/// One slot, with what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub ssrc: u32,
    pub rtx: Option<u32>,
    pub kind: SourceKind,
    pub owner: Arc<str>,
    pub source: Arc<str>,
    pub video_type: BridgeVideoType,
    pub mid: Option<Arc<str>>,
}

/// What a map changed, in the order in which it is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapChange {
    /// The slot carries this no more. `reused`: its SSRC may go on with another source, its sequence numbers with it.
    Removed {
        slot: Slot,
        reused: bool,
    },
    Added(Slot),
    /// The slot carries what it did, and has another SSRC of repairs or another mid.
    Described(Slot),
}

/// What becomes of a slot that loses its source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Another source takes it at once.
    Refilled,
    /// It may be filled again.
    Empty,
    /// The bridge uses it no more.
    Gone,
}

struct Entry {
    slot: Slot,
    /// Grows with each filling.
    filled: u64,
}

/// The slots of one bridge session.
#[derive(Default)]
pub struct SourceMaps {
    by_ssrc: HashMap<u32, Entry>,
    by_source: HashMap<Arc<str>, u32>,
    /// The slot of an SSRC of repairs.
    by_rtx: HashMap<u32, u32>,
    empty: HashSet<u32>,
    fillings: u64,
    refused: u64,
}

impl SourceMaps {
    /// Applies a map message. `own`: our endpoint id, which only owns what the bridge makes of our sources.
    pub fn apply(&mut self, kind: SourceKind, map: &[MappedSource], own: &str) -> Vec<MapChange> {
        let mut changes = Vec::new();
        for m in map {
            let Some(owner) = m.owner.as_deref() else {
                // Nobody's: the slot is empty.
                self.lose(m.ssrc, Fate::Empty, &mut changes);
                continue;
            };
            let named = parse_name(&m.source);
            let right = named.is_some_and(|(o, k)| o == owner && k == kind) && (owner != own || m.source.contains('.'));
            if !right {
                self.refused += 1;
                continue;
            }
            if self.by_ssrc.get(&m.ssrc).is_some_and(|e| *e.slot.source == *m.source) {
                // Said again. What is known of it may be news all the same.
                let names = |maps: &SourceMaps| maps.by_ssrc(m.ssrc).map(|s| (s.rtx, s.mid.clone()));
                let before = names(self);
                self.describe(m);
                if names(self) != before {
                    changes.extend(self.by_ssrc(m.ssrc).cloned().map(MapChange::Described));
                }
                continue;
            }
            self.lose(m.ssrc, Fate::Refilled, &mut changes);
            // It moved here from another slot.
            if let Some(old) = self.by_source.get(&*m.source).copied() {
                self.lose(old, Fate::Empty, &mut changes);
            }
            if self.by_ssrc.len() >= MAX_SLOTS
                && let Some(oldest) = self.by_ssrc.values().min_by_key(|e| e.filled).map(|e| e.slot.ssrc)
            {
                self.lose(oldest, Fate::Gone, &mut changes);
            }
            self.fill(m, kind, owner);
            changes.extend(self.by_ssrc(m.ssrc).cloned().map(MapChange::Added));
        }
        changes
    }

    /// An endpoint left the room: the bridge deletes its slots without a word, and does not use them again.
    pub fn remove_owner(&mut self, owner: &str) -> Vec<MapChange> {
        self.lose_all(|s| *s.owner == *owner)
    }

    /// The session is over: nothing of it is carried any more.
    pub fn clear(&mut self) -> Vec<MapChange> {
        self.empty.clear();
        self.lose_all(|_| true)
    }

    /// Empty slots that are silent as well, and so are worth nothing any more: their SSRCs, to be forgotten. The bridge tells
    /// of no slot that it gives up, and a long meeting has any number of them.
    pub fn reclaim(&mut self, silent: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut gone: Vec<u32> = self.empty.iter().copied().filter(|ssrc| silent(*ssrc)).collect();
        gone.sort_unstable();
        self.empty.retain(|ssrc| gone.binary_search(ssrc).is_err());
        gone
    }

    /// The slot of this SSRC.
    pub fn by_ssrc(&self, ssrc: u32) -> Option<&Slot> {
        self.by_ssrc.get(&ssrc).map(|e| &e.slot)
    }

    /// The slot that carries this source.
    pub fn by_source(&self, source: &str) -> Option<&Slot> {
        self.by_ssrc(*self.by_source.get(source)?)
    }

    /// The slot with this mid.
    #[cfg(test)]
    fn by_mid(&self, mid: &str) -> Option<&Slot> {
        self.iter().find(|s| s.mid.as_deref() == Some(mid))
    }

    /// All slots that carry something.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.by_ssrc.values().map(|e| &e.slot)
    }

    /// Slots that carry nothing and may be filled again.
    pub fn empty(&self) -> usize {
        self.empty.len()
    }

    /// Entries of maps that named an owner who cannot own that.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn fill(&mut self, m: &MappedSource, kind: SourceKind, owner: &str) {
        let source: Arc<str> = m.source.as_str().into();
        let slot = Slot {
            ssrc: m.ssrc,
            rtx: None,
            kind,
            owner: owner.into(),
            source: source.clone(),
            video_type: BridgeVideoType::default(),
            mid: None,
        };
        self.empty.remove(&m.ssrc);
        // Who carries media carries no repairs of another.
        if let Some(other) = self.by_rtx.remove(&m.ssrc).and_then(|other| self.by_ssrc.get_mut(&other)) {
            other.slot.rtx = None;
        }
        self.fillings += 1;
        self.by_source.insert(source, m.ssrc);
        self.by_ssrc.insert(m.ssrc, Entry { slot, filled: self.fillings });
        self.describe(m);
    }

    /// What else a map says of a slot. An SSRC or a mid that another one has is its own from now on.
    fn describe(&mut self, m: &MappedSource) {
        let rtx = m.rtx.filter(|rtx| !self.by_ssrc.contains_key(rtx));
        if let Some(other) = rtx.and_then(|rtx| self.by_rtx.insert(rtx, m.ssrc)).filter(|other| *other != m.ssrc)
            && let Some(e) = self.by_ssrc.get_mut(&other)
        {
            e.slot.rtx = None;
        }
        let mid: Option<Arc<str>> = m.mid.as_deref().map(Into::into);
        if mid.is_some() {
            // A map has few entries, and a bridge few slots.
            let others = self.by_ssrc.values_mut().filter(|e| e.slot.ssrc != m.ssrc && e.slot.mid == mid);
            others.for_each(|e| e.slot.mid = None);
        }
        let Some(Entry { slot, .. }) = self.by_ssrc.get_mut(&m.ssrc) else { return };
        if let Some(old) = slot.rtx.filter(|old| rtx.is_some_and(|new| new != *old)) {
            self.by_rtx.remove(&old);
        }
        slot.rtx = rtx.or(slot.rtx);
        slot.mid = mid.or_else(|| slot.mid.take());
        slot.video_type = m.video_type.unwrap_or(slot.video_type);
    }

    fn lose_all(&mut self, which: impl Fn(&Slot) -> bool) -> Vec<MapChange> {
        let mut gone: Vec<u32> = self.iter().filter(|s| which(s)).map(|s| s.ssrc).collect();
        gone.sort_unstable();
        let mut changes = Vec::new();
        gone.into_iter().for_each(|ssrc| self.lose(ssrc, Fate::Gone, &mut changes));
        changes
    }

    fn lose(&mut self, ssrc: u32, fate: Fate, changes: &mut Vec<MapChange>) {
        let Some(Entry { slot, .. }) = self.by_ssrc.remove(&ssrc) else { return };
        self.by_source.remove(&slot.source);
        if let Some(rtx) = slot.rtx {
            self.by_rtx.remove(&rtx);
        }
        let kept = fate == Fate::Empty && self.empty.len() < MAX_EMPTY_SLOTS && self.empty.insert(ssrc);
        changes.push(MapChange::Removed { slot, reused: kept || fate == Fate::Refilled });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::wire::colibri::FromBridge;
    use std::collections::{BTreeMap, BTreeSet};

    fn entry(source: &str, ssrc: u32) -> MappedSource {
        let owner = parse_name(source).map(|(o, _)| o.to_owned());
        MappedSource { source: source.into(), owner, ssrc, rtx: Some(ssrc + 1000), video_type: None, mid: None }
    }

    fn told(changes: &[MapChange]) -> Vec<String> {
        let one = |c: &MapChange| match c {
            MapChange::Added(s) => format!("+{} {}", s.source, s.ssrc),
            MapChange::Described(s) => format!("={} {}", s.source, s.ssrc),
            MapChange::Removed { slot: s, reused } => {
                format!("-{} {}{}", s.source, s.ssrc, if *reused { "*" } else { "" })
            }
        };
        changes.iter().map(one).collect()
    }

    fn video(m: &mut SourceMaps, map: &[MappedSource]) -> Vec<String> {
        told(&m.apply(SourceKind::Video, map, "me"))
    }

    #[test]
    fn a_remapped_slot_loses_its_old_source_before_it_has_the_new_one() {
        let mut m = SourceMaps::default();
        assert_eq!(video(&mut m, &[entry("a-v0", 1), entry("b-v0", 2)]), ["+a-v0 1", "+b-v0 2"]);
        assert_eq!(video(&mut m, &[entry("a-v0", 1)]), [] as [&str; 0], "said again");
        assert_eq!(video(&mut m, &[entry("c-v0", 1)]), ["-a-v0 1*", "+c-v0 1"]);
        // A source that was in another slot leaves that one.
        assert_eq!(video(&mut m, &[entry("b-v0", 3)]), ["-b-v0 2*", "+b-v0 3"]);
        // Two that change places.
        assert_eq!(
            video(&mut m, &[entry("b-v0", 1), entry("c-v0", 3)]),
            ["-c-v0 1*", "-b-v0 3*", "+b-v0 1", "+c-v0 3"]
        );
        assert_eq!(m.by_source("c-v0").map(|s| s.ssrc), Some(3));
        assert_eq!(told(&m.remove_owner("b")), ["-b-v0 1"]);
        let nobody = MappedSource { owner: None, ..entry("c-v0", 3) };
        assert_eq!(video(&mut m, &[nobody]), ["-c-v0 3*"]);
        assert!(m.iter().next().is_none());
    }

    #[test]
    fn nobody_owns_what_is_not_his_and_we_only_what_the_bridge_made_of_ours() {
        let mut m = SourceMaps::default();
        let foreign = MappedSource { owner: Some("b".into()), ..entry("a-v0", 1) };
        assert!(video(&mut m, &[foreign, entry("a-a0", 2), entry("nonsense", 3), entry("me-v0", 4)]).is_empty());
        assert_eq!(m.refused(), 3, "the nameless one is an empty slot");
        assert_eq!(told(&m.apply(SourceKind::Audio, &[entry("me-a0.hi", 5)], "me")), ["+me-a0.hi 5"]);
    }

    #[test]
    fn slots_are_bounded_and_the_one_filled_longest_ago_goes() {
        let mut m = SourceMaps::default();
        let all: Vec<_> = (0..MAX_SLOTS as u32).map(|n| entry(&format!("{n}-v0"), n + 1)).collect();
        assert_eq!(video(&mut m, &all).len(), MAX_SLOTS);
        assert_eq!(video(&mut m, &[entry("more-v0", 9999)]), ["-0-v0 1", "+more-v0 9999"]);
        assert_eq!(m.iter().count(), MAX_SLOTS);
    }

    #[test]
    fn empty_slots_wait_for_another_source_until_they_are_silent_and_within_a_bound() {
        let mut m = SourceMaps::default();
        let nobody = |ssrc| MappedSource { owner: None, ..entry("x-v0", ssrc) };
        video(&mut m, &[entry("a-v0", 1), entry("b-v0", 2)]);
        assert_eq!(video(&mut m, &[nobody(1), nobody(2), nobody(3)]), ["-a-v0 1*", "-b-v0 2*"]);
        assert_eq!((m.empty(), m.reclaim(|ssrc| ssrc == 1), m.empty()), (2, vec![1], 1));
        assert_eq!(video(&mut m, &[entry("b-v0", 2)]), ["+b-v0 2"]);
        assert_eq!((m.empty(), m.reclaim(|_| true)), (0, Vec::new()));
        for n in 0..=MAX_EMPTY_SLOTS as u32 {
            let kept = (n as usize) < MAX_EMPTY_SLOTS;
            video(&mut m, &[entry("a-v0", 10 + n)]);
            assert_eq!(video(&mut m, &[nobody(10 + n)]), [format!("-a-v0 {}{}", 10 + n, if kept { "*" } else { "" })]);
        }
        assert_eq!(m.empty(), MAX_EMPTY_SLOTS);
        // A slot that goes from one source to the next is never forgotten on the way.
        assert_eq!(video(&mut m, &[entry("c-v0", 2)]), ["-b-v0 2*", "+c-v0 2"]);
        assert_eq!((told(&m.clear()), m.empty()), (vec!["-c-v0 2".to_owned()], 0));
    }

    #[test]
    fn a_slot_is_found_by_its_mid_which_stays_when_a_map_leaves_it_out() {
        let mut m = SourceMaps::default();
        let with = |source, ssrc, mid: &str| MappedSource { mid: Some(mid.into()), ..entry(source, ssrc) };
        m.apply(SourceKind::Audio, &[with("a-a0", 1, "a0"), with("b-a0", 2, "a1")], "me");
        assert_eq!(m.by_mid("a1").map(|s| s.ssrc), Some(2));
        assert_eq!(told(&m.apply(SourceKind::Audio, &[entry("b-a0", 2)], "me")), <[&str; 0]>::default());
        assert_eq!(m.by_mid("a1").map(|s| &*s.source), Some("b-a0"));
        // What is new of a slot that carries what it did is told, once.
        assert_eq!(told(&m.apply(SourceKind::Audio, &[with("b-a0", 2, "a2")], "me")), ["=b-a0 2"]);
        assert!(m.apply(SourceKind::Audio, &[with("b-a0", 2, "a2")], "me").is_empty());
        assert_eq!(told(&m.apply(SourceKind::Audio, &[with("b-a0", 2, "a1")], "me")), ["=b-a0 2"]);
        m.apply(SourceKind::Audio, &[with("c-a0", 2, "a1")], "me");
        assert_eq!(m.by_mid("a1").map(|s| &*s.source), Some("c-a0"));
        // Two with one mid: the newer one has it.
        m.apply(SourceKind::Audio, &[with("d-a0", 3, "a0")], "me");
        assert_eq!((m.by_mid("a0").map(|s| s.ssrc), m.by_source("a-a0").map(|s| s.mid.clone())), (Some(3), Some(None)));
        m.remove_owner("d");
        assert_eq!(m.by_mid("a0"), None);
    }

    #[test]
    fn an_ssrc_is_of_one_slot_and_of_one_use() {
        let mut m = SourceMaps::default();
        let with = |source, ssrc, rtx| MappedSource { rtx: Some(rtx), ..entry(source, ssrc) };
        let rtx = |m: &SourceMaps, ssrc| m.by_ssrc(ssrc).and_then(|s| s.rtx);
        video(&mut m, &[with("a-v0", 1, 11), with("b-v0", 2, 11), with("c-v0", 3, 3), with("d-v0", 4, 1)]);
        assert_eq!([1, 2, 3, 4].map(|s| rtx(&m, s)), [None, Some(11), None, None]);
        video(&mut m, &[with("e-v0", 11, 12)]);
        assert_eq!((rtx(&m, 2), rtx(&m, 11)), (None, Some(12)));
        video(&mut m, &[with("b-v0", 2, 13), with("b-v0", 2, 14), with("a-v0", 1, 13)]);
        assert_eq!((rtx(&m, 2), rtx(&m, 1)), (Some(14), Some(13)));
    }

    #[test]
    fn the_recorded_maps_of_a_real_bridge_make_the_recorded_tables() {
        let text = include_str!("../../tests/fixtures/captures/58-real-ssrc-rewriting.txt");
        let mut m = SourceMaps::default();
        let mut log = Vec::new();
        for line in text.lines().filter_map(|l| l.strip_prefix("A< ")) {
            match FromBridge::parse(line) {
                Ok(FromBridge::VideoSourcesMap(map)) => log.extend(told(&m.apply(SourceKind::Video, &map, "f9a753f0"))),
                Ok(FromBridge::AudioSourcesMap(map)) => log.extend(told(&m.apply(SourceKind::Audio, &map, "f9a753f0"))),
                _ => {}
            }
            if line.contains("d12e0513-v0") && m.by_source("94e529e1-v0").is_some() {
                log.extend(told(&m.remove_owner("94e529e1")));
            }
        }
        let wanted = [
            "+1573d226-v0 3886739923",
            "+1573d226-a0 1164074555",
            "+94e529e1-v0 3376045452",
            "+94e529e1-a0 27649582",
            "+94e529e1-v1 3497661614",
            "+d12e0513-v0 346627548",
            "-94e529e1-a0 27649582",
            "-94e529e1-v0 3376045452",
            "-94e529e1-v1 3497661614",
            "+d12e0513-a0 2794719157",
        ];
        assert_eq!(log, wanted);
        assert_eq!(
            (m.by_mid("v3").map(|s| &*s.source), m.by_mid("a2").map(|s| &*s.source)),
            (Some("d12e0513-v0"), Some("d12e0513-a0"))
        );
        assert_eq!((m.by_mid("v1"), m.refused()), (None, 0), "mids of those who left are not used again");
    }

    #[test]
    fn any_order_of_maps_leaves_and_openings_gives_the_table_of_a_plain_model() {
        for seed in 0..500 {
            let (mut env, mut m) = (Env::seeded(seed), SourceMaps::default());
            let mut model: BTreeMap<u32, String> = BTreeMap::new();
            let mut seen: BTreeMap<String, u32> = BTreeMap::new();
            // The SSRCs that whoever follows the changes keeps something of.
            let mut engine: BTreeSet<u32> = BTreeSet::new();
            for _ in 0..100 {
                let changes = match env.below(12) {
                    0 => {
                        let owner = format!("e{}", env.below(6));
                        model.retain(|_, s| parse_name(s).is_none_or(|(o, _)| o != owner));
                        m.remove_owner(&owner)
                    }
                    1 => {
                        let odd = env.below(2);
                        m.reclaim(|ssrc| ssrc % 2 == odd).iter().for_each(|ssrc| assert!(engine.remove(ssrc)));
                        Vec::new()
                    }
                    2 => {
                        // The channel opened again: the bridge says all that it has.
                        let all: Vec<_> = model.iter().map(|(ssrc, s)| entry(s, *ssrc)).collect();
                        let changes = m.apply(SourceKind::Video, &all, "me");
                        let known = |c: &MapChange| matches!(c, MapChange::Described(_));
                        assert!(changes.iter().all(known), "seed {seed}");
                        changes
                    }
                    3 if env.below(8) == 0 => {
                        model.clear();
                        engine.retain(|ssrc| m.by_ssrc(*ssrc).is_some());
                        m.clear()
                    }
                    4 => {
                        let ssrc = env.below(8) + 1;
                        model.remove(&ssrc);
                        m.apply(SourceKind::Video, &[MappedSource { owner: None, ..entry("e0-v0", ssrc) }], "me")
                    }
                    _ => {
                        let n = env.below(4) + 1;
                        let one = |env: &mut Env| MappedSource {
                            rtx: Some(env.below(20) + 1),
                            mid: Some(format!("v{}", env.below(5))),
                            ..entry(&format!("e{}-v{}", env.below(6), env.below(2)), env.below(8) + 1)
                        };
                        let map: Vec<_> = (0..n).map(|_| one(&mut env)).collect();
                        for e in &map {
                            model.retain(|_, s| *s != e.source);
                            model.insert(e.ssrc, e.source.clone());
                        }
                        m.apply(SourceKind::Video, &map, "me")
                    }
                };
                // What was told adds up: no source is added twice or removed without having been there.
                for c in &changes {
                    match c {
                        MapChange::Added(s) => {
                            assert_eq!(seen.insert(s.source.to_string(), s.ssrc), None);
                            engine.insert(s.ssrc);
                        }
                        MapChange::Described(s) => assert_eq!(seen.get(&*s.source), Some(&s.ssrc), "seed {seed}"),
                        MapChange::Removed { slot, reused } => {
                            assert_eq!(seen.remove(&*slot.source), Some(slot.ssrc));
                            assert!(*reused || engine.remove(&slot.ssrc), "seed {seed}");
                        }
                    }
                }
                let table: BTreeMap<u32, String> = m.iter().map(|s| (s.ssrc, s.source.to_string())).collect();
                assert_eq!(table, model, "seed {seed}");
                assert_eq!(engine.len(), table.len() + m.empty(), "seed {seed}: nothing is kept for nobody");
                // Each SSRC has one use, and each mid one slot.
                let rtx: Vec<u32> = m.iter().filter_map(|s| s.rtx).collect();
                let once: BTreeSet<u32> = table.keys().copied().chain(rtx.iter().copied()).collect();
                assert_eq!(once.len(), table.len() + rtx.len(), "seed {seed}");
                for s in m.iter() {
                    assert_eq!(m.by_source(&s.source), Some(s), "seed {seed}");
                    assert!(s.mid.as_ref().is_none_or(|mid| m.by_mid(mid) == Some(s)), "seed {seed}");
                }
            }
        }
    }
}
