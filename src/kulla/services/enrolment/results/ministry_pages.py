"""The ministry's page of a round's results: allocate, open, numbers, audit, complementary round."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.services.enrolment import tables
from kulla.services.enrolment.models import Appeal, Filled, Place, Programme, Result, Round, Run
from kulla.services.enrolment.results import kept, reading, wishes
from kulla.services.enrolment.results.desk import begin, overview_of, show
from kulla.services.enrolment.results.known import HOLDING
from kulla.services.enrolment.results.public_pages import sent
from kulla.services.enrolment.results.words import DESK_STATES, moment
from kulla.services.pages import PageRequest, Text, open_to, read_command_id

A_PAGE: Final = 50
STATES: Final = (tables.CLOSED, tables.DRAWN, tables.ALLOCATED, tables.OFFERED, tables.ENDED)
DAYS: Final = ("opens_s", "closes_s", "results_s", "answer_by_s")


@open_to("clerk")
def results(request: PageRequest, round_id: str) -> HttpResponse:
    """Where the round is, its numbers, and how full every programme is."""
    row = _round(round_id)
    rows = Programme.objects.filter(round=row.id).order_by("grade", "school", "id")
    page = Paginator(rows, A_PAGE).get_page(request.GET.get("page", "1"))
    found = reading.with_schools(page.object_list)
    filled = Filled.objects.in_bulk([f"{row.id}-{one}" for one in found])
    run = Run.objects.filter(id=row.id).first()
    context = {
        "round": row,
        "run": run,
        "settled": row.position < reading.watermark(request),
        "may_ask": row.state == tables.DRAWN and not (run and run.asked_ms),
        "asked": row.state == tables.DRAWN and bool(run and run.asked_ms),
        "may_open": row.state == tables.ALLOCATED,
        "is_open": row.state == tables.OFFERED,
        "ended": row.state == tables.ENDED,
        "allocated": row.state in reading.ALLOCATED,
        "is_here": reading.transcript(row) is not None,
        "page": page,
        "lines": [
            {"named": one, "filled": filled.get(f"{row.id}-{name}")} for name, one in found.items()
        ],
        **(_numbers(row) if row.state in reading.ALLOCATED else {}),
    }
    return show(request, "ministry", context)


@open_to("clerk")
def step(request: PageRequest, round_id: str) -> HttpResponse:
    """POST: ask for the allocation, or open the results; the clerk signs it."""
    row = _round(round_id)
    command_id = read_command_id(request.POST)
    steps: dict[str, tuple[str, Text]] = {
        "ask": ("ask_allocation", _("Allocate the round")),
        "open": ("open_offers", _("Families see their results")),
    }
    chosen = steps.get(request.POST.get("step", ""))
    page = overview_of(row)
    if request.method != "POST" or command_id is None or chosen is None:
        return HttpResponseRedirect(page)
    name, title = chosen
    data: dict[str, Value] = {"round": row.id}
    summary = [(str(title), row.title)]
    return begin(request, name, command_id, data, summary, done=page, back=page)


@open_to("clerk")
def audit(request: PageRequest, round_id: str) -> HttpResponse:
    """GET: why the auditor's transcript is taken. POST: the reason, to be signed; then the file."""
    row = _round(round_id)
    if row.state not in reading.ALLOCATED:
        raise Http404
    reason = " ".join(request.POST.get("reason", "").split())
    command_id = read_command_id(request.POST)
    problem = ""
    if request.method == "POST" and not 0 < len(reason) <= wishes.TEXT_MAX:
        problem = _("Say in one sentence who asks for it, and why.")
    if request.method != "POST" or problem or command_id is None:
        context = {"round": row, "typed": reason, "problem": problem}
        context["is_here"] = reading.transcript(row, kept.AUDIT_FILE) is not None
        return show(request, "audit", context, status=422 if problem else 200)
    data: dict[str, Value] = {"round": row.id, "reason": reason}
    summary = [(_("Take the auditor's transcript"), row.title), (_("Reason"), reason)]
    done = reverse("enrolment:ministry-audit-file", args=[row.id])
    back = reverse("enrolment:ministry-audit", args=[row.id])
    return begin(request, "open_audit", command_id, data, summary, done=done, back=back)


@open_to("clerk")
def audit_file(request: PageRequest, round_id: str) -> HttpResponse | FileResponse:
    """The auditor's transcript, once for each signed reason; else back to where one is asked."""
    row = _round(round_id)
    path = reading.transcript(row, kept.AUDIT_FILE)
    answer = request.signing.answer(request)
    if path is None or answer is None or answer.status != "accepted":
        return HttpResponseRedirect(reverse("enrolment:ministry-audit", args=[row.id]))
    return sent(row, path.open("rb"), "audit")


@open_to("clerk")
def complementary(request: PageRequest, round_id: str) -> HttpResponse:
    """GET: the free seats, and a form for the new round. POST: prepare it, signed."""
    row = _round(round_id)
    if row.state != tables.ENDED:
        raise Http404
    typed = {name: request.POST.get(name, "").strip() for name in ("round", "title", *DAYS)}
    data, problems = _read_new(typed, row)
    command_id = read_command_id(request.POST)
    if request.method != "POST" or problems or command_id is None:
        context = {
            "round": row,
            "fields": _fields(typed, problems if request.method == "POST" else {}),
            "problems": problems if request.method == "POST" else {},
            "free": _free(row),
        }
        status = 422 if request.method == "POST" else 200
        return show(request, "complementary", context, status=status)
    summary = [(_("Complementary round"), typed["title"]), (_("Free seats of"), row.title)]
    titles = dict(zip(DAYS, _day_titles(), strict=True))
    summary += [(titles[name], moment(int(str(data[name])), row.zone)) for name in DAYS]
    done = reverse("enrolment:ministry-results", args=[row.id])
    back = reverse("enrolment:ministry-complementary", args=[row.id])
    return begin(request, "prepare_complementary", command_id, data, summary, done=done, back=back)


def _numbers(row: Round) -> dict[str, Any]:
    """The statistics of a round: by state, by choice, seats, waiting, appeals."""
    results = Result.objects.filter(round=row.id)
    states = dict(results.values_list("state").annotate(Count("id")))
    choices = (
        results.filter(state__in=HOLDING, choice__gt=0)
        .values_list("choice")
        .annotate(Count("id"))
        .order_by("choice")
    )
    held = Filled.objects.filter(round=row.id).aggregate(Sum("held"), Sum("kept"))
    waiting = Place.objects.filter(round=row.id, state=tables.IN_LIST)
    return {
        "states": [(text, states[name]) for name, text in DESK_STATES.items() if states.get(name)],
        "choices": list(choices),
        "held": held["held__sum"] or 0,
        "kept": held["kept__sum"] or 0,
        "seats": sum(one.seats for one in _all_named(row)),
        "waiting": waiting.values("child").distinct().count(),
        "appeals": Appeal.objects.filter(round=row.id, state=tables.APPEALED).count(),
    }


def _all_named(row: Round) -> list[reading.Named]:
    return list(reading.with_schools(Programme.objects.filter(round=row.id)).values())


def _free(row: Round) -> list[tuple[reading.Named, int]]:
    """Programmes with seats that nobody holds."""
    filled = {one.programme: one.held for one in Filled.objects.filter(round=row.id)}
    found = [(one, one.seats - filled.get(one.programme, 0)) for one in _all_named(row)]
    return [(one, free) for one, free in found if free > 0]


def _round(key: str) -> Round:
    row = Round.objects.filter(id=key, state__in=STATES).first()
    if row is None:
        raise Http404
    return row


def _day_titles() -> tuple[str, ...]:
    return (
        _("Applying opens"),
        _("Applying closes"),
        _("Results"),
        _("Answers until"),
    )


def _fields(
    typed: Mapping[str, str], problems: Mapping[str, str]
) -> list[tuple[str, str, str, str, str]]:
    """(name, label, kind of input, what was typed, problem) of each field of the new round."""
    titles = (_("Id of the round"), _("Title, for everybody"), *_day_titles())
    return [
        (
            name,
            title,
            "datetime-local" if name in DAYS else "text",
            typed[name],
            problems.get(name, ""),
        )
        for name, title in zip(("round", "title", *DAYS), titles, strict=True)
    ]


def _read_new(typed: Mapping[str, str], parent: Round) -> tuple[dict[str, Value], dict[str, str]]:
    """The data of prepare_complementary, and what is wrong with what was typed, by field."""
    problems: dict[str, str] = {}
    data: dict[str, Value] = {"parent": parent.id, "round": typed["round"], "title": typed["title"]}
    if wishes.ID.fullmatch(typed["round"]) is None:
        problems["round"] = _("Small letters, digits and hyphens, at most 32.")
    if not 0 < len(typed["title"]) <= wishes.TEXT_MAX:
        problems["title"] = _("Write a title.")
    before = 0
    for name in DAYS:
        at_s = _instant(typed[name], parent.zone)
        if at_s is None:
            problems[name] = _("Write a day and a time, such as 2026-06-01 08:00.")
        elif at_s <= before:
            problems[name] = _("It has to come after the day before it.")
        data[name] = before = at_s or before
    return data, problems


def _instant(text: str, zone: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())
    except ValueError:
        return None
