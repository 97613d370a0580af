"""The rules of appointments: what is known and a command give acts or a refusal. Pure.

The rules in prose, with a worked table, are in docs/services/appointments.md, which is run as a
test. Refusals, with the values of their sentence (instants are UTC epoch seconds):

malformed              field                        a field is missing, unknown or misshapen
not-allowed            role, command                this role may not do that
clinic-exists          clinic                       the id is in use
clinic-unknown         clinic
practitioner-exists    practitioner                 the id is in use
practitioner-unknown   practitioner
other-zone             zone, schedule_zone          the schedule has another time zone
too-many-days          max                          more days than one command may publish
too-many-slots         max                          more slots than one act may hold
nothing-to-publish     first_day, last_day          no new slot in these days
slot-unknown           slot
slot-past              slot, starts_s, zone         it has begun
slot-closed            slot, starts_s, zone         the practitioner is away
slot-taken             slot, starts_s, zone         somebody was quicker
too-many-upcoming      max                          that many appointments still to come
same-time              appointment, starts_s, zone  another appointment overlaps it
appointment-unknown    appointment
not-yours              appointment                  it is another citizen's
already-cancelled      appointment
visit-noted            appointment, visit           they came, or were missed: nothing to move
too-late-to-cancel     appointment, starts_s, zone, minutes    from so many minutes before it
same-slot              slot                         it is there already
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal, Role
from kulla.services.appointments import acts, hours, wishes

UPCOMING_MAX: Final = 10
CANCEL_BEFORE_MINUTES: Final = 60
DAYS_MAX: Final = 92
SLOTS_MAX: Final = 5000

_STAFF: Final[tuple[Role, ...]] = ("operator", "clerk")
_DESK: Final[tuple[Role, ...]] = ("citizen", "clerk")

Decide = Callable[[Asked, Any], Decision]


@dataclass(frozen=True, slots=True)
class ClinicKnown:
    """What the register says about one clinic and one practitioner (either may be None)."""

    clinic: Row | None
    practitioner: Row | None


@dataclass(frozen=True, slots=True)
class DayKnown:
    """A practitioner, the schedules, and the exception and slots of one day."""

    practitioner: Row | None
    schedules: Sequence[Row]
    slots: Sequence[Row]


@dataclass(frozen=True, slots=True)
class CalendarKnown:
    """A practitioner, the schedules, exceptions by day, and which of the days have slots."""

    practitioner: Row | None
    schedules: Sequence[Row]
    exceptions: dict[str, Row]
    published: frozenset[str]


@dataclass(frozen=True, slots=True)
class BookingKnown:
    """The slot that is wished for, the appointment that is meant, and the citizen's booked ones."""

    slot: Row | None
    appointment: Row | None
    booked: Sequence[Row]


def for_roles(roles: tuple[Role, ...]) -> Callable[[Decide], Decide]:
    """Refuse other roles, and turn a Malformed field into a refusal."""

    def around(decide: Decide) -> Decide:
        @wraps(decide)
        def decided(asked: Asked, known: Any) -> Decision:
            if asked.actor.role not in roles:
                return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})
            try:
                return decide(asked, known)
            except wishes.Malformed as error:
                return Refusal("malformed", {"field": error.field})

        return decided

    return around


@for_roles(_STAFF)
def open_clinic(asked: Asked, known: ClinicKnown) -> Decision:
    """A clinic opens. Data: clinic (id), name, town, county, address."""
    fields = wishes.Fields(asked.data)
    clinic = fields.id("clinic")
    texts = {name: fields.text(name) for name in ("name", "town", "county", "address")}
    fields.end()
    if known.clinic is not None:
        return Refusal("clinic-exists", {"clinic": clinic})
    return (NewAct(acts.CLINIC_OPENED, {"clinic": clinic, **texts}),)


@for_roles(_STAFF)
def add_practitioner(asked: Asked, known: ClinicKnown) -> Decision:
    """A practitioner joins a clinic. Data: practitioner (id), clinic, name, speciality."""
    fields = wishes.Fields(asked.data)
    ids = {"practitioner": fields.id("practitioner"), "clinic": fields.id("clinic")}
    texts = {"name": fields.text("name"), "speciality": fields.text("speciality")}
    fields.end()
    if known.clinic is None:
        return Refusal("clinic-unknown", {"clinic": ids["clinic"]})
    if known.practitioner is not None:
        return Refusal("practitioner-exists", {"practitioner": ids["practitioner"]})
    return (NewAct(acts.PRACTITIONER_JOINED, {**ids, **texts}),)


@for_roles(_STAFF)
def set_schedule(asked: Asked, known: ClinicKnown) -> Decision:
    """Weekly hours hold from a day on. Data: practitioner, weekly, zone, valid_from, valid_to.

    `weekly` is [[weekday, from_minute, to_minute, minutes]...] with Monday as 1; `valid_to` ''
    is open-ended. It replaces the schedule that begins on the same day; slots that are published
    already stay.
    """
    fields = wishes.Fields(asked.data)
    practitioner, weekly = fields.id("practitioner"), fields.weekly("weekly")
    zone, valid_from = fields.zone("zone"), fields.day("valid_from")
    valid_to = fields.day_or_empty("valid_to")
    fields.end()
    if valid_to and valid_to < valid_from:
        return Refusal("malformed", {"field": "valid_to"})
    if known.practitioner is None:
        return Refusal("practitioner-unknown", {"practitioner": practitioner})
    data = {
        "schedule": f"{practitioner}-{valid_from}",
        "practitioner": practitioner,
        "rule": hours.weekly_text(weekly),
        "zone": zone,
        "valid_from": valid_from,
        "valid_to": valid_to,
    }
    return (NewAct(acts.SCHEDULE_SET, data),)


@for_roles(_STAFF)
def set_exception(asked: Asked, known: DayKnown) -> Decision:
    """A day is closed or has other hours. Data: practitioner, day, kind; hours, zone, offsets.

    The last three come with kind 'hours' only; `hours` is [[from_minute, to_minute, minutes]...].
    Where the day's slots are published (`published_to`), they change at once; else the exception
    is kept until they are. Taken slots outside the new hours are closed and keep their appointment.
    """
    wish = wishes.exception_wish(asked.data)
    if known.practitioner is None:
        return Refusal("practitioner-unknown", {"practitioner": wish.practitioner})
    schedule = _in_force(known.schedules, wish.day)
    if wish.zone and schedule is not None and schedule["zone"] != wish.zone:
        return Refusal("other-zone", {"zone": wish.zone, "schedule_zone": schedule["zone"]})
    opened: list[tuple[int, int]] = []
    closed: list[str] = []
    if known.slots or wish.day <= str(known.practitioner["published_to"]):
        day = date.fromisoformat(wish.day)
        wanted = hours.instants(day, wish.periods, wish.offsets)
        opened, closed = changed_slots(known.slots, wanted, asked.at_ms)
    data: dict[str, Value] = {
        "practitioner": wish.practitioner,
        "day": wish.day,
        "kind": wish.kind,
        "hours": hours.day_text(wish.periods),
        "zone": wish.zone,
        "closed": closed,
        "opened": opened,
    }
    return (NewAct(acts.EXCEPTION_SET, data),)


def changed_slots(
    slots: Sequence[Row], wanted: Sequence[tuple[int, int]], at_ms: int
) -> tuple[list[tuple[int, int]], list[str]]:
    """Which slots to open and which to close, so that the day has those that are wanted.

    An appointment's slot stays as long as it is; what would overlap it is not opened. Slots that
    have begun are left alone.
    """
    wanted_at = dict(wanted)
    kept = [slot for slot in slots if slot["appointment"] and slot["starts_s"] in wanted_at]
    open_ids: set[Any] = {slot["id"] for slot in kept}
    opened = [
        (number_in(slot, "starts_s"), number_in(slot, "minutes"))
        for slot in kept
        if slot["state"] == "closed" and number_in(slot, "starts_s") * 1000 > at_ms
    ]
    there = {slot["starts_s"]: slot for slot in slots}
    occupied = [slot for slot in slots if slot["appointment"]]
    for starts_s, minutes in wanted:
        if starts_s * 1000 <= at_ms or overlapping(occupied, starts_s, minutes) is not None:
            continue
        slot = there.get(starts_s)
        if slot is not None:
            open_ids.add(slot["id"])
        if slot is None or slot["state"] == "closed" or slot["minutes"] != minutes:
            opened.append((starts_s, minutes))
    closed = [
        str(slot["id"])
        for slot in slots
        if slot["id"] not in open_ids
        and slot["state"] != "closed"
        and number_in(slot, "starts_s") * 1000 > at_ms
    ]
    return sorted(opened), closed


@for_roles(_STAFF)
def publish_slots(asked: Asked, known: CalendarKnown) -> Decision:
    """Slots of coming days open. Data: practitioner, first_day, last_day, zone, offsets.

    `offsets` are what `zones.offsets` resolves for the zone and these days. Only days that have no
    slot yet, and only slots that have not begun, are published.
    """
    wish = wishes.publish_wish(asked.data)
    if known.practitioner is None:
        return Refusal("practitioner-unknown", {"practitioner": wish.practitioner})
    span = wishes.days_between(wish.first_day, wish.last_day, DAYS_MAX)
    if len(span) > DAYS_MAX:
        return Refusal("too-many-days", {"max": DAYS_MAX})
    days: list[tuple[str, list[tuple[int, int]]]] = []
    count, ended_s = 0, 0
    for day in span:
        if day in known.published:
            continue
        schedule = _in_force(known.schedules, day)
        if schedule is not None and schedule["zone"] != wish.zone:
            return Refusal("other-zone", {"zone": wish.zone, "schedule_zone": schedule["zone"]})
        periods = _periods_on(day, schedule, known.exceptions.get(day))
        starts = [
            (starts_s, minutes)
            for starts_s, minutes in hours.instants(date.fromisoformat(day), periods, wish.offsets)
            if starts_s * 1000 > asked.at_ms and starts_s >= ended_s
        ]
        if starts:
            days.append((day, starts))
            count += len(starts)
            ended_s = starts[-1][0] + starts[-1][1] * 60
    if count > SLOTS_MAX:
        return Refusal("too-many-slots", {"max": SLOTS_MAX})
    if not days:
        span_ends = {"first_day": wish.first_day, "last_day": wish.last_day}
        return Refusal("nothing-to-publish", span_ends)
    data = {
        "practitioner": wish.practitioner,
        "zone": wish.zone,
        "first_day": wish.first_day,
        "last_day": wish.last_day,
        "days": days,
    }
    return (NewAct(acts.SLOTS_PUBLISHED, data),)


@for_roles(_DESK)
def book(asked: Asked, known: BookingKnown) -> Decision:
    """A citizen books a slot. Data: slot, reason, contact (sealed, may be absent).

    A clerk who books for somebody adds citizen, and identity where they made sure who it is.
    """
    wish = wishes.book_wish(asked.data, on_behalf=asked.actor.role == "clerk")
    citizen = wish.citizen or asked.actor.whom
    slot = bookable(known.slot, wish.slot, asked.at_ms)
    if isinstance(slot, Refusal):
        return slot
    refused = _too_many(asked, known) or _meanwhile(known, slot)
    if refused is not None:
        return refused
    data = {
        "appointment": asked.fresh_id(),
        "slot": wish.slot,
        "practitioner": slot["practitioner"],
        "citizen": citizen,
        "starts_s": slot["starts_s"],
        "minutes": slot["minutes"],
        "zone": slot["zone"],
        "reason": wish.reason,
        "contact": wish.contact,
    }
    return (NewAct(acts.BOOKED, data), *identity_act(data, wish.identity))


@for_roles(_DESK)
def cancel(asked: Asked, known: BookingKnown) -> Decision:
    """A citizen cancels. Data: appointment; a clerk adds citizen."""
    appointment = _own(asked, known, ())
    if isinstance(appointment, Refusal):
        return appointment
    data = {
        "appointment": appointment["id"],
        "slot": appointment["slot"],
        "citizen": appointment["citizen"],
        "starts_s": appointment["starts_s"],
        "zone": appointment["zone"],
    }
    return (NewAct(acts.CANCELLED, data),)


@for_roles(_DESK)
def reschedule(asked: Asked, known: BookingKnown) -> Decision:
    """A citizen moves an appointment. Data: appointment, slot (the new); a clerk adds citizen."""
    slot_id = wishes.Fields(asked.data).slot("slot")
    appointment = _own(asked, known, ("slot",))
    if isinstance(appointment, Refusal):
        return appointment
    if appointment["slot"] == slot_id:
        return Refusal("same-slot", {"slot": slot_id})
    slot = bookable(known.slot, slot_id, asked.at_ms)
    if isinstance(slot, Refusal):
        return slot
    refused = _meanwhile(known, slot)
    if refused is not None:
        return refused
    return (moved_act(appointment, slot),)


def moved_act(appointment: Row, slot: Row) -> NewAct:
    """The act that moves an appointment to a slot."""
    data = {
        "appointment": appointment["id"],
        "citizen": appointment["citizen"],
        "practitioner": slot["practitioner"],
        "old_slot": appointment["slot"],
        "old_starts_s": appointment["starts_s"],
        "slot": slot["id"],
        "starts_s": slot["starts_s"],
        "minutes": slot["minutes"],
        "zone": slot["zone"],
    }
    return NewAct(acts.RESCHEDULED, data)


def _own(asked: Asked, known: BookingKnown, more: tuple[str, ...]) -> Row | Refusal:
    """The appointment that the asker may still change, or why not. `more` fields are known."""
    fields = wishes.Fields(asked.data)
    appointment_id = fields.hex_id("appointment")
    on_behalf = asked.actor.role == "clerk"
    citizen = fields.hex_id("citizen") if on_behalf else asked.actor.whom
    for field in more:
        fields.slot(field)
    fields.end()
    appointment = known.appointment
    if appointment is None:
        return Refusal("appointment-unknown", {"appointment": appointment_id})
    if appointment["citizen"] != citizen:
        return Refusal("not-yours", {"appointment": appointment_id})
    if appointment["state"] != "booked":
        return Refusal("already-cancelled", {"appointment": appointment_id})
    if appointment["visit"]:
        noted = {"appointment": appointment_id, "visit": appointment["visit"]}
        return Refusal("visit-noted", noted)
    minutes = 0 if on_behalf else CANCEL_BEFORE_MINUTES
    if asked.at_ms >= (number_in(appointment, "starts_s") - minutes * 60) * 1000:
        when = {"starts_s": appointment["starts_s"], "zone": appointment["zone"]}
        return Refusal(
            "too-late-to-cancel", {"appointment": appointment_id, **when, "minutes": minutes}
        )
    return appointment


def bookable(slot: Row | None, slot_id: str, at_ms: int) -> Row | Refusal:
    """The slot if anybody may book it now, or why not."""
    if slot is None:
        return Refusal("slot-unknown", {"slot": slot_id})
    detail = {"slot": slot_id, "starts_s": slot["starts_s"], "zone": slot["zone"]}
    if number_in(slot, "starts_s") * 1000 <= at_ms:
        return Refusal("slot-past", detail)
    if slot["state"] == "closed":
        return Refusal("slot-closed", detail)
    if slot["state"] != "free":
        return Refusal("slot-taken", detail)
    return slot


def _too_many(asked: Asked, known: BookingKnown) -> Refusal | None:
    """Whether the citizen has enough to come; a clerk may go beyond that."""
    upcoming = sum(number_in(row, "starts_s") * 1000 > asked.at_ms for row in known.booked)
    if asked.actor.role == "citizen" and upcoming >= UPCOMING_MAX:
        return Refusal("too-many-upcoming", {"max": UPCOMING_MAX})
    return None


def _meanwhile(known: BookingKnown, slot: Row) -> Refusal | None:
    """Whether another appointment of the citizen overlaps the slot."""
    meant = known.appointment["id"] if known.appointment is not None else ""
    others = [row for row in known.booked if row["id"] != meant]
    other = overlapping(others, number_in(slot, "starts_s"), number_in(slot, "minutes"))
    if other is None:
        return None
    detail = {"starts_s": other["starts_s"], "zone": other["zone"]}
    return Refusal("same-time", {"appointment": other["id"], **detail})


def identity_act(data: Mapping[str, Value], identity: str) -> tuple[NewAct, ...]:
    """The act that says how the desk made sure whose appointment it is; none where it did not."""
    if not identity:
        return ()
    said = {"appointment": data["appointment"], "citizen": data["citizen"], "identity": identity}
    return (NewAct(acts.IDENTITY_CHECKED, said),)


def overlapping(rows: Sequence[Row], starts_s: int, minutes: int) -> Row | None:
    """The first of some slots or appointments that overlaps this stretch of time, or None."""
    ends_s = starts_s + minutes * 60
    for row in rows:
        other_s = number_in(row, "starts_s")
        if other_s < ends_s and starts_s < other_s + number_in(row, "minutes") * 60:
            return row
    return None


def _in_force(schedules: Sequence[Row], day: str) -> Row | None:
    """The schedule of a day: the one that began last, unless it has ended."""
    begun = [row for row in schedules if str(row["valid_from"]) <= day]
    if not begun:
        return None
    latest = max(begun, key=lambda row: str(row["valid_from"]))
    return latest if not latest["valid_to"] or day <= str(latest["valid_to"]) else None


def _periods_on(day: str, schedule: Row | None, exception: Row | None) -> tuple[hours.Period, ...]:
    if exception is not None:
        return hours.periods_of(str(exception["hours"]))
    if schedule is None:
        return ()
    weekday = date.fromisoformat(day).isoweekday()
    weekly = hours.weekly_of(str(schedule["rule"]))
    return tuple(period for on, period in weekly if on == weekday)


def number_in(row: Row, column: str) -> int:
    """A cell that is a number."""
    value = row[column]
    assert isinstance(value, int), column
    return value
