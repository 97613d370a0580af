"""Weeks of a made-up country: citizens and clerks at work, and an intruder among them.

The intruder holds a clerk's passkey and session, and three citizens' sessions, for three weeks. He
cancels, books, moves and closes as he likes, and people go on with what he leaves them. The
services' own policies decide; what they refuse is not counted. The same seed gives the same story.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from kulla.drill.chance import Chance, chance_of
from kulla.drill.undo.country import SITE, CountryHere
from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Command, Role
from kulla.services.accounts.demo_passkey import DemoPasskey
from kulla.services.accounts.staff import FOUNDER
from kulla.services.appointments.zones import offsets

BEGIN_MS: Final = 1_782_806_400_000
"""Midnight UTC of 30 June 2026, the day before the story."""

DAY_MS: Final = 86_400_000
DAYS: Final = 60
INTRUDER_FROM_DAY: Final = 20
INTRUDER_DAYS: Final = 21
CITIZENS: Final = 600
CLINICS: Final = 4
DOCTORS_A_CLINIC: Final = 3
BATCH: Final = 8
ZONE: Final = "Europe/Tirane"
OPERATOR: Final = Actor("operator", "drill")


class StoryRefused(KullaError):
    """The founding of the made-up country was refused: a fault of this release."""


class StoryClock:
    """A clock that the story sets (kernel.edges.Clock)."""

    def __init__(self) -> None:
        self.at_ms = BEGIN_MS

    def now_ms(self) -> int:
        """See Clock."""
        self.at_ms += 1
        return self.at_ms

    def monotonic_s(self) -> float:
        """See Clock."""
        return self.at_ms / 1000


@dataclass(frozen=True, slots=True)
class Hands:
    """Somebody who acts: who, by which session, and, for staff, with which passkey."""

    actor: Actor
    via: bytes
    passkey: DemoPasskey | None = None


def mark(text: str) -> bytes:
    """The made-up mark of a session."""
    return hashlib.sha256(text.encode()).digest()[:8]


class Story:
    """Lives the country's life through `country`; `acts` and `intruders_acts` count what it did."""

    def __init__(self, country: CountryHere, clock: StoryClock, seed: int) -> None:
        self._country = country
        self._clock = clock
        self._chance: Chance = chance_of(seed, "undo story")
        self._people = [self._chance.randbytes(16).hex() for _ in range(CITIZENS)]
        self.operators: list[Hands] = []
        self._clerks: list[Hands] = []
        self._doctors: list[str] = []
        self.stolen: list[Hands] = []
        self.intruders_acts = 0

    @property
    def marks(self) -> tuple[bytes, ...]:
        """The marks of the stolen sessions."""
        return tuple(hands.via for hands in self.stolen)

    # founding

    def found(self) -> None:
        """Register people, open clinics, publish hours, found the staff."""
        for start in range(0, CITIZENS, 100):
            citizens: list[Value] = []
            names = []
            for subject in self._people[start : start + 100]:
                key = self._country.keep_blob(self._chance.randbytes(60))
                names.append(key)
                name = self._chance.randbytes(48)
                citizens.append({"subject": subject, "name": name, "key": key})
            self._must("citizens", "register_many", {"citizens": citizens}, tuple(names))
        for number in range(CLINICS):
            self._found_clinic(number)
        self._found_staff()
        self.stolen = [
            replace(self._clerks[0], via=mark("stolen session of a clerk")),
            *(
                Hands(Actor("citizen", subject), mark(f"stolen session {subject}"))
                for subject in self._people[:3]
            ),
        ]

    def _found_clinic(self, number: int) -> None:
        clinic = f"c{number}"
        where = {"name": f"Klinika {number}", "town": "Tiranë", "county": "Tiranë"}
        data: dict[str, Value] = {"clinic": clinic, **where, "address": "Rruga e Lirisë 1"}
        self._must("appointments", "open_clinic", data)
        first = datetime.fromtimestamp(BEGIN_MS / 1000, UTC).date() + timedelta(days=1)
        last = first + timedelta(days=DAYS + 30)
        shifts: list[Value] = [list(pair) for pair in offsets(ZONE, first, last)]
        weekly: list[Value] = [[day, 480, 960, 20] for day in range(1, 7)]
        for place in range(DOCTORS_A_CLINIC):
            doctor = f"{clinic}-p{place}"
            self._doctors.append(doctor)
            who: dict[str, Value] = {"practitioner": doctor}
            named = {"clinic": clinic, "name": "Dr. Demo", "speciality": "Pediatri"}
            self._must("appointments", "add_practitioner", {**who, **named})
            valid = {"zone": ZONE, "valid_from": first.isoformat(), "valid_to": ""}
            self._must("appointments", "set_schedule", {**who, "weekly": weekly, **valid})
            start = first
            while start < last:
                end = min(last, start + timedelta(days=27))
                days = {"first_day": start.isoformat(), "last_day": end.isoformat()}
                span: dict[str, Value] = {**who, **days, "zone": ZONE, "offsets": shifts}
                self._must("appointments", "publish_slots", span)
                start = end + timedelta(days=1)

    def _found_staff(self) -> None:
        staff: list[Value] = []
        for number in range(5):
            role: Role = "operator" if number < 2 else "clerk"
            subject = self._chance.randbytes(16).hex()
            passkey = DemoPasskey.make(self._country.entropy)
            hands = Hands(Actor(role, subject), mark(f"session of {subject}"), passkey)
            (self._clerks if role == "clerk" else self.operators).append(hands)
            staff.append(
                {
                    "subject": subject,
                    "role": role,
                    "credential": passkey.credential,
                    "public_key": passkey.public_key,
                }
            )
        founder = Actor("custodian", FOUNDER)
        self._must("accounts", "found_staff", {"staff": staff}, actor=founder)

    def _must(
        self,
        service: str,
        name: str,
        data: dict[str, Value],
        names: tuple[bytes, ...] = (),
        actor: Actor = OPERATOR,
    ) -> None:
        command = Command(service, name, self._chance.randbytes(16), actor, data, names)
        [answer] = self._country.ask(command)
        if answer.status != "accepted":
            raise StoryRefused(f"{service}.{name} was refused: {answer.code}.")

    # life

    def live(self, acts: int, intruders: int) -> None:
        """Live until there are `acts` acts, `intruders` of them by the intruder."""
        begin = self._country.writer.end
        per_day = (acts - begin) / DAYS
        while self._country.writer.end < acts:
            done = self._country.writer.end - begin
            day = done / per_day
            self._clock.at_ms = max(self._clock.at_ms, BEGIN_MS + int((day + 1.3) * DAY_MS))
            wanted = self._wanted(day, intruders)
            room = min(BATCH, acts - self._country.writer.end)
            hands = [
                self._intruder() if number < wanted else self._honest() for number in range(room)
            ]
            self._chance.shuffle(hands)
            asked = [self._wish(one) for one in hands]
            answers = self._country.ask(*asked)
            for command, answer in zip(asked, answers, strict=True):
                if command.via in self.marks and answer.status == "accepted":
                    self.intruders_acts += len(answer.positions)

    def _wanted(self, day: float, intruders: int) -> int:
        """How many of the next batch are the intruder's."""
        left = intruders - self.intruders_acts
        if day < INTRUDER_FROM_DAY or left <= 0:
            return 0
        days_left = max(0.1, INTRUDER_FROM_DAY + INTRUDER_DAYS - day)
        chance = left / days_left / (self._country.writer.end / max(day, 1.0)) * BATCH
        return min(left, BATCH - 2, int(chance) + (self._chance.random() < chance % 1))

    def _intruder(self) -> Hands:
        """Mostly as the clerk, who reaches everybody."""
        clerk, *citizens = self.stolen
        return clerk if self._chance.random() < 0.7 else self._chance.choice(citizens)

    def _honest(self) -> Hands:
        if self._chance.random() < 0.15:
            return self._chance.choice(self._clerks)
        subject = self._chance.choice(self._people)
        if self._chance.random() < 0.4:
            subject = self._citizen_of(self._booked()) or subject
        return Hands(Actor("citizen", subject), mark(f"session of {subject}"))

    def _wish(self, hands: Hands) -> Command:
        """What these hands want next, as the registers stand."""
        if hands.actor.role == "clerk":
            kinds: Sequence[Callable[[Hands], Command | None]] = (
                self._book_for, self._cancel_any, self._cancel_any, self._move_any, self._walk_in,
                self._visit, self._close_day,
            )  # fmt: skip
        else:
            kinds = (self._book, self._cancel_own, self._move_own)
        made = self._chance.choice(kinds)(hands)
        return made or (self._book_for(hands) if hands.passkey else self._book(hands))

    def _command(self, hands: Hands, name: str, data: dict[str, Value]) -> Command:
        command = Command(
            "appointments",
            name,
            self._chance.randbytes(16),
            hands.actor,
            data,
            via=hands.via,
        )
        if hands.passkey is None:
            return command
        domain = self._country.policy.relying_party
        return replace(command, assertion=hands.passkey.sign(command.key(), domain, SITE))

    def _book(self, hands: Hands) -> Command:
        data: dict[str, Value] = {"slot": self._free(), "contact": self._chance.randbytes(40)}
        return self._command(hands, "book", data)

    def _book_for(self, hands: Hands) -> Command:
        data: dict[str, Value] = {
            "slot": self._free(),
            "citizen": self._chance.choice(self._people),
            "contact": self._chance.randbytes(40),
        }
        return self._command(hands, "book", data)

    def _cancel_own(self, hands: Hands) -> Command | None:
        found = self._booked(hands.actor.subject)
        return self._command(hands, "cancel", {"appointment": found}) if found else None

    def _cancel_any(self, hands: Hands) -> Command | None:
        found = self._booked()
        data: dict[str, Value] = {"appointment": found, "citizen": self._citizen_of(found)}
        return self._command(hands, "cancel", data) if found else None

    def _move_own(self, hands: Hands) -> Command | None:
        found = self._booked(hands.actor.subject)
        data: dict[str, Value] = {"appointment": found, "slot": self._free()}
        return self._command(hands, "reschedule", data) if found else None

    def _move_any(self, hands: Hands) -> Command | None:
        found = self._booked()
        whose: dict[str, Value] = {"appointment": found, "citizen": self._citizen_of(found)}
        return (
            self._command(hands, "reschedule", {**whose, "slot": self._free()}) if found else None
        )

    def _walk_in(self, hands: Hands) -> Command:
        data: dict[str, Value] = {
            "practitioner": self._chance.choice(self._doctors),
            "citizen": self._chance.choice(self._people),
            "minutes": 15,
            "zone": ZONE,
        }
        return self._command(hands, "walk_in", data)

    def _visit(self, hands: Hands) -> Command | None:
        now_s = self._clock.at_ms // 1000
        found = self._one(
            "SELECT id FROM appointments_appointment WHERE state = 'booked' AND visit = ''"
            " AND starts_s BETWEEN ? AND ? ORDER BY id",
            (now_s - 36_000, now_s),
        )
        name = self._chance.choice(("note_arrival", "note_missed"))
        return self._command(hands, name, {"appointment": found}) if found else None

    def _close_day(self, hands: Hands) -> Command | None:
        if self._chance.random() < 0.7:
            return None
        ahead = timedelta(days=self._chance.randrange(1, 20))
        day = (datetime.fromtimestamp(self._clock.at_ms / 1000, UTC) + ahead).date()
        doctor = self._chance.choice(self._doctors)
        data: dict[str, Value] = {"practitioner": doctor, "day": day.isoformat(), "kind": "closed"}
        return self._command(hands, "set_exception", data)

    def _free(self) -> str:
        """A free time of the next three weeks, the soonest first: what is freed is soon taken."""
        now_s = self._clock.at_ms // 1000
        found = self._one(
            "SELECT id FROM appointments_slot WHERE state = 'free' AND starts_s BETWEEN ? AND ?"
            " ORDER BY starts_s",
            (now_s + 7200, now_s + 21 * 86_400),
        )
        return found or "none-0"

    def _booked(self, citizen: str = "") -> str:
        now_s = self._clock.at_ms // 1000
        return self._one(
            "SELECT id FROM appointments_appointment WHERE state = 'booked' AND starts_s > ?"
            " AND (citizen = ? OR ? = '') ORDER BY id",
            (now_s + 7200, citizen, citizen),
        )

    def _citizen_of(self, appointment: str) -> str:
        row = self._country.rows.get("appointments_appointment", appointment)
        return str(row["citizen"]) if row else ""

    def _one(self, sql: str, values: Sequence[object]) -> str:
        """One of the rows that a search finds, '' where it finds none."""
        rows = self._country.connection.execute(f"{sql} LIMIT 200", values).fetchall()
        return str(self._chance.choice(rows)[0]) if rows else ""
