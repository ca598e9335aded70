"""What happens in a meeting, as frozen dataclasses to match on. Strings are copies: an event never expires."""
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag
from typing import TYPE_CHECKING, Any, TypeAlias

from ._errors import Status, _Open

if TYPE_CHECKING:
    from ._media import LocalTrack


class State(_Open):
    UNSPECIFIED = 0
    NEW = 1
    CONNECTING = 2
    JOINING = 3
    JOINED = 4
    LEAVING = 5
    CLOSED = 6


class Role(_Open):
    NONE = 0
    VISITOR = 1
    PARTICIPANT = 2
    MODERATOR = 3


class Media(_Open):
    UNSPECIFIED = 0
    AUDIO = 1
    VIDEO = 2


class VideoType(_Open):
    UNSPECIFIED = 0
    CAMERA = 1
    DESKTOP = 2


class Codec(_Open):
    UNSPECIFIED = 0
    OPUS = 1
    VP8 = 2
    H264 = 3
    VP9 = 4
    AV1 = 5


class MediaState(_Open):
    UNSPECIFIED = 0
    CONNECTING = 1
    CONNECTED = 2
    ENDED = 3
    RECOVERING = 4


class BridgeChannel(_Open):
    """Where the channel to the bridge stands."""

    UNSPECIFIED = 0
    NONE = 1
    CONNECTING = 2
    DATA_CHANNEL = 3
    WEBSOCKET = 4
    WAITING = 5
    FAILED = 6


class Streaming(_Open):
    """How a remote video track does."""

    UNSPECIFIED = 0
    ACTIVE = 1
    INACTIVE = 2
    INTERRUPTED = 3
    RESTORING = 4


class Suspended(_Open):
    """Why the bridge does not forward a video track."""

    NONE = 0
    GONE = 1
    MUTED = 2
    NOT_WANTED = 3
    LAST_N = 4
    BANDWIDTH = 5


class MuteKind(_Open):
    """What of a participant is muted, all of one kind at once."""

    UNSPECIFIED = 0
    AUDIO = 1
    CAMERA = 2
    DESKTOP = 3


class SourceRefusal(_Open):
    """Why tracks of ours are not sent."""

    UNSPECIFIED = 0
    REFUSED = 1
    NOT_ANSWERED = 2
    TOO_MANY = 3
    CONFLICT = 4


class MediaPath(_Open):
    """Which way media travels."""

    UNSPECIFIED = 0
    PEER_TO_PEER = 1
    BRIDGE = 2


class TimelineStage(_Open):
    """Stages between the join call and the first frames."""

    UNSPECIFIED = 0
    START = 1
    TRANSPORT_OPEN = 2
    AUTHENTICATED = 3
    BOUND = 4
    CONFERENCE_REQUEST_SENT = 5
    CONFERENCE_READY = 6
    JOIN_SENT = 7
    JOINED = 8
    SESSION_INITIATE = 9
    SESSION_ACCEPT = 10
    ICE_CONNECTED = 11
    DTLS_CONNECTED = 12
    FIRST_AUDIO_SENT = 13
    FIRST_VIDEO_SENT = 14
    FIRST_AUDIO_RECEIVED = 15
    FIRST_VIDEO_RECEIVED = 16


class Changed(IntFlag):
    DISPLAY_NAME = 1
    ROLE = 2
    FEATURES = 4
    STATUS = 8
    HAND = 16
    OTHER = 32


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody else, as known at one moment. Two of the same person are equal, whatever changed meanwhile."""

    #: The endpoint id: eight hexadecimal digits.
    id: str
    #: Never used again within a meeting; 0 if they had left before anything was known of them.
    key: int = 0
    display_name: str = field(default="", compare=False)
    role: Role = field(default=Role.NONE, compare=False)
    real_jid: str = field(default="", compare=False)
    features: tuple[str, ...] = field(default=(), compare=False)
    #: Since when the hand is up, in milliseconds since 1970; 0: it is down.
    raised_hand_ms: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Track:
    """A microphone, camera or screen, as known at one moment. Two of the same track are equal."""

    #: Never used again within a meeting.
    key: int
    #: Unique in the room, such as "1a2b3c4d-v0".
    source_name: str
    #: Whose.
    endpoint_id: str
    media: Media
    video_type: VideoType = field(default=VideoType.UNSPECIFIED, compare=False)
    muted: bool = field(default=False, compare=False)
    #: One of ours.
    local: bool = field(default=False, compare=False)
    #: Of somebody's video that of the newest frame that was read, UNSPECIFIED before one was.
    codec: Codec = field(default=Codec.UNSPECIFIED, compare=False)


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: State


@dataclass(frozen=True, slots=True)
class Joined:
    #: Our own.
    endpoint_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantUpdated:
    participant: Participant
    changed: Changed


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    participant: Participant
    #: Removed by a moderator.
    kicked: bool
    #: The connection was lost; no good-bye came.
    vanished: bool
    #: It is we who left, or were made to: they are still there, as far as we know.
    we_left: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """Our own role."""

    role: Role


@dataclass(frozen=True, slots=True)
class Message:
    """Somebody said something, never ourselves."""

    sender: Participant
    text: str
    #: To us alone; answer with `say(…, to=sender)`.
    private: bool
    #: From before we came: the room's history.
    delayed: bool
    id: str
    sent: datetime


@dataclass(frozen=True, slots=True)
class SubjectChanged:
    subject: str


@dataclass(frozen=True, slots=True)
class TrackAdded:
    track: Track


@dataclass(frozen=True, slots=True)
class TrackUpdated:
    track: Track


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    track: Track


@dataclass(frozen=True, slots=True)
class FocusChanged:
    """The conference focus came or went; media that flows goes on without it."""

    present: bool


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """A media session went a step further; the endpoint id is empty for the bridge."""

    path: MediaPath
    state: MediaState
    endpoint_id: str
    by_peer: bool
    reason: str
    text: str
    #: ENDED: what failed here (ICE, DTLS), else OK.
    status: Status


@dataclass(frozen=True, slots=True)
class BridgeOffered:
    """The focus offered a session with the bridge, which was refused: such sessions are switched off."""


@dataclass(frozen=True, slots=True)
class BridgeChannelChanged:
    """Speakers, video constraints and application messages travel on the channel to the bridge."""

    state: BridgeChannel


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody speaks, as the bridge hears it; may be ourselves."""

    participant: Participant
    #: Endpoint ids of earlier speakers, the latest first.
    previous: tuple[str, ...]
    silence: bool
    #: Only `previous` is news.
    only_previous: bool = False


@dataclass(frozen=True, slots=True)
class EndpointMessage:
    """An application message of another endpoint, through the bridge."""

    sender: Participant
    payload: dict[str, Any]
    private: bool


@dataclass(frozen=True, slots=True)
class TrackForwarded:
    """The bridge began to send us a video track, or suspended it."""

    track: Track
    forwarded: bool
    #: Why not.
    suspended: Suspended = Suspended.NONE


@dataclass(frozen=True, slots=True)
class TrackStreaming:
    """A remote video track does otherwise than before."""

    track: Track
    status: Streaming
    #: Why it is INACTIVE.
    suspended: Suspended = Suspended.NONE


@dataclass(frozen=True, slots=True)
class Connectivity:
    """The bridge hears nothing of an endpoint any more, or hears it again; may be ourselves."""

    participant: Participant
    active: bool


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How far an endpoint is, through the bridge and back, in seconds; with `measure_round_trips`."""

    participant: Participant
    seconds: float


@dataclass(frozen=True, slots=True)
class SourcesRefused:
    """Tracks of ours, by their source names, are not sent over this path."""

    path: MediaPath
    source_names: tuple[str, ...]
    why: SourceRefusal
    condition: str
    text: str


@dataclass(frozen=True, slots=True)
class StartMuted:
    """The focus had us begin muted: our tracks of that kind are muted already; `unmute` asks to be heard."""

    audio: bool
    video: bool


@dataclass(frozen=True, slots=True)
class MutedBy:
    """A moderator had us muted, or the focus by itself (None): all tracks of that kind are muted already; `unmute` asks to be heard."""

    participant: Participant | None
    kind: MuteKind


@dataclass(frozen=True, slots=True)
class RestartRefused:
    """The focus refused to look for another path within the bridge session."""

    condition: str


@dataclass(frozen=True, slots=True)
class Tone:
    """Somebody pressed a key of a telephone, in audio that is read: "0" to "9", "*", "#", "A" to "D"."""

    participant: Participant
    key: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection in the last ten seconds. What is not known is 0."""

    #: How good it is, from 0 to 100.
    quality: int
    #: To the other end and back, in seconds.
    round_trip: float
    #: Greatest height that is sent.
    max_height: int
    audio_upload_kbps: int
    audio_download_kbps: int
    video_upload_kbps: int
    video_download_kbps: int
    #: Lost packets in percent.
    loss_upload: int
    loss_download: int


@dataclass(frozen=True, slots=True)
class ParticipantStats:
    """What a participant says of their connection."""

    participant: Participant
    connection: Connection
    server_region: str


@dataclass(frozen=True, slots=True)
class LocalStats:
    """Our own connection in the last ten seconds, as the others are told of it."""

    path: MediaPath
    connection: Connection


@dataclass(frozen=True, slots=True)
class TrackStats:
    """Counters of one stream of one track on one way; `Meeting.stats`."""

    track_key: int
    local: bool
    media: Media
    path: MediaPath
    codec: Codec
    #: Of ours: which encoding.
    encoding: int
    packets: int
    bytes: int
    #: Packets that never came; of ours as the other end reports them.
    lost: int
    #: Packets that came as a repair, or that we sent again.
    repaired: int
    #: Seconds.
    jitter: float
    bits_per_second: int
    frames: int
    damaged: int
    frames_per_second: int
    #: Width and height of the last key frame; 0: not known.
    size: tuple[int, int]
    #: To the other end and back, in seconds; None: not known.
    round_trip: float | None
    #: Of our video: what TargetBitrate told of this encoding.
    target_bits_per_second: int
    source_name: str


@dataclass(frozen=True, slots=True)
class WriterStats:
    """Counters of one encoding of a track of ours; `LocalTrack.stats`. What follows `path` is of the way that carries our media now."""

    #: Frames that were sent on.
    taken: int
    #: Frames dropped because the track was muted, or nothing of the encoding is to be sent.
    dropped: int
    #: Frames not taken because the network is behind.
    full: int
    #: Frames of the track that wait.
    queued: int
    path: MediaPath
    codec: Codec
    frames: int
    packets: int
    bytes: int
    #: Packets that were sent again.
    retransmitted: int
    #: Packets that never came, as the other end counts them.
    lost: int
    #: Seconds.
    jitter: float
    #: To the other end and back, in seconds; None: not known.
    round_trip: float | None
    bits_per_second: int
    target_bits_per_second: int
    frames_per_second: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was summed up last, and every stream as of now."""

    own: LocalStats
    tracks: tuple[TrackStats, ...]


@dataclass(frozen=True, slots=True)
class TrackStatus:
    """How a remote track does now; `Meeting.track_status`."""

    streaming: Streaming
    #: The bridge has said that it forwards it.
    forwarded: bool
    suspended: Suspended


@dataclass(frozen=True, slots=True)
class ParticipantStatus:
    """How a participant's connection does now; `Meeting.participant_status`."""

    #: The bridge hears something of them.
    active: bool
    #: Through the bridge to them and back, in seconds; None: not measured.
    round_trip: float | None
    #: How good they say that it is, from 0 to 100; None: they did not.
    quality: int | None = None


@dataclass(frozen=True, slots=True)
class Downlink:
    """What the bridge thinks that the way to us carries."""

    bits_per_second: int


@dataclass(frozen=True, slots=True)
class BridgeChanged:
    """The focus has no videobridge for the room, or has one again: a state, not an end."""

    available: bool


@dataclass(frozen=True, slots=True)
class KeyFrameWanted:
    track: LocalTrack
    encoding: int


@dataclass(frozen=True, slots=True)
class TargetBitrate:
    """What an encoding is to have; both 0: nothing is sent of it now, and writes are dropped."""

    track: LocalTrack
    encoding: int
    bits_per_second: int
    height: int = 0


@dataclass(frozen=True, slots=True)
class CodecWanted:
    track: LocalTrack
    codec: Codec


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """The estimate of what the path carries."""

    bits_per_second: int


@dataclass(frozen=True, slots=True)
class Timeline:
    stage: TimelineStage
    #: Seconds on the clock of `jmeet.now()`.
    time: float


@dataclass(frozen=True, slots=True)
class Overrun:
    """Nobody took events in time: so many were dropped here."""

    dropped: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """What came from the server and was passed over; `Meeting.ignored()`."""

    #: Frames that are no stanza.
    unknown_frames: int
    #: Frames past a limit of size, depth or number.
    oversized_frames: int
    #: Answers to nothing that was asked, or from another than was asked.
    stray_answers: int
    #: Stanzas of other rooms and strangers, and requests that were answered with an error.
    unhandled_stanzas: int
    #: RTP packets that came after the bridge had given their SSRC to another source, dropped.
    late_packets: int
    #: RTP packets on an SSRC whose owner nobody named in time, dropped.
    unclaimed_packets: int
    #: Datagrams of media that are not authentic, or not understood.
    refused_datagrams: int


Event: TypeAlias = (
    StateChanged | Joined | ParticipantJoined | ParticipantUpdated | ParticipantLeft | RoleChanged | Message
    | SubjectChanged | TrackAdded | TrackUpdated | TrackRemoved | FocusChanged | MediaChanged | BridgeOffered
    | KeyFrameWanted | TargetBitrate | CodecWanted | Bandwidth | Timeline | Overrun | BridgeChannelChanged | Speaker
    | EndpointMessage | TrackForwarded | Downlink | BridgeChanged | TrackStreaming | Connectivity | RoundTrip
    | SourcesRefused | StartMuted | MutedBy | RestartRefused | ParticipantStats | LocalStats | Tone
)
