//! What the program asks of a meeting. The tag is given back by the event that completes the request; 0: none.

use super::event::TrackKey;
use super::options::{ReaderOptions, TrackOptions};
use crate::bridge::AllConstraints;
use crate::conference::MuteKind;
use std::time::Duration;

/// A writer: the sending end of one local track. Never reused within a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriterKey(pub u64);

/// A reader. Never reused within a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReaderKey(pub u64);

/// A request.
#[derive(Clone, Debug)]
pub enum Command {
    /// Connect and join; done when we are in the room, or with the reason why not.
    Join {
        tag: u64,
    },
    /// To everybody; done when the room has reflected it.
    SendMessage {
        text: String,
        tag: u64,
    },
    /// To one participant; done when it is sent, the room reflects none.
    SendPrivateMessage {
        endpoint_id: String,
        text: String,
        tag: u64,
    },
    SetDisplayName {
        name: String,
        tag: u64,
    },
    /// A new local source under the key that the driver chose.
    AddTrack {
        track: TrackKey,
        options: TrackOptions,
        tag: u64,
    },
    RemoveTrack {
        track: TrackKey,
        tag: u64,
    },
    /// Mute that others see: SourceInfo and RTP (docs/protocol/04 §15). What the focus muted is unmuted, and done, when it consents.
    SetMuted {
        track: TrackKey,
        muted: bool,
        tag: u64,
    },
    /// Ask the focus to mute somebody, as a moderator; done when it has answered.
    MuteParticipant {
        endpoint_id: String,
        kind: MuteKind,
        tag: u64,
    },
    /// Press keys of a telephone on a local audio track, one after the other; zero times are the defaults. Done when the last one was
    /// released.
    SendTones {
        track: TrackKey,
        keys: String,
        held: Duration,
        gap: Duration,
        tag: u64,
    },
    /// What the encoder of a local video track does: whether it has too little CPU, and the height that it makes, 0 for not told.
    SetLimited {
        track: TrackKey,
        limited: bool,
        height: u32,
    },
    AddReader {
        reader: ReaderKey,
        track: Option<TrackKey>,
        options: ReaderOptions,
    },
    RemoveReader {
        reader: ReaderKey,
    },
    /// Ask the sender of a remote track for a key frame.
    RequestKeyFrame {
        track: TrackKey,
    },
    /// Say which video is wanted instead of deriving it from readers; `None`: derive it again (design §5.5).
    SetReceive {
        constraints: Option<AllConstraints>,
    },
    /// A JSON object to one endpoint, or to all others when `to` is empty, through the bridge; done when it is on its way.
    SendEndpointMessage {
        to: String,
        payload: String,
        tag: u64,
    },
    /// Leave the room and close the stream; done when confirmed or when its time is over.
    Leave {
        tag: u64,
    },
}
