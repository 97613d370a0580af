"""A practitioner's hours in the browser: weekly schedules, days that differ, and what is published.

Hours become times to book only when they are published; docs/services/appointments.md has the
rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kulla.kernel import dates
from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.services.appointments import hours, zones
from kulla.services.appointments.acts import SERVICE_NAME
from kulla.services.appointments.calendars import settled_now
from kulla.services.appointments.desk.day import clinic_of, doctor_of, show
from kulla.services.appointments.desk.forms import (
    DayRow,
    Typed,
    clock_text,
    day_row,
    read_day,
    read_periods,
    read_span,
)
from kulla.services.appointments.desk.reading import today, zone_of
from kulla.services.appointments.models import DayException, Practitioner, Schedule
from kulla.services.pages import PageRequest, open_to, read_command_id, signed_in

PUBLISH_DAYS: Final = 28
_EXCEPTIONS_MAX: Final = 60
_WEEKDAYS: Final = range(1, 8)


@dataclass(frozen=True, slots=True)
class Week:
    """A form of weekly hours: a row a day from Monday, and from when until when they hold."""

    rows: tuple[DayRow, ...]
    span: Typed


@open_to("clerk")
def all_hours(request: PageRequest, practitioner: str) -> HttpResponse:
    """The schedules, the days that differ, and the forms to change and publish them."""
    return _show(request, doctor_of(practitioner))


@open_to("clerk")
def set_weekly(request: PageRequest, practitioner: str) -> HttpResponse:
    """POST: weekly hours from a day on."""
    doctor = doctor_of(practitioner)
    command_id = read_command_id(request.POST)
    read = [read_periods(request.POST, f"d{weekday}") for weekday in _WEEKDAYS]
    span = read_span(request.POST, open_ended=True)
    if command_id is None or span.problems or any(periods is None for periods, _row in read):
        week = Week(tuple(row for _periods, row in read), span)
        posted = request.method == "POST"
        return _show(request, doctor, week=week if posted else None, status=422 if posted else 200)
    weekly: list[Value] = [
        [weekday, *period]
        for weekday, (periods, _row) in zip(_WEEKDAYS, read, strict=True)
        for period in periods or ()
    ]
    data: dict[str, Value] = {
        "practitioner": practitioner,
        "weekly": weekly,
        "zone": zone_of(practitioner),
        "valid_from": span.of("first"),
        "valid_to": span.of("last"),
    }
    rule = hours.weekly_text(
        tuple(
            (weekday, period)
            for weekday, (periods, _row) in zip(_WEEKDAYS, read, strict=True)
            for period in periods or ()
        )
    )
    summary = [(_("Weekly hours of"), doctor.name), (_("From"), _words(span.of("first")))]
    summary += [(_("Until"), _words(span.of("last")))] if span.of("last") else []
    summary += list(in_lines(rule)) or [(_("Hours"), _("none"))]
    return _begin(request, doctor, "set_schedule", command_id, data, summary)


@open_to("clerk")
def set_day(request: PageRequest, practitioner: str) -> HttpResponse:
    """POST: other hours on one day; closing a day has a page of its own."""
    doctor = doctor_of(practitioner)
    command_id = read_command_id(request.POST)
    periods, row = read_periods(request.POST, "x")
    text = request.POST.get("day", "")
    day = read_day(text) if isinstance(text, str) else None
    if command_id is None or not periods or day is None:
        posted = request.method == "POST"
        wrong = {"row": row, "day": text, "bad_day": day is None, "empty": periods == ()}
        return _show(
            request, doctor, differing=wrong if posted else None, status=422 if posted else 200
        )
    zone = zone_of(practitioner)
    data: dict[str, Value] = {
        "practitioner": practitioner,
        "day": day.isoformat(),
        "kind": "hours",
        "hours": [list(period) for period in periods],
        "zone": zone,
        "offsets": [list(pair) for pair in zones.offsets(zone, day, day)],
    }
    summary = [
        (_("Other hours of"), doctor.name),
        (_("Day"), _words(day.isoformat())),
        (_("Hours"), hours_in_words(periods)),
    ]
    return _begin(request, doctor, "set_exception", command_id, data, summary)


@open_to("clerk")
def publish(request: PageRequest, practitioner: str) -> HttpResponse:
    """POST: open the times of some days for booking."""
    doctor = doctor_of(practitioner)
    command_id = read_command_id(request.POST)
    span = read_span(request.POST)
    if command_id is None or span.problems:
        posted = request.method == "POST"
        return _show(
            request, doctor, publishing=span if posted else None, status=422 if posted else 200
        )
    zone = zone_of(practitioner)
    first, last = date.fromisoformat(span.of("first")), date.fromisoformat(span.of("last"))
    near = min(last, first + timedelta(days=hours.DAY_MINUTES))  # the policy refuses what is far
    data: dict[str, Value] = {
        "practitioner": practitioner,
        "first_day": span.of("first"),
        "last_day": span.of("last"),
        "zone": zone,
        "offsets": [list(pair) for pair in zones.offsets(zone, first, near)],
    }
    summary = [
        (_("Publish times of"), doctor.name),
        (_("From"), _words(span.of("first"))),
        (_("Until"), _words(span.of("last"))),
    ]
    return _begin(request, doctor, "publish_slots", command_id, data, summary)


def in_lines(rule: str) -> list[tuple[str, str]]:
    """A weekly rule as (weekday, hours) in the language of the page, a line a day."""
    names = dates.week(dates.known(get_language()))
    by_day: dict[int, list[hours.Period]] = {}
    for weekday, period in hours.weekly_of(rule):
        by_day.setdefault(weekday, []).append(period)
    return [
        (names[weekday - 1][1], hours_in_words(tuple(periods)))
        for weekday, periods in sorted(by_day.items())
    ]


def hours_in_words(periods: tuple[hours.Period, ...]) -> str:
    """Periods such as '08:00-12:00, 20 minutes each', joined by semicolons."""
    found = []
    for begin, end, minutes in periods:
        each = _("%(minutes)s minutes each") % {"minutes": minutes}
        found.append(f"{clock_text(begin)}–{clock_text(end)}, {each}")
    return "; ".join(found)


def _show(
    request: PageRequest,
    doctor: Practitioner,
    *,
    week: Week | None = None,
    differing: dict[str, Any] | None = None,
    publishing: Typed | None = None,
    status: int = 200,
) -> HttpResponse:
    now = settled_now(request)
    current = today(now, zone_of(doctor.id))
    schedules = list(Schedule.objects.filter(practitioner=doctor.id).order_by("-valid_from"))
    exceptions = DayException.objects.filter(
        practitioner=doctor.id, day__gte=current.isoformat()
    ).order_by("day")[:_EXCEPTIONS_MAX]
    context = {
        "doctor": doctor,
        "clinic": clinic_of(doctor.clinic),
        "schedules": [
            (row, _words(row.valid_from), _words(row.valid_to), in_lines(row.rule))
            for row in schedules
        ],
        "exceptions": [
            (row, _words(row.day), hours_in_words(hours.periods_of(row.hours)))
            for row in exceptions
        ],
        "published_to": _words(doctor.published_to),
        "week": _week_named(week or _week_of(schedules, current)),
        "differing": differing or {"row": day_row("x", ()), "day": ""},
        "publishing": publishing or _next_span(doctor, current),
        "today": current,
    }
    return show(request, "hours", context, status=status)


def _week_of(schedules: list[Schedule], current: date) -> Week:
    """A form that shows the newest hours, to hold from tomorrow on."""
    weekly = hours.weekly_of(schedules[0].rule) if schedules else ()
    rows = tuple(
        day_row(f"d{weekday}", tuple(period for on, period in weekly if on == weekday))
        for weekday in _WEEKDAYS
    )
    tomorrow = (current + timedelta(days=1)).isoformat()
    return Week(rows, Typed({"first": tomorrow, "last": ""}))


def _week_named(week: Week) -> dict[str, Any]:
    names = dates.week(dates.known(get_language()))
    named = [(name, row) for (_short, name), row in zip(names, week.rows, strict=True)]
    return {"rows": named, "span": week.span}


def _next_span(doctor: Practitioner, current: date) -> Typed:
    """The next days that are not published yet."""
    published = read_day(doctor.published_to)
    first = max(current, published + timedelta(days=1)) if published else current
    last = first + timedelta(days=PUBLISH_DAYS - 1)
    return Typed({"first": first.isoformat(), "last": last.isoformat()})


def _begin(
    request: PageRequest,
    doctor: Practitioner,
    name: str,
    command_id: bytes,
    data: dict[str, Value],
    summary: list[tuple[str, str]],
) -> HttpResponse:
    page = reverse("appointments:desk-hours", args=[doctor.id])
    return request.signing.begin(
        request,
        Command(SERVICE_NAME, name, command_id, signed_in(request), data),
        summary=summary,
        done=page,
        back=page,
    )


def _words(day: str) -> str:
    found = read_day(day)
    return dates.day(found, dates.known(get_language())) if found else ""
