"""What appointments bring to a citizen's home: what comes next, and their acts by position.

Plain SQL over the register, since everybody who signs in passes here: a query through the models
takes four times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection

from kulla.services.appointments.apply import APPOINTMENT, BOOKED, CLINIC, PRACTITIONER

_COMING: Final = (
    "SELECT a.id, a.starts_s, a.zone, a.position, p.name, p.speciality, c.name, c.town"  # noqa: S608
    f' FROM "{APPOINTMENT}" a LEFT JOIN "{PRACTITIONER}" p ON p.id = a.practitioner'
    f' LEFT JOIN "{CLINIC}" c ON c.id = p.clinic'
    f" WHERE a.citizen = %s AND a.state = '{BOOKED}' AND a.starts_s > %s"
    " ORDER BY a.starts_s LIMIT %s"
)
_BOOKINGS: Final = (
    f'SELECT booked_position, booked_ms FROM "{APPOINTMENT}"'  # noqa: S608
    " WHERE citizen = %s AND booked_position < %s ORDER BY booked_position DESC LIMIT %s"
)
BOOKED_SAID: Final = "appointments.booked"


@dataclass(frozen=True, slots=True)
class Coming:
    """An appointment that is still to come. `starts_local` is in the zone of its clinic."""

    id: str
    starts_local: datetime
    position: int
    practitioner: str
    speciality: str
    clinic: str
    town: str

    @property
    def address(self) -> str:
        """The page of the appointment."""
        return f"/appointments/{self.id}"


def coming(subject: str, now_s: int, limit: int) -> list[Coming]:
    """The next appointments of a person, the first one first."""
    with connection.cursor() as cursor:
        cursor.execute(_COMING, [subject, now_s, limit])
        rows = cursor.fetchall()
    return [
        Coming(
            key,
            datetime.fromtimestamp(starts_s, UTC).astimezone(ZoneInfo(zone)),
            position,
            *(text or "" for text in about),
        )
        for key, starts_s, zone, position, *about in rows
    ]


def bookings(subject: str, before: int, limit: int) -> Sequence[tuple[int, str, int]]:
    """(position, what was done, when in ms) of a person's bookings below `before`, newest first.

    They stand in the appointments' rows; see registers.parties for the acts that don't.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BOOKINGS, [subject, before, limit])
        return [(position, BOOKED_SAID, at_ms) for position, at_ms in cursor.fetchall()]
