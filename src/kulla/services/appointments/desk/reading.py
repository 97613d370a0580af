"""What the desk's pages read of the registers: lanes of a day, a week, and who is to be called.

A line is a stretch of a practitioner's time: a slot, with its appointment where it has one, or
somebody who walked in. What stands above the watermark is shown as being confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kulla.kernel.dates import HOME_ZONE
from kulla.services.appointments.apply import BOOKED, CANCELLED, CLOSED, FREE
from kulla.services.appointments.calendars import Now
from kulla.services.appointments.models import Appointment, Clinic, Practitioner, Schedule, Slot

TO_CALL_MAX: Final = 40
FREE_TIMES_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of time of a lane; `slot` is None for who walked in.

    `settled`: the newest acts on it are confirmed. `past`: it has begun.
    """

    starts_s: int
    minutes: int
    zone: str
    slot: Slot | None
    appointment: Appointment | None
    settled: bool
    past: bool

    @property
    def starts_local(self) -> datetime:
        """When it begins, on the clinic's clock."""
        return datetime.fromtimestamp(self.starts_s, UTC).astimezone(ZoneInfo(self.zone))

    @property
    def state(self) -> str:
        """One word for its look.

        'pending', 'free', 'past', 'to-call', 'booked', or what was noted of the visit: 'arrived',
        'missed', 'ended'.
        """
        if not self.settled:
            return "pending"
        if self.appointment is None:
            return "past" if self.past else "free"
        if self.appointment.visit:
            return self.appointment.visit
        return "to-call" if self.slot is not None and self.slot.state == CLOSED else "booked"

    @property
    def walked_in(self) -> bool:
        """Whether the person came without an appointment."""
        return self.slot is None


@dataclass(frozen=True, slots=True)
class Lane:
    """One practitioner's day: its lines in order of time."""

    practitioner: Practitioner
    day: date
    lines: Sequence[Line]

    def count(self, *states: str) -> int:
        """How many lines look like one of these."""
        return sum(line.state in states for line in self.lines)

    @property
    def free(self) -> int:
        """How many times are free."""
        return self.count("free")

    @property
    def taken(self) -> int:
        """How many people are expected, here or were here."""
        return self.count("booked", "arrived", "missed", "ended", "to-call")

    @property
    def waiting(self) -> int:
        """How many people have arrived and wait."""
        return self.count("arrived")

    @property
    def to_call(self) -> int:
        """How many people are still to be called."""
        return self.count("to-call")


def today(now: Now, zone: str = HOME_ZONE.key) -> date:
    """The day on the clinic's clock."""
    return datetime.fromtimestamp(now.at_s, UTC).astimezone(ZoneInfo(zone)).date()


def zone_of(practitioner: str) -> str:
    """The zone of the practitioner's newest hours; home's where none were set yet."""
    newest = Schedule.objects.filter(practitioner=practitioner).order_by("-valid_from").first()
    return newest.zone if newest else HOME_ZONE.key


def read_lanes(practitioners: Iterable[Practitioner], days: Sequence[date], now: Now) -> list[Lane]:
    """The lanes of these practitioners on these days, by practitioner and then by day."""
    people = list(practitioners)
    ids = [one.id for one in people]
    slots = Slot.objects.filter(
        practitioner__in=ids, day__gte=days[0].isoformat(), day__lte=days[-1].isoformat()
    )
    by_lane: dict[tuple[str, str], list[Line]] = {}
    # Closed times without anybody are of no use to the desk.
    rows = [row for row in slots if row.state != CLOSED or row.appointment]
    booked = Appointment.objects.in_bulk([row.appointment for row in rows if row.appointment])
    for row in rows:
        line = _line(row, booked.get(row.appointment), now)
        by_lane.setdefault((row.practitioner, row.day), []).append(line)
    for one in _walked_in(ids, days):
        day = one.starts_local.date().isoformat()
        settled = max(one.position, one.visit_position) < now.watermark
        line = Line(one.starts_s, one.minutes, one.zone, None, one, settled, True)
        by_lane.setdefault((one.practitioner, day), []).append(line)
    return [
        Lane(one, day, sorted(by_lane.get((one.id, day.isoformat()), []), key=_in_order))
        for one in people
        for day in days
    ]


def _in_order(line: Line) -> tuple[int, bool]:
    return line.starts_s, line.walked_in


def _line(slot: Slot, appointment: Appointment | None, now: Now) -> Line:
    if appointment is not None and (
        appointment.state == CANCELLED or appointment.id != slot.appointment
    ):
        appointment = None
    newest = slot.position
    if appointment is not None:
        newest = max(newest, appointment.position, appointment.visit_position)
    return Line(
        slot.starts_s,
        slot.minutes,
        slot.zone,
        slot,
        appointment,
        newest < now.watermark,
        slot.starts_s <= now.at_s,
    )


def _walked_in(practitioners: Sequence[str], days: Sequence[date]) -> Iterable[Appointment]:
    # A day wider on both sides: which day it is depends on each one's zone.
    first, last = days[0] - timedelta(days=1), days[-1] + timedelta(days=2)
    found = Appointment.objects.filter(
        practitioner__in=practitioners,
        slot="",
        state=BOOKED,
        starts_s__gte=_midnight_s(first),
        starts_s__lt=_midnight_s(last),
    )
    return [one for one in found if days[0] <= one.starts_local.date() <= days[-1]]


def _midnight_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class ToCall:
    """Somebody whose time the clinic has closed, with whom and where it was."""

    appointment: Appointment
    practitioner: Practitioner


def read_to_call(clinic: str, now: Now) -> list[ToCall]:
    """Who of a clinic is still to be called, the soonest first; at most TO_CALL_MAX."""
    doctors = {one.id: one for one in Practitioner.objects.filter(clinic=clinic)}
    closed = Slot.objects.filter(
        practitioner__in=doctors, state=CLOSED, starts_s__gt=now.at_s, position__lt=now.watermark
    ).exclude(appointment="")
    ids = list(closed.order_by("starts_s").values_list("appointment", flat=True))
    rows = Appointment.objects.in_bulk(ids)
    found = [rows[key] for key in ids if key in rows and rows[key].state == BOOKED]
    # Who has arrived stands at the counter; once that is taken back they are in the list again.
    waiting = [row for row in found if not row.visit]
    return [ToCall(row, doctors[row.practitioner]) for row in waiting[:TO_CALL_MAX]]


def free_times(
    practitioners: Sequence[str],
    now: Now,
    *,
    but: tuple[str, str] = ("", ""),
    day: str = "",
    from_s: int = 0,
    limit: int,
) -> list[Slot]:
    """The next free times of these practitioners, or those of one `day`.

    `but` is a practitioner and a day to leave out; `from_s` an instant before which none is wanted.
    """
    found = Slot.objects.filter(
        practitioner__in=practitioners,
        state=FREE,
        starts_s__gt=max(now.at_s, from_s),
        position__lt=now.watermark,
    ).exclude(practitioner=but[0], day=but[1])
    if day:
        found = found.filter(day=day)
    return list(found.order_by("starts_s", "practitioner")[:limit])


def colleagues(practitioner: Practitioner) -> list[Practitioner]:
    """Those of the same speciality in the clinic, the practitioner first."""
    same = Practitioner.objects.filter(
        clinic=practitioner.clinic, speciality=practitioner.speciality
    ).exclude(id=practitioner.id)
    return [practitioner, *same.order_by("name", "id")]


def clinics_by_town() -> list[tuple[str, list[Clinic]]]:
    """Every clinic, by county."""
    counties: dict[str, list[Clinic]] = {}
    for clinic in Clinic.objects.order_by("county", "town", "name", "id"):
        counties.setdefault(clinic.county, []).append(clinic)
    return list(counties.items())


def upcoming(citizen: str, now: Now, limit: int = 20) -> list[Appointment]:
    """A person's appointments from the beginning of today on, the soonest first."""
    since_s = int(datetime.combine(today(now), time(), HOME_ZONE).timestamp())
    found = Appointment.objects.filter(citizen=citizen, state=BOOKED, starts_s__gte=since_s)
    return list(found.order_by("starts_s")[:limit])
