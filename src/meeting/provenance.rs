//! Which session a track's frames come from, so that an application sees one stream of frames per source through every
//! switch between peer and bridge, with none twice and none out of another's time (design §5.1, §5.6; docs/protocol/02 §14.6).
//!
//! A track is heard from one session at a time. The session that carries what we send ourselves takes a track over with its
//! first frame there, of video with its first key frame; the other one only when it is the only one left. Both ends switch within a round trip of each other,
//! each source at its own frame, so that nothing has to be held back.

use crate::jingle::{MAX_SOURCES_PER_ENDPOINT, SessionKey};
use crate::media::receiver::KEY_FRAME_REQUEST_EVERY;
use crate::time::Time;
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
    /// When the other session was last asked for a key frame.
    asked: Option<Time>,
}

/// By endpoint id, while the endpoint is in the room: what was heard of its sources.
#[derive(Debug, Default)]
pub struct Provenance(BTreeMap<String, Vec<Heard>>);

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It counts, on this timeline.
    Taken(u32),
    /// The track is heard from another session.
    Elsewhere,
    /// The track would be heard from this session now, but what begins there needs a key frame: one that came before may have been passed over. `ask`: it is time
    /// to ask for it.
    NeedsKey { ask: bool },
}

impl Provenance {
    /// What becomes of a frame that came by `session`. `begins`: no frame before it is needed to understand it; `active`: the session that our
    /// frames go to; `alive`: whether a session still exists.
    pub fn accept(
        &mut self,
        (owner, name): (&str, &str),
        (session, receiver): (SessionKey, u32),
        begins: bool,
        active: Option<SessionKey>,
        alive: impl Fn(SessionKey) -> bool,
        now: Time,
    ) -> Passage {
        if !self.0.contains_key(owner) {
            self.0.insert(owner.to_owned(), Vec::new());
        }
        let Some(known) = self.0.get_mut(owner) else { return Passage::Elsewhere };
        let Some(h) = known.iter_mut().find(|h| h.name == name) else {
            // As many as an endpoint may have sources.
            if known.len() < MAX_SOURCES_PER_ENDPOINT {
                known.push(Heard { name: name.to_owned(), session, receiver, timeline: 1, asked: None });
            }
            return Passage::Taken(1);
        };
        if h.session != session {
            if active != Some(session) && alive(h.session) {
                return Passage::Elsewhere;
            }
            if !begins {
                let ask = h.asked.is_none_or(|at| at + KEY_FRAME_REQUEST_EVERY <= now);
                h.asked = if ask { Some(now) } else { h.asked };
                return Passage::NeedsKey { ask };
            }
            h.session = session;
            h.timeline += 1;
        } else if h.receiver != receiver {
            h.timeline += 1;
        }
        h.receiver = receiver;
        Passage::Taken(h.timeline)
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
        let mut now = Time::new(1_000_000, 0);
        let mut hear = |s, receiver, active, alive: bool, begins| {
            now = now + KEY_FRAME_REQUEST_EVERY / 2;
            p.accept(("aa", "aa-v0"), (s, receiver), begins, active, |_| alive, now)
        };
        use Passage::{Elsewhere, NeedsKey, Taken};
        assert_eq!(hear(BRIDGE, 1, Some(BRIDGE), true, true), Taken(1));
        assert_eq!(hear(BRIDGE, 1, Some(BRIDGE), true, false), Taken(1));
        // The peer's session is up over there first: its frames are not taken before ours is.
        assert_eq!(hear(PEER, 1, Some(BRIDGE), true, true), Elsewhere);
        assert_eq!(hear(BRIDGE, 1, Some(PEER), true, false), Taken(1), "nothing came over the peer's session yet");
        for ask in [true, false, true] {
            let needs = hear(PEER, 1, Some(PEER), true, false);
            assert_eq!(needs, NeedsKey { ask }, "its key frame was passed over");
        }
        assert_eq!(hear(BRIDGE, 1, Some(PEER), true, false), Taken(1), "until another comes");
        assert_eq!(hear(PEER, 1, Some(PEER), true, true), Taken(2));
        assert_eq!(hear(PEER, 1, Some(PEER), true, false), Taken(2));
        assert_eq!(hear(BRIDGE, 1, Some(PEER), true, true), Elsewhere, "late on the old path");
        let needs = hear(BRIDGE, 1, Some(BRIDGE), false, false);
        assert_eq!(needs, NeedsKey { ask: true }, "the peer's session is over");
        assert_eq!(hear(BRIDGE, 1, Some(BRIDGE), false, true), Taken(3));
        assert_eq!(hear(BRIDGE, 2, Some(BRIDGE), true, true), Taken(4), "another SSRC");
    }

    #[test]
    fn what_an_endpoint_can_make_us_remember_is_bounded() {
        let mut p = Provenance::default();
        for n in 0..=MAX_SOURCES_PER_ENDPOINT {
            assert_eq!(
                p.accept(("aa", &format!("aa-a{n}")), (BRIDGE, 1), true, None, |_| true, Time::default()),
                Passage::Taken(1)
            );
        }
        assert_eq!(p.0["aa"].len(), MAX_SOURCES_PER_ENDPOINT);
        p.forget("aa");
        assert!(p.0.is_empty());
    }
}
