"""The Scribe: greets who says hello, speaks a file to them, and keeps what everybody says, one file each.

    python scribe.py wss://meet.example/xmpp-websocket standup hello.ogg [folder]

Leaves when it hears "bye". The files hold an eight-byte arrival time in microseconds, a four-byte size, and the Opus packet.
"""
import argparse
import asyncio
from pathlib import Path

import jmeet
from join import opus_packets


async def speak(microphone: jmeet.LocalTrack, packets: list[bytes]) -> None:
    for packet in packets:
        await microphone.write(packet)  # waits for the frame's due time


async def listen(meeting: jmeet.Meeting, folder: Path) -> None:
    async for frame in meeting.hear():  # everybody, one stream, each frame says whose
        with open(folder / f"{frame.participant.id}.opus-packets", "ab") as archive:
            archive.write(int(frame.time * 1e6).to_bytes(8, "little") + len(frame.data).to_bytes(4, "little") + frame.data)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("room")
    parser.add_argument("hello", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("."))
    parser.add_argument("--domain")
    parser.add_argument("--loopback", action="store_true")
    options = parser.parse_args()
    packets = list(opus_packets(options.hello.read_bytes()))
    tasks: set[asyncio.Task[None]] = set()
    async with jmeet.join(
        options.url, room=options.room, name="Scribe", domain=options.domain, allow_loopback=options.loopback
    ) as meeting:
        microphone = await meeting.send_audio(label="mic")
        tasks.add(asyncio.create_task(listen(meeting, options.folder)))
        try:
            async for event in meeting:
                match event:
                    case jmeet.Message(sender=who, text="hello", delayed=False):
                        await meeting.say(f"hello {who.display_name}")
                        tasks.add(asyncio.create_task(speak(microphone, packets)))
                    case jmeet.Message(text="bye", delayed=False):
                        break
                    case jmeet.ParticipantLeft(participant=who):
                        print(who.display_name, "left", flush=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
