"""Two pages with lib-jitsi-meet and two participants of ours (a C program and a Rust one) in one meeting through the bridge: pages decode
everybody's sound and camera, ours get everybody's frames whole, and an independent decoder takes what we received. Over a WebSocket and over
a data channel, on Prosody with our focus and wholly on the testkit, with SSRC rewriting and without."""
import unittest

from bridged import Meeting, frames_are_decodable, on_prosody, on_the_testkit


class Four(unittest.TestCase):
    def meet(self, server, channel):
        with server as s, Meeting(s, "four") as m:
            ada, grace, in_c, in_rust = m.four()
            m.all_decode_all()
            for native in (in_c, in_rust):
                native.expect("channel", state=channel)
                native.expect("bridge", state="connected")
            frames_are_decodable(self, in_c, f"{ada.endpoint}-v0")
            frames_are_decodable(self, in_rust, f"{grace.endpoint}-v0")
            # What was sent by one of ours goes through the bridge unharmed, too.
            frames_are_decodable(self, in_rust, f"{in_c.endpoint}-v0")

    def test_on_prosody_over_a_websocket(self):
        self.meet(on_prosody("--channel", "websocket"), "WebSocket")

    def test_on_prosody_over_a_data_channel(self):
        self.meet(on_prosody("--channel", "sctp"), "DataChannel")

    def test_on_the_testkit_over_a_websocket_with_signalled_sources(self):
        self.meet(on_the_testkit("--channel", "websocket", "--no-rewriting", "--no-json"), "WebSocket")

    def test_on_the_testkit_over_a_data_channel(self):
        self.meet(on_the_testkit("--channel", "sctp"), "DataChannel")


if __name__ == "__main__":
    unittest.main()
