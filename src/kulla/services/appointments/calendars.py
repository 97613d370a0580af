"""A practitioner's month at a glance, and the times of one day, read from the register.

What stands above the watermark is neither free nor taken yet: it is shown as being confirmed.
"""

from __future__ import annotations

from calendar import Calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Final, Literal

from kulla.kernel.dates import HOME_ZONE
from kulla.services.appointments.reading import Time, count_days, free_times, times_of_day
from kulla.services.pages import Holds, PageRequest

Part = Literal["", "morning", "afternoon"]
"""Of the day: '' is all of it, and the afternoon begins at noon by the clinic's clock."""

PARTS: Final[tuple[Part, ...]] = ("", "morning", "afternoon")
NOON_HOUR: Final = 12
ROOM_LEVELS: Final = 4
PART_DAYS_MAX: Final = 31
"""So far ahead a part of the day is looked for: every free time on the way has to be read."""


@dataclass(frozen=True, slots=True)
class Now:
    """What a page takes as settled: this instant, and acts below this position."""

    at_s: int
    watermark: int

    @property
    def today(self) -> date:
        """The day by UTC; an hour or two behind Tirana after midnight, when nobody sees doctors."""
        return datetime.fromtimestamp(self.at_s, UTC).date()


def settled_now(request: PageRequest) -> Now:
    """The instant and the watermark, as one page sees them from top to bottom."""
    return Now(request.clock.now_ms() // 1000, request.tower.witnessing().watermark)


@dataclass(frozen=True, slots=True)
class Day:
    """One cell of a month: how many times are free, being confirmed, and offered in all."""

    date: date
    in_month: bool
    free: int = 0
    pending: int = 0
    offered: int = 0

    @property
    def iso(self) -> str:
        """The day as addresses write it: 'YYYY-MM-DD'."""
        return self.date.isoformat()

    @property
    def room(self) -> int:
        """How much of the day is free, in quarters begun: 1 is the last few, 4 nearly all; 0 none.

        The first quarter of ten times is the last two of them.
        """
        return -(-self.free * ROOM_LEVELS // self.offered) if self.offered else 0


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


def next_free(practitioner: str, now: Now) -> Time | None:
    """The practitioner's first free time from now on."""
    return next(free_times(practitioner, now.at_s + 1, now.watermark), None)


def first_free(
    practitioner: str, now: Now, *, from_day: date | None, part: Part, most: int
) -> list[Time]:
    """At most `most` free times of a practitioner, from this day on, in this part of a day.

    A part is looked for PART_DAYS_MAX days ahead.
    """
    from_s = now.at_s + 1
    if from_day is not None:
        midnight = datetime(from_day.year, from_day.month, from_day.day, tzinfo=HOME_ZONE)
        from_s = max(from_s, int(midnight.timestamp()))
    end_s = from_s + PART_DAYS_MAX * 86_400 if part else None
    found = free_times(practitioner, from_s, now.watermark, end_s=end_s)
    return list(islice((time for time in found if in_part(time, part)), most))


def in_part(time: Time, part: Part) -> bool:
    """Whether the time begins in this part of the day, by the clinic's clock."""
    return not part or (part == "morning") == (time.starts_local.hour < NOON_HOUR)


def read_month(practitioner: str, first: date, published_to: str, now: Now) -> Month:
    """The month that begins on `first`, with what is free in it."""
    counted = count_days(practitioner, f"{first:%Y-%m}", now.at_s, now.watermark)

    def cell(each: date) -> Day:
        if each.month != first.month:
            return Day(each, in_month=False)
        return Day(each, True, *counted.get(each.isoformat(), (0, 0, 0)))

    weeks = Calendar().monthdatescalendar(first.year, first.month)
    before, after = month_before(first), month_after(first)
    return Month(
        first,
        [[cell(each) for each in week] for week in weeks],
        before if before >= now.today.replace(day=1) else None,
        after if after.isoformat() <= published_to else None,
    )


def read_times(
    practitioner: str, day: date, now: Now, holds: Holds | None = None, subject: str = ""
) -> list[Time]:
    """The times of a day that are free or being confirmed, in order.

    With `holds`, those whose form somebody other than `subject` is filling in say that.
    """
    times = times_of_day(practitioner, day.isoformat(), now.at_s, now.watermark)
    held = holds.held_by_others([time.id for time in times], subject) if holds else frozenset()
    return [replace(time, held=True) if time.id in held else time for time in times]


def by_part(times: Sequence[Time]) -> Iterator[tuple[Part, list[Time]]]:
    """The times of a day, those before noon and those after; what has none is left out."""
    for part in PARTS[1:]:
        found = [time for time in times if in_part(time, part)]
        if found:
            yield part, found


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
