//! SSRC rewriting: the slots that the bridge fills with sources; docs/protocol/04 §2.13, §10.
//!
//! A slot is an SSRC, with that of its repairs and a mid. Which source it carries is the bridge's to say, and to say again:
//! maps are applied at once, repeated ones change nothing, and a source is in one slot at most.

use crate::wire::colibri::{BridgeVideoType, MappedSource};
use crate::wire::source_info::{SourceKind, parse_name};
use std::collections::HashMap;
use std::sync::Arc;

/// Slots that are kept: far more than the 50 + 50 that a bridge has at a time. Past it the slot that was filled longest ago goes.
pub const MAX_SLOTS: usize = 1024;

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
                self.empty(m.ssrc, true, &mut changes);
                continue;
            };
            let named = parse_name(&m.source);
            let right = named.is_some_and(|(o, k)| o == owner && k == kind) && (owner != own || m.source.contains('.'));
            if !right {
                self.refused += 1;
                continue;
            }
            if let Some(e) = self.by_ssrc.get_mut(&m.ssrc)
                && *e.slot.source == *m.source
                && e.slot.kind == kind
            {
                // Said again. What the slot is called may be news all the same.
                e.slot.rtx = m.rtx.or(e.slot.rtx);
                e.slot.video_type = m.video_type.unwrap_or(e.slot.video_type);
                continue;
            }
            self.empty(m.ssrc, true, &mut changes);
            // It moved here from another slot.
            if let Some(old) = self.by_source.get(&*m.source).copied() {
                self.empty(old, true, &mut changes);
            }
            if self.by_ssrc.len() >= MAX_SLOTS
                && let Some(oldest) = self.by_ssrc.values().min_by_key(|e| e.filled).map(|e| e.slot.ssrc)
            {
                self.empty(oldest, false, &mut changes);
            }
            let slot = Slot {
                ssrc: m.ssrc,
                rtx: m.rtx,
                kind,
                owner: owner.into(),
                source: m.source.as_str().into(),
                video_type: m.video_type.unwrap_or_default(),
                mid: m.mid.as_deref().map(Into::into),
            };
            self.fillings += 1;
            self.by_source.insert(slot.source.clone(), slot.ssrc);
            self.by_ssrc.insert(slot.ssrc, Entry { slot: slot.clone(), filled: self.fillings });
            changes.push(MapChange::Added(slot));
        }
        changes
    }

    /// An endpoint left the room: the bridge deletes its slots without a word, and does not use them again.
    pub fn remove_owner(&mut self, owner: &str) -> Vec<MapChange> {
        let mut gone: Vec<u32> =
            self.by_ssrc.values().filter(|e| *e.slot.owner == *owner).map(|e| e.slot.ssrc).collect();
        gone.sort_unstable();
        let mut changes = Vec::new();
        gone.into_iter().for_each(|ssrc| self.empty(ssrc, false, &mut changes));
        changes
    }

    /// The slot of this SSRC.
    pub fn by_ssrc(&self, ssrc: u32) -> Option<&Slot> {
        self.by_ssrc.get(&ssrc).map(|e| &e.slot)
    }

    /// The slot that carries this source.
    pub fn by_source(&self, source: &str) -> Option<&Slot> {
        self.by_ssrc(*self.by_source.get(source)?)
    }

    /// The slot with this mid: packets of a slot may come on an SSRC that no map has told yet.
    pub fn by_mid(&self, mid: &str) -> Option<&Slot> {
        self.by_ssrc.values().map(|e| &e.slot).find(|s| s.mid.as_deref() == Some(mid))
    }

    /// All slots.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.by_ssrc.values().map(|e| &e.slot)
    }

    /// Entries of maps that named an owner who cannot own that.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn empty(&mut self, ssrc: u32, reused: bool, changes: &mut Vec<MapChange>) {
        if let Some(e) = self.by_ssrc.remove(&ssrc) {
            self.by_source.remove(&e.slot.source);
            changes.push(MapChange::Removed { slot: e.slot, reused });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use std::collections::BTreeMap;

    fn entry(source: &str, ssrc: u32) -> MappedSource {
        let owner = parse_name(source).map(|(o, _)| o.to_owned());
        MappedSource { source: source.into(), owner, ssrc, rtx: Some(ssrc + 1000), video_type: None, mid: None }
    }

    fn told(changes: &[MapChange]) -> Vec<String> {
        let one = |c: &MapChange| match c {
            MapChange::Added(s) => format!("+{} {}", s.source, s.ssrc),
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
    fn any_order_of_maps_and_leaves_gives_the_table_of_a_plain_model() {
        for seed in 0..300 {
            let (mut env, mut m) = (Env::seeded(seed), SourceMaps::default());
            let mut model: BTreeMap<u32, String> = BTreeMap::new();
            let mut seen: BTreeMap<String, u32> = BTreeMap::new();
            for _ in 0..100 {
                let changes = if env.below(10) == 0 {
                    let owner = format!("e{}", env.below(6));
                    model.retain(|_, s| parse_name(s).is_none_or(|(o, _)| o != owner));
                    m.remove_owner(&owner)
                } else {
                    let n = env.below(4) + 1;
                    let map: Vec<_> = (0..n)
                        .map(|_| entry(&format!("e{}-v{}", env.below(6), env.below(2)), env.below(8) + 1))
                        .collect();
                    for e in &map {
                        model.retain(|_, s| *s != e.source);
                        model.insert(e.ssrc, e.source.clone());
                    }
                    m.apply(SourceKind::Video, &map, "me")
                };
                // What was told adds up: no source is added twice or removed without having been there.
                for c in &changes {
                    match c {
                        MapChange::Added(s) => assert_eq!(seen.insert(s.source.to_string(), s.ssrc), None),
                        MapChange::Removed { slot, .. } => assert_eq!(seen.remove(&*slot.source), Some(slot.ssrc)),
                    }
                }
                let table: BTreeMap<u32, String> = m.iter().map(|s| (s.ssrc, s.source.to_string())).collect();
                assert_eq!(table, model, "seed {seed}");
            }
        }
    }
}
