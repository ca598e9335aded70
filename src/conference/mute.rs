//! Muting others as a moderator, being muted by one, and asking to be heard again; docs/protocol/03 §10.3. The focus decides: every request
//! goes to it, and only its word counts.

use super::{IqFailure, IqKind, Phase, Room, RoomError, RoomEvent};
use crate::wire::mute::{self, MuteKind, MuteNotice};
use crate::wire::stanza::result_of;
use crate::wire::{Condition, Element, StanzaKind};
use std::time::Duration;

/// How long the focus may take to answer a mute request (default 15 s).
pub const MUTE_TIMEOUT: Duration = Duration::from_secs(15);
/// Mute requests that may wait for their answers (default 1024).
pub const MAX_PENDING_MUTES: usize = 1024;

/// Requests that the focus has yet to answer: token of the iq, and whose request it is.
#[derive(Debug, Default)]
pub(super) struct Mutes(Vec<(u64, u64)>);

impl Mutes {
    fn take(&mut self, token: u64) -> Option<u64> {
        let at = self.0.iter().position(|m| m.0 == token)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The next one, however long it has waited: the room ends.
    pub(super) fn cancel(&mut self) -> Option<u64> {
        self.0.pop().map(|m| m.1)
    }
}

impl Room {
    /// Asks the focus to mute somebody, or to let us ourselves be heard again (`endpoint_id` is ours and `muted` is false).
    /// [`RoomEvent::RequestDone`] follows exactly once, except after [`RoomEvent::Ended`].
    pub fn ask_mute(&mut self, endpoint_id: &str, kind: MuteKind, muted: bool, request: u64) {
        if self.phase == Phase::Ended {
            return;
        }
        let own = self.own.resource() == Some(endpoint_id);
        let target = if own { Some(&self.own) } else { self.member(endpoint_id).map(|m| &m.occupant) };
        let refusal = match (self.phase, target, &self.focus.current) {
            _ if self.mutes.0.len() >= MAX_PENDING_MUTES => RoomError::TooManyRequests,
            (Phase::Joined, Some(target), Some(focus)) => {
                let (payload, focus) = (mute::request(kind, target, muted), focus.clone());
                let token = self.send_iq(payload, focus, IqKind::Set, MUTE_TIMEOUT);
                self.mutes.0.push((token, request));
                return;
            }
            (Phase::Joined, None, _) => RoomError::NoSuchParticipant,
            (Phase::Joined, _, None) => RoomError::NoFocus,
            _ => RoomError::NotJoined,
        };
        self.done(request, Some(refusal));
    }

    /// Takes the answer to one of those; false when it is to something else.
    pub(super) fn mute_answered(&mut self, token: u64, answer: &Result<Element<'_>, IqFailure>) -> bool {
        let Some(request) = self.mutes.take(token) else { return false };
        let error = match answer {
            Ok(_) => None,
            Err(IqFailure::Refused(e)) if matches!(e.condition, Condition::NotAllowed | Condition::Forbidden) => {
                Some(RoomError::MuteNotAllowed(e.clone()))
            }
            Err(IqFailure::Refused(e)) => Some(RoomError::MuteRefused(e.clone())),
            Err(IqFailure::Timeout | IqFailure::Disconnected) => Some(RoomError::MuteTimeout),
        };
        self.done(request, error);
        true
    }

    /// Takes a request of the focus; false when it is none that concerns a room. Upstream leaves it without an answer, we do not.
    pub fn on_iq(&mut self, stanza: Element<'_>) -> bool {
        let Some((stanza, from)) = self.own_stanza(stanza, StanzaKind::Iq) else { return false };
        let notice = stanza.payload().filter(|_| stanza.type_str() == "set").and_then(MuteNotice::read);
        let Some(notice) = notice.filter(|_| self.phase == Phase::Joined && self.is_focus(&from)) else { return false };
        if let Some(answer) = result_of(stanza) {
            self.send(answer.finish());
        }
        // Nobody can make us speak.
        if notice.muted {
            let room = self.config.room.as_str();
            let actor = notice.actor.filter(|a| a.bare_str() == room && *a != from);
            let by = actor.and_then(|a| a.resource().map(str::to_owned));
            self.event(RoomEvent::Muted { kind: notice.kind, by });
        }
        true
    }
}
