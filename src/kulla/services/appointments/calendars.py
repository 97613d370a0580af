"""A practitioner's month at a glance, and the times of one day, read from the register.

What stands above the watermark is neither free nor taken yet: it is shown as being confirmed.
"""

from __future__ import annotations

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db.models import Count, Q

from kulla.services.appointments.apply import FREE
from kulla.services.appointments.models import Slot


@dataclass(frozen=True, slots=True)
class Now:
    """What a page takes as settled: this instant, and acts below this position."""

    at_s: int
    watermark: int

    @property
    def today(self) -> date:
        """The day by UTC; an hour or two behind Tirana after midnight, when nobody sees doctors."""
        return datetime.fromtimestamp(self.at_s, UTC).date()


@dataclass(frozen=True, slots=True)
class Day:
    """One cell of a month: how many times are free, and how many are being confirmed."""

    date: date
    in_month: bool
    free: int = 0
    pending: int = 0

    @property
    def iso(self) -> str:
        """The day as addresses write it: 'YYYY-MM-DD'."""
        return self.date.isoformat()


@dataclass(frozen=True, slots=True)
class Month:
    """A month by weeks from Monday; `before` and `after` are its neighbours where one can go."""

    first: date
    weeks: Sequence[Sequence[Day]]
    before: date | None
    after: date | None

    @property
    def free(self) -> int:
        """How many times are free in the month."""
        return sum(day.free for week in self.weeks for day in week)

    def first_free(self) -> date | None:
        """The first day of the month with a free time."""
        days = (day.date for week in self.weeks for day in week if day.in_month and day.free)
        return next(days, None)


@dataclass(frozen=True, slots=True)
class Time:
    """A time of a day: to be chosen, or being confirmed."""

    slot: Slot
    settled: bool


def next_free(practitioner: str, now: Now) -> Slot | None:
    """The practitioner's first free time from now on.

    Slot ids are '<practitioner>-<seconds>', so that the key alone finds them in order of time.
    """
    ahead = Slot.objects.filter(
        id__gt=f"{practitioner}-{now.at_s}", id__lt=f"{practitioner}-:", state=FREE
    )
    return ahead.filter(position__lt=now.watermark).order_by("id").first()


def read_month(practitioner: str, first: date, published_to: str, now: Now) -> Month:
    """The month that begins on `first`, with what is free in it."""
    settled = Q(position__lt=now.watermark)
    counted = (
        Slot.objects.filter(practitioner=practitioner, starts_s__gt=now.at_s)
        .filter(day__gte=f"{first:%Y-%m}-01", day__lte=f"{first:%Y-%m}-31")
        .values("day")
        .annotate(free=Count("id", filter=settled & Q(state=FREE)))
        .annotate(pending=Count("id", filter=~settled))
    )
    by_day = {row["day"]: row for row in counted}

    def cell(each: date) -> Day:
        row = by_day.get(each.isoformat()) if each.month == first.month else None
        in_month = each.month == first.month
        return Day(each, in_month, row["free"], row["pending"]) if row else Day(each, in_month)

    weeks = Calendar().monthdatescalendar(first.year, first.month)
    before, after = month_before(first), month_after(first)
    return Month(
        first,
        [[cell(each) for each in week] for week in weeks],
        before if before >= now.today.replace(day=1) else None,
        after if after.isoformat() <= published_to else None,
    )


def read_times(practitioner: str, day: date, now: Now) -> list[Time]:
    """The times of a day that are free or being confirmed, in order."""
    slots = Slot.objects.filter(
        practitioner=practitioner, day=day.isoformat(), starts_s__gt=now.at_s
    ).order_by("id")
    times = [Time(slot, slot.position < now.watermark) for slot in slots]
    return [time for time in times if time.slot.state == FREE or not time.settled]


def month_before(first: date) -> date:
    """The first day of the month before."""
    return date(first.year - (first.month == 1), (first.month - 2) % 12 + 1, 1)


def month_after(first: date) -> date:
    """The first day of the month after."""
    return date(first.year + (first.month == 12), first.month % 12 + 1, 1)


def read_day(text: str) -> date | None:
    """A day from an address, 'YYYY-MM-DD' or 'YYYY-MM'; None where it is neither or far away."""
    try:
        day = date.fromisoformat(f"{text}-01" if len(text) == 7 else text)
    except ValueError:
        return None
    return day if 2000 < day.year < 2200 else None
