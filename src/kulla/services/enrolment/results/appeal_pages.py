"""Appeals at the ministry: those that wait, and a decision with its reason, signed by a clerk."""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.services.enrolment import tables
from kulla.services.enrolment.models import Appeal, Application, Place, Result, Round
from kulla.services.enrolment.results import reading
from kulla.services.enrolment.results.desk import begin, show
from kulla.services.enrolment.results.known import HOLDING
from kulla.services.enrolment.results.words import DESK_STATES, reason_text
from kulla.services.pages import PageRequest, open_to, read_command_id, signed_in

A_PAGE: Final = 50
REASON_CHARS_MAX: Final = 2000


@open_to("clerk")
def appeals(request: PageRequest, round_id: str) -> HttpResponse:
    """Those that wait first, the oldest on top; without names and without what was written."""
    row = _round(round_id)
    rows = Appeal.objects.filter(round=row.id)
    waiting = rows.filter(state=tables.APPEALED).order_by("appealed_ms", "id")
    decided = rows.exclude(state=tables.APPEALED).order_by("-decided_ms", "id")
    page = Paginator(waiting, A_PAGE).get_page(request.GET.get("page", "1"))
    context = {"round": row, "page": page, "decided": decided[:A_PAGE]}
    return show(request, "appeals", context)


@open_to("clerk")
def appeal(request: PageRequest, round_id: str, appeal: str) -> HttpResponse:
    """GET: what the family wrote, the result and its reasons. POST: decide, signed."""
    row = _round(round_id)
    found = Appeal.objects.filter(id=appeal, round=row.id).first()
    if found is None:
        raise Http404
    verdict = request.POST.get("verdict", "")
    reason = request.POST.get("reason", "").strip().replace("\r\n", "\n")
    programme = request.POST.get("programme", "") if verdict == tables.GRANTED else ""
    form = f"enrolment-appeal-{appeal}"
    if request.method != "POST":
        reason = request.kept.typed(form).get("reason", "")
    problems = _problems(verdict, reason) if request.method == "POST" else {}
    command_id = read_command_id(request.POST)
    if request.method != "POST" or problems or command_id is None:
        typed = {"verdict": verdict, "reason": reason, "programme": programme}
        context = _context(request, row, found) | {"typed": typed, "problems": problems}
        status = 422 if request.method == "POST" else 200
        return show(request, "decide", context, status=status)
    sealed = request.tower.seal(found.child, {"reason": reason}, command_id)["reason"]
    data: dict[str, Value] = {
        "round": row.id,
        "child": found.child,
        "appeal": found.id,
        "verdict": verdict,
        "reason": sealed,
        "programme": programme,
    }
    granted = verdict == tables.GRANTED
    summary = [(_("Decision"), _("granted") if granted else _("rejected")), (_("Reason"), reason)]
    if programme:
        one = reading.named(row.id, [programme]).get(programme)
        place = f"{one.school}, {one.name}" if one else programme
        summary.append((_("A place beyond capacity"), place))
    page = reverse("enrolment:ministry-appeals", args=[row.id])
    back = reverse("enrolment:ministry-appeal", args=[row.id, found.id])
    response = begin(request, "decide_appeal", command_id, data, summary, done=page, back=back)
    request.kept.keep(response, form, {"reason": reason})
    return response


def _problems(verdict: str, reason: str) -> dict[str, str]:
    problems: dict[str, str] = {}
    if verdict not in (tables.GRANTED, tables.REJECTED):
        problems["verdict"] = _("Choose a decision.")
    if not 0 < len(reason) <= REASON_CHARS_MAX:
        problems["reason"] = _("Write the reasons, in at most %(max)s characters.") % {
            "max": REASON_CHARS_MAX
        }
    return problems


def _context(request: PageRequest, row: Round, found: Appeal) -> dict[str, Any]:
    """What a clerk needs to decide: the words of both sides, opened and logged, and the result."""
    who = f"clerk {signed_in(request).subject}"
    sealed = {"text": bytes(found.text_sealed)}
    if found.reason_sealed is not None:
        sealed["reason"] = bytes(found.reason_sealed)
    opened = request.tower.open(found.child, sealed, f"{who}: decides an appeal")
    names = request.people.names([found.child], "an appeal is decided")
    result = Result.objects.filter(id=f"{row.id}-{found.child}").first()
    application = Application.objects.filter(id=f"{row.id}-{found.child}").first()
    choices = json.loads(application.choices) if application is not None else []
    listed = Place.objects.filter(round=row.id, child=found.child).order_by("choice")
    choices = list(dict.fromkeys([*choices, *(one.programme for one in listed)]))
    told = reading.told_to(request, row, found.child) if application is not None else None
    places = reading.named(row.id, [*choices, result.programme if result else ""])
    rules = reading.rules_of(row)
    return {
        "round": row,
        "appeal": found,
        "opened": opened,
        "name": names.get(found.child, ""),
        "state": DESK_STATES[result.state] if result else "",
        "held": places.get(result.programme) if result and result.state in HOLDING else None,
        "choices": [places[one] for one in choices if one in places],
        "why": [
            (places.get(one["programme"]), reason_text(rules, one))
            for one in (told["reasons"] if told else ())
        ],
        "open": found.state == tables.APPEALED and row.state == tables.OFFERED,
    }


def _round(key: str) -> Round:
    row = Round.objects.filter(id=key, state__in=reading.OUT).first()
    if row is None:
        raise Http404
    return row
