"""Python's side of browser.mjs: `with Browser() as b: me = b.page("a"); me.join(url=…, domain=…, room=…)`.

Waits are on events, never on seconds; a wait that is not fulfilled ends in an error that shows what came instead.
"""
import json, os, subprocess, threading, time
from pathlib import Path

from prosody import die_with_parent

HERE = Path(__file__).resolve().parent
TIMEOUT = 60.0


class BrowserError(RuntimeError):
    pass


class Page:
    """One participant in the browser."""

    def __init__(self, browser, name):
        self.browser, self.name = browser, name
        self.endpoint = None
        self.seen = []          # every event of this page, in order
        self._from, self._start = {}, 0

    def call(self, cmd, timeout=TIMEOUT, **options):
        return self.browser.call(self.name, cmd, timeout, **options)

    def join(self, **options):
        """url, domain, room; optional muc, focus, name, p2p (True), codec ("VP8"), media (["audio", "video"]), id, password,
        roomPassword, resume, log. Returns {"endpoint", "ms"}."""
        result = self.call("join", **options)
        self.endpoint = result["endpoint"]
        return result

    def send(self, text, to=None):
        self.call("send", text=text, to=to)

    def mute(self, kind, muted=True):
        self.call("mute", kind=kind, muted=muted)

    def add(self, kind):
        """audio, video or desktop, while there is none of its media."""
        self.call("add", kind=kind)

    def remove(self, kind):
        """Takes the audio or the video out of the meeting and ends it."""
        self.call("remove", kind=kind)

    def stats(self):
        return self.call("stats")

    def remote(self):
        """What is received of each remote track, by source name."""
        return self.call("remote")

    def receives(self, what, sources, more=20, timeout=TIMEOUT):
        """Waits until of each source this many frames more are decoded; of a microphone, until sound comes."""
        before, end = self.remote(), time.monotonic() + timeout
        while True:
            now = self.remote()

            def grew(name):
                if name not in now:
                    return False
                old = before.get(name, {})
                if now[name].get("ssrc") != old.get("ssrc"):
                    old = {}
                counter, least = ("energy", 0) if now[name]["kind"] == "audio" else ("frames", more)
                return now[name][counter] > old.get(counter, 0) + least and now[name]["bytes"] > old.get("bytes", 0)
            if all(grew(s) for s in sources):
                return now
            if time.monotonic() > end:
                missing = [s for s in sources if not grew(s)]
                raise BrowserError(f"{self.name}: {what}: nothing of {missing}: {json.dumps(now)}\nbefore: {json.dumps(before)}")
            time.sleep(0.2)

    def participants(self):
        return self.call("participants")

    def state(self):
        return self.call("state")

    def leave(self):
        self.call("leave")

    def skip(self):
        """What came so far is what nobody expects any more."""
        with self.browser.changed:
            self._start, self._from = len(self.seen), {}

    def expect(self, event, timeout=TIMEOUT, **fields):
        """Waits for the next event of this name (after the last one expected) whose fields are these, and returns it."""
        end = time.monotonic() + timeout
        with self.browser.changed:
            while True:
                start = self._from.get(event, self._start)
                for i, e in enumerate(self.seen[start:], start):
                    if e["event"] == event and all(e.get(k) == v for k, v in fields.items()):
                        self._from[event] = i + 1
                        return e
                left = end - time.monotonic()
                if left <= 0 or self.browser.dead:
                    seen = "\n  ".join(json.dumps(e) for e in self.seen)
                    raise BrowserError(f"{self.name}: no {event} {fields}; the events were\n  {seen}")
                self.browser.changed.wait(left)

    def until(self, what, condition, timeout=TIMEOUT):
        """Polls the statistics until `condition(stats)` holds, and returns them."""
        end = time.monotonic() + timeout
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            if time.monotonic() > end:
                raise BrowserError(f"{self.name}: never {what}: {json.dumps(stats)}")
            time.sleep(0.2)


class Browser:
    def __enter__(self):
        self.process = subprocess.Popen(["node", str(HERE / "browser.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=die_with_parent)
        self.changed = threading.Condition()
        self.pages, self.answers, self.dead, self.next_id = {}, {}, False, 0
        self.ready = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        with self.changed:
            if not self.changed.wait_for(lambda: self.ready or self.dead, TIMEOUT) or self.dead:
                raise BrowserError("Chromium did not start")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def page(self, name="a"):
        return self.pages.setdefault(name, Page(self, name))

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.changed:
                if message.get("event") == "ready":
                    self.ready = True
                elif "event" in message:
                    message["at"] = time.monotonic()
                    self.page(message["page"]).seen.append(message)
                    if os.environ.get("JMEET_BROWSER_LOG"):
                        print(message, flush=True)
                elif "id" in message:
                    self.answers[message["id"]] = message
                self.changed.notify_all()
        with self.changed:
            self.dead = True
            self.changed.notify_all()

    def call(self, page, cmd, timeout, **options):
        with self.changed:
            self.next_id += 1
            id = self.next_id
            self.process.stdin.write(json.dumps({"id": id, "page": page, "cmd": cmd, **options}) + "\n")
            self.process.stdin.flush()
            if not self.changed.wait_for(lambda: id in self.answers or self.dead, timeout):
                raise BrowserError(f"{page}: {cmd} was not answered in {timeout} s")
            answer = self.answers.pop(id, {"ok": False, "error": "the browser ended"})
        if not answer["ok"]:
            raise BrowserError(f"{page}: {cmd}: {answer['error']}")
        return answer["result"]
