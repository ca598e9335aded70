//! What the room tells, as events: participants, words, mute states; and what Jingle needs to know of it.

use super::event::{
    ClientState, EventKind, Joined, Message, Participant, ParticipantLeft, Role, TimelineStage, changed,
};
use super::machine::{Asker, Meeting, Phase};
use crate::conference::{IqKind, Member, MucRole, RoomEvent, RoomOutput};
use crate::error::Stage;
use crate::jingle;
use crate::media::codec_selection;
use crate::media::kind::VideoType;
use crate::time::Time;
use crate::wire::stanza::IqType;
use std::sync::Arc;

/// A telephony gateway (docs/protocol/02 §14.1).
const JIGASI: &str = "http://jitsi.org/protocol/jigasi";

/// What the program knows of the room itself: one that is entered again tells all of it anew, and only what changed is news.
#[derive(Debug, Default)]
pub(super) struct Told {
    focus: Option<bool>,
    role: Option<Role>,
    no_bridge: bool,
}

impl Meeting {
    pub(super) fn on_room(&mut self, output: RoomOutput, now: Time) {
        match output {
            RoomOutput::Send(stanza) => {
                // Not bound any more: then the stream's own end is on its way.
                if let Some(s) = &mut self.stream {
                    let _ = s.send_stanza(stanza);
                }
            }
            RoomOutput::SendIq { token, text_payload, to, kind, timeout } => {
                let kind = match kind {
                    IqKind::Get => IqType::Get,
                    IqKind::Set => IqType::Set,
                };
                if let Some(s) = &mut self.stream {
                    let iq = s.send_iq(Some(&to), kind, &text_payload, timeout, now);
                    self.iqs.insert(iq, Asker::Room(token));
                }
            }
            RoomOutput::Event(e) => self.on_room_event(e, now),
        }
    }

    fn on_room_event(&mut self, event: RoomEvent, now: Time) {
        let event = match self.rejoining {
            None => Some(event),
            Some(_) => self.rejoin_event(event, now),
        };
        let Some(event) = event else { return };
        match event {
            RoomEvent::RequestSent => self.reach(TimelineStage::ConferenceRequestSent, now),
            RoomEvent::Ready => {
                self.stage = Stage::Join;
                self.reach(TimelineStage::ConferenceReady, now);
            }
            RoomEvent::JoinSent => self.reach(TimelineStage::JoinSent, now),
            RoomEvent::Joined { role } => self.joined(role, now),
            RoomEvent::MemberJoined(m) if self.roster.contains_key(&m.endpoint_id) => {
                let Some(key) = self.roster.get(&m.endpoint_id).map(|p| p.key) else { return };
                self.known_again(Arc::new(participant(&m, key)));
            }
            RoomEvent::MemberJoined(m) => {
                let key = self.participant_key();
                let p = Arc::new(participant(&m, key));
                self.roster.insert(m.endpoint_id.clone(), p.clone());
                self.emit(EventKind::ParticipantJoined(p));
                self.meet_endpoint(&m.endpoint_id, now);
                self.members_changed(now);
                self.tell_jingle(now);
            }
            RoomEvent::MemberUpdated(m, what) => {
                let Some(known) = self.roster.get_mut(&m.endpoint_id) else { return };
                let p = Arc::new(participant(&m, known.key));
                *known = p.clone();
                self.emit(EventKind::ParticipantUpdated(p, what));
                if what & (changed::FEATURES | changed::OTHER) != 0 {
                    self.members_changed(now);
                    self.tell_jingle(now);
                }
            }
            RoomEvent::MemberLeft { member, reason, kicked, vanished } => {
                let Some(participant) = self.roster.remove(&member.endpoint_id) else { return };
                self.members_changed(now);
                // Its session ends, and its tracks go, before it leaves.
                self.tell_jingle(now);
                while let Some(o) = self.jingle.poll_output() {
                    self.on_jingle(o, now);
                }
                self.forget_slots_of(&member.endpoint_id, now);
                self.forget_endpoint(&member.endpoint_id);
                for t in self.tracks.remove_endpoint(&member.endpoint_id) {
                    self.tell_removed(t);
                }
                self.emit(EventKind::ParticipantLeft(Box::new(ParticipantLeft {
                    participant,
                    reason,
                    kicked,
                    vanished,
                    we_left: false,
                })));
            }
            RoomEvent::RoleChanged(r) => self.tell_role(r),
            RoomEvent::Sources { endpoint_id } => {
                self.source_states(&endpoint_id);
                self.presence_tracks(&endpoint_id);
                self.watch_streaming(now);
            }
            RoomEvent::Message { endpoint_id, display_name, text, id, private, delayed, sent_ms } => {
                let participant = self.roster.get(&endpoint_id).map(|p| p.key);
                let m = Message { participant, endpoint_id, display_name, text, id, private, delayed, sent_ms };
                self.emit(EventKind::Message(Box::new(m)));
            }
            RoomEvent::Subject(s) => self.emit(EventKind::Subject(s)),
            RoomEvent::Focus(present) => {
                self.tell_focus(present);
                self.tell_jingle(now);
            }
            RoomEvent::BridgeAvailable(available) => {
                self.tell_bridge_available(available);
                self.tell_jingle(now);
            }
            RoomEvent::Properties(p) => {
                // With visitors in, only the bridge reaches everybody (docs/protocol/03 §8.1).
                let count = p.iter().find(|p| p.0 == "visitor-count").and_then(|p| p.1.parse::<u64>().ok());
                self.visitors = count.unwrap_or(0) > 0;
                self.tell_jingle(now);
                let codecs = p.iter().find(|p| p.0 == "visitor-codecs").map(|p| p.1.split(','));
                let codecs = codecs.map(codec_selection::read_list).filter(|c| !c.is_empty());
                if codecs != self.visitor_codecs {
                    self.visitor_codecs = codecs;
                    self.select_codecs(now);
                }
            }
            RoomEvent::Muted { kind, by } => self.muted_by(kind, by, now),
            RoomEvent::RequestDone { request, error } => {
                let error = error.map(|e| e.to_error());
                if self.unmute_answered(request, error.as_ref(), now) {
                    return;
                }
                if let Some(tag) = self.requests.remove(&request) {
                    self.done(tag, error);
                }
            }
            RoomEvent::Ended(error) => self.room_ended(error, now),
        }
    }

    fn joined(&mut self, r: MucRole, now: Time) {
        let Some(endpoint_id) = self.endpoint_id() else { return };
        self.phase = Phase::Joined;
        self.stage = Stage::Joined;
        self.join_deadline = None;
        self.reach(TimelineStage::Joined, now);
        self.state(ClientState::Joined);
        self.told.role = Some(role(r));
        self.emit(EventKind::Joined(Joined { endpoint_id, role: role(r) }));
        self.announce_local_tracks();
        if let Some(tag) = self.join_tag.take() {
            self.done(tag, None);
        }
        self.tell_jingle(now);
    }

    pub(super) fn tell_role(&mut self, r: MucRole) {
        let role = role(r);
        if self.told.role.replace(role) != Some(role) {
            self.emit(EventKind::Role(role));
        }
    }

    pub(super) fn tell_focus(&mut self, present: bool) {
        if self.told.focus.replace(present) != Some(present) {
            self.emit(EventKind::Focus(present));
        }
    }

    pub(super) fn tell_bridge_available(&mut self, available: bool) {
        if std::mem::replace(&mut self.told.no_bridge, !available) == available {
            self.emit(EventKind::BridgeAvailable(available));
        }
    }

    /// Our endpoint id, once a room was entered.
    pub(super) fn endpoint_id(&self) -> Option<String> {
        self.room.as_ref()?.own_occupant().resource().map(str::to_owned)
    }

    /// The room as Jingle sees it (docs/protocol/02 §14.1).
    pub(super) fn tell_jingle(&mut self, now: Time) {
        let Some(room) = self.room.as_ref().filter(|_| self.phase == Phase::Joined && self.rejoining.is_none()) else {
            return;
        };
        let participants = room.members().map(|m| jingle::Participant {
            jid: m.occupant.clone(),
            jigasi: m.features.iter().any(|f| f == JIGASI),
            poltergeist: m.is_bot,
        });
        let conference = jingle::Conference {
            own: Some(room.own_occupant().clone()),
            focus: room.focus_occupant().cloned(),
            participants: participants.collect(),
            visitors: self.visitors,
            needs_bridge: false,
            bridge_not_available: !room.bridge_available(),
        };
        self.jingle.set_conference(conference, now);
    }

    /// Mute states and video types of somebody's tracks, as presence has them now.
    fn source_states(&mut self, endpoint: &str) {
        for name in self.tracks.names_of(endpoint) {
            let before = self.tracks.remote(endpoint, &name).map_or(VideoType::Camera, |t| t.video_type);
            let (muted, video_type) = self.source_state(endpoint, &name, before);
            if let Some(t) = self.tracks.update_remote(endpoint, &name, muted, video_type) {
                self.emit(EventKind::TrackUpdated(t));
            }
        }
    }

    /// What presence says of a source; one that it does not name counts as audible (docs/protocol/03 §5.7 speaks of queries; a
    /// track that is signalled and not named is an old client's).
    pub(super) fn source_state(&self, endpoint: &str, name: &str, unnamed: VideoType) -> (bool, VideoType) {
        match self.room.as_ref().and_then(|r| r.source_state(endpoint, name)) {
            Some(s) => (s.muted, if s.desktop { VideoType::Desktop } else { VideoType::Camera }),
            None => (false, unnamed),
        }
    }
}

fn role(r: MucRole) -> Role {
    match r {
        MucRole::None => Role::None,
        MucRole::Visitor => Role::Visitor,
        MucRole::Participant => Role::Participant,
        MucRole::Moderator => Role::Moderator,
    }
}

fn participant(m: &Member, key: super::ParticipantKey) -> Participant {
    Participant {
        key,
        endpoint_id: m.endpoint_id.clone(),
        display_name: m.display_name.clone(),
        real_jid: m.real_jid.as_ref().map(|j| j.to_string()).unwrap_or_default(),
        role: role(m.role),
        features: m.features.clone(),
        raised_hand: m.raised_hand.clone(),
    }
}
