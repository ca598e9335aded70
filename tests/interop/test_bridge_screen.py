"""Tracks that come and go through the bridge: a page with lib-jitsi-meet shares a screen beside its camera, then one of ours does; the others
see both at once, and the camera alone afterwards."""
import unittest

from bridged import Meeting, frames_are_decodable, on_prosody, on_the_testkit, sources


class Screen(unittest.TestCase):
    def shared(self, server):
        with server as s, Meeting(s, "screen") as m:
            ada, grace, in_c, in_rust = m.four()
            m.all_decode_all(5)
            screen = ada.share()
            self.assertEqual(screen, f"{ada.endpoint}-v1")
            for native in (in_c, in_rust):
                native.expect("track-added", source=screen)
                native.receives("gets screen and camera", [screen, f"{ada.endpoint}-v0"])
            grace.receives("decodes screen and camera", [screen, f"{ada.endpoint}-v0"])
            frames_are_decodable(self, in_rust, screen)
            ada.unshare()
            for native in (in_c, in_rust):
                native.expect("track-removed", source=screen)

            in_c.command("share")
            screen = f"{in_c.endpoint}-v1"
            in_rust.expect("track-added", source=screen)
            in_rust.receives("gets our screen", [screen, f"{in_c.endpoint}-v0"])
            for page in (ada, grace):
                page.expect("track_added", source=screen)
                seen = page.receives("decodes our screen", [screen, f"{in_c.endpoint}-v0"])
                self.assertEqual(seen[screen]["videoType"], "desktop")
            in_c.command("unshare")
            in_rust.expect("track-removed", source=screen)
            for page in (ada, grace):
                page.expect("track_removed", source=screen)
                page.receives("decodes the camera still", sources(in_c.endpoint))

    def test_on_prosody(self):
        self.shared(on_prosody())

    def test_on_the_testkit_with_signalled_sources(self):
        self.shared(on_the_testkit("--no-rewriting"))


if __name__ == "__main__":
    unittest.main()
