//! Whether the remote video tracks stream (docs/protocol/04 §17.4): looked at when something of it changes, and at their deadlines.

use super::bridge::Link;
use super::event::{EventKind, MediaPath, Track, TrackKey};
use super::machine::Meeting;
use crate::bridge::forwarded::{About, Suspended};
use crate::bridge::streaming::{Facts, Streaming, TrackStreaming};
use crate::media::kind::MediaType;
use crate::time::{Time, earliest};
use std::collections::BTreeMap;

/// The status of each remote video track.
#[derive(Default)]
pub(super) struct Streams {
    tracks: BTreeMap<TrackKey, (TrackStreaming, Option<Suspended>)>,
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
            let (s, why) = self.streaming.tracks.entry(t.key).or_default();
            let facts = Facts {
                muted: t.muted,
                none_wanted,
                peer,
                session_active: active.is_some(),
                forwarded: !peer && self.link.as_ref().is_some_and(|l| l.forwarded.has(&t.source_name)),
                frames: active.as_ref().and_then(|m| m.heard_of(&t.source_name)),
            };
            let changed = s.update(&facts, now).is_some();
            let inactive = s.status() == Streaming::Inactive;
            let suspended = self.link.as_ref().filter(|_| inactive).and_then(|l| suspended(l, t));
            if std::mem::replace(why, suspended) != suspended || changed {
                news.push((t.key, s.status(), suspended));
            }
            self.streaming.deadline = earliest(self.streaming.deadline, s.next_deadline());
            if let Some(m) = &mut active {
                m.await_packet(&t.source_name, s.is_frozen());
            }
        }
        for (track, status, suspended) in news {
            self.emit(EventKind::TrackStreaming { track, status, suspended });
        }
    }
}

/// Why the bridge does not forward a track; `None` while it does, or has not said anything yet.
pub(super) fn suspended(link: &Link, t: &Track) -> Option<Suspended> {
    let source = &t.source_name;
    if link.forwarded.has(source) {
        return None;
    }
    let wanted = link.receive.video();
    let height = wanted.heights.get(source).copied().unwrap_or(wanted.default_height);
    let about = About { present: true, muted: t.muted, height, last_n: wanted.last_n };
    Some(link.forwarded.reason(&about))
}
