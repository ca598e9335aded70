"""How long it takes from the focus's session-initiate to the first picture that the other side decodes, through the bridge on a real Prosody: a
participant of ours and one on lib-jitsi-meet join a meeting in turns, and somebody who is there all the time watches both: first one of ours, whose
frames ffmpeg decodes, then a page, whose renegotiation is then most of the time. Times are taken where the lines of the programs and the decoded
pictures arrive; they are printed and not judged. JMEET_RUNS says how often (5)."""
import contextlib, os, statistics, subprocess, tempfile, threading, time, unittest
from pathlib import Path

from bridged import Meeting, on_prosody

RUNS = int(os.environ.get("JMEET_RUNS", "5"))
TIMEOUT = 60


class Decoder:
    """Decodes what one of ours receives of one source; `first` is when the first picture came out."""

    def __init__(self, native, source):
        self.folder = tempfile.TemporaryDirectory()
        pipe = Path(self.folder.name) / "video"
        os.mkfifo(pipe)
        self.ffmpeg = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-probesize", "32", "-analyzeduration", "0", "-threads", "1", "-f", "ivf", "-i", "pipe:0",
             "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.at, self.decoded = None, threading.Event()
        # This one ends when the participant begins another file.
        threading.Thread(target=self._feed, args=(pipe,), daemon=True).start()
        self.reads = threading.Thread(target=self._read, daemon=True)
        self.reads.start()
        native.command("dump", str(pipe), source)

    def _feed(self, pipe):
        """ffmpeg gives out a picture when the next one is there, and how long that takes is the sender's frame rate: the first one is
        its own next one."""
        with open(pipe, "rb") as ivf, contextlib.suppress(BrokenPipeError, ValueError):
            head, size = ivf.read(32), ivf.read(12)
            first = size + ivf.read(int.from_bytes(size[:4], "little"))
            self.ffmpeg.stdin.write(head + first + first)
            self.ffmpeg.stdin.flush()
            while part := ivf.read1(65536):
                self.ffmpeg.stdin.write(part)

    def _read(self):
        if self.ffmpeg.stdout.read(1):
            self.at = time.monotonic()
        self.decoded.set()
        while self.ffmpeg.stdout.read(65536):
            pass

    def first(self):
        self.decoded.wait(TIMEOUT)
        return self.at

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ffmpeg.kill()
        self.ffmpeg.wait()
        self.reads.join()
        self.ffmpeg.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.ffmpeg.stdin.close()
        self.folder.cleanup()


class Page:
    """The same of a page, which tells it."""

    def __init__(self, page, source):
        self.page, self.source = page, source

    def first(self):
        return self.page.expect("first_frame", source=self.source)["at"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class FirstFrame(unittest.TestCase):
    def ours(self, m, watcher, watch, number):
        nickname = f"0000{number:04x}"
        with watch(watcher, f"{nickname}-v0") as watching:
            native = m.native(nickname)
            invited = native.expect("timeline", stage="SessionInitiate")["at"]
            shown = watching.first()
            self.assertIsNotNone(shown, "a picture of ours was decoded")
        native.command("leave")
        native.expect("closed", error=None)
        return (shown - invited) * 1000

    def theirs(self, m, watcher, watch):
        page = m.page("ada")
        with watch(watcher, f"{page.endpoint}-v0") as watching:
            invited = page.expect("session_initiate")["at"]
            shown = watching.first()
            self.assertIsNotNone(shown, "a picture of lib-jitsi-meet was decoded")
        page.leave()
        return (shown - invited) * 1000

    def measure(self, m, who, watcher, watch, left):
        ours, theirs = [], []
        for n in range(RUNS):
            ours.append(self.ours(m, watcher, watch, n))
            left(watcher, f"0000{n:04x}")
            theirs.append(self.theirs(m, watcher, watch))
            left(watcher, m.pages[-1].endpoint)
        for sender, times in (("ours", ours), ("lib-jitsi-meet in Chromium", theirs)):
            print(f"session-initiate to first picture decoded by {who}, {sender}: median {statistics.median(times):.0f} ms of "
                  f"{RUNS} ({min(times):.0f} to {max(times):.0f})", flush=True)
        print(f"ours over lib-jitsi-meet's: {statistics.median(ours) / statistics.median(theirs):.2f}", flush=True)
        # Printed, not judged: how long it takes is the machine's matter.
        self.assertEqual((len(ours), len(theirs)), (RUNS, RUNS))

    def test_one_of_ours_watches(self):
        with on_prosody() as server, Meeting(server, "first") as m:
            watcher = m.native("77777777")
            # Keeps the watcher's session alive between the runs.
            m.native("77777778")
            watcher.receives("is on the bridge", ["77777778-v0"])
            self.measure(m, "one of ours", watcher, Decoder, lambda w, endpoint: w.expect("participant-left", id=endpoint))

    def test_a_page_watches(self):
        with on_prosody() as server, Meeting(server, "first") as m:
            watcher = m.page("grace")
            m.native("77777777")
            watcher.receives("is on the bridge", ["77777777-v0"])
            self.measure(m, "a page", watcher, Page, lambda w, endpoint: w.expect("participant_left", endpoint=endpoint))


if __name__ == "__main__":
    unittest.main()
