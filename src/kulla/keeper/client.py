"""How the rest of a home reaches the keeper: one DEALER socket for each thread that asks."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import zmq

from kulla.keeper import wire
from kulla.keeper.errors import AskMalformed, KeeperUnavailable
from kulla.keeper.port import Adopted, Enrolled
from kulla.kernel.canonical import NotCanonical, Value, encode
from kulla.kernel.edges import Clock, SystemClock

_ASK_AGAIN_S = 1.0
_ADOPT_WAIT_S = 60.0


class _Line(threading.local):
    """One thread's socket and the number of its last question."""

    socket: zmq.Socket[bytes] | None = None
    number: int = 0


class KeeperClient:
    """See kulla.keeper.port.Keeper. Asks the keeper whose socket lies in `run_folder`.

    Safe to call from any thread. A question that is not answered within a second is asked again,
    so that a keeper that was started anew in between answers it; after `wait_s` in all it raises
    KeeperUnavailable.
    """

    def __init__(
        self, run_folder: Path, *, wait_s: float = 5.0, clock: Clock | None = None
    ) -> None:
        self._path = run_folder / wire.SOCKET
        self._wait_s = wait_s
        self._clock = clock or SystemClock()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._line = _Line()

    def enrol(self, count: int) -> list[Enrolled]:
        """See Keeper."""
        found = self._ask({"ask": "enrol", "count": count}, self._wait_s)
        return [Enrolled(*each) for each in found]

    def seal(
        self, subject: str, fields: Mapping[str, str], purpose: str, once: bytes = b""
    ) -> dict[str, bytes]:
        """See Keeper."""
        ask: dict[str, Value] = {
            "ask": "seal",
            "subject": subject,
            "fields": fields,
            "purpose": purpose,
            "once": once,
        }
        sealed: dict[str, bytes] = self._ask(ask, self._wait_s)
        return sealed

    def open(
        self, subject: str, sealed: Mapping[str, bytes], purpose: str, asker: str, reason: str
    ) -> dict[str, str]:
        """See Keeper. Where it was asked again, the openings log may show it twice."""
        ask: dict[str, Value] = {
            "ask": "open",
            "subject": subject,
            "sealed": sealed,
            "purpose": purpose,
            "asker": asker,
            "reason": reason,
        }
        opened: dict[str, str] = self._ask(ask, self._wait_s)
        return opened

    def wrapped(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """See Keeper."""
        found = self._ask({"ask": "wrapped", "names": list(names)}, self._wait_s)
        return dict(found)

    def adopt(self, recovery_private: bytes, blobs: Iterable[bytes]) -> Adopted:
        """See Keeper. Sends blobs in parts, each of which is durable once the next is sent."""
        subjects, refused = 0, list[bytes]()
        waiting = iter(blobs)
        some = list(islice(waiting, wire.BLOBS_MAX))
        while True:
            ask: dict[str, Value] = {"ask": "adopt", "blobs": some}
            ask["recovery_private"] = recovery_private
            subjects, names = self._ask(ask, _ADOPT_WAIT_S)
            refused += names
            some = list(islice(waiting, wire.BLOBS_MAX))
            if not some:
                return Adopted(subjects, tuple(refused))

    def _ask(self, ask: Mapping[str, Value], wait_s: float) -> Any:
        """The value of the answer; raises the error it stands for, or KeeperUnavailable."""
        line, clock = self._line, self._clock
        if line.socket is None:
            line.socket = self._context.socket(zmq.DEALER)
            line.socket.set(zmq.LINGER, 0)
            line.socket.set(zmq.IMMEDIATE, 1)  # nothing is queued for a keeper that is away
            line.socket.set(zmq.RECONNECT_IVL, 50)
            line.socket.connect(f"ipc://{self._path}")
        line.number += 1
        mine, frame = line.number.to_bytes(8, "big"), _frame(ask)
        end_s = clock.monotonic_s() + wait_s
        again_s = 0.0
        while (now_s := clock.monotonic_s()) < end_s:
            if now_s >= again_s:
                if not line.socket.poll(int((end_s - now_s) * 1000) + 1, zmq.POLLOUT):
                    break
                line.socket.send_multipart([mine, frame])
                again_s = clock.monotonic_s() + _ASK_AGAIN_S
            left_s = max(0.0, min(again_s, end_s) - clock.monotonic_s())
            if line.socket.poll(int(left_s * 1000) + 1):
                number, reply = line.socket.recv_multipart()
                if number == mine:
                    return _value(wire.parse(reply))
        raise KeeperUnavailable(
            "the keeper does not answer.",
            place=str(self._path),
            remedy="See `kulla status`; nothing acknowledged is lost.",
        )


def _frame(ask: Mapping[str, Value]) -> bytes:
    try:
        return encode(ask)
    except (NotCanonical, UnicodeEncodeError) as error:
        raise AskMalformed("this question has no encoding.", place=str(ask["ask"])) from error


def _value(fields: Mapping[str, Any]) -> Any:
    if fields.get("status") == "ok":
        return fields.get("value")
    raise wire.raised(fields)
