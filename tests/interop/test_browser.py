"""lib-jitsi-meet in headless Chromium, without us: alone in a room, and two of it with P2P between them. What holds here is
what the rig can be trusted with: plain Prosody with our focus beside it, and the testkit's server."""
import sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from browser import Browser
from prosody import Rig
from testkit import Testkit


class Scenarios:
    """The same for both servers."""

    def server(self):
        raise NotImplementedError

    def test_it_joins_alone_becomes_moderator_and_leaves(self):
        with self.server() as server, Browser() as browser:
            page = browser.page()
            joined = page.join(url=server.url(), domain=server.domain, room="alone", name="Ada")
            self.assertRegex(joined["endpoint"], r"^[0-9a-f]{8}$")
            page.expect("role", endpoint=joined["endpoint"], role="moderator")
            self.assertEqual(page.participants(), [])
            page.leave()
            page.expect("left")

    def test_two_meet_talk_peer_to_peer_mute_and_part(self):
        with self.server() as server, Browser() as browser:
            a, b = browser.page("a"), browser.page("b")
            where = dict(url=server.url(), domain=server.domain, room="two", media=["audio", "video"])
            a.join(name="Ada", **where)
            a.expect("role", endpoint=a.endpoint, role="moderator")
            b.join(name="Ben", **where)
            a.expect("participant_joined", endpoint=b.endpoint)
            for page in (a, b):
                page.expect("p2p", active=True)
                page.until("decodes and hears", lambda s: s["inbound"]["video"].get("framesDecoded", 0) > 10
                           and s["inbound"]["audio"].get("totalAudioEnergy", 0) > 0)
            a.send("hello")
            b.expect("message", endpoint=a.endpoint, text="hello", delayed=False)
            b.send("psst", to=a.endpoint)
            a.expect("private_message", endpoint=b.endpoint, text="psst")
            a.mute("video")
            b.expect("track_muted", endpoint=a.endpoint, kind="video", muted=True)
            a.mute("video", False)
            b.expect("track_muted", endpoint=a.endpoint, kind="video", muted=False)
            a.call("muteParticipant", endpoint=b.endpoint, kind="audio")
            a.expect("track_muted", endpoint=b.endpoint, kind="audio", muted=True)
            b.leave()
            a.expect("participant_left", endpoint=b.endpoint)
            a.leave()


class OnProsody(Scenarios, unittest.TestCase):
    def server(self):
        return Rig()


class OnTestkit(Scenarios, unittest.TestCase):
    def server(self):
        return Testkit()

    def test_the_moderator_leaves_and_the_other_becomes_it(self):
        with self.server() as server, Browser() as browser:
            a, b = browser.page("a"), browser.page("b")
            where = dict(url=server.url(), domain=server.domain, room="next", media=[], p2p=False)
            a.join(**where)
            b.join(**where)
            a.leave()
            b.expect("role", endpoint=b.endpoint, role="moderator")
            self.assertEqual(server.endpoints("next"), [b.endpoint])

    def test_media_goes_through_a_bad_link_and_is_repaired(self):
        with self.server() as server, Browser() as browser:
            server.media_link(20, 10, 0.05)
            a, b = browser.page("a"), browser.page("b")
            where = dict(url=server.url(), domain=server.domain, room="lossy")
            a.join(**where)
            b.join(**where)
            for page in (a, b):
                page.expect("p2p", active=True)
                stats = page.until("decodes what was sent again", lambda s: s["inbound"]["video"].get("framesDecoded", 0) > 30
                                   and s["outbound"]["video"].get("retransmittedPacketsSent", 0) > 0)
                self.assertGreater(stats["selected"][0]["rtt"], 0.03)
            passed, dropped = server.media_counts()
            self.assertTrue(0.01 < dropped / (passed + dropped) < 0.12, (passed, dropped))

    def test_a_third_participant_ends_peer_to_peer_until_it_leaves(self):
        with self.server() as server, Browser() as browser:
            a, b, c = (browser.page(n) for n in "abc")
            where = dict(url=server.url(), domain=server.domain, room="three", media=["audio"])
            a.join(**where)
            b.join(**where)
            for page in (a, b):
                page.expect("p2p", active=True)
            c.join(**where)
            for page in (a, b):
                page.expect("p2p", active=False)
            c.leave()
            for page in (a, b):
                page.expect("p2p", active=True)

    def test_a_closed_tab_leaves_the_room(self):
        with self.server() as server, Browser() as browser:
            a, b = browser.page("a"), browser.page("b")
            where = dict(url=server.url(), domain=server.domain, room="tab", media=[], p2p=False)
            a.join(**where)
            b.join(**where)
            b.call("close")
            a.expect("participant_left", endpoint=b.endpoint)


if __name__ == "__main__":
    unittest.main()
