"""A live tower to be destroyed: made for one drill, in a folder of its own, gone with it."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kulla.drill.chance import Chance
from kulla.drill.citizens import Person
from kulla.drill.guard import DrillRefused, Guard, loopback
from kulla.drill.minding import MindingThread
from kulla.drill.proxy import Lines
from kulla.drill.standby import Standby
from kulla.journal.policy_file import PolicyFile, parse_policy
from kulla.kernel.errors import KullaError
from kulla.tower.country import FAMILY, GIVEN, write_people
from kulla.tower.home import SOCKET_PATH_MAX, Home
from kulla.tower.minder import Child, ChildSpec
from kulla.tower.past import give_past
from kulla.tower.takeover.recover import TakeoverReport, take_over
from kulla.tower.up import EMBASSIES, DemoPlan, Tower, demo_tower, found_demo

HOME_PROCESSES: Final = ("keeper", "scribe", "portal", "post")
_FIRST_PORTS: Final = range(10_000, 30_000)
_TRIES: Final = 200
_LOOPBACK: Final = "127.0.0.1"
_PEOPLE_A_HOST_PART: Final = 250
_NAMESAKES_MAX: Final = 24
_PER_CLINIC_MIN: Final = 3
_ACTS_A_PRACTITIONER_OF_EACH_CLINIC: Final = 6000

PEOPLE_MAX: Final = len(GIVEN) * len(FAMILY) * _NAMESAKES_MAX
"""How many people can sign in at the demo's page."""


class NoPorts(KullaError):
    """No run of free ports was found on loopback."""


@dataclass(frozen=True, slots=True)
class DrillPlan(DemoPlan):
    """A demo country some of whose folders lie on disks of their own (see `disks.Disk`).

    `on_disks` names them: 'home', or an embassy.
    """

    on_disks: frozenset[str] = frozenset()

    @property
    def home(self) -> Home:
        """See DemoPlan."""
        return Home(self.disk("home") / "home" if "home" in self.on_disks else self.folder / "home")

    def embassy(self, name: str) -> Path:
        """See DemoPlan."""
        return self.disk(name) / name if name in self.on_disks else self.folder / "embassies" / name

    def disk(self, name: str) -> Path:
        """Where the disk is mounted on which this one lies."""
        return self.folder / f"disk-{name}"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a drill's tower differs from a plain one.

    on_disks: see DrillPlan; they are mounted before anything is made. lines: embassies are reached
    through `Throwaway.lines`. change: see tower.up.Tower; the new home's processes stay as they
    are. made: what is done between the making of the folders and the start.
    """

    on_disks: frozenset[str] = frozenset()
    lines: bool = False
    change: Callable[[ChildSpec], ChildSpec] = lambda spec: spec
    made: Callable[[Throwaway], None] = lambda _: None


class Throwaway:
    """A demo tower that a drill may destroy, and the one that takes over from it.

    All processes are started by one thread (`minding`), which lives until `end`.
    """

    def __init__(
        self,
        guard: Guard,
        chance: Chance,
        *,
        people: int,
        acts: int,
        journal: int = 0,
        standby: bool = False,
        arrangement: Arrangement = Arrangement(),
    ) -> None:
        """`journal`, `standby`: see notes.WipePlan."""
        if people > PEOPLE_MAX:
            raise DrillRefused(
                f"{people:,} people share {len(GIVEN) * len(FAMILY)} names, and the demo's sign-in "
                f"page shows {_NAMESAKES_MAX} of one name.",
                place="--citizens",
                remedy=f"Let at most {PEOPLE_MAX:,} live there, with fewer --acts.",
            )
        self.guard = guard
        self._arrangement = arrangement
        self._journal = journal
        self._ports = free_ports(2 + 2 * len(EMBASSIES), chance)
        lines = self._ports[2 + len(EMBASSIES) :]
        self.plan = DrillPlan(
            folder=guard.root,
            port=self._ports[0],
            embassy_port=self._ports[2],
            line_port=lines[0] if arrangement.lines else 0,
            per_clinic=max(_PER_CLINIC_MIN, acts // _ACTS_A_PRACTITIONER_OF_EACH_CLINIC),
            people=people,
            on_disks=arrangement.on_disks,
        )
        if len(str(self.plan.home.folder / "run")) > SOCKET_PATH_MAX:
            raise DrillRefused(
                "this path is too long for the home's sockets, which would lie outside it.",
                place=str(guard.root),
                remedy="Name a shorter --folder.",
            )
        self.new_home = Home(guard.root / "new-home")
        self._standby = Standby(self.new_home.folder, self._ports[1]) if standby else None
        self.people: list[Person] = []
        self.minding = MindingThread()
        self.lines = Lines(
            {name: (lines[at], self._ports[2 + at]) for at, name in enumerate(EMBASSIES)}
        )
        self.journal_before = 0
        self._rows: list[dict[str, str]] = []
        self._towers: list[Tower] = []

    @property
    def embassies_left(self) -> list[Path]:
        """The folders of the embassies that were not destroyed."""
        folders = (self.plan.embassy(name) for name in EMBASSIES)
        return [folder for folder in folders if folder.exists()]

    @property
    def children(self) -> dict[str, Child]:
        """The processes of the tower that the drill began with, by name."""
        return {child.spec.name: child for child in self._towers[0].minder.children}

    def embassy_url(self, name: str) -> str:
        """Where an embassy itself listens, past its line."""
        return f"http://{_LOOPBACK}:{self.plan.embassy_port + EMBASSIES.index(name)}"

    def start(self, say: Callable[[str], None]) -> str:
        """Make, mark, start and fill the tower; its URL. Raises what its parts raise."""
        if self._arrangement.lines:
            self.lines.open()
        self.minding.start()
        tower = demo_tower(self.plan, change=self._arrangement.change)
        for folder in (self.plan.home.folder, *tower.embassies):
            self.guard.mark(folder)
        self._arrangement.made(self)
        if self._journal:
            self.journal_before = give_past(self.plan, self._journal, self._journal, say)
        url = self.minding.submit(lambda: self._start(tower, say)).result()
        found_demo(self.plan, say)
        if self._standby is not None:
            self._follow(self._standby, say)
        self._rows = json.loads(self.plan.home.demo_people.read_text(encoding="utf-8"))
        self.people = [
            Person(row["subject"], row["name"], own_host(number))
            for number, row in enumerate(self._rows)
            if row["role"] == "citizen"
        ]
        return url

    def adopt(self) -> None:
        """Take all processes that run now as the drill's own, also those that were started anew."""
        for tower in self._towers:
            for child in tower.minder.children:
                if child.pid is not None:
                    self.guard.adopt(child.pid)

    def kill(self, doomed: Sequence[str], *, dead: bool) -> list[int]:
        """Kill every process of `doomed` ('home' or embassies), all at once; their ids.

        `dead`: some of them may be dead already. Raises DrillRefused where one is not this drill's.
        """
        names = processes_of(doomed)
        pids = [pid for name in names if (pid := self.children[name].pid) is not None]
        if len(pids) != len(names) and not dead:
            raise DrillRefused(
                f"{len(pids)} of {len(names)} processes run that were to be killed.",
                place=str(self.guard.root / "logs"),
                remedy="The tower broke before the drill broke it: see its logs.",
            )
        self.adopt()
        return self.guard.kill(pids)

    def wipe(self, doomed: Sequence[str], chance: Chance) -> int:
        """Overwrite and delete the folders of `doomed`, who were killed; the bytes overwritten.

        Raises DrillRefused where a folder is not this drill's own.
        """
        homes = {"home": self.plan.home.folder}
        folders = [homes.get(one) or self.plan.embassy(one) for one in doomed]
        return sum(self.guard.wipe(folder, chance) for folder in folders)

    def take_over(self, say: Callable[[str], None]) -> Future[tuple[TakeoverReport, str]]:
        """Build the new home from the kit and embassies that are left, and start it; its URL.

        It is done in the minding thread.
        """
        return self.minding.submit(lambda: self._take_over(say))

    def _take_over(self, say: Callable[[str], None]) -> tuple[TakeoverReport, str]:
        policy = parse_policy((self.plan.kit / "policy").read_bytes())
        for embassy in policy.embassies:
            loopback(embassy.url)
        report = take_over(
            self.plan.kit,
            self.new_home.folder,
            port=self._ports[1],
            reason="drill: home is lost",
            progress=lambda what, at, end: say(f"{what} {at}/{end}" if end else what),
        )
        if not self.new_home.demo_people.exists():
            # Who may sign in by a press of a button is the demo's own, and not in the journal.
            write_people(self.new_home.demo_people, self._rows)
        if self._standby is not None:
            return report, self._standby.url_of_home()
        return report, self._start(Tower(self.new_home, self.guard.root / "new-logs"), say)

    def policy(self) -> PolicyFile:
        """The policy file after the takeover."""
        return self.new_home.policy()

    def end(self) -> None:
        """Stop all processes, the newest tower first, and the lines between them."""
        self.minding.end(self._stop)
        self.lines.end()

    def _follow(self, standby: Standby, say: Callable[[str], None]) -> None:
        """Start the standby, and wait until it holds all that there is."""
        say("a standby follows")
        spec = standby.prepare(self.plan.kit, self.guard.root / "standby-kit")
        self.minding.submit(lambda: self._towers[0].minder.start(spec)).result()
        write_people(self.new_home.demo_people, json.loads(self.plan.home.demo_people.read_text()))
        self.adopt()
        with closing(sqlite3.connect(f"file:{self.plan.home.registers}?mode=ro", uri=True)) as home:
            [(acts,)] = home.execute("SELECT position FROM kulla_applied").fetchall()
        standby.wait_level(acts, say)

    def _stop(self) -> None:
        with ExitStack() as stack:
            for tower in self._towers:
                stack.callback(tower.end)

    def _start(self, tower: Tower, say: Callable[[str], None]) -> str:
        """In the minding thread."""
        self._towers.append(tower)

        def step(what: str) -> None:
            self.minding.check()
            say(what)

        url = tower.start(say=step)
        self.adopt()
        return url


def processes_of(doomed: Sequence[str]) -> list[str]:
    """The names of the processes of these sites: 'home', or embassies."""
    names: list[str] = []
    for one in doomed:
        names += HOME_PROCESSES if one == "home" else (f"embassy-{one}",)
    return names


def free_ports(count: int, chance: Chance) -> list[int]:
    """`count` ports in a row that are free on 127.0.0.1, below those that outgoing lines take.

    Raises NoPorts.
    """
    for _ in range(_TRIES):
        first = chance.choice(_FIRST_PORTS)
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports
    raise NoPorts(f"no {count} ports in a row are free.", place=_LOOPBACK)


def own_host(number: int) -> str:
    """The address of loopback from which the `number`-th citizen comes."""
    high, low = divmod(number, _PEOPLE_A_HOST_PART)
    return f"127.{1 + high // _PEOPLE_A_HOST_PART}.{high % _PEOPLE_A_HOST_PART}.{1 + low}"


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
