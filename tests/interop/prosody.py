#!/usr/bin/env python3
"""The rig of real parts: Debian's Prosody, unmodified, with our focus beside it as an XEP-0114 component.

As a module: `with Rig() as rig:` and use its attributes (`ws`, `wss`, `ca`, `domain` ...).
As a program: prints one JSON line with the same values once all is ready, and stops when its standard input closes:
that is how tests in other languages use it.

Everything listens on free loopback ports, data and certificates live in a scratch folder, and both processes die with
this one. Stream management keeps a cut connection's occupant for 60 s: use a new room per test, or leave properly.
"""
import argparse, ctypes, json, os, pwd, shutil, signal, socket, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "meet.localhost"
SECRET = "focus-component-secret"
USER, PASSWORD = "ada", "correct horse"

CONFIG = """
modules_enabled = {{ "saslauth"; "disco"; "ping"; "roster"; "bosh"; "websocket"; "smacks"; "external_services"; {more} }}
modules_disabled = {{ "s2s"; "offline" }}
allow_registration = false
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
consider_websocket_secure = true
consider_bosh_secure = true
data_path = "{dir}/data"
certificates = "{dir}/certs"
plugin_paths = {{}}
log = {{ {{ levels = {{ min = "{level}" }}, to = "file", filename = "{dir}/prosody.log" }} }}
interfaces = {{ {interfaces} }}
c2s_interfaces = {{ {interfaces} }}
component_interfaces = {{ "127.0.0.1" }}
http_interfaces = {{ {interfaces} }}
https_interfaces = {{ {interfaces} }}
c2s_ports = {{ {c2s} }}
component_ports = {{ {component} }}
http_ports = {{ {http} }}
https_ports = {{ {https}, {https_other} }}
https_ssl = {{
  [{https}] = {{ certificate = "{dir}/localhost.crt", key = "{dir}/localhost.key" }};
  [{https_other}] = {{ certificate = "{dir}/other.crt", key = "{dir}/other.key" }};
}}
http_default_host = "{domain}"
smacks_hibernation_time = 60
external_services = {{
  {{ type = "stun", transport = "udp", host = "{stun_host}", port = {stun} }};
  {{ type = "turn", transport = "udp", host = "{stun_host}", port = {stun}, secret = "{turn_secret}" }};
}}
VirtualHost "{domain}"
  authentication = "anonymous"
-- Only for its name in TLS: URLs say localhost.
VirtualHost "localhost"
  authentication = "anonymous"
VirtualHost "plain.localhost"
  authentication = "internal_plain"
  -- Here a password goes as it is.
  disable_sasl_mechanisms = {{ "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" }}
VirtualHost "hashed.localhost"
  authentication = "internal_hashed"
Component "conference.{domain}" "muc"
  restrict_room_creation = false
  muc_room_locking = false
  muc_room_default_public_jids = true
Component "focus.{domain}"
  component_secret = "{secret}"
"""


def free_ports(n):
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def die_with_parent():
    """In the child: the kernel ends it when this process ends, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_for_port(port, process, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with status {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{what} does not listen on port {port}")


def make_certificates(folder):
    """A certificate authority of our own, a certificate for `localhost`, and one for another name."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=jmeet test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for name, san in [("localhost", "DNS:localhost,DNS:meet.localhost,IP:127.0.0.1"), ("other", "DNS:other.example")]:
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "ext").write_text(f"subjectAltName={san}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.crt", "-days", "2", "-extfile", "ext")


def example_program(name):
    """One of our example programs: `JMEET_<NAME>` (tests/parts/70-interop sets it), or built when it must be."""
    given = os.environ.get(f"JMEET_{name.upper()}")
    if given:
        return given
    built = subprocess.run(
        ["cargo", "build", "-q", "--example", name, "--all-features", "--message-format=json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["target"]["name"] == name and message.get("executable"):
            return message["executable"]
    raise RuntimeError(f"cargo names no executable for {name}")


class Rig:
    """Prosody and, unless `focus=False`, our focus. `limits` switches on Prosody's rate limit (10 kB/s).
    `stun_port` and `stun_host` are what extdisco announces, for a STUN and TURN server that the test starts itself.
    `addresses`: where to listen beside loopback, for participants in other network namespaces. `bridge`: the options of
    examples/rust/bridge_args.rs, for a bridge beside the focus."""

    def __init__(self, focus=True, limits=False, stun_port=3478, stun_host="127.0.0.1", addresses=(), level="info", bridge=None):
        if not shutil.which("prosody"):
            raise RuntimeError("prosody is not installed (tests/run installs it)")
        self.domain, self.muc = DOMAIN, f"conference.{DOMAIN}"
        self.plain_domain, self.hashed_domain = "plain.localhost", "hashed.localhost"
        self.user, self.password = USER, PASSWORD
        self.stun_host, self.stun_port, self.turn_secret = stun_host, stun_port, "turn-secret"
        self._interfaces = ", ".join(f'"{a}"' for a in ("127.0.0.1", *addresses))
        self.tcp_port, self.component_port, self.http_port, self.https_port, self.https_other_port = free_ports(5)
        self._with_focus, self._limits, self._level, self._bridge = focus, limits, level, bridge or []
        self._prosody = self._focus = None

    def __enter__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="jmeet-rig-"))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        make_certificates(self.dir)
        for name in ("data", "certs"):
            (self.dir / name).mkdir()
        more = '"limits";' if self._limits else ""
        (self.dir / "prosody.cfg.lua").write_text(CONFIG.format(
            dir=self.dir, domain=DOMAIN, secret=SECRET, c2s=self.tcp_port, component=self.component_port, more=more,
            http=self.http_port, https=self.https_port, https_other=self.https_other_port, stun=self.stun_port,
            stun_host=self.stun_host, interfaces=self._interfaces,
            turn_secret=self.turn_secret, level=self._level))
        self._as = {}
        if os.getuid() == 0:
            who = pwd.getpwnam("prosody")
            self._as = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
            self.dir.chmod(0o755)
            for path in [self.dir, *self.dir.rglob("*")]:
                os.chown(path, who.pw_uid, who.pw_gid)
        config = str(self.dir / "prosody.cfg.lua")
        for host in (self.plain_domain, self.hashed_domain):
            subprocess.run(["prosodyctl", "--config", config, "register", USER, host, PASSWORD],
                           check=True, capture_output=True, cwd=self.dir, **self._as)
        with open(self.dir / "prosody.out", "wb") as out:
            self._prosody = subprocess.Popen(["prosody", "--config", config, "-F"], stdin=subprocess.DEVNULL, stdout=out,
                                             stderr=out, cwd=self.dir, preexec_fn=die_with_parent, **self._as)
        try:
            for port in (self.http_port, self.https_port, self.https_other_port, self.component_port, self.tcp_port):
                wait_for_port(port, self._prosody, "prosody")
        except RuntimeError as e:
            raise RuntimeError(f"{e}\n{self.log()}") from None
        if self._with_focus:
            self.start_focus()

    def start_focus(self):
        """Starts the focus; after `stop_focus` it is a new one that knows nothing, as a restarted Jicofo is."""
        self._focus = subprocess.Popen(
            [example_program("focus"), "--port", str(self.component_port), "--domain", f"focus.{DOMAIN}", "--secret", SECRET,
             *(word.format(dir=self.dir) for word in self._bridge)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        if self._focus.stdout.readline().strip() != "READY":
            raise RuntimeError(f"the focus did not start\n{self.log()}")

    def tell_focus(self, order):
        """One line of examples/rust/focus.rs."""
        self._focus.stdin.write(order + "\n")
        self._focus.stdin.flush()
        if self._focus.stdout.readline().strip() != "ok":
            raise RuntimeError(f"the focus does not {order}")

    def kill_bridge(self):
        self.tell_focus("kill-bridge")

    def start_bridge(self):
        self.tell_focus("start-bridge")

    def end_session(self, room, endpoint):
        """The bridge session of an endpoint ends with `moving`, and no new one comes."""
        self.tell_focus(f"end-session {room}@{self.muc} {endpoint}")

    def stop_focus(self):
        """The focus leaves all rooms and ends. (A killed component stays in its rooms: Prosody does not clear up.)"""
        self._focus.stdin.close()
        self._focus.wait(10)
        self._focus.stdout.close()
        self._focus = None

    def stop_prosody(self):
        """Kills the server: every connection breaks, and the port is dead."""
        self._prosody.kill()
        self._prosody.wait()

    def __exit__(self, *_):
        for process in (self._focus, self._prosody):
            if process and process.stdin:
                process.stdin.close()
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process and process.stdout:
                process.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        """What Prosody wrote, for the report of a failed test."""
        files = (self.dir / "prosody.out", self.dir / "prosody.log")
        return "\n".join(f.read_text(errors="replace") for f in files if f.exists())

    def url(self, room="", scheme="ws", host="localhost"):
        port = {"ws": self.http_port, "wss": self.https_port}[scheme]
        return f"{scheme}://{host}:{port}/xmpp-websocket" + (f"?room={room}" if room else "")

    def values(self):
        return {
            "ws": self.url(), "wss": self.url(scheme="wss"),
            "wss_wrong_host": f"wss://localhost:{self.https_other_port}/xmpp-websocket",
            "bosh": f"http://localhost:{self.http_port}/http-bind", "tcp_port": self.tcp_port,
            "ca": str(self.dir / "ca.crt"), "domain": self.domain, "muc": self.muc, "focus": f"focus.{DOMAIN}",
            "plain_domain": self.plain_domain, "hashed_domain": self.hashed_domain, "user": USER, "password": PASSWORD,
            "stun_port": self.stun_port, "turn_secret": self.turn_secret, "dead_port": free_ports(1)[0],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-focus", action="store_true")
    parser.add_argument("--limits", action="store_true", help="Prosody's rate limit of 10 kB/s")
    parser.add_argument("--stun-port", type=int, default=3478)
    parser.add_argument("--stun-host", default="127.0.0.1")
    parser.add_argument("--address", action="append", default=[], help="listen there too")
    options = parser.parse_args()
    with Rig(focus=not options.no_focus, limits=options.limits, stun_port=options.stun_port,
             stun_host=options.stun_host, addresses=options.address) as rig:
        print(json.dumps(rig.values()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
