//! What holds for the events of every participant, whatever happens in a meeting: the simulations check it.

use jmeet::Code;
use jmeet::meeting::event::EventKind;
use jmeet::testkit::World;
use std::collections::{BTreeMap, BTreeSet};

/// Who took part, as far as the promises depend on it.
pub struct Part<'a> {
    pub nickname: &'a str,
    /// Something was done to it that may end its meeting with an error.
    pub may_fail: bool,
    /// Every tag that it was given, and whether it was closed by then.
    pub tags: &'a [(u64, bool)],
}

/// One pass over the events of a participant; `also`: what holds in this simulation alone.
pub fn check_order(world: &World, who: usize, part: &Part, also: impl Fn(&EventKind, &dyn Fn() -> String)) {
    let (mut people, mut tracks) = (BTreeMap::new(), BTreeMap::new());
    let (mut keys, mut track_keys, mut joined, mut closed) = (BTreeSet::new(), BTreeSet::new(), false, false);
    for (at, e) in &world.peers[who].events {
        // Written only where it is needed: there are thousands of events.
        let told = || format!("participant {who} at {} us: {:?}", at.mono_us, e.kind);
        if closed {
            let late = part.tags.iter().any(|(tag, closed)| *closed && *tag == e.tag);
            assert!(late && matches!(e.kind, EventKind::RequestDone(_)), "after CLOSED: {}", told());
            continue;
        }
        also(&e.kind, &told);
        match &e.kind {
            EventKind::Joined(_) => assert!(!std::mem::replace(&mut joined, true), "twice: {}", told()),
            EventKind::ParticipantJoined(p) => {
                assert_ne!(p.endpoint_id, part.nickname, "oneself: {}", told());
                assert!(keys.insert(p.key.0), "a key comes back: {}", told());
                assert!(!people.values().any(|e| *e == p.endpoint_id), "there already: {}", told());
                people.insert(p.key, p.endpoint_id.clone());
            }
            EventKind::ParticipantUpdated(p, _) => assert!(people.contains_key(&p.key), "not there: {}", told()),
            EventKind::ParticipantLeft(l) => {
                assert!(people.remove(&l.participant.key).is_some(), "not there: {}", told());
                let left = tracks.values().any(|p| *p == Some(l.participant.key));
                assert!(!left, "tracks remain: {}", told());
            }
            EventKind::TrackAdded(t) if !t.local => {
                let owner = t.participant.and_then(|p| people.get(&p));
                assert_eq!(owner, Some(&t.endpoint_id), "owner is not there: {}", told());
                assert!(t.source_name.starts_with(&t.endpoint_id), "{}", told());
                assert!(track_keys.insert(t.key), "a key comes back: {}", told());
                assert!(tracks.insert(t.source_name.clone(), t.participant).is_none(), "twice: {}", told());
            }
            EventKind::TrackUpdated(t) if !t.local => {
                assert!(tracks.contains_key(&t.source_name), "not there: {}", told());
            }
            EventKind::TrackRemoved(t) if !t.local => {
                assert!(tracks.remove(&t.source_name).is_some(), "not there: {}", told());
            }
            EventKind::EndpointMessage(m) => assert_ne!(m.endpoint_id, part.nickname, "own words: {}", told()),
            EventKind::BridgeOffered => panic!("bridges are not switched off: {}", told()),
            EventKind::Closed(reason) => {
                closed = true;
                assert!(reason.is_none() || part.may_fail, "nothing was done to it: {}", told());
            }
            _ => {}
        }
    }
    assert!(closed, "participant {who} was never closed");
}

/// Every request is answered once, and after the end with CLOSED.
pub fn check_tags(world: &World, who: usize, part: &Part) {
    let mut answers: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for e in world.peers[who].events.iter().filter(|e| e.1.tag != 0) {
        answers.entry(e.1.tag).or_default().push(e);
    }
    for (tag, late) in part.tags {
        let done = answers.remove(tag).unwrap_or_default();
        assert_eq!(done.len(), 1, "participant {who}, tag {tag}: {done:?}");
        let EventKind::RequestDone(result) = &done[0].1.kind else { panic!("tag {tag} on {:?}", done[0]) };
        assert!(!late || result.as_ref().is_some_and(|e| e.code == Code::Closed), "{:?}", done[0]);
    }
}

/// A moderator has the room throw somebody out; false when the server does not know the moderator now.
pub fn kick(world: &mut World, by: usize, by_nick: &str, whom: &str) -> bool {
    let Some(conn) = world.server.find(by_nick) else { return false };
    let room = world.peers[by].meeting.room_jid().to_string();
    let stanza = format!(
        "<iq xmlns='jabber:client' type='set' id='kick' to='{room}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='{whom}' role='none'><reason>out</reason></item></query></iq>"
    );
    world.server.send_as(conn, &stanza, world.now);
    true
}

/// A number of the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
