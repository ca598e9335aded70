//! Presence that comes in: our own makes us joined or ends the stay, that of others makes members; docs/protocol/03 §6.1,
//! §8, §9.2, §9.4.

use super::join::{self, Refusal};
use super::{IqKind, Phase, Room, RoomError, RoomEvent, leave, request};
use crate::Time;
use crate::wire::muc::{self, MucUser};
use crate::wire::presence::OccupantPresence;
use crate::wire::{Condition, Element, Jid, Stanza, StanzaKind};

/// Id that never is a participant's, whoever has it (§2).
const FOCUS_ID: &str = "focus";

impl Room {
    /// Takes a presence; false when it is not from this room.
    pub fn on_presence(&mut self, stanza: Element<'_>, now: Time) -> bool {
        let Some((stanza, from)) = self.own_stanza(stanza, StanzaKind::Presence) else { return false };
        if !matches!(self.phase, Phase::Joining(_) | Phase::Joined | Phase::Leaving(_)) {
            return true;
        }
        match stanza.type_str() {
            "" => self.available(stanza.element(), &from, now),
            "unavailable" => self.unavailable(stanza.element(), &from, now),
            "error" => self.refused(stanza, &from, now),
            _ => {}
        }
        true
    }

    fn available(&mut self, stanza: Element<'_>, from: &Jid, now: Time) {
        let user = MucUser::read(stanza);
        if *from == self.own {
            return self.own_available(&user, now);
        }
        let (Some(nick), Some(item)) = (from.resource(), &user.item) else { return };
        if user.has(110) {
            // The room gave us another nickname (210): the bridge would not know us by it.
            if matches!(self.phase, Phase::Joining(_)) {
                self.send(leave::unavailable(from));
                self.end(Some(RoomError::NicknameConflict { text: String::new() }));
            }
            return;
        }
        let presence = OccupantPresence::read(stanza);
        let known = self.member(nick).is_some();
        let is_focus = self.focus.trusts(item.jid.as_ref());
        let Some(change) = self.roster.apply(nick, from, item, &presence, is_focus) else { return };
        self.review(nick, now);
        let Some(member) = self.member(nick).cloned() else {
            if self.is_focus(from) {
                self.focus_says(presence);
            }
            return;
        };
        let endpoint_id = member.endpoint_id.clone();
        if known && change.bits != 0 {
            self.event(RoomEvent::MemberUpdated(Box::new(member), change.bits));
        }
        if known && change.sources {
            self.event(RoomEvent::Sources { endpoint_id });
        }
    }

    fn own_available(&mut self, user: &MucUser, now: Time) {
        let role = user.item.as_ref().map(|i| i.role).unwrap_or_default();
        let before = std::mem::replace(&mut self.role, role);
        if matches!(self.phase, Phase::Joining(_)) {
            self.phase = Phase::Joined;
            self.history.entered(now);
            self.event(RoomEvent::Joined { role });
            self.send_presence();
            if user.has(201) {
                let room = self.config.room.clone();
                let token = self.send_iq(muc::owner_query(), room, IqKind::Get, request::REQUEST_TIMEOUT);
                self.owner_token = Some(token);
            }
            // All who were in came before our own presence: the focus is not among them.
            if self.focus.current.is_none() {
                self.focus.missing(now, &mut self.env);
            }
        } else if before != role {
            self.event(RoomEvent::RoleChanged(role));
        }
    }

    fn unavailable(&mut self, stanza: Element<'_>, from: &Jid, now: Time) {
        let presence = OccupantPresence::read(stanza);
        if presence.ignore {
            return;
        }
        let user = MucUser::read(stanza);
        let status = presence.status;
        if *from == self.own || (user.has(110) && from.resource().is_some()) {
            let removal = leave::removal(&user, &status);
            match self.phase {
                Phase::Leaving(_) => self.end(None),
                // Without a reason it may be the end of an earlier stay under the same name.
                Phase::Joining(_) if removal.is_none() => {}
                _ => self.end(Some(removal.unwrap_or(RoomError::Removed { status: 0, reason: status }))),
            }
            return;
        }
        let Some(gone) = from.resource().and_then(|nick| self.roster.remove(nick)) else { return };
        if gone.announced {
            let said = user.item.as_ref().map_or("", |i| &i.reason);
            let vanished = user.has(333);
            self.event(RoomEvent::MemberLeft {
                reason: if said.is_empty() { status } else { said.to_owned() },
                kicked: user.has(307) && !vanished,
                vanished,
                member: Box::new(gone.member),
            });
        }
        self.review_focus(now);
    }

    fn refused(&mut self, stanza: Stanza<'_>, from: &Jid, now: Time) {
        if *from != self.own && *from != self.config.room {
            return;
        }
        match self.phase {
            Phase::Joining(_) => match join::refusal(stanza.element(), self.requester.visitors_supported) {
                Refusal::Final(error) => self.end(Some(error)),
                Refusal::CreationRestricted(text) if self.join_retries >= join::MAX_JOIN_RETRIES => {
                    self.end(Some(RoomError::RoomDoesNotExist { text }));
                }
                Refusal::CreationRestricted(_) => {
                    self.join_retries += 1;
                    let pause = join::retry_pause(self.join_retries, &mut self.env);
                    self.phase = Phase::Waiting(now + pause);
                }
            },
            Phase::Joined => {
                // An update was refused. Only if the room does not know us any more is the stay over.
                let error = stanza.error().unwrap_or_default();
                let gone = [Condition::ItemNotFound, Condition::NotAcceptable, Condition::Gone];
                if gone.contains(&error.condition) {
                    self.end(Some(RoomError::Removed { status: 0, reason: error.to_string() }));
                }
            }
            Phase::Leaving(_) => self.end(None),
            _ => {}
        }
    }

    /// Whether one occupant is a member or the focus now, and what that changes.
    fn review(&mut self, nick: &str, now: Time) {
        let Some(occupant) = self.roster.get_mut(nick) else { return };
        let member = nick != FOCUS_ID && !self.focus.trusts(occupant.member.real_jid.as_ref());
        let was = std::mem::replace(&mut occupant.announced, member);
        let (copy, sources) = (occupant.member.clone(), !occupant.sources.is_empty());
        match (was, member) {
            (false, true) => {
                let endpoint_id = copy.endpoint_id.clone();
                self.event(RoomEvent::MemberJoined(Box::new(copy)));
                if sources {
                    self.event(RoomEvent::Sources { endpoint_id });
                }
            }
            (true, false) => {
                let member = copy;
                self.event(RoomEvent::MemberLeft {
                    member: Box::new(member),
                    reason: String::new(),
                    kicked: false,
                    vanished: false,
                });
            }
            _ => {}
        }
        self.review_focus(now);
    }

    /// The same for everybody: the trust set grew.
    pub(super) fn review_all(&mut self, now: Time) {
        let all: Vec<String> = self.roster.occupants().map(|o| o.member.endpoint_id.clone()).collect();
        for nick in all {
            self.review(&nick, now);
        }
    }

    fn review_focus(&mut self, now: Time) {
        let current = self.focus.current.take();
        let next = match current.clone().filter(|c| self.is_focus(c)) {
            Some(same) => Some(same),
            None => {
                let mut trusted = self.roster.occupants().filter(|o| self.focus.trusts(o.member.real_jid.as_ref()));
                trusted.next().map(|o| o.member.occupant.clone())
            }
        };
        self.focus.current.clone_from(&next);
        if next == current {
            return;
        }
        // Nobody is left who says that there is none; the one that comes says it anew.
        if !std::mem::replace(&mut self.bridge_available, true) {
            self.event(RoomEvent::BridgeAvailable(true));
        }
        self.event(RoomEvent::Focus(next.is_some()));
        if next.is_some() {
            self.focus.found();
        } else if self.phase == Phase::Joined {
            self.focus.missing(now, &mut self.env);
        }
    }

    fn focus_says(&mut self, presence: OccupantPresence) {
        if self.bridge_available == presence.bridge_not_available {
            self.bridge_available = !presence.bridge_not_available;
            self.event(RoomEvent::BridgeAvailable(self.bridge_available));
        }
        if let Some(properties) = presence.conference_properties
            && properties != self.properties
        {
            self.properties.clone_from(&properties);
            self.event(RoomEvent::Properties(properties));
        }
    }
}
