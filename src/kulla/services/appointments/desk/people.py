"""Whom it is about: found by personal number, or registered as new, at the counter or on the phone.

The number itself is never kept and stands in no address: the register knows a keyed token of it.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.services.appointments.desk.day import (
    appointments_of,
    doctor_of,
    person_of,
    show,
)
from kulla.services.appointments.desk.forms import (
    DOCUMENTS,
    Typed,
    read_newcomer,
    read_number,
)
from kulla.services.pages import PageRequest, Person, open_to, read_command_id

_KEPT = "desk-newcomer"


@open_to("clerk")
def find(request: PageRequest) -> HttpResponse:
    """GET: ask for the personal number. POST: go on with whom it belongs to."""
    typed = Typed({})
    if request.method == "POST":
        typed = read_number(request.POST)
        person = None if typed.problems else request.people.find_by_number(typed.of("number"))
        if person is not None:
            return HttpResponseRedirect(_onward(request, person.subject), status=303)
    nobody = request.method == "POST" and not typed.problems
    context = {"typed": typed, "nobody": nobody, "carried": _carried(request)}
    return show(request, "find_person", context, status=422 if typed.problems else 200)


@open_to("clerk")
def person(request: PageRequest, person: str) -> HttpResponse:
    """A person's appointments from today on, and what can be done for them."""
    found = person_of(request, person)
    context = {"person": found, "appointments": appointments_of(request, person)}
    return show(request, "person", context)


@open_to("clerk")
def register(request: PageRequest) -> HttpResponse:
    """Step 1 of 2 for a new person: the name. A POST with a number alone shows the form for it."""
    if request.method != "POST":
        return _show_register(request, _kept(request))
    typed = read_newcomer(request.POST)
    command_id = read_command_id(request.POST)
    if "name" not in request.POST:
        return _show_register(request, Typed(typed.values))
    known = (
        None if "number" in typed.problems else request.people.find_by_number(typed.of("number"))
    )
    if typed.problems or known is not None or command_id is None:
        return _show_register(request, typed, known=known, status=422)
    command = request.people.registering(typed.of("name"), command_id)
    subject = str(command.data["subject"])
    carried = _carried(request, again=True)
    response = request.signing.begin(
        request,
        command,
        summary=[(_("A new person"), typed.of("name"))],
        done=f"{reverse('appointments:desk-number', args=[subject])}{carried}",
        back=f"{reverse('appointments:desk-register')}{carried}",
    )
    request.kept.keep(response, _KEPT, typed.values)
    return response


@open_to("clerk")
def number(request: PageRequest, person: str) -> HttpResponse:
    """Step 2 of 2: the number that a document shows, by which the person is found from now on."""
    found = person_of(request, person)
    if request.method != "POST":
        return _show_number(request, found, _kept(request))
    typed = read_number(request.POST)
    document, command_id = request.POST.get("document", ""), read_command_id(request.POST)
    if typed.problems or document not in DOCUMENTS or command_id is None:
        return _show_number(request, found, typed, status=422)
    command = request.people.identifying(found.subject, typed.of("number"), document, command_id)
    response = request.signing.begin(
        request,
        command,
        summary=[
            (_("Person"), found.name),
            (_("Personal number"), typed.of("number")),
            (_("Document"), str(DOCUMENTS[document])),
        ],
        done=_onward(request, found.subject),
        back=f"{reverse('appointments:desk-number', args=[person])}{_carried(request, again=True)}",
    )
    request.kept.keep(response, _KEPT, typed.values)
    return response


def _show_register(
    request: PageRequest, typed: Typed, *, known: Person | None = None, status: int = 200
) -> HttpResponse:
    context = {"typed": typed, "known": known, "carried": _carried(request)}
    if known is not None:
        context["onward"] = _onward(request, known.subject)
    return show(request, "register", context, status=status)


def _show_number(
    request: PageRequest, person: Person, typed: Typed, *, status: int = 200
) -> HttpResponse:
    context = {
        "person": person,
        "typed": typed,
        "documents": DOCUMENTS.items(),
        "carried": _carried(request),
        "onward": _onward(request, person.subject),
    }
    return show(request, "number", context, status=status)


def _kept(request: PageRequest) -> Typed:
    """What was typed for this newcomer, where one comes back to it or goes on with it."""
    return Typed(request.kept.typed(_KEPT) if "again" in request.GET else {})


def _carried(request: PageRequest, *, again: bool = False) -> str:
    """What the person is wanted for, as the end of an address: a time, or a walk-in."""
    wanted = {name: request.GET[name] for name in ("slot", "walk_in") if request.GET.get(name)}
    wanted |= {"again": "1"} if again else {}
    return f"?{urlencode(wanted)}" if wanted else ""


def _onward(request: PageRequest, subject: str) -> str:
    """Where one goes on with the person: to the time or the walk-in, else to their page."""
    person = urlencode({"person": subject})
    slot, doctor = request.GET.get("slot", ""), request.GET.get("walk_in", "")
    if slot:
        return f"{reverse('appointments:desk-book', args=[_slug(slot)])}?{person}"
    if doctor:
        return f"{reverse('appointments:desk-walk-in', args=[doctor_of(doctor).id])}?{person}"
    return reverse("appointments:desk-person", args=[subject])


def _slug(slot: str) -> str:
    """A slot's id from an address, as far as it can be one."""
    return "".join(sign for sign in slot if sign.isascii() and (sign.isalnum() or sign == "-"))
