"""Frames out and in: tracks of ours that pace what is written, readers that hear the room."""
from __future__ import annotations

import asyncio
import ctypes
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from . import _abi
from ._abi import LIMITATION_CPU, LIMITATION_NONE, lib
from ._errors import Error, Status, check
from .events import Codec, Media, MediaPath, Participant, WriterStats

if TYPE_CHECKING:
    from ._meeting import Meeting

# A writer this far behind its frames' due times starts its clock anew instead of catching up in a burst.
LATE_SECONDS = 0.5
VIDEO_CLOCK = 90000
# Frame lengths of Opus in samples at 48 kHz by configuration number (RFC 6716 §3.1).
OPUS_FRAME = [480, 960, 1920, 2880] * 3 + [480, 960] * 2 + [120, 240, 480, 960] * 4


def opus_seconds(packet: bytes) -> float:
    """How long an Opus packet lasts (RFC 6716 §3.1, §3.2)."""
    if not packet:
        raise ValueError("an Opus packet has at least one byte")
    code = packet[0] & 3
    if code == 3 and len(packet) < 2:
        raise ValueError("an Opus packet of code 3 has a frame count")
    frames = packet[1] & 63 if code == 3 else (1, 2, 2)[code]
    return frames * OPUS_FRAME[packet[0] >> 3] / 48000


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of somebody, as their encoder made it."""

    participant: Participant
    source_name: str
    #: The `Track.key` of the track that it belongs to; 0 once that is removed.
    track_key: int
    media: Media
    codec: Codec
    data: bytes = field(repr=False)
    #: Seconds on the clock of `jmeet.now()` when its last packet came.
    time: float
    #: Media time in units of the codec's clock, without wrap-around.
    rtp_time: int
    #: Grows whenever RTP time starts anew: compare `rtp_time` only within one.
    timeline: int
    #: Decodable without frames before it. Always for audio.
    key_frame: bool
    #: Packets lost for good since the frame before.
    gap: int
    encoding: int
    temporal_id: int | None
    #: Loudness in -dBov: 0 is loudest, 127 silence.
    audio_level: int | None
    voice: bool
    #: Seconds since 1970, once the sender's clock is known.
    captured: float | None
    #: Width and height in pixels, of key frames.
    size: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class ReaderStats:
    delivered: int
    dropped: int
    queued: int


class LocalTrack:
    """A microphone, camera or screen of ours. Made by `meeting.send_audio` and `send_video`."""

    def __init__(self, meeting: Meeting, handle: int, writer: int, codec: Codec, label: str, encodings: int = 1) -> None:
        self._meeting, self._handle, self._writer = meeting, handle, writer
        self._due = 0.0
        self._key_frame_wanted = False
        self.codec, self.encodings = codec, encodings
        #: What frames must be now (CodecWanted); at first the codec that the track was made with.
        self.codec_wanted = codec
        #: For the program's own use.
        self.label = label
        self.key: int = lib.jmeet_track_key(handle)
        #: What the network bears, once it is known.
        self.bits_per_second: int | None = None

    async def write(
        self, data: bytes, *, duration: float | None = None, temporal_id: int | None = None,
        audio_level: int | None = None, voice: bool = True, encoding: int = 0,
        codec: Codec | None = None,
    ) -> bool:
        """Waits for the frame's due time and sends it. Opus packets say how long they last; other codecs need `duration`
        in seconds, 0 for parameter sets of H.264 by themselves. The encodings of one picture are due together. False if the frame was dropped: muted, nobody there, or the
        network is behind. `codec`: what it is, after a CodecWanted; frames of another codec than is wanted raise CODEC."""
        if self.codec is Codec.OPUS:
            duration, clock = opus_seconds(data), 48000
        elif duration is None:
            raise ValueError("a video frame needs its duration")
        else:
            clock = VIDEO_CLOCK
        loop = asyncio.get_running_loop()
        if self._due < loop.time() - LATE_SECONDS:
            self._due = loop.time()
        due = self._due
        if encoding + 1 >= self.encodings:
            self._due += duration
        await asyncio.sleep(max(0.0, due - loop.time()))
        frame = _abi.OutgoingFrame()
        frame.data, frame.size, frame.rtp_duration = data, len(data), round(duration * clock)
        frame.encoding, frame.codec = encoding, codec or 0
        if temporal_id is not None:
            frame.fields |= _abi.FRAME_HAS_TEMPORAL_ID
            frame.temporal_id = temporal_id
        if audio_level is not None:
            frame.fields |= _abi.FRAME_HAS_AUDIO_LEVEL
            frame.audio_level, frame.voice = audio_level, voice
        if not self._writer:
            raise Error(Status.CLOSED)
        status = lib.jmeet_writer_write(self._writer, ctypes.byref(frame))
        if status in (Status.MUTED, Status.NOT_READY, Status.FULL):
            return False
        check(status)
        return True

    def take_key_frame_request(self) -> bool:
        """Whether a receiver has asked for a key frame since the last call."""
        wanted, self._key_frame_wanted = self._key_frame_wanted, False
        return wanted

    def set_limited(self, cpu: bool, height: int = 0) -> None:
        """Says what the encoder of a video track does: whether it has too little CPU, and the height of the largest picture that it makes,
        0 for what TargetBitrate says, or, if limited, less than that. Another codec (CodecWanted), fewer and smaller videos come of it, and
        these come back when it is limited no more."""
        if not self._writer:
            raise Error(Status.CLOSED)
        if height < 0:
            raise ValueError("a height is not negative")
        check(lib.jmeet_writer_set_limited(self._writer, LIMITATION_CPU if cpu else LIMITATION_NONE, height))

    def stats(self, encoding: int = 0, timeout: float = 1.0) -> WriterStats:
        """Counters of one encoding, 0 is the smallest; waits for the library's thread, for so many seconds at most."""
        if not self._writer:
            raise Error(Status.CLOSED)
        out = _abi.WriterStats()
        check(lib.jmeet_writer_get_stats(self._writer, encoding, round(timeout * 1000), ctypes.byref(out)))
        return WriterStats(
            out.taken, out.dropped, out.full, out.queued, MediaPath(out.path), Codec(out.codec), out.frames, out.packets, out.bytes,
            out.retransmitted, out.lost, out.jitter_us / 1e6, out.round_trip_us / 1e6 if out.round_trip_us else None,
            out.bits_per_second, out.target_bits_per_second, out.frames_per_second,
        )

    async def mute(self, muted: bool = True) -> None:
        """Mutes, so that others see it; returns when they were told. What the focus muted is unmuted when it consents; NOT_ALLOWED is
        raised where the room is moderated."""
        await self._meeting._request(lib.jmeet_track_set_muted, self._handle, int(muted))

    async def send_tones(self, keys: str, *, held: float = 0.2, gap: float = 0.2) -> None:
        """Presses keys of a telephone, such as "123#", in our audio, each held for so many seconds and a pause after it; returns when the
        last was released. While one is held, packets of the track are not sent."""
        times = round(held * 1000), round(gap * 1000)
        await self._meeting._request(lib.jmeet_track_send_tones, self._handle, keys.encode(), *times)

    async def unmute(self) -> None:
        await self.mute(False)

    def remove(self) -> None:
        """Takes the track out of the meeting. Doing it twice is fine."""
        if self._writer:
            lib.jmeet_writer_free(self._writer)
            lib.jmeet_track_remove(self._handle)
            self._writer = 0
            self._meeting._local.pop(self.key, None)

    async def __aenter__(self) -> LocalTrack:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()


class Reader:
    """Frames of everybody, or of one track: `async for frame in meeting.hear()`. Ends with the meeting or the track, and when it
    is closed or forgotten. One task at a time."""

    def __init__(self, meeting: Meeting, handle: int) -> None:
        self._meeting, self._handle = meeting, handle
        self._waiter: asyncio.Future[None] | None = None
        fd = ctypes.c_ssize_t()
        try:
            check(lib.jmeet_reader_fd(handle, ctypes.byref(fd)))
        except Error:
            self.close()
            raise
        self._fd = fd.value

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Frame:
        frame = _abi.Frame()
        while self._handle:
            status = lib.jmeet_reader_next(self._handle, 0, ctypes.byref(frame))
            if status == Status.OK:
                return self._copy(frame)
            if status in (Status.CLOSED, Status.INVALID_HANDLE):
                self.close()
            elif status == Status.TIMEOUT:
                await self._readable()
            else:
                check(status)
        raise StopAsyncIteration

    async def _readable(self) -> None:
        if self._waiter is not None:
            raise Error(Status.BUSY)
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        loop.add_reader(self._fd, lambda: None if waiter.done() else waiter.set_result(None))
        try:
            await waiter
        finally:
            # After `close` the descriptor is the library's again, or somebody else's.
            if self._waiter is waiter:
                loop.remove_reader(self._fd)
                self._waiter = None

    def _copy(self, frame: _abi.Frame) -> Frame:
        def has(bit: int) -> bool:
            return bool(frame.fields & bit)

        return Frame(
            participant=self._meeting._participant(str(frame.endpoint_id)),
            source_name=str(frame.source_name), track_key=frame.track_key, media=Media(frame.media), codec=Codec(frame.codec), data=frame.data.raw(),
            time=frame.arrival_us / 1e6, rtp_time=frame.rtp_time, timeline=frame.timeline, key_frame=frame.key_frame,
            gap=frame.gap, encoding=frame.encoding,
            temporal_id=frame.temporal_id if has(_abi.FRAME_HAS_TEMPORAL_ID) else None,
            audio_level=frame.audio_level if has(_abi.FRAME_HAS_AUDIO_LEVEL) else None, voice=frame.voice,
            captured=frame.capture_unix_us / 1e6 if has(_abi.FRAME_HAS_CAPTURE_TIME) else None,
            size=(frame.width, frame.height) if has(_abi.FRAME_HAS_SIZE) else None,
        )

    @property
    def stats(self) -> ReaderStats:
        out = _abi.ReaderStats()
        check(lib.jmeet_reader_get_stats(self._handle, ctypes.byref(out)))
        return ReaderStats(out.delivered, out.dropped, out.queued)

    def close(self) -> None:
        """Stops reading; a task that waits in `async for` leaves its loop. Doing it twice is fine."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.get_loop().remove_reader(self._fd)
            if not waiter.done():
                waiter.set_result(None)
        handle, self._handle = self._handle, 0
        if handle:
            lib.jmeet_reader_free(handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            lib.jmeet_reader_free(self._handle)

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
