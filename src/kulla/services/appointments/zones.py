"""Time zone data for those who send commands: a policy is handed offsets and looks nothing up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_STEP_S = 6 * 60 * 60
_MARGIN = timedelta(days=2)


def offsets(zone: str, first_day: date, last_day: date) -> list[tuple[int, int]]:
    """The UTC offsets of `zone` from before `first_day` until after `last_day`.

    [(from_s, offset_s)...] in order: each holds from its UTC instant until the next one's, as
    `publish_slots` and `set_exception` take them. Raises zoneinfo.ZoneInfoNotFoundError for a
    name that the IANA data does not have.
    """
    rules = ZoneInfo(zone)

    def offset_s(at_s: int) -> int:
        offset = datetime.fromtimestamp(at_s, UTC).astimezone(rules).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    at_s = _midnight_s(first_day - _MARGIN)
    end_s = _midnight_s(last_day + _MARGIN)
    found = [(at_s, offset_s(at_s))]
    while at_s < end_s:
        next_s = at_s + _STEP_S
        if offset_s(next_s) != found[-1][1]:
            low, high = at_s, next_s  # the clocks change in (low, high]
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_s(middle) == found[-1][1] else (low, middle)
            found.append((high, offset_s(high)))
        at_s = next_s
    return found


def _midnight_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
