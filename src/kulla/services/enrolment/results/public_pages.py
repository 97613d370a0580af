"""What everybody may see of a round's results: cut-offs, numbers, how to check, the transcript."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from kulla.services.enrolment.models import Filled, Programme, Round, Run
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.results import reading
from kulla.services.enrolment.results.words import title_of
from kulla.services.pages import PageRequest, open_to_all

A_PAGE: Final = 40


@open_to_all()
def results(request: PageRequest, round_id: str) -> HttpResponse:
    """How far each programme came, how many have a place, and how anybody checks it."""
    row = reading.opened_round(request, round_id)
    rules, path = reading.rules_of(row), reading.transcript(row)
    rows = Programme.objects.filter(round=row.id).order_by("grade", "name", "id")
    page = Paginator(rows, A_PAGE).get_page(request.GET.get("page", "1"))
    found = reading.with_schools(page.object_list)
    reached = reading.cutoffs(path) if path is not None else {}
    filled = Filled.objects.in_bulk([f"{row.id}-{one}" for one in found])
    context = {
        "round": row,
        "run": Run.objects.filter(id=row.id).first(),
        "page": page,
        "lines": [
            {
                "named": one,
                "filled": filled.get(f"{row.id}-{name}"),
                "cutoffs": _lines(rules, reached.get(name)),
                "last": _last(rules, reached.get(name)),
            }
            for name, one in found.items()
        ],
        "seed": _hex(row.seed),
        "root": _hex(row.list_root),
        "transcript": _hex(row.public_transcript),
        "is_here": path is not None,
    }
    return render(request, "enrolment/results/public.html", context)


@open_to_all()
def transcript(request: PageRequest, round_id: str) -> FileResponse:
    """The public transcript as a file, byte for byte as the journal names it."""
    row = reading.opened_round(request, round_id)
    path = reading.transcript(row)
    if path is None:
        raise Http404
    return sent(row, path.open("rb"), "public")


def sent(row: Round, file: Any, what: str) -> FileResponse:
    """A transcript as a download, never shown in the site's own pages."""
    response = FileResponse(
        file, as_attachment=True, filename=f"{row.id}-{what}.json", content_type="application/json"
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "public, max-age=300" if what == "public" else "no-store"
    return response


def _lines(rules: Rules, reached: Mapping[str, Any] | None) -> list[str]:
    """How far a programme came, a sentence for each priority that is told."""
    found = []
    for cutoff in reached["cutoffs"] if reached else ():
        about = {"priority": title_of(rules, cutoff["priority"]), "under": cutoff["under"]}
        if cutoff["under"] == "0":
            found.append(_("Priority %(priority)s: nobody has a place.") % about)
        else:
            text = _("Priority %(priority)s: lottery numbers under %(under)s have a place.")
            found.append(text % about)
    return found


def _last(rules: Rules, reached: Mapping[str, Any] | None) -> str:
    if not reached or reached["last"] is None:
        return ""
    return title_of(rules, str(reached["last"]))


def _hex(value: bytes | None) -> str:
    return bytes(value).hex() if value is not None else ""
