"""What the policy of each command of the desk has to know of the registers. Live path only."""

from __future__ import annotations

from kulla.kernel.rows import Row, Rows
from kulla.kernel.service import Asked
from kulla.services.appointments import apply, wishes
from kulla.services.appointments.desk import policy
from kulla.services.appointments.gather import named_row


def for_visit(rows: Rows, asked: Asked) -> policy.VisitKnown:
    """Look up the appointment that the command names."""
    return policy.VisitKnown(named_row(rows, apply.APPOINTMENT, asked, "appointment"))


def for_walk_in(rows: Rows, asked: Asked) -> policy.WalkInKnown:
    """Look up the practitioner with the schedules, and what the citizen has booked."""
    practitioner = wishes.key_of(asked.data, "practitioner")
    citizen = wishes.key_of(asked.data, "citizen")
    return policy.WalkInKnown(
        practitioner=named_row(rows, apply.PRACTITIONER, asked, "practitioner"),
        schedules=rows.find(apply.SCHEDULE, practitioner=practitioner),
        booked=rows.find(apply.APPOINTMENT, citizen=citizen, state=apply.BOOKED),
    )


def for_closing(rows: Rows, asked: Asked) -> policy.ClosingKnown:
    """Look up the day's slots, and the appointments and slots that the moves name."""
    practitioner = wishes.key_of(asked.data, "practitioner")
    pairs = wishes.moves_meant(asked.data, policy.MOVES_MAX)
    appointments = _by_key(rows, apply.APPOINTMENT, [appointment for appointment, _ in pairs])
    citizens = {str(row["citizen"]) for row in appointments.values()}
    return policy.ClosingKnown(
        practitioner=named_row(rows, apply.PRACTITIONER, asked, "practitioner"),
        slots=rows.find(
            apply.SLOT, practitioner=practitioner, day=wishes.key_of(asked.data, "day")
        ),
        appointments=appointments,
        targets=_by_key(rows, apply.SLOT, [slot for _, slot in pairs]),
        booked={
            citizen: rows.find(apply.APPOINTMENT, citizen=citizen, state=apply.BOOKED)
            for citizen in sorted(citizens)
        },
    )


def _by_key(rows: Rows, table: str, keys: list[str]) -> dict[str, Row]:
    found = {key: rows.get(table, key) for key in keys}
    return {key: row for key, row in found.items() if row is not None}
