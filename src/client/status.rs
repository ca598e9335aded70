//! What is known of speakers, endpoints and tracks by now: the part of the snapshot that the events of the bridge make.

use crate::bridge::{Streaming, Suspended};
use crate::meeting::event::{EventKind, MediaPath, MediaState, ParticipantKey, Speaker, TrackKey};
use crate::wire::colibri::EndpointStats;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a remote video track does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackStatus {
    pub streaming: Streaming,
    /// The bridge forwards it, as far as it has said.
    pub forwarded: bool,
    /// Why it is not forwarded, as far as that was told.
    pub suspended: Option<Suspended>,
}

/// How another endpoint does.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStatus {
    /// The bridge hears something of it, as far as it has said.
    pub active: bool,
    /// Through the bridge to it and back.
    pub round_trip: Option<Duration>,
    /// What it says of its connection.
    pub stats: Option<EndpointStats>,
}

impl Default for EndpointStatus {
    fn default() -> EndpointStatus {
        EndpointStatus { active: true, round_trip: None, stats: None }
    }
}

/// All of it.
#[derive(Default)]
pub(crate) struct Statuses {
    pub speaker: Option<Speaker>,
    pub tracks: BTreeMap<TrackKey, TrackStatus>,
    pub endpoints: BTreeMap<ParticipantKey, EndpointStatus>,
}

impl Statuses {
    /// Follows an event.
    pub fn follow(&mut self, event: &EventKind) {
        match event {
            EventKind::Speaker(s) => self.speaker = Some((**s).clone()),
            EventKind::TrackForwarded { track, suspended } => {
                let t = self.tracks.entry(*track).or_default();
                (t.forwarded, t.suspended) = (suspended.is_none(), *suspended);
            }
            EventKind::TrackStreaming { track, status, suspended } => {
                let t = self.tracks.entry(*track).or_default();
                t.streaming = *status;
                // Also of one that never was forwarded.
                t.suspended = if t.forwarded { None } else { suspended.or(t.suspended) };
            }
            // What one session forwarded says nothing of the next.
            EventKind::Media(MediaPath::Bridge, MediaState::Ended { .. }) => {
                for t in self.tracks.values_mut() {
                    (t.forwarded, t.suspended) = (false, None);
                }
            }
            EventKind::TrackRemoved(t) => drop(self.tracks.remove(&t.key)),
            EventKind::Connectivity(c) => {
                if let Some(p) = c.participant {
                    self.endpoints.entry(p).or_default().active = c.active;
                }
            }
            EventKind::RoundTrip(r) => self.endpoints.entry(r.participant).or_default().round_trip = Some(r.round_trip),
            EventKind::ParticipantStats(s) => {
                self.endpoints.entry(s.participant).or_default().stats = Some(s.stats.clone());
            }
            EventKind::ParticipantLeft(l) => drop(self.endpoints.remove(&l.participant.key)),
            EventKind::Closed(_) => *self = Statuses::default(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::meeting::event::MediaEnd;

    #[test]
    fn what_a_session_forwarded_ends_with_it() {
        let (mut s, track) = (Statuses::default(), TrackKey(1));
        s.follow(&EventKind::TrackForwarded { track, suspended: None });
        s.follow(&EventKind::TrackStreaming { track, status: Streaming::Restoring, suspended: None });
        let ended = |by_peer| {
            let (endpoint_id, reason, text) = Default::default();
            MediaState::Ended(Box::new(MediaEnd { endpoint_id, reason, text, by_peer, code: Code::Ok }))
        };
        s.follow(&EventKind::Media(MediaPath::PeerToPeer, ended(true)));
        assert!(s.tracks[&track].forwarded, "a peer's end is another matter");
        s.follow(&EventKind::Media(MediaPath::Bridge, ended(false)));
        let rest = TrackStatus { streaming: Streaming::Restoring, forwarded: false, suspended: None };
        assert_eq!(s.tracks[&track], rest);
    }
}
