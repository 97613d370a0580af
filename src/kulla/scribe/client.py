"""How web workers and commands reach the scribe: one DEALER socket for each thread that asks."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import zmq

from kulla.kernel.canonical import encode
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer, Witnessing
from kulla.scribe.process import ASK_SOCKET, NEWS_SOCKET
from kulla.scribe.wire import command_map, parse_answer, parse_map


class ScribeUnavailable(KullaError):
    """The scribe did not answer in time; what was asked may or may not have happened."""


class ScribeRefused(KullaError):
    """The scribe could not make sense of a question."""


class _Line(threading.local):
    """One thread's socket and the number of its last question."""

    socket: zmq.Socket[bytes] | None = None
    number: int = 0


class ScribeClient:
    """Asks the scribe whose sockets lie in `run_folder`. Safe to call from any thread."""

    def __init__(self, run_folder: Path, clock: Clock) -> None:
        self._folder = run_folder
        self._clock = clock
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._line = _Line()

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """The scribe's answer; 'waiting' where it takes longer than `wait_s`.

        Raises ScribeRefused where the command is malformed.
        """
        fields = self._ask({"ask": "submit", **command_map(command)}, wait_s)
        return Answer("waiting") if fields is None else parse_answer(fields)

    def receipt(self, position: int, subject: str, wait_s: float = 5.0) -> bytes:
        """The receipt of an act.

        Raises ScribeRefused where `subject` has no part in it or it is not yet witnessed.
        """
        ask = {"ask": "receipt", "position": position, "subject": subject}
        receipt = self._answered(ask, wait_s)["receipt"]
        assert isinstance(receipt, bytes)
        return receipt

    def state(self, wait_s: float = 2.0) -> dict[str, Any]:
        """What the scribe says of itself: witnessing, reachable embassies, services set aside."""
        return self._answered({"ask": "state"}, wait_s)

    def _answered(self, ask: dict[str, Any], wait_s: float) -> dict[str, Any]:
        fields = self._ask(ask, wait_s)
        if fields is None:
            raise ScribeUnavailable(
                "the scribe does not answer.",
                place=str(self._folder / ASK_SOCKET),
                remedy="See `kulla status`; nothing acknowledged is lost.",
            )
        return fields

    def _ask(self, ask: dict[str, Any], wait_s: float) -> dict[str, Any] | None:
        line = self._line
        if line.socket is None:
            line.socket = self._context.socket(zmq.DEALER)
            line.socket.set(zmq.LINGER, 0)
            line.socket.connect(f"ipc://{self._folder / ASK_SOCKET}")
        line.number += 1
        mine = line.number.to_bytes(8, "big")
        line.socket.send_multipart([mine, encode(ask)])
        end_s = self._clock.monotonic_s() + wait_s
        while (left_s := end_s - self._clock.monotonic_s()) > 0:
            if not line.socket.poll(int(left_s * 1000) + 1):
                return None
            number, frame = line.socket.recv_multipart()
            if number != mine:
                continue  # the answer to an earlier question that was given up
            fields = parse_map(frame)
            if fields.get("status") == "error":
                raise ScribeRefused(str(fields.get("error")))
            return fields
        return None


class News(threading.Thread):
    """Keeps the newest Witnessing that the scribe published; `latest` may be read by any thread."""

    def __init__(self, run_folder: Path) -> None:
        super().__init__(name="scribe-news", daemon=True)
        self._address = f"ipc://{run_folder / NEWS_SOCKET}"
        self.latest = Witnessing(0, 0, 0, False)

    def run(self) -> None:
        """The thread."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        socket = context.socket(zmq.SUB)
        socket.set(zmq.CONFLATE, 1)
        socket.set(zmq.SUBSCRIBE, b"")
        socket.connect(self._address)
        while True:
            fields = parse_map(socket.recv())
            self.latest = Witnessing(
                fields["watermark"], fields["size"], fields["moved_ms"], fields["quorum"]
            )
