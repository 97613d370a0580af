"""A line to another process of this home: each thread that asks has a connection of its own.

A thread that asks waits in the kernel for its own answer, so hundreds may wait at once without one
of them waking another.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kulla.kernel.edges import Clock
from kulla.lines.frames import Gathering, framed

_READ_BYTES: Final = 256 * 1024
_PAUSE_S: Final = 0.05


class _Mine(threading.local):
    """One thread's connection."""

    connection: socket.socket | None = None


class Line:
    """Asks the door at `path`. Safe to call from any thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._mine = _Mine()
        self._pause = threading.Event()

    def ask(self, message: bytes, wait_s: float) -> bytes | None:
        """The answer; None where none came within `wait_s`: it may have been done or not.

        Where the other process ended before it answered, it is asked again once it is back, so a
        question must be one that may be asked twice.
        """
        data = framed(message)
        end_s = self._clock.monotonic_s() + wait_s
        while True:
            left_s = end_s - self._clock.monotonic_s()
            if left_s <= 0:
                return None
            try:
                connection = self._connected(left_s)
                connection.sendall(data)
                return _one_message(connection)
            except TimeoutError:
                self._let_go()  # so that a late answer is never taken for the next one
                return None
            except OSError:
                self._let_go()
                self._pause.wait(min(_PAUSE_S, left_s))

    def listen(self, message: bytes) -> Iterator[bytes]:
        """Ask once and yield every message that comes after it, until the other process ends."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self.path))
            connection.sendall(framed(message))
            gathering = Gathering()
            while data := connection.recv(_READ_BYTES):
                yield from gathering.feed(data)
        except OSError:
            return
        finally:
            connection.close()

    def _connected(self, left_s: float) -> socket.socket:
        connection = self._mine.connection
        if connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(left_s)
            try:
                connection.connect(str(self.path))
            except OSError:
                connection.close()
                raise
            self._mine.connection = connection
        connection.settimeout(left_s)
        return connection

    def _let_go(self) -> None:
        if self._mine.connection is not None:
            self._mine.connection.close()
            self._mine.connection = None


def _one_message(connection: socket.socket) -> bytes:
    gathering = Gathering()
    while True:
        data = connection.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError
        messages = gathering.feed(data)
        if messages:
            return messages[0]
