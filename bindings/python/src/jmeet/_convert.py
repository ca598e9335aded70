"""Events of the C queue into dataclasses."""
from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from . import _abi, events as e
from ._abi import lib
from ._errors import Status, check
from ._media import LocalTrack

REQUEST_DONE, CLOSED = 1, 22
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
I = TypeVar("I", bound=_abi.Sized)


def read(event: int, name: str, kind: type[I]) -> I:
    info = kind()
    check(getattr(lib, f"jmeet_event_{name}")(event, ctypes.byref(info)))
    return info


def participant(info: _abi.ParticipantInfo) -> e.Participant:
    return e.Participant(
        id=str(info.endpoint_id), key=info.key, display_name=str(info.display_name), role=e.Role(info.role),
        real_jid=str(info.real_jid), features=tuple(str(info.features).split()), raised_hand_ms=info.raised_hand_ms,
    )


def track(info: _abi.TrackInfo) -> e.Track:
    return e.Track(
        key=info.key, source_name=str(info.source_name), endpoint_id=str(info.endpoint_id), media=e.Media(info.media),
        video_type=e.VideoType(info.video_type), muted=info.muted, local=info.local, codec=e.Codec(info.codec),
    )


def local_stats(info: _abi.LocalStats) -> e.LocalStats:
    return e.LocalStats(e.MediaPath(info.path), e.Connection(
        info.quality, info.round_trip_us / 1e6, info.max_height, info.audio_upload_kbps, info.audio_download_kbps,
        info.video_upload_kbps, info.video_download_kbps, info.loss_upload, info.loss_download,
    ))


def participant_stats(info: _abi.ParticipantStatsInfo, who: e.Participant) -> e.ParticipantStats:
    connection = e.Connection(
        info.quality, info.round_trip_us / 1e6, info.max_height, info.audio_upload_kbps, info.audio_download_kbps,
        info.video_upload_kbps, info.video_download_kbps, info.loss_upload, info.loss_download,
    )
    return e.ParticipantStats(who, connection, str(info.server_region))


def convert(
    event: int, kind: int, roster: dict[str, e.Participant], local: Mapping[int, LocalTrack],
    find: Callable[[str], e.Participant],
) -> e.Event | None:
    """What `event` says; None for what this package does not know, or what concerns a track that is gone. Keeps `roster`."""
    if kind == 2:
        return e.StateChanged(e.State(read(event, "state", _abi.StateInfo).state))
    if kind == 3:
        joined = read(event, "joined", _abi.JoinedInfo)
        return e.Joined(str(joined.endpoint_id), e.Role(joined.role))
    if kind in (4, 5, 6):
        info = read(event, "participant", _abi.ParticipantInfo)
        who = participant(info)
        if kind == 6:
            roster.pop(who.id, None)
            left = read(event, "participant_left", _abi.ParticipantLeftInfo)
            return e.ParticipantLeft(who, left.kicked, left.vanished, left.we_left, str(left.reason))
        roster[who.id] = who
        return e.ParticipantJoined(who) if kind == 4 else e.ParticipantUpdated(who, e.Changed(info.changed))
    if kind == 7:
        return e.RoleChanged(e.Role(read(event, "role", _abi.RoleInfo).role))
    if kind == 8:
        message = read(event, "message", _abi.MessageInfo)
        sender = find(str(message.endpoint_id))
        if not sender.key:
            sender = e.Participant(sender.id, display_name=str(message.display_name))
        return e.Message(
            sender, str(message.text), message.is_private, message.delayed, str(message.id),
            EPOCH + timedelta(milliseconds=message.sent_ms),
        )
    if kind == 9:
        return e.SubjectChanged(str(read(event, "subject", _abi.SubjectInfo).subject))
    if kind in (10, 11, 12):
        what = track(read(event, "track", _abi.TrackInfo))
        return (e.TrackAdded, e.TrackUpdated, e.TrackRemoved)[kind - 10](what)
    if kind == 13:
        return e.FocusChanged(read(event, "focus", _abi.FocusInfo).present)
    if kind == 14:
        media = read(event, "media", _abi.MediaInfo)
        return e.MediaChanged(
            e.MediaPath(media.path), e.MediaState(media.state), str(media.endpoint_id), media.by_peer, str(media.reason),
            str(media.text), Status(media.status),
        )
    if kind == 15:
        return e.BridgeOffered()
    if kind == 28:
        return e.BridgeChanged(read(event, "bridge", _abi.BridgeInfo).available)
    if kind == 16:
        wanted = read(event, "key_frame_wanted", _abi.KeyFrameWantedInfo)
        ours = local.get(lib.jmeet_track_key(wanted.track))
        if ours is not None:
            ours._key_frame_wanted = True
        return e.KeyFrameWanted(ours, wanted.encoding) if ours is not None else None
    if kind == 17:
        target = read(event, "target_bitrate", _abi.TargetBitrateInfo)
        ours = local.get(lib.jmeet_track_key(target.track))
        if ours is not None:
            ours.bits_per_second = target.bits_per_second
        return e.TargetBitrate(ours, target.encoding, target.bits_per_second, target.height) if ours is not None else None
    if kind == 18:
        codec = read(event, "codec_wanted", _abi.CodecWantedInfo)
        ours = local.get(lib.jmeet_track_key(codec.track))
        if ours is not None:
            ours.codec_wanted = e.Codec(codec.codec)
        return e.CodecWanted(ours, e.Codec(codec.codec)) if ours is not None else None
    if kind == 19:
        return e.Bandwidth(read(event, "bandwidth", _abi.BandwidthInfo).bits_per_second)
    if kind == 20:
        timeline = read(event, "timeline", _abi.TimelineInfo)
        return e.Timeline(e.TimelineStage(timeline.stage), timeline.time_us / 1e6)
    if kind == 21:
        return e.Overrun(read(event, "overrun", _abi.OverrunInfo).dropped)
    if kind == 23:
        return e.BridgeChannelChanged(e.BridgeChannel(read(event, "bridge_channel", _abi.BridgeChannelInfo).state))
    if kind == 24:
        speaker = read(event, "speaker", _abi.SpeakerInfo)
        return e.Speaker(
            find(str(speaker.endpoint_id)), tuple(str(speaker.previous).split()), speaker.silence, speaker.only_previous,
        )
    if kind == 25:
        said = read(event, "endpoint_message", _abi.EndpointMessageInfo)
        return e.EndpointMessage(find(str(said.endpoint_id)), json.loads(str(said.payload)), said.is_private)
    if kind == 26:
        forwarded = read(event, "track_forwarded", _abi.TrackForwardedInfo)
        known = _abi.TrackInfo()
        if not forwarded.track or lib.jmeet_track_get(forwarded.track, ctypes.byref(known)):
            return None
        return e.TrackForwarded(track(known), forwarded.forwarded, e.Suspended(forwarded.suspended))
    if kind == 29:
        streams = read(event, "track_streaming", _abi.TrackStreamingInfo)
        known = _abi.TrackInfo()
        if not streams.track or lib.jmeet_track_get(streams.track, ctypes.byref(known)):
            return None
        return e.TrackStreaming(track(known), e.Streaming(streams.streaming), e.Suspended(streams.suspended))
    if kind == 30:
        heard = read(event, "connectivity", _abi.ConnectivityInfo)
        return e.Connectivity(find(str(heard.endpoint_id)), heard.active)
    if kind == 31:
        trip = read(event, "round_trip", _abi.RoundTripInfo)
        return e.RoundTrip(find(str(trip.endpoint_id)), trip.round_trip_us / 1e6)
    if kind == 32:
        refused = read(event, "sources_refused", _abi.SourcesRefusedInfo)
        return e.SourcesRefused(
            e.MediaPath(refused.path), tuple(str(refused.source_names).split()), e.SourceRefusal(refused.why),
            str(refused.condition), str(refused.text),
        )
    if kind == 33:
        begins = read(event, "start_muted", _abi.StartMutedInfo)
        return e.StartMuted(begins.audio, begins.video)
    if kind == 34:
        return e.RestartRefused(str(read(event, "restart_refused", _abi.RestartRefusedInfo).condition))
    if kind == 35:
        tone = read(event, "tone", _abi.ToneInfo)
        return e.Tone(find(str(tone.endpoint_id)), chr(tone.key))
    if kind == 36:
        said_of = read(event, "participant_stats", _abi.ParticipantStatsInfo)
        return participant_stats(said_of, find(str(said_of.endpoint_id)))
    if kind == 38:
        by = read(event, "muted_by", _abi.MutedByInfo)
        return e.MutedBy(find(str(by.endpoint_id)) if by.endpoint_id.size else None, e.MuteKind(by.kind))
    if kind == 37:
        return local_stats(read(event, "local_stats", _abi.LocalStats))
    if kind == 27:
        return e.Downlink(read(event, "downlink", _abi.DownlinkInfo).bits_per_second)
    return None
