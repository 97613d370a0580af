"""A programme's class list and waiting list with names, as a page and as CSV; late arrivals.

Names are opened a page at a time, each opening is logged with the clerk and the reason.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.services.enrolment import tables
from kulla.services.enrolment.models import Child, Filled, Place, Programme, Result, Round, School
from kulla.services.enrolment.results import reading
from kulla.services.enrolment.results.desk import begin, overview_of, show
from kulla.services.enrolment.results.known import HOLDING
from kulla.services.enrolment.results.words import DESK_STATES
from kulla.services.pages import NAMES_MAX, PageRequest, open_to, read_command_id

A_PAGE: Final = 60
"""Of the class, and as many of those who wait: names of both fit into NAMES_MAX."""

CHOICES_MAX: Final = 5
FOUND_MAX: Final = 80
COLUMNS: Final = ("number", "name", "child", "state", "choice", "answer_by_s")


@open_to("clerk")
def class_list(request: PageRequest, round_id: str, programme: str) -> HttpResponse:
    """Who has a place, and who waits, in order; with names."""
    row, found = _programme(round_id, programme)
    page = Paginator(_holders(row, programme), A_PAGE).get_page(request.GET.get("page", "1"))
    waiting = list(_waiting(row, programme)[:A_PAGE])
    people = [one.child for one in (*page.object_list, *waiting)]
    names = request.people.names(people, "a class list of enrolment") if people else {}
    context = {
        "round": row,
        "named": found,
        "filled": Filled.objects.filter(id=f"{row.id}-{programme}").first(),
        "page": page,
        "children": [
            (names.get(one.child, ""), DESK_STATES[one.state], one) for one in page.object_list
        ],
        "waiting": [(names.get(one.child, ""), one) for one in waiting],
    }
    return show(request, "class_list", context)


@open_to("clerk")
def class_csv(request: PageRequest, round_id: str, programme: str) -> StreamingHttpResponse:
    """The class list as CSV, streamed; names are opened NAMES_MAX at a time."""
    row, _found = _programme(round_id, programme)
    holders = list(_holders(row, programme))
    response = StreamingHttpResponse(
        _lines(request, holders), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{row.id}-{programme}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _lines(request: PageRequest, holders: Sequence[Result]) -> Iterator[str]:
    yield _csv([COLUMNS])
    for first in range(0, len(holders), NAMES_MAX):
        some = holders[first : first + NAMES_MAX]
        names = request.people.names([one.child for one in some], "a class list as CSV")
        yield _csv(
            [
                (
                    str(first + place),
                    _harmless(names.get(one.child, "")),
                    one.child,
                    one.state,
                    str(one.choice),
                    str(one.answer_by_s),
                )
                for place, one in enumerate(some, 1)
            ]
        )


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _harmless(name: str) -> str:
    """A name that a spreadsheet takes for no formula."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name


@open_to("clerk")
def late(request: PageRequest, round_id: str) -> HttpResponse:
    """A child who came late: found by personal number, put at the end of the lists, signed."""
    row = Round.objects.filter(id=round_id, state=tables.OFFERED).first()
    if row is None:
        raise Http404
    wanted = request.POST.get("q", request.GET.get("q", "")).strip()
    typed = [request.POST.get(f"choice-{place}", "") for place in range(1, CHOICES_MAX + 1)]
    number = request.POST.get("number", "").strip()
    programmes = list(dict.fromkeys(one for one in typed if one))
    command_id = read_command_id(request.POST)
    problems: dict[str, str] = {}
    subject = ""
    if request.method == "POST":
        problems, subject = _who(request, number, programmes)
    if request.method != "POST" or problems or command_id is None:
        context = {
            "round": row,
            "q": wanted,
            "number": number,
            "choices": list(enumerate(typed, 1)),
            "offered": _offered(row, wanted),
            "problems": problems,
        }
        status = 422 if request.method == "POST" else 200
        return show(request, "late", context, status=status)
    names = reading.named(row.id, programmes)
    summary = [(_("A child who came late"), row.title)]
    for place, programme in enumerate(programmes, 1):
        one = names.get(programme)
        label = _("Choice %(number)s") % {"number": place}
        summary.append((label, f"{one.school}, {one.name}" if one else programme))
    listed: list[Value] = list(programmes)
    data: dict[str, Value] = {"round": row.id, "child": subject, "programmes": listed}
    back = reverse("enrolment:ministry-late", args=[row.id])
    done = overview_of(row)
    return begin(request, "place_late", command_id, data, summary, done=done, back=back)


def _who(
    request: PageRequest, number: str, programmes: Sequence[str]
) -> tuple[dict[str, str], str]:
    """What is wrong with what was typed, and the child's subject."""
    problems: dict[str, str] = {}
    person = request.people.find_by_number(number) if number else None
    if person is None:
        problems["number"] = _("Nobody has this personal number.")
    elif not Child.objects.filter(subject=person.subject).exists():
        problems["number"] = _("This child was not entered yet. Enter the child first.")
    if not programmes:
        problems["choice-1"] = _("Choose at least one programme.")
    return problems, person.subject if person is not None else ""


def _offered(row: Round, wanted: str) -> list[reading.Named]:
    """Programmes of the round whose school's name or town has these words."""
    rows = Programme.objects.filter(round=row.id).order_by("school", "id")
    if wanted:
        schools = School.objects.filter(name__icontains=wanted) | School.objects.filter(
            town__icontains=wanted
        )
        rows = rows.filter(school__in=list(schools.values_list("id", flat=True)[:1000]))
    return list(reading.with_schools(rows[:FOUND_MAX]).values())


def _programme(round_id: str, programme: str) -> tuple[Round, reading.Named]:
    row = Round.objects.filter(id=round_id, state__in=reading.ALLOCATED).first()
    found = reading.named(round_id, [programme]).get(programme) if row is not None else None
    if row is None or found is None:
        raise Http404
    return row, found


def _holders(row: Round, programme: str) -> Any:
    held = Result.objects.filter(round=row.id, programme=programme, state__in=HOLDING)
    return held.order_by("child")


def _waiting(row: Round, programme: str) -> Any:
    places = Place.objects.filter(round=row.id, programme=programme, state=tables.IN_LIST)
    return places.order_by("order", "id")
