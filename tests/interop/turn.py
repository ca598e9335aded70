"""coturn on a free loopback port (or the address given), as STUN and TURN server with the credentials that Prosody's
`external_services` hands out: `with Turn(secret) as turn: turn.port`."""
import os, shutil, socket, struct, subprocess, tempfile, time
from pathlib import Path

from prosody import die_with_parent


class Turn:
    def __init__(self, secret="turn-secret", address="127.0.0.1", port=None, prefix=()):
        """`prefix`: words before the command, as `ip netns exec NAME`."""
        self.secret, self.address, self.prefix = secret, address, list(prefix)
        if port is None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
        self.port = port

    def __enter__(self):
        if not shutil.which("turnserver"):
            raise RuntimeError("coturn is not installed (tests/run installs it)")
        self.dir = Path(tempfile.mkdtemp(prefix="jmeet-turn-"))
        self.process = subprocess.Popen(
            [*self.prefix, "turnserver", "-n", "-L", self.address, "-E", self.address, "-p", str(self.port), "--no-tls", "--no-dtls",
             "--no-cli", "--lt-cred-mech", "--use-auth-secret", f"--static-auth-secret={self.secret}", "--realm=meet.localhost",
             "--allow-loopback-peers", "--fingerprint", f"--pidfile={self.dir}/pid", f"--log-file={self.dir}/log",
             f"--userdb={self.dir}/db", "--simple-log", "--relay-threads=1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.dir, preexec_fn=die_with_parent)
        if not self.prefix:
            self._wait()
        return self

    def _wait(self):
        end = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < end:
            if self.reflexive():
                return
        raise RuntimeError(f"coturn does not answer\n{self.log()}")

    def reflexive(self, timeout=0.2):
        """Our own address as the server sees it (a STUN binding request), or None."""
        transaction = os.urandom(12)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            s.sendto(struct.pack("!HHI", 1, 0, 0x2112A442) + transaction, (self.address, self.port))
            try:
                answer = s.recv(2048)
            except (TimeoutError, ConnectionError):
                return None
        at = 20
        while at + 4 <= len(answer):
            kind, length = struct.unpack_from("!HH", answer, at)
            if kind == 0x20:
                port, host = struct.unpack_from("!HI", answer, at + 6)
                return socket.inet_ntoa(struct.pack("!I", host ^ 0x2112A442)), port ^ 0x2112
            at += 4 + (length + 3) // 4 * 4
        return None

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        return "\n".join(f.read_text(errors="replace") for f in self.dir.glob("log*"))
