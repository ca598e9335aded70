"""jmeet on the other side: drives examples/rust/participant.rs, or tests/c/participant.c, one JSON line per event."""
import functools, json, os, subprocess, threading, time
from pathlib import Path

from prosody import ROOT, die_with_parent, example_program

TIMEOUT = 60.0


class ParticipantError(RuntimeError):
    pass


@functools.cache
def c_program():
    """tests/c/participant.c, built against the library as it is: what is proved with it is proved through the C ABI."""
    given = os.environ.get("JMEET_LIBRARY_DIR")
    if not given:
        built = subprocess.run(["cargo", "build", "-q", "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE,
                               text=True)
        files = [f for line in built.stdout.splitlines() for f in json.loads(line).get("filenames", [])]
        given = os.path.dirname(next(f for f in files if f.endswith("libjmeet.so")))
    # The library names itself libjmeet.so.0, and so does what is linked with it.
    link = Path(given) / "libjmeet.so.0"
    if not link.exists():
        link.symlink_to("libjmeet.so")
    os.environ.setdefault("JMEET_MEDIA", str(ROOT / "tests/fixtures/media"))
    program = Path(given) / "c-participant"
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT}/include",
                    f"{ROOT}/tests/c/participant.c", "-o", program, f"-L{given}", "-ljmeet", "-lpthread", f"-Wl,-rpath,{given}"],
                   check=True)
    return str(program)


class Participant:
    """`with Participant(url, room, domain=…) as me: me.expect("joined")`. Waits are on events, never on seconds."""

    def __init__(self, url, room, *flags, domain="", name="", nickname="", loopback=True, prefix=(), program=None):
        args = [*prefix, program or example_program("participant"), url, room, *flags]
        for option, value in (("--domain", domain), ("--name", name), ("--nickname", nickname)):
            if value:
                args += [option, value]
        if loopback:
            args.append("--loopback")
        self.args, self.seen, self._from, self._start, self.endpoint = args, [], {}, 0, None
        self.changed, self.dead = threading.Condition(), False

    def __enter__(self):
        self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
            self.process.wait(15)
        finally:
            self.process.kill()
            self._reader.join(15)
            self.process.stdout.close()

    def _read(self):
        for line in self.process.stdout:
            event = {**json.loads(line), "at": time.monotonic()}
            with self.changed:
                if event["event"] == "joined":
                    self.endpoint = event["id"]
                self.seen.append(event)
                self.changed.notify_all()
        with self.changed:
            self.dead = True
            self.changed.notify_all()

    def command(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def skip(self):
        """What came so far is what nobody expects any more."""
        with self.changed:
            self._start, self._from = len(self.seen), {}

    def expect(self, event, timeout=TIMEOUT, **fields):
        """Waits for the next event of this name (after the last one expected) whose fields are these, and returns it."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                start = self._from.get(event, self._start)
                for i, e in enumerate(self.seen[start:], start):
                    if e["event"] == event and all(e.get(k) == v for k, v in fields.items()):
                        self._from[event] = i + 1
                        return e
                left = end - time.monotonic()
                if left <= 0 or self.dead:
                    seen = "\n  ".join(json.dumps(e) for e in self.seen)
                    raise ParticipantError(f"no {event} {fields}; the events were\n  {seen}")
                self.changed.wait(left)

    def stats(self):
        """Received by source name: frames, bytes, key frames, packets lost."""
        return self.all_stats()["sources"]

    def session(self):
        """Counters of the media session, None when there is none."""
        return self.all_stats()["session"]

    def streams(self):
        """Packets, lost and repaired by source name, on the way that media takes now: ours as they were sent, the others' as they came."""
        return self.all_stats()["streams"]

    def all_stats(self):
        self.command("stats")
        return self.expect("stats")

    def receives(self, what, sources, more=20, timeout=TIMEOUT):
        """Waits until of each source this many frames more have come."""
        before = self.stats()
        return self.until(what, lambda now: all(now.get(s, [0])[0] > before.get(s, [0])[0] + more for s in sources), timeout)

    def stops(self, what, source, polls=5):
        """Waits until so many polls have found no new frame of this source."""
        same, last = 0, None

        def quiet(now):
            nonlocal same, last
            frames = now.get(source, [0])[0]
            same, last = (same + 1 if frames == last else 0), frames
            return same >= polls
        return self.until(what, quiet)

    def until(self, what, condition, timeout=TIMEOUT):
        """Polls the counters until `condition(sources)` holds, and returns them."""
        end = time.monotonic() + timeout
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            if time.monotonic() > end:
                raise ParticipantError(f"never {what}: {json.dumps(stats)}")
            time.sleep(0.2)
