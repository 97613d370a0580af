"""What a simulation does not compute twice: signatures, and the notes that it has read already.

A world signs some forty checkpoints, and each of them is parsed and verified a few times at every
embassy. Ed25519 gives one answer for one key, message and signature, and a parser one value for the
same bytes; so what was made, verified or read once is looked up. Any other bytes are verified and
read as always: what a liar or a thief made up stays false.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from kulla.journal.checkpoints import parse_checkpoint
from kulla.journal.notes import (
    NoteSignature,
    SigningKey,
    VerifierKey,
    cosignature_message,
    parse_note,
)

_KNOWN_MAX: Final = 50_000
_good: set[tuple[bytes, bytes, bytes]] = set()
_made: dict[tuple[bytes, str, int], NoteSignature] = {}
_read: dict[tuple[str, Any], Any] = {}


class RememberingKey(SigningKey):
    """A SigningKey that signs one text once: Ed25519 gives the same signature each time."""

    def sign_note(self, text: str) -> NoteSignature:
        """See SigningKey."""
        made = (self.verifier.public, text, -1)
        if made not in _made:
            _made[made] = super().sign_note(text)
            _keep(self.verifier.public, text.encode(), _made[made].payload)
        return _made[made]

    def sign_cosignature(self, text: str, at_s: int) -> NoteSignature:
        """See SigningKey."""
        made = (self.verifier.public, text, at_s)
        if made not in _made:
            _made[made] = super().sign_cosignature(text, at_s)
            message = cosignature_message(at_s, text)
            _keep(self.verifier.public, message, _made[made].payload[8:])
        return _made[made]


def _keep(public: bytes, message: bytes, signature: bytes) -> None:
    _good.add((public, message, signature))


@contextmanager
def remembering() -> Iterator[None]:
    """While this lasts, this process remembers; see above. For one thread."""
    with ExitStack() as stack:
        stack.enter_context(_signatures_remembered())
        for parser in (parse_note, parse_checkpoint):
            stack.enter_context(_remembered(parser))
        yield
    forget()


def forget() -> None:
    """Let go of what earlier seeds signed and read, once it is much."""
    for memory in (_good, _made, _read):
        if len(memory) > _KNOWN_MAX:
            memory.clear()


@contextmanager
def _signatures_remembered() -> Iterator[None]:
    verify = VerifierKey.verifies_bytes

    def verifies_bytes(self: VerifierKey, message: bytes, signature: bytes) -> bool:
        seen = (self.public, message, signature)
        if seen in _good:
            return self.can_verify
        good = verify(self, message, signature)
        if good:
            _good.add(seen)
        return good

    VerifierKey.verifies_bytes = verifies_bytes  # type: ignore[method-assign]
    try:
        yield
    finally:
        VerifierKey.verifies_bytes = verify  # type: ignore[method-assign]


@contextmanager
def _remembered(parser: Callable[..., Any]) -> Iterator[None]:
    """Let a pure parser remember what it read, wherever it was imported by its name.

    What it refuses it refuses anew each time, for the message names a place.
    """
    name = parser.__name__

    def parse(data: Any, *, place: str = "") -> Any:
        found = _read.get((name, data))
        if found is None:
            found = _read[name, data] = parser(data, place=place)
        return found

    places = [
        module
        for known, module in list(sys.modules.items())
        if known.startswith("kulla.") and getattr(module, name, None) is parser
    ]
    for module in places:
        setattr(module, name, parse)
    try:
        yield
    finally:
        for module in places:
            setattr(module, name, parser)
