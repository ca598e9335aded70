"""How many round trips lie between connect and joined on a real Prosody, over ws and wss. They are counted by what was sent after
what had come, which no slow machine changes; the slope of the time over the length of the way is printed beside it."""
import sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from browser import Browser
from participant import Participant
from prosody import Rig
from slow import Slow

NEAR, FAR = 50, 200     # ms


class RoundTrips(unittest.TestCase):
    def count(self, what, measure, tls=False):
        """The round trips on the far way, in the best of three."""
        with Rig() as rig:
            ca, times, trips = rig.values()["ca"], {}, []
            for rtt in (NEAR, FAR):
                times[rtt] = []
                for n in range(3):
                    with Slow(rig.https_port if tls else rig.http_port, rtt) as slow:
                        url = f"{'wss' if tls else 'ws'}://localhost:{slow.port}/xmpp-websocket"
                        times[rtt].append(measure(slow, url, rig.domain, f"trips{rtt}x{n}", ca))
                        if rtt == FAR:
                            trips.append(self.trips)
        slope = (min(times[FAR]) - min(times[NEAR])) / (FAR - NEAR)
        print(f"round trips from connect to joined, {what}: {min(trips):g} (by the slope of the time {slope:.2f})", flush=True)
        return min(trips)

    def ours(self, slow, url, domain, room, ca):
        with Participant(url, room, "--no-media", "--ca", ca, domain=domain) as p:
            p.expect("joined")
            self.trips = slow.trips
            start = p.expect("timeline", stage="Start")["us"]
            return (p.expect("timeline", stage="Joined")["us"] - start) / 1000

    def theirs(self, slow, url, domain, room, _):
        with Browser() as browser:
            page = browser.page()
            took = page.join(url=f"{url}?room={room}", domain=domain, room=room, name="Page")["ms"]
            self.trips = slow.trips
            return took

    def test_connect_to_joined_takes_six(self):
        self.assertEqual(self.count("ws", self.ours), 6)

    def test_tls_costs_one_more(self):
        self.assertEqual(self.count("wss", self.ours, tls=True), 7)

    def test_the_same_way_for_lib_jitsi_meet(self):
        self.assertGreater(self.count("lib-jitsi-meet in Chromium", self.theirs), 6)


if __name__ == "__main__":
    unittest.main()
