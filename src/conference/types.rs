//! What goes into a room and what comes out of it.

use super::{Member, MucRole, MuteKind, RoomError};
use crate::wire::{Jid, StanzaError};
use std::time::Duration;

/// What a room is entered with.
#[derive(Clone)]
pub struct RoomConfig {
    /// Bare address of the room.
    pub room: Jid,
    /// Whom the conference request is sent to.
    pub focus: Jid,
    pub machine_uid: String,
    /// JWT; empty for none.
    pub token: String,
    /// Password of the room; empty for none.
    pub password: String,
    pub display_name: String,
    /// Our nickname: 8 lower-case hexadecimal digits.
    pub endpoint_id: String,
    /// Bare addresses that are the focus; those that it names itself are added.
    pub trusted_focus: Vec<Jid>,
    /// What the caps hash is made of.
    pub features: Vec<String>,
    /// Codecs in order of preference.
    pub codecs: Vec<String>,
    pub stats_id: String,
}

impl std::fmt::Debug for RoomConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither token nor password.
        f.debug_struct("RoomConfig").field("room", &self.room).field("endpoint_id", &self.endpoint_id).finish()
    }
}

/// Whether an iq asks or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IqKind {
    Get,
    Set,
}

/// Why an iq has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IqFailure {
    Timeout,
    Disconnected,
    /// It was answered by an error.
    Refused(StanzaError),
}

/// What the room wants done, in this order.
#[derive(Clone, PartialEq, Eq)]
pub enum RoomOutput {
    /// A stanza to send.
    Send(String),
    /// An iq to send; its answer comes back by [`Room::on_iq_answer`](super::Room::on_iq_answer) with this token.
    SendIq {
        token: u64,
        text_payload: String,
        to: Jid,
        kind: IqKind,
        timeout: Duration,
    },
    Event(RoomEvent),
}

impl std::fmt::Debug for RoomOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the text: requests carry tokens, the join presence a password.
        match self {
            RoomOutput::Send(text) => write!(f, "Send({} bytes)", text.len()),
            RoomOutput::SendIq { token, to, .. } => write!(f, "SendIq({token} to {to})"),
            RoomOutput::Event(event) => write!(f, "Event({event:?})"),
        }
    }
}

/// What happened in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomEvent {
    /// A conference request was sent.
    RequestSent,
    /// The focus is ready.
    Ready,
    /// The join presence was sent.
    JoinSent,
    /// We are in.
    Joined {
        role: MucRole,
    },
    MemberJoined(Box<Member>),
    /// With the `CHANGED_…` bits.
    MemberUpdated(Box<Member>, u32),
    MemberLeft {
        member: Box<Member>,
        reason: String,
        kicked: bool,
        /// Its connection broke (status 333).
        vanished: bool,
    },
    /// Our own role changed.
    RoleChanged(MucRole),
    /// What a member says of its sources changed.
    Sources {
        endpoint_id: String,
    },
    Message {
        endpoint_id: String,
        display_name: String,
        text: String,
        id: String,
        private: bool,
        /// It is from the history.
        delayed: bool,
        /// Milliseconds since the Unix epoch.
        sent_ms: i64,
    },
    /// The subject changed.
    Subject(String),
    /// The focus came, or went. Media goes on without it.
    Focus(bool),
    /// The focus says that it has a videobridge for the room again, or that it has none now (`bridgeNotAvailable`): a state, not an
    /// end (docs/protocol/02 §16).
    BridgeAvailable(bool),
    /// The focus's properties of the conference, all of them.
    Properties(Vec<(String, String)>),
    /// The focus has us muted: by itself, or because this endpoint asked for it.
    Muted {
        kind: MuteKind,
        by: Option<String>,
    },
    /// A request is done.
    RequestDone {
        request: u64,
        error: Option<RoomError>,
    },
    /// Exactly once, and nothing after it. None: we left.
    Ended(Option<RoomError>),
}
