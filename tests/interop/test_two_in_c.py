"""Two C programs in one room on Prosody with our focus: they meet, talk, exchange audio and video peer to peer, and part. And the room's
password: missing, wrong, right."""
import sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from participant import Participant, c_program
from prosody import Rig
from wire import Wire

FIRST, LAST = "00000000", "ffffffff"    # the smaller endpoint id initiates
ENOUGH = 45                             # three seconds of video, nearly one of audio


class TwoInC(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = cls.enterClassContext(Rig())
        cls.program = c_program()

    def participant(self, room, *flags, **options):
        return Participant(self.rig.url(), room, *flags, domain=self.rig.domain, program=self.program, **options)

    def test_they_meet_talk_see_each_other_and_part(self):
        with self.participant("two", nickname=FIRST, name="Ada") as ada:
            ada.expect("joined", id=FIRST)
            with self.participant("two", nickname=LAST, name="Bob") as bob:
                bob.expect("joined", id=LAST)
                bob.expect("participant-joined", id=FIRST, name="Ada")
                ada.expect("participant-joined", id=LAST, name="Bob")

                ada.command("say", "hello Bob")
                ada.expect("done", tag=2, error=None)
                bob.expect("message", text="hello Bob", **{"from": FIRST, "delayed": False})
                bob.command("say", "hello Ada")
                ada.expect("message", text="hello Ada", **{"from": LAST, "delayed": False})

                ada.command("tell", LAST, "psst")
                bob.expect("message", text="psst", **{"from": FIRST})
                ada.expect("done", tag=4, error=None)

                for me, other in ((ada, LAST), (bob, FIRST)):
                    me.expect("p2p", state="connected", id=other)
                    names = (f"{other}-a0", f"{other}-v0")
                    stats = me.until("hears and sees", lambda s: all(s.get(n, [0])[0] >= ENOUGH for n in names))
                    # On loopback nothing is lost; the first frames of video are a key frame and those that follow it.
                    self.assertEqual([stats[n][3] for n in names], [0, 0], stats)
                    self.assertGreaterEqual(stats[names[1]][2], 1, stats)
                    # Nobody receives oneself.
                    self.assertEqual(sorted(stats), sorted(names))

                bob.command("mute", "audio")
                ada.expect("track", source=f"{LAST}-a0", muted=True)
                bob.command("unmute", "audio")
                ada.expect("track", source=f"{LAST}-a0", muted=False)

                bob.command("leave")
                bob.expect("closed", error=None)
                ada.expect("p2p", state="ended")
                ada.expect("participant-left", id=LAST)
            ada.command("leave")
            ada.expect("closed", error=None)
            self.assertEqual([e["event"] for e in ada.seen].count("closed"), 1)
            self.assertEqual(ada.seen[-1]["event"], "closed")

    def test_the_room_wants_its_password(self):
        room = f"locked@{self.rig.muc}"
        with Wire(self.rig.url("locked")) as owner:
            owner.own_room(self.rig.domain, room, f"focus.{self.rig.domain}", "0badcafe")
            owner.configure_room(room, passwordprotectedroom=1, roomsecret="open sesame", whois="anyone")
            for flags in ((), ("--room-password", "open barley")):
                with self.participant("locked", "--no-media", *flags) as p:
                    done, closed = p.expect("done", tag=1), p.expect("closed")
                    for error in (done["error"], closed["error"]):
                        self.assertEqual((error["code"], error["stage"], error["condition"]),
                                         ("ERR_ROOM_PASSWORD", "Join", "not-authorized"), error)
                    self.assertEqual(p.seen[-1], closed)
            with self.participant("locked", "--no-media", "--room-password", "open sesame") as p:
                p.expect("joined")
                p.expect("participant-joined", id="0badcafe")
                p.command("leave")
                self.assertIsNone(p.expect("closed")["error"])


if __name__ == "__main__":
    unittest.main()
