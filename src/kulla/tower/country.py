"""The demo country: clinics in Albania's twelve counties, and made-up people. Nothing here is real.

Everything goes in as commands, like anything else that a state remembers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import TowerEdge
from kulla.services.appointments.zones import offsets

ZONE: Final = "Europe/Tirane"
DAYS_AHEAD: Final = 28
PEOPLE_PER_COMMAND: Final = 200

COUNTIES: Final = (
    ("Berat", ("Berat", "Kuçovë")),
    ("Dibër", ("Peshkopi", "Burrel")),
    ("Durrës", ("Durrës", "Krujë")),
    ("Elbasan", ("Elbasan", "Librazhd")),
    ("Fier", ("Fier", "Lushnjë")),
    ("Gjirokastër", ("Gjirokastër", "Përmet")),
    ("Korçë", ("Korçë", "Pogradec")),
    ("Kukës", ("Kukës", "Krumë")),
    ("Lezhë", ("Lezhë", "Rrëshen")),
    ("Shkodër", ("Shkodër", "Pukë")),
    ("Tiranë", ("Tiranë", "Kavajë")),
    ("Vlorë", ("Vlorë", "Sarandë")),
)
SPECIALITIES: Final = (
    "Mjekësi e përgjithshme",
    "Pediatri",
    "Obstetrikë-gjinekologji",
    "Stomatologji",
    "Kardiologji",
)
STREETS: Final = ("Rruga e Dëshmorëve", "Rruga e Lirisë", "Rruga Skënderbej", "Bulevardi Qendror")
GIVEN: Final = (
    "Agim", "Alba", "Ardit", "Bora", "Dritan", "Elira", "Endri", "Era", "Fatmir", "Gentiana",
    "Ilir", "Jonida", "Kastriot", "Klea", "Luan", "Mirela", "Nertila", "Olsi", "Rozafa", "Sokol",
    "Teuta", "Valbona", "Xhevahir", "Zana",
)  # fmt: skip
FAMILY: Final = (
    "Berisha-Demo", "Çela-Demo", "Dervishi-Demo", "Frashëri-Demo", "Gjoka-Demo", "Hoxha-Demo",
    "Kola-Demo", "Leka-Demo", "Marku-Demo", "Prifti-Demo", "Shehu-Demo", "Toska-Demo",
)  # fmt: skip
MORNING: Final = (8 * 60, 12 * 60, 15)
AFTERNOON: Final = (13 * 60, 16 * 60, 15)


class DemoRefused(KullaError):
    """The demo country's own set-up was refused: a fault of this release."""


def clinics() -> Iterator[dict[str, str]]:
    """The data of `open_clinic`, one for each town."""
    for number, (county, town) in enumerate(
        (county, town) for county, towns in COUNTIES for town in towns
    ):
        yield {
            "clinic": f"c{number:02d}",
            "name": f"Qendra Shëndetësore {town}",
            "town": town,
            "county": county,
            "address": f"{STREETS[number % len(STREETS)]} {number * 7 % 90 + 1}",
        }


def practitioners(per_clinic: int) -> Iterator[dict[str, str]]:
    """The data of `add_practitioner`: `per_clinic` for each clinic."""
    for number, clinic in enumerate(clinics()):
        for place in range(per_clinic):
            person = number * per_clinic + place
            yield {
                "practitioner": f"{clinic['clinic']}-p{place}",
                "clinic": clinic["clinic"],
                "name": f"Dr. {person_name(person * 5 + 3)}",
                "speciality": SPECIALITIES[place % len(SPECIALITIES)],
            }


def person_name(number: int) -> str:
    """The name of the `number`-th made-up person; nobody real bears it."""
    given = GIVEN[number % len(GIVEN)]
    return f"{given} {FAMILY[number // len(GIVEN) % len(FAMILY)]}"


def weekly_rule(periods: Sequence[tuple[int, int, int]]) -> list[list[int]]:
    """Monday to Friday, these periods (from minute, to minute, minutes a slot)."""
    return [[day, *period] for day in range(1, 6) for period in periods]


class Founding:
    """Brings the demo country's acts to a tower's scribe, a batch at a time."""

    def __init__(self, tower: TowerEdge, clock: Clock, entropy: Entropy) -> None:
        self._tower = tower
        self._clock = clock
        self._entropy = entropy
        self._operator = Actor("operator", "demo")

    def ask(
        self, service: str, name: str, data: dict[str, Value], names: Sequence[bytes] = ()
    ) -> None:
        """One command of the operator. Raises DemoRefused where it is not accepted."""
        command = Command(
            service, name, self._entropy.random_bytes(16), self._operator, data, tuple(names)
        )
        answer = self._tower.submit(command, wait_s=60)
        if answer.status != "accepted":
            raise DemoRefused(
                f"the scribe answered {answer.status} {answer.code} {dict(answer.detail)}.",
                place=f"{service}.{name}",
                remedy="See the logs folder of the home.",
            )

    def clinics(
        self,
        per_clinic: int = 4,
        days: int = DAYS_AHEAD,
        periods: Sequence[tuple[int, int, int]] = (MORNING, AFTERNOON),
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open all clinics, let practitioners join, publish their slots for `days` days."""
        today = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).date()
        last = today + timedelta(days=days)
        shifts: list[Value] = [list(pair) for pair in offsets(ZONE, today, last)]
        for clinic in clinics():
            self.ask("appointments", "open_clinic", dict(clinic))
        for who in practitioners(per_clinic):
            self.ask("appointments", "add_practitioner", dict(who))
            self._hours(who["practitioner"], today, last, periods, shifts)
            progress(who["practitioner"])

    def _hours(
        self,
        practitioner: str,
        today: date,
        last: date,
        periods: Sequence[tuple[int, int, int]],
        shifts: list[Value],
    ) -> None:
        rule: list[Value] = [list(row) for row in weekly_rule(periods)]
        schedule: dict[str, Value] = {
            "practitioner": practitioner,
            "weekly": rule,
            "zone": ZONE,
            "valid_from": today.isoformat(),
            "valid_to": "",
        }
        self.ask("appointments", "set_schedule", schedule)
        publish: dict[str, Value] = {
            "practitioner": practitioner,
            "first_day": today.isoformat(),
            "last_day": last.isoformat(),
            "zone": ZONE,
            "offsets": shifts,
        }
        self.ask("appointments", "publish_slots", publish)

    def people(self, count: int, first: int = 0) -> list[dict[str, Any]]:
        """Register `count` made-up citizens; returns rows for the demo's sign-in page."""
        rows: list[dict[str, Any]] = []
        towns = [(county, town) for county, all_towns in COUNTIES for town in all_towns]
        for start in range(0, count, PEOPLE_PER_COMMAND):
            enrolled = self._tower.enrol(min(PEOPLE_PER_COMMAND, count - start))
            citizens: list[Value] = []
            for number, (subject, key) in enumerate(enrolled, first + start):
                name = person_name(number)
                sealed = self._tower.seal(subject, {"name": name})["name"]
                citizens.append({"subject": subject, "name": sealed, "key": key})
                town = towns[number % len(towns)][1]
                rows.append({"subject": subject, "name": name, "role": "citizen", "town": town})
            names = [key for _, key in enrolled]
            self.ask("citizens", "register_many", {"citizens": citizens}, names)
        return rows


def write_people(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the made-up people where the demo's sign-in page reads them."""
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    path.chmod(0o600)
