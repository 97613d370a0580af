"""Receipts on request: only for who is party to an act, only for acts below the watermark.

Some acts concern everybody and nobody in particular (ActType.public): anybody may have theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kulla.journal.entries import Opener, parse_act
from kulla.journal.receipts import build_receipt
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Act
from kulla.registers.parties import is_party


class NoReceipt(KullaError):
    """There is no receipt to give: the act is not witnessed yet, or the asker has no part in it."""


class ProvenLog(Protocol):
    """A log that proves its entries (scribe.log.Log, or an earlier epoch's)."""

    def entry_with_proof(self, index: int, size: int) -> tuple[bytes, Sequence[bytes]]:
        """(the entry's bytes, its inclusion proof in the tree of `size`)."""
        ...


@dataclass(frozen=True, slots=True)
class EpochShelf:
    """One epoch as the desk needs it.

    `cosigned` gives (size, checkpoint note), the newest that a quorum cosigned; the size is -1
    where there is none. Of an old epoch it may be the checkpoint that the next epoch adopted
    without a quorum of its own (`adopted`): then the next epoch's first act vouches for it.
    """

    base: int
    end: int | None
    log: ProvenLog
    opener: Opener
    cosigned: Callable[[], tuple[int, bytes]]
    adopted: bool = False


class ReceiptDesk:
    """Makes receipts from the journal of this epoch and of those before it."""

    def __init__(
        self,
        shelves: Sequence[EpochShelf],
        is_public: Callable[[str, str], bool] = lambda *_: False,
    ) -> None:
        """`is_public(service, act)`: whether anybody may have the receipt of such an act."""
        self._shelves = list(shelves)
        self._is_public = is_public

    def receipt(self, position: int, subject: str) -> bytes:
        """The receipt file of the act at `position`. Raises NoReceipt.

        Whoever has no part in the act gets the same answer as for an act that does not exist.
        """

        def may_have(act: Act) -> bool:
            return is_party(act, subject) or self._is_public(act.service, act.name)

        return self._build(position, may_have)

    def _build(self, position: int, may_have: Callable[[Act], bool]) -> bytes:
        shelf = self._shelf(position)
        size, note = shelf.cosigned() if shelf else (-1, b"")
        if shelf is None or position - shelf.base >= size:
            raise NoReceipt(
                "there is no receipt for this act now.",
                remedy="If you were just told 'being confirmed', ask again in a moment.",
            )
        index = position - shelf.base
        entry, proof = shelf.log.entry_with_proof(index, size)
        opened = shelf.opener.open(entry, place=f"entry {index}")
        if not may_have(parse_act(opened.plaintext, position)):
            raise NoReceipt("there is no receipt for this act now.")
        adoption = b""
        if shelf.adopted and shelf.end is not None:
            adoption = self._build(shelf.end, lambda _: True)
        return build_receipt(
            entry, opened.salt, opened.plaintext, index, proof, note, adoption=adoption
        )

    def _shelf(self, position: int) -> EpochShelf | None:
        for shelf in self._shelves:
            if shelf.base <= position and (shelf.end is None or position < shelf.end):
                return shelf
        return None
