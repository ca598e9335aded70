"""Tracks that change, come and go through the bridge: a page with lib-jitsi-meet shows a screen in the place of its camera, and takes the camera
away and brings it back; one of ours shows a screen beside its camera. The others see each, and media flows on."""
import unittest

from bridged import Meeting, frames_are_decodable, on_prosody, on_the_testkit, sources


class Screen(unittest.TestCase):
    def theirs(self, ada, grace, natives):
        """A page's screen, then its camera again, then none, then one."""
        camera = f"{ada.endpoint}-v0"
        for desktop, change in ((True, ada.share), (False, ada.unshare)):
            change()
            for native in natives:
                native.expect("track", source=camera, desktop=desktop, muted=False)
                native.receives("gets the picture", [camera])
            grace.receives("decodes the picture", [camera])
            frames_are_decodable(self, natives[-1], camera)
        ada.remove_camera()
        for native in natives:
            native.expect("track-removed", source=camera)
        ada.add_camera()
        for native in natives:
            native.expect("track-added", source=camera)
            native.receives("gets the picture", [camera])
        grace.receives("decodes the picture", [camera])

    def ours(self, sharing, other, pages):
        sharing.command("share")
        screen = f"{sharing.endpoint}-v1"
        other.expect("track-added", source=screen)
        other.receives("gets our screen", [screen, f"{sharing.endpoint}-v0"])
        for page in pages:
            page.expect("track_added", source=screen)
            page.receives("decodes our screen", [screen, f"{sharing.endpoint}-v0"])
        sharing.command("unshare")
        other.expect("track-removed", source=screen)
        for page in pages:
            page.expect("track_removed", source=screen)
            page.receives("decodes the camera still", sources(sharing.endpoint))

    def shared(self, server):
        with server as s, Meeting(s, "screen") as m:
            ada, grace, in_c, in_rust = m.four()
            m.all_decode_all(5)
            self.ours(in_c, in_rust, (ada, grace))
            self.theirs(ada, grace, (in_c, in_rust))

    def test_on_prosody(self):
        self.shared(on_prosody())

    def test_on_the_testkit_with_signalled_sources(self):
        self.shared(on_the_testkit("--no-rewriting"))


if __name__ == "__main__":
    unittest.main()
