"""The rig is what it says: TLS by our own authority, a certificate for another name, hosts with passwords, ICE servers, the
focus as a component. Tests of jmeet stand on this."""
import ssl, sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from prosody import PASSWORD, Rig
from testkit import Testkit
from turn import Turn
from wire import Wire


class ProsodyRig(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.turn = cls.enterClassContext(Turn())
        cls.rig = cls.enterClassContext(Rig(stun_port=cls.turn.port))

    def test_tls_is_good_with_our_authority_only_and_for_localhost_only(self):
        values = self.rig.values()
        with Wire(values["wss"], ca=values["ca"]) as wire:
            self.assertIn("ANONYMOUS", wire.open(self.rig.domain))
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "self-signed|unable to get|unknown ca"):
            Wire(values["wss"])
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "[Hh]ostname mismatch"):
            Wire(values["wss_wrong_host"], ca=values["ca"])
        with self.assertRaises(ConnectionRefusedError):
            Wire(f"ws://localhost:{values['dead_port']}/xmpp-websocket")

    def test_password_hosts_offer_what_they_are_for_and_refuse_a_wrong_password(self):
        for host, scram in ((self.rig.plain_domain, False), (self.rig.hashed_domain, True)):
            with Wire(self.rig.url()) as wire:
                features = wire.open(host)
                self.assertIn(">PLAIN<", features)
                self.assertEqual(">SCRAM-SHA-1<" in features, scram)
            with Wire(self.rig.url()) as wire:
                self.assertTrue(wire.login(host, self.rig.user, PASSWORD).startswith(f"{self.rig.user}@{host}/"))
            with Wire(self.rig.url()) as wire:
                self.assertIn("not-authorized", wire.login(host, self.rig.user, "wrong"))

    def test_an_unknown_host_is_a_stream_error(self):
        with Wire(self.rig.url()) as wire:
            wire.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='nowhere.localhost' version='1.0'/>")
            self.assertIn("host-unknown", wire.until("error"))

    def test_ice_servers_are_announced_and_answer(self):
        with Wire(self.rig.url()) as wire:
            wire.login(self.rig.domain)
            wire.send(f"<iq xmlns='jabber:client' type='get' id='s' to='{self.rig.domain}'><services xmlns='urn:xmpp:extdisco:2'/></iq>")
            services = wire.until("<services")
            self.assertIn(f"port='{self.turn.port}'", services)
            self.assertIn("type='stun'", services)
            self.assertIn("type='turn'", services)
        self.assertEqual(self.turn.reflexive(timeout=5)[0], "127.0.0.1")

    def test_a_stopped_focus_leaves_and_a_new_one_serves(self):
        with Rig() as rig, Wire(rig.url()) as wire:
            wire.login(rig.domain)
            room = f"r@{rig.muc}"
            ask = (f"<iq xmlns='jabber:client' type='set' id='c' to='focus.{rig.domain}'>"
                   f"<conference xmlns='http://jitsi.org/protocol/focus' room='{room}'/></iq>")
            wire.send(ask)
            self.assertIn("ready='true'", wire.until("<conference"))
            wire.send(f"<presence xmlns='jabber:client' to='{room}/aaaa0000'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            wire.until("role='moderator'")
            wire.until("<subject")
            rig.stop_focus()
            self.assertIn(f"{room}/focus", wire.until("unavailable"))
            rig.start_focus()
            wire.send(ask)
            wire.until("ready='true'")


class TestkitServer(unittest.TestCase):
    def test_it_offers_passwords_when_it_has_users(self):
        with Testkit("--user", "ada", "secret") as kit:
            with Wire(kit.url()) as wire:
                self.assertTrue(wire.login(kit.domain, "ada", "secret").startswith(f"ada@{kit.domain}/"))
            with Wire(kit.url()) as wire:
                self.assertIn("not-authorized", wire.login(kit.domain, "ada", "wrong"))


if __name__ == "__main__":
    unittest.main()
