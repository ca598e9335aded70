"""Two participants over real networks of their own: behind a masquerading router with a STUN server (coturn), and over a link that
delays and loses."""
import sys, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from netns import Net
from participant import Participant
from prosody import Rig
from turn import Turn


def connected(p):
    p.expect("p2p", state="connected")


class Paths(unittest.TestCase):
    def test_behind_a_masquerading_router_the_server_reflexive_pair_is_selected(self):
        with Net() as net:
            inside, router = net.host("i"), net.host("r")
            inside.cable(router, "10.79.0.2/30", "10.79.0.1/30")
            device, _ = router.cable(None, "10.79.1.2/30", "10.79.1.1/30")
            inside.route("10.79.0.1")
            router.masquerade(device)
            with Turn(address="10.79.1.1") as turn, \
                    Rig(addresses=("10.79.1.1",), stun_host="10.79.1.1", stun_port=turn.port) as rig:
                url = f"ws://10.79.1.1:{rig.http_port}/xmpp-websocket"
                where = dict(domain=rig.domain, loopback=False)
                # The one outside hears of the other's host address too, and cannot reach it.
                with Participant(url, "nat", nickname="00000000", prefix=inside.prefix, **where) as a, \
                        Participant(url, "nat", nickname="ffffffff", **where) as b:
                    connected(a)
                    connected(b)
                    a.until("hears", lambda s: sum(v[0] for v in s.values()) > 20)
                    b.until("hears", lambda s: sum(v[0] for v in s.values()) > 20)
                    self.assertEqual(b.session()["path"][1].split(":")[0], "10.79.1.2")
                    # Without the STUN server's answer, of which A made a candidate, it would be a peer-reflexive one.
                    self.assertEqual(a.session()["kinds"][0], "srflx")

    def test_losses_are_repaired_and_both_sides_count_the_same(self):
        with Net() as net:
            a_host, b_host = net.host("a"), net.host("b")
            net.bad_link(a_host, "10.78.0.1", b_host, "10.78.0.2", delay_ms=20, loss=0.03)
            # Signalling runs beside the bad link: it is media that is tested.
            a_host.cable(None, "10.77.0.2/30", "10.77.0.1/30")
            b_host.cable(None, "10.77.1.2/30", "10.77.1.1/30")
            with Rig(addresses=("10.77.0.1", "10.77.1.1"), stun_host="10.77.0.1") as rig:
                where = dict(domain=rig.domain, loopback=False)
                with Participant(f"ws://10.77.0.1:{rig.http_port}/xmpp-websocket", "loss", nickname="00000000",
                                 prefix=a_host.prefix, **where) as a, \
                        Participant(f"ws://10.77.1.1:{rig.http_port}/xmpp-websocket", "loss", nickname="ffffffff",
                                    prefix=b_host.prefix, **where) as b:
                    connected(a)
                    connected(b)
                    self.assertTrue(a.session()["path"][0].startswith("10.78.0.1"), a.session())
                    for p, name in ((a, "ffffffff-v0"), (b, "00000000-v0")):
                        p.until("has some video", lambda s: s.get(name, [0])[0] > 150)
                    for sender, receiver in ((a, b), (b, a)):
                        self.same_counts(sender, receiver)

    def same_counts(self, sender, receiver):
        """What was sent has come or is known to be lost, packet for packet, once nothing is under way. Nobody can know of packets that were lost
        before the first one that came, nor of a last one before there is a next: counted is what lies between two pauses."""
        names, unknown = [f"{sender.endpoint}-{n}0" for n in "av"], None
        for _ in range(10):
            for media in ("audio", "video"):
                sender.command("mute", media)
            receiver.stops("quiet", names[0])
            receiver.stops("quiet", names[1])
            sent, came = sender.streams(), receiver.streams()
            before, unknown = unknown, {n: sent[n]["packets"] - came[n]["packets"] - came[n]["lost"] for n in names}
            if unknown == before:
                break
            for media in ("audio", "video"):
                sender.command("unmute", media)
            receiver.receives("more", names)
        else:
            self.fail(f"sent {sent}, came {came}")
        self.assertTrue(all(0 <= n <= 3 for n in unknown.values()), f"sent {sent}, came {came}")
        video = names[1]
        self.assertGreater(came[video]["repaired"], 0, came)
        # Each repair that arrived was sent; those that were lost make the difference.
        self.assertLessEqual(came[video]["repaired"], sent[video]["repaired"])
        self.assertLessEqual(came[video]["lost"], 3, came)
        # Nothing repairs audio.
        self.assertEqual((came[names[0]]["repaired"], sent[names[0]]["repaired"]), (0, 0))


if __name__ == "__main__":
    unittest.main()
