"""A meeting: one client of the library, its queue, and the loop's view of both."""
from __future__ import annotations

import asyncio
import ctypes
import json
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal

from . import _abi
from ._abi import FEATURE_MEDIA, lib
from ._convert import CLOSED, REQUEST_DONE, convert, local_stats, participant, participant_stats, read, track
from ._errors import Error, Status, check, from_info
from ._media import LocalTrack, Reader
from .events import (
    Codec, Event, Ignored, Media, MediaPath, MuteKind, Overrun, Participant, ParticipantStats, ParticipantStatus, Statistics,
    Streaming, Suspended,
    TimelineStage, Track, TrackStats, TrackStatus, VideoType,
)

# Events that wait here at most before the library's queue, which folds what is outdated, keeps the rest.
WAITING = 256
# While a request is under way its answer must be fetched, and what stands before it: past this the oldest go, counted.
WAITING_AT_ALL = 4096


def now() -> float:
    """Seconds on the monotonic clock of `Frame.time` and `Timeline.time`."""
    return int(lib.jmeet_now_us()) / 1e6


def has_media() -> bool:
    """Whether the library was built with media; without it sending and reading raise `Status.NOT_BUILT`."""
    return bool(lib.jmeet_features() & FEATURE_MEDIA)


def _bytes(text: str | None) -> bytes | None:
    if text is not None and "\0" in text:
        raise ValueError("a text cannot hold NUL")
    return text.encode() if text else None


class Runtime:
    """Threads that many meetings share: `with jmeet.Runtime() as threads`, `jmeet.join(…, runtime=threads)`. A thousand can; a meeting without
    one has threads of its own. `threads`: 1 to 64; 0: two.
    """

    def __init__(self, threads: int = 0) -> None:
        options = _abi.RuntimeOptions()
        options.threads = threads
        self._handle, error = ctypes.c_void_p(), ctypes.c_void_p()
        self._meetings: weakref.WeakSet[Meeting] = weakref.WeakSet()
        check(lib.jmeet_runtime_new(ctypes.byref(options), ctypes.byref(self._handle), ctypes.byref(error)), error)

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads. Raises `Status.IN_USE` while a meeting runs on them; ending it again is fine."""
        if self._meetings:
            raise Error(Status.IN_USE)
        lib.jmeet_runtime_free(self._handle)
        self._handle = ctypes.c_void_p()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            lib.jmeet_runtime_free(self._handle)


class Meeting:
    """A meeting, made by `jmeet.join`. `async with` joins and leaves. Belongs to one event loop; not for other threads."""

    def __init__(self, url: str, room: str, leave_timeout: float, options: dict[str, Any], runtime: Runtime | None = None) -> None:
        self._options = _abi.ClientOptions()
        self._runtime = runtime
        for name, value in {**options, "url": url, "room": room}.items():
            setattr(self._options, name, _bytes(value) if value is None or isinstance(value, str) else value)
        self._leave_timeout = leave_timeout
        self._queue, self._client, self._room = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self._fd = ctypes.c_ssize_t(-1)
        self._watching = False
        self._tags = 0
        self._requests: dict[int, asyncio.Future[None]] = {}
        self._events: deque[Event] = deque()
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed: asyncio.Future[Error | None] | None = None
        self._roster: dict[str, Participant] = {}
        self._local: dict[int, LocalTrack] = {}
        self._readers: weakref.WeakSet[Reader] = weakref.WeakSet()

    async def __aenter__(self) -> Meeting:
        if self._closed is not None:
            raise Error(Status.STATE)
        self._loop = asyncio.get_running_loop()
        self._closed = self._loop.create_future()
        error = ctypes.c_void_p()
        if self._runtime is not None:
            if not self._runtime._handle:
                raise Error(Status.CLOSED)
            self._options.runtime = self._runtime._handle.value
            self._runtime._meetings.add(self)
        try:
            check(lib.jmeet_queue_new(None, ctypes.byref(self._queue), ctypes.byref(error)), error)
            check(lib.jmeet_queue_fd(self._queue, ctypes.byref(self._fd)))
            check(lib.jmeet_client_new(self._queue, ctypes.byref(self._options), ctypes.byref(self._client), ctypes.byref(error)), error)
            answer = self._expect()
            check(lib.jmeet_client_join(self._client, self._tags, ctypes.byref(self._room), ctypes.byref(error)), error)
            await answer
        except BaseException:
            self._free()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            await self.leave()
        finally:
            self._free()

    # Events.

    def __aiter__(self) -> Meeting:
        return self

    async def __anext__(self) -> Event:
        """The next event. Ends when the meeting is over; raises `Error` if it did not end by our leaving."""
        while not self._events:
            assert self._closed is not None, "the meeting is not entered"
            if self._closed.done():
                why = self._closed.result()
                if why is not None:
                    raise why
                raise StopAsyncIteration
            waiter = self._loop.create_future()
            self._waiters.add(waiter)
            self._watch()
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        event = self._events.popleft()
        self._watch()
        return event

    def _watch(self) -> None:
        """Watches the queue while there is room for events, or somebody waits for an answer."""
        assert self._closed is not None
        wanted = bool(self._client) and not self._closed.done() and (len(self._events) < WAITING or bool(self._requests))
        if wanted and not self._watching:
            self._loop.add_reader(self._fd.value, self._drain)
        elif self._watching and not wanted:
            self._loop.remove_reader(self._fd.value)
        self._watching = wanted

    def _drain(self) -> None:
        event = ctypes.c_void_p()
        while self._watching and lib.jmeet_queue_next(self._queue, 0, ctypes.byref(event)) == Status.OK:
            assert event.value is not None
            try:
                self._take(event.value)
            finally:
                lib.jmeet_event_free(event)
            self._watch()

    def _take(self, event: int) -> None:
        assert self._closed is not None
        kind = lib.jmeet_event_type(event)
        if kind == REQUEST_DONE:
            answer = self._requests.pop(lib.jmeet_event_tag(event), None)
            if answer is not None and not answer.done():
                info = read(event, "error", _abi.ErrorInfo)
                if info.status:
                    answer.set_exception(from_info(info))
                else:
                    answer.set_result(None)
            return
        if kind == CLOSED:
            info = read(event, "error", _abi.ErrorInfo)
            self._end(from_info(info) if info.status else None)
            return
        happened = convert(event, kind, self._roster, self._local, self._participant)
        if happened is None:
            return
        self._events.append(happened)
        if len(self._events) > WAITING_AT_ALL:
            first = self._events.popleft()
            dropped = first.dropped if isinstance(first, Overrun) else 1
            self._events.popleft()
            self._events.appendleft(Overrun(dropped + 1))
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _end(self, why: Error | None) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(why)
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(why or Error(Status.CANCELLED))
        self._requests.clear()
        self._wake()

    # Requests.

    def _expect(self) -> asyncio.Future[None]:
        """Makes a new tag and the future that its REQUEST_DONE completes."""
        self._tags += 1
        answer = self._requests[self._tags] = self._loop.create_future()
        self._watch()
        return answer

    async def _request(self, function: Callable[..., int], *arguments: object) -> None:
        if not self._client:
            raise Error(Status.CLOSED)
        answer, tag, error = self._expect(), self._tags, ctypes.c_void_p()
        try:
            check(function(*arguments, tag, ctypes.byref(error)), error)
            await answer
        finally:
            self._requests.pop(tag, None)
            self._watch()

    async def say(self, text: str, *, to: Participant | None = None) -> None:
        """Says something, to everybody or to one; returns when the room has taken it."""
        if to is None:
            await self._request(lib.jmeet_conference_send_message, self._room, _bytes(text) or b"")
        else:
            await self._request(lib.jmeet_conference_send_private_message, self._room, _bytes(to.id), _bytes(text) or b"")

    async def send(self, payload: dict[str, Any], *, to: Participant | None = None) -> None:
        """Sends a JSON object to one endpoint, or to all others, through the bridge; returns when it is on its way."""
        data = json.dumps(payload, separators=(",", ":"))
        await self._request(lib.jmeet_conference_send_endpoint_message, self._room, _bytes(to.id) if to else None, _bytes(data))

    def set_receive(
        self, *, last_n: int | None = None, height: int | None = None, heights: dict[str, int] | None = None,
        on_stage: Iterable[str] = (), selected: Iterable[str] = (),
    ) -> None:
        """Says which video the bridge is to send, instead of what follows from what is read. `None` is no limit, 0 is none;
        `heights` by source name."""
        def limit(n: int | None) -> int:
            return 0 if n is None else n or -1

        options, error = _abi.ReceiveOptions(), ctypes.c_void_p()
        options.last_n, options.default_height = limit(last_n), limit(height)
        options.on_stage, options.selected = _bytes(" ".join(on_stage)), _bytes(" ".join(selected))
        options.sources = _bytes(" ".join(f"{name}={limit(h)}" for name, h in (heights or {}).items()))
        check(lib.jmeet_conference_set_receive(self._room, ctypes.byref(options), ctypes.byref(error)), error)

    def receive_what_is_read(self) -> None:
        """Takes back `set_receive`."""
        error = ctypes.c_void_p()
        check(lib.jmeet_conference_set_receive(self._room, None, ctypes.byref(error)), error)

    async def set_display_name(self, name: str) -> None:
        """Changes the name that others see; empty removes it."""
        await self._request(lib.jmeet_conference_set_display_name, self._room, _bytes(name) or b"")

    # Media.

    async def send_audio(self, *, codec: Literal["opus"] = "opus", muted: bool = False, label: str = "") -> LocalTrack:
        """Adds a microphone; returns when the room knows it."""
        return await self._send(Media.AUDIO, codec, VideoType.UNSPECIFIED, muted, label)

    async def send_video(
        self, *, codec: Literal["vp8", "vp9", "h264", "av1"] = "vp8", desktop: bool = False, muted: bool = False, label: str = "",
        encodings: int = 1, height: int = 720, max_frame_rate: int = 0,
    ) -> LocalTrack:
        """Adds a camera or screen; returns when the room knows it. With several encodings (simulcast, at most 3, smallest
        first, `height` that of the largest) each picture is written once per encoding.
        TargetBitrate tells what each one is to have. `max_frame_rate`: 0 is 30 of a camera and 5 of a screen; more makes a screen one
        in motion, sent in all encodings."""
        kind = VideoType.DESKTOP if desktop else VideoType.CAMERA
        return await self._send(Media.VIDEO, codec, kind, muted, label, encodings, height, max_frame_rate)

    async def _send(
        self, media: Media, codec: str, video_type: VideoType, muted: bool, label: str, encodings: int = 1, height: int = 0,
        max_frame_rate: int = 0,
    ) -> LocalTrack:
        options = _abi.TrackOptions()
        options.encodings, options.height, options.max_frame_rate = encodings, height, max_frame_rate
        options.media, options.codec, options.video_type, options.muted = media, Codec[codec.upper()], video_type, muted
        handle, writer, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        ours: LocalTrack | None = None

        def begin(tag: int, failure: Any) -> int:
            nonlocal ours
            status: int = lib.jmeet_conference_send_track(self._room, ctypes.byref(options), tag, ctypes.byref(handle), failure)
            if status == Status.OK and handle.value:
                try:
                    check(lib.jmeet_writer_new(handle, None, ctypes.byref(writer), ctypes.byref(error)), error)
                except Error:
                    lib.jmeet_track_remove(handle)
                    raise
                ours = LocalTrack(self, handle.value, writer.value or 0, Codec(options.codec), label, encodings)
                self._local[ours.key] = ours
            return status

        try:
            await self._request(begin)
        except BaseException:
            if ours is not None:
                ours.remove()
            raise
        assert ours is not None
        return ours

    def hear(self, track: Track | None = None, *, jitter: float = 0.0, waiting: int = 0) -> Reader:
        """Frames of everybody else's microphones, or of one track."""
        return self._read(track, Media.AUDIO, jitter, waiting, 0)

    def watch(self, track: Track | None = None, *, height: int = 0, jitter: float = 0.0, waiting: int = 0) -> Reader:
        """Frames of everybody else's cameras and screens, or of one track."""
        return self._read(track, Media.VIDEO, jitter, waiting, height)

    def receive(self, *, jitter: float = 0.0, waiting: int = 0) -> Reader:
        """Frames of everybody else, audio and video."""
        return self._read(None, Media.UNSPECIFIED, jitter, waiting, 0)

    def _read(self, track: Track | None, media: Media, jitter: float, waiting: int, height: int) -> Reader:
        options = _abi.ReaderOptions()
        options.media, options.queue_frames, options.jitter_ms, options.height = media, waiting, round(jitter * 1000), height
        handle, error = ctypes.c_void_p(), ctypes.c_void_p()
        if not self._client:
            raise Error(Status.CLOSED)
        if track is None:
            make, source = lib.jmeet_conference_reader_new, self._room
        else:
            make, source = lib.jmeet_reader_new, self._handle(track)
        check(make(source, ctypes.byref(options), ctypes.byref(handle), ctypes.byref(error)), error)
        assert handle.value is not None
        reader = Reader(self, handle.value)
        self._readers.add(reader)
        return reader

    def request_key_frame(self, track: Track) -> None:
        """Asks the sender of a video track for a key frame. Asking often is fine."""
        check(lib.jmeet_track_request_key_frame(self._handle(track)))

    def _handle(self, track: Track) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        check(lib.jmeet_conference_find_track(self._room, _bytes(track.source_name), ctypes.byref(handle)))
        return handle

    # The room.

    @property
    def endpoint_id(self) -> str:
        """Our own: eight hexadecimal digits."""
        out = _abi.Str()
        check(lib.jmeet_conference_endpoint_id(self._room, ctypes.byref(out)))
        return str(out)

    @property
    def room_jid(self) -> str:
        out = _abi.Str()
        check(lib.jmeet_conference_room_jid(self._room, ctypes.byref(out)))
        return str(out)

    @property
    def participants(self) -> list[Participant]:
        """Everybody else now, which may be ahead of the events."""
        found = ctypes.c_void_p()
        check(lib.jmeet_conference_list_participants(self._room, ctypes.byref(found)))
        return self._people(found)

    @property
    def tracks(self) -> list[Track]:
        """All tracks now, ours included, which may be ahead of the events."""
        found = ctypes.c_void_p()
        check(lib.jmeet_conference_list_tracks(self._room, ctypes.byref(found)))
        try:
            out, info = [], _abi.TrackInfo()
            for index in range(lib.jmeet_track_list_size(found)):
                check(lib.jmeet_track_list_get(found, index, ctypes.byref(info)))
                out.append(track(info))
            return out
        finally:
            lib.jmeet_track_list_free(found)

    @property
    def speakers(self) -> list[Participant]:
        """Those of the others who spoke, the latest first, as the bridge hears it."""
        found = ctypes.c_void_p()
        check(lib.jmeet_conference_list_speakers(self._room, ctypes.byref(found)))
        return self._people(found)

    @property
    def silence(self) -> bool:
        """Nobody speaks any more, where the bridge looks for that."""
        out = _abi.Speaking()
        check(lib.jmeet_conference_get_speaking(self._room, ctypes.byref(out)))
        return bool(out.silence)

    def track_status(self, track: Track) -> TrackStatus:
        """How a remote track does now, which may be ahead of the events."""
        out = _abi.TrackStatus()
        check(lib.jmeet_track_get_status(self._handle(track), ctypes.byref(out)))
        return TrackStatus(Streaming(out.streaming), out.forwarded, Suspended(out.suspended))

    def participant_status(self, who: Participant) -> ParticipantStatus:
        """How a participant's connection does now, which may be ahead of the events."""
        out = _abi.ParticipantStatus()
        check(lib.jmeet_participant_get_status(self._handle_of(who), ctypes.byref(out)))
        return ParticipantStatus(
            out.active, out.round_trip_us / 1e6 if out.round_trip_us else None, out.quality if out.has_quality else None,
        )

    def participant_stats(self, who: Participant) -> ParticipantStats:
        """What a participant said last of their connection; raises NOT_READY when they have said nothing yet."""
        out = _abi.ParticipantStatsInfo()
        check(lib.jmeet_participant_get_stats(self._handle_of(who), ctypes.byref(out)))
        return participant_stats(out, who)

    async def mute_participant(self, who: Participant, kind: MuteKind = MuteKind.AUDIO) -> None:
        """Mutes somebody for everybody, which moderators may; returns when the focus has done it. Nobody can be unmuted by others."""
        await self._request(lib.jmeet_participant_mute, self._handle_of(who), kind)

    def _handle_of(self, who: Participant) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        check(lib.jmeet_conference_find_participant(self._room, _bytes(who.id), ctypes.byref(handle)))
        return handle

    def _people(self, found: ctypes.c_void_p) -> list[Participant]:
        try:
            out, info = [], _abi.ParticipantInfo()
            for index in range(lib.jmeet_participant_list_size(found)):
                check(lib.jmeet_participant_list_get(found, index, ctypes.byref(info)))
                out.append(participant(info))
            return out
        finally:
            lib.jmeet_participant_list_free(found)

    def _participant(self, endpoint_id: str) -> Participant:
        """By the events so far, else as the library knows them by now, else the bare id of one who has left."""
        known = self._roster.get(endpoint_id)
        if known is not None:
            return known
        handle, found = ctypes.c_void_p(), ctypes.c_void_p()
        if (
            lib.jmeet_conference_find_participant(self._room, _bytes(endpoint_id), ctypes.byref(handle)) == Status.OK
            and lib.jmeet_participant_list_new(handle, ctypes.byref(found)) == Status.OK
        ):
            for who in self._people(found):
                return who
        return Participant(endpoint_id)

    def stats(self, timeout: float = 1.0) -> Statistics:
        """Our own statistics; waits for the library's thread, for so many seconds at most."""
        taken, error = ctypes.c_void_p(), ctypes.c_void_p()
        check(lib.jmeet_conference_stats_new(self._room, round(timeout * 1000), ctypes.byref(taken), ctypes.byref(error)), error)
        try:
            own, tracks = _abi.LocalStats(), []
            check(lib.jmeet_stats_get(taken, ctypes.byref(own)))
            for index in range(lib.jmeet_stats_size(taken)):
                t = _abi.TrackStats()
                check(lib.jmeet_stats_get_track(taken, index, ctypes.byref(t)))
                tracks.append(TrackStats(
                    t.track_key, t.local, Media(t.media), MediaPath(t.path), Codec(t.codec), t.encoding, t.packets, t.bytes, t.lost,
                    t.repaired, t.jitter_us / 1e6, t.bits_per_second, t.frames, t.damaged, t.frames_per_second, (t.width, t.height),
                    t.round_trip_us / 1e6 if t.round_trip_us else None, t.target_bits_per_second, str(t.source_name),
                ))
            return Statistics(local_stats(own), tuple(tracks))
        finally:
            lib.jmeet_stats_free(taken)

    def ignored(self) -> Ignored:
        """What came from the server so far and was passed over."""
        out = _abi.ClientStats()
        check(lib.jmeet_client_get_stats(self._client, ctypes.byref(out)))
        return Ignored(
            out.unknown_frames, out.oversized_frames, out.stray_answers, out.unhandled_stanzas, out.late_packets, out.unclaimed_packets,
            out.refused_datagrams,
        )

    def timeline(self) -> dict[TimelineStage, float]:
        """When each stage was reached, in seconds after the join call."""
        at, out = ctypes.c_uint64(), {}
        for stage in TimelineStage:
            if stage and lib.jmeet_client_timeline(self._client, stage, ctypes.byref(at)) == Status.OK and at.value:
                out[stage] = at.value / 1e6
        start = out.get(TimelineStage.START, 0.0)
        return {stage: time - start for stage, time in out.items()}

    # The end.

    async def leave(self) -> None:
        """Leaves, and waits a bounded time until the server has confirmed it. Events that wait can still be read."""
        if not self._client or self._closed is None or self._closed.done():
            return
        farewell = self._requests[0] = self._loop.create_future()  # tag 0 is nobody's: keeps the queue watched until CLOSED
        farewell.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._watch()
        try:
            lib.jmeet_client_close(self._client, 0)
            await asyncio.wait([self._closed], timeout=self._leave_timeout)
        finally:
            self._requests.pop(0, None)

    def _free(self) -> None:
        """Gives everything back at once; the library says good-bye on its own where nobody did."""
        for reader in list(self._readers):
            reader.close()
        if self._watching:
            self._loop.remove_reader(self._fd.value)
            self._watching = False
        for ours in list(self._local.values()):
            ours._writer = 0
        self._local.clear()
        lib.jmeet_client_free(self._client)
        lib.jmeet_queue_free(self._queue)
        if self._runtime is not None:
            self._runtime._meetings.discard(self)
        self._client, self._queue, self._room = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        for answer in self._requests.values():
            answer.cancel()
        self._requests.clear()
        self._end(None)


def join(
    url: str, *, room: str, name: str = "", domain: str | None = None, muc: str | None = None, focus: str | None = None,
    focus_users: str | None = None, token: str | None = None, username: str | None = None, password: str | None = None,
    room_password: str | None = None, nickname: str | None = None, extra_ca_pem: str | None = None,
    insecure_skip_tls_verification: bool = False, insecure_allow_plaintext_secrets: bool = False, p2p: bool = True,
    bridge: bool = True, ssrc_rewriting: bool = True, measure_round_trips: bool = False, allow_loopback: bool = False,
    join_timeout: float = 30.0, leave_timeout: float = 2.0,
    video_codecs: str | None = None, runtime: Runtime | None = None,
) -> Meeting:
    """A meeting to enter: `async with jmeet.join("wss://meet.example/xmpp-websocket", room="standup") as meeting`.

    The defaults suit most deployments: `domain` is the host of the URL, `muc` and `focus` are below it; the login is anonymous.
    `join_timeout` covers all of joining, retries included; `leave_timeout` bounds the good-bye. The insecure options do what
    they say. `video_codecs`, such as "av1,vp9,vp8", are those that the program can both make and show, the best first: CodecWanted tells
    which of them to send. `runtime` names the threads that it runs on. `nickname` and `allow_loopback` are for tests.
    """
    return Meeting(url, room, leave_timeout, {
        "display_name": name, "domain": domain, "muc": muc, "focus": focus, "focus_users": focus_users, "token": token,
        "username": username, "password": password, "room_password": room_password, "nickname": nickname,
        "extra_ca_pem": extra_ca_pem, "insecure_skip_tls_verification": int(insecure_skip_tls_verification),
        "video_codecs": video_codecs, "insecure_allow_plaintext_secrets": int(insecure_allow_plaintext_secrets), "disable_p2p": int(not p2p),
        "disable_bridge": int(not bridge), "disable_ssrc_rewriting": int(not ssrc_rewriting),
        "measure_round_trips": int(measure_round_trips),
        "allow_loopback": int(allow_loopback), "join_timeout_ms": max(1, round(join_timeout * 1000)),
    }, runtime)
