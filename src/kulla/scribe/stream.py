"""Rounds on their way to one embassy without waiting for each answer: HTTP/1.1 pipelining.

An embassy abroad is tens of milliseconds away, and a round takes two requests. Sent one after the
other, each waits for the answer to the last, and a thousand acts wait with it. So while an embassy
is level with home, its requests follow each other on one connection; it answers them in order.

Only what every HTTP server says is read here: a status, a length, a body. Whatever else comes ends
the stream, and the round is brought again step by step (`embassy.courier`), which knows what to do.
"""

from __future__ import annotations

import select
import socket
import ssl
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from kulla.embassy.errors import AnswerInvalid, Unreachable
from kulla.kernel.edges import Clock

_READ_BYTES: Final = 1 << 16
_HEAD_BYTES_MAX: Final = 1 << 15
_BODY_BYTES_MAX: Final = 1 << 20


class StreamAnswer(NamedTuple):
    """What came back for one request."""

    status: int
    body: bytes


class Stream:
    """One pipelined connection, made when it is first needed. Not for two threads.

    The embassy is given up where nothing comes for `timeout_s` although something is under way.
    """

    def __init__(self, url: str, clock: Clock, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        self._place = url
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._name = parts.netloc.rpartition("@")[2]
        self._clock = clock
        self._timeout_s = timeout_s
        self._connection: socket.socket | None = None
        self._data = b""
        self._unanswered = 0
        self._heard_s = 0.0

    def send(self, *requests: tuple[str, bytes]) -> None:
        """Send POST requests, each a path and its body, at once. Raises Unreachable."""
        parts: list[bytes] = []
        for path, body in requests:
            head = (
                f"POST {self._prefix}{path} HTTP/1.1\r\nHost: {self._name}\r\n"
                f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            parts += (head.encode("ascii"), body)
        connection = self._connected()
        if not self._unanswered:
            self._heard_s = self._clock.monotonic_s()
        self._unanswered += len(requests)
        try:
            connection.sendall(b"".join(parts))
        except OSError as error:
            raise self._broken(error) from error

    def answered(self, bell: int) -> bool:
        """Wait for something to read (True) or for the `bell`, an eventfd (False).

        Raises Unreachable.
        """
        connection = self._connected()
        if self._data or (isinstance(connection, ssl.SSLSocket) and connection.pending()):
            return True
        poller = select.poll()
        poller.register(connection, select.POLLIN)
        poller.register(bell, select.POLLIN)
        left_s = self._heard_s + self._timeout_s - self._clock.monotonic_s()
        ready = poller.poll(max(0.0, left_s) * 1000)
        if not ready:
            raise self._broken(TimeoutError(f"nothing came for {self._timeout_s:g} s"))
        return any(number == connection.fileno() for number, _ in ready)

    def answer(self) -> StreamAnswer:
        """The next answer, waited for. Raises Unreachable, or AnswerInvalid where it is no such."""
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            if len(self._data) > _HEAD_BYTES_MAX:
                raise AnswerInvalid("the head of an answer is too long.", place=self._place)
            self._read()
        head = self._data[:end].decode("latin-1").split("\r\n")
        status, length = self._status(head[0]), self._length(head[1:])
        start = end + 4
        while len(self._data) < start + length:
            self._read()
        body, self._data = self._data[start : start + length], self._data[start + length :]
        self._unanswered -= 1
        self._heard_s = self._clock.monotonic_s()
        return StreamAnswer(status, body)

    def close(self) -> None:
        """Let go of the connection and of whatever is under way on it."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._data, self._unanswered = None, b"", 0

    def _connected(self) -> socket.socket:
        if self._connection is None:
            try:
                made = socket.create_connection((self._host, self._port), self._timeout_s)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    context = ssl.create_default_context()
                    made = context.wrap_socket(made, server_hostname=self._host)
            except OSError as error:
                raise self._broken(error) from error
            self._connection = made
        return self._connection

    def _read(self) -> None:
        try:
            data = self._connected().recv(_READ_BYTES)
        except OSError as error:
            raise self._broken(error) from error
        if not data:
            raise self._broken(ConnectionResetError("it hung up"))
        self._data += data

    def _status(self, line: str) -> int:
        version, _, rest = line.partition(" ")
        code = rest[:3]
        if version != "HTTP/1.1" or not (code.isascii() and code.isdigit() and len(code) == 3):
            raise AnswerInvalid("this is no answer in HTTP/1.1.", place=self._place)
        return int(code)

    def _length(self, lines: list[str]) -> int:
        found = ""
        for line in lines:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                found = value.strip()
            elif name.lower() == "transfer-encoding":
                found = ""
                break
        if not (found.isascii() and found.isdigit()) or int(found) > _BODY_BYTES_MAX:
            raise AnswerInvalid("an answer does not say how long it is.", place=self._place)
        return int(found)

    def _broken(self, error: OSError) -> Unreachable:
        self.close()
        return Unreachable(
            f"the embassy does not answer ({type(error).__name__}: {error}).",
            place=self._place,
            remedy="See whether it runs and its address is right; what was asked may be done.",
        )
