"""Tickets: pending checkpoints of the past that clients carry, so that no restart loses them.

A ticket is an HMAC-SHA-256 under a key that only this embassy has, and behind it the signed note of
a checkpoint that was once pending here. Whoever shows it may finish his upload to that size.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from kulla.embassy.signed import SignedCheckpoint
from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.errors import JournalError
from kulla.journal.notes import parse_note

KEY_BYTES: Final = 32
_PURPOSE: Final = b"kulla embassy ticket v1\x00"
_MAC_BYTES: Final = 32


class Tickets:
    """Makes and reads tickets under one secret of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a ticket key has {KEY_BYTES} bytes")
        self._key = key

    def issue(self, signed: SignedCheckpoint) -> bytes:
        """The ticket of a checkpoint that is or was pending."""
        return self._mac(signed.note) + signed.note

    def open(self, origin: str, ticket: bytes) -> SignedCheckpoint | None:
        """The checkpoint of `origin` in the ticket; None where it is not one of ours."""
        note = ticket[_MAC_BYTES:]
        if not note or not hmac.compare_digest(self._mac(note), ticket[:_MAC_BYTES]):
            return None
        try:
            checkpoint = parse_checkpoint(parse_note(note).text)
        except JournalError:
            return None
        return SignedCheckpoint(checkpoint, note) if checkpoint.origin == origin else None

    def _mac(self, note: bytes) -> bytes:
        return hmac.digest(self._key, _PURPOSE + note, hashlib.sha256)
