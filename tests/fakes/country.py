"""A small made-up country behind a FakeTower: clinics, practitioners, a month of slots, people."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from fakes.tower import FakeTower, SetClock
from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.appointments.zones import offsets

MONDAY_MS: Final = int(datetime(2026, 2, 2, 7, 0, tzinfo=UTC).timestamp() * 1000)
ZONE: Final = "Europe/Tirane"
WEEKLY: Final = [[day, 480, 720, 20] for day in range(1, 6)] + [[2, 780, 900, 30]]

CLINICS: Final = (
    ("poliklinika-8", "Poliklinika nr. 8", "Tiranë", "Tiranë", "Rruga e Kavajës 114"),
    ("qsh-kamez", "Qendra Shëndetësore Kamëz", "Kamëz", "Tiranë", "Bulevardi Blu 20"),
    ("spitali-vlore", "Spitali Rajonal Vlorë", "Vlorë", "Vlorë", "Rruga Sadik Zotaj 3"),
)
PRACTITIONERS: Final = (
    ("hoxha-a", "poliklinika-8", "Dr. Arta Hoxha", "Mjekësi familjeje"),
    ("gjoka-b", "qsh-kamez", "Dr. Besnik Gjoka", "Mjekësi familjeje"),
    ("leka-d", "spitali-vlore", "Dr. Drita Leka", "Kardiologji"),
)


@dataclass
class Country:
    """The fake tower with its people; `ask` submits as somebody and gives the answer."""

    tower: FakeTower
    citizens: tuple[str, ...]
    clerk: str
    _count: int = field(default=0)

    def ask(self, actor: Actor, service: str, name: str, data: dict[str, Value]) -> Answer:
        """Submit one command under a fresh id."""
        self._count += 1
        command = Command(service, name, self._count.to_bytes(16, "big"), actor, data)
        return self.tower.submit(command)

    def slot(self, practitioner: str = "hoxha-a", *, days: int = 1, hour: int = 9) -> str:
        """The id of the slot so many days after the first Monday, at this hour UTC."""
        at = datetime.fromtimestamp(MONDAY_MS / 1000, UTC).replace(hour=hour, minute=0)
        return f"{practitioner}-{int((at + timedelta(days=days)).timestamp())}"

    def book(self, citizen: str, slot: str) -> str:
        """Book past the pages, by the same policy; returns the appointment's id."""
        data: dict[str, Value] = {"slot": slot}
        data.update(self.tower.seal(citizen, {"contact": "069 123 4567", "reason": "Kontroll"}))
        answer = self.ask(Actor("citizen", citizen), "appointments", "book", data)
        assert answer.status in ("accepted", "waiting"), answer
        held = self.tower._rows.get("appointments_slot", slot)
        assert held is not None
        return str(held["appointment"])


def settle(folder: Path, clock: SetClock | None = None, people_count: int = 3) -> Country:
    """Found the country in `folder`: registers, policy, people.json and secret; returns it."""
    tower = FakeTower(folder / "registers.sqlite", clock)
    people = [subject for subject, _ in tower.enrol(people_count + 1)]
    *citizens, clerk = people
    country = Country(tower, tuple(citizens), clerk)
    operator = Actor("operator", "arkitekti")
    today = datetime.fromtimestamp(tower.clock.now_ms() / 1000, UTC).date()
    last = today + timedelta(days=60)
    for clinic, name, town, county, address in CLINICS:
        data: dict[str, Value] = {
            "clinic": clinic,
            "name": name,
            "town": town,
            "county": county,
            "address": address,
        }
        assert country.ask(operator, "appointments", "open_clinic", data).status == "accepted"
    for practitioner, clinic, name, speciality in PRACTITIONERS:
        for command, wish in _wishes(practitioner, clinic, name, speciality, today, last):
            answer = country.ask(operator, "appointments", command, wish)
            assert answer.status == "accepted", answer
    _write_files(folder, tower, citizens, clerk)
    return country


def _wishes(
    practitioner: str, clinic: str, name: str, speciality: str, today: object, last: object
) -> list[tuple[str, dict[str, Value]]]:
    days = {"first_day": str(today), "last_day": str(last)}
    spans = [list(pair) for pair in offsets(ZONE, today, last)]  # type: ignore[arg-type]
    who = {"practitioner": practitioner}
    return [
        ("add_practitioner", {**who, "clinic": clinic, "name": name, "speciality": speciality}),
        (
            "set_schedule",
            {**who, "weekly": WEEKLY, "zone": ZONE, "valid_from": str(today), "valid_to": ""},
        ),
        ("publish_slots", {**who, **days, "zone": ZONE, "offsets": spans}),
    ]


def _write_files(folder: Path, tower: FakeTower, citizens: list[str], clerk: str) -> None:
    (folder / "policy").write_bytes(tower.keys.policy.render())
    (folder / "secret").write_text("5" * 64)
    names = ("Ana Prifti", "Besim Kodra", "Çlirim Duka")
    people = [
        {
            "subject": subject,
            "name": names[number] if number < len(names) else f"Qytetari {number}",
            "role": "citizen",
            "town": "Tiranë",
        }
        for number, subject in enumerate(citizens)
    ]
    people.append({"subject": clerk, "name": "Elira Meta", "role": "clerk", "town": "Tiranë"})
    (folder / "people.json").write_text(json.dumps(people))


def environment(folder: Path) -> dict[str, str]:
    """The portal's settings for a country that was founded in `folder`."""
    return {
        "KULLA_REGISTERS": str(folder / "registers.sqlite"),
        "KULLA_SESSIONS": str(folder / "sessions.sqlite"),
        "KULLA_RUN": str(folder / "run"),
        "KULLA_SECRET_KEY_FILE": str(folder / "secret"),
        "KULLA_POLICY_FILE": str(folder / "policy"),
        "KULLA_DEMO": "1",
        "KULLA_DEMO_PEOPLE": str(folder / "people.json"),
        "KULLA_BENCH": "1",
    }
