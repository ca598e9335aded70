"""The C ABI of include/jmeet.h as ctypes sees it: structs, prototypes, the loaded library. Nothing here is public.

tests/test_abi.py compares every struct, prototype and number with the header.
"""
from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

ABI_VERSION = 1

U8, U16, U32, U64, I32, I64 = (
    ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int32, ctypes.c_int64,
)
u16 = Annotated[int, U16]
u32 = Annotated[int, U32]
u64 = Annotated[int, U64]
i32 = Annotated[int, I32]
i64 = Annotated[int, I64]
size_t = Annotated[int, ctypes.c_size_t]
flag = Annotated[bool, ctypes.c_bool]
handle = Annotated["int | None", ctypes.c_void_p]
address = Annotated["int | None", ctypes.c_void_p]
text = Annotated["bytes | None", ctypes.c_char_p]

S = TypeVar("S", bound=type[ctypes.Structure])


def struct(cls: S) -> S:
    """Makes the fields of a ctypes structure from its annotations, which mypy reads too."""
    hints = get_type_hints(cls, include_extras=True)
    cls._fields_ = [
        (name, hint.__metadata__[0] if hasattr(hint, "__metadata__") else hint)
        for name, hint in hints.items() if name in cls.__annotations__
    ]
    return cls


@struct
class Str(ctypes.Structure):
    data: address
    size: size_t

    def __str__(self) -> str:
        return self.raw().decode("utf-8", "replace")

    def raw(self) -> bytes:
        return ctypes.string_at(self.data, self.size) if self.data else b""


class Sized(ctypes.Structure):
    """A struct that starts with its size."""

    def __init__(self) -> None:
        super().__init__()
        self.struct_size = ctypes.sizeof(self)


@struct
class ErrorInfo(Sized):
    struct_size: u32
    status: i32
    stage: u32
    condition: Str
    text: Str


@struct
class StateInfo(Sized):
    struct_size: u32
    state: u32


@struct
class JoinedInfo(Sized):
    struct_size: u32
    role: u32
    endpoint_id: Str


@struct
class ParticipantInfo(Sized):
    struct_size: u32
    role: u32
    participant: handle
    key: u64
    endpoint_id: Str
    display_name: Str
    real_jid: Str
    features: Str
    raised_hand_ms: i64
    changed: u32
    reserved: u32


@struct
class ParticipantLeftInfo(Sized):
    struct_size: u32
    kicked: flag
    vanished: flag
    we_left: flag
    reason: Str


@struct
class RoleInfo(Sized):
    struct_size: u32
    role: u32


@struct
class MessageInfo(Sized):
    struct_size: u32
    is_private: flag
    delayed: flag
    participant: handle
    endpoint_id: Str
    display_name: Str
    text: Str
    id: Str
    sent_ms: i64


@struct
class SubjectInfo(Sized):
    struct_size: u32
    subject: Str


@struct
class TrackInfo(Sized):
    struct_size: u32
    media: u32
    video_type: u32
    muted: flag
    local: flag
    track: handle
    participant: handle
    key: u64
    endpoint_id: Str
    source_name: Str
    codec: u32
    reserved: u32


@struct
class FocusInfo(Sized):
    struct_size: u32
    present: flag


@struct
class BridgeInfo(Sized):
    struct_size: u32
    available: flag


@struct
class MediaInfo(Sized):
    struct_size: u32
    state: u32
    by_peer: flag
    endpoint_id: Str
    reason: Str
    text: Str
    path: u32
    status: u32


@struct
class BridgeChannelInfo(Sized):
    struct_size: u32
    state: u32


@struct
class SpeakerInfo(Sized):
    struct_size: u32
    silence: flag
    only_previous: flag
    participant: handle
    endpoint_id: Str
    previous: Str


@struct
class EndpointMessageInfo(Sized):
    struct_size: u32
    is_private: flag
    participant: handle
    endpoint_id: Str
    payload: Str


@struct
class TrackForwardedInfo(Sized):
    struct_size: u32
    forwarded: flag
    suspended: u32
    track: handle


@struct
class TrackStreamingInfo(Sized):
    struct_size: u32
    streaming: u32
    track: handle
    suspended: u32
    reserved: u32


@struct
class ConnectivityInfo(Sized):
    struct_size: u32
    active: flag
    participant: handle
    endpoint_id: Str


@struct
class ToneInfo(Sized):
    struct_size: u32
    key: u32
    participant: handle
    track: handle
    endpoint_id: Str


@struct
class RoundTripInfo(Sized):
    struct_size: u32
    reserved: u32
    participant: handle
    endpoint_id: Str
    round_trip_us: u64


@struct
class SourcesRefusedInfo(Sized):
    struct_size: u32
    why: u32
    path: u32
    reserved: u32
    source_names: Str
    condition: Str
    text: Str


@struct
class StartMutedInfo(Sized):
    struct_size: u32
    audio: flag
    video: flag


@struct
class MutedByInfo(Sized):
    struct_size: u32
    kind: u32
    participant: handle
    endpoint_id: Str


@struct
class RestartRefusedInfo(Sized):
    struct_size: u32
    reserved: u32
    condition: Str


@struct
class LocalStats(Sized):
    struct_size: u32
    quality: u32
    path: u32
    max_height: u32
    round_trip_us: u64
    audio_upload_kbps: u32
    audio_download_kbps: u32
    video_upload_kbps: u32
    video_download_kbps: u32
    loss_upload: u32
    loss_download: u32


@struct
class ParticipantStatsInfo(Sized):
    struct_size: u32
    quality: u32
    participant: handle
    endpoint_id: Str
    server_region: Str
    round_trip_us: u64
    max_height: u32
    audio_upload_kbps: u32
    audio_download_kbps: u32
    video_upload_kbps: u32
    video_download_kbps: u32
    loss_upload: u32
    loss_download: u32
    reserved: u32


@struct
class TrackStats(Sized):
    struct_size: u32
    media: u32
    path: u32
    codec: u32
    encoding: u32
    local: flag
    track: handle
    track_key: u64
    packets: u64
    bytes: u64
    lost: u64
    repaired: u64
    jitter_us: u64
    bits_per_second: u64
    frames: u64
    damaged: u64
    frames_per_second: u32
    width: u32
    height: u32
    reserved: u32
    round_trip_us: u64
    target_bits_per_second: u64
    source_name: Str


@struct
class WriterStats(Sized):
    struct_size: u32
    queued: u32
    taken: u64
    dropped: u64
    full: u64
    path: u32
    codec: u32
    frames: u64
    packets: u64
    bytes: u64
    retransmitted: u64
    lost: u64
    jitter_us: u64
    round_trip_us: u64
    bits_per_second: u64
    target_bits_per_second: u64
    frames_per_second: u32
    reserved: u32


@struct
class Speaking(Sized):
    struct_size: u32
    silence: flag
    ours: flag
    participant: handle


@struct
class TrackStatus(Sized):
    struct_size: u32
    streaming: u32
    forwarded: flag
    suspended: u32


@struct
class ParticipantStatus(Sized):
    struct_size: u32
    active: flag
    has_quality: flag
    quality: u32
    reserved: u32
    round_trip_us: u64


@struct
class DownlinkInfo(Sized):
    struct_size: u32
    reserved: u32
    bits_per_second: u64


@struct
class ReceiveOptions(Sized):
    struct_size: u32
    last_n: i32
    default_height: i32
    reserved: u32
    on_stage: text
    selected: text
    sources: text


@struct
class KeyFrameWantedInfo(Sized):
    struct_size: u32
    encoding: u32
    track: handle


@struct
class TargetBitrateInfo(Sized):
    struct_size: u32
    encoding: u32
    track: handle
    bits_per_second: u64
    height: u32
    reserved: u32


@struct
class CodecWantedInfo(Sized):
    struct_size: u32
    codec: u32
    track: handle


@struct
class BandwidthInfo(Sized):
    struct_size: u32
    reserved: u32
    bits_per_second: u64


@struct
class TimelineInfo(Sized):
    struct_size: u32
    stage: u32
    time_us: u64


@struct
class OverrunInfo(Sized):
    struct_size: u32
    reserved: u32
    dropped: u64


@struct
class RuntimeOptions(Sized):
    struct_size: u32
    threads: u32


@struct
class ClientOptions(Sized):
    struct_size: u32
    join_timeout_ms: u32
    runtime: handle
    user_value: u64
    url: text
    room: text
    domain: text
    muc: text
    focus: text
    focus_users: text
    display_name: text
    token: text
    username: text
    password: text
    room_password: text
    nickname: text
    extra_ca_pem: text
    insecure_skip_tls_verification: u32
    insecure_allow_plaintext_secrets: u32
    disable_p2p: u32
    allow_loopback: u32
    disable_bridge: u32
    disable_ssrc_rewriting: u32
    measure_round_trips: u32
    prefer_websocket: u32
    video_codecs: text
    ignore_channel_domain: text


@struct
class TrackOptions(Sized):
    struct_size: u32
    media: u32
    codec: u32
    video_type: u32
    muted: u32
    queue_frames: u32
    encodings: u32
    height: u32
    max_frame_rate: u32


@struct
class ReaderOptions(Sized):
    struct_size: u32
    media: u32
    queue_frames: u32
    drop_newest: u32
    jitter_ms: u32
    height: u32


@struct
class OutgoingFrame(Sized):
    struct_size: u32
    fields: u32
    data: text
    size: size_t
    rtp_duration: u32
    temporal_id: u32
    audio_level: u32
    voice: u32
    encoding: u32
    codec: u32


@struct
class ReaderStats(Sized):
    struct_size: u32
    reserved: u32
    delivered: u64
    dropped: u64
    queued: u64


@struct
class ClientStats(Sized):
    struct_size: u32
    reserved: u32
    unknown_frames: u64
    oversized_frames: u64
    stray_answers: u64
    unhandled_stanzas: u64
    late_packets: u64
    unclaimed_packets: u64
    refused_datagrams: u64


@struct
class Frame(Sized):
    struct_size: u32
    fields: u32
    media: u32
    codec: u32
    encoding: u32
    temporal_id: u32
    audio_level: u32
    voice: flag
    key_frame: flag
    width: u16
    height: u16
    timeline: u32
    gap: u32
    rtp_time: u64
    arrival_us: u64
    capture_unix_us: i64
    endpoint_id: Str
    source_name: Str
    data: Str
    participant_key: u64
    track_key: u64


FEATURE_MEDIA = 1
LIMITATION_NONE, LIMITATION_CPU = 1, 2
FRAME_HAS_TEMPORAL_ID, FRAME_HAS_AUDIO_LEVEL, FRAME_HAS_CAPTURE_TIME, FRAME_HAS_SIZE = 1, 2, 4, 8
FRAME_HAS_PARTICIPANT, FRAME_HAS_TRACK = 16, 32

H, OUT, TEXT, FD = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p, ctypes.POINTER(ctypes.c_ssize_t)


def _to(kind: type[ctypes.Structure]) -> Any:
    return ctypes.POINTER(kind)


# Gets level, target, text and what was given with it.
log_callback = ctypes.CFUNCTYPE(None, U32, Str, Str, ctypes.c_void_p)

# name: (what it answers, its arguments)
PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "jmeet_version": (TEXT, []),
    "jmeet_abi_version": (U32, []),
    "jmeet_features": (U32, []),
    "jmeet_now_us": (U64, []),
    "jmeet_status_name": (TEXT, [I32]),
    "jmeet_log_set_callback": (I32, [U32, log_callback, H]),
    "jmeet_runtime_new": (I32, [_to(RuntimeOptions), OUT, OUT]),
    "jmeet_runtime_free": (I32, [H]),
    "jmeet_error_get": (I32, [H, _to(ErrorInfo)]),
    "jmeet_error_free": (I32, [H]),
    "jmeet_queue_new": (I32, [H, OUT, OUT]),
    "jmeet_queue_next": (I32, [H, I32, OUT]),
    "jmeet_queue_fd": (I32, [H, FD]),
    "jmeet_queue_free": (I32, [H]),
    "jmeet_event_type": (U32, [H]),
    "jmeet_event_tag": (U64, [H]),
    "jmeet_event_error": (I32, [H, _to(ErrorInfo)]),
    "jmeet_event_free": (I32, [H]),
    "jmeet_event_state": (I32, [H, _to(StateInfo)]),
    "jmeet_event_joined": (I32, [H, _to(JoinedInfo)]),
    "jmeet_event_participant": (I32, [H, _to(ParticipantInfo)]),
    "jmeet_event_participant_left": (I32, [H, _to(ParticipantLeftInfo)]),
    "jmeet_event_role": (I32, [H, _to(RoleInfo)]),
    "jmeet_event_message": (I32, [H, _to(MessageInfo)]),
    "jmeet_event_subject": (I32, [H, _to(SubjectInfo)]),
    "jmeet_event_track": (I32, [H, _to(TrackInfo)]),
    "jmeet_event_focus": (I32, [H, _to(FocusInfo)]),
    "jmeet_event_bridge": (I32, [H, _to(BridgeInfo)]),
    "jmeet_event_media": (I32, [H, _to(MediaInfo)]),
    "jmeet_event_bridge_channel": (I32, [H, _to(BridgeChannelInfo)]),
    "jmeet_event_speaker": (I32, [H, _to(SpeakerInfo)]),
    "jmeet_event_endpoint_message": (I32, [H, _to(EndpointMessageInfo)]),
    "jmeet_event_track_forwarded": (I32, [H, _to(TrackForwardedInfo)]),
    "jmeet_event_track_streaming": (I32, [H, _to(TrackStreamingInfo)]),
    "jmeet_event_connectivity": (I32, [H, _to(ConnectivityInfo)]),
    "jmeet_event_tone": (I32, [H, _to(ToneInfo)]),
    "jmeet_event_round_trip": (I32, [H, _to(RoundTripInfo)]),
    "jmeet_conference_get_speaking": (I32, [H, _to(Speaking)]),
    "jmeet_conference_list_speakers": (I32, [H, OUT]),
    "jmeet_track_get_status": (I32, [H, _to(TrackStatus)]),
    "jmeet_participant_get_status": (I32, [H, _to(ParticipantStatus)]),
    "jmeet_participant_get_stats": (I32, [H, _to(ParticipantStatsInfo)]),
    "jmeet_participant_mute": (I32, [H, U32, U64, OUT]),
    "jmeet_writer_get_stats": (I32, [H, U32, I32, _to(WriterStats)]),
    "jmeet_event_muted_by": (I32, [H, _to(MutedByInfo)]),
    "jmeet_event_sources_refused": (I32, [H, _to(SourcesRefusedInfo)]),
    "jmeet_event_start_muted": (I32, [H, _to(StartMutedInfo)]),
    "jmeet_event_restart_refused": (I32, [H, _to(RestartRefusedInfo)]),
    "jmeet_event_participant_stats": (I32, [H, _to(ParticipantStatsInfo)]),
    "jmeet_event_local_stats": (I32, [H, _to(LocalStats)]),
    "jmeet_conference_stats_new": (I32, [H, I32, OUT, OUT]),
    "jmeet_stats_get": (I32, [H, _to(LocalStats)]),
    "jmeet_stats_size": (ctypes.c_size_t, [H]),
    "jmeet_stats_get_track": (I32, [H, ctypes.c_size_t, _to(TrackStats)]),
    "jmeet_stats_free": (I32, [H]),
    "jmeet_event_downlink": (I32, [H, _to(DownlinkInfo)]),
    "jmeet_event_key_frame_wanted": (I32, [H, _to(KeyFrameWantedInfo)]),
    "jmeet_event_target_bitrate": (I32, [H, _to(TargetBitrateInfo)]),
    "jmeet_event_codec_wanted": (I32, [H, _to(CodecWantedInfo)]),
    "jmeet_event_bandwidth": (I32, [H, _to(BandwidthInfo)]),
    "jmeet_event_timeline": (I32, [H, _to(TimelineInfo)]),
    "jmeet_event_overrun": (I32, [H, _to(OverrunInfo)]),
    "jmeet_client_new": (I32, [H, _to(ClientOptions), OUT, OUT]),
    "jmeet_client_join": (I32, [H, U64, OUT, OUT]),
    "jmeet_client_timeline": (I32, [H, U32, ctypes.POINTER(U64)]),
    "jmeet_client_get_stats": (I32, [H, _to(ClientStats)]),
    "jmeet_client_close": (I32, [H, I32]),
    "jmeet_client_free": (I32, [H]),
    "jmeet_conference_send_message": (I32, [H, TEXT, U64, OUT]),
    "jmeet_conference_send_private_message": (I32, [H, TEXT, TEXT, U64, OUT]),
    "jmeet_conference_send_endpoint_message": (I32, [H, TEXT, TEXT, U64, OUT]),
    "jmeet_conference_set_receive": (I32, [H, _to(ReceiveOptions), OUT]),
    "jmeet_conference_set_display_name": (I32, [H, TEXT, U64, OUT]),
    "jmeet_conference_room_jid": (I32, [H, _to(Str)]),
    "jmeet_conference_endpoint_id": (I32, [H, _to(Str)]),
    "jmeet_conference_list_participants": (I32, [H, OUT]),
    "jmeet_conference_find_participant": (I32, [H, TEXT, OUT]),
    "jmeet_conference_list_tracks": (I32, [H, OUT]),
    "jmeet_conference_find_track": (I32, [H, TEXT, OUT]),
    "jmeet_conference_send_track": (I32, [H, _to(TrackOptions), U64, OUT, OUT]),
    "jmeet_conference_reader_new": (I32, [H, _to(ReaderOptions), OUT, OUT]),
    "jmeet_participant_list_new": (I32, [H, OUT]),
    "jmeet_participant_list_size": (ctypes.c_size_t, [H]),
    "jmeet_participant_list_get": (I32, [H, ctypes.c_size_t, _to(ParticipantInfo)]),
    "jmeet_participant_list_free": (I32, [H]),
    "jmeet_track_get": (I32, [H, _to(TrackInfo)]),
    "jmeet_track_key": (U64, [H]),
    "jmeet_track_set_muted": (I32, [H, U32, U64, OUT]),
    "jmeet_track_send_tones": (I32, [H, ctypes.c_char_p, U32, U32, U64, OUT]),
    "jmeet_track_remove": (I32, [H]),
    "jmeet_track_request_key_frame": (I32, [H]),
    "jmeet_track_list_size": (ctypes.c_size_t, [H]),
    "jmeet_track_list_get": (I32, [H, ctypes.c_size_t, _to(TrackInfo)]),
    "jmeet_track_list_free": (I32, [H]),
    "jmeet_writer_new": (I32, [H, H, OUT, OUT]),
    "jmeet_writer_write": (I32, [H, _to(OutgoingFrame)]),
    "jmeet_writer_set_limited": (I32, [H, U32, U32]),
    "jmeet_writer_free": (I32, [H]),
    "jmeet_reader_new": (I32, [H, _to(ReaderOptions), OUT, OUT]),
    "jmeet_reader_next": (I32, [H, I32, _to(Frame)]),
    "jmeet_reader_fd": (I32, [H, FD]),
    "jmeet_reader_get_stats": (I32, [H, _to(ReaderStats)]),
    "jmeet_reader_free": (I32, [H]),
}


def _load() -> ctypes.CDLL:
    name = "libjmeet.0.dylib" if sys.platform == "darwin" else "libjmeet.so.0"
    given, beside = os.environ.get("JMEET_LIBRARY"), Path(__file__).with_name(name)
    library = ctypes.CDLL(given or (str(beside) if beside.exists() else name))
    for function, (answer, arguments) in PROTOTYPES.items():
        prototype = getattr(library, function)
        prototype.restype, prototype.argtypes = answer, arguments
    if library.jmeet_abi_version() != ABI_VERSION:
        raise ImportError(f"{library._name} has ABI {library.jmeet_abi_version()}, this package needs {ABI_VERSION}")
    return library


lib = _load()
