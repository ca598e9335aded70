//! The enums of the header, written out because cbindgen reads no macros. Tests hold each equal to its Rust counterpart.
//!
//! Values are never reused or renumbered. 0 is "unspecified", or "none" where that is a state. Structs and functions carry
//! them as `uint32_t`, so that a program can meet a value newer than its header.

use super::entry::entry;
use crate::error::Code;
use std::ffi::c_char;

/// What a call, a request or a meeting came to. 0 is success; 1 to 99 misuse of the API; then by layer. New codes may be added:
/// treat an unknown one as a failure.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_status {
    /// Success.
    JMEET_OK = 0,
    /// A required pointer was NULL.
    JMEET_ERR_NULL = 1,
    /// The handle is stale, freed, of another type, or never was one.
    JMEET_ERR_INVALID_HANDLE = 2,
    /// The participant or track has gone; its handle stays valid until the removal event is freed.
    JMEET_ERR_GONE = 3,
    /// An argument is out of its range.
    JMEET_ERR_INVALID_ARGUMENT = 4,
    /// A string is not UTF-8.
    JMEET_ERR_INVALID_UTF8 = 5,
    /// The call does not fit the state of the object.
    JMEET_ERR_STATE = 6,
    /// Another thread is in a call on this object, or too many requests are outstanding.
    JMEET_ERR_BUSY = 7,
    /// Something still uses the object.
    JMEET_ERR_IN_USE = 8,
    /// The caller's header is newer than this library.
    JMEET_ERR_UNSUPPORTED = 9,
    /// The event is of another type.
    JMEET_ERR_WRONG_EVENT = 10,
    /// The time given to the call ran out; nothing is wrong.
    JMEET_ERR_TIMEOUT = 11,
    /// The object was closed.
    JMEET_ERR_CLOSED = 12,
    /// Called in a forked child: nothing works there.
    JMEET_ERR_FORKED = 13,
    /// A defect of this library was caught; the client it happened in is closed.
    JMEET_ERR_PANIC = 14,
    /// The operating system refused memory, threads or sockets.
    JMEET_ERR_RESOURCES = 15,
    /// A text is longer than its limit.
    JMEET_ERR_TOO_LARGE = 16,
    /// There is no such participant in the room.
    JMEET_ERR_NO_SUCH_PARTICIPANT = 17,
    /// The options do not make sense together; the text says which.
    JMEET_ERR_OPTIONS = 18,

    /// The host name has no address.
    JMEET_ERR_RESOLVE = 100,
    /// No address of the host accepted the connection.
    JMEET_ERR_CONNECT = 101,
    /// The TLS handshake failed.
    JMEET_ERR_TLS = 102,
    /// The server's certificate is not trusted.
    JMEET_ERR_TLS_UNTRUSTED = 103,
    /// The server's certificate is for another host name.
    JMEET_ERR_TLS_HOSTNAME = 104,
    /// The server refused the WebSocket upgrade; the condition is the HTTP status.
    JMEET_ERR_UPGRADE = 105,
    /// A secret would have gone over an unencrypted connection.
    JMEET_ERR_INSECURE = 106,

    /// The server ended the stream with an error; the condition is its name.
    JMEET_ERR_STREAM = 200,
    /// The server serves no such domain (`host-unknown`); the text names the domain tried.
    JMEET_ERR_HOST_UNKNOWN = 201,
    /// The server broke the protocol.
    JMEET_ERR_PROTOCOL = 202,
    /// The connection was lost.
    JMEET_ERR_DISCONNECTED = 203,
    /// Another login took this one's place (`conflict`).
    JMEET_ERR_REPLACED = 204,
    /// The server did not answer in time; the stage says to what.
    JMEET_ERR_SERVER_TIMEOUT = 205,

    /// Authentication failed; condition and text are the server's.
    JMEET_ERR_AUTH = 300,
    /// The server wants a password or token and none was given.
    JMEET_ERR_CREDENTIALS_REQUIRED = 301,
    /// No common authentication mechanism.
    JMEET_ERR_NO_MECHANISM = 302,
    /// The server did not prove that it knows the password.
    JMEET_ERR_SERVER_PROOF = 303,
    /// Resource binding failed.
    JMEET_ERR_BIND = 304,

    /// The focus refused the conference request, or none is there.
    JMEET_ERR_CONFERENCE_REQUEST = 400,
    /// The focus demands authentication before it makes this room.
    JMEET_ERR_AUTHENTICATION_REQUIRED = 401,
    /// The reservation system refused the room.
    JMEET_ERR_RESERVATION = 402,
    /// The focus redirects to a visitor node.
    JMEET_ERR_REDIRECTED = 403,
    /// The meeting is not live.
    JMEET_ERR_NOT_LIVE = 404,

    /// The room refused the join for a reason without a code of its own.
    JMEET_ERR_JOIN = 500,
    /// The room has a password and it was not given, or is wrong.
    JMEET_ERR_ROOM_PASSWORD = 501,
    /// Not allowed to enter.
    JMEET_ERR_NOT_ALLOWED = 502,
    /// The room is full.
    JMEET_ERR_ROOM_FULL = 503,
    /// Only members enter; the text is the lobby's address.
    JMEET_ERR_MEMBERS_ONLY = 504,
    /// A display name is required.
    JMEET_ERR_DISPLAY_NAME_REQUIRED = 505,
    /// The room does not exist and guests may not create it.
    JMEET_ERR_ROOM_DOES_NOT_EXIST = 506,
    /// The nickname is in use.
    JMEET_ERR_NICKNAME_CONFLICT = 507,
    /// Kicked; the condition is the endpoint id of who did it.
    JMEET_ERR_KICKED = 510,
    /// The room was destroyed.
    JMEET_ERR_DESTROYED = 511,
    /// Removed by the service (shutdown, affiliation change).
    JMEET_ERR_REMOVED = 512,

    /// A request was answered with an error; the condition is its name.
    JMEET_ERR_REQUEST = 600,
    /// A request was not answered in time.
    JMEET_ERR_REQUEST_TIMEOUT = 601,
    /// The meeting ended before the request was answered.
    JMEET_ERR_CANCELLED = 602,

    /// No path to the peer was found.
    JMEET_ERR_ICE = 700,
    /// The peer's DTLS handshake failed or its fingerprint is wrong.
    JMEET_ERR_DTLS = 701,
    /// The peers have no codec in common, or the codec is not in the list that was announced.
    JMEET_ERR_CODEC = 702,
    /// The writer's queue is full; the frame was not taken.
    JMEET_ERR_FULL = 703,
    /// The track is muted; the frame was dropped.
    JMEET_ERR_MUTED = 704,
    /// Nobody receives media yet; the frame was dropped.
    JMEET_ERR_NOT_READY = 705,
    /// The feature belongs to a part that this build leaves out.
    JMEET_ERR_NOT_BUILT = 706,
}

impl From<Code> for jmeet_status {
    fn from(code: Code) -> jmeet_status {
        match code {
            Code::Ok => jmeet_status::JMEET_OK,
            Code::Null => jmeet_status::JMEET_ERR_NULL,
            Code::InvalidHandle => jmeet_status::JMEET_ERR_INVALID_HANDLE,
            Code::Gone => jmeet_status::JMEET_ERR_GONE,
            Code::InvalidArgument => jmeet_status::JMEET_ERR_INVALID_ARGUMENT,
            Code::InvalidUtf8 => jmeet_status::JMEET_ERR_INVALID_UTF8,
            Code::State => jmeet_status::JMEET_ERR_STATE,
            Code::Busy => jmeet_status::JMEET_ERR_BUSY,
            Code::InUse => jmeet_status::JMEET_ERR_IN_USE,
            Code::Unsupported => jmeet_status::JMEET_ERR_UNSUPPORTED,
            Code::WrongEvent => jmeet_status::JMEET_ERR_WRONG_EVENT,
            Code::Timeout => jmeet_status::JMEET_ERR_TIMEOUT,
            Code::Closed => jmeet_status::JMEET_ERR_CLOSED,
            Code::Forked => jmeet_status::JMEET_ERR_FORKED,
            Code::Panic => jmeet_status::JMEET_ERR_PANIC,
            Code::Resources => jmeet_status::JMEET_ERR_RESOURCES,
            Code::TooLarge => jmeet_status::JMEET_ERR_TOO_LARGE,
            Code::NoSuchParticipant => jmeet_status::JMEET_ERR_NO_SUCH_PARTICIPANT,
            Code::Options => jmeet_status::JMEET_ERR_OPTIONS,
            Code::Resolve => jmeet_status::JMEET_ERR_RESOLVE,
            Code::Connect => jmeet_status::JMEET_ERR_CONNECT,
            Code::Tls => jmeet_status::JMEET_ERR_TLS,
            Code::TlsUntrusted => jmeet_status::JMEET_ERR_TLS_UNTRUSTED,
            Code::TlsHostname => jmeet_status::JMEET_ERR_TLS_HOSTNAME,
            Code::Upgrade => jmeet_status::JMEET_ERR_UPGRADE,
            Code::Insecure => jmeet_status::JMEET_ERR_INSECURE,
            Code::Stream => jmeet_status::JMEET_ERR_STREAM,
            Code::HostUnknown => jmeet_status::JMEET_ERR_HOST_UNKNOWN,
            Code::Protocol => jmeet_status::JMEET_ERR_PROTOCOL,
            Code::Disconnected => jmeet_status::JMEET_ERR_DISCONNECTED,
            Code::Replaced => jmeet_status::JMEET_ERR_REPLACED,
            Code::ServerTimeout => jmeet_status::JMEET_ERR_SERVER_TIMEOUT,
            Code::Auth => jmeet_status::JMEET_ERR_AUTH,
            Code::CredentialsRequired => jmeet_status::JMEET_ERR_CREDENTIALS_REQUIRED,
            Code::NoMechanism => jmeet_status::JMEET_ERR_NO_MECHANISM,
            Code::ServerProof => jmeet_status::JMEET_ERR_SERVER_PROOF,
            Code::Bind => jmeet_status::JMEET_ERR_BIND,
            Code::ConferenceRequest => jmeet_status::JMEET_ERR_CONFERENCE_REQUEST,
            Code::AuthenticationRequired => jmeet_status::JMEET_ERR_AUTHENTICATION_REQUIRED,
            Code::Reservation => jmeet_status::JMEET_ERR_RESERVATION,
            Code::Redirected => jmeet_status::JMEET_ERR_REDIRECTED,
            Code::NotLive => jmeet_status::JMEET_ERR_NOT_LIVE,
            Code::Join => jmeet_status::JMEET_ERR_JOIN,
            Code::RoomPassword => jmeet_status::JMEET_ERR_ROOM_PASSWORD,
            Code::NotAllowed => jmeet_status::JMEET_ERR_NOT_ALLOWED,
            Code::RoomFull => jmeet_status::JMEET_ERR_ROOM_FULL,
            Code::MembersOnly => jmeet_status::JMEET_ERR_MEMBERS_ONLY,
            Code::DisplayNameRequired => jmeet_status::JMEET_ERR_DISPLAY_NAME_REQUIRED,
            Code::RoomDoesNotExist => jmeet_status::JMEET_ERR_ROOM_DOES_NOT_EXIST,
            Code::NicknameConflict => jmeet_status::JMEET_ERR_NICKNAME_CONFLICT,
            Code::Kicked => jmeet_status::JMEET_ERR_KICKED,
            Code::Destroyed => jmeet_status::JMEET_ERR_DESTROYED,
            Code::Removed => jmeet_status::JMEET_ERR_REMOVED,
            Code::Request => jmeet_status::JMEET_ERR_REQUEST,
            Code::RequestTimeout => jmeet_status::JMEET_ERR_REQUEST_TIMEOUT,
            Code::Cancelled => jmeet_status::JMEET_ERR_CANCELLED,
            Code::Ice => jmeet_status::JMEET_ERR_ICE,
            Code::Dtls => jmeet_status::JMEET_ERR_DTLS,
            Code::Codec => jmeet_status::JMEET_ERR_CODEC,
            Code::Full => jmeet_status::JMEET_ERR_FULL,
            Code::Muted => jmeet_status::JMEET_ERR_MUTED,
            Code::NotReady => jmeet_status::JMEET_ERR_NOT_READY,
            Code::NotBuilt => jmeet_status::JMEET_ERR_NOT_BUILT,
        }
    }
}

/// Where on the way into, through, or out of a meeting something happened.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_stage {
    /// Not tied to a stage.
    JMEET_STAGE_NONE = 0,
    /// Looking up the host name.
    JMEET_STAGE_RESOLVE = 1,
    /// Connecting to the host.
    JMEET_STAGE_CONNECT = 2,
    /// The TLS handshake.
    JMEET_STAGE_TLS = 3,
    /// The WebSocket upgrade.
    JMEET_STAGE_UPGRADE = 4,
    /// The XMPP stream.
    JMEET_STAGE_STREAM = 5,
    /// Logging in.
    JMEET_STAGE_AUTH = 6,
    /// Binding the resource.
    JMEET_STAGE_BIND = 7,
    /// Asking the focus for the conference.
    JMEET_STAGE_CONFERENCE_REQUEST = 8,
    /// Entering the room.
    JMEET_STAGE_JOIN = 9,
    /// In the meeting.
    JMEET_STAGE_JOINED = 10,
    /// Setting up or running media.
    JMEET_STAGE_MEDIA = 11,
    /// On the way out.
    JMEET_STAGE_LEAVE = 12,
}

/// Types of events, as `jmeet_event_type` answers them. Skip what you do not know: newer libraries have more.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_event_kind {
    /// Answer to an invalid handle; never delivered.
    JMEET_EVENT_NONE = 0,
    /// A call with a tag has finished: `jmeet_event_tag`, `jmeet_event_status`, `jmeet_event_error`.
    JMEET_EVENT_REQUEST_DONE = 1,
    /// The client went a step further: `jmeet_event_state`. Only the newest of several waiting ones is kept.
    JMEET_EVENT_STATE = 2,
    /// We are in the room: `jmeet_event_joined`.
    JMEET_EVENT_JOINED = 3,
    /// Somebody is here, or was before us: `jmeet_event_participant`.
    JMEET_EVENT_PARTICIPANT_JOINED = 4,
    /// Something about a participant changed: `jmeet_event_participant`, with `changed`.
    JMEET_EVENT_PARTICIPANT_UPDATED = 5,
    /// Somebody left: `jmeet_event_participant` and `jmeet_event_participant_left`. Freeing this event ends the participant's
    /// handle.
    JMEET_EVENT_PARTICIPANT_LEFT = 6,
    /// Our own role changed: `jmeet_event_role`.
    JMEET_EVENT_ROLE = 7,
    /// Somebody said something, never ourselves: `jmeet_event_message`.
    JMEET_EVENT_MESSAGE = 8,
    /// The subject of the room: `jmeet_event_subject`.
    JMEET_EVENT_SUBJECT = 9,
    /// A source appeared: `jmeet_event_track`. Always after its participant's PARTICIPANT_JOINED.
    JMEET_EVENT_TRACK_ADDED = 10,
    /// Mute state, video type or codec of a track changed: `jmeet_event_track`.
    JMEET_EVENT_TRACK_UPDATED = 11,
    /// A source went, always before its participant's PARTICIPANT_LEFT: `jmeet_event_track`. Freeing this event ends the track's
    /// handle.
    JMEET_EVENT_TRACK_REMOVED = 12,
    /// The conference focus came or went: `jmeet_event_focus`. Media that flows goes on without it.
    JMEET_EVENT_FOCUS = 13,
    /// The media session: `jmeet_event_media`.
    JMEET_EVENT_MEDIA = 14,
    /// The focus offered a session with the bridge, which `disable_bridge` refuses.
    JMEET_EVENT_BRIDGE_OFFERED = 15,
    /// A receiver needs a key frame of a local track: `jmeet_event_key_frame_wanted`.
    JMEET_EVENT_KEY_FRAME_WANTED = 16,
    /// Send about this much, and this high, on an encoding of a local video track: `jmeet_event_target_bitrate`.
    JMEET_EVENT_TARGET_BITRATE = 17,
    /// The codec that frames of a local track must be from now on, for everybody in the room takes it: once after its TRACK_ADDED, and
    /// with each change: `jmeet_event_codec_wanted`. The next frame must be a key frame.
    JMEET_EVENT_CODEC_WANTED = 18,
    /// The estimate of what the path carries: `jmeet_event_bandwidth`.
    JMEET_EVENT_BANDWIDTH = 19,
    /// A stage between the join call and the first frame was reached: `jmeet_event_timeline`.
    JMEET_EVENT_TIMELINE = 20,
    /// Messages were dropped here because nobody drained the queue: `jmeet_event_overrun`.
    JMEET_EVENT_OVERRUN = 21,
    /// The client is finished: `jmeet_event_status` and `jmeet_event_error` say why, `JMEET_OK` that we left. Comes exactly once
    /// and last for its client, also after a failed join.
    JMEET_EVENT_CLOSED = 22,
    /// Where the channel to the bridge stands; `jmeet_event_bridge_channel`. The newest counts.
    JMEET_EVENT_BRIDGE_CHANNEL = 23,
    /// Somebody else speaks now; `jmeet_event_speaker`. The newest counts.
    JMEET_EVENT_SPEAKER = 24,
    /// An application message of another endpoint; `jmeet_event_endpoint_message`.
    JMEET_EVENT_ENDPOINT_MESSAGE = 25,
    /// The bridge began to send us a video track, or suspended it; `jmeet_event_track_forwarded`. The newest of each track counts.
    JMEET_EVENT_TRACK_FORWARDED = 26,
    /// What the bridge thinks that our downlink carries; `jmeet_event_downlink`. The newest counts.
    JMEET_EVENT_DOWNLINK = 27,
    /// The focus has no videobridge for the room, or has one again: `jmeet_event_bridge`. A state, not an end.
    JMEET_EVENT_BRIDGE = 28,
    /// A remote video track does otherwise than before: `jmeet_event_track_streaming`. The newest of each track counts.
    JMEET_EVENT_TRACK_STREAMING = 29,
    /// The bridge hears nothing of an endpoint any more, or hears it again: `jmeet_event_connectivity`. The newest of each counts.
    JMEET_EVENT_CONNECTIVITY = 30,
    /// How far another endpoint is, once for each: `jmeet_event_round_trip`. Only with `jmeet_client_options.measure_round_trips`.
    JMEET_EVENT_ROUND_TRIP = 31,
    /// Tracks of ours are not sent over one of the ways: `jmeet_event_sources_refused`.
    JMEET_EVENT_SOURCES_REFUSED = 32,
    /// The focus had us begin muted: `jmeet_event_start_muted`. Our tracks of that kind are muted already (TRACK_UPDATED);
    /// `jmeet_track_set_muted` unmutes them.
    JMEET_EVENT_START_MUTED = 33,
    /// The focus refused to look for another path within the bridge session: `jmeet_event_restart_refused`. When the path is lost
    /// another session follows, which MEDIA tells.
    JMEET_EVENT_RESTART_REFUSED = 34,
    /// Somebody pressed a key of a telephone, in the audio of a track that is read: `jmeet_event_tone`.
    JMEET_EVENT_TONE = 35,
    /// What a participant says of their connection, every ten seconds: `jmeet_event_participant_stats`. The newest of each counts. In
    /// meetings of more than 20 the bridge passes on those of whom we look at only.
    JMEET_EVENT_PARTICIPANT_STATS = 36,
    /// Our own connection in the last ten seconds, as the others are told of it: `jmeet_event_local_stats`. The newest counts.
    JMEET_EVENT_LOCAL_STATS = 37,
}

/// Why tracks of ours are not sent.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_source_refusal {
    JMEET_SOURCE_REFUSAL_UNSPECIFIED = 0,
    /// The other side refused them, with `condition` and `text`.
    JMEET_SOURCE_REFUSAL_REFUSED = 1,
    /// The other side did not answer.
    JMEET_SOURCE_REFUSAL_NOT_ANSWERED = 2,
    /// One endpoint may have so many streams and no more: fewer tracks, or fewer encodings.
    JMEET_SOURCE_REFUSAL_TOO_MANY = 3,
    /// A stream of them has the number of another one.
    JMEET_SOURCE_REFUSAL_CONFLICT = 4,
}

/// How a remote video track does.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_streaming {
    JMEET_STREAMING_UNSPECIFIED = 0,
    /// Frames come, or none are to be expected: it is muted, or no video is wanted at all.
    JMEET_STREAMING_ACTIVE = 1,
    /// The bridge does not forward it: last-N, bandwidth, or nobody reads it.
    JMEET_STREAMING_INACTIVE = 2,
    /// It should come and does not: for 10 s through the bridge, for 2.5 s from a peer.
    JMEET_STREAMING_INTERRUPTED = 3,
    /// The bridge forwards it again; it has 10 s to begin.
    JMEET_STREAMING_RESTORING = 4,
}

/// Why the bridge does not forward a video track. It does not say so itself: this follows from what we know.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_suspended {
    /// It is forwarded, or never was.
    JMEET_SUSPENDED_NONE = 0,
    /// It is not there any more.
    JMEET_SUSPENDED_GONE = 1,
    /// Its owner has muted it.
    JMEET_SUSPENDED_MUTED = 2,
    /// We ask for none of it, or for no video at all.
    JMEET_SUSPENDED_NOT_WANTED = 3,
    /// Others come first, and no more than our last-N are sent.
    JMEET_SUSPENDED_LAST_N = 4,
    /// It does not fit into the bandwidth that the bridge sees.
    JMEET_SUSPENDED_BANDWIDTH = 5,
}

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

/// Kinds of media.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_media {
    /// In options: any.
    JMEET_MEDIA_UNSPECIFIED = 0,
    JMEET_MEDIA_AUDIO = 1,
    JMEET_MEDIA_VIDEO = 2,
}

/// What a video track shows.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_video_type {
    /// In options: a camera. In infos: not video.
    JMEET_VIDEO_TYPE_UNSPECIFIED = 0,
    JMEET_VIDEO_TYPE_CAMERA = 1,
    /// A screen or window.
    JMEET_VIDEO_TYPE_DESKTOP = 2,
}

/// Codecs of frames.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_codec {
    /// In options: Opus for audio, VP8 for video.
    JMEET_CODEC_UNSPECIFIED = 0,
    /// One Opus packet a frame (RFC 6716), RTP clock 48000 Hz.
    JMEET_CODEC_OPUS = 1,
    /// One VP8 frame (RFC 6386), RTP clock 90000 Hz.
    JMEET_CODEC_VP8 = 2,
    /// One H.264 access unit with Annex B start codes; a key frame brings its parameter sets. RTP clock 90000 Hz.
    JMEET_CODEC_H264 = 3,
    /// One VP9 frame, or the superframe of a picture's spatial layers, RTP clock 90000 Hz.
    JMEET_CODEC_VP9 = 4,
    /// One AV1 temporal unit of OBUs with sizes (low-overhead format), RTP clock 90000 Hz.
    JMEET_CODEC_AV1 = 5,
}

/// How far a media session is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_media_state {
    JMEET_MEDIA_STATE_UNSPECIFIED = 0,
    /// Being set up.
    JMEET_MEDIA_STATE_CONNECTING = 1,
    /// Frames flow.
    JMEET_MEDIA_STATE_CONNECTED = 2,
    /// Over; `reason` says why. Another may follow.
    JMEET_MEDIA_STATE_ENDED = 3,
    /// The path was lost, or is being replaced, and another is sought; CONNECTED or ENDED follows.
    JMEET_MEDIA_STATE_RECOVERING = 4,
}

/// Which way media travels.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_media_path {
    JMEET_MEDIA_PATH_UNSPECIFIED = 0,
    /// Straight to the one other participant.
    JMEET_MEDIA_PATH_PEER_TO_PEER = 1,
    /// Through the videobridge.
    JMEET_MEDIA_PATH_BRIDGE = 2,
}

/// Where the channel to the bridge stands: video constraints, speakers and application messages travel on it.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_bridge_channel {
    JMEET_BRIDGE_CHANNEL_UNSPECIFIED = 0,
    /// There is no bridge session, or it offers none.
    JMEET_BRIDGE_CHANNEL_NONE = 1,
    JMEET_BRIDGE_CHANNEL_CONNECTING = 2,
    /// Open, over SCTP.
    JMEET_BRIDGE_CHANNEL_DATA_CHANNEL = 3,
    /// Open, over a WebSocket.
    JMEET_BRIDGE_CHANNEL_WEBSOCKET = 4,
    /// It broke and is tried again.
    JMEET_BRIDGE_CHANNEL_WAITING = 5,
    /// Only a new session brings it back; without it the bridge sends no video.
    JMEET_BRIDGE_CHANNEL_FAILED = 6,
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

/// How much a log text matters. Above DEBUG (that is, in ERROR, WARN and INFO) no text holds names of people or rooms, tokens, network
/// addresses or keys.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_log_level {
    /// Nothing: the default.
    JMEET_LOG_OFF = 0,
    JMEET_LOG_ERROR = 1,
    JMEET_LOG_WARN = 2,
    JMEET_LOG_INFO = 3,
    JMEET_LOG_DEBUG = 4,
    JMEET_LOG_TRACE = 5,
}

/// Bits of `jmeet_participant_info.changed`.
pub const JMEET_CHANGED_DISPLAY_NAME: u32 = 1;
pub const JMEET_CHANGED_ROLE: u32 = 2;
pub const JMEET_CHANGED_FEATURES: u32 = 4;
pub const JMEET_CHANGED_STATUS: u32 = 8;
pub const JMEET_CHANGED_HAND: u32 = 16;
pub const JMEET_CHANGED_OTHER: u32 = 32;

/// The name of a status, such as "ERR_ROOM_PASSWORD"; "UNKNOWN" for a number that is none. A constant: never NULL, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn jmeet_status_name(status: i32) -> *const c_char {
    entry!(or c"UNKNOWN".as_ptr(); {
        Ok(NAMES.iter().find(|(c, _)| *c as i32 == status).map_or(c"UNKNOWN".as_ptr(), |(_, n)| n.as_ptr()))
    })
}

/// The names with the NUL that C wants.
static NAMES: &[(Code, &std::ffi::CStr)] = &[
    (Code::Ok, c"OK"),
    (Code::Null, c"ERR_NULL"),
    (Code::InvalidHandle, c"ERR_INVALID_HANDLE"),
    (Code::Gone, c"ERR_GONE"),
    (Code::InvalidArgument, c"ERR_INVALID_ARGUMENT"),
    (Code::InvalidUtf8, c"ERR_INVALID_UTF8"),
    (Code::State, c"ERR_STATE"),
    (Code::Busy, c"ERR_BUSY"),
    (Code::InUse, c"ERR_IN_USE"),
    (Code::Unsupported, c"ERR_UNSUPPORTED"),
    (Code::WrongEvent, c"ERR_WRONG_EVENT"),
    (Code::Timeout, c"ERR_TIMEOUT"),
    (Code::Closed, c"ERR_CLOSED"),
    (Code::Forked, c"ERR_FORKED"),
    (Code::Panic, c"ERR_PANIC"),
    (Code::Resources, c"ERR_RESOURCES"),
    (Code::TooLarge, c"ERR_TOO_LARGE"),
    (Code::NoSuchParticipant, c"ERR_NO_SUCH_PARTICIPANT"),
    (Code::Options, c"ERR_OPTIONS"),
    (Code::Resolve, c"ERR_RESOLVE"),
    (Code::Connect, c"ERR_CONNECT"),
    (Code::Tls, c"ERR_TLS"),
    (Code::TlsUntrusted, c"ERR_TLS_UNTRUSTED"),
    (Code::TlsHostname, c"ERR_TLS_HOSTNAME"),
    (Code::Upgrade, c"ERR_UPGRADE"),
    (Code::Insecure, c"ERR_INSECURE"),
    (Code::Stream, c"ERR_STREAM"),
    (Code::HostUnknown, c"ERR_HOST_UNKNOWN"),
    (Code::Protocol, c"ERR_PROTOCOL"),
    (Code::Disconnected, c"ERR_DISCONNECTED"),
    (Code::Replaced, c"ERR_REPLACED"),
    (Code::ServerTimeout, c"ERR_SERVER_TIMEOUT"),
    (Code::Auth, c"ERR_AUTH"),
    (Code::CredentialsRequired, c"ERR_CREDENTIALS_REQUIRED"),
    (Code::NoMechanism, c"ERR_NO_MECHANISM"),
    (Code::ServerProof, c"ERR_SERVER_PROOF"),
    (Code::Bind, c"ERR_BIND"),
    (Code::ConferenceRequest, c"ERR_CONFERENCE_REQUEST"),
    (Code::AuthenticationRequired, c"ERR_AUTHENTICATION_REQUIRED"),
    (Code::Reservation, c"ERR_RESERVATION"),
    (Code::Redirected, c"ERR_REDIRECTED"),
    (Code::NotLive, c"ERR_NOT_LIVE"),
    (Code::Join, c"ERR_JOIN"),
    (Code::RoomPassword, c"ERR_ROOM_PASSWORD"),
    (Code::NotAllowed, c"ERR_NOT_ALLOWED"),
    (Code::RoomFull, c"ERR_ROOM_FULL"),
    (Code::MembersOnly, c"ERR_MEMBERS_ONLY"),
    (Code::DisplayNameRequired, c"ERR_DISPLAY_NAME_REQUIRED"),
    (Code::RoomDoesNotExist, c"ERR_ROOM_DOES_NOT_EXIST"),
    (Code::NicknameConflict, c"ERR_NICKNAME_CONFLICT"),
    (Code::Kicked, c"ERR_KICKED"),
    (Code::Destroyed, c"ERR_DESTROYED"),
    (Code::Removed, c"ERR_REMOVED"),
    (Code::Request, c"ERR_REQUEST"),
    (Code::RequestTimeout, c"ERR_REQUEST_TIMEOUT"),
    (Code::Cancelled, c"ERR_CANCELLED"),
    (Code::Ice, c"ERR_ICE"),
    (Code::Dtls, c"ERR_DTLS"),
    (Code::Codec, c"ERR_CODEC"),
    (Code::Full, c"ERR_FULL"),
    (Code::Muted, c"ERR_MUTED"),
    (Code::NotReady, c"ERR_NOT_READY"),
    (Code::NotBuilt, c"ERR_NOT_BUILT"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{Streaming, Suspended};
    use crate::error::Stage;
    use crate::log::Level;
    use crate::media::kind::{Codec, MediaType, VideoType};
    use crate::meeting::event::{ClientState, Role, TimelineStage, changed};

    #[test]
    fn every_code_is_a_status_of_the_same_value_and_name() {
        assert_eq!(NAMES.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = jmeet_status::from(*code);
            assert_eq!(status as i32, *code as i32);
            assert_eq!(format!("{status:?}"), format!("JMEET_{}", code.name()));
            // SAFETY: a constant string.
            let name = unsafe { std::ffi::CStr::from_ptr(jmeet_status_name(*code as i32)) };
            assert_eq!(name.to_str(), Ok(code.name()));
        }
        // SAFETY: a constant string.
        assert_eq!(unsafe { std::ffi::CStr::from_ptr(jmeet_status_name(99_999)) }, c"UNKNOWN");
    }

    #[test]
    fn every_enum_has_the_values_of_its_rust_counterpart() {
        let pairs = [
            (jmeet_stage::JMEET_STAGE_NONE as u32, Stage::None as u32),
            (jmeet_stage::JMEET_STAGE_AUTH as u32, Stage::Auth as u32),
            (jmeet_stage::JMEET_STAGE_LEAVE as u32, Stage::Leave as u32),
            (jmeet_state::JMEET_STATE_NEW as u32, ClientState::New as u32),
            (jmeet_state::JMEET_STATE_CLOSED as u32, ClientState::Closed as u32),
            (jmeet_role::JMEET_ROLE_NONE as u32, Role::None as u32),
            (jmeet_role::JMEET_ROLE_MODERATOR as u32, Role::Moderator as u32),
            (jmeet_media::JMEET_MEDIA_AUDIO as u32, MediaType::Audio as u32),
            (jmeet_media::JMEET_MEDIA_VIDEO as u32, MediaType::Video as u32),
            (jmeet_video_type::JMEET_VIDEO_TYPE_CAMERA as u32, VideoType::Camera as u32),
            (jmeet_video_type::JMEET_VIDEO_TYPE_DESKTOP as u32, VideoType::Desktop as u32),
            (jmeet_codec::JMEET_CODEC_OPUS as u32, Codec::Opus as u32),
            (jmeet_codec::JMEET_CODEC_VP8 as u32, Codec::Vp8 as u32),
            (jmeet_codec::JMEET_CODEC_H264 as u32, Codec::H264 as u32),
            (jmeet_codec::JMEET_CODEC_VP9 as u32, Codec::Vp9 as u32),
            (jmeet_codec::JMEET_CODEC_AV1 as u32, Codec::Av1 as u32),
            (jmeet_timeline_stage::JMEET_TIMELINE_START as u32, TimelineStage::Start as u32),
            (
                jmeet_timeline_stage::JMEET_TIMELINE_FIRST_VIDEO_RECEIVED as u32,
                TimelineStage::FirstVideoReceived as u32,
            ),
            (jmeet_streaming::JMEET_STREAMING_ACTIVE as u32, Streaming::Active as u32),
            (jmeet_streaming::JMEET_STREAMING_RESTORING as u32, Streaming::Restoring as u32),
            (jmeet_suspended::JMEET_SUSPENDED_GONE as u32, Suspended::Gone as u32),
            (jmeet_suspended::JMEET_SUSPENDED_BANDWIDTH as u32, Suspended::Bandwidth as u32),
            (jmeet_log_level::JMEET_LOG_ERROR as u32, Level::Error as u32),
            (jmeet_log_level::JMEET_LOG_TRACE as u32, Level::Trace as u32),
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
