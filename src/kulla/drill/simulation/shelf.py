"""The file of wrapped keys that entries name, at a standby and at a home that is being made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kulla.drill.simulation.mortal import Life


class WantedFile:
    """What is durable: the names in the order in which entries named them, and the blobs."""

    def __init__(self) -> None:
        self.names: dict[bytes, None] = {}
        self.blobs: dict[bytes, bytes] = {}

    def copy(self) -> WantedFile:
        """Another file with the same."""
        made = WantedFile()
        made.names, made.blobs = dict(self.names), dict(self.blobs)
        return made


class WantedShelf:
    """One process's way to the file (standby.follower.WantedKeys, rebuild.replay.NamesShelf).

    Fault model: what was noted is gone with the process until `settle` or `put`; each of the two is
    one step of its life.
    """

    def __init__(self, file: WantedFile, life: Life) -> None:
        self._file = file
        self._life = life
        self._noted: dict[bytes, None] = {}

    def note(self, named: Sequence[tuple[bytes, str]]) -> None:
        """See WantedKeys."""
        self._noted.update((name, None) for name, _ in named)

    def settle(self) -> None:
        """See WantedKeys."""
        if self._noted:
            self._life.step(self._keep)

    def _keep(self, blobs: Mapping[bytes, bytes] | None = None) -> None:
        self._file.names.update(self._noted)
        self._file.blobs.update(blobs or {})
        self._noted.clear()

    def missing(self, limit: int, after: int = 0) -> list[tuple[int, bytes]]:
        """See WantedKeys."""
        names = enumerate({**self._file.names, **self._noted}, 1)
        lot = [(at, name) for at, name in names if at > after and name not in self._file.blobs]
        return lot[:limit]

    def put(self, blobs: Mapping[bytes, bytes]) -> None:
        """See WantedKeys."""
        if blobs:
            self._life.step(lambda: self._keep(blobs))

    def counts(self) -> tuple[int, int]:
        """See WantedKeys."""
        names = {**self._file.names, **self._noted}
        return len(names), sum(name not in self._file.blobs for name in names)
