"""A meeting through the bridge, for the tests: pages with lib-jitsi-meet in Chromium, participants of ours, on Prosody with our focus and the
bridge beside it, or wholly on the testkit."""
import contextlib, sys, tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import ivf
from browser import Browser
from participant import Participant, c_program
from prosody import Rig
from testkit import Testkit


def sources(*endpoints):
    """The microphones and cameras of these."""
    return [f"{e}-{kind}" for e in endpoints for kind in ("a0", "v0")]


class Meeting:
    """`with Meeting(server, "room") as m: m.page("a"); m.native("0000000a")`. `p2p`: whether two of them talk peer to peer."""

    def __init__(self, server, room, p2p=False):
        self.server, self.room, self.p2p = server, room, p2p
        self.pages, self.natives = [], []

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        try:
            self.browser = self.stack.enter_context(Browser())
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *why):
        if why[0] is not None:
            for who in (*self.pages, *self.natives):
                print(f"\n{who.endpoint} saw", *(e for e in who.seen if e["event"] not in ("stats", "timeline")), sep="\n  ", file=sys.stderr)
            self.show_senders()
        return self.stack.__exit__(*why)

    def show_senders(self):
        """What the pages sent: what does not come somewhere may never have left."""
        for page in self.pages:
            try:
                stats = page.call("stats", timeout=5)
                print(f"\n{page.endpoint} sends", stats["senders"], stats["outbound"], sep="\n  ", file=sys.stderr)
            except Exception as e:
                print(f"\n{page.endpoint} sends: {e}", file=sys.stderr)

    def page(self, name, **options):
        page = self.browser.page(name)
        page.join(url=self.server.url(), domain=self.server.domain, room=self.room, name=name, media=["audio", "video"], p2p=self.p2p,
                  **options)
        self.pages.append(page)
        return page

    def native(self, nickname, program=None):
        """One of ours; with `program=c_program()` through the C ABI."""
        flags = [] if self.p2p else ["--no-p2p"]
        native = Participant(self.server.url(), self.room, *flags, domain=self.server.domain, name=nickname, nickname=nickname,
                             program=program)
        self.stack.enter_context(native)
        native.expect("joined", id=nickname)
        self.natives.append(native)
        return native

    def four(self):
        """Two pages, a program in C and one in Rust."""
        return self.page("ada"), self.page("grace"), self.native("00000001", c_program()), self.native("00000002")

    def skip(self):
        """Nobody expects any more what came so far."""
        for who in (*self.pages, *self.natives):
            who.skip()

    def no_page_failed(self, test):
        """No page was refused a description by its browser."""
        for page in self.pages:
            said = [e["text"] for e in page.seen if e["event"] in ("page_error", "console_error")]
            test.assertEqual([t for t in said if "Description" in t or "Duplicate" in t], [], page.name)

    def everybody(self):
        return [p.endpoint for p in (*self.pages, *self.natives)]

    def all_decode_all(self, frames=20):
        """Each page decodes the sound and the pictures of all others, and each of ours gets their frames whole."""
        for page in self.pages:
            page.receives("decodes everybody", sources(*(e for e in self.everybody() if e != page.endpoint)), more=frames)
        for native in self.natives:
            native.receives("gets everybody's frames", sources(*(e for e in self.everybody() if e != native.endpoint)), frames)


def frames_are_decodable(test, native, source):
    """What one of ours received of a video is one that an independent decoder takes without an error."""
    with tempfile.NamedTemporaryFile(suffix=".ivf") as file:
        for _ in range(5):
            native.command("dump", file.name, source)
            native.receives("dumps", [source], 30)
            # A bridge passes on a few requests for key frames in ten seconds and no more.
            if Path(file.name).stat().st_size:
                break
        test.assertGreater(Path(file.name).stat().st_size, 32, "a key frame came")
        ivf.decodable(test, file.name)


def on_prosody(*options):
    """Prosody with our focus and the bridge. lib-jitsi-meet of 2022 has keys in its constraints that today's bridge refuses."""
    return Rig(bridge=["--bridge", "2", "--old-constraints", *options])


def on_the_testkit(*options):
    """The same wholly in one process of ours."""
    return Testkit("--bridge", "2", "--old-constraints", *options)
