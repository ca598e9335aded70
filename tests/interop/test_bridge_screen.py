"""A track that comes and goes through the bridge: one of ours shows a screen beside its camera; pages with lib-jitsi-meet and another of ours see
both at once, and the camera alone afterwards. (A page shows its screen in the place of its camera, in test_bridge_tracks.py: in its version
a second video has the name of the first.)"""
import unittest

from bridged import Meeting, on_prosody, on_the_testkit, sources


class Screen(unittest.TestCase):
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

    def test_on_prosody(self):
        self.shared(on_prosody())

    def test_on_the_testkit_with_signalled_sources(self):
        self.shared(on_the_testkit("--no-rewriting"))


if __name__ == "__main__":
    unittest.main()
