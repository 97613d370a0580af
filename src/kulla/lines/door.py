"""The door of a process: many lines come in, one thread takes what they ask and answers.

    for token, message in door.take(wait_s): ...
    door.send(token, answer)

A token names one connection; an answer to a connection that is gone is dropped. `wake` may be
called from any thread and ends a `take` or `rest` that waits; everything else is for one thread.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
from pathlib import Path
from typing import Final

from kulla.lines.frames import FrameTooLong, Gathering, framed

_BACKLOG: Final = 1024
_READ_BYTES: Final = 256 * 1024
_UNSENT_BYTES_MAX: Final = 128 * 2**20


class _Guest:
    """One connection: what came of a message that is not whole yet, and what is not sent yet."""

    __slots__ = ("coming", "going", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.coming = Gathering()
        self.going = bytearray()


class Door:
    """Listens at a Unix socket. The folder's mode says who may come in."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`, in the place of whatever an earlier process left there."""
        path.unlink(missing_ok=True)
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(_BACKLOG)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.EpollSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, 0)
        self._selector.register(self._bell, selectors.EVENT_READ, -1)
        self._guests: dict[int, _Guest] = {}
        self._number = 0

    def take(self, wait_s: float) -> list[tuple[int, bytes]]:
        """The messages that wait, with the tokens of who sent them; waits at most `wait_s`."""
        taken: list[tuple[int, bytes]] = []
        for key, events in self._selector.select(wait_s):
            token: int = key.data
            if token == 0:
                self._let_in()
            elif token < 0:
                os.eventfd_read(self._bell)
            else:
                if events & selectors.EVENT_WRITE:
                    self._send_on(token)
                if events & selectors.EVENT_READ:
                    self._read(token, taken)
        return taken

    def rest(self, wait_s: float) -> None:
        """Wait for `wake` alone, at most `wait_s`; what comes meanwhile waits at the door.

        So a batch gathers without a turn of the thread for each message of it.
        """
        if select.select([self._bell], [], [], max(0.0, wait_s))[0]:
            os.eventfd_read(self._bell)

    def wake(self) -> None:
        """End the `take` or `rest` that waits now, or the next one. From any thread."""
        os.eventfd_write(self._bell, 1)

    def send(self, token: int, message: bytes) -> bool:
        """Send a message without waiting; False where nobody is there to take it."""
        guest = self._guests.get(token)
        if guest is None:
            return False
        data = framed(message)
        if guest.going:
            guest.going += data
            if len(guest.going) > _UNSENT_BYTES_MAX:
                self._let_go(token)
                return False
            return True
        try:
            sent = guest.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._let_go(token)
            return False
        if sent < len(data):
            guest.going += data[sent:]
            self._selector.modify(guest.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, token)
        return True

    def close(self) -> None:
        """Let everybody go."""
        for token in list(self._guests):
            self._let_go(token)
        self._selector.close()
        self._listener.close()
        os.close(self._bell)
        self._path.unlink(missing_ok=True)

    def _let_in(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            self._number += 1
            self._guests[self._number] = _Guest(connection)
            self._selector.register(connection, selectors.EVENT_READ, self._number)

    def _read(self, token: int, taken: list[tuple[int, bytes]]) -> None:
        guest = self._guests.get(token)
        if guest is None:
            return
        try:
            data = guest.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            messages = guest.coming.feed(data) if data else None
        except FrameTooLong:
            messages = None
        if messages is None:
            self._let_go(token)
            return
        taken.extend((token, message) for message in messages)

    def _send_on(self, token: int) -> None:
        guest = self._guests.get(token)
        if guest is None:
            return
        try:
            sent = guest.socket.send(guest.going)
        except BlockingIOError:
            return
        except OSError:
            self._let_go(token)
            return
        del guest.going[:sent]
        if not guest.going:
            self._selector.modify(guest.socket, selectors.EVENT_READ, token)

    def _let_go(self, token: int) -> None:
        guest = self._guests.pop(token)
        self._selector.unregister(guest.socket)
        guest.socket.close()
