"""The scribe without its edges: no sockets, no threads, no clock of its own.

Commands go in with the token of whoever waits; replies come out when, and only when, everything
they rest on lies below the watermark. The process around it, and the simulator, drive it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog

from kulla.journal.errors import AnnulmentInvalid, EntryInvalid, PolicyMissing
from kulla.journal.notes import NoteSignature
from kulla.kernel.edges import Clock
from kulla.kernel.errors import UnfitAct
from kulla.kernel.service import Command, NewAct, Service
from kulla.kernel.tower import Answer, Witnessing
from kulla.scribe.batch import BatchWriter, NoRoom, Outcome
from kulla.scribe.log import Log, Round
from kulla.scribe.quorum import Quorum

log = structlog.get_logger()

Token = TypeVar("Token")

CARRIED_BYTES_MAX = 64 * 2**10
"""A bigger blob is a file: rounds wait in memory for each embassy, and do not carry it along."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How the scribe paces itself.

    batch_max: commands decided in one transaction. rounds_max: signed sizes that may wait for the
    quorum at once. waiting_max: commands that may wait for an answer before the door says 'busy'.
    free_bytes_min: room on the disk that must be left for a batch to begin. What is committed must
    also join the journal, or the process ends with a full disk in the middle of an act's life.
    """

    batch_max: int = 512
    rounds_max: int = 3
    waiting_max: int = 20_000
    free_bytes_min: int = 32 * 2**20


class BlobSource(Protocol):
    """Where the blobs that commands name (wrapped keys, files) lie at home. Any thread."""

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Those of the named blobs that are there, by their SHA-256 names."""
        ...


class Scribe(Generic[Token]):
    """Steps 2 to 6 of an act's life; see DESIGN.md. One thread at a time."""

    def __init__(
        self,
        writer: BatchWriter,
        journal: Log,
        quorum: Quorum,
        services: Mapping[str, Service],
        blobs: BlobSource,
        clock: Clock,
        limits: Limits = Limits(),
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        """`free_bytes`: how much room the disk of registers and journal has; None: no end of it."""
        self._writer = writer
        self._journal = journal
        self._quorum = quorum
        self._services = services
        self._blobs = blobs
        self._clock = clock
        self._limits = limits
        self._free_bytes = free_bytes
        self._had_room = True
        self._waiting: list[tuple[int, int, Token, Answer]] = []
        self._number = 0
        self._moved_ms = 0
        self._quorum_reachable = True
        self._kept_size = quorum.size
        self._on_round: Callable[[Round], None] = lambda _: None

    def start(self, on_round: Callable[[Round], None], opening: NewAct | None = None) -> None:
        """Sign the present size and send it out, so that all embassies say where they stand.

        `opening` is the first act of a new epoch; it is journalled before anything else.
        """
        self._on_round = on_round
        entries: Sequence[bytes] = ()
        if opening is not None and self._writer.size == 0:
            entries = self._writer.write_own(opening).entries
        self._send(entries, ())

    @property
    def may_take(self) -> bool:
        """Whether another round may start now: not too many are waiting for the quorum."""
        return self._quorum.outstanding < self._limits.rounds_max

    @property
    def watermark(self) -> int:
        """The position below which every act is confirmed.

        What an epoch adopted is confirmed once a quorum holds the epoch's first act, which says
        so: until then another takeover might adopt less of it.
        """
        size = self._quorum.size
        return self._writer.base + size if size > 0 else 0

    def take(self, asked: Sequence[tuple[Token, Command]]) -> list[tuple[Token, Answer]]:
        """Decide a batch, start its round, and return the replies that may go out at once."""
        if len(self._waiting) + len(asked) > self._limits.waiting_max:
            return _to_all(asked, Answer("unavailable", code="busy"))
        if not self._has_room():
            return _to_all(asked, Answer("unavailable", code="no-room"))
        asked, blobs, replies = self._with_blobs(asked)
        try:
            written = self._writer.write([command for _, command in asked], self._unavailable())
        except NoRoom as error:
            log.critical("disk full", error=str(error))
            return [*replies, *_to_all(asked, Answer("unavailable", code="no-room"))]
        if written.entries:
            self._send(written.entries, [blobs[name] for name in written.names])
        for (token, _), outcome in zip(asked, written.outcomes, strict=True):
            self._number += 1
            answer = _answer(outcome)
            heapq.heappush(self._waiting, (outcome.rests_on, self._number, token, answer))
        return [*replies, *self._due()]

    def annul(
        self, token: Token, note: bytes, parts: Sequence[bytes]
    ) -> list[tuple[Token, Answer]]:
        """Let an undo take effect; the replies that may go out at once. See BatchWriter.annul."""
        if not self._quorum_reachable:
            return [(token, Answer("unavailable", code="no-quorum"))]
        try:
            outcome, written = self._writer.annul(note, parts)
        except NoRoom as error:
            log.critical("disk full", error=str(error))
            return [(token, Answer("unavailable", code="no-room"))]
        except (AnnulmentInvalid, PolicyMissing, EntryInvalid, UnfitAct) as error:
            return [(token, Answer("refused", code="annulment", detail={"error": str(error)}))]
        if written.entries:
            self._send(written.entries, ())
            log.warning("acts undone", position=outcome.positions[0], parts=len(parts))
        self._number += 1
        entry = (outcome.rests_on, self._number, token, _answer(outcome))
        heapq.heappush(self._waiting, entry)
        return self._due()

    def held(self, embassy: str, size: int, signature: NoteSignature) -> list[tuple[Token, Answer]]:
        """An embassy cosigned `size`: the replies that may go out now.

        Raises CosignatureRefused where the signature is false.
        """
        if not self._quorum.hold(embassy, size, signature):
            return []
        self._moved_ms = self._clock.now_ms()
        return self._due()

    def quorum_reachable(self, reachable: bool) -> None:
        """Whether enough embassies answer for new acts to be witnessed soon."""
        if reachable != self._quorum_reachable:
            log.warning("quorum", reachable=reachable, watermark=self.watermark)
        self._quorum_reachable = reachable

    def witnessing(self) -> Witnessing:
        """How far the journal is witnessed now."""
        if self.watermark == self._writer.end:
            self._moved_ms = self._clock.now_ms()
        return Witnessing(self.watermark, self._writer.end, self._moved_ms, self._quorum_reachable)

    @property
    def cosigned(self) -> tuple[int, bytes]:
        """(size, the checkpoint that a quorum cosigned, with its signatures), the newest known."""
        return self._quorum.size, self._quorum.note

    def keep_checkpoint(self) -> None:
        """Keep the newest cosigned checkpoint beside the journal's tiles, for the next start."""
        size, note = self.cosigned
        if size > self._kept_size and self._has_room():
            self._journal.keep_checkpoint(note)
            self._kept_size = size

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Services whose policy raised, with the kind of error."""
        return self._writer.set_aside

    def _has_room(self) -> bool:
        """Whether the disk has room for a batch and all that follows from it."""
        if self._free_bytes is None:
            return True
        has_room = self._free_bytes() >= self._limits.free_bytes_min
        if has_room != self._had_room:
            tell = log.warning if has_room else log.critical
            tell("room on the disk", enough=has_room, needed_bytes=self._limits.free_bytes_min)
            self._had_room = has_room
        return has_room

    def _with_blobs(
        self, asked: Sequence[tuple[Token, Command]]
    ) -> tuple[list[tuple[Token, Command]], Mapping[bytes, bytes], list[tuple[Token, Answer]]]:
        """Turn away commands that name a blob which home does not hold.

        An entry that names what nobody has could never be mirrored, and all after it would wait.
        """
        names = list({name: None for _, command in asked for name in command.names})
        blobs = self._blobs.fetch(names) if names else {}
        kept, replies = [], []
        for token, command in asked:
            if all(name in blobs for name in command.names):
                kept.append((token, command))
            else:
                replies.append((token, Answer("refused", code="unknown-blob")))
        return kept, blobs, replies

    def _send(self, entries: Sequence[bytes], blobs: Sequence[bytes]) -> None:
        carried = tuple(blob for blob in blobs if len(blob) <= CARRIED_BYTES_MAX)
        parcel = self._journal.join(entries, carried, asks=len(carried) < len(blobs))
        assert parcel.size == self._writer.size
        self._writer.tiles_are_durable(parcel.size)
        self._quorum.expect(parcel.size, parcel.checkpoint)
        self._on_round(parcel)

    def _unavailable(self) -> dict[str, str]:
        if self._quorum_reachable:
            return {}
        unwitnessed = self._writer.end - self.watermark
        return {
            name: "no-quorum"
            for name, service in self._services.items()
            if service.without_quorum == "refuse" or unwitnessed >= service.hold_max
        }

    def _due(self) -> list[tuple[Token, Answer]]:
        watermark = self.watermark
        due = []
        while self._waiting and self._waiting[0][0] <= watermark:
            _, _, token, answer = heapq.heappop(self._waiting)
            due.append((token, answer))
        return due


def _to_all(asked: Sequence[tuple[Token, Command]], answer: Answer) -> list[tuple[Token, Answer]]:
    return [(token, answer) for token, _ in asked]


def _answer(outcome: Outcome) -> Answer:
    return Answer(outcome.status, outcome.positions, outcome.code, outcome.detail)
