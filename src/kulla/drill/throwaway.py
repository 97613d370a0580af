"""A live tower to be destroyed: made for one drill, in a folder of its own, gone with it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from kulla.drill.chance import Chance
from kulla.drill.citizens import Person
from kulla.drill.guard import DrillRefused, Guard, loopback
from kulla.journal.policy_file import PolicyFile, parse_policy
from kulla.kernel.errors import KullaError
from kulla.tower.country import FAMILY, GIVEN, write_people
from kulla.tower.home import SOCKET_PATH_MAX, Home
from kulla.tower.recover import TakeoverReport, take_over
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


class Throwaway:
    """A demo tower that a drill may destroy, and the one that takes over from it.

    Start it from the thread that will outlive it: its processes end with the thread that made them.
    """

    def __init__(self, guard: Guard, chance: Chance, *, people: int, acts: int) -> None:
        if people > PEOPLE_MAX:
            raise DrillRefused(
                f"{people:,} people share {len(GIVEN) * len(FAMILY)} names, and the demo's sign-in "
                f"page shows {_NAMESAKES_MAX} of one name.",
                place="--citizens",
                remedy=f"Let at most {PEOPLE_MAX:,} live there, with fewer --acts.",
            )
        self.guard = guard
        self._ports = free_ports(2 + len(EMBASSIES), chance)
        self.plan = DemoPlan(
            folder=guard.root,
            port=self._ports[0],
            embassy_port=self._ports[2],
            per_clinic=max(_PER_CLINIC_MIN, acts // _ACTS_A_PRACTITIONER_OF_EACH_CLINIC),
            people=people,
        )
        if len(str(self.plan.home.folder / "run")) > SOCKET_PATH_MAX:
            raise DrillRefused(
                "this path is too long for the home's sockets, which would lie outside it.",
                place=str(guard.root),
                remedy="Name a shorter --folder.",
            )
        self.new_home = Home(guard.root / "new-home")
        self.people: list[Person] = []
        self._rows: list[dict[str, str]] = []
        self._towers: list[Tower] = []

    @property
    def embassies_left(self) -> list[Path]:
        """The folders of the embassies that were not destroyed."""
        folders = (self.plan.embassy(name) for name in EMBASSIES)
        return [folder for folder in folders if folder.exists()]

    def start(self, say: Callable[[str], None]) -> str:
        """Make, mark, start and fill the tower; its URL. Raises what its parts raise."""
        tower = demo_tower(self.plan)
        for folder in (self.plan.home.folder, *tower.embassies):
            self.guard.mark(folder)
        url = self._start(tower, say)
        found_demo(self.plan, say)
        self._rows = json.loads(self.plan.home.demo_people.read_text(encoding="utf-8"))
        self.people = [
            Person(row["subject"], row["name"], own_host(number))
            for number, row in enumerate(self._rows)
            if row["role"] == "citizen"
        ]
        return url

    def destroy(self, embassy: str, chance: Chance) -> tuple[list[int], int]:
        """Kill every process of home and of one embassy, then overwrite and delete their folders.

        Returns the ids of the processes and the bytes that were overwritten. Raises DrillRefused
        where anything of it is not this drill's own.
        """
        doomed = {*HOME_PROCESSES, f"embassy-{embassy}"}
        children = [child for child in self._towers[0].minder.children if child.spec.name in doomed]
        pids = [child.pid for child in children if child.pid is not None]
        if len(pids) != len(doomed):
            raise DrillRefused(
                f"{len(pids)} of {len(doomed)} processes run that were to be killed.",
                place=str(self.guard.root / "logs"),
                remedy="The tower broke before the drill broke it: see its logs.",
            )
        killed = self.guard.kill(pids)
        written = self.guard.wipe(self.plan.home.folder, chance)
        written += self.guard.wipe(self.plan.embassy(embassy), chance)
        return killed, written

    def take_over(self, say: Callable[[str], None]) -> tuple[TakeoverReport, str]:
        """Build the new home from the kit and embassies that are left, and start it; its URL."""
        policy = parse_policy((self.plan.kit / "policy").read_bytes())
        for embassy in policy.embassies:
            loopback(embassy.url)
        report = take_over(
            self.plan.kit,
            self.new_home.folder,
            port=self._ports[1],
            reason="drill: home and one embassy were wiped",
            progress=lambda what, at, end: say(f"{what} {at}/{end}" if end else what),
        )
        if not self.new_home.demo_people.exists():
            # Who may sign in by a press of a button is the demo's own, and not in the journal.
            write_people(self.new_home.demo_people, self._rows)
        return report, self._start(Tower(self.new_home, self.guard.root / "new-logs"), say)

    def policy(self) -> PolicyFile:
        """The policy file after the takeover."""
        return self.new_home.policy()

    def end(self) -> None:
        """Stop all processes, the newest tower first."""
        with ExitStack() as stack:
            for tower in self._towers:
                stack.callback(tower.end)
            self._towers = []

    def _start(self, tower: Tower, say: Callable[[str], None]) -> str:
        self._towers.append(tower)
        url = tower.start(say=say)
        for child in tower.minder.children:
            if child.pid is not None:
                self.guard.adopt(child.pid)
        return url


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
