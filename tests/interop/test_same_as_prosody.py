"""The testkit's server answers as Prosody does: the same frames are sent to both, and what comes back is compared as
infoset. So the testkit is no mirror of our own client's assumptions. Differences that are meant are listed in `IGNORED`."""
import sys, time, unittest
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from prosody import Rig
from testkit import Testkit
from wire import Closed, Wire

MUC_USER = "{http://jabber.org/protocol/muc#user}"
# What Prosody adds beyond the protocols in use: anonymous occupant ids (XEP-0421); and texts of errors, which are for people.
IGNORED = {"{urn:xmpp:occupant-id:0}occupant-id", "{urn:ietf:params:xml:ns:xmpp-stanzas}text",
           "{http://jabber.org/protocol/muc}x"}
# Attributes that say nothing about behaviour, or that only Prosody's version adds.
ATTRIBUTES = {"id", "to", "{http://www.w3.org/XML/1998/namespace}lang", "stamp", "by", "code"}
# Answers whose content is each server's own.
OPAQUE = ("{http://jabber.org/protocol/disco#info}query", "{http://jabber.org/protocol/muc#owner}query",
          "{urn:xmpp:extdisco:2}services", "{http://jitsi.org/jitmeet}versions",
          "{http://jitsi.org/protocol/focus}conference-properties", "{http://jitsi.org/protocol/focus}conference")


class Run:
    """The script on one server."""

    def __init__(self, server):
        self.server, self.domain = server, server.domain
        self.room = f"same@{server.muc}"
        self.clients, self.real, self.seen = {}, {}, []

    def connect(self, name):
        wire = self.clients[name] = Wire(self.server.url(room="same"))
        self.real[wire.login(self.domain)] = name

    def normal(self, text):
        for jid, name in self.real.items():
            text = text.replace(jid, f"<{name}>".replace("<", "(").replace(">", ")")).replace(jid.split("/")[0], f"({name} bare)")
        return text

    def infoset(self, e):
        if e.tag in OPAQUE:
            return (e.tag,)
        attributes = sorted((k, v) for k, v in e.attrib.items() if k not in ATTRIBUTES or e.tag == MUC_USER + "status")
        children = sorted(self.infoset(c) for c in e if c.tag not in IGNORED)
        return (e.tag, tuple(attributes), (e.text or "").strip(), tuple(children))

    def step(self, what, name, *frames):
        """Sends frames, and notes what everybody gets. A ping behind them is the fence: its answer comes after theirs.
        Where the focus has a part, which works beside the server, it is given time first."""
        for frame in frames:
            self.clients[name].send(frame.replace("ROOM", self.room).replace("DOMAIN", self.domain))
        fence = f"<iq xmlns='jabber:client' type='get' id='fence' to='{self.domain}'><ping xmlns='urn:xmpp:ping'/></iq>"
        order = [name, *(c for c in self.clients if c != name)]
        if any(word in what for word in ("request", "join", "mute", "leave", "kick", "owner")):
            time.sleep(0.3)
        for client in order:
            wire, got = self.clients[client], []
            try:
                wire.send(fence)
                while "'fence'" not in (text := wire.recv()):
                    got.append(self.infoset(ET.fromstring(self.normal(text))))
            except (Closed, OSError):
                got.append("closed")
            if "join" in what and client == name:
                # Those already inside come in no particular order, before oneself.
                own = next((i for i, e in enumerate(got) if "'110'" in str(e)), 0)
                got[:own] = sorted(got[:own])
            self.seen.append((f"{what}: what {client} gets", got))

    def play(self):
        for name in "abc":
            self.connect(name)
        ask = ("<iq xmlns='jabber:client' type='set' id='c' to='focus.DOMAIN'>"
               "<conference xmlns='http://jitsi.org/protocol/focus' room='ROOM'/></iq>")

        def join(nick, x=""):
            return (f"<presence xmlns='jabber:client' to='ROOM/{nick}'><x xmlns='http://jabber.org/protocol/muc'>{x}</x>"
                    f"<nick xmlns='http://jabber.org/protocol/nick'>{nick}</nick><SourceInfo>{{}}</SourceInfo></presence>")

        def iq(to, payload, kind="get"):
            return f"<iq xmlns='jabber:client' type='{kind}' id='q' to='{to}'>{payload}</iq>"

        def admin(item):
            return iq("ROOM", f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>", "set")

        def form(**fields):
            inside = "".join(f"<field var='muc#roomconfig_{k}'><value>{v}</value></field>" for k, v in fields.items())
            return iq("ROOM", "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
                      "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
                      f"{inside}</x></query>", "set")

        def message(payload, kind="groupchat", to="ROOM"):
            return f"<message xmlns='jabber:client' type='{kind}' id='m' to='{to}'>{payload}</message>"

        body = "<body>hello</body>"
        disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
        self.step("conference request", "a", ask)
        self.step("join", "a", join("aaaa0000"))
        self.step("second request", "b", ask)
        self.step("second join", "b", join("bbbb0000"))
        self.step("presence update", "b", "<presence xmlns='jabber:client' to='ROOM/bbbb0000'><SourceInfo>{\"x\":1}</SourceInfo></presence>")
        self.step("nickname taken", "c", join("aaaa0000"))
        self.step("message", "a", message(body))
        self.step("message of an outsider", "c", message(body))
        self.step("private message", "b", message(body, "chat", "ROOM/aaaa0000"))
        self.step("private message to nobody", "b", message(body, "chat", "ROOM/dddd0000"))
        self.step("json message", "a", message("<json-message xmlns='http://jitsi.org/jitmeet'>{}</json-message>"))
        self.step("subject", "a", message("<subject>Plan</subject>"))
        self.step("disco of the room", "b", iq("ROOM", disco))
        self.step("disco of the host", "b", iq("DOMAIN", disco))
        self.step("ping", "b", iq("DOMAIN", "<ping xmlns='urn:xmpp:ping'/>"))
        self.step("request nobody knows", "b", iq("DOMAIN", "<query xmlns='urn:nobody'/>"))
        self.step("request to a nickname nobody has", "b", iq("ROOM/dddd0000", "<ping xmlns='urn:xmpp:ping'/>"))
        self.step("request to an occupant", "b", iq("ROOM/aaaa0000", "<jingle xmlns='urn:xmpp:jingle:1' sid='s'/>", "set"))
        self.step("request of an outsider", "c", iq("ROOM/aaaa0000", "<jingle xmlns='urn:xmpp:jingle:1' sid='s'/>", "set"))
        self.step("mute by a participant", "b",
                  iq("ROOM/focus", "<mute xmlns='http://jitsi.org/jitmeet/audio' jid='ROOM/aaaa0000'>true</mute>", "set"))
        self.step("mute by the moderator", "a",
                  iq("ROOM/focus", "<mute xmlns='http://jitsi.org/jitmeet/audio' jid='ROOM/bbbb0000'>true</mute>", "set"))
        self.step("kick by a participant", "b", admin("<item nick='aaaa0000' role='none'/>"))
        self.step("password by a participant", "b", form(roomsecret="s"))
        self.step("password", "a", form(roomsecret="s", passwordprotectedroom="1"))
        self.step("join without the password", "c", join("cccc0000"))
        self.step("join with a wrong password", "c", join("cccc0000", "<password>x</password>"))
        self.step("join with the password", "c", join("cccc0000", "<password>s</password>"))
        self.step("kick", "a", admin("<item nick='cccc0000' role='none'><reason>bye</reason></item>"))
        self.step("owner for another", "a", admin("<item affiliation='owner' jid='B'/>".replace("B", self.bare("b"))))
        self.step("members only", "a", form(membersonly="1", roomsecret=""))
        self.step("join of no member", "c", join("cccc0000"))
        self.step("leave", "b", "<presence xmlns='jabber:client' type='unavailable' to='ROOM/bbbb0000'><status>so long</status></presence>")
        self.step("destroy", "a", iq("ROOM", "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy><reason>over</reason></destroy></query>", "set"))
        self.step("close", "c", "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
        for wire in self.clients.values():
            wire.socket.close()
        return self.seen

    def bare(self, name):
        return next(j for j, n in self.real.items() if n == name).split("/")[0]


class SameAsProsody(unittest.TestCase):
    maxDiff = None

    def test_the_testkit_answers_as_prosody_does(self):
        with Rig() as rig:
            expected = Run(rig).play()
        with Testkit() as kit:
            actual = Run(kit).play()
        for (what, theirs), (_, ours) in zip(expected, actual, strict=True):
            with self.subTest(what):
                self.assertEqual(ours, theirs)


if __name__ == "__main__":
    unittest.main()
