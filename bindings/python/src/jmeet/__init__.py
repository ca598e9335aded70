"""A native Jitsi participant for asyncio.

    async with jmeet.join("wss://meet.example/xmpp-websocket", room="standup", name="Echo") as meeting:
        async for event in meeting:
            match event:
                case jmeet.Message(sender=who, text=text):
                    await meeting.say(f"{who.display_name} said {text}")
"""
from ._abi import lib as _lib
from ._errors import Error, Stage, Status
from ._log import log_to
from ._media import Frame, LocalTrack, Reader, ReaderStats
from ._meeting import Meeting, Runtime, has_media, join, now
from .events import (
    Bandwidth, BridgeChanged, BridgeChannel, BridgeChannelChanged, BridgeOffered, Changed, Codec, CodecWanted,
    Connection, Connectivity, Downlink, EndpointMessage, Event, FocusChanged, Ignored, Joined, KeyFrameWanted,
    LocalStats, Media, MediaChanged, MediaPath, MediaState, Message, MutedBy, MuteKind, Overrun, Participant, ParticipantJoined,
    ParticipantLeft, ParticipantStats, ParticipantStatus, ParticipantUpdated, RestartRefused, Role, RoleChanged,
    RoundTrip, SourceRefusal, SourcesRefused, Speaker, StartMuted, State, StateChanged, Statistics, Streaming,
    SubjectChanged, Suspended, TargetBitrate, Timeline, TimelineStage, Tone, Track, TrackAdded, TrackForwarded,
    TrackRemoved, TrackStats, TrackStatus, TrackStreaming, TrackUpdated, VideoType, WriterStats,
)

__version__: str = _lib.jmeet_version().decode()

__all__ = [
    "Bandwidth", "BridgeChanged", "BridgeChannel", "BridgeChannelChanged", "BridgeOffered", "Changed", "Codec",
    "CodecWanted", "Connection", "Connectivity", "Downlink", "EndpointMessage", "Error", "Event", "FocusChanged",
    "Frame", "Ignored", "Joined", "KeyFrameWanted", "LocalStats", "LocalTrack", "Media", "MediaChanged", "MediaPath",
    "MediaState", "Meeting", "Message", "MutedBy", "MuteKind", "Overrun", "Participant", "ParticipantJoined", "ParticipantLeft",
    "ParticipantStats", "ParticipantStatus", "ParticipantUpdated", "Reader", "ReaderStats", "RestartRefused", "Role",
    "RoleChanged", "RoundTrip", "Runtime", "SourceRefusal", "SourcesRefused", "Speaker", "Stage", "StartMuted", "State",
    "StateChanged", "Statistics", "Status", "Streaming", "SubjectChanged", "Suspended", "TargetBitrate", "Timeline",
    "TimelineStage", "Tone", "Track", "TrackAdded", "TrackForwarded", "TrackRemoved", "TrackStats", "TrackStatus",
    "TrackStreaming", "TrackUpdated", "VideoType", "WriterStats", "has_media", "join", "log_to", "now",
]
