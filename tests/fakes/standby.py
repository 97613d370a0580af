"""A standby in this process: the real follower over embassies of a HomeInProcess.

Fault model: its process dies at any step as in kulla.drill.simulation.mortal (a statement of SQL, a
write to its tiles, a request to an embassy); what its stores promised stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from fakes.home import TABLES, HomeInProcess
from fakes.mirrors import MirrorInProcess
from kulla.drill.simulation.mortal import Life, MortalConnection, MortalStore, MortalTransport
from kulla.embassy.client import EmbassyClient
from kulla.journal.policy_file import Embassy, parse_policy
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.store import TileStore
from kulla.keeper.waiting import WaitingKeys
from kulla.kernel.rows import Cell
from kulla.registers.sqlite import LiveRows, create_tables, dump, open_registers
from kulla.standby.alarms import Alarms
from kulla.standby.embassies import Embassies
from kulla.standby.follower import Follower, HistoryDisowned, Patience, Site

PATIENCE = Patience(home_s=600, embassy_s=60, key_s=60)


class StandbyInProcess:
    """A follower of `home`, with what is durable of it in `folder`."""

    def __init__(self, home: HomeInProcess, folder: Path, *, go_on: bool = False) -> None:
        self.home = home
        self.folder = folder
        self.go_on = go_on
        self.embassies: dict[str, MirrorInProcess] = dict(home.embassies)
        self.stores: dict[str, SimulatedTileStore] = {}
        self.evidence: dict[str, bytes] = {}
        self.policy = home.tower.policy.render()
        self.told: list[str] = []
        self.life = Life()
        # A home's rebuild notes the first epoch; this one was made without.
        epoch: dict[str, Cell] = {"number": 1, "origin": home.tower.origin, "base": 0}
        LiveRows(home.connection, TABLES).put("kulla_epoch", {**epoch, "root_before": None})
        self.begin()

    def begin(self) -> None:
        """Start from what is durable."""
        self.connection = open_registers(self.folder / "standby", create=True)
        create_tables(self.connection, TABLES)
        self.wanted = WaitingKeys(self.folder / "waiting", create=True)
        key = self.home.tower.journal_key
        site = Site(
            cast(sqlite3.Connection, MortalConnection(self.connection, self.life)),
            TABLES,
            self.home.services,
            {key.key_id: key},
            None,
            self._store_of,
            self.wanted,
            self._keep_policy,
            self.evidence.__setitem__,
        )
        self.alarms = Alarms(self.home.clock, lambda alarm: self.told.append(alarm.kind))
        embassies = Embassies(parse_policy(self.policy), self._client_of, together=False)
        self.follower = Follower(
            site, embassies, self.alarms, self.home.clock, PATIENCE, go_on=self.go_on
        )

    def die(self) -> None:
        """What the process did not make durable is gone; a new one may begin."""
        self.connection.close()
        self.wanted.close()
        for store in self.stores.values():
            store.crash()
        self.life = Life()

    def forget(self) -> None:
        """Begin anew, as the process around a follower does when history is disowned."""
        self.die()
        self.stores.clear()
        for name in ("standby", "waiting"):
            for path in self.folder.glob(f"{name}*"):
                path.unlink()
        self.begin()

    def follow(self) -> int:
        """Step until nothing moves; the position then."""
        while True:
            try:
                if not self.follower.step().moved:
                    return self.follower.position
            except HistoryDisowned:
                self.forget()

    def lasting(self) -> list[tuple[str, str]]:
        """(kind, place) of the alarms that last."""
        return [(alarm.kind, alarm.place) for alarm in self.alarms.lasting()]

    def rows(self) -> Mapping[str, list[tuple[Cell, ...]]]:
        """Every row of its registers."""
        return {table.name: dump(self.connection, table) for table in TABLES}

    def home_rows(self) -> Mapping[str, list[tuple[Cell, ...]]]:
        """Every row of home's registers."""
        return {table.name: dump(self.home.connection, table) for table in TABLES}

    def _store_of(self, origin: str) -> TileStore:
        store = self.stores.setdefault(origin, SimulatedTileStore(len(self.stores)))
        return MortalStore(store, self.life)

    def _client_of(self, embassy: Embassy) -> EmbassyClient:
        transport = MortalTransport(self.embassies[embassy.name], self.life)
        return EmbassyClient("http://in-process", name=embassy.name, transport=transport)

    def _keep_policy(self, data: bytes) -> None:
        self.policy = data
