"""What each command's policy has to know of the registers. Live path only: it may search.

Fields are not checked yet when they are looked up: what can't be a key finds nothing.
"""

from __future__ import annotations

from kulla.kernel.rows import Row, Rows
from kulla.kernel.service import Asked
from kulla.services.appointments import apply, policy, wishes


def for_clinic(rows: Rows, asked: Asked) -> policy.ClinicKnown:
    """Look up the clinic and the practitioner that the command names."""
    return policy.ClinicKnown(
        clinic=named_row(rows, apply.CLINIC, asked, "clinic"),
        practitioner=named_row(rows, apply.PRACTITIONER, asked, "practitioner"),
    )


def for_exception(rows: Rows, asked: Asked) -> policy.DayKnown:
    """Look up the practitioner's schedules and the slots of the day."""
    practitioner = wishes.key_of(asked.data, "practitioner")
    day = wishes.key_of(asked.data, "day")
    return policy.DayKnown(
        practitioner=named_row(rows, apply.PRACTITIONER, asked, "practitioner"),
        schedules=rows.find(apply.SCHEDULE, practitioner=practitioner),
        slots=rows.find(apply.SLOT, practitioner=practitioner, day=day),
    )


def for_publishing(rows: Rows, asked: Asked) -> policy.CalendarKnown:
    """Look up schedules and exceptions, and which of the days have slots already."""
    practitioner = wishes.key_of(asked.data, "practitioner")
    exceptions: dict[str, Row] = {}
    published: set[str] = set()
    first, last = wishes.key_of(asked.data, "first_day"), wishes.key_of(asked.data, "last_day")
    for day in wishes.days_between(first, last, policy.DAYS_MAX):
        exception = rows.get(apply.DAY_EXCEPTION, f"{practitioner}-{day}")
        if exception is not None:
            exceptions[day] = exception
        if rows.find(apply.SLOT, limit=1, practitioner=practitioner, day=day):
            published.add(day)
    return policy.CalendarKnown(
        practitioner=named_row(rows, apply.PRACTITIONER, asked, "practitioner"),
        schedules=rows.find(apply.SCHEDULE, practitioner=practitioner),
        exceptions=exceptions,
        published=frozenset(published),
    )


def for_booking(rows: Rows, asked: Asked) -> policy.BookingKnown:
    """Look up the slot, the appointment, and what else the citizen has booked."""
    citizen = asked.actor.whom
    if asked.actor.role == "clerk":
        citizen = wishes.key_of(asked.data, "citizen")
    return policy.BookingKnown(
        slot=named_row(rows, apply.SLOT, asked, "slot"),
        appointment=named_row(rows, apply.APPOINTMENT, asked, "appointment"),
        booked=rows.find(apply.APPOINTMENT, citizen=citizen, state=apply.BOOKED),
    )


def named_row(rows: Rows, table: str, asked: Asked, field: str) -> Row | None:
    """The row whose key a field of the command names, or None."""
    key = wishes.key_of(asked.data, field)
    return rows.get(table, key) if key else None
