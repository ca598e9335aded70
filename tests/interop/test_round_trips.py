"""How many round trips lie between connect and joined: the slope of the time over the length of the way, on a real Prosody, over ws
and wss. What is asserted is a count; the machine's speed only adds the same to both ends of the slope."""
import sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from browser import Browser
from participant import Participant
from prosody import Rig
from slow import Slow

NEAR, FAR = 50, 200     # ms


class RoundTrips(unittest.TestCase):
    def slope(self, measure, tls=False):
        with Rig() as rig:
            ca, times = rig.values()["ca"], {}
            for rtt in (NEAR, FAR):
                with Slow(rig.https_port if tls else rig.http_port, rtt) as slow:
                    url = f"{'wss' if tls else 'ws'}://localhost:{slow.port}/xmpp-websocket"
                    times[rtt] = min(measure(url, rig.domain, f"trips{rtt}x{n}", ca) for n in range(3))
            return (times[FAR] - times[NEAR]) / (FAR - NEAR)

    def ours(self, url, domain, room, ca):
        with Participant(url, room, "--no-media", "--ca", ca, domain=domain) as p:
            start = p.expect("timeline", stage="Start")["us"]
            return (p.expect("timeline", stage="Joined")["us"] - start) / 1000

    def theirs(self, url, domain, room, _):
        with Browser() as browser:
            page = browser.page()
            return page.join(url=f"{url}?room={room}", domain=domain, room=room, name="Page")["ms"]

    def test_connect_to_joined_takes_six(self):
        ours = self.slope(self.ours)
        print(f"round trips from connect to joined: {ours:.2f}", flush=True)
        self.assertLess(ours, 6.5)

    def test_tls_costs_one_more(self):
        ours = self.slope(self.ours, tls=True)
        print(f"round trips from connect to joined over wss: {ours:.2f}", flush=True)
        self.assertTrue(6.5 < ours < 7.5, ours)

    def test_the_same_way_for_lib_jitsi_meet(self):
        theirs = self.slope(self.theirs)
        print(f"round trips from connect to joined, lib-jitsi-meet in Chromium: {theirs:.2f}", flush=True)
        self.assertGreater(theirs, 6)


if __name__ == "__main__":
    unittest.main()
