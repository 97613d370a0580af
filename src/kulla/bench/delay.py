"""A TCP proxy that lets everything through a fixed time later, in order, each way.

It stands between a scribe and its embassies to see what distance costs. It delays bytes, not the
handshake: kept connections make no difference, and a fresh one would be that much too quick.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from typing import Final

_READ_BYTES: Final = 1 << 16
_PIECES_MAX: Final = 4096


class DelayProxy:
    """Listens on loopback ports and forwards each to its target; every byte is `delay_s` late."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._servers: list[asyncio.Server] = []
        self._streams: set[asyncio.Task[None]] = set()

    async def listen(self, target_port: int, port: int = 0) -> int:
        """Forward a port (0: any free one) to `target_port` of this machine; the port it has."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(target_port, reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        self._servers.append(server)
        taken: int = server.sockets[0].getsockname()[1]
        return taken

    async def close(self) -> None:
        """Stop listening and drop what is under way."""
        for server in self._servers:
            server.close()
        for stream in list(self._streams):
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)

    async def _serve(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            # The target is away: to the client it looks as if the connection broke.
            writer.close()
            return
        streams = [
            asyncio.create_task(self._stream(reader, far_writer)),
            asyncio.create_task(self._stream(far_reader, writer)),
        ]
        self._streams.update(streams)
        await asyncio.gather(*streams, return_exceptions=True)
        self._streams.difference_update(streams)

    async def _stream(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """One direction: what is read is put on a shelf with the time at which it may leave."""
        shelf: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES_MAX)
        taker = asyncio.create_task(self._pass_on(shelf, sink))
        now_s = asyncio.get_running_loop().time
        try:
            while data := await source.read(_READ_BYTES):
                await shelf.put((now_s() + self._delay_s, data))
            await shelf.put((now_s() + self._delay_s, b""))
            await taker
        except OSError:
            sink.close()
        finally:
            taker.cancel()

    async def _pass_on(
        self, shelf: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter
    ) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            due_s, data = await shelf.get()
            wait_s = due_s - now_s()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if not data:
                sink.close()
                return
            with contextlib.suppress(OSError):
                sink.write(data)
                await sink.drain()


def serve(ports: Sequence[tuple[int, int]], delay_s: float, ready: Callable[[], None]) -> None:
    """Forward each (port, target port) until SIGTERM or SIGINT; `ready` is told once it listens."""

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        proxy = DelayProxy(delay_s)
        for port, target in ports:
            await proxy.listen(target, port)
        ready()
        await stop.wait()
        await proxy.close()

    asyncio.run(run())
