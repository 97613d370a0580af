"""How acts at the desk change the registers of appointments: visits, and who walked in.

As in `apply`: rows by key alone, every check before the first write. A visit never changes
`position`, which is that of the act that last changed *when* the appointment is, or ended it: only
a walk-in that is taken back, which is cancelled by that, does.
"""

from __future__ import annotations

from typing import Final

from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Act
from kulla.services.appointments import apply

EXPECTED, ARRIVED, MISSED, ENDED = "", "arrived", "missed", "ended"

_BEFORE: Final = {ARRIVED: (EXPECTED, MISSED), MISSED: (EXPECTED,), ENDED: (ARRIVED,)}


def walked_in(rows: RowsByKey, act: Act) -> None:
    """Add the appointment of who walked in and is here. Raises UnfitAct where the id is in use."""
    data = act.data
    if rows.get(apply.APPOINTMENT, data["appointment"]) is not None:
        raise apply.unfit(act, f"the appointment {data['appointment']} exists already")
    apply.needed(rows, apply.PRACTITIONER, data["practitioner"], act)
    row = apply.fresh_appointment(act, "") | {"identity": data["identity"]}
    rows.put(apply.APPOINTMENT, _visited(row, act, ARRIVED))


def identity_checked(rows: RowsByKey, act: Act) -> None:
    """Note how the desk made sure whose appointment it is."""
    row = apply.needed(rows, apply.APPOINTMENT, act.data["appointment"], act)
    rows.put(apply.APPOINTMENT, row | {"identity": act.data["identity"]})


def arrived(rows: RowsByKey, act: Act) -> None:
    """The person is here. Raises UnfitAct where they are already."""
    _note_visit(rows, act, ARRIVED)


def missed(rows: RowsByKey, act: Act) -> None:
    """The person did not come. Raises UnfitAct where they did."""
    _note_visit(rows, act, MISSED)


def visit_ended(rows: RowsByKey, act: Act) -> None:
    """The visit is over. Raises UnfitAct where nobody arrived."""
    _note_visit(rows, act, ENDED)


def visit_taken_back(rows: RowsByKey, act: Act) -> None:
    """What was noted of the visit was a slip of the hand. Raises UnfitAct where it is not noted."""
    data = act.data
    row = _standing(rows, act)
    if row["visit"] != data["was"]:
        raise apply.unfit(act, f"the visit of {data['appointment']} is not {data['was']!r}")
    back = _visited(row, act, data["visit"]) | {"state": data["state"]}
    if data["state"] == apply.CANCELLED:
        back["position"] = act.position
    rows.put(apply.APPOINTMENT, back)


def _note_visit(rows: RowsByKey, act: Act, visit: str) -> None:
    row = _standing(rows, act)
    if row["visit"] not in _BEFORE[visit]:
        raise apply.unfit(act, f"the visit of {row['id']!s} is {row['visit']!r} already")
    rows.put(apply.APPOINTMENT, _visited(row, act, visit))


def _standing(rows: RowsByKey, act: Act) -> Row:
    row = apply.needed(rows, apply.APPOINTMENT, act.data["appointment"], act)
    if row["state"] != apply.BOOKED:
        raise apply.unfit(act, f"the appointment {row['id']!s} is not booked")
    return row


def _visited(row: Row, act: Act, visit: str) -> Row:
    return row | {"visit": visit, "visit_ms": act.at_ms, "visit_position": act.position}
