"""Two participants meet on the testkit's server."""
import asyncio
import gc
import logging
import os
import queue
import threading
import unittest
from pathlib import Path

import jmeet
from server import MEDIA, Server, ivf_frames
from jmeet._media import opus_seconds

SILENCE = bytes([0xFC, 0xFF, 0xFE])
PATIENCE = 30


def setUpModule():
    global server
    server = Server().__enter__()
    unittest.addModuleCleanup(server.__exit__)


def meet(room, name, **options):
    return jmeet.join(server.url, room=room, name=name, domain=server.domain, allow_loopback=True, **options)


async def until(meeting, kind, **fields):
    async with asyncio.timeout(PATIENCE):
        async for event in meeting:
            if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                return event
    raise AssertionError(f"no {kind}")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def threads():
    """Those of the library."""
    names = [Path(f"/proc/self/task/{t}/comm").read_text() for t in os.listdir("/proc/self/task")]
    return sum(n.startswith("jmeet-") for n in names)


class Shared(unittest.IsolatedAsyncioTestCase):
    async def test_meetings_on_one_runtime_have_no_threads_of_their_own(self):
        with jmeet.Runtime(1) as runtime:
            async with meet("shared", "Alice", runtime=runtime) as alice:
                # Those of tests before may be ending still.
                with_one = threads()
                self.assertTrue(with_one)
                async with meet("shared", "Bob", runtime=runtime) as bob:
                    self.assertLessEqual(threads(), with_one)
                    await bob.say("hello")
                    self.assertEqual((await until(alice, jmeet.Message)).text, "hello")
                    with self.assertRaises(jmeet.Error) as refused:
                        runtime.close()
                    self.assertEqual(refused.exception.code, jmeet.Status.IN_USE)
        runtime.close()
        with self.assertRaises(jmeet.Error) as refused:
            async with meet("shared", "Alice", runtime=runtime):
                self.fail("joined without threads")
        self.assertEqual(refused.exception.code, jmeet.Status.CLOSED)
        with self.assertRaises(jmeet.Error):
            jmeet.Runtime(65)

    async def test_what_the_library_does_is_heard_by_a_logger(self):
        heard = queue.SimpleQueue()

        class Handler(logging.Handler):
            def emit(self, record):
                heard.put((record.levelno, record.getMessage(), threading.current_thread().name))

        logger, handler = logging.getLogger("jmeet.test"), Handler()
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        jmeet.log_to(logger, logging.DEBUG)
        self.addCleanup(jmeet.log_to, None)
        async with meet("logged", "Alice"):
            level, text, thread = await asyncio.to_thread(heard.get, timeout=PATIENCE)
        self.assertTrue(level >= logging.DEBUG and text and thread == "jmeet-log", (level, text, thread))
        # Nothing comes once it is over.
        jmeet.log_to(None)
        while not heard.empty():
            heard.get()
        async with meet("logged", "Alice"):
            pass
        self.assertTrue(heard.empty())


class Meetings(unittest.IsolatedAsyncioTestCase):
    async def test_chat_goes_both_ways_and_leaving_is_seen(self):
        async with meet("chat", "Alice") as alice:
            async with meet("chat", "Bob") as bob:
                self.assertEqual([p.display_name for p in bob.participants], ["Alice"])
                joined = await until(alice, jmeet.ParticipantJoined)
                self.assertEqual((joined.participant.display_name, joined.participant.id), ("Bob", bob.endpoint_id))
                await bob.say("hello")
                match await until(alice, jmeet.Message):
                    case jmeet.Message(sender=who, text="hello", private=False, delayed=False):
                        self.assertEqual(who, joined.participant)
                    case other:
                        self.fail(other)
                await alice.say("psst", to=joined.participant)
                said = await until(bob, jmeet.Message)
                self.assertEqual((said.text, said.private, said.sender.display_name), ("psst", True, "Alice"))
                await bob.set_display_name("Robert")
                changed = await until(alice, jmeet.ParticipantUpdated)
                self.assertEqual(changed.participant.display_name, "Robert")
                self.assertIn(jmeet.TimelineStage.JOINED, bob.timeline())
            left = await until(alice, jmeet.ParticipantLeft)
            self.assertEqual(left.participant, joined.participant)
            self.assertEqual(alice.participants, [])

    async def test_opus_and_vp8_arrive_whole_and_mute_is_seen(self):
        async with meet("media", "Alice") as alice, meet("media", "Bob") as bob:
            microphone, camera = await alice.send_audio(label="mic"), await alice.send_video()
            frames = list(ivf_frames())
            hearing, watching = bob.hear(), bob.watch()

            async def speak():
                while True:
                    await microphone.write(SILENCE, audio_level=20)

            async def show():
                while True:
                    for frame in frames:
                        await camera.write(frame, duration=1 / 15)

            tasks = [asyncio.create_task(speak()), asyncio.create_task(show())]
            try:
                async with asyncio.timeout(PATIENCE):
                    heard, seen = await anext(hearing), await anext(watching)
                    while not seen.key_frame:
                        seen = await anext(watching)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            self.assertEqual((heard.data, heard.codec, heard.audio_level), (SILENCE, jmeet.Codec.OPUS, 20))
            self.assertEqual((heard.participant.display_name, heard.participant.id), ("Alice", alice.endpoint_id))
            self.assertIn(heard.track_key, [t.key for t in bob.tracks if not t.local])
            self.assertEqual(bob.ignored().unknown_frames, 0)
            self.assertIn(seen.data, frames)
            self.assertEqual((seen.codec, seen.size), (jmeet.Codec.VP8, (320, 180)))
            self.assertLessEqual(heard.time, jmeet.now())
            ours = [t for t in alice.stats().tracks if t.local and t.media == jmeet.Media.VIDEO]
            self.assertTrue(ours and ours[0].frames > 0 and ours[0].size == (320, 180), ours)
            theirs = [t for t in bob.stats().tracks if not t.local and t.track_key == heard.track_key]
            self.assertTrue(theirs and theirs[0].packets > 0 and theirs[0].codec == jmeet.Codec.OPUS, theirs)
            camera.set_limited(True, 90)
            camera.set_limited(False)
            written = camera.stats()
            self.assertEqual((written.path, written.codec), (jmeet.MediaPath.PEER_TO_PEER, jmeet.Codec.VP8))
            self.assertTrue(written.taken >= written.frames > 0 and written.packets >= written.frames, written)
            self.assertGreater(written.target_bits_per_second, 0)
            self.assertIn(jmeet.Codec.VP8, [t.codec for t in bob.tracks if t.source_name == seen.source_name])
            self.assertEqual(ours[0].source_name, alice.endpoint_id + "-v0")
            await microphone.mute()
            self.assertFalse(await microphone.write(SILENCE))
            while not (await until(bob, jmeet.TrackUpdated)).track.muted:
                pass
            camera.remove()
            with self.assertRaises(jmeet.Error):
                await camera.write(frames[0], duration=1 / 15)
            # Peers do not signal that a source is gone: it stays, muted, and the session with it.
            while (t := (await until(bob, jmeet.TrackUpdated)).track).source_name != seen.source_name or not t.muted:
                pass

    async def test_a_moderator_mutes_and_who_was_muted_asks_to_be_heard(self):
        async with meet("moderated", "Alice") as alice, meet("moderated", "Bob") as bob:
            microphone = await bob.send_audio()
            await until(alice, jmeet.ParticipantJoined)
            await alice.mute_participant(alice.participants[0], jmeet.MuteKind.AUDIO)
            async with asyncio.timeout(PATIENCE):
                by = await until(bob, jmeet.MutedBy)
                self.assertEqual((by.participant.id, by.kind), (alice.endpoint_id, jmeet.MuteKind.AUDIO))
                self.assertTrue(next(t for t in bob.tracks if t.key == microphone.key).muted)
                await microphone.unmute()
            with self.assertRaises(jmeet.Error) as caught:
                await bob.mute_participant(bob.participants[0])
            self.assertEqual(caught.exception.code, jmeet.Status.NOT_ALLOWED)
            with self.assertRaises(jmeet.Error) as caught:
                bob.participant_stats(bob.participants[0])
            self.assertEqual(caught.exception.code, jmeet.Status.NOT_READY)

    async def test_a_dead_port_and_a_cut_are_typed_errors(self):
        with self.assertRaises(jmeet.Error) as caught:
            async with jmeet.join("ws://127.0.0.1:1/x", room="r", join_timeout=5):
                pass
        self.assertEqual((caught.exception.code, caught.exception.stage), (jmeet.Status.CONNECT, jmeet.Stage.CONNECT))
        with self.assertRaises(jmeet.Error) as caught:
            async with meet("cut", "Alice") as alice:
                server.command("cut", alice.endpoint_id)
                async with asyncio.timeout(PATIENCE):
                    async for _ in alice:
                        pass
        self.assertEqual(caught.exception.code, jmeet.Status.DISCONNECTED)

    async def test_bad_options_are_typed_errors(self):
        with self.assertRaises(jmeet.Error) as caught:
            async with jmeet.join("http://127.0.0.1/", room="r"):
                pass
        self.assertEqual(caught.exception.code, jmeet.Status.OPTIONS)
        with self.assertRaises(ValueError):
            jmeet.join("ws://127.0.0.1:1/x", room="a\0b")

    async def test_cancelling_never_leaks(self):
        async def wait_in(meeting, how):
            async with meeting:
                async for _ in (meeting if how == "events" else meeting.hear()):
                    pass

        async with meet("cancel", "Warm-up"):
            pass
        before = descriptors()
        for how in ("events", "frames"):
            for delay in (0, 0.001, 0.01, 0.3):
                task = asyncio.create_task(wait_in(meet("cancel", "Alice"), how))
                await asyncio.sleep(delay)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
        async with asyncio.timeout(PATIENCE):
            while descriptors() > before or server.command("endpoints", "cancel"):
                gc.collect()
                await asyncio.sleep(0.05)

    async def test_leaving_ends_the_iterations_of_other_tasks(self):
        async def all_of(things):
            return [thing async for thing in things]

        async with meet("end", "Alice") as alice:
            tasks = [asyncio.create_task(all_of(alice)), asyncio.create_task(all_of(alice.hear()))]
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*tasks)

    async def test_events_that_nobody_takes_stay_few_and_requests_are_answered(self):
        async with meet("many", "Alice") as alice, meet("many", "Bob") as bob:
            await until(alice, jmeet.ParticipantJoined)
            for n in range(400):
                await bob.say(str(n))
            await alice.say("here")
            heard = [await until(alice, jmeet.Message) for _ in range(400)]
            self.assertEqual([m.text for m in heard], [str(n) for n in range(400)])


class Opus(unittest.TestCase):
    def test_durations_follow_the_first_bytes(self):
        for packet, ms in [(b"\xfc", 20), (b"\x00", 10), (b"\x18", 60), (b"\xf9", 40), (b"\xfb\x03", 60), (b"\x80", 2.5)]:
            self.assertAlmostEqual(opus_seconds(packet) * 1000, ms)
        for packet in (b"", b"\xfb"):
            with self.assertRaises(ValueError):
                opus_seconds(packet)


if __name__ == "__main__":
    unittest.main()
