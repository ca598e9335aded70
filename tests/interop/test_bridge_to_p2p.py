"""A page with lib-jitsi-meet, one of ours and a third through the bridge; the third leaves, and the two go peer to peer; another comes, and they
are back on the bridge. Both roles of the session between the two."""
import unittest

from bridged import Meeting, on_prosody, on_the_testkit, sources

FIRST, LAST = "00000000", "ffffffff"    # the smaller endpoint id initiates


class ToPeerToPeer(unittest.TestCase):
    def there_and_back(self, server, nickname):
        with server as s, Meeting(s, "switch", p2p=True) as m:
            page = m.page("ada")
            native = m.native(nickname)
            native.expect("p2p", state="connected", id=page.endpoint)
            page.expect("p2p", active=True)
            third = m.native("77777777")
            native.expect("p2p", state="ended")
            page.expect("p2p", active=False)
            m.all_decode_all(10)
            third.command("leave")
            third.expect("closed", error=None)
            m.natives.remove(third)
            native.expect("p2p", state="connected", id=page.endpoint)
            page.expect("p2p", active=True)
            m.all_decode_all()
            self.assertTrue(page.state()["p2p"])
            m.native("66666666")
            native.expect("p2p", state="ended")
            page.expect("p2p", active=False)
            m.all_decode_all()
            self.assertFalse(page.state()["p2p"])

    def test_we_initiate_on_prosody(self):
        self.there_and_back(on_prosody(), FIRST)

    def test_they_initiate_on_the_testkit(self):
        self.there_and_back(on_the_testkit(), LAST)


if __name__ == "__main__":
    unittest.main()
