"""Closing a practitioner's day: a proposal for everybody, adjusted by the clerk, done at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kulla.kernel import dates
from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.services.appointments.acts import SERVICE_NAME
from kulla.services.appointments.apply import BOOKED
from kulla.services.appointments.calendars import Now, settled_now
from kulla.services.appointments.desk.apply import ARRIVED
from kulla.services.appointments.desk.day import clinic_of, day_address, day_of, doctor_of, show
from kulla.services.appointments.desk.forms import Problems, read_moves
from kulla.services.appointments.desk.reading import (
    Line,
    colleagues,
    free_times,
    read_lanes,
    today,
    zone_of,
)
from kulla.services.appointments.models import Appointment, Practitioner, Slot
from kulla.services.pages import PageRequest, Text, open_to, read_command_id, signed_in

CHOICES_MAX: Final = 300
"""The most choices of one page: fewer for each where there are many people."""

NOTICE_S: Final = 24 * 3600
"""A time that is proposed leaves people a day to hear of it."""

_CHOICES_EACH: Final = range(4, 13)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Somebody of the day, the times to choose from, and the one that is chosen ('': to call)."""

    line: Line
    name: str
    choices: Sequence[tuple[Slot, str]]
    chosen: str
    problem: Text | None = None


@open_to("clerk")
def close(request: PageRequest, practitioner: str) -> HttpResponse:
    """GET: a new time proposed for everybody of the day. POST: close it with these moves."""
    doctor = doctor_of(practitioner)
    now = settled_now(request)
    day = day_of(request, today(now, zone_of(practitioner)))
    chosen, problems = read_moves(request.POST)
    command_id = read_command_id(request.POST)
    if request.method != "POST" or problems or command_id is None:
        kept = request.kept.typed(_form(practitioner, day)) if "again" in request.GET else {}
        return _show(request, doctor, day, now, chosen or kept, problems)
    moves: list[Value] = [[key, slot] for key, slot in chosen.items() if slot]
    data: dict[str, Value] = {"practitioner": practitioner, "day": day.isoformat(), "moves": moves}
    rest = len(chosen) - len(moves)
    after = day_address(practitioner, day)
    if rest:
        after = reverse("appointments:desk-to-call", args=[doctor.clinic])
    response = request.signing.begin(
        request,
        Command(SERVICE_NAME, "close_day", command_id, signed_in(request), data),
        summary=[
            (_("Close the day"), dates.day(day, dates.known(get_language()))),
            (_("Practitioner"), doctor.name),
            (_("Moved to another time"), str(len(moves))),
            (_("To be called"), str(rest)),
        ],
        done=after,
        back=f"{reverse('appointments:desk-close', args=[practitioner])}?day={day}&again=1",
    )
    request.kept.keep(response, _form(practitioner, day), chosen)
    return response


def _form(practitioner: str, day: date) -> str:
    return f"desk-close {practitioner} {day}"


def _show(
    request: PageRequest,
    doctor: Practitioner,
    day: date,
    now: Now,
    chosen: Mapping[str, str],
    problems: Problems,
) -> HttpResponse:
    [lane] = read_lanes([doctor], [day], now)
    everybody = _rows(lane.lines)
    lines = [line for line in lane.lines if _is_to_move(line)]
    rows = _rows(lines)
    names = request.people.names([row.citizen for row in rows], "closing a practitioner's day")
    people = colleagues(doctor)
    proposals = _proposals(lines, names, people, _times(people, day, now, len(rows)), chosen)
    context: dict[str, Any] = {
        "doctor": doctor,
        "clinic": clinic_of(doctor.clinic),
        "day": day,
        "proposals": [_with_problem(one, problems) for one in proposals],
        "problems": problems,
        "day_address": day_address(doctor.id, day),
        "arrived": sum(one.visit == ARRIVED for one in everybody),
        "begun": any(line.past and line.appointment is not None for line in lane.lines),
    }
    return show(request, "close_day", context, status=422 if problems else 200)


def _is_to_move(line: Line) -> bool:
    row = line.appointment
    return row is not None and not line.past and not row.visit and not line.walked_in


def _times(people: Sequence[Practitioner], day: date, now: Now, count: int) -> list[Slot]:
    """Free times for so many people and to choose from: the practitioner's own first, by day.

    From the closed day on, and not before a letter could have told them.
    """
    own = people[0].id
    limit = 2 * count + _CHOICES_EACH.stop
    midnight_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    from_s = max(now.at_s + NOTICE_S, midnight_s)
    found = free_times([own], now, but=(own, day.isoformat()), from_s=from_s, limit=limit)
    if len(people) > 1:
        found += free_times([one.id for one in people[1:]], now, from_s=from_s, limit=limit)
    return sorted(found, key=lambda slot: (slot.day, slot.practitioner != own, slot.starts_s))


def _proposals(
    lines: Sequence[Line],
    names: Mapping[str, str],
    people: Sequence[Practitioner],
    times: Sequence[Slot],
    chosen: Mapping[str, str],
) -> list[Proposal]:
    doctors = {one.id: one.name for one in people}
    each = min(max(CHOICES_MAX // max(len(lines), 1), _CHOICES_EACH.start), _CHOICES_EACH.stop - 1)
    rows = _rows(lines)
    diaries = _diaries(rows)
    given = _given(rows, times, chosen, diaries)
    taken = {slot.id for slot in given.values() if slot is not None}
    left = [slot for slot in times if slot.id not in taken]
    found = []
    for line, row in zip(lines, rows, strict=True):
        own = given[row.id]
        others = [slot for slot in left if _suits(slot, row, diaries[row.citizen])][: each - 1]
        choices = sorted([*([own] if own else []), *others], key=lambda slot: slot.starts_s)
        named = [(slot, doctors[slot.practitioner]) for slot in choices]
        chosen_id = own.id if own else ""
        found.append(Proposal(line, names.get(row.citizen, ""), named, chosen_id))
    return found


def _given(
    rows: Sequence[Appointment],
    times: Sequence[Slot],
    chosen: Mapping[str, str],
    diaries: Mapping[str, Sequence[Appointment]],
) -> dict[str, Slot | None]:
    """The time that each appointment gets, by its id: the one that was chosen, else a new one.

    None: the clerk chose to call, or there is none. What was chosen and is not free any more, or
    not for this person, would be refused again: another one is proposed for it.
    """
    by_id = {slot.id: slot for slot in times}
    given: dict[str, Slot | None] = {}
    new: dict[str, list[Slot]] = {}  # what each person gets here, by citizen
    for row in rows:
        slot = by_id.get(chosen.get(row.id, ""))
        if slot is not None and _suits(slot, row, diaries[row.citizen]):
            given[row.id] = slot
            new.setdefault(row.citizen, []).append(slot)
        elif chosen.get(row.id) == "":
            given[row.id] = None
    taken = {slot.id for slot in given.values() if slot is not None}
    left = [slot for slot in times if slot.id not in taken]
    for row in rows:
        if row.id not in given:
            others = [*diaries[row.citizen], *new.get(row.citizen, ())]
            slot = next((one for one in left if _suits(one, row, others)), None)
            given[row.id] = slot
            if slot is not None:
                left.remove(slot)
                new.setdefault(row.citizen, []).append(slot)
    return given


def _diaries(rows: Sequence[Appointment]) -> dict[str, list[Appointment]]:
    """Everything that these people have booked, by citizen."""
    found: dict[str, list[Appointment]] = {row.citizen: [] for row in rows}
    for one in Appointment.objects.filter(citizen__in=list(found), state=BOOKED):
        found[one.citizen].append(one)
    return found


def _suits(slot: Slot, row: Appointment, others: Sequence[Appointment | Slot]) -> bool:
    """Whether the appointment can be moved there: nothing else of the person is at that time."""
    ends_s = slot.starts_s + slot.minutes * 60
    return all(
        other.id == row.id
        or other.starts_s >= ends_s
        or other.starts_s + other.minutes * 60 <= slot.starts_s
        for other in others
    )


def _rows(lines: Sequence[Line]) -> list[Appointment]:
    return [line.appointment for line in lines if line.appointment is not None]


def _with_problem(one: Proposal, problems: Problems) -> Proposal:
    row = one.line.appointment
    problem = problems.get(row.id) if row is not None else None
    if problem is None:
        return one
    return Proposal(one.line, one.name, one.choices, one.chosen, problem)
