"""A TCP proxy that makes loopback a long way: each direction takes half a round trip, and a new connection waits for the round trip
that its handshake would have taken. It counts the trips too, by what could be known where: what a side sends is one way after
the latest that has been delivered to it."""
import asyncio, threading

LATE = 0.005    # s: how much too late a sleep may end; the rest is waited for awake


class Slow:
    """`with Slow(port, rtt_ms=50) as slow: … slow.port … slow.trips`."""

    def __init__(self, port, rtt_ms):
        self.to, self.rtt = port, rtt_ms / 1000
        self._ways = {"client": 0, "server": 0}

    @property
    def trips(self):
        """Round trips behind the latest that the client got. A slow machine adds none while it answers within one round trip."""
        return self._ways["client"] / 2

    async def _relay(self, reader, writer, come_from, to, not_before=0, ways=0):
        loop = asyncio.get_running_loop()
        queue = asyncio.Queue()

        async def deliver():
            while True:
                due, behind, data = await queue.get()
                await asyncio.sleep(max(0, due - loop.time() - LATE))
                while loop.time() < due:
                    await asyncio.sleep(0)
                if not data:
                    writer.close()
                    return
                self._ways[to] = max(self._ways[to], behind + 1)
                writer.write(data)

        sending = asyncio.create_task(deliver())
        try:
            while data := await reader.read(65536):
                queue.put_nowait((max(loop.time(), not_before) + self.rtt / 2, max(self._ways[come_from], ways), data))
        except ConnectionError:
            pass
        queue.put_nowait((loop.time() + self.rtt / 2, 0, b""))
        await sending

    async def _serve(self, reader, writer):
        open_at, ways = asyncio.get_running_loop().time() + self.rtt, self._ways["client"] + 2      # the handshake
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        try:
            await asyncio.gather(self._relay(reader, back, "client", "server", open_at, ways),
                                 self._relay(there, writer, "server", "client"), return_exceptions=True)
        except asyncio.CancelledError:      # the end of the loop, which asyncio's own callback would report as a failure
            pass

    async def _main(self, ready):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await self._stop.wait()
        server.close()

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
