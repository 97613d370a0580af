"""How the rest of a home reaches the keeper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from kulla.keeper import wire
from kulla.keeper.errors import AskMalformed, KeeperUnavailable
from kulla.keeper.port import Adopted, Enrolled
from kulla.kernel.canonical import NotCanonical, Value, encode
from kulla.kernel.edges import Clock, SystemClock
from kulla.lines.line import Line

_ADOPT_WAIT_S = 60.0


class KeeperClient:
    """See kulla.keeper.port.Keeper. Asks the keeper whose socket lies in `run_folder`.

    Safe to call from any thread. A question whose line breaks is asked again, so that a keeper that
    was started anew in between answers it; after `wait_s` in all it raises KeeperUnavailable.
    """

    def __init__(
        self, run_folder: Path, *, wait_s: float = 5.0, clock: Clock | None = None
    ) -> None:
        self._wait_s = wait_s
        self._line = Line(run_folder / wire.SOCKET, clock or SystemClock())

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

    def token(self, column: str, value: str) -> bytes:
        """See Keeper."""
        found: bytes = self._ask({"ask": "token", "column": column, "value": value}, self._wait_s)
        return found

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
        reply = self._line.ask(_frame(ask), wait_s)
        if reply is not None:
            return _value(wire.parse(reply))
        raise KeeperUnavailable(
            "the keeper does not answer.",
            place=str(self._line.path),
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
