"""A TCP proxy that makes loopback a long way: each direction takes half a round trip, and a new connection waits for the round trip
that its handshake would have taken."""
import asyncio, threading


class Slow:
    """`with Slow(port, rtt_ms=50) as slow: … slow.port`."""

    def __init__(self, port, rtt_ms):
        self.to, self.rtt = port, rtt_ms / 1000

    async def _relay(self, reader, writer, not_before):
        loop = asyncio.get_running_loop()
        queue = asyncio.Queue()

        async def deliver():
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0, due - loop.time()))
                if not data:
                    writer.close()
                    return
                writer.write(data)

        sending = asyncio.create_task(deliver())
        try:
            while data := await reader.read(65536):
                queue.put_nowait((max(loop.time(), not_before) + self.rtt / 2, data))
        except ConnectionError:
            pass
        queue.put_nowait((loop.time() + self.rtt / 2, b""))
        await sending

    async def _serve(self, reader, writer):
        open_at = asyncio.get_running_loop().time() + self.rtt      # the handshake
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        await asyncio.gather(self._relay(reader, back, open_at), self._relay(there, writer, 0), return_exceptions=True)

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
