//! Leaving the room and joining it again on the same connection, when the focus will not bring the bridge back by itself
//! (docs/protocol/02 §23.15). To the program it is the same meeting: participants, tracks and their handles stay, and what
//! changed meanwhile is told as differences (design §5.1).

use super::event::{EventKind, Participant, ParticipantLeft, changed};
use super::machine::{Asker, Meeting, Phase};
use crate::conference::{MucRole, RoomError, RoomEvent};
use crate::error::{Code, Error, Stage};
use crate::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// Rejoins within [`REJOIN_WINDOW`] at most; past it the meeting ends with an error instead of going round for ever.
pub const MAX_REJOINS: usize = 3;
/// How long a rejoin counts.
pub const REJOIN_WINDOW: Duration = Duration::from_secs(600);

/// How far a rejoin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejoining {
    /// The room has to confirm that we left.
    Leaving,
    /// The conference request and the join are under way.
    Joining,
}

impl Meeting {
    /// Begins; ends the meeting when that was tried too often.
    pub(super) fn rejoin(&mut self, why: &str, now: Time) {
        if self.phase != Phase::Joined || self.rejoining.is_some() {
            return;
        }
        self.rejoins.retain(|t| now < *t + REJOIN_WINDOW);
        if self.rejoins.len() >= MAX_REJOINS {
            self.end(Some(Error::new(Code::Ice, Stage::Media, format!("the bridge does not come back: {why}"))), now);
            return;
        }
        self.rejoins.push(now);
        self.rejoining = Some(Rejoining::Leaving);
        self.join_deadline = Some(now + self.join_timeout());
        self.tracks.hold_all();
        self.jingle.leave();
        if let Some(r) = &mut self.room {
            r.leave(now);
        }
    }

    /// Takes an event of the room that a rejoin changes the meaning of; gives back what means the same as ever.
    pub(super) fn rejoin_event(&mut self, event: RoomEvent, now: Time) -> Option<RoomEvent> {
        match (self.rejoining?, event) {
            (Rejoining::Leaving, RoomEvent::Ended(None)) => self.enter_again(now),
            // What others do while we are out is seen on the way in.
            (Rejoining::Leaving, e @ (RoomEvent::RequestDone { .. } | RoomEvent::Ended(Some(_)))) => return Some(e),
            (Rejoining::Leaving, _) => {}
            (Rejoining::Joining, RoomEvent::Joined { role }) => self.entered_again(role, now),
            (Rejoining::Joining, RoomEvent::Ended(None)) => {
                let lost = RoomError::JoinTimeout;
                return Some(RoomEvent::Ended(Some(lost)));
            }
            (Rejoining::Joining, RoomEvent::RequestSent | RoomEvent::Ready | RoomEvent::JoinSent) => {}
            (Rejoining::Joining, e) => return Some(e),
        }
        None
    }

    fn enter_again(&mut self, now: Time) {
        let Some(mut config) = self.room_config.clone() else { return };
        config.display_name.clone_from(&self.options.display_name);
        // What the room before asked is over; the new one counts anew.
        self.iqs.retain(|_, asker| !matches!(asker, Asker::Room(_)));
        let env = self.env.fork();
        let Some(mut room) = self.room.as_mut().map(|r| r.again(config, env)) else { return };
        room.start(now);
        self.room = Some(room);
        self.rejoining = Some(Rejoining::Joining);
        self.name_local_tracks(now);
    }

    /// We are in: whoever is not there any more left meanwhile.
    fn entered_again(&mut self, role: MucRole, now: Time) {
        self.rejoining = None;
        self.join_deadline = None;
        self.tell_role(role);
        if let Some((focus, bridge)) = self.room.as_ref().map(|r| (r.focus_occupant().is_some(), r.bridge_available()))
        {
            self.tell_focus(focus);
            self.tell_bridge_available(bridge);
        }
        let here = |id: &String| self.room.as_ref().is_some_and(|r| r.member(id).is_some());
        let gone: Vec<String> = self.roster.keys().filter(|id| !here(id)).cloned().collect();
        for id in gone {
            let Some(participant) = self.roster.remove(&id) else { continue };
            self.forget_endpoint(&id);
            for t in self.tracks.remove_endpoint(&id) {
                self.tell_removed(t);
            }
            let left =
                ParticipantLeft { participant, reason: String::new(), kicked: false, vanished: false, we_left: false };
            self.emit(EventKind::ParticipantLeft(Box::new(left)));
        }
        self.members_changed(now);
        self.tell_jingle(now);
    }

    /// Somebody whom we know is there again: only what changed is told.
    pub(super) fn known_again(&mut self, new: Arc<Participant>) {
        let Some(old) = self.roster.get(&new.endpoint_id).filter(|old| ***old != *new) else { return };
        let bit = |differs: bool, bit: u32| if differs { bit } else { 0 };
        let what = bit(old.display_name != new.display_name, changed::DISPLAY_NAME)
            | bit(old.role != new.role, changed::ROLE)
            | bit(old.features != new.features, changed::FEATURES)
            | bit(old.raised_hand != new.raised_hand, changed::HAND)
            | bit(old.real_jid != new.real_jid, changed::OTHER);
        self.roster.insert(new.endpoint_id.clone(), new.clone());
        self.emit(EventKind::ParticipantUpdated(new, what));
    }
}
