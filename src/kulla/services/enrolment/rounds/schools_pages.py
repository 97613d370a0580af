"""The ministry's schools: a table, a form, and CSV in and out."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.services.enrolment.models import School
from kulla.services.enrolment.rounds import csv_in, forms
from kulla.services.enrolment.rounds.forms import Typed
from kulla.services.enrolment.rounds.ministry import begin, kept_typed, show
from kulla.services.enrolment.rounds.uploads import csv_answer, posted_text, shown_parts
from kulla.services.pages import PageRequest, open_to, read_command_id

PAGE_ROWS = 50
_WORDS_MAX = 60


@open_to("clerk")
def schools(request: PageRequest) -> HttpResponse:
    """The schools, by a word of their name, place or id."""
    words = request.GET.get("q", "").strip()[:_WORDS_MAX]
    rows = School.objects.order_by("county", "town", "name", "id")
    if words:
        named = Q(name__icontains=words) | Q(town__icontains=words) | Q(id__icontains=words)
        rows = rows.filter(named | Q(county__icontains=words))
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "words": words, "query": urlencode({"q": words}) if words else ""}
    return show(request, "schools", context)


@open_to("clerk")
def new(request: PageRequest) -> HttpResponse:
    """A new school: GET the form, POST it."""
    return _form(request, None)


@open_to("clerk")
def edit(request: PageRequest, school: str) -> HttpResponse:
    """A school's name and place, to be put right: GET the form, POST it."""
    row = School.objects.filter(id=school).first()
    if row is None:
        raise Http404
    return _form(request, row)


def _form(request: PageRequest, row: School | None) -> HttpResponse:
    page = reverse("enrolment:ministry-schools")
    posted = request.method == "POST"
    command_id = read_command_id(request.POST)
    typed = forms.read_school(request.POST, fresh=row is None)
    key = row.id if row is not None else typed.of("school")
    if row is None and not typed.problems and School.objects.filter(id=key).exists():
        typed.problems["school"] = _("There is a school of this id already.")
    if posted and command_id and not typed.problems:
        data = {name: typed.of(name) for name in csv_in.SCHOOL_COLUMNS} | {"school": key}
        summary = [(_("School"), f"{typed.of('name')} ({key})")]
        summary += [(_("Place"), ", ".join(typed.of(n) for n in ("address", "town", "county")))]
        back = request.path
        return begin(request, "enter_school", command_id, data, summary, done=page, back=back)
    if not posted:
        shown = {name: getattr(row, name) for name in csv_in.SCHOOL_COLUMNS[1:]} if row else {}
        typed = Typed({**shown, **kept_typed(request)})
    return show(request, "school", {"typed": typed, "school": row}, status=422 if posted else 200)


@open_to("clerk")
def bring_in(request: PageRequest) -> HttpResponse:
    """Schools from a CSV file: GET the form; POST a file to look at; POST `part` to sign rows."""
    page = reverse("enrolment:ministry-schools-in")
    text = posted_text(request)
    if text is None:
        return show(request, "schools_in", {"columns": csv_in.SCHOOL_COLUMNS})
    there = {
        row.id: (row.id, row.name, row.town, row.county, row.address)
        for row in School.objects.all()
    }
    read = csv_in.read_schools(text, there)
    command_id = read_command_id(request.POST)
    if "part" in request.POST and command_id and len(read.parts) == 1 and not read.rejected:
        data = {"schools": [list(row) for row in read.parts[0]]}
        summary = [(_("Schools from a file"), str(read.count))]
        summary.append((_("From … to"), f"{read.parts[0][0][1]} … {read.parts[0][-1][1]}"))
        done = reverse("enrolment:ministry-schools")
        return begin(request, "enter_schools", command_id, data, summary, done=done, back=page)
    context = {
        "columns": csv_in.SCHOOL_COLUMNS,
        "read": read,
        "parts": shown_parts(request, csv_in.SCHOOL_COLUMNS, read.parts),
    }
    return show(request, "schools_in", context, status=422 if read.fault else 200)


@open_to("clerk")
def out(_request: PageRequest) -> HttpResponse:
    """All schools as CSV."""
    rows = School.objects.order_by("id").values_list("id", *csv_in.SCHOOL_COLUMNS[1:])
    return csv_answer("schools.csv", csv_in.written(csv_in.SCHOOL_COLUMNS, list(rows)))
