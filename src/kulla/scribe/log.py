"""Step 4 of an act's life: entries join the journal, and each round's checkpoint is signed.

The registers' file holds the truth until the tiles are durable: after a crash the pending entries
join again, at the same indexes and with the same bytes, so a checkpoint is never contradicted.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from kulla.embassy.packages import build_body
from kulla.journal.checkpoints import Checkpoint, sign_checkpoint
from kulla.journal.errors import TileMissing
from kulla.journal.notes import SigningKey
from kulla.journal.store import TileStore
from kulla.journal.tree import Tree

CHECKPOINT = "checkpoint"
_UPLOADS_KEPT = 4


@dataclass(frozen=True, slots=True)
class Round:
    """One signed size on its way to the embassies.

    `blobs` are what its entries name and need there first. `asks`: they name bigger ones too, which
    no round carries along: the embassy says that it misses them, and the courier reads them then.
    """

    size: int
    checkpoint: bytes
    blobs: tuple[bytes, ...]
    asks: bool = False


class Log:
    """One epoch's log at home: a tree over a tile store, and the key that signs its sizes.

    `join` is for the scribe's one thread; couriers ask for entries and proofs from threads of their
    own (embassy.courier.CourierLog): a lock keeps them apart.
    """

    def __init__(self, key: SigningKey, store: TileStore, size: int) -> None:
        self.origin = key.name
        self._key = key
        self._store = store
        self._tree = Tree.load(store, size)
        self._lock = threading.Lock()
        self._uploads: dict[tuple[int, int], bytes] = {}

    @property
    def size(self) -> int:
        """How many entries have joined."""
        return self._tree.size

    def join(
        self, entries: Sequence[bytes], blobs: tuple[bytes, ...] = (), *, asks: bool = False
    ) -> Round:
        """Add entries, write their tiles durably, sign the new size; see Round.

        With no entries it signs the present size again: that is how a start asks where all stand.
        Raises StoreFailed where the store can't promise durability: then the process must end.
        """
        with self._lock:
            old_size = self._tree.size
            self._store.put(self._tree.grow(entries))
            size = self._tree.size
            checkpoint = Checkpoint(self.origin, size, self._tree.root())
            superseded = self._tree.superseded(old_size, size)
        self._store.drop(superseded)
        return Round(size, sign_checkpoint(checkpoint, self._key), blobs, asks)

    def keep_checkpoint(self, note: bytes) -> None:
        """Put the cosigned checkpoint beside the tiles, durably: with it, they are a C2SP log."""
        try:
            old: bytes | None = self._store.get(CHECKPOINT)
        except TileMissing:
            old = None
        self._store.swap(CHECKPOINT, old, note)

    def kept_checkpoint(self) -> bytes:
        """The checkpoint that was kept last, b'' where none was; verify it."""
        try:
            return self._store.get(CHECKPOINT)
        except TileMissing:
            return b""

    def upload(self, start: int, end: int) -> bytes:
        """The body of add-entries from `start` to `end`; every courier sends the newest ones."""
        with self._lock:
            body = self._uploads.get((start, end))
            if body is None:
                body = build_body(self._tree, self.origin, start, end)
                self._uploads[start, end] = body
                if len(self._uploads) > _UPLOADS_KEPT:
                    del self._uploads[next(iter(self._uploads))]
            return body

    def entry_with_proof(self, index: int, size: int) -> tuple[bytes, list[bytes]]:
        """(the entry's bytes, its inclusion proof in the tree of `size`)."""
        with self._lock:
            [entry] = self._tree.entries(index, index + 1)
            return entry, self._tree.inclusion_proof(index, size)

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries in [start, end)."""
        with self._lock:
            return self._tree.entries(start, end)

    def subtree_proof(self, start: int, end: int, size: int) -> list[bytes]:
        """The subtree consistency proof of [start, end) in the log at `size`."""
        with self._lock:
            return self._tree.subtree_proof(start, end, size)

    def consistency_proof(self, old_size: int, new_size: int) -> list[bytes]:
        """The proof from `old_size` to `new_size`."""
        with self._lock:
            return self._tree.consistency_proof(old_size, new_size)

    def root_at(self, size: int) -> bytes:
        """The root hash that the tree had at `size`."""
        with self._lock:
            return self._tree.root_at(size)
