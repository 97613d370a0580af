"""Rows of the registers as HL7 FHIR R4 resources.

A practitioner's calendar is a Schedule under the practitioner's id, each of its times a Slot. What
stands above the watermark is told as not settled: a Slot is 'busy-tentative', an Appointment
'pending', so that no machine takes for certain what a page calls 'being confirmed'.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from kulla.kernel.dates import HOME_ZONE
from kulla.services.appointments.apply import CANCELLED, FREE, TAKEN
from kulla.services.appointments.calendars import Now
from kulla.services.appointments.models import Appointment, Clinic, Practitioner, Slot
from kulla.services.fhir import (
    CodeableConcept,
    Element,
    Meta,
    Period,
    Reference,
    instant,
    instant_ms,
)

SlotStatus = Literal["busy", "free", "busy-unavailable", "busy-tentative", "entered-in-error"]
# fmt: off
AppointmentStatus = Literal[
    "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow",
    "entered-in-error", "checked-in", "waitlist",
]
# fmt: on
ParticipantStatus = Literal["accepted", "declined", "tentative", "needs-action"]

_VISITS: Final[dict[str, AppointmentStatus]] = {
    "arrived": "arrived",
    "missed": "noshow",
    "ended": "fulfilled",
}
_ANSWERS: Final[dict[str, ParticipantStatus]] = {"pending": "tentative", "cancelled": "declined"}


class HumanName(Element):
    """A name as one text."""

    text: str


class Address(Element):
    """Where something is."""

    text: str
    line: list[str]
    city: str
    district: str
    country: Literal["AL"] = "AL"


class PractitionerResource(Element):
    """A doctor, nurse or midwife (https://hl7.org/fhir/R4/practitioner.html)."""

    resource_type: Literal["Practitioner"] = "Practitioner"
    id: str
    meta: Meta
    active: bool = True
    name: list[HumanName]


class LocationResource(Element):
    """A clinic (https://hl7.org/fhir/R4/location.html)."""

    resource_type: Literal["Location"] = "Location"
    id: str
    meta: Meta
    status: Literal["active"] = "active"
    name: str
    mode: Literal["instance"] = "instance"
    address: Address


class ScheduleResource(Element):
    """A practitioner's calendar (https://hl7.org/fhir/R4/schedule.html)."""

    resource_type: Literal["Schedule"] = "Schedule"
    id: str
    meta: Meta
    active: bool = True
    specialty: list[CodeableConcept]
    actor: list[Reference]
    planning_horizon: Period | None = None


class SlotResource(Element):
    """A time of a calendar (https://hl7.org/fhir/R4/slot.html)."""

    resource_type: Literal["Slot"] = "Slot"
    id: str
    meta: Meta
    schedule: Reference
    status: SlotStatus
    start: str
    end: str


class Participant(Element):
    """Who takes part in an appointment, and whether they said yes."""

    actor: Reference
    required: Literal["required"] = "required"
    status: ParticipantStatus


class AppointmentResource(Element):
    """A booked time (https://hl7.org/fhir/R4/appointment.html)."""

    resource_type: Literal["Appointment"] = "Appointment"
    id: str
    meta: Meta
    status: AppointmentStatus
    start: str
    end: str
    minutes_duration: int
    slot: list[Reference] | None = None
    created: str
    participant: list[Participant]


def practitioner_resource(row: Practitioner) -> PractitionerResource:
    """A doctor, nurse or midwife."""
    name = [HumanName(text=row.name)]
    return PractitionerResource(id=row.id, meta=_meta(row.position), name=name)


def location_resource(row: Clinic) -> LocationResource:
    """A clinic."""
    address = Address(
        text=f"{row.address}, {row.town}", line=[row.address], city=row.town, district=row.county
    )
    return LocationResource(id=row.id, meta=_meta(row.position), name=row.name, address=address)


def schedule_resource(row: Practitioner, clinic: str) -> ScheduleResource:
    """A practitioner's calendar; its horizon ends with the last day that was published."""
    horizon = None
    if row.published_to:
        last = date.fromisoformat(row.published_to) + timedelta(days=1)
        midnight = datetime.combine(last, time(), HOME_ZONE)
        horizon = Period(end=midnight.isoformat())
    return ScheduleResource(
        id=row.id,
        meta=_meta(row.position),
        specialty=[CodeableConcept(text=row.speciality)],
        actor=[
            Reference(reference=f"Practitioner/{row.id}", display=row.name),
            Reference(reference=f"Location/{row.clinic}", display=clinic or None),
        ],
        planning_horizon=horizon,
    )


def slot_resource(row: Slot, now: Now, *, held: bool = False) -> SlotResource:
    """A time. `held`: it is kept for somebody who fills in the form for it."""
    return SlotResource(
        id=row.id,
        meta=_meta(row.position),
        schedule=Reference(reference=f"Schedule/{row.practitioner}"),
        status=slot_status(row, now, held=held),
        start=instant(row.starts_s, row.zone),
        end=instant(row.starts_s + row.minutes * 60, row.zone),
    )


def slot_status(row: Slot, now: Now, *, held: bool) -> SlotStatus:
    """FHIR's word for how a time stands: 'free' is one that somebody can book now."""
    if row.position >= now.watermark:
        return "busy-tentative"
    if row.state == TAKEN:
        return "busy"
    if row.state != FREE or row.starts_s <= now.at_s:
        return "busy-unavailable"
    return "busy-tentative" if held else "free"


def appointment_resource(
    row: Appointment, practitioner: Practitioner | None, now: Now, changed_ms: int | None
) -> AppointmentResource:
    """One's own appointment; `changed_ms` is when the act was that last changed it, if known."""
    status = appointment_status(row, now)
    answer = _ANSWERS.get(status, "accepted")
    actors = [Reference(reference=f"Patient/{row.citizen}")]
    if practitioner is not None:
        who = Reference(reference=f"Practitioner/{practitioner.id}", display=practitioner.name)
        actors += [who, Reference(reference=f"Location/{practitioner.clinic}")]
    zone = ZoneInfo(row.zone)
    return AppointmentResource(
        id=row.id,
        meta=_meta(version_of(row), changed_ms),
        status=status,
        start=instant(row.starts_s, row.zone),
        end=instant(row.starts_s + row.minutes * 60, row.zone),
        minutes_duration=row.minutes,
        slot=[Reference(reference=f"Slot/{row.slot}")] if row.slot else None,
        created=row.booked_at.astimezone(zone).isoformat(timespec="seconds"),
        participant=[Participant(actor=actor, status=answer) for actor in actors],
    )


def appointment_status(row: Appointment, now: Now) -> AppointmentStatus:
    """FHIR's word for how an appointment stands."""
    if row.position >= now.watermark:
        return "pending"
    if row.state == CANCELLED:
        return "cancelled"
    noted = row.visit_position < now.watermark
    return _VISITS.get(row.visit, "booked") if noted else "booked"


def version_of(row: Appointment) -> int:
    """The position of the act that last changed the appointment or noted how its visit went."""
    return max(row.position, row.visit_position)


def _meta(position: int, changed_ms: int | None = None) -> Meta:
    changed = instant_ms(changed_ms) if changed_ms is not None else None
    return Meta(version_id=str(position), last_updated=changed)
