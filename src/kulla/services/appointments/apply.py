"""How acts change the registers of appointments. The same acts always give the same rows.

Rows are reached by key alone and every check comes before the first write, so that an act that
does not fit (UnfitAct) leaves the registers as they were.
"""

from __future__ import annotations

from typing import Final

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Act

CLINIC: Final = "appointments_clinic"
PRACTITIONER: Final = "appointments_practitioner"
SCHEDULE: Final = "appointments_schedule"
DAY_EXCEPTION: Final = "appointments_day_exception"
SLOT: Final = "appointments_slot"
APPOINTMENT: Final = "appointments_appointment"
NOTICE: Final = "appointments_notice"

FREE, TAKEN, CLOSED = "free", "taken", "closed"
BOOKED, CANCELLED = "booked", "cancelled"
DESK: Final = "clerk"
"""The role whose acts on somebody's appointment that person is told of by letter."""


def unfit(act: Act, why: str) -> UnfitAct:
    """The error of an act that does not fit the register, saying why."""
    return UnfitAct(
        f"{act.service}.{act.name} does not fit the register: {why}.",
        place=f"act {act.position}",
        remedy="Compare the acts before it with the register, or rebuild.",
    )


def needed(rows: RowsByKey, table: str, key: str, act: Act) -> Row:
    """The row that an act builds on. Raises UnfitAct where there is none."""
    row = rows.get(table, key)
    if row is None:
        raise unfit(act, f"{table} has no row {key}")
    return row


def clinic_opened(rows: RowsByKey, act: Act) -> None:
    """Add the clinic. Raises UnfitAct where its id is in use."""
    data = act.data
    if rows.get(CLINIC, data["clinic"]) is not None:
        raise unfit(act, f"the clinic {data['clinic']} exists already")
    rows.put(
        CLINIC,
        {
            "id": data["clinic"],
            "name": data["name"],
            "town": data["town"],
            "county": data["county"],
            "address": data["address"],
            "position": act.position,
        },
    )


def practitioner_joined(rows: RowsByKey, act: Act) -> None:
    """Add the practitioner. Raises UnfitAct where the id is in use or the clinic unknown."""
    data = act.data
    if rows.get(PRACTITIONER, data["practitioner"]) is not None:
        raise unfit(act, f"the practitioner {data['practitioner']} exists already")
    needed(rows, CLINIC, data["clinic"], act)
    rows.put(
        PRACTITIONER,
        {
            "id": data["practitioner"],
            "clinic": data["clinic"],
            "name": data["name"],
            "speciality": data["speciality"],
            "published_to": "",
            "position": act.position,
        },
    )


def schedule_set(rows: RowsByKey, act: Act) -> None:
    """Add the schedule, or replace the one of the same practitioner and first day."""
    data = act.data
    needed(rows, PRACTITIONER, data["practitioner"], act)
    rows.put(
        SCHEDULE,
        {
            "id": data["schedule"],
            "practitioner": data["practitioner"],
            "rule": data["rule"],
            "zone": data["zone"],
            "valid_from": data["valid_from"],
            "valid_to": data["valid_to"],
            "position": act.position,
        },
    )


def exception_set(rows: RowsByKey, act: Act) -> None:
    """Note the exception, close the slots that it closes, open those that it opens.

    A taken slot that is closed keeps its appointment, so that a clerk sees whom to call and move.
    """
    data, position = act.data, act.position
    practitioner, day = data["practitioner"], data["day"]
    needed(rows, PRACTITIONER, practitioner, act)
    changed: list[Row] = []
    to_call: list[Row] = []
    called_off: list[Row] = []  # their time is back: nobody has to call any more
    for slot_id in data["closed"]:
        slot = needed(rows, SLOT, slot_id, act)
        if slot["state"] == CLOSED:
            raise unfit(act, f"the slot {slot_id} is closed already")
        changed.append(slot | {"state": CLOSED, "position": position})
        if slot["appointment"]:
            to_call.append(needed(rows, APPOINTMENT, str(slot["appointment"]), act))
    for starts_s, minutes in data["opened"]:
        slot = _free_slot(
            practitioner, starts_s, minutes, day, zone=data["zone"], position=position
        )
        old = rows.get(SLOT, slot["id"])
        if old is not None and old["state"] == TAKEN:
            raise unfit(act, f"the slot of {practitioner} at {starts_s} is taken")
        if old is not None and old["appointment"]:
            slot = old | {"state": TAKEN, "position": position}
            called_off.append(needed(rows, APPOINTMENT, str(old["appointment"]), act))
        changed.append(slot)
    for slot in changed:
        rows.put(SLOT, slot)
    for appointment in to_call:
        rows.put(APPOINTMENT, appointment | {"to_call_ms": act.at_ms, "to_call_position": position})
        if not appointment["visit"]:  # who has arrived is told at the counter
            _notice(rows, act, appointment, "to-call")
    for appointment in called_off:
        rows.put(APPOINTMENT, appointment | {"to_call_ms": 0, "to_call_position": position})
    rows.put(
        DAY_EXCEPTION,
        {
            "id": f"{practitioner}-{day}",
            "practitioner": practitioner,
            "day": day,
            "kind": data["kind"],
            "hours": data["hours"],
            "position": position,
        },
    )


def slots_published(rows: RowsByKey, act: Act) -> None:
    """Add the slots. Raises UnfitAct where one exists already."""
    data = act.data
    practitioner, zone, position = data["practitioner"], data["zone"], act.position
    row = needed(rows, PRACTITIONER, practitioner, act)
    slots = [
        _free_slot(practitioner, starts_s, minutes, day, zone=zone, position=position)
        for day, starts in data["days"]
        for starts_s, minutes in starts
    ]
    for slot in slots:
        if rows.get(SLOT, slot["id"]) is not None:
            raise unfit(act, f"the slot {slot['id']!r} exists already")
    for slot in slots:
        rows.put(SLOT, slot)
    if data["last_day"] > str(row["published_to"]):
        rows.put(PRACTITIONER, row | {"published_to": data["last_day"], "position": position})


def booked(rows: RowsByKey, act: Act) -> None:
    """Take the slot for the citizen. Raises UnfitAct where it is not free or the id is in use."""
    data = act.data
    slot_id, appointment = data["slot"], data["appointment"]
    slot = rows.get(SLOT, slot_id)
    if slot is None or slot["state"] != FREE:
        raise unfit(act, f"the slot {slot_id} is not free")
    if rows.get(APPOINTMENT, appointment) is not None:
        raise unfit(act, f"the appointment {appointment} exists already")
    position = act.position
    slot["state"] = TAKEN
    slot["appointment"] = appointment
    slot["position"] = position
    rows.put(SLOT, slot)
    row = fresh_appointment(act, slot_id)
    rows.put(APPOINTMENT, row)
    if act.actor.role == DESK:
        _notice(rows, act, row, "booked")


def cancelled(rows: RowsByKey, act: Act) -> None:
    """Cancel the appointment and free its slot (a closed slot stays closed)."""
    appointment = _booked_appointment(rows, act, act.data["slot"])
    slot = _slot_of(rows, act, act.data["slot"])
    rows.put(SLOT, _vacated(slot, act.position))
    row = appointment | {"state": CANCELLED, "position": act.position, "to_call_ms": 0}
    rows.put(APPOINTMENT, row)
    if act.actor.role == DESK:
        _notice(rows, act, row, "cancelled")


def rescheduled(rows: RowsByKey, act: Act) -> None:
    """Move the appointment to another slot and free the old one (a closed one stays closed)."""
    data = act.data
    appointment = _booked_appointment(rows, act, data["old_slot"])
    old = _slot_of(rows, act, data["old_slot"])
    new = needed(rows, SLOT, data["slot"], act)
    if new["state"] != FREE:
        raise unfit(act, f"the slot {data['slot']} is not free")
    rows.put(SLOT, _vacated(old, act.position))
    rows.put(
        SLOT,
        new | {"state": TAKEN, "appointment": data["appointment"], "position": act.position},
    )
    row = appointment | {
        "slot": data["slot"],
        "practitioner": data["practitioner"],
        "starts_s": data["starts_s"],
        "minutes": data["minutes"],
        "zone": data["zone"],
        "position": act.position,
        "to_call_ms": 0,
    }
    rows.put(APPOINTMENT, row)
    if act.actor.role == DESK:
        _notice(rows, act, row, "moved", old_starts_s=data["old_starts_s"])


def fresh_appointment(act: Act, slot_id: str) -> Row:
    """The row of an appointment that an act brings into being; slot '' for who walked in."""
    data = act.data
    return {
        "id": data["appointment"],
        "slot": slot_id,
        "practitioner": data["practitioner"],
        "citizen": data["citizen"],
        "starts_s": data["starts_s"],
        "minutes": data["minutes"],
        "zone": data["zone"],
        "state": BOOKED,
        "reason_sealed": data["reason"],
        "contact_sealed": data["contact"],
        "booked_ms": act.at_ms,
        "position": act.position,
        "booked_position": act.position,
        "visit": "",
        "visit_ms": 0,
        "visit_position": 0,
        "to_call_ms": 0,
        "to_call_position": 0,
        "identity": "",
    }


def _notice(
    rows: RowsByKey, act: Act, appointment: Row, kind: str, *, old_starts_s: int = 0
) -> None:
    """Note what the clinic did to somebody's appointment, for the letter that tells them."""
    rows.put(
        NOTICE,
        {
            "id": f"{act.position:012d}-{appointment['id']!s}",
            "appointment": appointment["id"],
            "citizen": appointment["citizen"],
            "kind": kind,
            "practitioner": appointment["practitioner"],
            "old_starts_s": old_starts_s,
            "starts_s": appointment["starts_s"],
            "zone": appointment["zone"],
            "noted_ms": act.at_ms,
            "position": act.position,
        },
    )


def _free_slot(
    practitioner: str, starts_s: int, minutes: int, day: str, *, zone: str, position: int
) -> Row:
    return {
        "id": f"{practitioner}-{starts_s}",
        "practitioner": practitioner,
        "starts_s": starts_s,
        "minutes": minutes,
        "day": day,
        "zone": zone,
        "state": FREE,
        "appointment": "",
        "position": position,
    }


def _booked_appointment(rows: RowsByKey, act: Act, slot_id: str) -> Row:
    appointment = needed(rows, APPOINTMENT, act.data["appointment"], act)
    if appointment["state"] != BOOKED or appointment["slot"] != slot_id:
        raise unfit(act, f"the appointment {act.data['appointment']} is not booked at {slot_id}")
    return appointment


def _slot_of(rows: RowsByKey, act: Act, slot_id: str) -> Row:
    slot = needed(rows, SLOT, slot_id, act)
    if slot["appointment"] != act.data["appointment"]:
        raise unfit(act, f"the slot {slot_id} is not taken by this appointment")
    return slot


def _vacated(slot: Row, position: int) -> Row:
    state = CLOSED if slot["state"] == CLOSED else FREE
    return slot | {"state": state, "appointment": "", "position": position}
