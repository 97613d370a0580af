"""Times as logs write them, to UTC microseconds; and how what they leave out was resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

from kulla.watch.sources.batch import AT, AT_HOW

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_MONTH_NAMES_WORDS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTH_NAMES: Final = tuple(_MONTH_NAMES_WORDS.split())
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?"
)
_CLF: Final = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d)(\d\d)")
_SYSLOG: Final = re.compile(r"(\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is taken where a record does not say it.

    zone: the zone of times that name none. newest_us: UTC microseconds that no record of the file
    is later than by more than a day (the file's date, or now); None where nobody knows, and then a
    time without a year is left out.
    """

    zone: tzinfo = UTC
    newest_us: int | None = None


NOTHING_SAID: Final = Assumed()


def microseconds(instant: datetime) -> int:
    """UTC microseconds since 1970 of an aware datetime."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def put_time(event: dict[str, Any], at: tuple[int, str] | None) -> None:
    """Write a time and how it was resolved into an event; nothing where there is no time."""
    if at is not None:
        event[AT] = at[0]
        if at[1]:
            event[AT_HOW] = at[1]


def iso(text: str, assumed: Assumed) -> tuple[int, str] | None:
    """A time of RFC 3339 or ISO 8601 at the start of `text`, with '' or how it was resolved.

    Nine digits of a second are cut to six. None where it is none.
    """
    found = _ISO.match(text)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    base = _second(f"{day}T{clock}")
    if base is None:
        return None
    part_us = int((fraction or "0")[:6].ljust(6, "0"))
    if zone is None:
        return _local(base, assumed, part_us)
    return base[0] - _offset_us(zone) + part_us, ""


@lru_cache(maxsize=4096)
def _second(text: str) -> tuple[int, datetime] | None:
    try:
        naive = datetime.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(naive.replace(tzinfo=UTC)), naive


def _local(base: tuple[int, datetime], assumed: Assumed, part_us: int) -> tuple[int, str]:
    how = f"zone assumed: {assumed.zone}"
    if assumed.zone is UTC:
        return base[0] + part_us, how
    return microseconds(base[1].replace(tzinfo=assumed.zone)) + part_us, how


def _offset_us(zone: str) -> int:
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return (-minutes if zone[0] == "-" else minutes) * 60_000_000


def common_log(text: str) -> tuple[int, str] | None:
    """A time of the common log format: 10/Oct/2000:13:55:36 -0700."""
    found = _CLF.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, offset_h, offset_min = found.groups()
    base = _second(f"{year}-{_MONTHS.get(month, 0):02}-{day}T{hour}:{minute}:{second}")
    return None if base is None else (base[0] - _offset_us(offset_h + offset_min), "")


def without_year(text: str, assumed: Assumed) -> tuple[int, str] | None:
    """A time of RFC 3164: Oct 11 22:14:15.

    The year is the latest one that leaves the record at most a day after the file's date, so a log
    that runs over New Year is right; one whose file is copied years later is not, and says so.
    """
    found = _SYSLOG.match(text)
    if found is None or assumed.newest_us is None:
        return None
    month, day, *clock = found.groups()
    newest_year = (_EPOCH + timedelta(microseconds=assumed.newest_us)).year
    for year in (newest_year + 1, newest_year, newest_year - 1, newest_year - 4):
        base = _second(f"{year}-{_MONTHS.get(month, 0):02}-{int(day):02}T{':'.join(clock)}")
        if base is None:
            continue
        at_us, how = _local(base, assumed, 0)
        if at_us <= assumed.newest_us + _DAY_US:
            return at_us, f"year from the file's date; {how}"
    return None


def seconds(value: object) -> int | None:
    """UTC microseconds of seconds since 1970, given as text or a number; None for anything else.

    Text is read digit by digit, since a float of today's seconds holds no exact microsecond.
    """
    whole, _, fraction = str(value).strip().partition(".")
    if not whole.isascii() or not whole.isdigit() or (fraction and not fraction.isdigit()):
        return None
    if len(whole) > 12:
        return None
    return int(whole) * 1_000_000 + int(fraction[:6].ljust(6, "0") or "0")


def of_any_kind(value: object, assumed: Assumed) -> tuple[int, str] | None:
    """A time in a field of JSON: ISO 8601, or seconds, milliseconds, micro- or nanoseconds.

    Which of the last four it is follows from its size: no log is older than 1973 or younger than
    5138.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and (found := iso(value, assumed)) is not None:
        return found
    text = str(value)
    digits = len(text.partition(".")[0])
    for most, scale in ((11, 1), (14, 1_000), (17, 1_000_000), (20, 1_000_000_000)):
        if digits <= most:
            at_us = seconds(text) if scale == 1 else _scaled(text, scale)
            return None if at_us is None else (at_us, "")
    return None


def _scaled(text: str, scale: int) -> int | None:
    whole = text.partition(".")[0]
    return int(whole) * 1_000_000 // scale if whole.isascii() and whole.isdigit() else None
