"""A tile store in memory that breaks as disks, services and processes break, from one seed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from enum import Enum

from kulla.journal.errors import StoreConflict, StoreFailed, TileMissing
from kulla.journal.store import check_path, check_prefix


class WriteFault(Enum):
    """How a put or swap fails; each raises StoreFailed, and the store takes no more writes.

    LOST: nothing of it is kept. PERSISTED: all of it is kept and durable, though the caller was
    told of a failure. TORN: the first items, in order, are kept. REORDERED: any of the items are
    kept, the last perhaps without the first. What TORN and REORDERED keep is seen at once, and
    half of it is not durable: a later `crash` may still take it away.
    """

    LOST = "lost"
    PERSISTED = "persisted"
    TORN = "torn"
    REORDERED = "reordered"


class Damage(Enum):
    """What time or an intruder does to an object at rest."""

    FLIPPED = "flipped"
    CUT = "cut"
    GONE = "gone"


class SimulatedTileStore:
    """A TileStore whose faults follow from `seed`; the same calls give the same faults.

    The fault model:

    - Each put and swap fails, with a fault that the seed picks from WriteFault, at `fault_rate`
      (0.0 to 1.0), or where `fail_next` asked for it. After a fault every write raises StoreFailed
      until `restart` or `crash`, as the port says.
    - `restart` is the death of the process alone: what was seen before is seen after, and durable
      (a store settles what it finds when it is opened).
    - `crash` is a power cut: all that a put or swap promised is there. Of the rest, what a failed
      write left and what `drop` removed, each object is as it was or as it became, by the seed.
      Each object is whole.
    - `damage` breaks an object that was promised: one bit flipped, cut short, or gone. No honest
      disk does that often; readers must notice. Damage is durable.
    - Without `syncs` it is the store of a program that forgets to sync: what a put or swap promised
      becomes durable by the seed, one object in two at once and the others when they are written
      again. It is for showing that somebody notices.
    - While `full`, a put or swap fails and keeps nothing (WriteFault.LOST).

    Not modelled: slowness, two writers.
    """

    def __init__(self, seed: int, *, fault_rate: float = 0.0, syncs: bool = True) -> None:
        self.seed = seed
        self.fault_rate = fault_rate
        self.syncs = syncs
        self.full = False
        self._seen: dict[str, bytes] = {}
        self._durable: dict[str, bytes] = {}
        self._next_fault: tuple[int, WriteFault] | None = None
        self._failed = False
        self._draws = 0
        self._lock = threading.RLock()

    def put(self, items: Mapping[str, bytes]) -> None:
        """See TileStore."""
        for path in items:
            check_path(path)
        with self._lock:
            self._check_writable()
            for path, data in items.items():
                if self._seen.get(path, data) != data:
                    raise StoreConflict("the store holds other bytes under this path.", place=path)
            self._write({path: bytes(data) for path, data in items.items()})

    def get(self, path: str) -> bytes:
        """See TileStore."""
        check_path(path)
        with self._lock:
            if path not in self._seen:
                raise TileMissing("the store does not hold this object.", place=path)
            return self._seen[path]

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """See TileStore."""
        check_path(name)
        with self._lock:
            self._check_writable()
            if self._seen.get(name) != old:
                raise StoreConflict("the object is not what it was.", place=name)
            self._write({name: bytes(new)})

    def drop(self, paths: Iterable[str]) -> None:
        """See TileStore. A crash may bring back what was dropped."""
        wanted = list(paths)
        for path in wanted:
            check_path(path)
        with self._lock:
            self._check_writable()
            for path in wanted:
                self._seen.pop(path, None)

    def names(self, prefix: str) -> list[str]:
        """See TileStore."""
        check_prefix(prefix)
        with self._lock:
            return sorted(path for path in self._seen if path.startswith(prefix))

    def copy(self) -> SimulatedTileStore:
        """Another store with the objects that are seen now: a backup of the folder."""
        made = SimulatedTileStore(self.seed, syncs=self.syncs)
        made._seen, made._durable = dict(self._seen), dict(self._seen)
        return made

    def fail_next(self, fault: WriteFault, after: int = 0) -> None:
        """Make the next put or swap fail, or the one `after` that many good ones."""
        with self._lock:
            self._next_fault = (after, fault)

    def restart(self) -> None:
        """The writing process died and the store is opened again."""
        with self._lock:
            self._durable = dict(self._seen)
            self._failed = False

    def crash(self) -> None:
        """Cut the power and open the store again."""
        with self._lock:
            kept: dict[str, bytes] = {}
            for path in sorted(self._seen.keys() | self._durable.keys()):
                before, after = self._durable.get(path), self._seen.get(path)
                data = after if before == after or self._draw(2) else before
                if data is not None:
                    kept[path] = data
            self._seen, self._durable = kept, dict(kept)
            self._failed = False

    def damage(self, path: str, damage: Damage) -> None:
        """Break an object at rest; TileMissing where there is none, nothing where it is empty."""
        with self._lock:
            data = bytearray(self.get(path))
            if damage is Damage.GONE:
                del self._seen[path]
                self._durable.pop(path, None)
                return
            if not data:
                return
            if damage is Damage.FLIPPED:
                data[self._draw(len(data))] ^= 1 << self._draw(8)
            else:
                del data[self._draw(len(data)) :]
            self._seen[path] = self._durable[path] = bytes(data)

    def _check_writable(self) -> None:
        if self._failed:
            raise StoreFailed(
                "the store takes no more writes after one that failed.",
                place=f"simulated store, seed {self.seed}",
                remedy="Call crash() or restart(), then open it again.",
            )

    def _write(self, items: Mapping[str, bytes]) -> None:
        fault = self._fault_now()
        paths = list(items)
        if fault is None or fault is WriteFault.PERSISTED:
            self._seen.update(items)
            if self.syncs:
                self._durable.update(items)
            else:
                self._durable.update({path: items[path] for path in paths if self._draw(2)})
        elif fault is WriteFault.TORN:
            self._keep_half_durable(items, paths[: self._draw(len(paths) + 1)])
        elif fault is WriteFault.REORDERED:
            self._keep_half_durable(items, [path for path in paths if self._draw(2)])
        if fault is not None:
            self._failed = True
            raise StoreFailed(
                f"the simulated write failed ({fault.value}).",
                place=f"simulated store, seed {self.seed}",
                remedy="End this process.",
            )

    def _keep_half_durable(self, items: Mapping[str, bytes], kept: list[str]) -> None:
        for path in kept:
            self._seen[path] = items[path]
            if self._draw(2):
                self._durable[path] = items[path]

    def _fault_now(self) -> WriteFault | None:
        if self.full:
            return WriteFault.LOST
        if self._next_fault is not None:
            left, fault = self._next_fault
            self._next_fault = (left - 1, fault) if left else None
            if not left:
                return fault
        if self.fault_rate and self._draw(1_000_000) < self.fault_rate * 1_000_000:
            return list(WriteFault)[self._draw(len(WriteFault))]
        return None

    def _draw(self, end: int) -> int:
        """The next number of the seed's row, 0 to `end` - 1."""
        self._draws += 1
        text = f"simulated store {self.seed} {self._draws}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % end
