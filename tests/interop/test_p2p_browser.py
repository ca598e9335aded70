"""Peer to peer between jmeet, as a C program, and lib-jitsi-meet in headless Chromium, both roles, on Prosody with our focus and on the testkit's
server: Chromium decodes our VP8 and hears our Opus, we get its frames whole, mutes are seen both ways, a third participant
ends the session and it starts again, each side hears the other leave."""
import sys, tempfile, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import ivf
from browser import Browser
from participant import Participant, c_program
from prosody import Rig
from testkit import Testkit

FIRST, LAST = "00000000", "ffffffff"    # the smaller endpoint id initiates


def decodes(stats):
    inbound = stats["inbound"]
    return inbound["video"].get("framesDecoded", 0) > 20 and inbound["audio"].get("totalAudioEnergy", 0) > 0


class Scenarios:
    def server(self):
        raise NotImplementedError

    def meet(self, role):
        with self.server() as server, Browser() as browser:
            page = browser.page("page")
            where = dict(domain=server.domain, room=f"p2p{role[0]}")
            page.join(url=server.url(), name="Page", media=["audio", "video"], **where)
            with Participant(server.url(), where["room"], domain=server.domain, name="Native", nickname=role,
                             program=c_program()) as native:
                native.expect("joined", id=role)
                native.expect("participant-joined", id=page.endpoint)
                page.expect("participant_joined", endpoint=role)
                native.expect("p2p", state="connected", id=page.endpoint)
                page.expect("p2p", active=True)
                page.until("decodes and hears us", decodes)
                names = (f"{page.endpoint}-a0", f"{page.endpoint}-v0")
                native.until("gets whole frames", lambda s: all(s.get(n, [0])[0] > 20 for n in names))

                native.command("say", "hello page")
                page.expect("message", endpoint=role, text="hello page")
                page.send("hello native")
                native.expect("message", text="hello native")
                self.frames_are_decodable(native)

                native.command("mute", "video")
                page.expect("track_muted", endpoint=role, kind="video", muted=True)
                native.command("unmute", "video")
                page.expect("track_muted", endpoint=role, kind="video", muted=False)
                page.mute("audio")
                native.expect("track", source=names[0], muted=True)
                page.mute("audio", False)
                native.expect("track", source=names[0], muted=False)

                with Participant(server.url(), where["room"], "--no-media", domain=server.domain, name="Third") as third:
                    third.expect("joined")
                    native.expect("p2p", state="ended")
                    page.expect("p2p", active=False)
                native.expect("participant-left")
                native.expect("p2p", state="connected", id=page.endpoint)
                page.expect("p2p", active=True)
                seen = page.stats()["inbound"]["video"].get("framesDecoded", 0)
                page.until("decodes again", lambda s: s["inbound"]["video"].get("framesDecoded", 0) > seen + 10)
                if role == FIRST:
                    native.command("leave")
                    page.expect("participant_left", endpoint=role)
                    native.expect("closed", error=None)
                else:
                    page.leave()
                    native.expect("participant-left", id=page.endpoint)

    def frames_are_decodable(self, native):
        """What we received is a video that an independent decoder takes without an error."""
        with tempfile.NamedTemporaryFile(suffix=".ivf") as file:
            before = sum(s[0] for n, s in native.stats().items() if "-v" in n)
            native.command("dump", file.name)
            native.until("dumped", lambda s: sum(v[0] for n, v in s.items() if "-v" in n) > before + 60)
            ivf.decodable(self, file.name)

    def test_we_initiate(self):
        self.meet(FIRST)

    def test_they_initiate(self):
        self.meet(LAST)


class OnProsody(Scenarios, unittest.TestCase):
    def server(self):
        return Rig()


class OnTheTestkit(Scenarios, unittest.TestCase):
    def server(self):
        return Testkit()


if __name__ == "__main__":
    unittest.main()
