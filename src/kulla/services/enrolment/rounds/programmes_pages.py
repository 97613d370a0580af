"""A round's programmes and seats at the ministry: a table, a form, and CSV in and out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.services.enrolment import tables
from kulla.services.enrolment.models import Programme, Round, School
from kulla.services.enrolment.policy.rules import Pool, Rules
from kulla.services.enrolment.rounds import csv_in, forms, reading
from kulla.services.enrolment.rounds.forms import Typed
from kulla.services.enrolment.rounds.ministry import begin, kept_typed, prepared_round, show
from kulla.services.enrolment.rounds.prose import pool_title_of
from kulla.services.enrolment.rounds.public import grade_name, named_grades
from kulla.services.enrolment.rounds.uploads import csv_answer, posted_text, shown_parts
from kulla.services.pages import PageRequest, open_to, read_command_id

PAGE_ROWS = 50
_WORDS_MAX = 60


@open_to("clerk")
def programmes(request: PageRequest, round_id: str) -> HttpResponse:
    """The programmes of a round with their seats, by place, grade and a word of the name."""
    row = reading.round_of(round_id)
    rules = reading.rules_of(row)
    wanted = {
        name: request.GET.get(name, "").strip()[:_WORDS_MAX] for name in ("place", "grade", "q")
    }
    found = reading.search_ids(row.id, wanted["place"], wanted["grade"], wanted["q"])
    page = Paginator(found, PAGE_ROWS).get_page(request.GET.get("page"))
    offered = reading.offered(reading.programmes_in(list(page.object_list)), rules)
    shown = reading.show_round(row, reading.now_of(request))
    context = {
        "round": row,
        "may_change": row.state == tables.PREPARED,
        "rules": rules,
        "places": reading.places_of(row.id),
        "grades": named_grades(shown, rules),
        "wanted": wanted,
        "query": urlencode({name: typed for name, typed in wanted.items() if typed}),
        "page": page,
        "found": [(one, grade_name(rules, one.grade)) for one in offered],
    }
    return show(request, "programmes", context)


@open_to("clerk")
def new(request: PageRequest, round_id: str) -> HttpResponse:
    """A new programme: GET the form, POST it."""
    return _form(request, prepared_round(round_id), None)


@open_to("clerk")
def edit(request: PageRequest, round_id: str, programme: str) -> HttpResponse:
    """A programme's school, grade and seats; POST `remove` takes it out of the round."""
    row = prepared_round(round_id)
    return _form(request, row, _programme_of(row, programme))


def _programme_of(row: Round, programme: str) -> Programme:
    found = Programme.objects.filter(id=f"{row.id}-{programme}").first()
    if found is None:
        raise Http404
    return found


def _form(request: PageRequest, row: Round, old: Programme | None) -> HttpResponse:
    page = reverse("enrolment:ministry-programmes", args=[row.id])
    rules = reading.rules_of(row) or Rules()
    command_id = read_command_id(request.POST)
    posted = request.method == "POST"
    if posted and "remove" in request.POST and old is not None and command_id:
        data: dict[str, Any] = {"round": row.id, "programme": old.programme}
        summary = [(_("Remove the programme"), f"{old.name} ({old.programme})")]
        back = request.path
        return begin(request, "remove_programme", command_id, data, summary, done=page, back=back)
    typed, seats = forms.read_programme(request.POST, rules.pools, fresh=old is None)
    key = old.programme if old is not None else typed.of("programme")
    school = School.objects.filter(id=typed.of("school")).first()
    if posted and school is None:
        typed.problems.setdefault("school", forms.NO_SCHOOL)
    if posted and old is None and Programme.objects.filter(id=f"{row.id}-{key}").exists():
        typed.problems["programme"] = _("There is a programme of this id already.")
    if posted and command_id and school is not None and not typed.problems:
        named = {name: typed.of(name) for name in ("school", "grade", "name")}
        data = {"round": row.id, "programme": key, **named}
        data["pools"] = [list(pair) for pair in seats]
        summary = [(_("Programme"), f"{typed.of('name')} ({key})"), (_("School"), school.name)]
        summary.append((_("Grade"), grade_name(rules, typed.of("grade"))))
        summary.append((_("Seats"), _in_words(seats, rules.pools)))
        back = request.path
        return begin(request, "set_programme", command_id, data, summary, done=page, back=back)
    if not posted:
        typed = Typed({**_shown(old, rules.pools), **kept_typed(request)})
    context = {
        "round": row,
        "old": old,
        "typed": typed,
        "grades": [(grade, grade_name(rules, grade)) for grade, _first, _last in rules.ages],
        "pools": [
            (name, pool_title_of(pool), typed.of(name), typed.problems.get(name))
            for pool in rules.pools
            for name in (f"seats-{pool.pool}",)
        ],
    }
    return show(request, "programme", context, status=422 if posted else 200)


def _shown(old: Programme | None, pools: Sequence[Pool]) -> dict[str, str]:
    if old is None:
        return {}
    seats = dict(json.loads(old.pools))
    cells = {f"seats-{pool.pool}": str(seats.get(pool.pool, "")) for pool in pools}
    return {"school": old.school, "grade": old.grade, "name": old.name, **cells}


def _in_words(seats: Sequence[tuple[str, int]], pools: Sequence[Pool]) -> str:
    titles = {pool.pool: pool_title_of(pool) for pool in pools}
    return ", ".join(f"{titles.get(pool, pool)} {count}" for pool, count in seats)


@open_to("clerk")
def bring_in(request: PageRequest, round_id: str) -> HttpResponse:
    """Programmes from a CSV file: POST a file to look at it, POST `part` to sign its rows."""
    row = prepared_round(round_id)
    rules = reading.rules_of(row)
    head = _head(rules)
    text = posted_text(request) if rules is not None else None
    if text is None or rules is None:
        return show(request, "programmes_in", {"round": row, "rules": rules, "columns": head})
    read = csv_in.read_programmes(
        text,
        {one.programme: _row_of(one) for one in Programme.objects.filter(round=row.id)},
        frozenset(School.objects.values_list("id", flat=True)),
        frozenset(grade for grade, _first, _last in rules.ages),
        rules.pools,
    )
    command_id = read_command_id(request.POST)
    if "part" in request.POST and command_id and len(read.parts) == 1 and not read.rejected:
        rows = [[*one[:-1], [list(pair) for pair in one[-1]]] for one in read.parts[0]]
        data = {"round": row.id, "programmes": rows}
        seats = sum(count for one in read.parts[0] for _pool, count in one[-1])
        summary = [(_("Programmes from a file"), str(read.count)), (_("Round"), row.title)]
        summary.append((_("Seats"), str(seats)))
        done = reverse("enrolment:ministry-programmes", args=[row.id])
        back = reverse("enrolment:ministry-programmes-in", args=[row.id])
        return begin(request, "set_programmes", command_id, data, summary, done=done, back=back)
    cells = [[_cells(one, rules.pools) for one in part] for part in read.parts]
    context = {
        "round": row,
        "rules": rules,
        "columns": head,
        "read": read,
        "parts": shown_parts(request, head, cells),
    }
    return show(request, "programmes_in", context, status=422 if read.fault else 200)


@open_to("clerk")
def out(_request: PageRequest, round_id: str) -> HttpResponse:
    """All programmes of a round as CSV, with a column for each pool of the rules."""
    row = reading.round_of(round_id)
    rules = reading.rules_of(row)
    pools = rules.pools if rules is not None else ()
    found = Programme.objects.filter(round=row.id).order_by("id")
    rows = [_cells(_row_of(one), pools) for one in found]
    return csv_answer(f"{row.id}-programmes.csv", csv_in.written(_head(rules), rows))


def _head(rules: Rules | None) -> list[str]:
    pools = rules.pools if rules is not None else ()
    return [*csv_in.PROGRAMME_COLUMNS, *(pool.pool for pool in pools)]


def _row_of(one: Programme) -> tuple[Any, ...]:
    """A programme as a row of csv_in: its fields, then (pool, seats) in order."""
    pools = tuple((str(pool), int(seats)) for pool, seats in json.loads(one.pools))
    return (one.programme, one.school, one.grade, one.name, pools)


def _cells(row: Sequence[Any], pools: Sequence[Pool]) -> list[Any]:
    """A row of csv_in as cells of a CSV: seats by the pools of the rules."""
    seats = dict(row[-1])
    return [*row[:-1], *(seats.get(pool.pool, "") for pool in pools)]
