//! What happened, in one causal order per client (design §5.2): a participant before its tracks, tracks removed before the
//! participant leaves, a request done after the state that it caused, CLOSED once and last.
//!
//! Each event carries what is needed to act on it; getters may be ahead of it.

use crate::bridge::{SpeakerChange, Streaming, Suspended};
pub use crate::conference::MuteKind;
use crate::error::{Code, Error};
pub use crate::jingle::SourceRefusal;
use crate::media::kind::{Codec, MediaType, VideoType};
pub use crate::media::kind::{ParticipantKey, TrackKey};
use crate::wire::colibri::EndpointStats;
use std::sync::Arc;
use std::time::Duration;

/// A conference of one client: the main room is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConferenceKey(pub u64);

/// The main room of every client.
pub const MAIN_ROOM: ConferenceKey = ConferenceKey(1);

/// One event of one client.
#[derive(Clone, Debug)]
pub struct Event {
    /// The tag of the request that this completes; 0 for every other event.
    pub tag: u64,
    /// The room it belongs to, if any.
    pub conference: Option<ConferenceKey>,
    pub kind: EventKind,
}

/// What happened. Events change hands several times on their way to a program, so what most of them do not have is in a box: one without
/// strings needs no memory of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// A request with a tag is finished; `None`: it succeeded.
    RequestDone(Option<Box<Error>>),
    /// The way into or out of the meeting went a step further. Coalesced: the newest counts.
    State(ClientState),
    /// We are in the room.
    Joined(Joined),
    ParticipantJoined(Arc<Participant>),
    /// Something that [`Participant`] says has changed; `changed` is a mask of [`changed`] bits.
    ParticipantUpdated(Arc<Participant>, u32),
    ParticipantLeft(Box<ParticipantLeft>),
    /// Our own role changed.
    Role(Role),
    Message(Box<Message>),
    Subject(String),
    TrackAdded(Arc<Track>),
    /// Mute state, video type or codec of a track changed; of ours only what others brought about.
    TrackUpdated(Arc<Track>),
    TrackRemoved(Arc<Track>),
    /// The focus came (`true`) or is gone; media goes on without it (docs/protocol/03 §8.2).
    Focus(bool),
    /// A media session: over which path, its state and, when it ended, why.
    Media(MediaPath, MediaState),
    /// The focus offered a bridge session, which `disable_bridge` refuses.
    BridgeOffered,
    /// Where the channel to the bridge stands. Coalesced: the newest counts.
    BridgeChannel(BridgeChannel),
    /// Somebody speaks, as the bridge hears it. Coalesced.
    Speaker(Box<Speaker>),
    /// An application message of another endpoint, through the bridge.
    EndpointMessage(Box<EndpointMessage>),
    /// Somebody pressed a key of a telephone, in the audio of a track that is read.
    Tone(Box<Tone>),
    /// The bridge began to forward this remote video track to us, or suspended it, for this reason. Coalesced.
    TrackForwarded {
        track: TrackKey,
        suspended: Option<Suspended>,
    },
    /// A remote video track does otherwise than before (docs/protocol/04 §17.4). Coalesced.
    TrackStreaming {
        track: TrackKey,
        status: Streaming,
        /// Why it is inactive.
        suspended: Option<Suspended>,
    },
    /// The bridge hears nothing of an endpoint any more, or hears it again. Coalesced.
    Connectivity(Box<Connectivity>),
    /// How far another endpoint is, through the bridge and back (docs/protocol/04 §3).
    RoundTrip(Box<RoundTrip>),
    /// Local tracks are not sent over this path. They are not signalled again while they stay as they are.
    SourcesRefused(Box<SourcesRefused>),
    /// The focus had us begin with audio, or video, muted; the tracks are muted already.
    StartMuted {
        audio: bool,
        video: bool,
    },
    /// The focus had us muted, by itself or because somebody asked for it; the tracks are muted already. Coalesced.
    MutedBy(Box<MutedBy>),
    /// The focus refused to look for another path within the bridge session, with this condition. Another session follows when
    /// the path is lost.
    RestartRefused {
        condition: String,
    },
    /// What another endpoint says of its connection (docs/protocol/04 §2.4). Coalesced.
    ParticipantStats(Box<ParticipantStats>),
    /// Ours of the last ten seconds, as the others are told them. Coalesced.
    LocalStats(Box<LocalStats>),
    /// What the bridge thinks that our downlink carries, bit/s. Coalesced.
    Downlink {
        bits_per_second: u64,
    },
    /// The focus has no videobridge for the room, or has one again: a state, not an end (docs/protocol/03 §8).
    BridgeAvailable(bool),
    /// A peer wants a key frame of this local track, encoding 0 unless several are sent.
    KeyFrameWanted {
        track: TrackKey,
        encoding: u32,
    },
    /// Send about this much on this encoding of a local video track, in this height in pixels; both 0: nothing, nobody wants it or
    /// the path does not carry it. Coalesced.
    TargetBitrate {
        track: TrackKey,
        encoding: u32,
        bits_per_second: u64,
        height: u32,
    },
    /// What frames of this local track must be from now on, beginning with a key frame (docs/protocol/04 §12): once when it is there,
    /// and with each change.
    CodecWanted {
        track: TrackKey,
        codec: Codec,
    },
    /// The estimate of what the path to the peer carries, bit/s. Coalesced.
    Bandwidth {
        bits_per_second: u64,
    },
    /// A stage of the way from connect to first frame was reached; see [`TimelineStage`].
    Timeline(TimelineStage, u64),
    /// Messages were dropped because nobody drained the queue.
    Overrun {
        dropped: u64,
    },
    /// The client is finished: nothing follows. `None`: we left.
    Closed(Option<Box<Error>>),
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum ClientState {
    /// Made, not joined.
    #[default]
    New = 1,
    /// Transport, TLS, authentication.
    Connecting = 2,
    /// Conference request and join.
    Joining = 3,
    Joined = 4,
    Leaving = 5,
    Closed = 6,
}

/// MUC roles as Jitsi uses them (docs/protocol/03 §6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum Role {
    #[default]
    None = 0,
    Visitor = 1,
    Participant = 2,
    Moderator = 3,
}

/// We are in.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Our endpoint id.
    pub endpoint_id: String,
    pub role: Role,
}

/// Bits of [`EventKind::ParticipantUpdated`].
pub mod changed {
    pub const DISPLAY_NAME: u32 = 1;
    pub const ROLE: u32 = 2;
    pub const FEATURES: u32 = 4;
    pub const STATUS: u32 = 8;
    pub const HAND: u32 = 16;
    pub const OTHER: u32 = 32;
}

/// Another occupant of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    pub key: ParticipantKey,
    pub endpoint_id: String,
    /// Empty when none is known.
    pub display_name: String,
    /// Real JID; empty where the room hides it.
    pub real_jid: String,
    pub role: Role,
    /// Features named in presence.
    pub features: Vec<String>,
    /// Milliseconds since the epoch, as text, while the hand is up; else empty.
    pub raised_hand: String,
}

/// Somebody went.
#[derive(Clone, Debug)]
pub struct ParticipantLeft {
    pub participant: Arc<Participant>,
    /// Their status text or the reason of the kick; may be empty.
    pub reason: String,
    /// Removed by a moderator.
    pub kicked: bool,
    /// The stream ended without a leave (status 333).
    pub vanished: bool,
    /// It is we who left, or were made to: they are still there, as far as we know.
    pub we_left: bool,
}

/// Words.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who said it, while they are in the room.
    pub participant: Option<ParticipantKey>,
    /// Endpoint id of the sender, also when they have left.
    pub endpoint_id: String,
    /// Their display name at the time; may be empty.
    pub display_name: String,
    pub text: String,
    /// The stanza's id; empty when it had none.
    pub id: String,
    /// To us alone.
    pub private: bool,
    /// From the history of the room.
    pub delayed: bool,
    /// When it was sent, ms since the epoch: of the delay stamp for history, else of arrival.
    pub sent_ms: i64,
}

/// A source of somebody, or one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    pub key: TrackKey,
    /// Whose.
    pub participant: Option<ParticipantKey>,
    pub endpoint_id: String,
    /// `<endpoint id>-a0`, `-v0`, `-v1` … (docs/protocol/02 §16).
    pub source_name: String,
    pub media: MediaType,
    pub video_type: VideoType,
    pub muted: bool,
    /// One of ours.
    pub local: bool,
    /// Of somebody else's video: of the newest frame that was put together for a reader; none before.
    pub codec: Option<Codec>,
}

/// Which way media travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum MediaPath {
    /// Straight to the one other participant.
    PeerToPeer = 1,
    /// Through the videobridge.
    Bridge = 2,
}

/// The channel to the bridge: messages, constraints, speakers (docs/protocol/04 §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum BridgeChannel {
    /// There is no bridge session, or it offers none.
    None = 1,
    Connecting = 2,
    /// Open, over SCTP.
    DataChannel = 3,
    /// Open, over a WebSocket.
    WebSocket = 4,
    /// It broke and is tried again.
    Waiting = 5,
    /// Only a new session brings it back. Without it the bridge sends no video.
    Failed = 6,
}

/// A key of a telephone (RFC 4733).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tone {
    pub track: TrackKey,
    /// Who, while they are in the room.
    pub participant: Option<ParticipantKey>,
    pub endpoint_id: String,
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub key: char,
}

/// Who speaks (docs/protocol/04 §2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// Who, while they are in the room; none for ourselves.
    pub participant: Option<ParticipantKey>,
    /// The dominant speaker's endpoint id; may be ours.
    pub endpoint_id: String,
    /// Earlier speakers, the latest first.
    pub previous: Vec<String>,
    /// Nobody speaks any more, where the bridge looks for that.
    pub silence: bool,
    /// What is new in it.
    pub change: SpeakerChange,
}

/// Whether the bridge hears an endpoint (docs/protocol/04 §2.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connectivity {
    /// Who, while they are in the room; none for ourselves.
    pub participant: Option<ParticipantKey>,
    pub endpoint_id: String,
    /// It is heard again.
    pub active: bool,
}

/// Local tracks that the other side does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcesRefused {
    pub path: MediaPath,
    /// Their source names.
    pub names: Vec<String>,
    pub why: SourceRefusal,
}

/// Who had us muted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutedBy {
    pub kind: MuteKind,
    /// Who asked for it, while they are in the room.
    pub participant: Option<ParticipantKey>,
    /// Their endpoint id; empty when the focus did it by itself.
    pub endpoint_id: String,
}

/// What an endpoint says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantStats {
    pub participant: ParticipantKey,
    pub endpoint_id: String,
    pub stats: EndpointStats,
}

/// What we say of ourselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalStats {
    /// The way that carries our media; none before the first ten seconds of it are over.
    pub path: Option<MediaPath>,
    /// To the other end of it and back.
    pub round_trip: Option<Duration>,
    pub stats: EndpointStats,
}

/// The shortest of the measured round trips to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    pub participant: ParticipantKey,
    pub endpoint_id: String,
    pub round_trip: Duration,
}

/// An application message (docs/protocol/04 §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointMessage {
    /// Who sent it, while they are in the room.
    pub participant: Option<ParticipantKey>,
    /// Endpoint id of the sender, as the bridge tells it.
    pub endpoint_id: String,
    /// To us alone.
    pub private: bool,
    /// A JSON object.
    pub payload: String,
}

/// How far a media session is. Endpoint ids are empty for the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaState {
    /// A session with this endpoint is being set up.
    Connecting { endpoint_id: String },
    /// ICE and DTLS are done; frames flow. Said again when a lost path is back.
    Connected { endpoint_id: String },
    /// The path was lost, or is being replaced, and another is sought.
    Recovering { endpoint_id: String },
    /// It ended.
    Ended(Box<MediaEnd>),
}

/// How a media session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaEnd {
    /// Empty for the bridge.
    pub endpoint_id: String,
    /// The protocol's, such as "success".
    pub reason: String,
    /// A sentence for people; may be empty.
    pub text: String,
    /// The other side ended it.
    pub by_peer: bool,
    /// What failed here; `Ok` where nothing did, or where only the reason tells.
    pub code: Code,
}

/// Stages of joining and of media, each stamped once per join (docs/protocol/02 §21), in µs of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
#[non_exhaustive]
pub enum TimelineStage {
    /// The join call.
    Start = 1,
    /// Socket, TLS and HTTP upgrade done.
    TransportOpen = 2,
    Authenticated = 3,
    Bound = 4,
    ConferenceRequestSent = 5,
    ConferenceReady = 6,
    JoinSent = 7,
    Joined = 8,
    SessionInitiate = 9,
    SessionAccept = 10,
    IceConnected = 11,
    DtlsConnected = 12,
    FirstAudioSent = 13,
    FirstVideoSent = 14,
    FirstAudioReceived = 15,
    FirstVideoReceived = 16,
}
