"""Appointments as an HL7 FHIR R4 server: read Schedules and Slots, keep one's own Appointments.

https://hl7.org/fhir/R4/http.html. A booking is answered 201 once it is confirmed; while the
embassies have not confirmed it, 202 with an Appointment that is 'pending'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from ninja import Body, Header, Path, Query, Router

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.appointments.acts import SERVICE_NAME
from kulla.services.appointments.apply import BOOKED, CANCELLED
from kulla.services.appointments.calendars import settled_now
from kulla.services.appointments.fhir import booking, search, shapes
from kulla.services.appointments.fhir.capability import CapabilityStatement, capability_statement
from kulla.services.appointments.models import Appointment, Clinic, Practitioner, Slot
from kulla.services.calls import (
    APPOINTMENTS_BOOK,
    APPOINTMENTS_READ,
    SLOTS_READ,
    ApiProblem,
    CallRequest,
    Token,
    actor_of,
    command_id,
    nothing_there,
    send,
    waiting,
)
from kulla.services.fhir import (
    COUNT_MAX,
    COUNT_USUAL,
    PATCH_TYPE,
    ROOT,
    Bundle,
    Element,
    answer,
    bundle,
    check_names,
    check_speech,
    etag,
    read_bounds,
    target,
)
from kulla.services.pages import first_new_id

router = Router(tags=["FHIR"], by_alias=True, exclude_none=True)

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9\-.]{1,64}$", max_length=64)]
Count = Annotated[int, Query(alias="_count", ge=0, description="Results on a page, at most 100")]
PageOf = Annotated[str, Query(alias="_page", max_length=120, description="From the link 'next'")]
Values = Annotated[list[str], Query(max_length=20)]
_NONE: Final[list[str]] = []
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Chosen by the client; a call that is sent again with it is done once",
    ),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag that was read")]

_CHANGED: Final = _("The appointment was changed since you read it.")
_CHANGED_REMEDY: Final = _("Read it again, and send the change with its new ETag.")
_HELD: Final = _("Somebody is filling in the form for this time at the moment.")
_HELD_REMEDY: Final = _("Choose another time, or try again in ten minutes.")


@router.get(
    "/metadata",
    response=CapabilityStatement,
    summary="What this server can do (CapabilityStatement)",
)
def metadata(request: CallRequest) -> HttpResponse:
    """For everybody, without a token."""
    check_speech(request)
    return answer(capability_statement(request))


@router.get(
    "/Practitioner/{id}",
    auth=Token(SLOTS_READ),
    response=shapes.PractitionerResource,
    summary="A doctor, nurse or midwife",
)
def read_practitioner(request: CallRequest, id: Id) -> HttpResponse:  # noqa: A002 - FHIR's name
    """Whom a Schedule names as its actor."""
    check_speech(request)
    return answer(shapes.practitioner_resource(_practitioner(id)))


@router.get(
    "/Location/{id}",
    auth=Token(SLOTS_READ),
    response=shapes.LocationResource,
    summary="A clinic",
)
def read_location(request: CallRequest, id: Id) -> HttpResponse:  # noqa: A002 - FHIR's name
    """Where a Schedule is."""
    check_speech(request)
    row = Clinic.objects.filter(id=id, position__lt=settled_now(request).watermark).first()
    if row is None:
        raise nothing_there()
    return answer(shapes.location_resource(row))


@router.get(
    "/Schedule/{id}",
    auth=Token(SLOTS_READ),
    response=shapes.ScheduleResource,
    summary="A practitioner's calendar",
)
def read_schedule(request: CallRequest, id: Id) -> HttpResponse:  # noqa: A002 - FHIR's name
    """It has the id of the practitioner."""
    check_speech(request)
    row = _practitioner(id)
    clinic = Clinic.objects.filter(id=row.clinic).first()
    return answer(shapes.schedule_resource(row, clinic.name if clinic else ""))


@router.get("/Schedule", auth=Token(SLOTS_READ), response=Bundle, summary="Find calendars")
def find_schedules(
    request: CallRequest, actor: Values = _NONE, count: Count = COUNT_USUAL, page: PageOf = ""
) -> HttpResponse:
    """By `actor`: Practitioner/id or Location/id."""
    check_speech(request)
    check_names(request, search.SCHEDULE_NAMES)
    rows, about = search.find_schedules(actor, min(count, COUNT_MAX), page)
    found = [shapes.schedule_resource(row, clinic) for row, clinic in rows]
    return answer(_bundle(request, found, about, search.SCHEDULE_NAMES))


@router.get("/Slot/{id}", auth=Token(SLOTS_READ), response=shapes.SlotResource, summary="A time")
def read_slot(request: CallRequest, id: Id) -> HttpResponse:  # noqa: A002 - FHIR's name
    """A time of a calendar, and whether it can be booked."""
    check_speech(request)
    row = Slot.objects.filter(id=id).first()
    if row is None:
        raise nothing_there()
    now, held = settled_now(request), bool(_held(request, [row.id]))
    return answer(shapes.slot_resource(row, now, held=held))


@router.get("/Slot", auth=Token(SLOTS_READ), response=Bundle, summary="Find times")
def find_slots(
    request: CallRequest,
    schedule: Values = _NONE,
    start: Values = _NONE,
    status: Values = _NONE,
    count: Count = COUNT_USUAL,
    page: PageOf = "",
) -> HttpResponse:
    """Of at least one `schedule`; `start` as ge2026-02-03 or lt2026-02-10; `status` as 'free'."""
    check_speech(request)
    check_names(request, search.SLOT_NAMES)
    now = settled_now(request)
    wanted = search.FoundBy(read_bounds(start, "start"), status, min(count, COUNT_MAX), page)
    rows, about = search.find_slots(schedule, wanted, now)
    held = _held(request, [row.id for row in rows])
    found = [shapes.slot_resource(row, now, held=row.id in held) for row in rows]
    return answer(_bundle(request, found, about, search.SLOT_NAMES))


@router.get(
    "/Appointment/{id}",
    auth=Token(APPOINTMENTS_READ),
    response=shapes.AppointmentResource,
    summary="One's own appointment",
)
def read_appointment(request: CallRequest, id: Id) -> HttpResponse:  # noqa: A002 - FHIR's name
    """Another person's is not found, as one that never was."""
    check_speech(request)
    return answer(_resource(request, _own(request, id)))


@router.get(
    "/Appointment",
    auth=Token(APPOINTMENTS_READ),
    response=Bundle,
    summary="Find one's own appointments",
)
def find_appointments(
    request: CallRequest,
    patient: Values = _NONE,
    status: Values = _NONE,
    date: Values = _NONE,
    count: Count = COUNT_USUAL,
    page: PageOf = "",
) -> HttpResponse:
    """By `status` and `date` (ge2026-02-03). Who asks for another patient finds none."""
    check_speech(request)
    check_names(request, search.APPOINTMENT_NAMES)
    now = settled_now(request)
    wanted = search.FoundBy(read_bounds(date, "date"), status, min(count, COUNT_MAX), page)
    rows, about = search.find_appointments(actor_of(request).subject, patient, wanted, now)
    practitioners = Practitioner.objects.in_bulk({row.practitioner for row in rows})
    changed = search.changed_ms(rows)
    found = [
        shapes.appointment_resource(
            row, practitioners.get(row.practitioner), now, changed.get(row.id)
        )
        for row in rows
    ]
    return answer(_bundle(request, found, about, search.APPOINTMENT_NAMES))


@router.post(
    "/Appointment",
    auth=Token(APPOINTMENTS_BOOK),
    response={201: shapes.AppointmentResource, 202: shapes.AppointmentResource},
    summary="Book a slot",
)
def book(
    request: CallRequest, body: Annotated[booking.SentAppointment, Body()], key: Key = None
) -> HttpResponse:
    """201: booked and confirmed. 202: not confirmed yet, send it again with the same key."""
    del key  # read from the request by command_id
    check_speech(request)
    slot = booking.slot_of(body)
    booking.check_booking(request, body, slot)
    me = actor_of(request).subject
    _check_not_held(request, slot)
    id_ = command_id(request, f"book {slot}")
    data: dict[str, Value] = {"slot": slot}
    data.update(request.tower.seal(me, booking.personal_fields(body), id_))
    command, said = send(request, SERVICE_NAME, "book", id_, data)
    row = Appointment.objects.filter(id=first_new_id(command), citizen=me).first()
    if row is None and said.status != "accepted":
        # What is refused may be one's own booking, sent before under another key.
        row = Appointment.objects.filter(citizen=me, slot=slot, state=BOOKED).first()
    if row is None:
        raise booking.refused(said) if said.status == "refused" else waiting()
    if row.state == CANCELLED or row.slot != slot:
        raise booking.sent_before()
    return _stands(request, row, 201)


@router.put(
    "/Appointment/{id}",
    auth=Token(APPOINTMENTS_BOOK),
    response={200: shapes.AppointmentResource, 202: shapes.AppointmentResource},
    summary="Cancel or move one's own appointment",
)
def change(
    request: CallRequest,
    id: Id,  # noqa: A002 - FHIR's name
    body: Annotated[booking.SentAppointment, Body()],
    if_match: IfMatch = None,
    key: Key = None,
) -> HttpResponse:
    """`status` 'cancelled' cancels; another `slot` moves it there."""
    del key  # read from the request by command_id
    check_speech(request)
    row = _unchanged(request, id, if_match)
    booking.check_id(body, id)
    slot = booking.slot_of(body)
    booking.check_said(request, body, slot, row)
    return _changed(request, row, body.status, slot)


@router.patch(
    "/Appointment/{id}",
    auth=Token(APPOINTMENTS_BOOK),
    response={200: shapes.AppointmentResource, 202: shapes.AppointmentResource},
    summary="Cancel or move one's own appointment by a JSON Patch",
)
def patch(
    request: CallRequest,
    id: Id,  # noqa: A002 - FHIR's name
    body: Annotated[list[booking.PatchStep], Body(max_length=10)],
    if_match: IfMatch = None,
    key: Key = None,
) -> HttpResponse:
    """Replace /status by 'cancelled', or /slot/0/reference by another slot (RFC 6902)."""
    del key  # read from the request by command_id
    check_speech(request, body=PATCH_TYPE)
    row = _unchanged(request, id, if_match)
    stands = shapes.appointment_status(row, settled_now(request))
    status, slot = booking.change_meant(body, stands, f"Slot/{row.slot}")
    return _changed(request, row, status, target(slot, "Slot"))


def _changed(request: CallRequest, row: Appointment, status: str, slot: str) -> HttpResponse:
    """Do what differs from how the appointment stands, and answer with it."""
    was = shapes.appointment_status(row, settled_now(request))
    booking.check_change(status, was=was, moves=slot != row.slot)
    data: dict[str, Value] = {"appointment": row.id}
    if status == CANCELLED and row.state != CANCELLED:
        id_ = command_id(request, f"cancel {row.id}")
        _command, said = send(request, SERVICE_NAME, "cancel", id_, data)
    elif status != CANCELLED and slot != row.slot:
        _check_not_held(request, slot)
        id_ = command_id(request, f"move {row.id} {row.position} {slot}")
        _command, said = send(request, SERVICE_NAME, "reschedule", id_, {**data, "slot": slot})
    else:
        said = Answer("accepted")
    if said.status == "refused":
        raise booking.refused(said)
    row = _own(request, row.id)
    done = row.state == CANCELLED if status == CANCELLED else row.slot == slot
    if not done:  # not yet; or the same call was done when it was sent first, and undone since
        raise waiting() if said.status == "waiting" else booking.sent_before()
    return _stands(request, row, 200)


def _stands(request: CallRequest, row: Appointment, status: int) -> HttpResponse:
    """The appointment with this status, or 202 where it is not confirmed yet."""
    resource = _resource(request, row)
    headers = {"Location": request.build_absolute_uri(f"{ROOT}Appointment/{row.id}")}
    pending = resource.status == "pending"
    return answer(resource, 202 if pending else status, headers=headers)


def _practitioner(id_: str) -> Practitioner:
    row = Practitioner.objects.filter(id=id_).first()
    if row is None:
        raise nothing_there()
    return row


def _held(request: CallRequest, slots: list[str]) -> frozenset[str]:
    """Those of the times that are kept for others while they fill in the form."""
    actor = request.actor
    return request.holds.held_by_others(slots, actor.subject if actor else "")


def _check_not_held(request: CallRequest, slot: str) -> None:
    if slot in _held(request, [slot]):
        raise ApiProblem(409, "slot-held", _HELD, _HELD_REMEDY, element="Appointment.slot[0]")


def _own(request: CallRequest, id_: str) -> Appointment:
    row = Appointment.objects.filter(id=id_, citizen=actor_of(request).subject).first()
    if row is None:
        raise nothing_there()
    return row


def _unchanged(request: CallRequest, id_: str, if_match: str | None) -> Appointment:
    """One's own appointment, if it is still the version that the client read."""
    row = _own(request, id_)
    version = etag(str(shapes.version_of(row)))
    if if_match is not None and if_match.strip() not in (version, "*"):
        raise ApiProblem(412, "changed-since", _CHANGED, _CHANGED_REMEDY)
    return row


def _resource(request: CallRequest, row: Appointment) -> shapes.AppointmentResource:
    practitioner = Practitioner.objects.filter(id=row.practitioner).first()
    changed = search.changed_ms([row]).get(row.id)
    return shapes.appointment_resource(row, practitioner, settled_now(request), changed)


def _bundle(
    request: CallRequest, found: Sequence[Element], about: search.Page, known: frozenset[str]
) -> Bundle:
    return bundle(request, found, total=about.total, next_page=about.next_page, known=known)
