"""Blobs in memory that break as a database on a failing disk breaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kulla.embassy.blobs import blob_name
from kulla.embassy.errors import BlobDamaged, BlobMissing, BlobsFailed


class SimulatedBlobs:
    """A BlobStore whose faults are asked for.

    Fault model: `fail_next(kept=False)` makes the next `put` that has something to write raise
    BlobsFailed with nothing kept; with `kept=True` everything is kept though the caller was told
    of a failure. After a fault every `put` raises until `restart`. A put is one transaction, so it
    is never kept in part. `damage` flips a bit of a blob at rest.
    """

    def __init__(self) -> None:
        self._blobs: dict[bytes, bytes] = {}
        self._next_fault: bool | None = None
        self._failed = False

    def copy(self) -> SimulatedBlobs:
        """Another store with the same blobs."""
        made = SimulatedBlobs()
        made._blobs = dict(self._blobs)
        return made

    def put(self, blobs: Sequence[bytes]) -> list[bytes]:
        """See BlobStore."""
        names = [blob_name(blob) for blob in blobs]
        fresh = {n: bytes(b) for n, b in zip(names, blobs, strict=True) if n not in self._blobs}
        if not fresh:
            return names
        if self._failed:
            raise BlobsFailed("an earlier write failed.", place="simulated blobs")
        if self._next_fault is not None:
            if self._next_fault:
                self._blobs.update(fresh)
            self._failed, self._next_fault = True, None
            raise BlobsFailed("the simulated write failed.", place="simulated blobs")
        self._blobs.update(fresh)
        return names

    def missing(self, names: Iterable[bytes]) -> list[bytes]:
        """See BlobStore."""
        return [name for name in dict.fromkeys(names) if name not in self._blobs]

    def get(self, name: bytes) -> bytes:
        """See BlobStore."""
        if name not in self._blobs:
            raise BlobMissing("there is no such blob.", place=name.hex())
        if blob_name(self._blobs[name]) != name:
            raise BlobDamaged("the blob has another hash.", place=name.hex())
        return self._blobs[name]

    def names(self, after: bytes = b"", limit: int = 1000) -> list[bytes]:
        """See BlobStore."""
        return sorted(name for name in self._blobs if name > after)[:limit]

    def usage(self) -> tuple[int, int]:
        """See BlobStore."""
        return len(self._blobs), sum(map(len, self._blobs.values()))

    def fail_next(self, *, kept: bool) -> None:
        """Make the next write fail."""
        self._next_fault = kept

    def restart(self) -> None:
        """The process died and opens the store again."""
        self._failed, self._next_fault = False, None

    def damage(self, name: bytes) -> None:
        """Flip a bit of a blob at rest."""
        blob = bytearray(self._blobs[name])
        blob[0] ^= 1
        self._blobs[name] = bytes(blob)
