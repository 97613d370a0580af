"""Lines between home and embassies that a drill can cut, hang, hold back, slow and bar.

One small TCP proxy a line, all of them in a thread of their own, so that a line goes on while
citizens are at work. Bytes are passed on as they come; nothing here knows HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

_LOOPBACK: Final = "127.0.0.1"
_READ_BYTES: Final = 1 << 16
_WAITING_PIECES_MAX: Final = 256
_RESET: Final = struct.pack("ii", 1, 0)

State = Literal["open", "hung", "cut"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a line is, each way: seconds that every byte takes, and bytes a second (0: all)."""

    delay_s: float = 0.0
    bytes_per_s: int = 0


class _Connection:
    """One connection through a line: two pumps, and what waits in them."""

    def __init__(self, line: Line, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.line = line
        self.writers = (near, far)
        self.from_port: int = near.get_extra_info("peername")[1]

    async def carry(self, near: asyncio.StreamReader, far: asyncio.StreamReader) -> None:
        """Pass both ways until both ends are closed, or the line is broken off."""
        up = asyncio.create_task(self._pump(near, self.writers[1]))
        down = asyncio.create_task(self._pump(far, self.writers[0]))
        await asyncio.gather(up, down, return_exceptions=True)
        self.abort()

    def abort(self) -> None:
        """Break it off, so that each end hears of it at once; what waits here is gone."""
        for writer in self.writers:
            _reset(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read what comes, and pass it on when the line lets it."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING_PIECES_MAX)
        passing = asyncio.create_task(self._pass_on(waiting, writer))
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(_READ_BYTES):
                await waiting.put((loop.time(), data))
            await waiting.put((loop.time(), b""))
            await passing
        except OSError:
            self.abort()
        finally:
            passing.cancel()

    async def _pass_on(
        self, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop, line = asyncio.get_running_loop(), self.line
        try:
            while True:
                came_s, data = await waiting.get()
                if line.pace.delay_s:
                    await asyncio.sleep(came_s + line.pace.delay_s - loop.time())
                await line.is_open.wait()
                if writer.is_closing():
                    return  # it was broken off meanwhile, and what waited is gone
                if not data:
                    writer.write_eof()
                    return
                line.bytes_passed += len(data)
                writer.write(data)
                await writer.drain()
                if line.pace.bytes_per_s:
                    await asyncio.sleep(len(data) / line.pace.bytes_per_s)
        except OSError:
            self.abort()


class Line:
    """The line to one embassy. Ask `Lines` to change it; attributes may be read by any thread."""

    def __init__(self, name: str, port: int, embassy_port: int) -> None:
        self.name = name
        self.port = port
        self.pace = Pace()
        self.is_open = asyncio.Event()
        self.bytes_passed = 0
        self.broken = 0
        self._embassy_port = embassy_port
        self._state: State = "open"
        self._barred: Callable[[int], bool] = lambda _: False
        self._connections: set[_Connection] = set()
        self.is_open.set()

    def set_state(self, state: State) -> None:
        """open: all passes. hung: nothing passes and nobody is told. cut: broken, and refused."""
        self._state = state
        if state == "open":
            self.is_open.set()
            return
        self.is_open.clear()
        if state == "cut":
            self.break_off()

    def bar(self, barred: Callable[[int], bool]) -> None:
        """Break and refuse connections that come from a port for which `barred` is true."""
        self._barred = barred
        for connection in list(self._connections):
            if barred(connection.from_port):
                self._break(connection)

    def break_off(self) -> None:
        """Break every connection; what was on its way is gone."""
        for connection in list(self._connections):
            self._break(connection)

    def _break(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self.broken += 1
        connection.abort()

    async def serve(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection that was made to this line."""
        if self._state == "cut" or self._barred(writer.get_extra_info("peername")[1]):
            self.broken += 1
            _reset(writer)
            return
        try:
            await self.is_open.wait()
            far, far_writer = await asyncio.open_connection(_LOOPBACK, self._embassy_port)
        except OSError:
            _reset(writer)
            return
        connection = _Connection(self, writer, far_writer)
        self._connections.add(connection)
        try:
            with suppress(asyncio.CancelledError):  # the drill is over
                await connection.carry(near, far)
        finally:
            self._connections.discard(connection)


class Lines(threading.Thread):
    """All lines of a drill. `start`, change them from any thread, `end`."""

    def __init__(self, ports: Mapping[str, tuple[int, int]]) -> None:
        """`ports`: of each embassy the port of its line, and the one that it listens at."""
        super().__init__(name="drill-lines", daemon=True)
        self._loop = asyncio.new_event_loop()
        self._lines = {name: Line(name, *pair) for name, pair in ports.items()}
        self._servers: list[asyncio.Server] = []

    def __getitem__(self, name: str) -> Line:
        return self._lines[name]

    def run(self) -> None:
        """The thread."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        with suppress(Exception):
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def open(self) -> None:
        """Start the thread, and listen. Raises OSError where a port is taken."""
        self.start()
        self._in_loop(self._listen())

    def set_pace(self, pace: Pace, name: str) -> None:
        """Make one line so slow from now on."""
        self[name].pace = pace

    def set_state(self, state: State, *names: str) -> None:
        """Set the state of these lines at once; of all where none is named. See Line."""
        chosen = [self[name] for name in names or self._lines]
        self._with(chosen, lambda line: line.set_state(state))

    def break_off(self) -> None:
        """Break every connection of every line, with what waits in it."""
        self._with(self._lines.values(), Line.break_off)

    def bar(self, barred: Callable[[int], bool]) -> None:
        """Let no line serve connections from ports for which `barred` is true."""
        self._with(self._lines.values(), lambda line: line.bar(barred))

    @property
    def broken(self) -> int:
        """How many connections were broken or refused."""
        return sum(line.broken for line in self._lines.values())

    def end(self) -> None:
        """Stop listening, break what is there, end the thread."""
        if self.is_alive():
            self.break_off()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self.join()

    async def _listen(self) -> None:
        for line in self._lines.values():
            server = await asyncio.start_server(line.serve, _LOOPBACK, line.port, backlog=512)
            self._servers.append(server)

    def _with(self, lines: Iterable[Line], do: Callable[[Line], None]) -> None:
        async def run() -> None:
            for line in lines:
                do(line)

        self._in_loop(run())

    def _in_loop(self, doing: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other end gets an RST: it hears of it at once."""
    found = writer.get_extra_info("socket")
    with suppress(OSError):
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
