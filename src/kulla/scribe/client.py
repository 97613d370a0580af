"""How web workers and commands reach the scribe."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kulla.kernel.canonical import encode
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer, Witnessing
from kulla.lines.line import Line
from kulla.scribe.process import ASK_SOCKET
from kulla.scribe.wire import command_map, parse_answer, parse_map

_PAUSE_S = 0.2


class ScribeUnavailable(KullaError):
    """The scribe did not answer in time; what was asked may or may not have happened."""


class ScribeRefused(KullaError):
    """The scribe could not make sense of a question."""


class ScribeClient:
    """Asks the scribe whose socket lies in `run_folder`. Safe to call from any thread."""

    def __init__(self, run_folder: Path, clock: Clock) -> None:
        self._line = Line(run_folder / ASK_SOCKET, clock)

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """The scribe's answer; 'waiting' where it takes longer than `wait_s`.

        Raises ScribeRefused where the command is malformed.
        """
        fields = self._ask({"ask": "submit", **command_map(command)}, wait_s)
        return Answer("waiting") if fields is None else parse_answer(fields)

    def annul(self, note: bytes, parts: Sequence[bytes], wait_s: float) -> Answer:
        """What became of an undo that custodians signed; 'waiting' where it takes longer.

        Raises ScribeRefused where it is malformed.
        """
        ask: dict[str, Any] = {"ask": "annul", "note": note, "parts": list(parts)}
        fields = self._ask(ask, wait_s)
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
                place=str(self._line.path),
                remedy="See `kulla status`; nothing acknowledged is lost.",
            )
        return fields

    def _ask(self, ask: dict[str, Any], wait_s: float) -> dict[str, Any] | None:
        answer = self._line.ask(encode(ask), wait_s)
        if answer is None:
            return None
        fields = parse_map(answer)
        if fields.get("status") == "error":
            raise ScribeRefused(str(fields.get("error")))
        return fields


class News(threading.Thread):
    """Keeps the newest Witnessing that the scribe told; `latest` may be read by any thread."""

    def __init__(self, run_folder: Path, clock: Clock) -> None:
        super().__init__(name="scribe-news", daemon=True)
        self._line = Line(run_folder / ASK_SOCKET, clock)
        self._pause = threading.Event()
        self.latest = Witnessing(0, 0, 0, False)

    def run(self) -> None:
        """The thread: listen, and listen again once the scribe is back."""
        while True:
            for message in self._line.listen(encode({"ask": "news"})):
                fields = parse_map(message)
                self.latest = Witnessing(
                    fields["watermark"], fields["size"], fields["moved_ms"], fields["quorum"]
                )
            self._pause.wait(_PAUSE_S)
