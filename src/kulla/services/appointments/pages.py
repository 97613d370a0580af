"""The pages of one's own appointments: look at them, move and cancel them, take them along.

Every page of an appointment asks whose it is first; another's is not found. Who acts for a child or
for somebody who gave them their power sees that person's appointments as their own, with the name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from kulla.kernel.tower import Answer
from kulla.services.appointments.acts import SERVICE_NAME
from kulla.services.appointments.booking import (
    BEING_TAKEN_STATUS,
    ROOT,
    about_slot,
    show_question,
)
from kulla.services.appointments.calendars import settled_now
from kulla.services.appointments.finding import choice
from kulla.services.appointments.reading import (
    Standing,
    read_appointment,
    read_appointments,
    sealed_words,
)
from kulla.services.pages import PageRequest, ask, open_to, read_command_id, signed_in

_MINE_MAX: Final = 200
_REFRESH_S: Final = 4


@open_to("citizen")
def mine(request: PageRequest) -> HttpResponse:
    """My acts: every appointment with its state and receipts, the next first."""
    standings = own_appointments(request)
    coming = [one for one in standings if not one.past and not one.is_cancelled]
    context = {
        "coming": coming[::-1],
        "others": [one for one in standings if one.past or one.is_cancelled],
        "most": _MINE_MAX if len(standings) == _MINE_MAX else 0,
    }
    return render(request, "appointments/mine.html", context)


@open_to("citizen")
def appointment(request: PageRequest, appointment: str) -> HttpResponse:
    """One appointment: being confirmed, confirmed with its receipt, or cancelled."""
    standing = own_appointment(request, appointment)
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
    standing = own_appointment(request, appointment)
    sealed = sealed_words(standing.id)
    why = "who acts for the citizen reads" if standing.whom else "the citizen reads"
    opened = request.tower.open(standing.citizen, sealed, f"{why} what they wrote")
    return render(request, "appointments/said.html", {"one": standing, "opened": opened})


@open_to("citizen", limit="acts")
def cancel(request: PageRequest, appointment: str) -> HttpResponse:
    """GET: is it really to be cancelled? POST: cancel it."""
    standing = own_appointment(request, appointment)
    if request.method != "POST":
        return show_question(request, "appointments/cancel.html", {"one": standing})
    command_id = read_command_id(request.POST)
    if command_id is None:
        return show_question(request, "appointments/cancel.html", {"one": standing}, status=422)
    data = {"appointment": standing.id}
    _command, answer = ask(request, SERVICE_NAME, "cancel", command_id, data, whom=standing.citizen)
    if answer.status == "accepted" or answer.code == "already-cancelled":
        # What kept the time while it was booked must not keep it now that it is free for others.
        request.holds.let_go(standing.slot, signed_in(request).subject)
        return HttpResponseRedirect(f"{ROOT}/{appointment}", status=303)
    return show_question(request, "appointments/cancel.html", {"one": standing}, answer)


@open_to("citizen")
def move(request: PageRequest, appointment: str) -> HttpResponse:
    """Choose another time for an appointment, with the same practitioner."""
    standing = own_appointment(request, appointment)
    chosen = choice(request, standing.practitioner, f"{ROOT}/{standing.id}/move/")
    return render(request, "appointments/month.html", {"choice": chosen, "moving": standing})


@open_to("citizen", limit="acts")
def move_to(request: PageRequest, appointment: str, slot: str) -> HttpResponse:
    """GET: from this time to that one? POST: move it."""
    standing = own_appointment(request, appointment)
    me = signed_in(request).subject
    context = {"one": standing, "being_taken": False}

    def show(status: int = 200, answer: Answer | None = None, **more: object) -> HttpResponse:
        keep = answer is None or answer.status != "refused"
        shown = {**context, **about_slot(request, slot, keep=keep), **more}
        return show_question(request, "appointments/move.html", shown, answer, status=status)

    if request.method != "POST":
        return show()
    command_id = read_command_id(request.POST)
    if command_id is None:
        return show(422)
    if request.holds.held_by_others([slot], me):
        return show(BEING_TAKEN_STATUS, being_taken=True)
    data = {"appointment": standing.id, "slot": slot}
    _command, answer = ask(
        request, SERVICE_NAME, "reschedule", command_id, data, whom=standing.citizen
    )
    if answer.status == "accepted" or answer.code == "same-slot":
        request.holds.let_go(standing.slot, me)
        return HttpResponseRedirect(f"{ROOT}/{appointment}", status=303)
    return show(answer=answer)


def own_appointment(request: PageRequest, appointment: str) -> Standing:
    """An appointment of the person who is signed in, or of one they act for.

    Raises Http404, also for another's.
    """
    now = settled_now(request)
    standing = read_appointment(appointment, now.at_s, now.watermark)
    if standing is not None:
        if standing.citizen == signed_in(request).subject:
            return standing
        for one in request.acting_for.people():
            if one.subject == standing.citizen:
                return replace(standing, whom=one.name)
    raise Http404


def own_appointments(request: PageRequest) -> list[Standing]:
    """All appointments of the person and of those they act for, the latest first."""
    now = settled_now(request)
    whose = {one.subject: one.name for one in request.acting_for.people()}
    whose[signed_in(request).subject] = ""
    return read_appointments(whose, now.at_s, now.watermark, _MINE_MAX)
