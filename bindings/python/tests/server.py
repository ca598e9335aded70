"""The testkit's server for these tests: $JMEET_TESTKIT is the program."""
import json
import os
import subprocess
from pathlib import Path

MEDIA = Path(__file__).resolve().parents[3] / "tests/fixtures/media"


class Server:
    def __enter__(self):
        self.process = subprocess.Popen([os.environ["JMEET_TESTKIT"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        values = json.loads(self.process.stdout.readline())
        self.url, self.domain = values["url"], values["domain"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def command(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


def ivf_frames():
    """VP8 frames of the fixture."""
    data = (MEDIA / "video.ivf").read_bytes()
    at = int.from_bytes(data[6:8], "little")
    while at + 12 <= len(data):
        size = int.from_bytes(data[at:at + 4], "little")
        yield data[at + 12:at + 12 + size]
        at += 12 + size
