"""What commands may carry: each field is read once, by its shape, or the command is malformed.

Pure: it raises Malformed (caught in `policy`) and nothing else, whatever a client sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

from kulla.services.appointments import hours

TEXT_MAX: Final = 200
SEALED_MAX_BYTES: Final = 8192
OFFSETS_MAX: Final = 400
PERIODS_MAX: Final = 100
WALK_IN_MINUTES_MAX: Final = 240
IDENTITIES: Final = ("document", "call")
"""A document was seen at the counter, or a caller said what only they should know."""

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HEX_ID: Final = re.compile(r"[0-9a-f]{32}")
_SLOT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}-[0-9]{1,12}")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_ZONE_MAX: Final = 64


class Malformed(ValueError):
    """A field of a command that is missing, not known, or not of its shape."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Fields:
    """The data of one command, read field by field; `end` refuses what nobody asked for."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._read: set[str] = set()

    def _take(self, field: str) -> Any:
        self._read.add(field)
        return self._data.get(field)

    def end(self) -> None:
        """Raise Malformed where the data has a field that was not read."""
        for field in self._data:
            if field not in self._read:
                raise Malformed(str(field)[:TEXT_MAX])

    def text(self, field: str) -> str:
        """One line of text, not empty, at most TEXT_MAX characters."""
        value = self._take(field)
        if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX:
            raise Malformed(field)
        if value != value.strip() or not value.isprintable():
            raise Malformed(field)
        return value

    def one_of(self, field: str, choices: tuple[str, ...]) -> str:
        """One of these words."""
        value = self._take(field)
        if not isinstance(value, str) or value not in choices:
            raise Malformed(field)
        return value

    def id(self, field: str) -> str:
        """An id that a clerk chose: small letters, digits and hyphens, at most 32."""
        return self._matching(field, _ID)

    def hex_id(self, field: str) -> str:
        """An id of 32 hex digits: a citizen or an appointment."""
        return self._matching(field, _HEX_ID)

    def slot(self, field: str) -> str:
        """The id of a slot."""
        return self._matching(field, _SLOT)

    def zone(self, field: str) -> str:
        """A name in the shape of an IANA time zone."""
        value = self._matching(field, _ZONE)
        if len(value) > _ZONE_MAX:
            raise Malformed(field)
        return value

    def _matching(self, field: str, shape: re.Pattern[str]) -> str:
        value = self._take(field)
        if not isinstance(value, str) or shape.fullmatch(value) is None:
            raise Malformed(field)
        return value

    def day(self, field: str) -> str:
        """A local day 'YYYY-MM-DD' that the calendar has."""
        value = self._take(field)
        if not isinstance(value, str) or _day_of(value) is None:
            raise Malformed(field)
        return value

    def day_or_empty(self, field: str) -> str:
        """A local day, or '' for none."""
        return "" if self._take(field) == "" else self.day(field)

    def sealed(self, field: str) -> bytes | None:
        """A sealed value, or None (also where the field is absent)."""
        value = self._take(field)
        if value is None:
            return None
        if not isinstance(value, bytes) or not 0 < len(value) <= SEALED_MAX_BYTES:
            raise Malformed(field)
        return value

    def identity(self, field: str) -> str:
        """How the desk made sure who somebody is, or '' (also where the field is absent)."""
        value = self._take(field)
        return "" if value is None else self.one_of(field, IDENTITIES)

    def number(self, field: str, least: int, most: int) -> int:
        """A whole number between these, both included."""
        value = self._take(field)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Malformed(field)
        return value

    def moves(self, field: str) -> tuple[tuple[str, str], ...]:
        """[[appointment, slot]...], each appointment once."""
        value = self._take(field)
        if not isinstance(value, list | tuple):
            raise Malformed(field)
        pairs: list[tuple[str, str]] = []
        for row in value:
            if not isinstance(row, list | tuple) or len(row) != 2:
                raise Malformed(field)
            for cell, shape in zip(row, (_HEX_ID, _SLOT), strict=True):
                if not isinstance(cell, str) or shape.fullmatch(cell) is None:
                    raise Malformed(field)
            pairs.append((row[0], row[1]))
        if len({appointment for appointment, _ in pairs}) != len(pairs):
            raise Malformed(field)
        return tuple(pairs)

    def _numbers(self, field: str, width: int, most: int) -> list[tuple[int, ...]]:
        value = self._take(field)
        if not isinstance(value, list | tuple) or len(value) > most:
            raise Malformed(field)
        rows: list[tuple[int, ...]] = []
        for item in value:
            if not isinstance(item, list | tuple) or len(item) != width:
                raise Malformed(field)
            if any(isinstance(cell, bool) or not isinstance(cell, int) for cell in item):
                raise Malformed(field)
            rows.append(tuple(item))
        return rows

    def periods(self, field: str) -> tuple[hours.Period, ...]:
        """The periods of one day: [[from_minute, to_minute, minutes]...], none overlapping."""
        rows = self._numbers(field, 3, PERIODS_MAX)
        try:
            return hours.in_order((begin, end, minutes) for begin, end, minutes in rows)
        except ValueError as error:
            raise Malformed(field) from error

    def weekly(self, field: str) -> hours.Weekly:
        """A weekly rule: [[weekday, from_minute, to_minute, minutes]...], Monday is 1."""
        rows = self._numbers(field, 4, PERIODS_MAX)
        if not all(1 <= row[0] <= 7 for row in rows):
            raise Malformed(field)
        weekly = tuple((day, (begin, end, minutes)) for day, begin, end, minutes in rows)
        try:
            return hours.weekly_of(hours.weekly_text(weekly))
        except ValueError as error:
            raise Malformed(field) from error

    def offsets(self, field: str) -> tuple[tuple[int, int], ...]:
        """UTC offsets [[from_s, offset_s]...] with rising instants."""
        rows = tuple(
            (from_s, offset_s) for from_s, offset_s in self._numbers(field, 2, OFFSETS_MAX)
        )
        rising = all(before[0] < after[0] for before, after in pairwise(rows))
        if not rising or not all(abs(offset_s) <= hours.OFFSET_MAX_S for _, offset_s in rows):
            raise Malformed(field)
        return rows


@dataclass(frozen=True, slots=True)
class ExceptionWish:
    """Data of set_exception: hours, zone and offsets are empty where the day is closed."""

    practitioner: str
    day: str
    kind: str
    periods: tuple[hours.Period, ...]
    zone: str
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PublishWish:
    """Data of publish_slots."""

    practitioner: str
    first_day: str
    last_day: str
    zone: str
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class BookWish:
    """Data of book; `citizen` and `identity` are '' where the citizen books in person."""

    slot: str
    citizen: str
    reason: bytes | None
    contact: bytes | None
    identity: str = ""


@dataclass(frozen=True, slots=True)
class WalkInWish:
    """Data of walk_in."""

    practitioner: str
    citizen: str
    minutes: int
    zone: str
    reason: bytes | None
    contact: bytes | None
    identity: str


@dataclass(frozen=True, slots=True)
class ClosingWish:
    """Data of close_day: (appointment, slot) for each that is moved."""

    practitioner: str
    day: str
    moves: tuple[tuple[str, str], ...]


def exception_wish(data: Mapping[str, Any]) -> ExceptionWish:
    """Read the data of set_exception; raises Malformed."""
    fields = Fields(data)
    practitioner, day = fields.id("practitioner"), fields.day("day")
    kind = fields.one_of("kind", ("closed", "hours"))
    if kind == "closed":
        fields.end()
        return ExceptionWish(practitioner, day, kind, (), "", ())
    periods = fields.periods("hours")
    if not periods:
        raise Malformed("hours")
    zone, offsets = fields.zone("zone"), fields.offsets("offsets")
    if not hours.covers(offsets, date.fromisoformat(day)):
        raise Malformed("offsets")
    fields.end()
    return ExceptionWish(practitioner, day, kind, periods, zone, offsets)


def publish_wish(data: Mapping[str, Any]) -> PublishWish:
    """Read the data of publish_slots; raises Malformed."""
    fields = Fields(data)
    practitioner, zone = fields.id("practitioner"), fields.zone("zone")
    first_day, last_day = fields.day("first_day"), fields.day("last_day")
    offsets = fields.offsets("offsets")
    fields.end()
    if last_day < first_day:
        raise Malformed("last_day")
    if not hours.covers(offsets, date.fromisoformat(first_day)):
        raise Malformed("offsets")
    return PublishWish(practitioner, first_day, last_day, zone, offsets)


def book_wish(data: Mapping[str, Any], *, on_behalf: bool) -> BookWish:
    """Read the data of book; only a clerk names the citizen. Raises Malformed."""
    fields = Fields(data)
    wish = BookWish(
        slot=fields.slot("slot"),
        citizen=fields.hex_id("citizen") if on_behalf else "",
        reason=fields.sealed("reason"),
        contact=fields.sealed("contact"),
        identity=fields.identity("identity") if on_behalf else "",
    )
    fields.end()
    return wish


def walk_in_wish(data: Mapping[str, Any]) -> WalkInWish:
    """Read the data of walk_in; raises Malformed."""
    fields = Fields(data)
    wish = WalkInWish(
        practitioner=fields.id("practitioner"),
        citizen=fields.hex_id("citizen"),
        minutes=fields.number("minutes", hours.SLOT_MINUTES_MIN, WALK_IN_MINUTES_MAX),
        zone=fields.zone("zone"),
        reason=fields.sealed("reason"),
        contact=fields.sealed("contact"),
        identity=fields.identity("identity"),
    )
    fields.end()
    return wish


def closing_wish(data: Mapping[str, Any]) -> ClosingWish:
    """Read the data of close_day; raises Malformed."""
    fields = Fields(data)
    wish = ClosingWish(fields.id("practitioner"), fields.day("day"), fields.moves("moves"))
    fields.end()
    return wish


def moves_meant(data: Mapping[str, Any], most: int) -> list[tuple[str, str]]:
    """What close_day's data would move, read or not: what to look up, at most `most`."""
    moves = data.get("moves")
    rows = moves[:most] if isinstance(moves, list | tuple) else []
    return [
        (row[0], row[1])
        for row in rows
        if isinstance(row, list | tuple)
        and len(row) == 2
        and all(isinstance(cell, str) and len(cell) <= TEXT_MAX for cell in row)
    ]


def key_of(data: Mapping[str, Any], field: str) -> str:
    """A field's text if it could be a key of some row, else '': for looking up before reading."""
    value = data.get(field)
    return value if isinstance(value, str) and len(value) <= TEXT_MAX else ""


def days_between(first_day: str, last_day: str, most: int) -> list[str]:
    """The local days from first to last, both included; at most `most` + 1 of them."""
    first, last = _day_of(first_day), _day_of(last_day)
    if first is None or last is None:
        return []
    begin, end = first.toordinal(), min(last.toordinal(), first.toordinal() + most)
    return [date.fromordinal(ordinal).isoformat() for ordinal in range(begin, end + 1)]


def _day_of(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text and 1970 < day.year < 3000 else None
