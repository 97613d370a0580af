"""Step 6 of an act's life: which size of the log a quorum of embassies has cosigned.

Only cosignatures on the very same checkpoint count together, so that the watermark's checkpoint,
with its signatures, is a receipt's proof that needs nobody's word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kulla.journal.checkpoints import add_signatures
from kulla.journal.notes import NoteSignature, VerifierKey, parse_note


class CosignatureRefused(Exception):
    """An embassy's answer is not its cosignature of the checkpoint that it was sent."""


class Quorum:
    """Collects cosignatures, size by size, and says how far a quorum has come.

    `is_quorum` takes a set of embassy names. Sizes count entries of this epoch's log. `size` and
    `note` are of the checkpoint that a quorum cosigned last, as far as the last run kept it.
    """

    def __init__(
        self,
        keys: Mapping[str, VerifierKey],
        is_quorum: Callable[[set[str]], bool],
        size: int = -1,
        note: bytes = b"",
    ) -> None:
        self._keys = dict(keys)
        self._is_quorum = is_quorum
        self._rounds: dict[int, tuple[bytes, str, dict[str, NoteSignature]]] = {}
        self.size = size
        self.note = note

    def expect(self, size: int, checkpoint: bytes) -> None:
        """A checkpoint of `size` was signed and is on its way to the embassies."""
        if size not in self._rounds:
            self._rounds[size] = (checkpoint, parse_note(checkpoint).text, {})

    def hold(self, embassy: str, size: int, signature: NoteSignature) -> bool:
        """Note that `embassy` cosigned the checkpoint of `size`; True where the watermark moved.

        Raises CosignatureRefused where the signature does not verify: such an embassy lies or
        holds another history, and nothing of it may count.
        """
        expected = self._rounds.get(size)
        if expected is None:
            return False
        checkpoint, text, held = expected
        key = self._keys[embassy]
        named = (signature.name, signature.key_id) == (key.name, key.key_id)
        if not (named and key.verifies(text, signature.payload)):
            raise CosignatureRefused(f"{embassy} answered size {size} with a false cosignature")
        held[embassy] = signature
        if not self._is_quorum(set(held)):
            return False
        moved = size > self.size
        if size >= self.size:
            # A late embassy adds its cosignature to the note too: the more, the better a receipt.
            self.size = size
            self.note = add_signatures(checkpoint, list(held.values()))
        for older in [other for other in self._rounds if other < self.size]:
            del self._rounds[older]
        return moved

    @property
    def outstanding(self) -> int:
        """How many signed sizes beyond the watermark wait for a quorum."""
        return sum(1 for size in self._rounds if size > self.size)
