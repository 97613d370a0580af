"""The scribe as a process: one thread that decides, couriers beside it, sockets in front.

Web workers ask over a Unix socket in the run folder (mode 0700: who can open it is home). Whoever
asks for news is told of the watermark whenever it moves, and each second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import structlog

from kulla.journal.notes import NoteSignature
from kulla.kernel.canonical import encode
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Command, NewAct
from kulla.kernel.tower import Answer
from kulla.lines.door import Door
from kulla.scribe.quorum import CosignatureRefused
from kulla.scribe.scribe import Scribe
from kulla.scribe.wire import (
    MalformedAsk,
    answer_map,
    parse_command,
    parse_map,
    witnessing_map,
)

log = structlog.get_logger()

ASK_SOCKET = "scribe.sock"
_NEWS_EVERY_S = 1.0
_PATIENCE_S = 1.0
_WAIT_AGAIN_S = 2.0
_WAIT_S = 0.1

Token = int


class CourierBroken(KullaError):
    """A courier met what it can't mend; the process ends, and a restart recovers."""


class Receipts(Protocol):
    """Makes receipts (scribe.receipts.ReceiptDesk)."""

    def receipt(self, position: int, subject: str) -> bytes:
        """The receipt of an act for one who is party to it; raises KullaError otherwise."""
        ...


class CourierLike(Protocol):
    """What the process needs of a courier."""

    def send(self, parcel: Any) -> None:
        """Queue a round."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How rounds are spaced.

    `gap_s` is the least time between the starts of two rounds: it makes batches large enough that
    four embassies' fsyncs don't become the work.
    """

    gap_s: float = 0.05


class ScribeProcess:
    """Joins a Scribe with its sockets and couriers; `run` returns after `stop`."""

    def __init__(
        self,
        scribe: Scribe[Token],
        receipts: Receipts,
        run_folder: Path,
        clock: Clock,
        is_quorum: Callable[[set[str]], bool],
        pace: Pace = Pace(),
        *,
        policies: Sequence[int] = (),
        outdated: Callable[[], bool] = lambda: False,
        on_sealed: Callable[[str, bytes], None] = lambda *_: None,
    ) -> None:
        """`policies`: versions that witnesses are counted by, for who asks how it is.

        `outdated` is asked each second; once it is True, `run` ends, to be started anew.
        `on_sealed(embassy, statement)` hears of each embassy that says the epoch is over; it raises
        where so many say so, and prove it, that this home must serve no more.
        """
        self._policies = list(policies)
        self._outdated = outdated
        self._scribe = scribe
        self._receipts = receipts
        self._clock = clock
        self._is_quorum = is_quorum
        self._pace = pace
        self._on_sealed = on_sealed
        self._door = Door(run_folder / ASK_SOCKET)
        self._annulments: list[tuple[Token, bytes, list[bytes]]] = []
        self._told: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._subscribers: set[Token] = set()
        self._reachable: set[str] = set()
        self._lost_quorum_s: float | None = clock.monotonic_s()
        self._stopping = False

    def notifier(self) -> Notifier:
        """A way for other threads to tell this one what happened."""
        return Notifier(self._told, self._door.wake)

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler."""
        self._stopping = True

    def wait_for(self, check: Callable[[], None], again: type[KullaError]) -> None:
        """Answer 'no-quorum' and publish that, until `check` passes; it is tried every two seconds.

        Goes on for as long as `check` raises `again`; anything else that it raises goes through.
        """
        next_s, warned = 0.0, False
        while not self._stopping:
            now_s = self._clock.monotonic_s()
            if now_s >= next_s:
                try:
                    return check()
                except again as error:
                    if not warned:
                        log.warning("waiting for embassies", error=str(error))
                    next_s, warned = self._clock.monotonic_s() + _WAIT_AGAIN_S, True
            self._scribe.quorum_reachable(False)
            self._tell_news()
            self._stop_if_outdated()
            asked: list[tuple[Token, Command]] = []
            self._listen(asked, _WAIT_S)
            waiting = [token for token, _ in asked] + [ask[0] for ask in self._annulments]
            self._annulments.clear()
            for token in waiting:
                self._send(token, answer_map(Answer("unavailable", code="no-quorum")))
        return None

    def run(self, couriers: Sequence[CourierLike], opening: NewAct | None = None) -> None:
        """Serve until `stop`. Whatever ends it early ends the process: a restart recovers."""

        def to_all(parcel: Any) -> None:
            for courier in couriers:
                courier.send(parcel)

        self._scribe.start(to_all, opening)
        asked: list[tuple[Token, Command]] = []
        round_s = news_s = kept_s = 0.0
        while not self._stopping:
            wait_s = self._wait_s(asked, round_s)
            if asked:
                self._door.rest(wait_s)
                wait_s = 0.0
            moved = self._hear()
            self._listen(asked, 0.0 if moved else wait_s)
            moved = self._hear() or moved
            now_s = self._clock.monotonic_s()
            if asked and self._may_start(now_s, round_s):
                batch, asked = asked[:512], asked[512:]
                self._reply(self._scribe.take(batch))
                round_s, moved = now_s, True
            while self._annulments:
                self._reply(self._scribe.annul(*self._annulments.pop(0)))
                moved = True
            if now_s - kept_s >= _NEWS_EVERY_S:  # however busy it is: who reads the folder sees it
                self._scribe.keep_checkpoint()
                self._stop_if_outdated()
                kept_s = now_s
            if moved or now_s - news_s >= _NEWS_EVERY_S:
                self._publish(now_s)
                news_s = now_s
        self._scribe.keep_checkpoint()
        self._door.close()

    def _stop_if_outdated(self) -> None:
        if self._outdated():
            log.warning("the policy changed: the scribe ends, to be started anew")
            self._stopping = True

    def _may_start(self, now_s: float, round_s: float) -> bool:
        if not self._scribe.may_take:
            # Without a quorum rounds don't come back; commands must still get their 'no-quorum'.
            return self._lost_quorum_s is not None
        return now_s - round_s >= self._pace.gap_s

    def _wait_s(self, asked: Sequence[object], round_s: float) -> float:
        if not asked or not self._scribe.may_take:
            return _WAIT_S
        return max(0.0, round_s + self._pace.gap_s - self._clock.monotonic_s())

    def _hear(self) -> bool:
        """Take what the couriers say; True where the watermark moved."""
        moved = False
        while not self._told.empty():
            kind, embassy, *rest = self._told.get_nowait()
            if kind == "broken":
                raise CourierBroken(f"a courier can't go on: {rest[0]}") from rest[0]
            if kind == "sealed":
                self._on_sealed(embassy, rest[0])
                continue
            if kind == "state":
                self._note_state(embassy, rest[0])
                continue
            size, signature = rest
            self._note_state(embassy, True)
            before = self._scribe.watermark
            try:
                self._reply(self._scribe.held(embassy, size, signature))
            except CosignatureRefused as error:
                log.critical("false cosignature", embassy=embassy, error=str(error))
                self._note_state(embassy, False)
            moved = moved or self._scribe.watermark != before
        return moved

    def _note_state(self, embassy: str, reachable: bool) -> None:
        (self._reachable.add if reachable else self._reachable.discard)(embassy)

    def _listen(self, asked: list[tuple[Token, Command]], wait_s: float) -> None:
        """Take the questions that wait at the door; commands go to `asked`, others are answered."""
        for token, message in self._door.take(wait_s):
            try:
                fields = parse_map(message)
                if fields.get("ask") == "submit":
                    asked.append((token, parse_command(fields)))
                else:
                    self._answer_other(token, fields)
            except KullaError as error:
                self._send(token, {"status": "error", "error": str(error)})

    def _answer_other(self, token: Token, fields: dict[str, Any]) -> None:
        match fields:
            case {"ask": "receipt", "position": int(position), "subject": str(subject)}:
                receipt = self._receipts.receipt(position, subject)
                self._send(token, {"status": "ok", "receipt": receipt})
            case {"ask": "annul", "note": bytes(note), "parts": list(parts)}:
                if not all(isinstance(part, bytes) for part in parts):
                    raise MalformedAsk("a part of an undo is bytes.", place="parts")
                self._annulments.append((token, note, parts))
            case {"ask": "news"}:
                self._subscribers.add(token)
            case {"ask": "state"}:
                self._send(
                    token,
                    {
                        "status": "ok",
                        "witnessing": witnessing_map(self._scribe.witnessing()),
                        "reachable": sorted(self._reachable),
                        "set_aside": dict(self._scribe.set_aside),
                        "policies": self._policies,
                    },
                )
            case _:
                raise MalformedAsk("the scribe answers no such question.", place="ask")

    def _publish(self, now_s: float) -> None:
        if self._is_quorum(self._reachable):
            self._lost_quorum_s = None
        elif self._lost_quorum_s is None:
            self._lost_quorum_s = now_s
        lost = self._lost_quorum_s is not None and now_s - self._lost_quorum_s > _PATIENCE_S
        self._scribe.quorum_reachable(not lost)
        self._tell_news()

    def _tell_news(self) -> None:
        news = encode(witnessing_map(self._scribe.witnessing()))
        gone = [token for token in self._subscribers if not self._door.send(token, news)]
        self._subscribers.difference_update(gone)

    def _reply(self, replies: Sequence[tuple[Token, Answer]]) -> None:
        for token, answer in replies:
            self._send(token, answer_map(answer))

    def _send(self, token: Token, fields: dict[str, Any]) -> None:
        # Whoever asked may be gone; a repeat of the command gets the same answer.
        self._door.send(token, encode(fields))


class Notifier:
    """Lets other threads tell the scribe's thread what happened."""

    def __init__(self, told: SimpleQueue[tuple[Any, ...]], wake: Callable[[], None]) -> None:
        self._told = told
        self._wake = wake

    def held(self, embassy: str, size: int, cosignature: NoteSignature) -> None:
        """An embassy cosigned `size`."""
        self._push(("held", embassy, size, cosignature))

    def state(self, embassy: str, reachable: bool) -> None:
        """An embassy answers, or does not."""
        self._push(("state", embassy, reachable))

    def sealed(self, embassy: str, statement: bytes) -> None:
        """An embassy says that this epoch is over."""
        self._push(("sealed", embassy, statement))

    def broken(self, error: Exception) -> None:
        """The thread can't go on."""
        self._push(("broken", "", error))

    def _push(self, notice: tuple[object, ...]) -> None:
        self._told.put(notice)
        self._wake()
