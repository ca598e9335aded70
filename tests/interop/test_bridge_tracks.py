"""Tracks that come and go in a meeting through the bridge: two pages with lib-jitsi-meet and two participants of ours. A page takes its microphone
and its camera out and puts them back, and shows a screen in the camera's place; one of ours does the same and shows a screen beside its camera; one
of ours leaves and comes back under its name. Each time the others see and decode what is there.

With SSRC rewriting the focus signals nothing, and a page of 2022 names in its presence for ever what it once had: then ours see that nothing comes,
and that it comes again. Where the focus signals, they are told."""
import unittest

from bridged import Meeting, frames_are_decodable, on_prosody, on_the_testkit, sources

# What a page shows on its highest layer alone fits no link that a busy machine takes for a full one.
ENDLESS = ["--no-estimate"]


class Tracks(unittest.TestCase):
    def page_removes(self, m, page, kind, others):
        source = f"{page.endpoint}-{kind[0]}0"
        m.skip()
        page.remove(kind)
        for other in others:
            other.expect("track_removed", source=source)
        for native in m.natives:
            if self.signalled:
                native.expect("track-removed", source=source)
            native.stops("hears no more of it", source)

    def page_adds(self, m, page, kind, others, desktop=None):
        source = f"{page.endpoint}-{'a' if kind == 'audio' else 'v'}0"
        m.skip()
        page.add(kind)
        for native in m.natives:
            if self.signalled:
                native.expect("track-added", source=source)
            if desktop is not None:
                native.expect("track", source=source, desktop=desktop)
            native.receives("gets it again", [source])
        for other in others:
            other.expect("track_added", source=source)
            other.receives("decodes it again", [source])

    def a_page(self, m):
        page, other, _, in_rust = *m.pages, *m.natives
        self.page_removes(m, page, "audio", [other])
        self.page_adds(m, page, "audio", [other])
        self.page_removes(m, page, "video", [other])
        self.page_adds(m, page, "video", [other])
        frames_are_decodable(self, in_rust, f"{page.endpoint}-v0")
        self.page_removes(m, page, "video", [other])
        self.page_adds(m, page, "desktop", [other], desktop=True)
        frames_are_decodable(self, in_rust, f"{page.endpoint}-v0")
        self.page_removes(m, page, "video", [other])
        self.page_adds(m, page, "video", [other], desktop=False)
        m.all_decode_all()

    def comes(self, m, native, order, source, others):
        m.skip()
        native.command(*order)
        for page in m.pages:
            page.expect("track_added", source=source)
            page.receives("decodes it", [source])
        for other in others:
            other.expect("track-added", source=source)
            other.receives("gets it", [source])
            frames_are_decodable(self, other, source)

    def goes(self, m, native, order, source, others):
        m.skip()
        native.command(*order)
        for page in m.pages:
            page.expect("track_removed", source=source)
        for other in others:
            other.expect("track-removed", source=source)
            other.stops("gets no more of it", source)

    def ours(self, m):
        for native, other in (m.natives, m.natives[::-1]):
            camera, screen = (f"{native.endpoint}-v{n}" for n in (0, 1))
            self.goes(m, native, ["camera off"], camera, [other])
            self.comes(m, native, ["camera on"], camera, [other])
            self.comes(m, native, ["share"], screen, [other])
            for page in m.pages:
                page.receives("decodes the camera beside it", [camera])
            self.goes(m, native, ["unshare"], screen, [other])
        m.all_decode_all()

    def come_and_go(self, server, signalled):
        self.signalled = signalled
        with server as s, Meeting(s, "tracks") as m:
            m.four()
            m.all_decode_all(5)
            self.a_page(m)
            self.ours(m)
            m.no_page_failed(self)

    def test_on_prosody(self):
        self.come_and_go(on_prosody(*ENDLESS), False)

    def test_on_the_testkit_with_signalled_sources(self):
        self.come_and_go(on_the_testkit("--no-rewriting", *ENDLESS), True)

    def come_back(self, server):
        with server as s, Meeting(s, "back") as m:
            m.four()
            m.all_decode_all(5)
            for _ in range(2):
                m.skip()
                leaving = m.natives.pop()
                leaving.command("leave")
                leaving.expect("closed", error=None)
                for page in m.pages:
                    page.expect("participant_left", endpoint=leaving.endpoint)
                back = m.native(leaving.endpoint)
                for page in m.pages:
                    for source in sources(back.endpoint):
                        page.expect("track_added", source=source)
                m.all_decode_all()
            frames_are_decodable(self, m.natives[0], f"{back.endpoint}-v0")
            m.no_page_failed(self)

    def test_back_under_ones_name_on_prosody(self):
        self.come_back(on_prosody(*ENDLESS))

    def test_back_under_ones_name_on_the_testkit_with_signalled_sources(self):
        self.come_back(on_the_testkit("--no-rewriting", *ENDLESS))


if __name__ == "__main__":
    unittest.main()
