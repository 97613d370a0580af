"""An embassy in this process that breaks on demand, and logs that may be honest or not.

Fault model: the stores are SimulatedTileStore and SimulatedBlobs, with their faults. A fault raises
out of the mirror, as it would end the process; `restart` is then the next process, and `crash` the
next one after a power cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakes.clock import HandClock
from fakes.signers import MadeUpTower
from kulla.embassy.mirror import Identity, Mirror, Stores, origin_hash
from kulla.embassy.packages import build_body
from kulla.embassy.pinned import pin_first
from kulla.embassy.quota import Limits
from kulla.embassy.simulated import SimulatedBlobs
from kulla.journal.checkpoints import Checkpoint, sign_checkpoint
from kulla.journal.notes import SigningKey, encode_base64
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.tree import Tree

NAME = "embassy-1"


class SimulatedEmbassy:
    """One embassy of a made-up tower over simulated stores; `mirror` is the running one."""

    def __init__(
        self,
        tower: MadeUpTower,
        limits: Limits | None = None,
        *,
        seed: int = 0,
        free_bytes: int | None = None,
    ) -> None:
        self.tower = tower
        self.clock = HandClock()
        self.blobs = SimulatedBlobs()
        self.free_bytes = free_bytes
        self._seed = seed
        self._limits = limits
        self._stores: dict[str, SimulatedTileStore] = {}
        self.mirror_key = tower.mirror_keys[NAME].verifier
        self._identity = Identity(
            NAME, tower.mirror_keys[NAME], tower.statement_keys[NAME], b"t" * 32
        )
        pin_first(self.store("desk"), tower.policy.render(), self.mirror_key)
        self.mirror = self._open()

    def store(self, name: str) -> SimulatedTileStore:
        """The store of a log by its origin hash, or the desk."""
        seed = self._seed * 100 + len(self._stores)
        return self._stores.setdefault(name, SimulatedTileStore(seed))

    def log_store(self, origin: str) -> SimulatedTileStore:
        """The store of a log by its origin."""
        return self.store(origin_hash(origin))

    def restart(self) -> None:
        """The process ended and the next one opens the same stores."""
        for store in self._stores.values():
            store.restart()
        self.blobs.restart()
        self.mirror = self._open()

    def crash(self) -> None:
        """The power went; the next process finds what was promised, and by chance more."""
        for store in self._stores.values():
            store.crash()
        self.blobs.restart()
        self.mirror = self._open()

    def _open(self) -> Mirror:
        free = None if self.free_bytes is None else lambda: self.free_bytes or 0
        stores = Stores(self.store("desk"), self.store, self.blobs, free)
        return Mirror(self._identity, stores, self.clock, self._limits)


class GrowingLog:
    """A log and its key, at home or in a thief's hands: it signs whatever it is asked to."""

    def __init__(self, key: SigningKey, entries: Sequence[bytes] = ()) -> None:
        self.key = key
        self.store = SimulatedTileStore(1)
        self.tree = Tree(self.store)
        self.grow(entries)

    @property
    def origin(self) -> str:
        return self.key.name

    @property
    def size(self) -> int:
        return self.tree.size

    def grow(self, entries: Sequence[bytes]) -> None:
        self.store.put(self.tree.grow(entries))

    def fork(self, size: int) -> GrowingLog:
        """Another log under the same key that shares only the first `size` entries."""
        return GrowingLog(self.key, self.tree.entries(0, size))

    def note(self, size: int | None = None) -> bytes:
        """The signed checkpoint of a size that the log had."""
        at = self.size if size is None else size
        return sign_checkpoint(Checkpoint(self.origin, at, self.tree.root_at(at)), self.key)

    def checkpoint_body(
        self, old_size: int, size: int | None = None, proof: Sequence[bytes] | None = None
    ) -> bytes:
        """The body of add-checkpoint from `old_size` to `size`."""
        at = self.size if size is None else size
        if proof is None:
            proof = self.tree.consistency_proof(old_size, at) if old_size < at else []
        lines = "".join(f"{encode_base64(value)}\n" for value in proof)
        return f"old {old_size}\n{lines}\n".encode() + self.note(at)

    def entries_body(
        self,
        start: int,
        end: int | None = None,
        *,
        ticket: bytes = b"",
        packages_max: int = 1000,
    ) -> bytes:
        """The body of add-entries for [start, end)."""
        at = self.size if end is None else end
        return build_body(
            self.tree, self.origin, start, at, ticket=ticket, packages_max=packages_max
        )
