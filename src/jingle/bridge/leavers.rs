//! Endpoints that left the room: nobody signals that their sources went, and a late source-add must not bring these
//! back (docs/protocol/02 §8.5, §23.8).

use crate::jingle::types::{Conference, Participant};
use crate::wire::jingle::SourceMap;
use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Endpoints that are remembered; past it the oldest is forgotten.
pub const MAX_LEFT_ENDPOINTS: usize = 1024;

/// Who left and is not back.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    order: VecDeque<Arc<str>>,
    left: HashSet<Arc<str>>,
}

impl Leavers {
    /// Takes notice of a change of the room; gives the endpoints that left by it.
    pub(super) fn update(&mut self, before: &Conference, now: &Conference) -> Vec<Arc<str>> {
        if before.participants == now.participants {
            return Vec::new();
        }
        let here: HashSet<&str> = ids(&now.participants).collect();
        self.left.retain(|id| !here.contains(&**id));
        self.order.retain(|id| !here.contains(&**id));
        let left: Vec<Arc<str>> = ids(&before.participants).filter(|id| !here.contains(id)).map(Into::into).collect();
        for id in &left {
            if self.order.len() >= MAX_LEFT_ENDPOINTS
                && let Some(oldest) = self.order.pop_front()
            {
                self.left.remove(&oldest);
            }
            self.order.push_back(id.clone());
            self.left.insert(id.clone());
        }
        left
    }

    /// The sources without those of endpoints that left.
    pub(super) fn filter<'m>(&self, map: &'m SourceMap) -> Cow<'m, SourceMap> {
        let gone = |owner: Option<&str>| owner.is_some_and(|o| self.left.contains(o));
        if self.left.is_empty() || !map.iter().any(|s| gone(s.owner_id())) {
            return Cow::Borrowed(map);
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
        Cow::Owned(out)
    }
}

fn ids(participants: &[Participant]) -> impl Iterator<Item = &str> {
    participants.iter().filter_map(|p| p.jid.resource())
}
