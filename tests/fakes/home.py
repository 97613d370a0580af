"""A home in this process: the real scribe over real registers, with embassies in process too.

Fault model: `restart` forgets everything that is not in the registers' file or promised by the
tile store, as a process that dies does. With `dies_after` steps (a statement of SQL, a write to the
tile store, a request to an embassy, before it or after it was done) it dies right there.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from fakes.clock import HandClock
from fakes.counters import COUNTER, counters
from fakes.mirrors import MirrorInProcess
from fakes.signers import MadeUpTower, SeededEntropy
from kulla.drill.simulation.mortal import Life, MortalConnection, MortalStore, MortalTransport
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.journal.entries import Sealer
from kulla.journal.simulated import SimulatedTileStore
from kulla.kernel.service import Actor, Authority, Command, Service
from kulla.kernel.tower import Answer
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.own import OWN_TABLES, applied
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.scribe.batch import BatchWriter, pending_entries
from kulla.scribe.courier import Delivery
from kulla.scribe.log import Log, Round
from kulla.scribe.quorum import Quorum
from kulla.scribe.scribe import Scribe

TABLES = (*OWN_TABLES, COUNTER)


class HomeInProcess:
    """One home and its embassies; `answers` holds what each token was told, in order."""

    def __init__(
        self,
        folder: Path,
        *services: Service,
        authority: Authority | None = None,
        fingerprint_every: int = 0,
    ) -> None:
        self.folder = folder
        self.fingerprint_every = fingerprint_every
        self.authority = authority
        self.tower = MadeUpTower()
        self.clock = HandClock()
        self.services = {service.name: service for service in services or (counters(),)}
        self.blobs: dict[bytes, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self.store = SimulatedTileStore(99)
        self.embassies = {
            name: MirrorInProcess(self.tower, name, folder, self.clock)
            for name in self.tower.mirror_keys
        }
        self._number = 0
        self.life = Life()
        create_tables(open_registers(folder / "registers", create=True), TABLES)
        self.restart()

    def restart(self) -> None:
        """Start the scribe from what is durable."""
        self.connection = open_registers(self.folder / "registers")
        mortal = cast(sqlite3.Connection, MortalConnection(self.connection, self.life))
        rows = LiveRows(mortal, TABLES)
        first, entries = pending_entries(self.connection)
        size = applied(rows)
        store = MortalStore(self.store, self.life)
        self.journal = Log(self.tower.log_key, store, size if first is None else first)
        self.journal.join(entries)
        seals = Sealer(
            self.tower.origin, self.tower.journal_key, SeededEntropy(int(self.clock.now_ms()))
        )
        self.writer = BatchWriter(
            mortal,
            rows,
            self.services,
            seals,
            self.clock,
            base=0,
            size=size,
            authority=self.authority,
            **self._fingerprints(),
        )
        keys = {name: key.verifier for name, key in self.tower.mirror_keys.items()}
        self.quorum = Quorum(keys, self.tower.policy.is_quorum)
        self.scribe: Scribe[str] = Scribe(
            self.writer, self.journal, self.quorum, self.services, self, self.clock
        )
        self.deliveries = {
            name: Delivery(self._client(embassy), keys[name], self.journal, self)
            for name, embassy in self.embassies.items()
        }
        self.rounds: list[Round] = []
        self.scribe.start(self.rounds.append)

    def _fingerprints(self) -> dict[str, Any]:
        if not self.fingerprint_every:
            return {}
        key = FingerprintKey(self.tower.journal_key.secret)
        return {"fingerprint_key": key, "fingerprint_every": self.fingerprint_every}

    def _client(self, embassy: MirrorInProcess) -> EmbassyClient:
        transport = MortalTransport(embassy, self.life)
        return EmbassyClient("http://in-process", name=embassy.name, transport=transport)

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """See scribe.BlobSource."""
        return {name: self.blobs[name] for name in names if name in self.blobs}

    def command(
        self, name: str = "raise", *, service: str = "counters", who: str = "a", **data: object
    ) -> Command:
        """A fresh command of `who`."""
        self._number += 1
        names = tuple(value for value in data.values() if isinstance(value, bytes))
        return Command(
            service,
            name,
            hashlib.sha256(b"%d" % self._number).digest()[:16],
            Actor("citizen", who),
            {"counter": "c", **data},  # type: ignore[dict-item]
            names,
        )

    def take(self, *commands: Command, tokens: str = "") -> None:
        """Hand a batch to the scribe; tokens are the letters of `tokens`, or numbers."""
        names = list(tokens) or [str(number) for number in range(len(commands))]
        self._told(self.scribe.take(list(zip(names, commands, strict=True))))

    def deliver(self, *only: str) -> None:
        """Bring all rounds to the embassies (or to those named) and tell the scribe."""
        for parcel in self.rounds:
            for name in only or tuple(self.embassies):
                try:
                    cosignature = self.deliveries[name].bring(parcel)
                except EmbassyError:
                    continue
                self._told(self.scribe.held(name, parcel.size, cosignature))
        self.rounds.clear()

    def rows(self) -> dict[str, dict[str, object]]:
        """The counters by name."""
        found = LiveRows(self.connection, TABLES).find(COUNTER.name)
        return {str(row["name"]): dict(row) for row in found}

    def _told(self, replies: Sequence[tuple[str, Answer]]) -> None:
        for token, answer in replies:
            assert token not in self.answers or self.answers[token] == answer
            self.answers[token] = answer
