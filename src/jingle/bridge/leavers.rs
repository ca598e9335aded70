//! Endpoints that left the room: nobody signals that their sources went, and a late source-add must not bring these
//! back (docs/protocol/02 §8.5, §23.8).

use crate::jingle::types::{Conference, Participant};
use crate::wire::jingle::SourceMap;
use std::collections::{HashSet, VecDeque};

/// Endpoints that are remembered; past it the oldest is forgotten.
pub const MAX_LEFT_ENDPOINTS: usize = 1024;

/// Who left and is not back.
#[derive(Debug, Default)]
pub(super) struct Leavers(VecDeque<String>);

impl Leavers {
    /// Takes notice of a change of the room; gives the endpoints that left by it.
    pub(super) fn update(&mut self, before: &Conference, now: &Conference) -> Vec<String> {
        if before.participants == now.participants {
            return Vec::new();
        }
        let here: HashSet<&str> = ids(&now.participants).collect();
        self.0.retain(|id| !here.contains(&**id));
        let left: Vec<String> = ids(&before.participants).filter(|id| !here.contains(id)).map(str::to_owned).collect();
        for id in &left {
            if self.0.len() >= MAX_LEFT_ENDPOINTS {
                self.0.pop_front();
            }
            self.0.push_back(id.clone());
        }
        left
    }

    /// The sources without those of endpoints that left.
    pub(super) fn filter(&self, map: SourceMap) -> SourceMap {
        let gone = |owner: Option<&str>| owner.is_some_and(|o| self.0.iter().any(|left| left == o));
        if self.0.is_empty() || !map.iter().any(|s| gone(s.owner_id())) {
            return map;
        }
        let mut out = SourceMap::default();
        let mut dropped = HashSet::new();
        for s in map.iter() {
            if gone(s.owner_id()) {
                dropped.insert(s.ssrc);
            } else {
                out.push(s);
            }
        }
        for g in map.groups().filter(|g| !g.ssrcs.iter().any(|s| dropped.contains(s))) {
            out.push_group(g.media, g.semantics, g.ssrcs.iter().copied(), g.content, g.owner);
        }
        out
    }
}

fn ids(participants: &[Participant]) -> impl Iterator<Item = &str> {
    participants.iter().filter_map(|p| p.jid.resource())
}
