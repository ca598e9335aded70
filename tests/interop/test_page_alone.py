"""The page joins alone: lib-jitsi-meet in headless Chromium, on plain Prosody with our focus beside it."""
import sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from browser import Browser
from prosody import Rig


class PageAloneOnProsody(unittest.TestCase):
    def test_it_joins_becomes_moderator_and_leaves(self):
        with Rig() as rig, Browser() as browser:
            page = browser.page()
            joined = page.join(url=rig.url(), domain=rig.domain, room="alone", name="Ada")
            self.assertRegex(joined["endpoint"], r"^[0-9a-f]{8}$")
            page.expect("role", endpoint=joined["endpoint"], role="moderator")
            self.assertEqual(page.participants(), [])
            page.leave()
            page.expect("left")


if __name__ == "__main__":
    unittest.main()
