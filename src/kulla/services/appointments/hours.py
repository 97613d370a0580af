"""Working hours: how they are written, and which instants they mean. Pure arithmetic, no clock.

A period is (from_minute, to_minute, minutes): minutes of the local day and the length of a slot.
A weekly rule is (weekday, period) with Monday as 1. Local time becomes UTC by `offsets`:
[(from_s, offset_s)...], each in force from its UTC instant until the next one's.

Where clocks change:

* a local time that never comes (clocks put forward) has no slot;
* a local time that comes twice (clocks put back) has one slot, the first time;
* a slot that would begin before the one before it has ended, by elapsed time, is left out.

So a practitioner's slots never overlap, whatever the zone does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

Period = tuple[int, int, int]
Weekly = tuple[tuple[int, Period], ...]
Offsets = Sequence[tuple[int, int]]

DAY_MINUTES: Final = 24 * 60
DAY_S: Final = 24 * 60 * 60
OFFSET_MAX_S: Final = 16 * 60 * 60
SLOT_MINUTES_MIN: Final = 5
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_PERIOD: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)/(\d+)")


def in_order(periods: Iterable[Period]) -> tuple[Period, ...]:
    """The periods of one day by their begin; ValueError where one is no period or two overlap."""
    ordered = tuple(sorted(periods))
    ended = 0
    for begin, end, minutes in ordered:
        if not ended <= begin < end <= DAY_MINUTES:
            raise ValueError("periods of a day overlap or leave the day")
        if not SLOT_MINUTES_MIN <= minutes <= end - begin:
            raise ValueError("a slot is too short or longer than its period")
        ended = end
    return ordered


def day_text(periods: Sequence[Period]) -> str:
    """The one text of a day's periods: '08:00-12:00/20; 13:00-16:00/20'."""
    return "; ".join(_period_text(period) for period in in_order(periods))


def weekly_text(weekly: Weekly) -> str:
    """The one text of a weekly rule: '1 08:00-12:00/20; 3 13:00-16:00/15', Monday is 1."""
    return "; ".join(
        f"{weekday} {_period_text(period)}"
        for weekday in range(1, 8)
        for period in in_order(period for day, period in weekly if day == weekday)
    )


def periods_of(text: str) -> tuple[Period, ...]:
    """What `day_text` wrote; ValueError where it can't have."""
    return tuple(_period_of(part) for part in text.split("; ") if part)


def weekly_of(text: str) -> Weekly:
    """What `weekly_text` wrote; ValueError where it can't have."""
    return tuple((int(part[:1]), _period_of(part[2:])) for part in text.split("; ") if part)


def instants(day: date, periods: Sequence[Period], offsets: Offsets) -> list[tuple[int, int]]:
    """The slots of one local day: [(starts_s, minutes)...] in order, UTC epoch seconds."""
    midnight_s = (day.toordinal() - _EPOCH_ORDINAL) * DAY_S
    found: list[tuple[int, int]] = []
    ended_s = -(2**62)
    for begin, end, minutes in periods:
        for minute in range(begin, end - minutes + 1, minutes):
            starts_s = utc_s(midnight_s + minute * 60, offsets)
            if starts_s is None or starts_s < ended_s:
                continue
            found.append((starts_s, minutes))
            ended_s = starts_s + minutes * 60
    return found


def utc_s(wall_s: int, offsets: Offsets) -> int | None:
    """The first instant at which clocks show `wall_s` (as if it were UTC), None where they skip it.

    Linear in the number of offsets near it: only those within the largest offset can matter.
    """
    low = max(0, bisect_right(offsets, (wall_s - OFFSET_MAX_S, OFFSET_MAX_S)) - 1)
    for number in range(low, len(offsets)):
        from_s, offset_s = offsets[number]
        until_s = offsets[number + 1][0] if number + 1 < len(offsets) else None
        at_s = wall_s - offset_s
        if at_s >= from_s and (until_s is None or at_s < until_s):
            return at_s
        if from_s > wall_s + OFFSET_MAX_S:
            break
    return None


def covers(offsets: Offsets, first_day: date) -> bool:
    """Whether the offsets say something about every instant of `first_day` and later."""
    midnight_s = (first_day.toordinal() - _EPOCH_ORDINAL) * DAY_S
    return bool(offsets) and offsets[0][0] <= midnight_s - OFFSET_MAX_S


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _period_text(period: Period) -> str:
    begin, end, minutes = period
    return f"{_clock(begin)}-{_clock(end)}/{minutes}"


def _period_of(text: str) -> Period:
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no period such as 08:00-12:00/20")
    hour, minute, to_hour, to_minute, minutes = map(int, match.groups())
    return hour * 60 + minute, to_hour * 60 + to_minute, minutes
