"""What pages read from the registers of appointments: plain rows by few questions, never written.

These are the pages that a whole country opens in the same minute, so a question is one statement
and a row is no object of the ORM: that costs a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from kulla.services.appointments.apply import APPOINTMENT, CANCELLED, CLINIC, PRACTITIONER, SLOT
from kulla.services.appointments.specialities import in_words

_DOCTOR: Final = (
    "p.id, p.name, p.speciality, p.published_to, c.id, c.name, c.address, c.town, c.county"
)
_TIME: Final = "s.id, s.practitioner, s.starts_s, s.minutes, s.day, s.zone, s.state, s.position"
_TIME_COLUMNS: Final = 8
_STANDING: Final = (
    "a.id, a.slot, a.practitioner, a.citizen, a.starts_s, a.minutes, a.zone, a.state,"
    " a.booked_ms, a.position, a.booked_position, a.to_call_ms, a.to_call_position,"
    " a.visit"
)
_STANDING_COLUMNS: Final = 14
_OF_DOCTOR: Final = f"{PRACTITIONER} p JOIN {CLINIC} c ON c.id = p.clinic"
_WITH_DOCTOR: Final = (
    f"{APPOINTMENT} a LEFT JOIN {PRACTITIONER} p ON p.id = a.practitioner"
    f" LEFT JOIN {CLINIC} c ON c.id = p.clinic"
)


@dataclass(frozen=True, slots=True)
class Doctor:
    """A practitioner with the clinic where they work; texts as the register has them."""

    id: str
    name: str
    speciality: str
    published_to: str
    clinic_id: str
    clinic: str
    address: str
    town: str
    county: str

    @property
    def kind(self) -> str:
        """The speciality in the language of the page."""
        return in_words(self.speciality)


class _Timed:
    """Something that begins at `starts_s` and takes `minutes`, in the `zone` of its clinic."""

    __slots__ = ()
    starts_s: int
    minutes: int
    zone: str

    @property
    def starts_local(self) -> datetime:
        """When it begins, in the zone of its clinic."""
        return datetime.fromtimestamp(self.starts_s, ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True)
class Time(_Timed):
    """A slot as a page shows it; `held` says that somebody else is filling in its form."""

    id: str
    practitioner: str
    starts_s: int
    minutes: int
    day: str
    zone: str
    state: str
    position: int
    settled: bool
    held: bool = False


@dataclass(frozen=True, slots=True)
class Standing(_Timed):
    """An appointment as its page shows it.

    `settled`: the newest act on it is confirmed; `booking_settled`: the booking is. `past`: its
    time has begun. `whom` is the name of the person it is for, '' for oneself.
    """

    id: str
    slot: str
    practitioner: str
    citizen: str
    starts_s: int
    minutes: int
    zone: str
    register_state: str
    booked_ms: int
    position: int
    booked_position: int
    to_call_ms: int
    to_call_position: int
    visit: str
    doctor: Doctor | None
    settled: bool
    booking_settled: bool
    past: bool
    closing_settled: bool
    whom: str = ""

    @property
    def state(self) -> str:
        """One word for the tag: 'pending', 'cancelled', 'past', 'closed' or 'booked'.

        'closed': the clinic has closed that time, and another one has to be found; who has arrived
        is seen to at the counter.
        """
        if not self.settled:
            return "pending"
        if self.register_state == CANCELLED:
            return "cancelled"
        if self.past:
            return "past"
        # A closing counts once it is confirmed, and so does its end.
        closed = bool(self.to_call_ms) == self.closing_settled
        return "closed" if closed and not self.visit else "booked"

    @property
    def is_cancelled(self) -> bool:
        """Whether the register has it as cancelled, confirmed or not."""
        return self.register_state == CANCELLED

    @property
    def changed(self) -> bool:
        """Whether another act followed the booking."""
        return self.position != self.booked_position

    @property
    def booked_at(self) -> datetime:
        """When it was booked, as an aware instant in UTC."""
        return datetime.fromtimestamp(self.booked_ms / 1000, UTC)


def read_doctor(practitioner: str) -> Doctor | None:
    """The practitioner with this id, or None."""
    rows = _rows(_DOCTOR, _OF_DOCTOR, "WHERE p.id = %s", [practitioner])
    return Doctor(*rows[0]) if rows else None


def find_doctors(county: str, town: str, speciality: str) -> list[Doctor]:
    """Practitioners by place and speciality ('' is any), in the order of their names."""
    asked = {"c.county": county, "c.town": town, "p.speciality": speciality}
    given = {column: value for column, value in asked.items() if value}
    where = " AND ".join(f"{column} = %s" for column in given) or "1 = 1"
    rest = f"WHERE {where} ORDER BY p.name, p.id"
    return [Doctor(*row) for row in _rows(_DOCTOR, _OF_DOCTOR, rest, [*given.values()])]


def read_places() -> list[tuple[str, list[str]]]:
    """Counties in order, each with its towns in order."""
    towns: dict[str, list[str]] = {}
    for county, town in _rows("DISTINCT county, town", CLINIC, "ORDER BY 1, 2", []):
        towns.setdefault(county, []).append(town)
    return [*towns.items()]


def read_specialities() -> list[str]:
    """The specialities that there are, as the register has them, in order."""
    rows = _rows("DISTINCT speciality", PRACTITIONER, "ORDER BY 1", [])
    return [speciality for (speciality,) in rows]


def free_times(
    practitioner: str, from_s: int, watermark: int, *, end_s: int | None = None
) -> Iterator[Time]:
    """The practitioner's free times that begin at `from_s` or later, in order, as one needs them.

    Those from `end_s` on are left out. Slot ids are '<practitioner>-<seconds>', so that the key
    alone finds them in order of time.
    """
    rest = "WHERE s.id >= %s AND s.id < %s AND s.state = 'free' AND s.position < %s ORDER BY s.id"
    end = ":" if end_s is None else end_s
    values: list[str | int] = [f"{practitioner}-{from_s}", f"{practitioner}-{end}", watermark]
    with closing(connection.cursor()) as cursor:
        cursor.execute(_asked(_TIME, f"{SLOT} s", rest), values)
        for row in cursor:
            yield _time(row, watermark)


def count_days(
    practitioner: str, month: str, after_s: int, watermark: int
) -> Mapping[str, tuple[int, int, int]]:
    """By day of a month ('YYYY-MM'): how many times are free, being confirmed, and offered at all.

    Only those count that begin after `after_s`; closed ones are not offered.
    """
    counted = (
        "day, SUM(CASE WHEN state = 'free' AND position < %s THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN position >= %s THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN state <> 'closed' THEN 1 ELSE 0 END)"
    )
    rest = "WHERE practitioner = %s AND day >= %s AND day <= %s AND starts_s > %s GROUP BY day"
    span = [f"{month}-01", f"{month}-31"]
    rows = _rows(counted, SLOT, rest, [watermark, watermark, practitioner, *span, after_s])
    return {day: (free, pending, offered) for day, free, pending, offered in rows}


def times_of_day(practitioner: str, day: str, after_s: int, watermark: int) -> list[Time]:
    """The times of a day that begin after `after_s` and are free or being confirmed, in order."""
    rest = (
        "WHERE s.practitioner = %s AND s.day = %s AND s.starts_s > %s"
        " AND (s.state = 'free' OR s.position >= %s) ORDER BY s.id"
    )
    rows = _rows(_TIME, f"{SLOT} s", rest, [practitioner, day, after_s, watermark])
    return [_time(row, watermark) for row in rows]


def read_time(slot: str, watermark: int) -> tuple[Time, Doctor] | None:
    """A slot by its id with whose it is, or None."""
    tables = (
        f"{SLOT} s JOIN {PRACTITIONER} p ON p.id = s.practitioner"
        f" JOIN {CLINIC} c ON c.id = p.clinic"
    )
    rows = _rows(f"{_TIME}, {_DOCTOR}", tables, "WHERE s.id = %s", [slot])
    if not rows:
        return None
    return _time(rows[0][:_TIME_COLUMNS], watermark), Doctor(*rows[0][_TIME_COLUMNS:])


def read_appointment(appointment: str, at_s: int, watermark: int) -> Standing | None:
    """An appointment by its id, whoever's it is: the caller sees whether it may be shown."""
    columns = f"{_STANDING}, {_DOCTOR}"
    rows = _rows(columns, _WITH_DOCTOR, "WHERE a.id = %s", [appointment])
    return _standing(rows[0], {}, at_s, watermark) if rows else None


def read_appointments(
    whose: Mapping[str, str], at_s: int, watermark: int, most: int
) -> list[Standing]:
    """The newest `most` appointments of these people, the latest first.

    `whose` gives each subject the name that is shown beside their appointments.
    """
    rest = f"WHERE a.citizen IN {_marks(whose)} ORDER BY a.starts_s DESC, a.id LIMIT %s"
    rows = _rows(f"{_STANDING}, {_DOCTOR}", _WITH_DOCTOR, rest, [*whose, most])
    return [_standing(row, whose, at_s, watermark) for row in rows]


def booked_in(slot: str, citizen: str) -> str:
    """The id of the booked appointment that the citizen has in the slot, or ''."""
    rest = "WHERE citizen = %s AND state = 'booked' AND slot = %s"
    rows = _rows("id", APPOINTMENT, rest, [citizen, slot])
    return str(rows[0][0]) if rows else ""


def sealed_words(appointment: str) -> dict[str, bytes]:
    """The sealed fields of an appointment, by name: 'reason' and 'contact', where there are any."""
    found = _rows("reason_sealed, contact_sealed", APPOINTMENT, "WHERE id = %s", [appointment])
    for reason, contact in found:
        fields = {"reason": reason, "contact": contact}
        return {name: bytes(value) for name, value in fields.items() if value is not None}
    return {}


def _time(row: Sequence[Any], watermark: int) -> Time:
    return Time(*[*row, row[-1] < watermark])


def _standing(row: Sequence[Any], whose: Mapping[str, str], at_s: int, watermark: int) -> Standing:
    own, of_doctor = row[:_STANDING_COLUMNS], row[_STANDING_COLUMNS:]
    citizen, starts_s, position, booked_position = own[3], own[4], own[9], own[10]
    rest = (
        None if None in of_doctor else Doctor(*of_doctor),
        position < watermark,
        booked_position < watermark,
        starts_s <= at_s,
        own[12] < watermark,
        whose.get(citizen, ""),
    )
    return Standing(*[*own, *rest])


def _marks(values: Collection[object]) -> str:
    return f"({', '.join(['%s'] * len(values))})"


def _asked(columns: str, tables: str, rest: str) -> str:
    """A question: every part of it is a constant of this file, and values stand beside it."""
    return " ".join(("SELECT", columns, "FROM", tables, rest))


def _rows(columns: str, tables: str, rest: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(_asked(columns, tables, rest), values)
        return list(cursor.fetchall())
