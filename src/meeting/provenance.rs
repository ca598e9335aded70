//! Which session a track's frames come from, so that an application sees one stream of frames per source through every
//! switch between peer and bridge, with none twice and none out of another's time (design §5.1, §5.6; docs/protocol/02 §14.6).
//!
//! A track is heard from one session at a time. The session that carries what we send ourselves takes a track over with its
//! first frame there; the other one only when it is the only one left. Both ends switch within a round trip of each other,
//! each source at its own frame, so that nothing has to be held back.

use crate::jingle::{MAX_SOURCES_PER_ENDPOINT, SessionKey};
use std::collections::BTreeMap;

/// Where a track stands.
#[derive(Debug)]
struct Heard {
    name: String,
    session: SessionKey,
    /// The receiver's own count of restarts.
    receiver: u32,
    /// The track's count, over all sessions.
    timeline: u32,
}

/// By endpoint id, while the endpoint is in the room: what was heard of its sources.
#[derive(Debug, Default)]
pub struct Provenance(BTreeMap<String, Vec<Heard>>);

impl Provenance {
    /// Whether a frame from this session counts, and then its timeline. `active`: the session that our frames go to;
    /// `alive`: whether a session still exists.
    pub fn accept(
        &mut self,
        (owner, name): (&str, &str),
        session: SessionKey,
        receiver: u32,
        active: Option<SessionKey>,
        alive: impl Fn(SessionKey) -> bool,
    ) -> Option<u32> {
        if !self.0.contains_key(owner) {
            self.0.insert(owner.to_owned(), Vec::new());
        }
        let known = self.0.get_mut(owner)?;
        let Some(h) = known.iter_mut().find(|h| h.name == name) else {
            // As many as an endpoint may have sources.
            if known.len() < MAX_SOURCES_PER_ENDPOINT {
                known.push(Heard { name: name.to_owned(), session, receiver, timeline: 1 });
            }
            return Some(1);
        };
        if h.session != session {
            if active != Some(session) && alive(h.session) {
                return None;
            }
            h.session = session;
            h.timeline += 1;
        } else if h.receiver != receiver {
            h.timeline += 1;
        }
        h.receiver = receiver;
        Some(h.timeline)
    }

    /// Endpoints that are remembered.
    pub fn endpoints(&self) -> usize {
        self.0.len()
    }

    /// The endpoint left.
    pub fn forget(&mut self, owner: &str) {
        self.0.remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: SessionKey = SessionKey(2);
    const BRIDGE: SessionKey = SessionKey(1);

    #[test]
    fn a_track_is_heard_from_one_session_at_a_time_and_its_timeline_grows_at_each_switch() {
        let mut p = Provenance::default();
        let mut hear = |s, receiver, active, alive: bool| p.accept(("aa", "aa-a0"), s, receiver, active, |_| alive);
        assert_eq!(hear(BRIDGE, 1, Some(BRIDGE), true), Some(1));
        // The peer's session is up over there first: its frames are not taken before ours is.
        assert_eq!(hear(PEER, 1, Some(BRIDGE), true), None);
        assert_eq!(hear(BRIDGE, 1, Some(PEER), true), Some(1), "nothing came over the peer's session yet");
        assert_eq!(hear(PEER, 1, Some(PEER), true), Some(2));
        assert_eq!(hear(BRIDGE, 1, Some(PEER), true), None, "late on the old path");
        assert_eq!(hear(BRIDGE, 1, Some(BRIDGE), false), Some(3), "the peer's session is over");
        assert_eq!(hear(BRIDGE, 2, Some(BRIDGE), true), Some(4), "another SSRC");
    }

    #[test]
    fn what_an_endpoint_can_make_us_remember_is_bounded() {
        let mut p = Provenance::default();
        for n in 0..=MAX_SOURCES_PER_ENDPOINT {
            assert_eq!(p.accept(("aa", &format!("aa-a{n}")), BRIDGE, 1, None, |_| true), Some(1));
        }
        assert_eq!(p.0["aa"].len(), MAX_SOURCES_PER_ENDPOINT);
        p.forget("aa");
        assert!(p.0.is_empty());
    }
}
