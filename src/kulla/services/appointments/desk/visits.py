"""Appointments at the desk: book for somebody, let them in, note who came, move and cancel.

Every command is signed by the clerk (request.signing). Reason and telephone are sealed before they
leave the page, and opened again only where a clerk asks for them.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.kernel.dates import known, moment
from kulla.kernel.service import Command
from kulla.services.appointments.acts import SERVICE_NAME
from kulla.services.appointments.apply import BOOKED, FREE
from kulla.services.appointments.calendars import settled_now
from kulla.services.appointments.desk.day import (
    clinic_of,
    day_address,
    day_of,
    doctor_of,
    opening_reason,
    person_of,
    show,
    state_of,
)
from kulla.services.appointments.desk.forms import (
    IDENTITIES,
    Typed,
    personal_fields,
    read_visit,
)
from kulla.services.appointments.desk.reading import (
    FREE_TIMES_MAX,
    colleagues,
    free_times,
    today,
    zone_of,
)
from kulla.services.appointments.forms import REASON_CHARS_MAX
from kulla.services.appointments.models import Appointment, Practitioner, Slot
from kulla.services.pages import PageRequest, Person, Text, open_to, read_command_id, signed_in

_WALK_IN_MINUTES: Final = 15

NOTES: Final[dict[str, tuple[str, Text]]] = {
    "arrived": ("note_arrival", gettext_lazy("Arrived")),
    "missed": ("note_missed", gettext_lazy("Did not come")),
    "ended": ("end_visit", gettext_lazy("Visit ended")),
    "back": ("take_back_visit", gettext_lazy("Taken back")),
}
"""What a button notes: the command, and its word on the signing page."""


@open_to("clerk")
def book(request: PageRequest, slot: str) -> HttpResponse:
    """Book a time for the person whom the address names; without one, ask who it is."""
    row = Slot.objects.filter(id=slot).first()
    if row is None:
        raise Http404
    if not request.GET.get("person"):
        asked = f"{reverse('appointments:desk-people')}?slot={slot}"
        return HttpResponseRedirect(asked)
    person = person_of(request, request.GET["person"])
    doctor = doctor_of(row.practitioner)
    if request.method != "POST":
        return _show_book(request, row, doctor, person, _kept(request))
    typed, command_id = read_visit(request.POST), read_command_id(request.POST)
    if typed.problems or command_id is None:
        return _show_book(request, row, doctor, person, typed, status=422)
    data: dict[str, Value] = {"slot": slot, "citizen": person.subject}
    return _begin_visit(
        request,
        Command(SERVICE_NAME, "book", command_id, signed_in(request), data),
        person,
        typed,
        when=(_("Appointment"), _moment(row)),
        doctor=doctor,
    )


@open_to("clerk")
def walk_in(request: PageRequest, practitioner: str) -> HttpResponse:
    """Somebody without an appointment is seen today between the others."""
    doctor = doctor_of(practitioner)
    if not request.GET.get("person"):
        asked = f"{reverse('appointments:desk-people')}?walk_in={practitioner}"
        return HttpResponseRedirect(asked)
    person = person_of(request, request.GET["person"])
    if request.method != "POST":
        kept = _kept(request)
        return _show_walk_in(request, doctor, person, kept)
    typed, command_id = read_visit(request.POST, minutes=True), read_command_id(request.POST)
    if typed.problems or command_id is None:
        return _show_walk_in(request, doctor, person, typed, status=422)
    data: dict[str, Value] = {
        "practitioner": practitioner,
        "citizen": person.subject,
        "minutes": int(typed.of("minutes")),
        "zone": zone_of(practitioner),
    }
    return _begin_visit(
        request,
        Command(SERVICE_NAME, "walk_in", command_id, signed_in(request), data),
        person,
        typed,
        when=(_("Walk-in"), _("now, for %(minutes)s minutes") % {"minutes": typed.of("minutes")}),
        doctor=doctor,
    )


@open_to("clerk")
def appointment(request: PageRequest, appointment: str) -> HttpResponse:
    """One appointment with the person's name; `?open=1` opens what they wrote for the doctor."""
    row = _appointment(appointment)
    doctor = doctor_of(row.practitioner)
    now = settled_now(request)
    context: dict[str, Any] = {
        "row": row,
        "doctor": doctor,
        "clinic": clinic_of(doctor.clinic),
        "person": request.people.find(row.citizen, "an appointment at the desk"),
        "state": state_of(row, now),
        "settled": state_of(row, now) != "pending",
        "walked_in": not row.slot,
        "identity": IDENTITIES.get(row.identity, ""),
        "past": row.starts_s <= now.at_s,
        "changeable": row.state == BOOKED and not row.visit and row.starts_s > now.at_s,
        "day_address": day_address(row.practitioner, row.starts_local.date()),
    }
    if "open" in request.GET:
        fields = {"reason": row.reason_sealed, "contact": row.contact_sealed}
        sealed = {name: bytes(value) for name, value in fields.items() if value is not None}
        reason = opening_reason(request, "what the citizen wrote for the doctor")
        context["opened"] = request.tower.open(row.citizen, sealed, reason) if sealed else {}
        context["is_opened"] = True
    return show(request, "appointment", context)


@open_to("clerk")
def note(request: PageRequest) -> HttpResponse:
    """POST `note`, '<what>:<appointment>': somebody came, or did not, or the visit ended."""
    what, _colon, key = request.POST.get("note", "").partition(":")
    command_id = read_command_id(request.POST)
    if request.method != "POST" or what not in NOTES or command_id is None:
        raise Http404
    row = _appointment(key)
    name, words = NOTES[what]
    person = request.people.find(row.citizen, "a visit is noted")
    address = day_address(row.practitioner, row.starts_local.date())
    if request.POST.get("from") == "appointment":
        address = reverse("appointments:desk-appointment", args=[key])
    return request.signing.begin(
        request,
        Command(SERVICE_NAME, name, command_id, signed_in(request), {"appointment": key}),
        summary=[
            (_("Note"), str(words)),
            (_("Person"), person.name if person else ""),
            (_("Appointment"), _moment(row)),
        ],
        done=f"{address}#at-{row.starts_s}" if "?" in address else address,
        back=address,
    )


@open_to("clerk")
def cancel(request: PageRequest, appointment: str) -> HttpResponse:
    """GET: is it really to be cancelled? POST: cancel it for the person."""
    row = _appointment(appointment)
    person = person_of(request, row.citizen)
    doctor = doctor_of(row.practitioner)
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        context = {"row": row, "person": person, "doctor": doctor}
        return show(request, "cancel", context, status=200 if request.method != "POST" else 422)
    data: dict[str, Value] = {"appointment": row.id, "citizen": row.citizen}
    page = reverse("appointments:desk-appointment", args=[row.id])
    return request.signing.begin(
        request,
        Command(SERVICE_NAME, "cancel", command_id, signed_in(request), data),
        summary=[
            (_("Cancel"), _moment(row)),
            (_("Person"), person.name),
            (_("With"), doctor.name),
        ],
        done=page,
        back=page,
    )


@open_to("clerk")
def move(request: PageRequest, appointment: str) -> HttpResponse:
    """GET: the next free times, or those of `?day=`. POST `slot`: move it there."""
    row = _appointment(appointment)
    person = person_of(request, row.citizen)
    doctor = doctor_of(row.practitioner)
    command_id, slot_id = read_command_id(request.POST), request.POST.get("slot", "")
    if request.method != "POST" or command_id is None:
        return _show_move(request, row, person, doctor)
    slot = Slot.objects.filter(id=slot_id).first()
    if slot is None:
        raise Http404
    data: dict[str, Value] = {"appointment": row.id, "citizen": row.citizen, "slot": slot.id}
    page = reverse("appointments:desk-appointment", args=[row.id])
    return request.signing.begin(
        request,
        Command(SERVICE_NAME, "reschedule", command_id, signed_in(request), data),
        summary=[
            (_("Person"), person.name),
            (_("From"), _moment(row)),
            (_("To"), _moment(slot)),
            (_("With"), doctor_of(slot.practitioner).name),
        ],
        done=page,
        back=reverse("appointments:desk-move", args=[row.id]),
    )


def _show_move(
    request: PageRequest, row: Appointment, person: Person, doctor: Practitioner
) -> HttpResponse:
    now = settled_now(request)
    people = colleagues(doctor)
    times = free_times([one.id for one in people], now, limit=FREE_TIMES_MAX)
    if "day" in request.GET:
        day = day_of(request, today(now)).isoformat()
        times = free_times([one.id for one in people], now, day=day, limit=FREE_TIMES_MAX)
    by_id = {one.id: one for one in people}
    days: dict[str, list[tuple[Slot, Practitioner]]] = {}
    for slot in times:
        days.setdefault(slot.day, []).append((slot, by_id[slot.practitioner]))
    context = {
        "row": row,
        "person": person,
        "doctor": doctor,
        "days": [(pairs[0][0].starts_local, pairs) for pairs in days.values()],
        "alone": len(people) == 1,
        "asked_day": request.GET.get("day", ""),
    }
    return show(request, "move", context)


def _begin_visit(
    request: PageRequest,
    command: Command,
    person: Person,
    typed: Typed,
    *,
    when: tuple[str, str],
    doctor: Practitioner,
) -> HttpResponse:
    """Seal what was typed and have the command signed; what was typed is kept until it is done."""
    sealed = request.tower.seal(person.subject, personal_fields(typed), command.id)
    data = {**command.data, **sealed, "identity": typed.of("identity")}
    complete = Command(command.service, command.name, command.id, command.actor, data)
    response = request.signing.begin(
        request,
        complete,
        summary=[
            (_("Person"), person.name),
            when,
            (_("With"), doctor.name),
            (_("Identity"), str(IDENTITIES[typed.of("identity")])),
        ],
        done=f"{reverse('appointments:desk')}appointments/{{first}}",
        back=request.get_full_path(),
    )
    request.kept.keep(response, _form(person.subject), typed.values)
    return response


def _form(subject: str) -> str:
    """The name of the form for one person: what was typed returns to no other."""
    return f"desk-visit {subject}"


def _kept(request: PageRequest) -> Typed:
    return Typed(request.kept.typed(_form(request.GET["person"])))


def _show_book(
    request: PageRequest,
    slot: Slot,
    doctor: Practitioner,
    person: Person,
    typed: Typed,
    *,
    status: int = 200,
) -> HttpResponse:
    now = settled_now(request)
    settled = slot.position < now.watermark
    free = settled and slot.state == FREE and slot.starts_s > now.at_s
    context = {
        **_visit_form(doctor, person, typed),
        "slot": slot,
        "standing": "pending" if not settled else "free" if free else "gone",
        "held": free and request.holds.take(slot.id, signed_in(request).subject) is None,
        "day_address": day_address(doctor.id, slot.day, person.subject),
    }
    return show(request, "book", context, status=status)


def _show_walk_in(
    request: PageRequest, doctor: Practitioner, person: Person, typed: Typed, *, status: int = 200
) -> HttpResponse:
    context = {
        **_visit_form(doctor, person, typed),
        "minutes": typed.of("minutes") or _WALK_IN_MINUTES,
        "day_address": day_address(doctor.id, today(settled_now(request)), person.subject),
    }
    return show(request, "walk_in", context, status=status)


def _visit_form(doctor: Practitioner, person: Person, typed: Typed) -> dict[str, Any]:
    return {
        "doctor": doctor,
        "clinic": clinic_of(doctor.clinic),
        "person": person,
        "typed": typed,
        "identities": IDENTITIES.items(),
        "reason_chars_max": REASON_CHARS_MAX,
    }


def _appointment(key: str) -> Appointment:
    row = Appointment.objects.filter(id=key).first()
    if row is None:
        raise Http404
    return row


def _moment(row: Appointment | Slot) -> str:
    return moment(row.starts_local, known(get_language()))
