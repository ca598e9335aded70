//! Why a room could not be entered, why it was left, and why a request in it failed; docs/protocol/03 §9.4, §31.

use crate::error::{Code, Error, Stage};
use crate::wire::{Jid, StanzaError};

/// What `not-allowed` meant (docs/protocol/03 §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotAllowed {
    /// No nearer reason was given.
    General,
    AuthenticationRequired,
    /// A visitor node without anybody in the main room.
    NoMainParticipants,
    /// Visitors may not become participants.
    PromotionNotAllowed,
    /// A visitor node while the lobby is on.
    NoVisitorsLobby,
}

impl NotAllowed {
    /// The name of the case on the wire and in errors.
    pub fn as_str(self) -> &'static str {
        match self {
            NotAllowed::General => "not-allowed",
            NotAllowed::AuthenticationRequired => "authentication-required",
            NotAllowed::NoMainParticipants => "no-main-participants",
            NotAllowed::PromotionNotAllowed => "promotion-not-allowed",
            NotAllowed::NoVisitorsLobby => "no-visitors-lobby",
        }
    }
}

/// A failure of the room layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomError {
    /// The focus did not answer the conference request.
    RequestTimeout,
    /// The focus refused the conference request.
    RequestRefused(StanzaError),
    /// The focus answered with something else than a conference.
    RequestUnreadable,
    /// The focus makes this room only for people who have logged in.
    AuthenticationRequired,
    Reservation {
        code: String,
        text: String,
    },
    Redirected {
        vnode: String,
        focus: Option<Jid>,
    },
    NotLive,
    /// The connection went away before the room was entered.
    Disconnected,
    /// The room did not answer the join presence.
    JoinTimeout,
    PasswordRequired {
        text: String,
    },
    NotAllowed {
        kind: NotAllowed,
        text: String,
    },
    RoomFull {
        /// Whether the focus offered places for visitors.
        visitors: bool,
        text: String,
    },
    MembersOnly {
        lobby: Option<Jid>,
        waiting_for_host: bool,
        text: String,
    },
    DisplayNameRequired {
        /// The lobby asks for it.
        lobby: bool,
        text: String,
    },
    RoomDoesNotExist {
        text: String,
    },
    NicknameConflict {
        text: String,
    },
    JoinRefused(StanzaError),
    Kicked {
        /// Endpoint id of who did it; empty when unknown.
        by: String,
        reason: String,
    },
    Destroyed {
        alternative: Option<Jid>,
        reason: String,
    },
    Removed {
        /// Status code of the room (301, 321, 322, 332, 333); 0 for none.
        status: u16,
        reason: String,
    },
    /// The text is empty or longer than [`super::MAX_MESSAGE_BYTES`].
    MessageSize(usize),
    NoSuchParticipant,
    NotJoined,
    TooManyRequests,
    /// The server refused the message.
    MessageRefused(StanzaError),
    /// The room did not reflect the message in time.
    MessageTimeout,
    /// A moderator's right is wanted, or what is muted is to stay so.
    MuteNotAllowed(StanzaError),
    /// The focus refused to mute for another reason.
    MuteRefused(StanzaError),
    /// The focus did not answer a mute request.
    MuteTimeout,
    /// The focus is not in the room.
    NoFocus,
    /// The room ended before the request was answered.
    Cancelled,
}

impl RoomError {
    /// The public error.
    pub fn to_error(&self) -> Error {
        use RoomError as E;
        let request = Stage::ConferenceRequest;
        let (code, stage, condition, text) = match self {
            E::RequestTimeout => (Code::ServerTimeout, request, "", "the focus did not answer"),
            E::RequestRefused(e) => return refused(Code::ConferenceRequest, request, e),
            E::RequestUnreadable => (Code::ConferenceRequest, request, "", "the answer is no conference"),
            E::AuthenticationRequired => (Code::AuthenticationRequired, request, "not-authorized", ""),
            E::Reservation { code, text } => (Code::Reservation, request, code.as_str(), text.as_str()),
            E::Redirected { vnode, focus } => {
                (Code::Redirected, request, vnode.as_str(), focus.as_ref().map_or("", Jid::as_str))
            }
            E::NotLive => (Code::NotLive, request, "", "the meeting is not live"),
            E::Disconnected => (Code::Disconnected, request, "", ""),
            E::JoinTimeout => (Code::ServerTimeout, Stage::Join, "", "the room did not answer"),
            E::PasswordRequired { text } => (Code::RoomPassword, Stage::Join, "not-authorized", text.as_str()),
            E::NotAllowed { kind: NotAllowed::AuthenticationRequired, text } => {
                (Code::AuthenticationRequired, Stage::Join, "authentication-required", text.as_str())
            }
            E::NotAllowed { kind, text } => (Code::NotAllowed, Stage::Join, kind.as_str(), text.as_str()),
            E::RoomFull { visitors: true, text } if text.is_empty() => {
                (Code::RoomFull, Stage::Join, "service-unavailable", "there are places for visitors")
            }
            E::RoomFull { visitors: true, text } => {
                let text = format!("{text} (there are places for visitors)");
                return Error::new(Code::RoomFull, Stage::Join, text).with_condition("service-unavailable");
            }
            E::RoomFull { text, .. } => (Code::RoomFull, Stage::Join, "service-unavailable", text.as_str()),
            E::MembersOnly { lobby, waiting_for_host, text } => (
                Code::MembersOnly,
                Stage::Join,
                if *waiting_for_host { "waiting-for-host" } else { "registration-required" },
                lobby.as_ref().map_or(text.as_str(), Jid::as_str),
            ),
            E::DisplayNameRequired { text, .. } => {
                (Code::DisplayNameRequired, Stage::Join, "displayname-required", text.as_str())
            }
            E::RoomDoesNotExist { text } => (Code::RoomDoesNotExist, Stage::Join, "not-allowed", text.as_str()),
            E::NicknameConflict { text } => (Code::NicknameConflict, Stage::Join, "conflict", text.as_str()),
            E::JoinRefused(e) => return refused(Code::Join, Stage::Join, e),
            E::Kicked { by, reason } => (Code::Kicked, Stage::Joined, by.as_str(), reason.as_str()),
            E::Destroyed { alternative, reason } => {
                (Code::Destroyed, Stage::Joined, alternative.as_ref().map_or("", Jid::as_str), reason.as_str())
            }
            E::Removed { status, reason } => {
                let e = Error::new(Code::Removed, Stage::Joined, reason.as_str());
                return if *status == 0 { e } else { e.with_condition(status.to_string()) };
            }
            E::MessageSize(0) => (Code::InvalidArgument, Stage::Joined, "", "the text is empty"),
            E::MessageSize(n) => {
                return Error::new(Code::TooLarge, Stage::Joined, format!("the text has {n} bytes"));
            }
            E::NoSuchParticipant => (Code::NoSuchParticipant, Stage::Joined, "", ""),
            E::NotJoined => (Code::State, Stage::None, "", "not in the room"),
            E::TooManyRequests => (Code::Busy, Stage::Joined, "", "too many messages wait for the room"),
            E::MessageRefused(e) => return refused(Code::Request, Stage::Joined, e),
            E::MessageTimeout => (Code::RequestTimeout, Stage::Joined, "", "the room did not confirm the message"),
            E::MuteNotAllowed(e) => return refused(Code::NotAllowed, Stage::Joined, e),
            E::MuteRefused(e) => return refused(Code::Request, Stage::Joined, e),
            E::MuteTimeout => (Code::RequestTimeout, Stage::Joined, "", "the focus did not answer the mute request"),
            E::NoFocus => (Code::State, Stage::Joined, "", "the focus is not in the room"),
            E::Cancelled => (Code::Cancelled, Stage::Leave, "", "the room was left before the request was answered"),
        };
        Error::new(code, stage, text).with_condition(condition)
    }
}

fn refused(code: Code, stage: Stage, e: &StanzaError) -> Error {
    let condition = e.application.as_ref().map_or(e.condition.as_str(), |a| &a.name);
    Error::new(code, stage, e.text.as_str()).with_condition(condition)
}

impl std::fmt::Display for RoomError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_error().fmt(f)
    }
}

impl std::error::Error for RoomError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Condition;

    #[test]
    fn public_errors_carry_code_condition_and_text() {
        let e = RoomError::JoinRefused(StanzaError::new(Condition::Forbidden).with_text("no")).to_error();
        assert_eq!(
            (e.code, e.stage, e.condition.as_str(), e.text.as_str()),
            (Code::Join, Stage::Join, "forbidden", "no")
        );
        let e = RoomError::RequestRefused(StanzaError::default().with_application("odd", "ns")).to_error();
        assert_eq!((e.code, e.condition.as_str()), (Code::ConferenceRequest, "odd"));
        let e = RoomError::Kicked { by: "0b0b0b0b".into(), reason: "bye".into() }.to_error();
        assert_eq!((e.code, e.condition.as_str(), e.text.as_str()), (Code::Kicked, "0b0b0b0b", "bye"));
        let e = RoomError::Removed { status: 332, reason: "down".into() }.to_error();
        assert_eq!((e.code, e.condition.as_str(), e.text.as_str()), (Code::Removed, "332", "down"));
        assert_eq!(RoomError::Removed { status: 0, reason: String::new() }.to_error().condition, "");
        let lobby = Some(Jid::parse("r@lobby.x").unwrap());
        let e = RoomError::MembersOnly { lobby, waiting_for_host: false, text: "ask".into() }.to_error();
        assert_eq!((e.code, e.text.as_str()), (Code::MembersOnly, "r@lobby.x"));
        let not_allowed = |kind| RoomError::NotAllowed { kind, text: String::new() }.to_error();
        assert_eq!(not_allowed(NotAllowed::AuthenticationRequired).code, Code::AuthenticationRequired);
        assert_eq!(not_allowed(NotAllowed::NoVisitorsLobby).condition, "no-visitors-lobby");
        assert_eq!(not_allowed(NotAllowed::General).condition, "not-allowed");
        for words in ["", "these words"] {
            let text = || words.to_owned();
            for e in [
                RoomError::PasswordRequired { text: text() },
                RoomError::RoomFull { visitors: false, text: text() },
                RoomError::MembersOnly { lobby: None, waiting_for_host: false, text: text() },
                RoomError::DisplayNameRequired { lobby: false, text: text() },
                RoomError::NicknameConflict { text: text() },
            ] {
                assert_eq!(e.to_error().text, words, "{e:?}");
            }
        }
        assert_eq!(RoomError::MessageSize(70_000).to_error().code, Code::TooLarge);
        assert_eq!(RoomError::MessageSize(0).to_error().code, Code::InvalidArgument);
    }
}
