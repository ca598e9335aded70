"""How long it takes from the focus's session-initiate to the first picture that the other side decodes, through the bridge on a real Prosody: a
participant of ours and one on lib-jitsi-meet join a meeting in turns, and a page that is there all the time watches both. Times are taken where the
lines of the programs arrive; they are printed and not judged. JMEET_RUNS says how often (5)."""
import os, statistics, unittest

from bridged import Meeting, on_prosody

RUNS = int(os.environ.get("JMEET_RUNS", "5"))


class FirstFrame(unittest.TestCase):
    def first_picture(self, watcher, source):
        return watcher.expect("first_frame", source=source)["at"]

    def ours(self, m, watcher, number):
        nickname = f"0000{number:04x}"
        native = m.native(nickname)
        invited = native.expect("timeline", stage="SessionInitiate")["at"]
        shown = self.first_picture(watcher, f"{nickname}-v0")
        native.command("leave")
        native.expect("closed", error=None)
        watcher.expect("participant_left", endpoint=nickname)
        return (shown - invited) * 1000

    def theirs(self, m, watcher):
        page = m.page("ada")
        invited = page.expect("session_initiate")["at"]
        shown = self.first_picture(watcher, f"{page.endpoint}-v0")
        page.leave()
        watcher.expect("participant_left", endpoint=page.endpoint)
        return (shown - invited) * 1000

    def test_ours_beside_lib_jitsi_meet(self):
        with on_prosody() as server, Meeting(server, "first") as m:
            watcher = m.page("grace")
            # Keeps the watcher's session alive between the runs.
            m.native("77777777")
            watcher.receives("is on the bridge", ["77777777-v0"])
            ours, theirs = [], []
            for n in range(RUNS):
                ours.append(self.ours(m, watcher, n))
                theirs.append(self.theirs(m, watcher))
            for who, times in (("ours", ours), ("lib-jitsi-meet in Chromium", theirs)):
                print(f"session-initiate to first picture at the other side, {who}: median {statistics.median(times):.0f} ms of "
                      f"{RUNS} ({min(times):.0f} to {max(times):.0f})", flush=True)
            # Printed, not judged: how long it takes is the machine's matter.
            self.assertEqual((len(ours), len(theirs)), (RUNS, RUNS))


if __name__ == "__main__":
    unittest.main()
