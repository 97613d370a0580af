"""What is kept when a log's key signs what does not fit: both checkpoints, the proof, and when."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final, Literal

from kulla.embassy.signed import SignedCheckpoint
from kulla.journal.store import TileStore

Kind = Literal["fork", "unproven"]

FORKS_MAX: Final = 200
UNPROVEN_MAX: Final = 50
_FOLDER: Final = "evidence/"


class EvidenceShelf:
    """A bounded shelf in the embassy's own store. Not for two threads at once.

    'fork': the two notes alone prove that the key signed two histories, or the refused one and the
    entries that are here do. 'unproven': a proof that does not verify, which may be mere damage.
    Each pair is kept once; where the shelf is full, the first ones stay.
    """

    def __init__(self, store: TileStore) -> None:
        self._store = store
        self._kept = set(store.names(_FOLDER))

    def keep(
        self,
        kind: Kind,
        held: SignedCheckpoint,
        refused: SignedCheckpoint,
        proof: Sequence[bytes],
        at_ms: int,
    ) -> bool:
        """Keep it durably; False where it was there already or the shelf of its kind is full."""
        pair = held.note + b"\x00" + refused.note
        path = f"{_FOLDER}{kind}-{hashlib.sha256(pair).hexdigest()[:32]}.json"
        most = FORKS_MAX if kind == "fork" else UNPROVEN_MAX
        if path in self._kept or self.count(kind) >= most:
            return False
        record = {
            "kind": kind,
            "origin": held.checkpoint.origin,
            "at_ms": at_ms,
            "held": held.note.decode(),
            "refused": refused.note.decode(),
            "proof": [value.hex() for value in proof],
        }
        text = json.dumps(record, ensure_ascii=False, indent=1)
        self._store.put({path: text.encode()})
        self._kept.add(path)
        return True

    def count(self, kind: Kind) -> int:
        """How many of this kind are kept."""
        return sum(path.startswith(f"{_FOLDER}{kind}-") for path in self._kept)

    def records(self) -> list[bytes]:
        """All that is kept, each a JSON text, in the order of their names."""
        return [self._store.get(path) for path in sorted(self._kept)]
