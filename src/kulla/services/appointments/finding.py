"""The pages that lead to a free time: find a practitioner, look at a month, choose a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render

from kulla.services.appointments.calendars import (
    Month,
    Now,
    Time,
    next_free,
    read_day,
    read_month,
    read_times,
)
from kulla.services.appointments.models import Clinic, Practitioner, Slot
from kulla.services.pages import PageRequest, open_to_all

_FOUND_A_PAGE: Final = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A county with its towns, as the list of places shows them."""

    county: str
    towns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """A practitioner who fits, where they work, and their first free time."""

    practitioner: Practitioner
    clinic: Clinic
    next_slot: Slot | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A practitioner's month with one day of it opened."""

    practitioner: Practitioner
    clinic: Clinic
    month: Month
    day: date | None
    times: Sequence[Time]


def settled_now(request: PageRequest) -> Now:
    """The instant and the watermark, as one page sees them from top to bottom."""
    return Now(request.clock.now_ms() // 1000, request.tower.witnessing().watermark)


@open_to_all()
def find(request: PageRequest) -> HttpResponse:
    """Find a practitioner by place and speciality; each with the first free time."""
    place, speciality = request.GET.get("place", ""), request.GET.get("speciality", "")
    searched = "place" in request.GET or "speciality" in request.GET
    context: dict[str, object] = {
        "places": _places(),
        "specialities": _specialities(),
        "place": place,
        "speciality": speciality,
        "searched": searched,
    }
    if searched:
        county, _, town = place.partition("/")
        clinics = Clinic.objects.all()
        if county:
            clinics = clinics.filter(county=county)
        if town:
            clinics = clinics.filter(town=town)
        by_id = {clinic.id: clinic for clinic in clinics}
        practitioners = Practitioner.objects.filter(clinic__in=by_id).order_by("name", "id")
        if speciality:
            practitioners = practitioners.filter(speciality=speciality)
        # A page that is no number is the first, one beyond the end is the last.
        page = Paginator(practitioners, _FOUND_A_PAGE).get_page(request.GET.get("page", "1"))
        now = settled_now(request)
        context["page"] = page
        context["found"] = [
            Found(one, by_id[one.clinic], next_free(one.id, now)) for one in page.object_list
        ]
    return render(request, "appointments/find.html", context)


@open_to_all()
def doctor(request: PageRequest, practitioner: str) -> HttpResponse:
    """One practitioner: a month at a glance, and the times of a day in it."""
    context = {"choice": choice(request, practitioner), "moving": None}
    return render(request, "appointments/month.html", context)


def choice(request: PageRequest, practitioner: str) -> Choice:
    """The month and day that the address asks for; else the first with room. Raises Http404."""
    found = Practitioner.objects.filter(id=practitioner).first()
    clinic = Clinic.objects.filter(id=found.clinic).first() if found else None
    if found is None or clinic is None:
        raise Http404
    now = settled_now(request)
    day = read_day(request.GET.get("day", ""))
    first = day or read_day(request.GET.get("month", ""))
    if first is None:
        slot = next_free(practitioner, now)
        first = date.fromisoformat(slot.day) if slot else now.today
    month = read_month(practitioner, first.replace(day=1), found.published_to, now)
    day = day or month.first_free()
    times = read_times(practitioner, day, now) if day else []
    return Choice(found, clinic, month, day, times)


def _places() -> list[Place]:
    towns: dict[str, list[str]] = {}
    pairs = Clinic.objects.values_list("county", "town").distinct().order_by("county", "town")
    for county, town in pairs:
        towns.setdefault(county, []).append(town)
    return [Place(county, names) for county, names in towns.items()]


def _specialities() -> list[str]:
    names = Practitioner.objects.values_list("speciality", flat=True).distinct()
    return list(names.order_by("speciality"))
