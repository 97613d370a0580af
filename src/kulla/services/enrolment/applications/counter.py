"""The counter: find a child by personal number, see which files wait, decide on a claim.

A child's own pages are those of families (family.py, editing.py, files.py), where a clerk may do
the same and signs it. Nothing that is sealed stands in a list: a clerk opens one child at a time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.services.enrolment import tables
from kulla.services.enrolment.applications.case import REASON, Case, case_of
from kulla.services.enrolment.applications.listing import (
    Claimed,
    claims_of,
    files_of,
    programmes_of,
)
from kulla.services.enrolment.applications.refusals import sentence
from kulla.services.enrolment.rounds import reading
from kulla.services.pages import PageRequest, open_to, read_command_id

WAITING_MAX: Final = 50
REASON_CHARS_MAX: Final = 500
_NUMBER_CHARS_MAX: Final = 40
CHILD_CHARS: Final = 32
_WAITING: Final = (
    "SELECT a.child, MIN(d.added_ms)"  # noqa: S608 - names of tables are ours
    f' FROM "{tables.DOCUMENT}" d JOIN "{tables.APPLICATION}" a ON a.id = d.application'
    " WHERE d.application >= %s AND d.application < %s AND LENGTH(d.application) = %s"
    f" AND d.kind = 'claim' AND a.state = '{tables.FILED}'"
    f' AND NOT EXISTS (SELECT 1 FROM "{tables.CLAIM}" c'
    " WHERE c.application = d.application AND c.decided_ms >= d.added_ms)"
    " GROUP BY a.child ORDER BY MIN(d.added_ms), a.child LIMIT %s"
)
_VERDICTS: Final = (tables.CONFIRMED, tables.REFUSED)


@open_to("clerk")
def counter(request: PageRequest) -> HttpResponse:
    """The rounds in which there is something to do. POST `number`, `round`: go to the child."""
    now = reading.now_of(request)
    shown = [one for one in reading.public_rounds(now) if one.phase != "ended"]
    number = request.POST.get("number", "").strip()[:_NUMBER_CHARS_MAX]
    wanted = request.POST.get("round", "")
    nobody = False
    if request.method == "POST" and any(one.row.id == wanted for one in shown):
        person = request.people.find_by_number(number) if number else None
        if person is not None:
            page = reverse("enrolment:child", args=[wanted, person.subject])
            return HttpResponseRedirect(page, status=303)
        nobody = True
    context = {
        "rounds": [(one, len(_waiting(one.row.id, WAITING_MAX))) for one in shown],
        "nobody": nobody,
        "number": number,
        "wanted": wanted,
    }
    status = 422 if nobody else 200
    return render(request, "enrolment/applications/counter.html", context, status=status)


@open_to("clerk")
def waiting(request: PageRequest, round_id: str) -> HttpResponse:
    """Applications with files that came after the last decision, the oldest first, with names."""
    now = reading.now_of(request)
    shown = reading.public_round(round_id, now)
    found = _waiting(shown.row.id, WAITING_MAX)
    names = request.people.names([child for child, _at in found], "files of enrolment to look at")
    context = {
        "shown": shown,
        "round": shown.row,
        "rows": [(child, names.get(child, ""), at) for child, at in found],
        "most": WAITING_MAX,
    }
    return render(request, "enrolment/applications/waiting.html", context)


def _waiting(round_id: str, limit: int) -> list[tuple[str, datetime]]:
    """(child, since when) of applications with a file for a claim and no decision after it."""
    first, length = f"{round_id}-", len(round_id) + 1 + CHILD_CHARS
    with connection.cursor() as cursor:
        # By the index on applications; '.' follows '-', so other rounds' rows are not read.
        cursor.execute(_WAITING, [first, f"{round_id}.", length, limit])
        rows = cursor.fetchall()
    return [(child, datetime.fromtimestamp(at_ms / 1000, UTC)) for child, at_ms in rows]


@open_to("clerk")
def decide(request: PageRequest, round_id: str, child: str, number: int) -> HttpResponse:
    """GET: the claim with its files. POST `verdict`, `reason`: sign the decision."""
    case = case_of(request, round_id, child)
    listed = {one.programme: one for one in programmes_of(case, case.choices)}
    claims = claims_of(case, listed) if case.filed else []
    claim = next((one for one in claims if one.number == number), None)
    if claim is None:
        raise Http404
    if request.method != "POST":
        return _show(case, claim)
    verdict, reason = request.POST.get("verdict", ""), request.POST.get("reason", "").strip()
    command_id = read_command_id(request.POST)
    problems = {}
    if not reason:
        problems["reason"] = "no-reason"
    elif len(reason) > REASON_CHARS_MAX:
        problems["reason"] = "long-reason"
    if problems or command_id is None or verdict not in _VERDICTS:
        return _show(case, claim, problems, status=422)
    sealed = request.tower.seal(case.child, {REASON: reason}, command_id)
    data = case.data(
        round=case.round,
        claim=number,
        change=case.changes,
        verdict=verdict,
        reason=sealed[REASON],
    )
    said = _("confirmed") if verdict == tables.CONFIRMED else _("refused")
    answer = case.send(
        "decide_claim",
        data,
        summary=[(_("Claim"), claim.title), (_("Decision"), said), (_("Reason"), reason)],
        done=case.address("child"),
        back=case.address("claim", str(number)),
    )
    assert isinstance(answer, HttpResponse), "a clerk's command goes to be signed"
    return answer


def _show(
    case: Case, claim: Claimed, problems: dict[str, str] | None = None, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "claim": claim,
        "files": files_of(case),
        "verdict": case.request.POST.get("verdict", ""),
        "reason": case.request.POST.get("reason", ""),
        "reason_chars_max": REASON_CHARS_MAX,
        "problems": {name: sentence(code) for name, code in (problems or {}).items()},
        "may_decide": case.shown.row.state in (tables.PUBLISHED, tables.CLOSED),
    }
    return case.show("claim", context, status=status)
