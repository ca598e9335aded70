#!/usr/bin/env python3
"""A link with delay, jitter and loss between two network namespaces, in user space: the kernel's netem is not everywhere.

`tunlink.py NS_A ADDR_A/24 NS_B ADDR_B/24 DELAY_MS LOSS JITTER_MS SEED`: opens a TUN device `jt0` in each namespace and moves
packets between them through a heap by due time. LOSS is a share (0.02); jitter reorders. Prints `up`, then runs until
killed. The random numbers are seeded, so the same packets in the same order meet the same fate; assert on wide bands all
the same, for a busy machine loses and delays on its own.
"""
import ctypes, fcntl, heapq, os, random, selectors, struct, subprocess, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def open_tun(namespace, address):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(there, 0):
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"jt0", IFF_TUN | IFF_NO_PI))
    subprocess.check_call(["ip", "addr", "add", address, "dev", "jt0"])
    subprocess.check_call(["ip", "link", "set", "jt0", "up", "mtu", "1500"])
    libc.setns(home, 0)
    return fd


def main():
    a, b = open_tun(*sys.argv[1:3]), open_tun(*sys.argv[3:5])
    delay, loss, jitter = float(sys.argv[5]) / 1e3, float(sys.argv[6]), float(sys.argv[7]) / 1e3
    random.seed(sys.argv[8])
    selector, queue, number = selectors.DefaultSelector(), [], 0
    selector.register(a, selectors.EVENT_READ, b)
    selector.register(b, selectors.EVENT_READ, a)
    print("up", flush=True)
    while True:
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, fd, packet = heapq.heappop(queue)
            try:
                os.write(fd, packet)
            except BlockingIOError:
                pass  # The device's own queue is full: lost, as on any link.
        for key, _ in selector.select(max(0, queue[0][0] - now) if queue else 1.0):
            while True:
                try:
                    packet = os.read(key.fd, 2048)
                except BlockingIOError:
                    break
                if random.random() >= loss:
                    number += 1
                    heapq.heappush(queue, (time.monotonic() + delay + random.random() * jitter, number, key.data, packet))


if __name__ == "__main__":
    main()
