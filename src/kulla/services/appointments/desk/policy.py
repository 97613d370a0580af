"""The rules of the desk: who came, who walked in, and how a day is closed. Pure.

In prose, with a worked day, in docs/services/appointments-desk.md, which is run as a test. All of
it is for clerks. Besides those of `policy`, refusals with the values of their sentence:

too-early              appointment, starts_s, zone  it is not the day yet
not-begun              appointment, starts_s, zone  nobody is missed before their time
not-arrived            appointment                  a visit ends once it began
noted-already          appointment, visit           it says so already
nothing-noted          appointment                  there is nothing to take back
too-many-moves         max                          more than one command may move
move-refused           appointment, slot, why       one of the moves; why is a code of `policy`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal, Role
from kulla.services.appointments import acts, wishes
from kulla.services.appointments.policy import (
    bookable,
    changed_slots,
    for_roles,
    moved_act,
    number_in,
    overlapping,
)

ARRIVES_BEFORE_MINUTES: Final = 12 * 60
MOVES_MAX: Final = 200

_CLERKS: Final[tuple[Role, ...]] = ("clerk",)
_BEFORE: Final = {"arrived": "", "missed": "", "ended": "arrived"}


@dataclass(frozen=True, slots=True)
class VisitKnown:
    """The appointment that is meant, or None."""

    appointment: Row | None


@dataclass(frozen=True, slots=True)
class WalkInKnown:
    """The practitioner, the schedules, and what else the citizen has booked."""

    practitioner: Row | None
    schedules: Sequence[Row]
    booked: Sequence[Row]


@dataclass(frozen=True, slots=True)
class ClosingKnown:
    """A practitioner and the slots of one day, and what the moves name.

    `appointments` and `targets` are what moves name, by id; `booked` are all booked appointments of
    the citizens who are moved, by citizen.
    """

    practitioner: Row | None
    slots: Sequence[Row]
    appointments: Mapping[str, Row]
    targets: Mapping[str, Row]
    booked: Mapping[str, Sequence[Row]]


@for_roles(_CLERKS)
def note_arrival(asked: Asked, known: VisitKnown) -> Decision:
    """The person is here, in time or after all. Data: appointment."""
    row = _standing(asked, known)
    if isinstance(row, Refusal):
        return row
    if row["visit"] in ("arrived", "ended"):
        return _noted_already(row)
    if asked.at_ms < (number_in(row, "starts_s") - ARRIVES_BEFORE_MINUTES * 60) * 1000:
        return Refusal("too-early", _when(row))
    return _noted(row, acts.ARRIVED)


@for_roles(_CLERKS)
def note_missed(asked: Asked, known: VisitKnown) -> Decision:
    """The time has begun and the person has not come. Data: appointment."""
    row = _standing(asked, known)
    if isinstance(row, Refusal):
        return row
    if row["visit"]:
        return _noted_already(row)
    if asked.at_ms < number_in(row, "starts_s") * 1000:
        return Refusal("not-begun", _when(row))
    return _noted(row, acts.MISSED)


@for_roles(_CLERKS)
def end_visit(asked: Asked, known: VisitKnown) -> Decision:
    """The person has been seen. Data: appointment."""
    row = _standing(asked, known)
    if isinstance(row, Refusal):
        return row
    if row["visit"] == "ended":
        return _noted_already(row)
    if row["visit"] != "arrived":
        return Refusal("not-arrived", {"appointment": row["id"]})
    return _noted(row, acts.VISIT_ENDED)


@for_roles(_CLERKS)
def take_back_visit(asked: Asked, known: VisitKnown) -> Decision:
    """What was noted last was a slip. Data: appointment.

    Who walked in by a slip was never here: that appointment is cancelled.
    """
    row = _standing(asked, known)
    if isinstance(row, Refusal):
        return row
    was = str(row["visit"])
    if not was:
        return Refusal("nothing-noted", {"appointment": row["id"]})
    gone = was == "arrived" and not row["slot"]
    back = {"was": was, "visit": _BEFORE[was], "state": "cancelled" if gone else "booked"}
    return (NewAct(acts.VISIT_TAKEN_BACK, {**_about(row), **back}),)


@for_roles(_CLERKS)
def walk_in(asked: Asked, known: WalkInKnown) -> Decision:
    """Somebody comes without an appointment and is seen between the others.

    Data: practitioner, citizen, minutes, zone; reason, contact (sealed), identity may be absent. It
    begins at this minute, takes no slot, and the person has arrived.
    """
    wish = wishes.walk_in_wish(asked.data)
    if known.practitioner is None:
        return Refusal("practitioner-unknown", {"practitioner": wish.practitioner})
    other = next((row for row in known.schedules if row["zone"] != wish.zone), None)
    if other is not None:
        return Refusal("other-zone", {"zone": wish.zone, "schedule_zone": other["zone"]})
    starts_s = asked.at_ms // 60_000 * 60
    here = [row for row in known.booked if row["visit"] in ("", "arrived")]
    meanwhile = overlapping(here, starts_s, wish.minutes)
    if meanwhile is not None:
        return Refusal("same-time", _when(meanwhile))
    data: dict[str, Value] = {
        "appointment": asked.fresh_id(),
        "practitioner": wish.practitioner,
        "citizen": wish.citizen,
        "starts_s": starts_s,
        "minutes": wish.minutes,
        "zone": wish.zone,
        "reason": wish.reason,
        "contact": wish.contact,
        "identity": wish.identity,
    }
    return (NewAct(acts.WALKED_IN, data),)


@for_roles(_CLERKS)
def close_day(asked: Asked, known: ClosingKnown) -> Decision:
    """A practitioner is away for a day: move whom the clerk found a time for, all or none.

    Data: practitioner, day, moves [[appointment, slot]...]. Appointments of the day that no move
    names stay on their closed slot and are to be called; those that have begun are left alone.
    """
    wish = wishes.closing_wish(asked.data)
    if known.practitioner is None:
        return Refusal("practitioner-unknown", {"practitioner": wish.practitioner})
    if len(wish.moves) > MOVES_MAX:
        return Refusal("too-many-moves", {"max": MOVES_MAX})
    moved: list[NewAct] = []
    times: dict[Any, Row] = {}  # the new slot of each appointment
    for appointment, slot in wish.moves:
        act = _moved(asked, known, wish, appointment, slot, times)
        if isinstance(act, str):
            why = {"appointment": appointment, "slot": slot, "why": act}
            return Refusal("move-refused", why)
        moved.append(act)
    freed = [
        slot | {"state": "free", "appointment": ""} if slot["appointment"] in times else slot
        for slot in known.slots
        if not (slot["appointment"] in times and slot["state"] == "closed")
    ]
    _, closed = changed_slots(freed, (), asked.at_ms)
    data: dict[str, Value] = {
        "practitioner": wish.practitioner,
        "day": wish.day,
        "kind": "closed",
        "hours": "",
        "zone": "",
        "closed": closed,
        "opened": [],
    }
    return (*moved, NewAct(acts.EXCEPTION_SET, data))


def _moved(
    asked: Asked,
    known: ClosingKnown,
    wish: wishes.ClosingWish,
    appointment_id: str,
    slot_id: str,
    times: dict[Any, Row],
) -> NewAct | str:
    """One move of a closing, noted in `times`; or the code of why it can't be."""
    row = known.appointments.get(appointment_id)
    if row is None or all(slot["appointment"] != appointment_id for slot in known.slots):
        return "appointment-unknown"
    if row["state"] != "booked":
        return "already-cancelled"
    if row["visit"]:
        return "visit-noted"
    if number_in(row, "starts_s") * 1000 <= asked.at_ms:
        return "too-late-to-cancel"
    slot = bookable(known.targets.get(slot_id), slot_id, asked.at_ms)
    if isinstance(slot, Refusal):
        return slot.code
    if slot["practitioner"] == wish.practitioner and slot["day"] == wish.day:
        return "slot-closed"
    if slot_id in {taken["id"] for taken in times.values()}:
        return "slot-taken"
    others = [
        times.get(other["id"], other)
        for other in known.booked.get(str(row["citizen"]), ())
        if other["id"] != appointment_id
    ]
    if overlapping(others, number_in(slot, "starts_s"), number_in(slot, "minutes")) is not None:
        return "same-time"
    times[row["id"]] = slot
    return moved_act(row, slot)


def _standing(asked: Asked, known: VisitKnown) -> Row | Refusal:
    """The appointment that a visit is noted of, or why not."""
    fields = wishes.Fields(asked.data)
    appointment = fields.hex_id("appointment")
    fields.end()
    row = known.appointment
    if row is None:
        return Refusal("appointment-unknown", {"appointment": appointment})
    if row["state"] != "booked":
        return Refusal("already-cancelled", {"appointment": appointment})
    return row


def _noted(row: Row, act: str) -> Decision:
    return (NewAct(act, _about(row)),)


def _noted_already(row: Row) -> Refusal:
    return Refusal("noted-already", {"appointment": row["id"], "visit": row["visit"]})


def _about(row: Row) -> dict[str, Value]:
    columns = ("citizen", "practitioner", "starts_s", "zone")
    return {"appointment": row["id"], **{column: row[column] for column in columns}}


def _when(row: Row) -> dict[str, Value]:
    return {"appointment": row["id"], "starts_s": row["starts_s"], "zone": row["zone"]}
