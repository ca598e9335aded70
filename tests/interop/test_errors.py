"""What can go wrong on the way in, against a real Prosody: each ends in its own typed error, once, and CLOSED follows."""
import socket, sys, tempfile, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from participant import Participant
from prosody import Rig


class Errors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = cls.enterClassContext(Rig())
        cls.values = cls.rig.values()
        ca = tempfile.NamedTemporaryFile("w", suffix=".pem")
        ca.write(Path(cls.values["ca"]).read_text())
        ca.flush()
        cls.ca = cls.enterClassContext(ca).name

    def fails(self, url, code, stage, *flags, condition=None, domain=None):
        with Participant(url, "errors", *flags, "--no-media", domain=domain or self.rig.domain) as p:
            done = p.expect("done", tag=1)
            closed = p.expect("closed")
            p.process.wait(15)
            self.assertEqual([e["event"] for e in p.seen].count("closed"), 1)
            self.assertEqual(p.seen[-1]["event"], "closed")
        for error in (done["error"], closed["error"]):
            self.assertEqual((error["code"], error["stage"]), (code, stage), error)
            if condition is not None:
                self.assertEqual(error["condition"], condition, error)
        return closed["error"]

    def test_a_dead_port(self):
        self.fails(f"ws://127.0.0.1:{self.values['dead_port']}/xmpp-websocket", "ERR_CONNECT", "Connect")

    def test_a_name_without_address(self):
        self.fails("ws://nowhere.invalid/xmpp-websocket", "ERR_RESOLVE", "Resolve")

    def test_an_unknown_authority(self):
        self.fails(self.values["wss"], "ERR_TLS_UNTRUSTED", "Tls")

    def test_a_wrong_host_name(self):
        self.fails(self.values["wss_wrong_host"], "ERR_TLS_HOSTNAME", "Tls", "--ca", self.ca)

    def test_a_path_that_is_no_websocket(self):
        base = self.rig.url().split("/xmpp-websocket")[0]
        self.fails(base + "/nothing-here", "ERR_UPGRADE", "Upgrade", condition="404")

    def test_a_wrong_domain_is_named(self):
        error = self.fails(self.rig.url(), "ERR_HOST_UNKNOWN", "Stream", domain="wrong.localhost")
        self.assertIn("wrong.localhost", error["text"])

    def test_a_wrong_password(self):
        for host in (self.rig.plain_domain, self.rig.hashed_domain):
            self.fails(self.rig.url(), "ERR_AUTH", "Auth", "--user", self.rig.user, "wrong", domain=host, condition="not-authorized")

    def test_with_the_right_password_it_joins(self):
        """By PLAIN, and by SCRAM."""
        others = ("--muc", f"conference.{self.rig.domain}", "--focus", f"focus.{self.rig.domain}")
        for host in (self.rig.plain_domain, self.rig.hashed_domain):
            login = ("--user", self.rig.user, self.rig.password)
            with Participant(self.rig.url(), "password", *login, *others, "--no-media", domain=host) as p:
                p.expect("timeline", stage="Authenticated")
                p.expect("joined")
                p.command("leave")
                self.assertIsNone(p.expect("closed")["error"])

    def test_a_password_is_needed(self):
        self.fails(self.rig.url(), "ERR_CREDENTIALS_REQUIRED", "Auth", domain=self.rig.plain_domain)

    def test_a_server_that_never_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            self.fails(f"ws://127.0.0.1:{port}/x", "ERR_SERVER_TIMEOUT", "Upgrade", "--timeout", "3000")
            self.fails(f"wss://127.0.0.1:{port}/x", "ERR_SERVER_TIMEOUT", "Tls", "--timeout", "3000")

    def test_over_tls_with_our_authority_it_joins(self):
        with Participant(self.values["wss"], "tls", "--ca", self.ca, "--no-media", domain=self.rig.domain) as p:
            p.expect("joined")
            p.command("leave")
            self.assertIsNone(p.expect("closed")["error"])


if __name__ == "__main__":
    unittest.main()
