"""The pages that lead to a free time: find a practitioner, look at a month, choose a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from kulla.services.appointments import month_picture
from kulla.services.appointments.calendars import (
    PARTS,
    Month,
    Part,
    by_part,
    first_free,
    next_free,
    read_day,
    read_month,
    read_times,
    settled_now,
)
from kulla.services.appointments.reading import (
    Doctor,
    Time,
    find_doctors,
    read_doctor,
    read_places,
    read_specialities,
)
from kulla.services.appointments.specialities import in_words
from kulla.services.pages import PageRequest, Text, open_to_all

_FOUND_A_PAGE: Final = 10
_TIMES_SHOWN: Final = 3
_SLOTS: Final = "/appointments/slots/"
SORTED_MAX: Final = 30
"""So many doctors are put in the order of their first free time; more than that by their names."""

_NO_DAY: Final = _("Enter the day as day.month.year, for example 3.2.2026.")
PART_WORDS: Final[Mapping[Part, Text]] = {
    "": _("Any time of day"),
    "morning": _("Morning, before 12:00"),
    "afternoon": _("Afternoon, from 12:00"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for: '' or None is any."""

    place: str
    speciality: str
    from_day: date | None
    part: Part
    typed_day: str
    problem: Text = ""

    @property
    def query(self) -> str:
        """The same search as an address, without the page."""
        fields = {"place": self.place, "speciality": self.speciality}
        fields |= {"from": self.typed_day, "part": self.part}
        kept = {name: value for name, value in fields.items() if value or name == "place"}
        return urlencode(kept)


@dataclass(frozen=True, slots=True)
class Found:
    """A practitioner who fits, and their first free times."""

    doctor: Doctor
    times: Sequence[Time]


@dataclass(frozen=True, slots=True)
class Choice:
    """A practitioner's month, drawn, with one day of it opened: its times by part of the day.

    `zoned` is an instant of the day, to name its zone by.
    """

    doctor: Doctor
    month: Month
    picture: SafeString
    day: date | None
    parts: Sequence[tuple[Part, SafeString]]
    zoned: datetime | None


@open_to_all()
def find(request: PageRequest) -> HttpResponse:
    """Find a practitioner by place, speciality and time; each with the first free times."""
    wanted = read_wanted(request.GET)
    searched = any(name in request.GET for name in ("place", "speciality", "from", "part"))
    context: dict[str, object] = {
        "places": read_places(),
        "specialities": _specialities(),
        "parts": PART_WORDS.items(),
        "wanted": wanted,
        "searched": searched,
        "may_book": _may_book(request),
    }
    if searched:
        context |= _search(request, wanted)
    return render(request, "appointments/find.html", context)


def read_wanted(asked: Mapping[str, str]) -> Wanted:
    """What the address asks for; a day that is none is said, and looked past."""
    typed = asked.get("from", "").strip()[:20]
    from_day = _typed_day(typed)
    part = asked.get("part", "")
    return Wanted(
        asked.get("place", ""),
        asked.get("speciality", ""),
        from_day,
        part if part in PARTS else "",
        from_day.isoformat() if from_day else typed,
        _NO_DAY if typed and from_day is None else "",
    )


def _search(request: PageRequest, wanted: Wanted) -> dict[str, object]:
    """The doctors of one page of the list: in order of time where there are few, else of name."""
    now = settled_now(request)
    county, _slash, town = wanted.place.partition("/")
    doctors = find_doctors(county, town, wanted.speciality)

    def found(doctor: Doctor) -> Found:
        times = first_free(
            doctor.id, now, from_day=wanted.from_day, part=wanted.part, most=_TIMES_SHOWN
        )
        return Found(doctor, times)

    number = request.GET.get("page", "1")
    soonest = len(doctors) <= SORTED_MAX
    # A page that is no number is the first, one beyond the end is the last.
    if soonest:
        every = sorted(map(found, doctors), key=lambda one: _order(one.times))
        page: Page[Any] = Paginator(every, _FOUND_A_PAGE).get_page(number)
        shown = list(page.object_list)
    else:
        page = Paginator(doctors, _FOUND_A_PAGE).get_page(number)
        shown = [found(doctor) for doctor in page.object_list]
    return {"page": page, "found": _without_held(request, shown), "soonest": soonest}


def _order(times: Sequence[Time]) -> int:
    return times[0].starts_s if times else 2**62


def _without_held(request: PageRequest, shown: Sequence[Found]) -> list[Found]:
    """Leave out times whose form somebody else is filling in."""
    subject = request.actor.subject if request.actor else ""
    every = [time.id for one in shown for time in one.times]
    held = request.holds.held_by_others(every, subject)
    if not held:
        return list(shown)
    return [Found(one.doctor, [time for time in one.times if time.id not in held]) for one in shown]


@open_to_all()
def doctor(request: PageRequest, practitioner: str) -> HttpResponse:
    """One practitioner: a month at a glance, and the times of a day in it."""
    leading = _SLOTS if _may_book(request) else ""
    context = {"choice": choice(request, practitioner, leading), "moving": None}
    return render(request, "appointments/month.html", context)


def _may_book(request: PageRequest) -> bool:
    """Whether the form for a time is open to whoever looks: staff books at the desk."""
    return request.actor is None or request.actor.role == "citizen"


def choice(request: PageRequest, practitioner: str, leading: str) -> Choice:
    """The month and day that the address asks for; else the first with room. Raises Http404.

    Each free time leads to `leading` and its id.
    """
    found = read_doctor(practitioner)
    if found is None:
        raise Http404
    now = settled_now(request)
    day = read_day(request.GET.get("day", ""))
    first = day or read_day(request.GET.get("month", ""))
    if first is None:
        slot = next_free(practitioner, now)
        first = date.fromisoformat(slot.day) if slot else now.today
    month = read_month(practitioner, first.replace(day=1), found.published_to, now)
    day = day or month.first_free()
    subject = request.actor.subject if request.actor else ""
    times = read_times(practitioner, day, now, request.holds, subject) if day else []
    return Choice(
        found,
        month,
        month_picture.draw(month, day),
        day,
        [(part, month_picture.draw_times(some, leading)) for part, some in by_part(times)],
        times[0].starts_local if times else None,
    )


def _specialities() -> list[tuple[str, str]]:
    """The register's words, and those of the page, in the page's order."""
    words = [(name, in_words(name)) for name in read_specialities()]
    return sorted(words, key=lambda pair: pair[1].casefold())


def _typed_day(typed: str) -> date | None:
    """A day as browsers send it, or as people write it: 3.2.2026 or 3/2/2026."""
    parts = typed.replace("/", ".").split(".")
    if len(parts) == 3 and all(part.isdecimal() and len(part) <= 4 for part in parts):
        typed = f"{parts[2]:0>4}-{parts[1]:0>2}-{parts[0]:0>2}"
    return read_day(typed) if len(typed) == 10 else None
