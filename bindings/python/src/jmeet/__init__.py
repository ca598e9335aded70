"""A native Jitsi participant for asyncio.

    async with jmeet.join("wss://meet.example/xmpp-websocket", room="standup", name="Echo") as meeting:
        async for event in meeting:
            match event:
                case jmeet.Message(sender=who, text=text):
                    await meeting.say(f"{who.display_name} said {text}")
"""
from ._abi import lib as _lib
from ._errors import Error, Stage, Status
from ._media import Frame, LocalTrack, Reader, ReaderStats
from ._meeting import Meeting, join, now
from .events import (
    Bandwidth, BridgeChanged, BridgeChannel, BridgeChannelChanged, BridgeOffered, Changed, Codec, CodecWanted, Downlink,
    EndpointMessage, Event, FocusChanged, Ignored, Joined, KeyFrameWanted, Media, MediaChanged, MediaPath, MediaState,
    Message, Overrun, Participant, ParticipantJoined, ParticipantLeft, ParticipantUpdated, Role, RoleChanged,
    Speaker, State, StateChanged, SubjectChanged, TargetBitrate, Timeline, TimelineStage, Track, TrackAdded,
    TrackForwarded, TrackRemoved, TrackUpdated, VideoType,
)

__version__: str = _lib.jmeet_version().decode()

__all__ = [
    "Bandwidth", "BridgeChanged", "BridgeChannel", "BridgeChannelChanged", "BridgeOffered", "Changed", "Codec", "CodecWanted",
    "Downlink", "EndpointMessage", "Error", "Event", "FocusChanged", "Frame", "Ignored", "Joined", "KeyFrameWanted",
    "LocalTrack", "Media", "MediaChanged", "MediaPath", "MediaState", "Meeting", "Message", "Overrun",
    "Participant", "ParticipantJoined", "ParticipantLeft", "ParticipantUpdated", "Reader", "ReaderStats", "Role",
    "RoleChanged", "Speaker", "Stage", "State", "StateChanged", "Status", "SubjectChanged", "TargetBitrate",
    "Timeline", "TimelineStage", "Track", "TrackAdded", "TrackForwarded", "TrackRemoved", "TrackUpdated",
    "VideoType", "join", "now",
]
