"""The bridge is killed in the middle of a meeting, and another comes: pages with lib-jitsi-meet and participants of ours are invited anew and
decode each other again."""
import unittest

from bridged import Meeting, on_prosody


class Dies(unittest.TestCase):
    def test_everybody_is_back_on_the_new_bridge(self):
        with on_prosody() as server, Meeting(server, "dies") as m:
            _, _, in_c, in_rust = m.four()
            m.all_decode_all(5)
            server.kill_bridge()
            for native in (in_c, in_rust):
                native.expect("bridge", state="ended")
            server.start_bridge()
            for native in (in_c, in_rust):
                native.expect("bridge", state="connected")
            m.all_decode_all()


if __name__ == "__main__":
    unittest.main()
