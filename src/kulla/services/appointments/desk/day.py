"""The clerk's desk: a clinic's day at a glance, a practitioner's day with names, and the week.

Everything works by Tab and Enter, with access keys for what is needed most. Names are opened for
one practitioner's day at a time; a glance at a clinic or a week needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from kulla.kernel.tower import Answer
from kulla.services.appointments.calendars import Now, settled_now
from kulla.services.appointments.desk.reading import (
    Lane,
    Line,
    clinics_by_town,
    read_lanes,
    read_to_call,
    today,
    upcoming,
    zone_of,
)
from kulla.services.appointments.models import Appointment, Clinic, Practitioner
from kulla.services.appointments.refusals import sentence
from kulla.services.pages import (
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    PageRequest,
    Person,
    fresh_command_id,
    open_to,
    read_command_id,
)

LANES_A_PAGE: Final = 8
"""So many practitioners fit a page of 60 KB, and access keys from 1 lead to each."""

_DAYS_A_WEEK: Final = 7


@open_to("clerk")
def clinics(request: PageRequest) -> HttpResponse:
    """Choose the clinic to work at."""
    return show(request, "clinics", {"counties": clinics_by_town(), **booking_for(request)})


@open_to("clerk")
def clinic_day(request: PageRequest, clinic: str) -> HttpResponse:
    """A clinic's day at a glance: a lane for each practitioner, without names."""
    place = clinic_of(clinic)
    now = settled_now(request)
    day = day_of(request, today(now))
    doctors = Practitioner.objects.filter(clinic=clinic).order_by("name", "id")
    # A page that is no number is the first, one beyond the end is the last.
    page = Paginator(doctors, LANES_A_PAGE).get_page(request.GET.get("page", "1"))
    lanes = read_lanes(page.object_list, [day], now)
    context = {
        "clinic": place,
        "page": page,
        "lanes": lanes,
        "waiting": sum(lane.waiting for lane in lanes),
        "to_call": len(read_to_call(clinic, now)),
        **days_around(day, today(now)),
        **booking_for(request),
    }
    return show(request, "clinic_day", context)


@open_to("clerk")
def doctor_day(request: PageRequest, practitioner: str) -> HttpResponse:
    """A practitioner's day with the names of those who are expected."""
    doctor = doctor_of(practitioner)
    now = settled_now(request)
    current = today(now, zone_of(practitioner))
    day = day_of(request, current)
    [lane] = read_lanes([doctor], [day], now)
    context = {
        "doctor": doctor,
        "clinic": clinic_of(doctor.clinic),
        "rows": _with_names(request, lane),
        "is_today": day == current,
        "comes_later": day > current,
        **days_around(day, current),
        **booking_for(request),
    }
    return show(request, "doctor_day", context)


@open_to("clerk")
def doctor_week(request: PageRequest, practitioner: str) -> HttpResponse:
    """A practitioner's week at a glance, without names."""
    doctor = doctor_of(practitioner)
    now = settled_now(request)
    day = day_of(request, today(now))
    monday = day - timedelta(days=day.weekday())
    lanes = read_lanes([doctor], [monday + timedelta(days=n) for n in range(_DAYS_A_WEEK)], now)
    context = {
        "doctor": doctor,
        "clinic": clinic_of(doctor.clinic),
        "lanes": [lane for lane in lanes if lane.lines or lane.day.weekday() < 5],
        "day": day,
        "monday": monday,
        "before": monday - timedelta(days=_DAYS_A_WEEK),
        "after": monday + timedelta(days=_DAYS_A_WEEK),
        "today": today(now),
        **booking_for(request),
    }
    return show(request, "doctor_week", context)


@open_to("clerk")
def to_call(request: PageRequest, clinic: str) -> HttpResponse:
    """Who of a clinic is still to be called, with names and telephone numbers."""
    place = clinic_of(clinic)
    found = read_to_call(clinic, settled_now(request))
    names = request.people.names(
        [one.appointment.citizen for one in found], "the list of people to call"
    )
    rows = []
    for one in found:
        sealed = one.appointment.contact_sealed
        phone = ""
        if sealed is not None:
            opened = {"contact": bytes(sealed)}
            phone = request.tower.open(
                one.appointment.citizen, opened, opening_reason(request, "to call them")
            )["contact"]
        rows.append((one, names.get(one.appointment.citizen, ""), phone))
    return show(request, "to_call", {"clinic": place, "rows": rows})


def show(
    request: PageRequest, name: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page of the desk, with what became of the command that was signed last."""
    answer = request.signing.answer(request)
    posted = read_command_id(request.POST)
    shown = {
        **context,
        "answer": answer,
        "answer_text": in_words(answer) if answer else "",
        "command": posted.hex() if posted else fresh_command_id(request),
    }
    response = render(request, f"appointments/desk/{name}.html", shown, status=status)
    if answer is not None and answer.status == "accepted":
        request.kept.forget(response)
    return response


def in_words(answer: Answer) -> str:
    """Why a command was refused or could not be done; '' where it was accepted or waits."""
    if answer.status == "refused":
        if answer.code == "move-refused":
            return sentence(str(answer.detail.get("why")), answer.detail)
        return sentence(answer.code, answer.detail)
    if answer.status == "unavailable":
        return str(UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE))
    return ""


def opening_reason(request: PageRequest, why: str) -> str:
    """What the keeper's log says of an opening: which clerk, and why; no personal data."""
    return f"clerk {request.actor.subject if request.actor else ''}: {why}"


def clinic_of(key: str) -> Clinic:
    """The clinic. Raises Http404."""
    clinic = Clinic.objects.filter(id=key).first()
    if clinic is None:
        raise Http404
    return clinic


def doctor_of(key: str) -> Practitioner:
    """The practitioner. Raises Http404."""
    doctor = Practitioner.objects.filter(id=key).first()
    if doctor is None:
        raise Http404
    return doctor


def person_of(request: PageRequest, subject: str) -> Person:
    """The person of a subject id, with their name opened for the desk. Raises Http404."""
    person = request.people.find(subject, "at the desk")
    if person is None:
        raise Http404
    return person


def day_of(request: PageRequest, otherwise: date) -> date:
    """The day that the address asks for, else `otherwise`."""
    text = request.GET.get("day", "")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return otherwise
    return day if 2000 < day.year < 2200 else otherwise


def days_around(day: date, current: date) -> dict[str, date]:
    """A day with its neighbours and today, as a page's links need them."""
    step = timedelta(days=1)
    return {"day": day, "before": day - step, "after": day + step, "today": current}


def booking_for(request: PageRequest) -> dict[str, Any]:
    """For whom a time is looked for, from the address: the person, and what links carry on."""
    subject = request.GET.get("person", "")
    person = request.people.find(subject, "a time is looked for") if subject else None
    if person is None:
        return {"person": None, "carried": ""}
    return {"person": person, "carried": urlencode({"person": person.subject})}


def day_address(practitioner: str, day: date | str, person: str = "") -> str:
    """The page of a practitioner's day."""
    query = {"day": str(day)} | ({"person": person} if person else {})
    return f"{reverse('appointments:desk-day', args=[practitioner])}?{urlencode(query)}"


def _with_names(request: PageRequest, lane: Lane) -> list[tuple[Line, str]]:
    people = [line.appointment.citizen for line in lane.lines if line.appointment is not None]
    names = request.people.names(people, "the list of a practitioner's day") if people else {}
    return [
        (line, names.get(line.appointment.citizen, "") if line.appointment is not None else "")
        for line in lane.lines
    ]


def state_of(row: Appointment, now: Now) -> str:
    """One word for how an appointment stands, as `Line.state` has it; '' where it is expected."""
    if max(row.position, row.visit_position, row.to_call_position) >= now.watermark:
        return "pending"
    return row.visit or ("to-call" if row.to_call_ms else "")


def appointments_of(request: PageRequest, subject: str) -> list[dict[str, Any]]:
    """A person's appointments from today on, with whom and where, as cards show them."""
    now = settled_now(request)
    rows = upcoming(subject, now)
    doctors = Practitioner.objects.in_bulk({row.practitioner for row in rows})
    places = Clinic.objects.in_bulk({one.clinic for one in doctors.values()})
    return [
        {
            "row": row,
            "doctor": (doctor := doctors.get(row.practitioner)),
            "clinic": places.get(doctor.clinic) if doctor else None,
            "state": state_of(row, now),
        }
        for row in rows
    ]
