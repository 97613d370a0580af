"""What a page of a service may ask of the tower it runs in.

Pages sit in a service's folder and can't import the scribe or the keeper above them; the portal
hands each request an object of this protocol as `request.tower`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Command


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command.

    accepted:    its acts stand at `positions`, below the watermark: they can't be lost.
    refused:     `code` and `detail` say why; nothing it rests on is above the watermark.
    waiting:     its acts are not yet witnessed by a quorum; ask again with the same command.
    unavailable: nothing was done; `code` says why ('no-quorum', 'no-room', 'set-aside',
    'busy', 'not-home').
    """

    status: Literal["accepted", "refused", "waiting", "unavailable"]
    positions: tuple[int, ...] = ()
    code: str = ""
    detail: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Witnessing:
    """How far the journal is witnessed: acts at positions < `watermark` are confirmed.

    `size` is how many acts there are; `moved_ms` is when the watermark last moved or was known to
    be level with `size`; `quorum` says whether enough embassies answer now.
    """

    watermark: int
    size: int
    moved_ms: int
    quorum: bool


class FileGone(KullaError):
    """A file that neither home nor any embassy that answers has now; it may come back."""


class TowerEdge(Protocol):
    """The tower as a page sees it. Safe to call from any thread."""

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """Hand a command to the scribe and wait for its answer, at most `wait_s` seconds."""
        ...

    def seal(self, subject: str, fields: Mapping[str, str], once: bytes = b"") -> dict[str, bytes]:
        """Seal personal fields under the subject's key; raises KullaError where there is none.

        For the same `once`, the id of the command that they are for, the same values give the same
        bytes: so a form that is posted again is the same command.
        """
        ...

    def open(self, subject: str, sealed: Mapping[str, bytes], reason: str) -> dict[str, str]:
        """Open one subject's sealed fields; the keeper logs who asked and `reason`."""
        ...

    def enrol(self, count: int) -> Sequence[tuple[str, bytes]]:
        """Make `count` new subjects with keys: (subject id, name of its wrapped key)."""
        ...

    def token(self, column: str, value: str) -> bytes:
        """32 bytes that stand for a value in an index: keyed, with a key of its own a column.

        For values that are unique by nature (a mail address, a personal number), in one spelling:
        the caller normalises. The same on every home of the country.
        """
        ...

    def keep_file(self, subject: str, content: bytes, once: bytes) -> bytes:
        """Keep a file that a person handed in, sealed under the subject's key; its name.

        On return it is durable at home, and only there: the command of the act that is about it
        names it (Command.names, and the act's field `blob`), so that a quorum holds it before the
        act counts. For the same `once`, the id of that command, the same content gives the same
        name. Raises KullaError where there is no key, or no room.
        """
        ...

    def read_file(self, subject: str, name: bytes, reason: str) -> bytes:
        """A file that was kept for the subject, opened; the keeper logs who asked and `reason`.

        Where home does not have it, as after a takeover, an embassy is asked and home keeps it
        again. Raises FileGone where nobody who answers has it, KullaError where it does not open.
        """
        ...

    def drop_file(self, name: bytes) -> None:
        """Remove a file from home whose command was refused, so that no act names it."""
        ...

    def witnessing(self) -> Witnessing:
        """The newest that is known of the watermark."""
        ...

    def receipt(self, position: int, subject: str) -> bytes:
        """The receipt of the act at `position`, which `subject` did or is party to."""
        ...
