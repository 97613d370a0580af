"""A made-up country's years as commands: citizens join, doctors publish hours, people book.

The services' own policies decide them; this file only wishes. The same seed gives the same story.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random  # noqa: TID251 - a made-up story from a seed; nothing here is secret
from typing import Final

from kulla.kernel.canonical import Value
from kulla.kernel.service import Actor, Asked, Command
from kulla.services.appointments.zones import offsets
from kulla.tower.country import SPECIALITIES, ZONE, clinics, person_name, weekly_rule

# Of a thousand acts: people join, book, cancel, move. Slots are published in a few large acts.
JOINED, CANCELLED, MOVED = 300, 90, 60
JOINED_AT_ONCE: Final = 100
WISHES: Final = 3
SLOTS_PER_BOOKING: Final = 1.15
BEGIN_MS: Final = 1_790_000_000_000
_PERIODS: Final = ((8 * 60, 12 * 60, 15), (13 * 60, 16 * 60, 15))
_SLOTS_A_DAY: Final = 28
_PUBLISHED_DAYS: Final = 28
_PUBLICATIONS: Final = 3
_OPERATOR: Final = Actor("operator", "bench")


@dataclass(slots=True)
class Booked:
    """An appointment that stands."""

    appointment: str
    citizen: str
    slot: str


class Story:
    """Writes commands for `count` acts. `free_slots` is kept by the caller, who sees what came."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._random = Random(seed)  # noqa: S311
        self._wishing: list[str] = []
        self._booked: list[Booked] = []
        self._times: dict[str, set[str]] = {}
        self.free_slots: list[str] = []

    def founding(self) -> Iterator[Command]:
        """Clinics, practitioners, and the hours of enough of them for all bookings to come."""
        towns = list(clinics())
        for clinic in towns:
            yield self._staff("open_clinic", dict(clinic))
        first = datetime.fromtimestamp(BEGIN_MS / 1000, UTC).date() + timedelta(days=1)
        last = first + timedelta(days=_PUBLISHED_DAYS * _PUBLICATIONS - 1)
        shifts: list[Value] = [list(pair) for pair in offsets(ZONE, first, last)]
        for number in range(self._practitioner_count(first)):
            clinic_id = towns[number % len(towns)]["clinic"]
            practitioner = f"{clinic_id}-p{number // len(towns)}"
            yield self._staff(
                "add_practitioner",
                {
                    "practitioner": practitioner,
                    "clinic": clinic_id,
                    "name": f"Dr. {person_name(number * 5 + 3)}",
                    "speciality": SPECIALITIES[number % len(SPECIALITIES)],
                },
            )
            yield self._schedule(practitioner, first)
            for month in range(_PUBLICATIONS):
                start = first + timedelta(days=month * _PUBLISHED_DAYS)
                yield self._publication(practitioner, start, shifts)

    def _practitioner_count(self, first: date) -> int:
        span = (first + timedelta(days=number) for number in range(_PUBLISHED_DAYS * _PUBLICATIONS))
        each = _SLOTS_A_DAY * sum(day.isoweekday() <= 5 for day in span)
        wanted = self._count * (1000 - JOINED) / 1000 * SLOTS_PER_BOOKING
        return max(1, -(-int(wanted) // each))

    def _schedule(self, practitioner: str, first: date) -> Command:
        weekly: list[Value] = [list(row) for row in weekly_rule(_PERIODS)]
        return self._staff(
            "set_schedule",
            {
                "practitioner": practitioner,
                "weekly": weekly,
                "zone": ZONE,
                "valid_from": first.isoformat(),
                "valid_to": "",
            },
        )

    def _publication(self, practitioner: str, start: date, shifts: list[Value]) -> Command:
        return self._staff(
            "publish_slots",
            {
                "practitioner": practitioner,
                "first_day": start.isoformat(),
                "last_day": (start + timedelta(days=_PUBLISHED_DAYS - 1)).isoformat(),
                "zone": ZONE,
                "offsets": shifts,
            },
        )

    def _staff(self, name: str, data: dict[str, Value]) -> Command:
        return Command("appointments", name, self._random.randbytes(16), _OPERATOR, data)

    def life(self, acts_before: int) -> Iterator[Command]:
        """What people wish once slots are published, until there are `count` acts in all."""
        random, left = self._random, self._count - acts_before
        self._shuffle_slots()
        while left > 0:
            joining = min(JOINED_AT_ONCE, left)
            yield self._join(joining)
            left -= joining
            for _ in range(min(left, joining * (1000 - JOINED) // JOINED)):
                chance = random.randrange(1000 - JOINED)
                if chance < CANCELLED and self._booked:
                    yield self._cancel()
                elif chance < CANCELLED + MOVED and self._booked:
                    yield self._move()
                else:
                    yield self._book()
                left -= 1

    def _shuffle_slots(self) -> None:
        self._random.shuffle(self.free_slots)

    def _join(self, count: int) -> Command:
        random = self._random
        citizens: list[Value] = []
        names: list[bytes] = []
        newest: list[str] = []
        for _ in range(count):
            subject, key = random.randbytes(16).hex(), random.randbytes(32)
            names.append(key)
            citizens.append({"subject": subject, "name": random.randbytes(61), "key": key})
            self._times[subject] = set()
            newest.append(subject)
        # Who joined last books next, and nobody comes near the most that one may have.
        self._wishing = [subject for subject in newest for _ in range(WISHES)]
        random.shuffle(self._wishing)
        data: dict[str, Value] = {"citizens": citizens}
        return Command(
            "citizens", "register_many", random.randbytes(16), _OPERATOR, data, tuple(names)
        )

    def _book(self) -> Command:
        random = self._random
        citizen = self._wishing.pop()
        slot = self._free_slot(citizen)
        reason = random.randbytes(random.randrange(45, 120)) if random.random() < 0.8 else None
        data: dict[str, Value] = {"slot": slot, "contact": random.randbytes(40)}
        if reason is not None:
            data["reason"] = reason
        command = self._citizen("book", citizen, data)
        self._booked.append(Booked(_first_id(command), citizen, slot))
        return command

    def _cancel(self) -> Command:
        booked = self._take_booked()
        self._leave(booked)
        return self._citizen("cancel", booked.citizen, {"appointment": booked.appointment})

    def _move(self) -> Command:
        booked = self._take_booked()
        slot = self._free_slot(booked.citizen)
        self._leave(booked)
        self._booked.append(Booked(booked.appointment, booked.citizen, slot))
        data: dict[str, Value] = {"appointment": booked.appointment, "slot": slot}
        return self._citizen("reschedule", booked.citizen, data)

    def _free_slot(self, citizen: str) -> str:
        """A free slot at a time when the citizen has no other appointment."""
        times, free = self._times[citizen], self.free_slots
        at = len(free) - 1
        while _time_of(free[at]) in times:
            at -= 1
        free[at], free[-1] = free[-1], free[at]
        slot = free.pop()
        times.add(_time_of(slot))
        return slot

    def _leave(self, booked: Booked) -> None:
        self._times[booked.citizen].discard(_time_of(booked.slot))
        self.free_slots.append(booked.slot)

    def _take_booked(self) -> Booked:
        at = self._random.randrange(len(self._booked))
        self._booked[at], self._booked[-1] = self._booked[-1], self._booked[at]
        return self._booked.pop()

    def _citizen(self, name: str, citizen: str, data: dict[str, Value]) -> Command:
        actor = Actor("citizen", citizen)
        return Command("appointments", name, self._random.randbytes(16), actor, data)


def _time_of(slot: str) -> str:
    return slot.rpartition("-")[2]


def _first_id(command: Command) -> str:
    return Asked(command.name, command.actor, command.data, 0, command.key()).fresh_id()


def in_batches(commands: Iterator[Command], most: int) -> Iterator[Sequence[Command]]:
    """The commands, `most` at a time."""
    batch: list[Command] = []
    for command in commands:
        batch.append(command)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch
