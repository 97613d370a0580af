"""The pages of one's own appointments: book, look at, move and cancel them.

A booking reads no register on its way in: the scribe decides, and its answer is enough to say where
the appointment stands. Every page of an appointment asks whose it is first; another's is not found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.appointments.acts import SERVICE_NAME
from kulla.services.appointments.apply import BOOKED, CANCELLED, FREE
from kulla.services.appointments.finding import choice, settled_now
from kulla.services.appointments.forms import REASON_CHARS_MAX, Visit, read_visit
from kulla.services.appointments.models import Appointment, Clinic, Practitioner, Slot
from kulla.services.appointments.refusals import sentence
from kulla.services.pages import (
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    PageRequest,
    ask,
    first_new_id,
    fresh_command_id,
    open_to,
    read_command_id,
    signed_in,
)

_MINE_MAX: Final = 200
_REFRESH_S: Final = 4
_ROOT: Final = "/appointments"


@dataclass(frozen=True, slots=True)
class Standing:
    """An appointment as its page shows it.

    `settled`: the newest act on it is confirmed. `past`: its time has begun.
    """

    appointment: Appointment
    practitioner: Practitioner | None
    clinic: Clinic | None
    settled: bool
    booking_settled: bool
    past: bool

    @property
    def state(self) -> str:
        """One word for the tag: 'pending', 'cancelled', 'past' or 'booked'."""
        if not self.settled:
            return "pending"
        if self.appointment.state == CANCELLED:
            return "cancelled"
        return "past" if self.past else "booked"

    @property
    def changed(self) -> bool:
        """Whether another act followed the booking."""
        return self.appointment.position != self.appointment.booked_position


@open_to("citizen", limit="acts")
def book(request: PageRequest, slot: str) -> HttpResponse:
    """GET: the short form for a time. POST: book it."""
    if request.method != "POST":
        return _show_form(request, slot, Visit())
    command_id = read_command_id(request.POST)
    visit = read_visit(request.POST, whole=command_id is not None)
    if visit.problems or command_id is None:
        return _show_form(request, slot, visit, status=422)
    actor = signed_in(request)
    data: dict[str, Value] = {"slot": slot}
    data.update(request.tower.seal(actor.subject, visit.personal_fields(), command_id))
    command, answer = ask(request, SERVICE_NAME, "book", command_id, data)
    if answer.status == "accepted":
        return HttpResponseRedirect(f"{_ROOT}/{first_new_id(command)}", status=303)
    if answer.status != "unavailable":
        # What was typed may have changed since it was posted first, which makes another command:
        # what that is refused for may be the person's own booking, and what is waited for may stand
        # in the register already.
        mine = Appointment.objects.filter(citizen=actor.subject, slot=slot, state=BOOKED).first()
        if mine is not None:
            return HttpResponseRedirect(f"{_ROOT}/{mine.id}", status=303)
    return _show_form(request, slot, visit, answer=answer)


@open_to("citizen")
def mine(request: PageRequest) -> HttpResponse:
    """My acts: every appointment with its state and receipts, the next first."""
    subject = signed_in(request).subject
    rows = list(Appointment.objects.filter(citizen=subject).order_by("-starts_s")[:_MINE_MAX])
    standings = _standings(request, rows)
    coming = [one for one in standings if not one.past and one.appointment.state == BOOKED]
    context = {
        "coming": coming[::-1],
        "others": [one for one in standings if one not in coming],
        "most": _MINE_MAX if len(rows) == _MINE_MAX else 0,
    }
    return render(request, "appointments/mine.html", context)


@open_to("citizen")
def appointment(request: PageRequest, appointment: str) -> HttpResponse:
    """One appointment: being confirmed, confirmed with its receipt, or cancelled."""
    standing = _own(request, appointment)
    asked_again = "again" in request.GET
    context = {"one": standing, "asked_again": asked_again}
    response = render(request, "appointments/appointment.html", context)
    if not standing.settled and not asked_again:
        # Once by itself, then only when asked: a page that keeps moving can't be read aloud.
        response["Refresh"] = f"{_REFRESH_S}; url={request.path}?again=1"
    return response


@open_to("citizen")
def said(request: PageRequest, appointment: str) -> HttpResponse:
    """What the citizen wrote when booking, opened by the keeper for this page alone."""
    standing = _own(request, appointment)
    row = standing.appointment
    fields = {"reason": row.reason_sealed, "contact": row.contact_sealed}
    sealed = {name: bytes(value) for name, value in fields.items() if value is not None}
    opened = request.tower.open(row.citizen, sealed, "the citizen reads what they wrote")
    return render(request, "appointments/said.html", {"one": standing, "opened": opened})


@open_to("citizen", limit="acts")
def cancel(request: PageRequest, appointment: str) -> HttpResponse:
    """GET: is it really to be cancelled? POST: cancel it."""
    standing = _own(request, appointment)
    if request.method != "POST":
        return _show_question(request, "appointments/cancel.html", {"one": standing})
    command_id = read_command_id(request.POST)
    if command_id is None:
        return _show_question(request, "appointments/cancel.html", {"one": standing}, status=422)
    data = {"appointment": standing.appointment.id}
    _command, answer = ask(request, SERVICE_NAME, "cancel", command_id, data)
    if answer.status == "accepted" or answer.code == "already-cancelled":
        return HttpResponseRedirect(f"{_ROOT}/{appointment}", status=303)
    return _show_question(request, "appointments/cancel.html", {"one": standing}, answer)


@open_to("citizen")
def move(request: PageRequest, appointment: str) -> HttpResponse:
    """Choose another time for an appointment, with the same practitioner."""
    standing = _own(request, appointment)
    chosen = choice(request, standing.appointment.practitioner)
    return render(request, "appointments/month.html", {"choice": chosen, "moving": standing})


@open_to("citizen", limit="acts")
def move_to(request: PageRequest, appointment: str, slot: str) -> HttpResponse:
    """GET: from this time to that one? POST: move it."""
    standing = _own(request, appointment)
    context = {"one": standing, **_about_slot(request, slot)}
    if request.method != "POST":
        return _show_question(request, "appointments/move.html", context)
    command_id = read_command_id(request.POST)
    if command_id is None:
        return _show_question(request, "appointments/move.html", context, status=422)
    data = {"appointment": standing.appointment.id, "slot": slot}
    _command, answer = ask(request, SERVICE_NAME, "reschedule", command_id, data)
    if answer.status == "accepted" or answer.code == "same-slot":
        return HttpResponseRedirect(f"{_ROOT}/{appointment}", status=303)
    return _show_question(request, "appointments/move.html", context, answer)


def _show_form(
    request: PageRequest,
    slot: str,
    visit: Visit,
    *,
    answer: Answer | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        **_about_slot(request, slot),
        "visit": visit,
        "reason_chars_max": REASON_CHARS_MAX,
    }
    return _show_question(request, "appointments/book.html", context, answer, status=status)


def _show_question(
    request: PageRequest,
    template: str,
    context: Mapping[str, Any],
    answer: Answer | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """A form with its hidden command id: a fresh one, or the one that was posted, kept as it is."""
    posted = read_command_id(request.POST)
    shown = {
        **context,
        "command": posted.hex() if posted else fresh_command_id(request),
        "answer": answer,
        "answer_text": _in_words(answer) if answer else "",
    }
    if answer is not None:
        status = {"refused": 409, "waiting": 202, "unavailable": 503}[answer.status]
    response = render(request, template, shown, status=status)
    if status == 503:
        response["Retry-After"] = "30"
    return response


def _in_words(answer: Answer) -> str:
    if answer.status == "refused":
        return sentence(answer.code, answer.detail)
    if answer.status == "unavailable":
        return str(UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE))
    return _(
        "The embassies have not confirmed it yet. Send the form again: it is the same request, so "
        "nothing is done twice."
    )


def _about_slot(request: PageRequest, slot_id: str) -> dict[str, Any]:
    """A time with its practitioner and clinic, and how it stands. Raises Http404."""
    slot = Slot.objects.filter(id=slot_id).first()
    practitioner = Practitioner.objects.filter(id=slot.practitioner).first() if slot else None
    clinic = Clinic.objects.filter(id=practitioner.clinic).first() if practitioner else None
    if slot is None or practitioner is None or clinic is None:
        raise Http404
    now = settled_now(request)
    settled = slot.position < now.watermark
    free = settled and slot.state == FREE and slot.starts_s > now.at_s
    standing = "pending" if not settled else "free" if free else "gone"
    return {
        "slot": slot,
        "practitioner": practitioner,
        "clinic": clinic,
        "slot_standing": standing,
    }


def _own(request: PageRequest, appointment_id: str) -> Standing:
    """An appointment of the person who is signed in. Raises Http404, also for another's."""
    row = Appointment.objects.filter(id=appointment_id, citizen=signed_in(request).subject).first()
    if row is None:
        raise Http404
    return _standings(request, [row])[0]


def _standings(request: PageRequest, rows: list[Appointment]) -> list[Standing]:
    practitioners = Practitioner.objects.in_bulk({row.practitioner for row in rows})
    clinics = Clinic.objects.in_bulk({one.clinic for one in practitioners.values()})
    now = settled_now(request)
    standings = []
    for row in rows:
        practitioner = practitioners.get(row.practitioner)
        standings.append(
            Standing(
                row,
                practitioner,
                clinics.get(practitioner.clinic) if practitioner else None,
                row.position < now.watermark,
                row.booked_position < now.watermark,
                row.starts_s <= now.at_s,
            )
        )
    return standings
