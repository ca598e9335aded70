//! What a client and the people in its room can be: enums of the header, written out because cbindgen reads no macros.
//!
//! Values are never reused or renumbered; each enum is equal to its Rust counterpart. 0 is "unspecified", or "none" where that is a state.

/// Where a client stands.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_state {
    /// Answer to an invalid handle.
    JMEET_STATE_UNSPECIFIED = 0,
    /// Made, not joined.
    JMEET_STATE_NEW = 1,
    /// Transport, TLS, login.
    JMEET_STATE_CONNECTING = 2,
    /// Conference request and room.
    JMEET_STATE_JOINING = 3,
    /// In the room.
    JMEET_STATE_JOINED = 4,
    /// On the way out.
    JMEET_STATE_LEAVING = 5,
    /// Finished.
    JMEET_STATE_CLOSED = 6,
}

/// What a participant may do.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_role {
    /// Not known, or none.
    JMEET_ROLE_NONE = 0,
    /// Listens only.
    JMEET_ROLE_VISITOR = 1,
    /// Takes part.
    JMEET_ROLE_PARTICIPANT = 2,
    /// May mute and remove others.
    JMEET_ROLE_MODERATOR = 3,
}

/// Stages between the join call and the first frames.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_timeline_stage {
    JMEET_TIMELINE_UNSPECIFIED = 0,
    /// The join call.
    JMEET_TIMELINE_START = 1,
    /// Socket, TLS and HTTP upgrade done.
    JMEET_TIMELINE_TRANSPORT_OPEN = 2,
    /// Logged in.
    JMEET_TIMELINE_AUTHENTICATED = 3,
    /// Resource bound.
    JMEET_TIMELINE_BOUND = 4,
    /// Conference request sent.
    JMEET_TIMELINE_CONFERENCE_REQUEST_SENT = 5,
    /// Conference request answered.
    JMEET_TIMELINE_CONFERENCE_READY = 6,
    /// Presence sent to the room.
    JMEET_TIMELINE_JOIN_SENT = 7,
    /// In the room.
    JMEET_TIMELINE_JOINED = 8,
    /// Media session offered, by either side.
    JMEET_TIMELINE_SESSION_INITIATE = 9,
    /// Media session accepted, by either side.
    JMEET_TIMELINE_SESSION_ACCEPT = 10,
    /// A network path works.
    JMEET_TIMELINE_ICE_CONNECTED = 11,
    /// Keys agreed: media may flow.
    JMEET_TIMELINE_DTLS_CONNECTED = 12,
    /// First audio frame sent.
    JMEET_TIMELINE_FIRST_AUDIO_SENT = 13,
    /// First video frame sent.
    JMEET_TIMELINE_FIRST_VIDEO_SENT = 14,
    /// First audio frame received.
    JMEET_TIMELINE_FIRST_AUDIO_RECEIVED = 15,
    /// First video frame received.
    JMEET_TIMELINE_FIRST_VIDEO_RECEIVED = 16,
}

/// Bit of `jmeet_participant_info.changed`: `display_name`.
pub const JMEET_CHANGED_DISPLAY_NAME: u32 = 1;
/// Bit of `changed`: `role`.
pub const JMEET_CHANGED_ROLE: u32 = 2;
/// Bit of `changed`: `features`.
pub const JMEET_CHANGED_FEATURES: u32 = 4;
/// Bit of `changed`: their status text, which is not told.
pub const JMEET_CHANGED_STATUS: u32 = 8;
/// Bit of `changed`: `raised_hand_ms`.
pub const JMEET_CHANGED_HAND: u32 = 16;
/// Bit of `changed`: `real_jid`, or what is not told.
pub const JMEET_CHANGED_OTHER: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::event::{ClientState, Role, TimelineStage, changed};

    #[test]
    fn what_is_said_of_rooms_has_the_values_of_its_rust_counterpart() {
        let pairs = [
            (jmeet_state::JMEET_STATE_NEW as u32, ClientState::New as u32),
            (jmeet_state::JMEET_STATE_CLOSED as u32, ClientState::Closed as u32),
            (jmeet_role::JMEET_ROLE_NONE as u32, Role::None as u32),
            (jmeet_role::JMEET_ROLE_MODERATOR as u32, Role::Moderator as u32),
            (jmeet_timeline_stage::JMEET_TIMELINE_START as u32, TimelineStage::Start as u32),
            (
                jmeet_timeline_stage::JMEET_TIMELINE_FIRST_VIDEO_RECEIVED as u32,
                TimelineStage::FirstVideoReceived as u32,
            ),
            (JMEET_CHANGED_DISPLAY_NAME, changed::DISPLAY_NAME),
            (JMEET_CHANGED_ROLE, changed::ROLE),
            (JMEET_CHANGED_FEATURES, changed::FEATURES),
            (JMEET_CHANGED_STATUS, changed::STATUS),
            (JMEET_CHANGED_HAND, changed::HAND),
            (JMEET_CHANGED_OTHER, changed::OTHER),
        ];
        for (n, (c, rust)) in pairs.into_iter().enumerate() {
            assert_eq!(c, rust, "pair {n}");
        }
    }
}
