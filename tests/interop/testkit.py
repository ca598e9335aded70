"""The testkit's server for Python tests: `with Testkit() as kit: kit.url, kit.domain; kit.cut(endpoint)`."""
import json, subprocess

from prosody import die_with_parent, example_program


class Testkit:
    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        self.process = subprocess.Popen([example_program("testkit_server"), *self.args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        values = json.loads(self.process.stdout.readline())
        self.url_, self.domain, self.muc, self.focus = (values[k] for k in ("url", "domain", "muc", "focus"))
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def url(self, room=""):
        return self.url_ + (f"?room={room}" if room else "")

    def command(self, *words):
        """One line of examples/rust/testkit_server.rs, and its answer."""
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def endpoints(self, room):
        return self.command("endpoints", room).split()

    def media_counts(self):
        """Datagrams that the bad link let pass, and that it dropped."""
        return tuple(map(int, self.command("media-counts").split()))

    def __getattr__(self, name):
        """`kit.cut(who)`, `kit.stop_focus()`, `kit.inject(who, xml)` ...; what cannot be done is an error."""
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*words):
            answer = self.command(name.replace("_", "-"), *map(str, words))
            if answer != "ok":
                raise RuntimeError(f"{name} {words}: {answer}")
        return call
