"""Network namespaces for tests (root only): hosts, the cables between them, masquerade, and a bad link.

    with Net() as net:
        a, b = net.host("a"), net.host("b")
        a.cable(None, "10.77.1.2/30", "10.77.1.1/30")      # to the root namespace, for signalling
        net.bad_link(a, "10.78.0.1", b, "10.78.0.2", delay_ms=50, loss=0.02)
        subprocess.Popen([*a.prefix, "program"])            # runs inside
Names carry the process id, so that test runs do not meet. Everything is gone at the end.
"""
import os, subprocess, sys
from pathlib import Path

from prosody import die_with_parent

HERE = Path(__file__).resolve().parent


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Host:
    def __init__(self, net, name):
        self.net, self.name = net, f"jm{os.getpid()}{name}"
        ip("netns", "add", self.name)
        self.prefix = ["ip", "netns", "exec", self.name]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command):
        return subprocess.run([*self.prefix, *command], check=True, capture_output=True, text=True).stdout

    def cable(self, other, own_address, other_address):
        """A cable to another host, or (None) to the root namespace; returns the name of the device at either end."""
        self.net.cables += 1
        ends = [f"jm{os.getpid() % 100000}v{self.net.cables}{side}" for side in "ab"]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, host, address in ((ends[0], self, own_address), (ends[1], other, other_address)):
            if host:
                ip("link", "set", end, "netns", host.name)
                host.run("ip", "addr", "add", address, "dev", end)
                host.run("ip", "link", "set", end, "up")
            else:
                self.net.root_devices.append(end)
                ip("addr", "add", address, "dev", end)
                ip("link", "set", end, "up")
        return ends

    def route(self, via):
        self.run("ip", "route", "add", "default", "via", via)

    def masquerade(self, device):
        """Makes this host a router whose packets out of `device` carry its own address."""
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.run("nft", "add table ip jm; add chain ip jm out { type nat hook postrouting priority 100; }; "
                        f"add rule ip jm out oifname {device} masquerade")


class Net:
    def __enter__(self):
        if os.getuid() != 0:
            raise RuntimeError("network namespaces need root")
        self.hosts, self.links, self.root_devices, self.cables = [], [], [], 0
        return self

    def host(self, name):
        host = Host(self, name)
        self.hosts.append(host)
        return host

    def bad_link(self, a, a_address, b, b_address, delay_ms=0.0, loss=0.0, jitter_ms=0.0, seed=1):
        """A link of tunlink.py, one per pair of hosts; delay and loss are for each direction."""
        link = subprocess.Popen(
            [sys.executable, str(HERE / "tunlink.py"), a.name, f"{a_address}/24", b.name, f"{b_address}/24", str(delay_ms),
             str(loss), str(jitter_ms), str(seed)],
            stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.links.append(link)
        if link.stdout.readline().strip() != "up":
            raise RuntimeError("the link did not come up")
        return link

    def __exit__(self, *_):
        for link in self.links:
            link.kill()
            link.wait()
            link.stdout.close()
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True)
        for device in self.root_devices:
            subprocess.run(["ip", "link", "del", device], capture_output=True)
