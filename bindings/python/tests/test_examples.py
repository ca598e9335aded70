"""The Python examples work against the testkit's server."""
import asyncio
import sys
import tempfile
import unittest
from pathlib import Path

import jmeet
from server import MEDIA, Server
from test_meeting import PATIENCE, SILENCE

EXAMPLES = Path(__file__).resolve().parents[3] / "examples/python"
AUDIO = str(MEDIA / "audio.ogg")


class Examples(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.server = self.enterContext(Server())

    async def start(self, program, *arguments):
        return await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLES / program), self.server.url, "examples", *arguments, "--domain", self.server.domain,
            "--loopback", stdout=asyncio.subprocess.PIPE)

    def meet(self):
        return jmeet.join(self.server.url, room="examples", name="Alice", domain=self.server.domain, allow_loopback=True)

    async def test_join_sends_its_file_and_counts_what_it_hears(self):
        async with asyncio.timeout(PATIENCE), self.meet() as alice:
            join = await self.start("join.py", AUDIO)
            microphone = await alice.send_audio()
            frames = 0

            async def hear():
                nonlocal frames
                async for frame in alice.hear():
                    frames += 1

            async def speak():
                while True:
                    await microphone.write(SILENCE)

            tasks = [asyncio.create_task(hear()), asyncio.create_task(speak())]
            output = (await join.communicate())[0].decode()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.assertEqual(join.returncode, 0)
            self.assertIn("Alice is here", output)
            self.assertIn("sent 201 packets", output)
            self.assertRegex(output, r"heard \d+ OPUS frames of Alice")
            self.assertGreater(frames, 150)

    async def test_the_scribe_greets_speaks_and_keeps_what_was_said(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        async with asyncio.timeout(PATIENCE), self.meet() as alice:
            scribe = await self.start("scribe.py", AUDIO, folder)
            microphone, hearing = await alice.send_audio(), alice.hear()
            async for event in alice:
                if isinstance(event, jmeet.TrackAdded) and not event.track.local:
                    break
            await alice.say("hello")
            async for event in alice:
                if isinstance(event, jmeet.Message):
                    self.assertEqual(event.text, "hello Alice")
                    break
            heard = asyncio.create_task(anext(hearing))
            kept = Path(folder) / f"{alice.endpoint_id}.opus-packets"
            while not heard.done() or not kept.exists():
                await microphone.write(SILENCE)
            self.assertEqual((await heard).participant.display_name, "Scribe")
            await alice.say("bye")
            self.assertEqual(await scribe.wait(), 0)
            self.assertEqual(kept.read_bytes()[8:15], len(SILENCE).to_bytes(4, "little") + SILENCE)
