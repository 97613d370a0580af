"""A standby: the real follower over simulated disks, until it dies, or becomes home."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Final, cast

from kulla.drill.simulation import country
from kulla.drill.simulation.clocks import SiteClock
from kulla.drill.simulation.coverage import fault_of, standby_write
from kulla.drill.simulation.disks import HomeFolder, RegisterConnection
from kulla.drill.simulation.mortal import Died, Life, MortalStore
from kulla.drill.simulation.shelf import WantedShelf
from kulla.journal.errors import StoreFailed
from kulla.journal.policy_file import Embassy, PolicyFile, parse_policy
from kulla.journal.store import TileStore
from kulla.registers.sqlite import LiveRows
from kulla.standby.alarms import FORK, Alarm, Alarms
from kulla.standby.embassies import Embassies
from kulla.standby.follower import Follower, HistoryDisowned, Site

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World
    from kulla.embassy.client import EmbassyClient

_ACTS: Final = 300
_DISK_WORDS: Final = ("disk I/O error", "full")


class HastyPolicy(PolicyFile):
    """A known-bad build: any one embassy is a quorum to the standby."""

    def is_quorum(self, names: Iterable[str]) -> bool:
        """Whether there is anybody."""
        return any(True for _ in names)


def _hasty(policy: PolicyFile) -> PolicyFile:
    return HastyPolicy(**{field.name: getattr(policy, field.name) for field in fields(policy)})


class Standby:
    """One standby, at a site of its own. `gone` once its folder belongs to a takeover."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.folder = HomeFolder(world.chance, syncs=world.build.syncs, met=world.met)
        self.folder.followed = country.policy_of_the_beginning()
        self.clock = SiteClock(world)
        self.alarms = Alarms(self.clock, self._hear)
        self.gone = False
        self._running = False
        self._torn = False
        self.life = Life()
        self._connection: RegisterConnection | None = None
        self._rows: LiveRows | None = None
        self.follower: Follower | None = None

    def _hear(self, alarm: Alarm) -> None:
        if alarm.kind == FORK:
            self.world.met("a standby raises the alarm on a fork")

    def start(self) -> None:
        """Start the process, if it does not run; it may die of it."""
        if self.follower is not None or self.gone:
            return
        self.world.note("starts", self.name)
        if self._torn:
            self.world.met("a standby starts from torn tiles")
            self._torn = False
        self.life = self.world.new_life(300)
        self._guarded(self._open)

    def _open(self) -> None:
        life, folder = self.life, self.folder
        assert folder.followed is not None
        self._connection = folder.registers.open(life)
        self._rows = LiveRows(self._connection.plain, country.tables())

        def client_of(embassy: Embassy) -> EmbassyClient:
            return self.world.network.client(self.name, life, self.world.embassies[embassy.name])

        def store_of(origin: str) -> TileStore:
            return MortalStore(folder.store(origin), life)

        site = Site(
            cast("sqlite3.Connection", self._connection),
            country.tables(),
            country.SERVICES,
            country.journal_keys(),
            None,
            store_of,
            WantedShelf(folder.wanted, life),
            lambda policy: life.step(lambda: self._keep_policy(policy)),
            lambda *_: None,
        )
        policy = folder.followed if self.world.build.certain else _hasty(folder.followed)
        embassies = Embassies(policy, client_of, together=False)
        self.follower = Follower(site, embassies, self.alarms, self.clock, acts=_ACTS)

    def _keep_policy(self, data: bytes) -> None:
        self.folder.followed = parse_policy(data)

    def step(self) -> None:
        """Follow one step, where the process lives and is not in a step already."""
        if self.follower is None or self._running:
            return
        self._running = True
        try:
            self._guarded(self._follow)
        finally:
            self._running = False

    def _follow(self) -> None:
        follower = self.follower
        assert follower is not None
        before = follower.position
        stepped = follower.step()
        self.life.check()
        if stepped.position > before:
            self.world.note(self.name, "replayed", str(stepped.position))
            self.world.met("a standby replays")
        if stepped.known > stepped.confirmed:
            self.world.met("a standby waits for a quorum")
        if stepped.epoch > 1 and stepped.position > before:
            self.world.met("a standby follows a new home")
        assert self._rows is not None
        self.world.judge.followed(self, self._rows)

    def _guarded(self, act: object) -> None:
        """Do something that the process may die of."""
        assert callable(act)
        life = self.life
        try:
            act()
        except Died:
            if self.life is life:
                self.world.met("a standby dies at a step")
                self.end("dies")
        except (StoreFailed, sqlite3.OperationalError) as error:
            if self.life is life:
                self._note_fault(error)
                self.end(f"ends: {error}")
        except HistoryDisowned as error:
            if self.life is life:
                self.end(f"begins anew: {error}")
                self.folder.forget_replayed()
                self.world.judge.disowned(self, str(error))

    def _note_fault(self, error: Exception) -> None:
        if isinstance(error, StoreFailed) and (fault := fault_of(error)):
            self.world.met(standby_write(fault))
            self._torn = fault in ("torn", "reordered")
        else:
            assert any(word in str(error) for word in _DISK_WORDS), error

    def kill(self, *, power: bool) -> None:
        """Somebody pulls the plug, or kills the process."""
        if self.follower is not None:
            self.world.met("a standby loses power" if power else "a standby is killed")
            self.end("loses power" if power else "is killed", power=power)

    def end(self, why: str, *, power: bool | None = None) -> None:
        """The process is over."""
        self.world.note("ends", self.name, why)
        self.life.over = True
        self.follower = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self.world.chance.random() < 0.5 if power is None else power:
            self.folder.cut_power()
        else:
            self.folder.restart()

    def give_up_folder(self) -> HomeFolder:
        """A takeover begins here: the process ends, and the folder is the takeover's."""
        if self.follower is not None:
            self.end("makes way", power=False)
        self.gone = True
        return self.folder

    @property
    def position(self) -> int:
        """The position of the next act to replay; -1 while the process is dead."""
        return self.follower.position if self.follower is not None else -1

    @property
    def registers(self) -> sqlite3.Connection | None:
        """The registers of the process that runs, as a judge reads them."""
        return self._connection.plain if self._connection is not None else None
