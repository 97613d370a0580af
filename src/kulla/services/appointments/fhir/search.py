"""Finding Schedules, Slots and one's own Appointments as FHIR R4 searches.

Pages of results go by the key of the last one that was shown, so that a time that is booked while
a client turns pages neither doubles another nor hides it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from kulla.registers.parties import PARTY, party_key
from kulla.services.appointments.apply import BOOKED, CANCELLED, FREE, TAKEN
from kulla.services.appointments.calendars import Now
from kulla.services.appointments.fhir.shapes import version_of
from kulla.services.appointments.models import Appointment, Clinic, Practitioner, Slot
from kulla.services.calls import ApiProblem
from kulla.services.fhir import Bounds, target

SCHEDULES_MAX: Final = 10
SLOT_NAMES: Final = frozenset({"schedule", "start", "status", "_count", "_page", "_format"})
SCHEDULE_NAMES: Final = frozenset({"actor", "_count", "_page", "_format"})
APPOINTMENT_NAMES: Final = frozenset({"patient", "status", "date", "_count", "_page", "_format"})

_PLACE: Final = re.compile(r"(\d{1,12})\.([a-z0-9-]{1,64})", re.ASCII)
_KEY_CHARS_MAX: Final = 64

_SCHEDULE_NEEDED: Final = _("Say whose times you look for: at least one schedule, at most 10.")
_SCHEDULE_REMEDY: Final = _(
    "Add for example schedule=Schedule/hoxha-a; /api/practitioners has the ids."
)
_PAGE_WRONG: Final = _("This _page is none that this server gave.")
_PAGE_REMEDY: Final = _("Follow the link 'next' of a bundle as it is.")


@dataclass(frozen=True, slots=True)
class Page:
    """How many results there are on all pages, and what `_page` is for the next ('' at the end)."""

    total: int
    next_page: str


@dataclass(frozen=True, slots=True)
class FoundBy:
    """What a search is narrowed by: when it begins, statuses, and which page of how many."""

    bounds: Bounds
    statuses: Sequence[str]
    count: int
    page: str


Timed = TypeVar("Timed", Slot, Appointment)


def listed(values: Sequence[str]) -> list[str]:
    """The values of a parameter that may be repeated or hold several with commas; each once."""
    parts = (part.strip() for value in values for part in value.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def find_slots(schedules: Sequence[str], found_by: FoundBy, now: Now) -> tuple[list[Slot], Page]:
    """Times of some schedules, by start. Raises ApiProblem where no schedule is named."""
    ids = [one for one in (target(each, "Schedule") for each in listed(schedules)) if one]
    if not 0 < len(ids) <= SCHEDULES_MAX:
        raise ApiProblem(
            400, "schedule-needed", _SCHEDULE_NEEDED, _SCHEDULE_REMEDY, element="schedule"
        )
    settled = Q(position__lt=now.watermark)
    open_ = Q(state=FREE, starts_s__gt=now.at_s)
    kinds = {
        "free": settled & open_,
        "busy": settled & Q(state=TAKEN),
        "busy-unavailable": settled & ~open_ & ~Q(state=TAKEN),
        "busy-tentative": ~settled,
    }
    return _page_of(Slot.objects.filter(practitioner__in=ids), found_by, kinds)


def find_appointments(
    citizen: str, patients: Sequence[str], found_by: FoundBy, now: Now
) -> tuple[list[Appointment], Page]:
    """One's own appointments by start. Whoever asks for another person's finds none."""
    found = Appointment.objects.filter(citizen=citizen)
    asked = listed(patients)
    if asked and citizen not in [target(one, "Patient") for one in asked]:
        found = found.none()
    settled = Q(position__lt=now.watermark)
    standing = settled & Q(state=BOOKED)
    noted = Q(visit_position__lt=now.watermark)
    visits = {"arrived": "arrived", "noshow": "missed", "fulfilled": "ended"}
    kinds = {status: standing & noted & Q(visit=visit) for status, visit in visits.items()}
    kinds |= {
        "pending": ~settled,
        "cancelled": settled & Q(state=CANCELLED),
        "booked": standing & (Q(visit="") | ~noted),
    }
    return _page_of(found, found_by, kinds)


def _page_of(
    found: QuerySet[Timed], found_by: FoundBy, kinds: Mapping[str, Q]
) -> tuple[list[Timed], Page]:
    """One page of the rows that begin within the bounds and are of one of the statuses."""
    bounds = found_by.bounds
    if bounds.from_s is not None:
        found = found.filter(starts_s__gte=bounds.from_s)
    if bounds.end_s is not None:
        found = found.filter(starts_s__lt=bounds.end_s)
    wanted = listed(found_by.statuses)
    if wanted:
        chosen = Q(pk__in=[])
        for status in wanted:
            chosen |= kinds.get(status, Q(pk__in=[]))
        found = found.filter(chosen)
    total = found.count()
    if found_by.page:
        starts_s, last = _place(found_by.page)
        found = found.filter(Q(starts_s__gt=starts_s) | Q(starts_s=starts_s, id__gt=last))
    rows = list(found.order_by("starts_s", "id")[: found_by.count + 1])
    shown = rows[: found_by.count]
    more = len(rows) > len(shown) > 0
    return shown, Page(total, f"{shown[-1].starts_s}.{shown[-1].id}" if more else "")


def _place(page: str) -> tuple[int, str]:
    match = _PLACE.fullmatch(page)
    if match is None:
        raise ApiProblem(400, "page-unknown", _PAGE_WRONG, _PAGE_REMEDY, element="_page")
    return int(match[1]), match[2]


def find_schedules(
    actors: Sequence[str], count: int, page: str
) -> tuple[list[tuple[Practitioner, str]], Page]:
    """Practitioners with their clinic's name, by id; of these actors where any are named."""
    found = Practitioner.objects.all()
    wanted = listed(actors)
    if wanted:
        people = [target(actor, "Practitioner") for actor in wanted]
        places = [target(actor, "Location") for actor in wanted]
        found = found.filter(Q(id__in=people) | Q(clinic__in=places))
    total = found.count()
    if page:
        found = found.filter(id__gt=page[:_KEY_CHARS_MAX])
    rows = list(found.order_by("id")[: count + 1])
    shown = rows[:count]
    clinics = Clinic.objects.in_bulk({row.clinic for row in shown})
    named = [(row, clinics[row.clinic].name if row.clinic in clinics else "") for row in shown]
    return named, Page(total, shown[-1].id if len(rows) > len(shown) > 0 else "")


def changed_ms(rows: Sequence[Appointment]) -> dict[str, int]:
    """When the act was that last changed each appointment, by its id.

    Bookings and visits have it in the row; of other acts the register of parties knows.
    """
    found, keys = {}, {}
    for row in rows:
        version = version_of(row)
        known = {row.booked_position: row.booked_ms, row.visit_position: row.visit_ms}
        if known.get(version):
            found[row.id] = known[version]
        else:
            keys[party_key(row.citizen, version)] = row.id
    if not keys:
        return found
    marks = ",".join(["%s"] * len(keys))
    asked = f"SELECT key, at_ms FROM {PARTY.name} WHERE key IN ({marks})"  # noqa: S608 - marks alone
    with connection.cursor() as cursor:
        cursor.execute(asked, list(keys))
        return found | {keys[key]: at_ms for key, at_ms in cursor.fetchall()}
