"""Mutes through the bridge, between pages with lib-jitsi-meet and participants of ours, each way: seen by the others, and after it media flows
again."""
import unittest

from bridged import Meeting, on_prosody


class Mute(unittest.TestCase):
    def test_mutes_are_seen_and_media_flows_again(self):
        with on_prosody() as server, Meeting(server, "mute") as m:
            ada, grace, in_c, in_rust = m.four()
            m.all_decode_all(5)
            for native in (in_c, in_rust):
                for kind, letter in (("audio", "a"), ("video", "v")):
                    source = f"{native.endpoint}-{letter}0"
                    native.command("mute", kind)
                    ada.expect("track_muted", source=source, muted=True)
                    grace.expect("track_muted", source=source, muted=True)
                    native.command("unmute", kind)
                    ada.expect("track_muted", source=source, muted=False)
                    grace.expect("track_muted", source=source, muted=False)
            for kind, letter in (("audio", "a"), ("video", "v")):
                source = f"{ada.endpoint}-{letter}0"
                ada.mute(kind)
                in_c.expect("track", source=source, muted=True)
                in_rust.expect("track", source=source, muted=True)
                # As people do it, who unmute later than they mute: lib-jitsi-meet of 2022 fails (setParameters, InvalidStateError) and stays
                # dark when the bridge's word that a camera is wanted no more meets the camera that comes back.
                in_rust.stops("hears no more of it", source)
                ada.mute(kind, False)
                in_c.expect("track", source=source, muted=False)
                in_rust.expect("track", source=source, muted=False)
            m.all_decode_all()


if __name__ == "__main__":
    unittest.main()
