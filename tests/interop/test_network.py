"""The network that tests are put into: a link that delays and loses as asked, and a router that masquerades."""
import subprocess, sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from netns import Net
from prosody import die_with_parent
from turn import Turn

ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 4000)); print("up", flush=True)
while True: s.sendto(*s.recvfrom(2048))
"""
ASK = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((sys.argv[1], 4000)); s.settimeout(1)
got = 0; trips = []
for i in range(400):
    s.send(str(i).encode() + b" " + str(time.monotonic()).encode()); time.sleep(0.002)
try:
    while True:
        trips.append(time.monotonic() - float(s.recv(2048).split()[1])); got += 1
        s.settimeout(1)
except TimeoutError:
    pass
print(got, min(trips))
"""
REFLEXIVE = """
import sys
sys.path.insert(0, sys.argv[1])
from turn import Turn
t = Turn(address=sys.argv[2], port=int(sys.argv[3]))
print(t.reflexive(timeout=2)[0])
"""


class Network(unittest.TestCase):
    def test_a_bad_link_delays_and_loses_as_asked(self):
        with Net() as net:
            a, b = net.host("a"), net.host("b")
            net.bad_link(a, "10.78.0.1", b, "10.78.0.2", delay_ms=40, loss=0.1)
            echo = subprocess.Popen([*b.prefix, sys.executable, "-c", ECHO, "10.78.0.2"], stdout=subprocess.PIPE, text=True,
                                    preexec_fn=die_with_parent)
            self.addCleanup(echo.stdout.close)
            self.addCleanup(echo.wait)
            self.addCleanup(echo.kill)
            echo.stdout.readline()
            got, trip = a.run(sys.executable, "-c", ASK, "10.78.0.2").split()
            self.assertTrue(240 < int(got) < 380, got)     # 0.9² of 400 is 324
            self.assertGreater(float(trip), 0.06)          # 80 ms less what clocks of two cores may differ

    def test_a_masquerading_router_shows_its_own_address(self):
        with Net() as net:
            inside, router = net.host("i"), net.host("r")
            inside.cable(router, "10.79.0.2/30", "10.79.0.1/30")
            device, _ = router.cable(None, "10.79.1.2/30", "10.79.1.1/30")
            inside.route("10.79.0.1")
            router.masquerade(device)
            with Turn(address="10.79.1.1") as turn:
                seen = inside.run(sys.executable, "-c", REFLEXIVE, str(Path(__file__).parent), "10.79.1.1", str(turn.port))
            self.assertEqual(seen.strip(), "10.79.1.2")


if __name__ == "__main__":
    unittest.main()
