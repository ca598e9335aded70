//! Whether the remote video tracks stream (docs/protocol/04 §17.4): looked at when something of it changes, and at their deadlines.

use super::event::{EventKind, MediaPath, TrackKey};
use super::machine::Meeting;
use crate::bridge::streaming::{Facts, TrackStreaming};
use crate::media::kind::MediaType;
use crate::time::{Time, earliest};
use std::collections::BTreeMap;

/// The status of each remote video track.
#[derive(Default)]
pub(super) struct Streams {
    tracks: BTreeMap<TrackKey, TrackStreaming>,
    deadline: Option<Time>,
    /// The newest track that was looked at; keys only grow.
    newest: Option<TrackKey>,
    /// Whether no video at all was wanted at that time.
    none_wanted: bool,
}

impl Streams {
    /// When they are to be looked at.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// A track is gone.
    pub fn remove(&mut self, track: TrackKey) {
        self.tracks.remove(&track);
    }
}

impl Meeting {
    /// Looks at every remote video track.
    pub(super) fn watch_streaming(&mut self, now: Time) {
        self.streaming.deadline = None;
        self.streaming.newest = None;
        self.look_at_newer(now);
    }

    /// Sources were added, or something else is wanted of the bridge: looks at the tracks that were never looked at, and at all only
    /// where it concerns all. In a large conference sources come by hundreds, one by one.
    pub(super) fn watch_new_streams(&mut self, now: Time) {
        if self.streaming.none_wanted == self.none_wanted() {
            self.look_at_newer(now);
        } else {
            self.watch_streaming(now);
        }
    }

    fn none_wanted(&self) -> bool {
        self.link.as_ref().is_some_and(|l| l.receive.video().last_n == 0)
    }

    fn look_at_newer(&mut self, now: Time) {
        let none_wanted = self.none_wanted();
        self.streaming.none_wanted = none_wanted;
        let seen = self.streaming.newest;
        let active = self.medias.active_key().and_then(|key| self.medias.get_mut(key));
        let peer = active.as_ref().is_some_and(|m| m.path == MediaPath::PeerToPeer);
        let mut news = Vec::new();
        let mut active = active;
        for t in self.tracks.remote_tracks().filter(|t| t.media == MediaType::Video && Some(t.key) > seen) {
            self.streaming.newest = self.streaming.newest.max(Some(t.key));
            let s = self.streaming.tracks.entry(t.key).or_default();
            let facts = Facts {
                muted: t.muted,
                none_wanted,
                peer,
                session_active: active.is_some(),
                forwarded: !peer && self.link.as_ref().is_some_and(|l| l.forwarded.has(&t.source_name)),
                frames: active.as_ref().and_then(|m| m.heard_of(&t.source_name)),
            };
            if let Some(status) = s.update(&facts, now) {
                news.push((t.key, status));
            }
            self.streaming.deadline = earliest(self.streaming.deadline, s.next_deadline());
            if let Some(m) = &mut active {
                m.await_packet(&t.source_name, s.is_frozen());
            }
        }
        for (track, status) in news {
            self.emit(EventKind::TrackStreaming { track, status });
        }
    }
}
