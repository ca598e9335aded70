"""The focus ends the session of one of ours, with the promise of a new one that never comes: it leaves the room and comes back on the same
connection. Then the page decodes it as before, on the SSRCs that it had, and Prosody's history is no second message to anybody."""
import unittest

from bridged import Meeting, on_prosody
from participant import c_program

# Where sequence numbers begin is drawn: begun anew they would be replays to the page in every second round.
ROUNDS = 4


class Rejoin(unittest.TestCase):
    def test_who_comes_back_is_heard_and_seen_and_told_nothing_twice(self):
        with on_prosody("--no-rewriting") as server, Meeting(server, "rejoin") as m:
            ada, in_c, in_rust = m.page("ada"), m.native("00000001", c_program()), m.native("00000002")
            m.all_decode_all()
            texts = ["from a page", "from the one in C", "from the one in Rust"]
            ada.send(texts[0])
            in_c.command("say", texts[1])
            in_rust.command("say", texts[2])
            for native, others in ((in_c, (ada, in_rust)), (in_rust, (ada, in_c))):
                for other in others:
                    native.expect("message", **{"from": other.endpoint})
            for gone in (in_c, in_rust) * (ROUNDS // 2):
                m.skip()
                server.end_session(m.room, gone.endpoint)
                gone.expect("bridge", state="ended")
                gone.expect("bridge", state="connected")
                m.all_decode_all()
            # One more, after which whatever history had to tell is told.
            m.skip()
            ada.send("the last one")
            for native in (in_c, in_rust):
                native.expect("message", text="the last one")
                told = [e["text"] for e in native.seen if e["event"] == "message"]
                self.assertEqual(sorted(told), sorted(t for t in [*texts, "the last one"] if t != texts[1 + (native is in_rust)]))
                self.assertFalse([e for e in native.seen if e["event"] in ("closed", "bridge_failed")])


if __name__ == "__main__":
    unittest.main()
