"""The demo country: clinics in Albania's twelve counties, and made-up people. Nothing here is real.

Everything goes in as commands, like anything else that a state remembers.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from kulla.kernel.canonical import Value
from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.accounts.demo_passkey import DemoPasskey
from kulla.services.accounts.staff import FOUNDER
from kulla.services.appointments.zones import offsets

ZONE: Final = "Europe/Tirane"
DAYS_AHEAD: Final = 28
PEOPLE_PER_COMMAND: Final = 200
NUMBERED_PEOPLE: Final = 24
"""So many people, those on the first sign-in page, have a personal number."""
AT_ONCE: Final = 32
MAIL_DOMAIN: Final = "demo.example"

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
STAFF: Final = (
    ("Arta Gjini-Demo", "clerk", "Tiranë"),
    ("Besnik Kodra-Demo", "clerk", "Durrës"),
    ("Drita Zeka-Demo", "clerk", "Shkodër"),
    ("Flamur Bardhi-Demo", "clerk", "Vlorë"),
    ("Lindita Doda-Demo", "operator", "Tiranë"),
    ("Petrit Vata-Demo", "operator", "Tiranë"),
    ("Shpresa Lumi-Demo", "analyst", "Tiranë"),
)
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


def mail_of(name: str, number: int) -> str:
    """The made-up mail address of the `number`-th person; no two people have the same.

    Nothing arrives there: the domain is kept for examples (RFC 2606).
    """
    plain = unicodedata.normalize("NFKD", name.casefold().removesuffix("-demo"))
    local = "".join(sign for sign in plain.replace(" ", ".") if sign == "." or sign.isalpha())
    namesake = number // (len(GIVEN) * len(FAMILY))
    local = local.encode("ascii", "ignore").decode()
    return f"{local}{namesake + 1 if namesake else ''}@{MAIL_DOMAIN}"


def number_of(number: int) -> str:
    """The made-up personal number of the `number`-th person: D00000001K is the first one's."""
    return f"D{number + 1:08d}K"


def weekly_rule(periods: Sequence[tuple[int, int, int]]) -> list[list[int]]:
    """Monday to Friday, these periods (from minute, to minute, minutes a slot)."""
    return [[day, *period] for day in range(1, 6) for period in periods]


class FoundingEdge(Protocol):
    """What founding asks of a tower: see kernel.tower.TowerEdge, which has all of it."""

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """See TowerEdge."""
        ...

    def seal(self, subject: str, fields: Mapping[str, str], once: bytes = b"") -> dict[str, bytes]:
        """See TowerEdge."""
        ...

    def enrol(self, count: int) -> Sequence[tuple[str, bytes]]:
        """See TowerEdge."""
        ...

    def token(self, column: str, value: str) -> bytes:
        """See TowerEdge."""
        ...


class Founding:
    """Brings the demo country's acts to a tower's scribe, a batch at a time."""

    def __init__(self, tower: FoundingEdge, clock: Clock, entropy: Entropy) -> None:
        self._tower = tower
        self._clock = clock
        self._entropy = entropy
        self._operator = Actor("operator", "demo")

    def ask(
        self,
        service: str,
        name: str,
        data: dict[str, Value],
        names: Sequence[bytes] = (),
        actor: Actor | None = None,
    ) -> None:
        """One command, of the operator unless `actor` is said.

        Raises DemoRefused where it is not accepted.
        """
        command = Command(
            service,
            name,
            self._entropy.random_bytes(16),
            actor or self._operator,
            data,
            tuple(names),
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
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # Each clinic, and then each practitioner, for itself: together they share batches.
            for _ in pool.map(self._clinic, clinics()):
                pass

            def join(who: dict[str, str]) -> str:
                self.ask("appointments", "add_practitioner", dict(who))
                self._hours(who["practitioner"], today, last, periods, shifts)
                return who["practitioner"]

            for name in pool.map(join, practitioners(per_clinic)):
                progress(name)

    def _clinic(self, clinic: dict[str, str]) -> None:
        self.ask("appointments", "open_clinic", dict(clinic))

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

    def accounts(self, rows: Sequence[dict[str, Any]], first: int = 0) -> None:
        """Open an account for each of these people, with a mail address that joins their row."""
        for number, row in enumerate(rows, first):
            row["mail"] = mail_of(row["name"], number)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # Each is a command of its own, by its own citizen; together they share batches.
            for _ in pool.map(self._account, rows):
                pass

    def numbers(self, rows: Sequence[dict[str, Any]]) -> None:
        """Let clerks find the first of these people by a personal number (see `number_of`)."""
        clerk = Actor("clerk", "demo")
        for number, row in enumerate(rows[:NUMBERED_PEOPLE]):
            data: dict[str, Value] = {
                "subject": str(row["subject"]),
                "number": self._tower.token("number", number_of(number)),
                "document": "id-card",
            }
            self.ask("accounts", "identify", data, actor=clerk)

    def _account(self, row: dict[str, Any]) -> None:
        subject, mail = str(row["subject"]), str(row["mail"])
        data: dict[str, Value] = {
            "subject": subject,
            "mail": self._tower.seal(subject, {"mail": mail})["mail"],
            "mail_token": self._tower.token("mail", mail),
            "language": "sq",
        }
        self.ask("accounts", "open", data, actor=Actor("citizen", subject))

    def staff(self) -> list[dict[str, Any]]:
        """Found the made-up staff; returns rows for the demo's sign-in page, with their passkeys.

        From then on nothing is done in a staff role without a signature: it comes last.
        """
        rows: list[dict[str, Any]] = []
        citizens: list[Value] = []
        founders: list[Value] = []
        enrolled = self._tower.enrol(len(STAFF))
        for (subject, key), (name, role, town) in zip(enrolled, STAFF, strict=True):
            passkey = DemoPasskey.make(self._entropy)
            sealed = self._tower.seal(subject, {"name": name})["name"]
            citizens.append({"subject": subject, "name": sealed, "key": key})
            founders.append(
                {
                    "subject": subject,
                    "role": role,
                    "credential": passkey.credential,
                    "public_key": passkey.public_key,
                }
            )
            who = {"subject": subject, "name": name, "role": role, "town": town}
            rows.append({**who, "passkey": passkey.fields()})
        names = [key for _, key in enrolled]
        self.ask("citizens", "register_many", {"citizens": citizens}, names)
        self.accounts(rows)
        custodian = Actor("custodian", FOUNDER)
        self.ask("accounts", "found_staff", {"staff": founders}, actor=custodian)
        return rows


def write_people(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the made-up people where the demo's sign-in page reads them; for the owner alone.

    The staff's rows hold their passkeys' private keys, so it was never open to others meanwhile.
    """
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(rows, ensure_ascii=False, indent=1))
    fresh.replace(path)
