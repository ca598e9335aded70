"""Joins a meeting, prints its events, sends an Ogg Opus file, and counts what each participant sends.

    python join.py wss://meet.example/xmpp-websocket standup [file.ogg]

Leaves when the file has been sent to somebody, or with Ctrl-C. `--domain NAME` and `--loopback` are for test servers.
"""
import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator

import jmeet


def opus_packets(data: bytes) -> Iterator[bytes]:
    """The packets of an Ogg Opus file (RFC 3533 §6, RFC 7845): pages hold segments, a segment below 255 bytes ends a packet."""
    at, packet, headers = 0, b"", 2
    while at < len(data):
        if data[at:at + 4] != b"OggS" or at + 27 > len(data):
            raise ValueError("not an Ogg file")
        segments = data[at + 27:at + 27 + data[at + 26]]
        at += 27 + len(segments)
        for size in segments:
            packet += data[at:at + size]
            at += size
            if size < 255:
                if headers:
                    headers -= 1  # OpusHead and OpusTags
                else:
                    yield packet
                packet = b""


async def count(meeting: jmeet.Meeting, heard: Counter[tuple[str, str]]) -> None:
    async for frame in meeting.receive():
        heard[frame.participant.display_name or frame.participant.id, frame.codec.name] += 1


async def show(meeting: jmeet.Meeting) -> None:
    async for event in meeting:
        match event:
            case jmeet.Message(sender=who, text=text):
                print(f"{who.display_name}: {text}", flush=True)
            case jmeet.ParticipantJoined(participant=who):
                print(f"{who.display_name or who.id} is here", flush=True)
            case jmeet.ParticipantLeft(participant=who):
                print(f"{who.display_name or who.id} left", flush=True)
            case jmeet.Timeline() | jmeet.Bandwidth():
                pass
            case other:
                print(other, flush=True)


async def send(meeting: jmeet.Meeting, path: str) -> None:
    with open(path, "rb") as file:
        packets = list(opus_packets(file.read()))
    microphone, sent = await meeting.send_audio(), 0
    for packet in packets:
        # False: nobody took it. The file begins when somebody receives.
        while not (taken := await microphone.write(packet)) and not sent:
            pass
        sent += taken
    print(f"sent {sent} packets", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("room")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--domain")
    parser.add_argument("--loopback", action="store_true")
    options = parser.parse_args()
    heard: Counter[tuple[str, str]] = Counter()
    async with jmeet.join(
        options.url, room=options.room, name="Python", domain=options.domain, allow_loopback=options.loopback
    ) as meeting:
        tasks = [asyncio.create_task(count(meeting, heard))]
        showing = asyncio.create_task(show(meeting))
        try:
            await (send(meeting, options.file) if options.file else showing)
        finally:
            for task in [*tasks, showing]:
                task.cancel()
            await asyncio.gather(*tasks, showing, return_exceptions=True)
    for (name, codec), frames in sorted(heard.items()):
        print(f"heard {frames} {codec} frames of {name}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
