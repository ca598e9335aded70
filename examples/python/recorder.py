"""Records a meeting without transcoding: each audio source an Ogg Opus file, each video source (VP8, VP9, AV1) an IVF file.

    python recorder.py wss://meet.example/xmpp-websocket standup [folder]

Leaves when the others have left, or with Ctrl-C. `--domain NAME` and `--loopback` are for test servers. The `jmeet record` command
does more: it puts audio and video of a participant into one file.
"""
import argparse
import asyncio
from pathlib import Path
from typing import BinaryIO

import jmeet


def crc_table() -> list[int]:
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1
        table.append(value & 0xFFFFFFFF)
    return table


CRC = crc_table()
#: Samples of one frame at 48 kHz by the first five bits of a packet (RFC 6716 §3.1).
FRAME = [480, 960, 1920, 2880] * 3 + [480, 960] * 2 + [120, 240, 480, 960] * 4


def samples(packet: bytes) -> int:
    """How long an Opus packet lasts."""
    code = packet[0] & 3
    return FRAME[packet[0] >> 3] * (packet[1] & 63 if code == 3 else (1, 2, 2)[code])


class OggOpus:
    """An Ogg Opus file (RFC 3533, RFC 7845), one packet a page. A gap is filled with packets that ask the decoder to conceal."""

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = open(path, "wb")
        self.pages = self.position = 0
        self.before = (0, 0)
        self.last = b""
        self._page(b"OpusHead\x01\x02\x38\x01" + (48000).to_bytes(4, "little") + b"\0\0\0", 2)
        self._page(b"OpusTags\x05\0\0\0jmeet\0\0\0\0")

    def _page(self, packet: bytes, flags: int = 0) -> None:
        sizes = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        head = b"OggS\0" + bytes([flags]) + self.position.to_bytes(8, "little") + (1).to_bytes(4, "little")
        head += self.pages.to_bytes(4, "little") + b"\0\0\0\0" + bytes([len(sizes)]) + sizes
        self.last = head + packet
        self._put(self.last)
        self.pages += 1

    def _put(self, page: bytes) -> None:
        checksum = 0
        for byte in page:
            checksum = (checksum << 8 & 0xFFFFFFFF) ^ CRC[checksum >> 24 ^ byte]
        self.file.write(page[:22] + checksum.to_bytes(4, "little") + page[26:])

    def write(self, frame: jmeet.Frame) -> None:
        timeline, expected = self.before
        # Times of another timeline do not compare: after a switch it goes on without a gap.
        gap = frame.rtp_time - expected if timeline == frame.timeline else 0
        conceal = bytes([frame.data[0] & 0xFC])
        for _ in range(gap // samples(conceal)):
            self._packet(conceal)
        self._packet(frame.data)
        self.before = (frame.timeline, frame.rtp_time + samples(frame.data))

    def _packet(self, packet: bytes) -> None:
        self.position += samples(packet)
        self._page(packet)

    def close(self) -> None:
        # The last page says that it is the last.
        self.file.seek(-len(self.last), 1)
        self._put(self.last[:5] + b"\x04" + self.last[6:])
        self.file.close()


class Ivf:
    """An IVF file, beginning with a key frame; its clock is RTP's."""

    CODECS = {jmeet.Codec.VP8: b"VP80", jmeet.Codec.VP9: b"VP90", jmeet.Codec.AV1: b"AV01"}

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = open(path, "wb")
        self.frames = self.start = self.last = self.timeline = 0

    def write(self, frame: jmeet.Frame) -> None:
        if self.frames == 0:
            if not frame.key_frame or frame.codec not in self.CODECS:
                return
            width, height = frame.size or (0, 0)
            self.file.write(b"DKIF\0\0\x20\0" + self.CODECS[frame.codec] + width.to_bytes(2, "little") + height.to_bytes(2, "little"))
            self.file.write((90000).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(8))
        if frame.timeline != self.timeline:
            self.timeline, self.start = frame.timeline, frame.rtp_time - self.last - (3000 if self.frames else 0)
        self.last = frame.rtp_time - self.start
        self.file.write(len(frame.data).to_bytes(4, "little") + self.last.to_bytes(8, "little") + frame.data)
        self.frames += 1

    def close(self) -> None:
        self.file.close()


async def record(meeting: jmeet.Meeting, folder: Path) -> None:
    files: dict[str, OggOpus | Ivf] = {}
    try:
        async for frame in meeting.receive():
            file = files.get(frame.source_name)
            if file is None:
                # A source name is the endpoint's id and a suffix; as a file's name it is not to lead elsewhere.
                name = "".join(c if c.isalnum() or c == "-" else "_" for c in frame.source_name)
                audio = frame.codec == jmeet.Codec.OPUS
                file = files[frame.source_name] = OggOpus(folder / f"{name}.ogg") if audio else Ivf(folder / f"{name}.ivf")
                print("recording", frame.source_name, "of", frame.participant.display_name, flush=True)
            file.write(frame)
    finally:
        for file in files.values():
            file.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("room")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("."))
    parser.add_argument("--domain")
    parser.add_argument("--loopback", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    async with jmeet.join(
        options.url, room=options.room, name="Recorder", domain=options.domain, allow_loopback=options.loopback
    ) as meeting:
        recording = asyncio.create_task(record(meeting, options.folder))
        try:
            async for event in meeting:
                if isinstance(event, jmeet.ParticipantLeft) and not meeting.participants:
                    break
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
