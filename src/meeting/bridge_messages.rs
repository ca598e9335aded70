//! What the bridge says on its channel, as events (docs/protocol/04 §2, §3).

use super::event::{Connectivity, EndpointMessage, EventKind, ParticipantStats, RoundTrip, Speaker};
use super::machine::Meeting;
use super::streaming::suspended;
use crate::bridge::SpeakerChange;
use crate::bridge::ping::Ping;
use crate::bridge::stats::of_message;
use crate::jingle::SessionKey;
use crate::time::Time;
use crate::wire::colibri::{FromBridge, Speakers};
use crate::wire::source_info::{SourceKind, parse_name};
use serde_json::{Map, Value};

impl Meeting {
    /// A message of the bridge.
    pub(super) fn on_bridge_text(&mut self, session: SessionKey, text: &str, now: Time) {
        let Some(l) = self.link.as_mut().filter(|l| l.is_of(session)) else { return };
        let Ok(message) = FromBridge::parse(text) else {
            self.unhandled += 1;
            return;
        };
        match message {
            FromBridge::VideoSourcesMap(map) => self.on_map(SourceKind::Video, &map, now),
            FromBridge::AudioSourcesMap(map) => self.on_map(SourceKind::Audio, &map, now),
            FromBridge::SenderSourceConstraints { source, max_height } => {
                if l.senders.set(source, max_height) {
                    self.tell_writers();
                }
            }
            FromBridge::ForwardedSources(sources) => {
                let (came, went) = l.forwarded.set(sources);
                for (source, forwarded) in went.iter().map(|s| (s, false)).chain(came.iter().map(|s| (s, true))) {
                    self.tell_forwarded(source, forwarded);
                }
                self.watch_streaming(now);
            }
            FromBridge::DominantSpeaker(said) => self.on_speakers(said),
            FromBridge::EndpointMessage { from, to, payload } => self.on_endpoint_message(from, &to, payload, now),
            FromBridge::EndpointConnectivity { endpoint, active } => {
                if l.connectivity.set(&endpoint, active) {
                    self.connectivity(endpoint, active);
                }
            }
            FromBridge::ConnectionStats { downlink } => {
                self.emit(EventKind::Downlink { bits_per_second: downlink });
            }
            FromBridge::EndpointStats { from, stats } => self.on_stats(from, &stats),
            FromBridge::ServerHello { .. } | FromBridge::SyntheticSourceSending { .. } => {}
            FromBridge::Unknown(_) => self.unhandled += 1,
        }
    }

    fn on_speakers(&mut self, said: Speakers) {
        if let Some(change) = self.speakers.set(said) {
            self.tell_speakers(change);
        }
    }

    fn tell_speakers(&mut self, change: SpeakerChange) {
        let endpoint_id = self.speakers.dominant().unwrap_or_default().to_owned();
        let participant = self.roster.get(&endpoint_id).map(|p| p.key);
        let (previous, silence) = (self.speakers.previous().to_vec(), self.speakers.silence());
        self.emit(EventKind::Speaker(Box::new(Speaker { participant, endpoint_id, previous, silence, change })));
    }

    fn on_endpoint_message(&mut self, from: String, to: &str, payload: String, now: Time) {
        if let Some(stats) = of_message(&payload) {
            return self.on_stats(from, &stats);
        }
        let Some(ping) = Ping::read(&payload) else {
            let participant = self.roster.get(&from).map(|p| p.key);
            let m = EndpointMessage { participant, endpoint_id: from, private: !to.is_empty(), payload };
            return self.emit(EventKind::EndpointMessage(Box::new(m)));
        };
        if let (Some(l), Some(pong)) = (&mut self.link, ping.answer(&from)) {
            l.say(&pong, now);
        }
        let Ping::Response(id) = ping else { return };
        let measured = self.pinger.as_mut().and_then(|p| p.answered(&from, id, now));
        if let (Some(round_trip), Some(participant)) = (measured, self.roster.get(&from).map(|p| p.key)) {
            self.emit(EventKind::RoundTrip(Box::new(RoundTrip { participant, endpoint_id: from, round_trip })));
        }
    }

    fn on_stats(&mut self, from: String, stats: &Map<String, Value>) {
        let Some(participant) = self.roster.get(&from).map(|p| p.key) else { return };
        let Some(stats) = self.remote_stats.set(&from, stats).cloned() else { return };
        let told = ParticipantStats { participant, endpoint_id: from, stats };
        self.emit(EventKind::ParticipantStats(Box::new(told)));
    }

    /// Tells that the bridge forwards a source, or why not.
    fn tell_forwarded(&mut self, source: &str, forwarded: bool) {
        let Some((owner, _)) = parse_name(source) else { return };
        let (Some(t), Some(l)) = (self.tracks.remote(owner, source), &self.link) else { return };
        let (track, suspended) = (t.key, suspended(l, t).filter(|_| !forwarded));
        self.emit(EventKind::TrackForwarded { track, suspended });
    }

    /// A track was announced of which the bridge has said before that it forwards it.
    pub(super) fn tell_forwarded_before(&mut self, source: &str) {
        if self.link.as_ref().is_some_and(|l| l.forwarded.known() && l.forwarded.has(source)) {
            self.tell_forwarded(source, true);
        }
    }

    /// The bridge hears an endpoint again, or not any more.
    pub(super) fn connectivity(&mut self, endpoint_id: String, active: bool) {
        let participant = self.roster.get(&endpoint_id).map(|p| p.key);
        if participant.is_some() || self.endpoint_id().as_ref() == Some(&endpoint_id) {
            self.emit(EventKind::Connectivity(Box::new(Connectivity { participant, endpoint_id, active })));
        }
    }

    /// Somebody is in the room.
    pub(super) fn meet_endpoint(&mut self, endpoint: &str, now: Time) {
        if let Some(p) = &mut self.pinger {
            p.joined(endpoint, now);
        }
    }

    /// Somebody left: what was known of them goes.
    pub(super) fn forget_endpoint(&mut self, endpoint: &str) {
        self.provenance.forget(endpoint);
        self.remote_stats.remove(endpoint);
        if let Some(change) = self.speakers.remove(endpoint) {
            self.tell_speakers(change);
        }
        if let Some(l) = &mut self.link {
            l.connectivity.remove(endpoint);
        }
        if let Some(p) = &mut self.pinger {
            p.left(endpoint);
        }
    }
}
