"""Disks that break: the registers' file as images, and all that a home has on its disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kulla.drill.chance import Chance
from kulla.drill.simulation import country
from kulla.drill.simulation.mortal import Life, MortalConnection
from kulla.drill.simulation.shelf import WantedFile
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile
from kulla.journal.simulated import SimulatedTileStore
from kulla.kernel.canonical import Value

RegisterFault = str
"""'full': the statement fails and the transaction is taken back. 'lost', 'persisted': the COMMIT
fails, and nothing or all of it is kept."""


class WroteOn(Exception):
    """Somebody went on writing after a COMMIT that failed: they should have ended."""


class RegisterFile:
    """A register file as the images that its commits left.

    Fault model: what COMMIT promised survives the death of the process and of the power. A
    transaction that was not committed is gone after both. `next_fault` breaks the next COMMIT;
    after 'lost' or 'persisted' nothing may be written any more (WroteOn). Without `syncs` a power
    cut takes away any number of the last commits, down to the last that was written back by chance.
    Not modelled: damage at rest, which SQLite may or may not notice; a home rebuilds.
    """

    def __init__(
        self,
        image: bytes,
        chance: Chance,
        *,
        syncs: bool = True,
        met: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._images = [image]
        self._chance = chance
        self.syncs = syncs
        self.next_fault: RegisterFault = ""
        self.met = met

    def open(self, life: Life) -> RegisterConnection:
        """Open it for the process that lives this `life`."""
        connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
        connection.deserialize(self._images[-1])
        return RegisterConnection(self, connection, life)

    @property
    def image(self) -> bytes:
        """What a process that opens it now would see."""
        return self._images[-1]

    def note_commit(self, image: bytes) -> None:
        """A COMMIT was done."""
        if self.syncs or self._chance.random() < 0.2:
            self._images = [image]
        else:
            self._images.append(image)

    def cut_power(self) -> None:
        """What was not synced may be gone."""
        self._images = [self._images[self._chance.randrange(len(self._images))]]


class RegisterConnection(MortalConnection):
    """One process's connection to a register file."""

    def __init__(self, file: RegisterFile, connection: sqlite3.Connection, life: Life) -> None:
        super().__init__(connection, life)
        self._file = file
        self._plain = connection
        self._broken = False

    def execute(self, sql: str, *values: Any) -> Any:
        """See sqlite3.Connection."""
        life = self._life
        if sql == "COMMIT":
            return life.step(self._commit)
        if self._broken and sql != "ROLLBACK":
            raise WroteOn
        if life.over or life.steps + 1 == life.last:
            return super().execute(sql, *values)
        life.steps += 1
        if self._file.next_fault == "full" and sql.startswith("INSERT"):
            raise self._full()
        return self._plain.execute(sql, *values)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        """See sqlite3.Connection."""
        return self._life.step(lambda: self._plain.executemany(sql, rows))

    def _commit(self) -> None:
        fault, self._file.next_fault = self._file.next_fault, ""
        if fault == "full":
            self._file.next_fault = fault
            raise self._full()
        if fault == "lost":
            self._file.met("home: a commit is lost")
            self._broken = True
            self._plain.execute("ROLLBACK")
            raise sqlite3.OperationalError("disk I/O error")
        self._plain.execute("COMMIT")
        self._file.note_commit(self._plain.serialize())
        if fault == "persisted":
            self._file.met("home: a commit is kept though it failed")
            self._broken = True
            raise sqlite3.OperationalError("disk I/O error")

    def _full(self) -> sqlite3.OperationalError:
        self._file.met("home: its disk is full")
        # SQLite takes the transaction back by itself where the disk is full.
        self._plain.execute("ROLLBACK")
        return sqlite3.OperationalError("database or disk is full")

    @property
    def plain(self) -> sqlite3.Connection:
        """The registers as a judge reads them: no step of anybody's life."""
        return self._plain

    def close(self) -> None:
        """Let go of the memory."""
        self._plain.close()


class HomeFolder:
    """All that a home has on its disk. What is set here is durable at once, as `write_secret` is.

    stores: the logs' tiles by origin. blobs: the keeper's wrapped keys. wanted: those that a
    standby or a takeover found named. followed: the policy that a standby follows. decided: what a
    takeover decided in this folder.
    """

    def __init__(
        self, chance: Chance, *, syncs: bool = True, met: Callable[[str], None] = lambda _: None
    ) -> None:
        self._chance = chance
        self._met = met
        self.syncs = syncs
        self.registers = self._file(country.empty_registers())
        self.stores: dict[str, SimulatedTileStore] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.wanted = WantedFile()
        self.followed: PolicyFile | None = None
        self.policy: PolicyFile | None = None
        self.log_key: SigningKey | None = None
        self.opening: Mapping[str, Value] | None = None
        self.decided: dict[str, Any] = {}
        self._rendered: tuple[PolicyFile | None, bytes] = (None, b"")

    def _file(self, image: bytes) -> RegisterFile:
        return RegisterFile(image, self._chance, syncs=self.syncs, met=self._met)

    def policy_data(self) -> bytes:
        """The bytes of the policy file."""
        assert self.policy is not None
        if self._rendered[0] is not self.policy:
            self._rendered = (self.policy, self.policy.render())
        return self._rendered[1]

    def store(self, origin: str) -> SimulatedTileStore:
        """The home's own store of a log, made where it is new."""
        if origin not in self.stores:
            seed = self._chance.randrange(2**32)
            self.stores[origin] = SimulatedTileStore(seed, syncs=self.syncs)
        return self.stores[origin]

    def cut_power(self) -> None:
        """Only what was promised is still there."""
        self.registers.cut_power()
        for store in self.stores.values():
            store.crash()

    def forget_replayed(self) -> None:
        """Remove registers, tiles and wanted keys, as tower.standby_folder does."""
        self.registers = self._file(country.empty_registers())
        self.stores = {}
        self.wanted = WantedFile()

    def restart(self) -> None:
        """The process died alone."""
        for store in self.stores.values():
            store.restart()

    def copy(self) -> HomeFolder:
        """A backup of the folder as it stands."""
        made = HomeFolder(self._chance, syncs=self.syncs, met=self._met)
        made.take_up(self)
        return made

    def take_up(self, other: HomeFolder) -> None:
        """Have what `other` has now, on these disks."""
        self.registers = self._file(other.registers.image)
        self.stores = {origin: store.copy() for origin, store in other.stores.items()}
        for store in self.stores.values():
            store.syncs = self.syncs
        self.blobs, self.wanted = dict(other.blobs), other.wanted.copy()
        self.policy, self.log_key, self.opening = other.policy, other.log_key, other.opening
        self.decided = dict(other.decided)

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The keeper as the source of blobs (scribe.BlobSource)."""
        return {name: self.blobs[name] for name in names if name in self.blobs}
