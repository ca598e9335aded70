//! What holds in every meeting, whatever happened in it (design §5): each table is the focus's, each frame is its owner's, nothing grows.

use super::*;

impl Simulation {
    /// Everybody knows of the others what they send, as the focus does: no more, no less.
    pub(super) fn check_tables(&mut self) {
        let live = self.live();
        let now = self.world.now;
        let mut sent = BTreeMap::new();
        for who in &live {
            let nick = self.actors[*who].nickname.clone();
            let tracks = self.tracks(*who, true);
            let names: BTreeSet<_> = tracks.values().map(|t| t.source_name.clone()).collect();
            assert_eq!(names.len(), self.actors[*who].tracks.len(), "participant {who} names {names:?}");
            let of_focus = self.world.server.with_focus(now, |f, _| {
                let s = f.sources_of(&room()).map(|s| s.of(&nick)).unwrap_or_default();
                s.sources.iter().filter_map(|s| s.name.clone()).collect::<BTreeSet<_>>()
            });
            // With fewer than two there is no session that tells the focus.
            if live.len() > 2 || (live.len() == 2 && !self.actors[*who].abandoned) {
                let mut of_focus = of_focus.expect("the focus knows the room");
                of_focus.retain(|n| names.contains(n) || !self.retired(*who, n));
                assert_eq!(of_focus, names, "the focus, of participant {who}");
            }
            let muted = |t: &Track| self.actors[*who].tracks.iter().any(|o| o.key == t.key && o.muted);
            sent.extend(tracks.values().map(|t| (t.source_name.clone(), (*who, muted(t)))));
        }
        for who in &live {
            let got = self.tracks(*who, false);
            let got: BTreeMap<_, _> = got.values().map(|t| (t.source_name.clone(), t.muted)).collect();
            let others = sent.iter().filter(|(_, (owner, _))| owner != who);
            let mut expected: BTreeMap<_, _> = others.map(|(name, (_, muted))| (name.clone(), *muted)).collect();
            for (name, _) in
                got.iter().filter(|(name, muted)| **muted && !expected.contains_key(*name)).collect::<Vec<_>>()
            {
                if live.iter().any(|owner| owner != who && self.retired(*owner, name)) {
                    expected.insert(name.clone(), true);
                }
            }
            assert_eq!(got, expected, "what participant {who} knows of the others");
            self.check_ssrcs(*who);
            let held = self.world.peers[*who].meeting.held();
            assert_eq!(held.participants, live.len() - 1, "participant {who}: {held:?}");
            assert_eq!((held.tracks, held.outputs), (expected.len(), 0), "participant {who}: {held:?}");
            // The bridge keeps a slot for a source that is gone until another needs it.
            let everything: u64 = self.actors.iter().map(|a| a.next_track).sum();
            assert!(held.sessions <= 2 && held.sources as u64 <= 4 * everything + 4, "participant {who}: {held:?}");
            assert!(held.requests <= 1 && held.heard < live.len(), "participant {who}: {held:?}");
        }
    }

    /// Whether this is a source that its owner removed while two talk directly: peers do not signal that, and it stays, muted, until
    /// they do not any more.
    fn retired(&self, owner: usize, name: &str) -> bool {
        let directly = self.world.peers[owner].kinds().filter_map(|e| match e {
            EventKind::Media(MediaPath::PeerToPeer, state) => Some(!matches!(state, MediaState::Ended { .. })),
            _ => None,
        });
        directly.last() == Some(true)
            && self.world.peers[owner]
                .saw(|e| matches!(e, EventKind::TrackRemoved(t) if t.local && t.source_name == name))
    }

    /// What was signalled to a participant over the bridge's session is what the focus holds.
    pub(super) fn check_ssrcs(&mut self, who: usize) {
        let nick = self.actors[who].nickname.clone();
        let mut told: Vec<(String, u32)> = Vec::new();
        for (owner, name, ssrcs) in self.world.peers[who].meeting.signalled_sources(MediaPath::Bridge) {
            assert!(name.starts_with(&owner) || owner == "jvb", "participant {who}: {name} of {owner}");
            told.extend(ssrcs.into_iter().filter(|_| owner != "jvb").map(|s| (owner.clone(), s)));
        }
        told.sort_unstable();
        let now = self.world.now;
        let held = self.world.server.with_focus(now, |f, _| {
            let all = f.sources_of(&room()).cloned().unwrap_or_default();
            let others = all
                .iter()
                .filter(|(owner, _)| *owner != nick)
                .flat_map(|(owner, s)| s.sources.iter().map(|s| (owner.to_owned(), s.ssrc)).collect::<Vec<_>>());
            others.collect::<Vec<_>>()
        });
        let mut held = held.unwrap_or_default();
        held.sort_unstable();
        // With SSRC rewriting nothing is signalled.
        assert!(told.is_empty() || told == held, "participant {who} was told {told:?}, the focus holds {held:?}");
    }

    /// Everybody who reads gets everybody's frames again.
    pub(super) fn check_media(&mut self) {
        let live = self.live();
        if live.len() < 2 {
            return;
        }
        for who in &live {
            if self.actors[*who].readers.is_empty() {
                self.add_reader(*who);
            }
        }
        self.world.run(2 * SECOND);
        let before: Vec<usize> = self.world.peers.iter().map(|p| p.frames.len()).collect();
        self.talk(50);
        self.world.run(SECOND);
        for who in &live {
            for owner in live.iter().filter(|o| *o != who) {
                let audio = self.actors[*owner].tracks.iter().filter(|t| t.codec == Codec::Opus && !t.muted).count();
                let frames = &self.world.peers[*who].frames[before[*who]..];
                let nick = &self.actors[*owner].nickname;
                let heard = frames.iter().filter(|f| f.1.codec == Codec::Opus && *f.1.endpoint_id == **nick).count();
                // One slot for everybody's audio carries whoever speaks at the moment.
                let shared = self.config.audio_slots == 1;
                assert!(audio == 0 || shared || heard >= 25, "participant {who} heard {heard} of {owner}");
            }
        }
    }

    /// What holds everywhere, and who can have said something here.
    pub(super) fn check_order(&self, who: usize) {
        promises::check_order(&self.world, who, &self.part(who), |kind, told| {
            if let EventKind::EndpointMessage(m) = kind {
                assert!(self.actors.iter().any(|a| a.nickname == m.endpoint_id), "{}", told());
            }
        });
    }

    /// Whether nobody could tell whose frame this is: it is the first of a slot on which nothing came of the owner that it had for long, and
    /// it overtook the map to the next one on the way.
    fn undecidable(&self, who: usize, n: usize) -> bool {
        let (peer, jitter) = (&self.world.peers[who], self.world.link.jitter);
        let f = &peer.frames[n].1;
        let after = |at: &Time| at.mono_us.checked_sub(f.arrival_us).map(Duration::from_micros);
        let begun = peer.events.iter().rev().find(|(at, e)| {
            after(at).is_none() && matches!(e.kind, EventKind::Media(MediaPath::Bridge, MediaState::Connected { .. }))
        });
        let begun = begun.map_or(0, |(at, _)| at.mono_us);
        let heard = peer.frames[..n]
            .iter()
            .any(|(_, b)| b.source_name == f.source_name && (begun..f.arrival_us).contains(&b.arrival_us));
        let keys: Vec<TrackKey> = peer
            .kinds()
            .filter_map(|e| match e {
                EventKind::TrackAdded(t) if *t.source_name == *f.source_name => Some(t.key),
                _ => None,
            })
            .collect();
        let taken = |e: &EventKind| matches!(e, EventKind::TrackForwarded { track, suspended: Some(_) } if keys.contains(track));
        self.remaps
            && !heard
            && peer.events.iter().any(|(at, e)| after(at).is_some_and(|d| d <= jitter) && taken(&e.kind))
    }

    /// Whose each frame is, by what it says itself.
    pub(super) fn check_frames(&self, who: usize, named: &BTreeMap<(usize, TrackKey), BTreeSet<String>>) {
        for (n, (_, f)) in self.world.peers[who].frames.iter().enumerate() {
            if self.undecidable(who, n) {
                continue;
            }
            let at = if f.codec == Codec::Opus { 1 } else { 10 };
            let (said, track) = (usize::from(f.data[at]), TrackKey(LOCAL + u64::from(f.data[at + 1])));
            let owner = self.actors.iter().position(|a| *a.nickname == *f.endpoint_id);
            assert_eq!(owner, Some(said), "participant {who}: frame of {} at {} us", f.source_name, f.arrival_us);
            assert_ne!(owner, Some(who), "participant {who} hears itself");
            let is = named.get(&(said, track)).is_some_and(|names| names.contains(&*f.source_name));
            assert!(is, "participant {who}: {track:?} of {said} as {}", f.source_name);
        }
    }
}
