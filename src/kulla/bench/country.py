"""A throwaway demo country to be measured: made in a folder of its own, gone afterwards."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kulla.bench.errors import BenchFailed
from kulla.bench.visitors import Site
from kulla.kernel.edges import SystemClock
from kulla.scribe.client import ScribeClient
from kulla.tower.minder import ChildSpec
from kulla.tower.up import EMBASSIES, DemoPlan, Tower, demo_tower, found_demo

_LOOPBACK: Final = "127.0.0.1"
# Below the ports that outgoing connections take.
_FIRST_PORTS: Final = range(10_007, 30_000, 17)
_DAYS: Final = 28
_MINUTES_A_PRACTITIONER: Final = 7 * 60 * 19
_CLINICS: Final = 24
_SETTLE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a country must have: so many citizens, free slots, and the way to its embassies.

    `round_trip_ms` is how long a byte to an embassy and its answer take on the way; 0: loopback.
    `accounts`: its people have accounts, and there is a staff. `slot_minutes` is short by default,
    so that there is room for all who book.
    """

    people: int
    slots: int
    round_trip_ms: int = 0
    accounts: bool = False
    slot_minutes: int = 5


class Country:
    """A demo tower that runs."""

    def __init__(self, plan: DemoPlan, tower: Tower, site: Site) -> None:
        self.plan = plan
        self.tower = tower
        self.site = site

    def subjects(self) -> list[str]:
        """The subject ids of its citizens, in the order in which they were registered."""
        rows = json.loads(self.plan.home.demo_people.read_text(encoding="utf-8"))
        return [row["subject"] for row in rows if row["role"] == "citizen"]

    def free_slots(self) -> list[str]:
        """The ids of free slots from tomorrow on, spread over practitioners, soonest first."""
        after_s = SystemClock().now_ms() // 1000 + 24 * 3600
        with closing(self.registers()) as connection:
            found = connection.execute(
                "SELECT id FROM appointments_slot WHERE state = 'free' AND starts_s > ?"
                " ORDER BY starts_s, practitioner",
                [after_s],
            )
            return [slot for (slot,) in found]

    def registers(self) -> sqlite3.Connection:
        """The registers, for reading."""
        return sqlite3.connect(f"file:{self.plan.home.registers}?mode=ro", uri=True)

    def watermark(self) -> int:
        """The position below which all is confirmed, once that is all there is.

        Raises BenchFailed where it isn't after half a minute.
        """
        clock = SystemClock()
        scribe = ScribeClient(self.plan.home.run_folder(), clock)
        end_s = clock.monotonic_s() + _SETTLE_S
        while clock.monotonic_s() < end_s:
            witnessing = scribe.state()["witnessing"]
            if witnessing["watermark"] == witnessing["size"]:
                return int(witnessing["watermark"])
        raise BenchFailed("the quorum does not come level with the journal.")

    def pids(self) -> dict[str, int]:
        """The process ids of the tower, by what they are."""
        children = self.tower.minder.children
        return {child.spec.name: child.pid for child in children if child.pid is not None}


@contextmanager
def open_country(folder: Path, wanted: Wanted, say: Callable[[str], None]) -> Iterator[Country]:
    """Make and start a demo country in `folder`; its processes end with the context."""
    ports = free_ports(1 + 2 * len(EMBASSIES))
    far = bool(wanted.round_trip_ms)
    first = 1 + (len(EMBASSIES) if far else 0)
    plan = DemoPlan(
        folder=folder,
        port=ports[0],
        embassy_port=ports[first],
        per_clinic=-(-wanted.slots * wanted.slot_minutes // (_CLINICS * _MINUTES_A_PRACTITIONER)),
        days=_DAYS,
        people=wanted.people,
        slot_minutes=wanted.slot_minutes,
        accounts=wanted.accounts,
    )
    tower = demo_tower(plan)
    try:
        if far:
            _move_away(tower, plan, ports[1 : 1 + len(EMBASSIES)], wanted.round_trip_ms)
        tower.start(bench=True, say=say)
        found_demo(plan, say)
        yield Country(plan, tower, Site(plan.port))
    finally:
        tower.end()


def _move_away(tower: Tower, plan: DemoPlan, ports: list[int], round_trip_ms: int) -> None:
    """Let embassies listen on other ports than the policy names; a proxy stands between."""
    pairs = []
    for number, name in enumerate(EMBASSIES):
        settings = plan.embassy(name) / "embassy.toml"
        bind = f'bind = "{_LOOPBACK}:{ports[number]}"'
        text, count = re.subn(r"(?m)^bind = .*$", bind, settings.read_text())
        assert count == 1
        settings.write_text(text)
        pairs.append(f"{plan.embassy_port + number}:{ports[number]}")
    words = ("bench", "delay", "--one-way-ms", str(round_trip_ms / 2), *pairs)
    tower.minder.start(ChildSpec("delay", words))


def free_ports(count: int) -> list[int]:
    """`count` ports in a row that are free on loopback. Raises BenchFailed."""
    for first in _FIRST_PORTS:
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports
    raise BenchFailed(f"no {count} ports in a row are free on {_LOOPBACK}.")


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
