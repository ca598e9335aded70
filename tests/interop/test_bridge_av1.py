"""AV1, which today's focus offers first, from a page through the bridge: another page decodes it, ours gets its frames whole, and an independent
decoder takes them."""
import unittest

from bridged import Meeting, frames_are_decodable, on_prosody


class Av1(unittest.TestCase):
    def test_frames_of_a_browser_are_whole(self):
        with on_prosody() as server, Meeting(server, "av1") as m:
            ada, grace = m.page("ada", codec="AV1"), m.page("grace")
            native = m.native("00000001")
            m.all_decode_all()
            self.assertEqual(ada.stats()["outbound"]["video"]["codec"], "video/AV1")
            frames_are_decodable(self, native, f"{ada.endpoint}-v0")


if __name__ == "__main__":
    unittest.main()
