"""A family's pages: the children with their applications, one child's application, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.applications.case import FACTS, Case, case_of
from kulla.services.enrolment.applications.child import (
    ADDRESS_CHARS_MAX,
    ChildFacts,
    area_of,
    child_text,
)
from kulla.services.enrolment.applications.listing import (
    claims_of,
    files_of,
    history_of,
    programmes_of,
    siblings_in,
)
from kulla.services.enrolment.applications.policy import DOCUMENTS_MAX
from kulla.services.enrolment.applications.refusals import sentence
from kulla.services.enrolment.applications.words import CHANGES, PAPERS, WHOSE
from kulla.services.enrolment.applications.writing import draft_name
from kulla.services.enrolment.models import Application
from kulla.services.enrolment.rounds import reading
from kulla.services.enrolment.rounds.reading import Shown
from kulla.services.pages import ActedFor, CivilEntry, PageRequest, open_to, read_command_id

_REFRESH_S: Final = 4


@dataclass(frozen=True, slots=True)
class Applying:
    """A child in a round that families see: the application, or None."""

    child: ActedFor
    shown: Shown
    row: Application | None
    settled: bool

    @property
    def filed(self) -> bool:
        """Whether an application stands."""
        return self.row is not None and self.row.state == tables.FILED


@open_to("citizen")
def children(request: PageRequest) -> HttpResponse:
    """My children, each with the rounds that are open or in which they have an application."""
    now = reading.now_of(request)
    wards = [one for one in request.acting_for.people() if one.kind == "child"]
    shown = reading.public_rounds(now)
    keys = [f"{one.row.id}-{ward.subject}" for one in shown for ward in wards]
    rows = Application.objects.in_bulk(keys)
    listed = []
    for ward in wards:
        found = []
        for one in shown:
            row = rows.get(f"{one.row.id}-{ward.subject}")
            if row is not None or one.phase in ("open", "before"):
                settled = row is not None and row.position < now.watermark
                found.append(Applying(ward, one, row, settled))
        listed.append((ward, found))
    return render(request, "enrolment/applications/children.html", {"children": listed})


@open_to("citizen", "clerk")
def child(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """A child's application as it stands: programmes, claims, files, and what was done to it."""
    case = case_of(request, round_id, child)
    response = case.show("child", _application(case))
    if case.row is not None and not case.settled and "again" not in request.GET:
        # Once by itself, then only when asked: a page that keeps moving can't be read aloud.
        response["Refresh"] = f"{_REFRESH_S}; url={request.path}?again=1"
    if case.staff and "sent" in request.GET:
        request.drafts.forget(draft_name(case))
    return response


def _application(case: Case) -> dict[str, Any]:
    listed = programmes_of(case, case.choices)
    facts = case.facts() if case.filed else None
    claims = claims_of(case, {one.programme: one for one in listed}) if case.filed else []
    files = files_of(case)
    about = {one.about for one in files}
    return {
        "listed": listed if case.filed else [],
        "claims": claims,
        "lacking": [
            one
            for one in claims
            if one.document and one.state == tables.CLAIMED and one.title not in about
        ],
        "siblings": siblings_in(case, facts) if facts else [],
        "files": files,
        "files_max": DOCUMENTS_MAX,
        "history": [
            (one, CHANGES.get(one.what, one.what), WHOSE[one.whose]) for one in history_of(case)
        ],
        "sent": "sent" in case.request.GET,
        "asked_again": "again" in case.request.GET,
        "other_changed": case.row is not None and not case.own_change,
        "by_counter": case.row is not None and case.row.by == "counter",
        "withdrawn": case.row is not None and case.row.state == tables.WITHDRAWN,
        "applied": acts.APPLIED,
    }


@open_to("citizen", "clerk", limit="acts")
def enter(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """GET: what the civil register says of the child. POST: that is right, apply with it.

    A counter may enter a child whom the register does not know, from a document.
    """
    case = case_of(request, round_id, child)
    entry = request.civil.entry(case.child)
    facts: ChildFacts | None
    problems: dict[str, str] = {}
    posted = request.method == "POST"
    command_id = read_command_id(request.POST)
    if entry is not None and not (case.staff and "by_hand" in request.GET):
        facts, document = _from_register(entry), ""
    elif case.staff:
        facts, document, problems = _typed(case)
    else:
        return _show_enter(case, entry, status=409 if posted else 200)
    if not posted or command_id is None or problems or facts is None:
        shown = problems if posted else {}
        return _show_enter(case, entry, shown, status=422 if posted else 200)
    sealed = request.tower.seal(case.child, {FACTS: child_text(facts)}, command_id)
    data = case.data(facts=sealed[FACTS], source="counter" if document else "register")
    if document:
        data["document"] = document
    answer = case.send(
        "enter_child",
        data,
        summary=[
            (_("Born"), facts.born),
            (_("Address"), facts.address),
            (_("Document"), str(PAPERS[document]) if document else _("civil register")),
        ],
        done=case.address("child-apply"),
        back=case.address("child-enter"),
    )
    if isinstance(answer, HttpResponse):
        return answer
    return _show_enter(case, entry, answer=answer)


def _from_register(entry: CivilEntry) -> ChildFacts:
    return ChildFacts(entry.born, entry.address, entry.area)


def _typed(case: Case) -> tuple[ChildFacts | None, str, dict[str, str]]:
    """What a clerk typed from a document: facts, which document, and what is wrong, by field."""
    post = case.request.POST
    typed = {name: post.get(name, "").strip() for name in ("born", "address", "town", "document")}
    problems: dict[str, str] = {}
    born = _day(typed["born"])
    if not typed["born"]:
        problems["born"] = "no-born"
    elif born is None:
        problems["born"] = "bad-born"
    if len(typed["address"]) > ADDRESS_CHARS_MAX:
        problems["address"] = "long-address"
    if typed["document"] not in PAPERS:
        problems["document"] = "no-paper"
    if problems or born is None:
        return None, "", problems
    towns = {town for _county, towns in reading.places_of(case.round) for town in towns}
    area = area_of(typed["town"]) if typed["town"] in towns else ""
    return ChildFacts(born.isoformat(), typed["address"], area), typed["document"], {}


def _day(typed: str) -> date | None:
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        return None
    return day if 1900 < day.year < 2200 else None


def _show_enter(
    case: Case,
    entry: CivilEntry | None,
    problems: dict[str, str] | None = None,
    answer: Any = None,
    *,
    status: int = 200,
) -> HttpResponse:
    by_hand = case.staff and (entry is None or "by_hand" in case.request.GET)
    context = {
        "entry": _from_register(entry) if entry else None,
        "by_hand": by_hand,
        "problems": {name: sentence(code) for name, code in (problems or {}).items()},
        "typed": case.request.POST,
        "papers": PAPERS.items(),
        "places": reading.places_of(case.round) if by_hand else [],
        "known": case.child_facts(),
    }
    return case.show("enter", context, answer, status=status)


@open_to("citizen", "clerk", limit="acts")
def withdraw(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """GET: is it really to be withdrawn? POST: do it."""
    case = case_of(request, round_id, child)
    if case.row is None:
        raise Http404
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        return case.show("withdraw", {}, status=422 if request.method == "POST" else 200)
    answer = case.send(
        "withdraw",
        case.data(round=case.round),
        summary=[(_("Round"), case.shown.row.title), (_("Withdraw"), _("the application"))],
        done=case.address("child"),
        back=case.address("child"),
    )
    if isinstance(answer, HttpResponse):
        return answer
    if answer.code == "already-withdrawn":
        return HttpResponseRedirect(case.address("child"), status=303)
    return case.show("withdraw", {}, answer)
