//! Muting: our own tracks, by ourselves and by the focus, and the others by a moderator's request (docs/protocol/03 §10.3).
//!
//! What the focus muted is unmuted only with its consent: without it the bridge would drop what we send, and we would talk to nobody. So
//! the track stays muted until the focus has answered.

use super::event::{EventKind, MutedBy, TrackKey};
use super::machine::{Meeting, Phase};
use super::tracks::LocalTrack;
use crate::conference::MuteKind;
use crate::error::{Code, Error};
use crate::media::kind::{MediaType, VideoType};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the focus muted, and the requests to be heard again that it has yet to answer.
#[derive(Debug, Default)]
pub(super) struct Muting {
    by_focus: BTreeSet<MuteKind>,
    /// Request number → what is to be unmuted, and the tag to complete.
    asked: BTreeMap<u64, (TrackKey, MuteKind, u64)>,
}

fn kind_of(t: &LocalTrack) -> MuteKind {
    match (t.options.codec.media_type(), t.options.video_type) {
        (MediaType::Audio, _) => MuteKind::Audio,
        (MediaType::Video, VideoType::Desktop) => MuteKind::Desktop,
        (MediaType::Video, _) => MuteKind::Camera,
    }
}

impl Meeting {
    /// The program mutes one of ours, or unmutes it.
    pub(super) fn set_muted(&mut self, key: TrackKey, muted: bool, tag: u64, now: Time) {
        let Some((kind, is_muted)) = self.tracks.local_mut(key).map(|t| (kind_of(t), t.muted)) else {
            self.done(tag, Some(Error::new(Code::Gone, self.stage, "the track is gone")));
            return;
        };
        if muted {
            self.forget_unmuting(Some(key), "the track was muted again");
        } else if is_muted && self.asks_to_unmute(key, kind, tag) {
            // The writers are told again what they are: the call has told them otherwise.
            self.writers_told();
            return;
        }
        self.mute(key, muted, now);
        self.done(tag, None);
    }

    /// A new track of a kind that the focus muted begins muted: unmuting it asks for consent, as for the others.
    pub(super) fn begin_muted(&mut self, key: TrackKey) {
        let by_focus = &self.muting.by_focus;
        if let Some(t) = self.tracks.local_mut(key).filter(|t| by_focus.contains(&kind_of(t))) {
            t.muted = true;
        }
    }

    /// Asks the focus, where it muted us and is there to be asked.
    fn asks_to_unmute(&mut self, key: TrackKey, kind: MuteKind, tag: u64) -> bool {
        let Some(endpoint) = self.endpoint_id().filter(|_| self.muting.by_focus.contains(&kind)) else { return false };
        let Some(room) = self.room.as_mut().filter(|r| self.phase == Phase::Joined && r.focus_occupant().is_some())
        else {
            self.muting.by_focus.remove(&kind);
            return false;
        };
        self.next_request += 1;
        self.muting.asked.insert(self.next_request, (key, kind, tag));
        room.ask_mute(&endpoint, kind, false, self.next_request);
        true
    }

    /// The focus has answered one of those; false when the request is another one.
    pub(super) fn unmute_answered(&mut self, request: u64, error: Option<&Error>, now: Time) -> bool {
        let Some((key, kind, tag)) = self.muting.asked.remove(&request) else { return false };
        if error.is_none() {
            self.muting.by_focus.remove(&kind);
            self.mute(key, false, now);
        }
        self.done(tag, error.cloned());
        true
    }

    /// What waits for the focus's consent is not wanted any more; `track`: of one, else of all.
    pub(super) fn forget_unmuting(&mut self, track: Option<TrackKey>, why: &str) {
        let asked = self.muting.asked.iter();
        let given_up: Vec<u64> =
            asked.filter(|(_, a)| track.is_none_or(|t| t == a.0)).map(|(request, _)| *request).collect();
        for request in given_up {
            let Some((_, _, tag)) = self.muting.asked.remove(&request) else { continue };
            self.done(tag, Some(Error::new(Code::Cancelled, self.stage, why)));
        }
    }

    /// The focus has us muted, by itself or because somebody asked for it: our tracks of that kind are muted, as if the program had done it.
    pub(super) fn muted_by(&mut self, kind: MuteKind, by: Option<String>, now: Time) {
        self.force_muted(|k| k == kind, now);
        let participant = by.as_ref().and_then(|id| self.roster.get(id)).map(|p| p.key);
        self.emit(EventKind::MutedBy(Box::new(MutedBy { kind, participant, endpoint_id: by.unwrap_or_default() })));
    }

    /// Mutes all of ours that are of these kinds, and tells of each that was not muted. They stay so until the focus consents.
    pub(super) fn force_muted(&mut self, which: impl Fn(MuteKind) -> bool, now: Time) {
        self.muting.by_focus.extend(MuteKind::ALL.into_iter().filter(|k| which(*k)));
        let loud = self.tracks.local.iter().filter(|t| !t.muted && which(kind_of(t)));
        for key in loud.map(|t| t.key).collect::<Vec<_>>() {
            self.mute(key, true, now);
            if let Some(t) = self.tracks.local_mut(key).and_then(|t| t.track.clone()) {
                self.emit(EventKind::TrackUpdated(t));
            }
        }
    }

    /// A moderator asks the focus to mute somebody.
    pub(super) fn mute_participant(&mut self, endpoint_id: &str, kind: MuteKind, tag: u64) {
        let Some(room) = self.room.as_mut().filter(|_| self.phase == Phase::Joined) else {
            self.done(tag, Some(Error::new(Code::State, self.stage, "not in the room")));
            return;
        };
        self.next_request += 1;
        self.requests.insert(self.next_request, tag);
        room.ask_mute(endpoint_id, kind, true, self.next_request);
    }

    /// Mutes one of ours, or unmutes it, so that others see it.
    pub(super) fn mute(&mut self, key: TrackKey, muted: bool, now: Time) {
        let endpoint = self.endpoint_id();
        let Some(t) = self.tracks.local_mut(key) else { return };
        t.muted = muted;
        let desktop = t.options.video_type == VideoType::Desktop;
        if let Some(endpoint) = endpoint {
            let name = t.source_name(&endpoint);
            if t.track.is_some() {
                t.track = Some(Arc::new(t.describe(&endpoint)));
            }
            if let Some(r) = &mut self.room {
                r.set_source(&name, muted, desktop, now);
            }
        }
        if muted {
            // Keys would go out as sound does.
            let error = Error::new(Code::Muted, self.stage, "the track was muted");
            self.release_keys(Some(key), &error);
        }
        self.tell_writers();
        self.signal_bridge();
    }
}
