"""Writing an application: find programmes, put them in order, say what counts for you, send it.

Every button posts the whole form, so everything works without a script; each keeps the draft.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from kulla.services.enrolment.applications.case import Case, case_of
from kulla.services.enrolment.applications.draft import SIBLINGS_MAX, Draft, problems_of
from kulla.services.enrolment.applications.listing import (
    at_in_words,
    priority_of,
    programmes_of,
    siblings_in,
    siblings_of,
)
from kulla.services.enrolment.applications.refusals import sentence
from kulla.services.enrolment.applications.writing import (
    command_data,
    draft_for,
    draft_name,
    keep_draft,
    posted_draft,
)
from kulla.services.enrolment.policy.rules import Claim, Priority
from kulla.services.enrolment.rounds import reading
from kulla.services.enrolment.rounds.prose import title_of
from kulla.services.enrolment.rounds.public import ages_of, grade_name
from kulla.services.enrolment.rounds.reading import Offered
from kulla.services.pages import PageRequest, open_to, read_command_id

FOUND_MAX: Final = 25
_WANTED_CHARS_MAX: Final = 60


@open_to("citizen", "clerk")
def write(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """GET: the draft, with programmes found. POST `do`: an edit, a search, or on to the check."""
    case = case_of(request, round_id, child)
    if not case.may_change:
        return case.show("closed", {}, status=409 if request.method == "POST" else 200)
    if case.child_facts() is None:
        return HttpResponseRedirect(case.address("child-enter"))
    draft = draft_for(case)
    if request.method != "POST":
        return _show(case, draft)
    do = request.POST.get("do", "")
    if do == "drop":
        request.drafts.forget(draft_name(case))
        return HttpResponseRedirect(case.address("child-apply"), status=303)
    change = case.changes if do == "mine" else draft.change
    draft = posted_draft(case, request.POST, change)
    problems: dict[str, str] = {}
    if do == "sibling" and case.staff:
        draft, problems = _with_sibling(case, draft)
    keep_draft(case, draft)
    if problems:
        return _show(case, draft, problems, status=422)
    if do == "check":
        problems = problems_of(draft, case.rules, case.grades())
        if problems:
            return _show(case, draft, problems, status=422)
        return HttpResponseRedirect(case.address("child-check"), status=303)
    if do == "leave":
        return HttpResponseRedirect(case.address("child"), status=303)
    return HttpResponseRedirect(_onward(case, do), status=303)


def _with_sibling(case: Case, draft: Draft) -> tuple[Draft, dict[str, str]]:
    """The draft with the sibling whose personal number stands on the paper form."""
    number = case.request.POST.get("sibling_number", "").strip()[:_WANTED_CHARS_MAX]
    person = case.request.people.find_by_number(number) if number else None
    if person is None or person.subject == case.child:
        return draft, {"sibling_number": "no-sibling"}
    siblings = tuple(dict.fromkeys((*draft.siblings, person.subject)))[:SIBLINGS_MAX]
    return replace(draft, siblings=siblings), {}


def _onward(case: Case, do: str) -> str:
    """The page again, with the same search, at the part that was worked on."""
    post = case.request.POST
    wanted = {name: post.get(name, "")[:_WANTED_CHARS_MAX] for name in ("place", "q")}
    searched = do == "search" or post.get("searched") == "1"
    query = urlencode({"find": "1", **wanted}) if searched else ""
    place = "found" if do == "search" else "find" if do.startswith("add:") else "list"
    place = "siblings" if do == "sibling" else place
    return f"{case.address('child-apply')}{'?' if query else ''}{query}#{place}"


def _show(
    case: Case, draft: Draft, problems: dict[str, str] | None = None, *, status: int = 200
) -> HttpResponse:
    get = case.request.GET
    wanted = {name: get.get(name, "")[:_WANTED_CHARS_MAX] for name in ("place", "q")}
    found: list[Offered] = []
    searched = "find" in get and bool(draft.grade)
    if searched:
        rows = reading.search(case.round, wanted["place"], draft.grade, wanted["q"])
        found = reading.offered(rows, case.rules)
    listed = programmes_of(case, draft.choices)
    grades = case.grades()
    most = {"max": case.rules.choices_max}
    context: dict[str, Any] = {
        "draft": draft,
        "problems": {name: sentence(code, most) for name, code in (problems or {}).items()},
        "grades": [(grade, grade_name(case.rules, grade)) for grade in grades],
        "grade": grade_name(case.rules, draft.grade) if draft.grade else "",
        "ages": ages_of(case.rules) if not grades else [],
        "facts": case.child_facts(),
        "listed": listed,
        "places": reading.places_of(case.round),
        "wanted": wanted,
        "searched": searched,
        "found": [(one, one.programme in draft.choices) for one in found[:FOUND_MAX]],
        "found_count": len(found),
        "claims": [_claimable(case, draft, one, listed) for one in case.rules.priorities],
        "siblings": [
            (one, one.subject in draft.siblings) for one in siblings_of(case, draft.siblings)
        ],
        "overtaken": draft.change != case.changes,
    }
    return case.show("write", context, status=status)


def _claimable(
    case: Case, draft: Draft, priority: Priority, listed: list[Offered]
) -> dict[str, Any]:
    """A priority as the form asks for it: a box for each school or programme it can name."""
    facts = case.child_facts()
    title = title_of(priority)
    boxes: list[tuple[str, str]] = []
    if priority.where == "school":
        boxes = list(dict.fromkeys((one.school, one.school_name) for one in listed))
    elif priority.where == "programme":
        boxes = [(one.programme, f"{one.school_name}, {one.name}") for one in listed]
    elif priority.where == "area":
        boxes = [(facts.area, facts.area.title())] if facts and facts.area else []
    else:
        boxes = [("", title)]
    claimed = {claim.at for claim in draft.claims if claim.kind == priority.kind}
    return {
        "kind": priority.kind,
        "title": title,
        "where": priority.where,
        "document": priority.document,
        "boxes": [(f"{priority.kind}:{at}", words, at in claimed) for at, words in boxes],
    }


@open_to("citizen", "clerk", limit="acts")
def check(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """GET: what will be sent. POST: send it; a clerk signs it first."""
    case = case_of(request, round_id, child)
    if not case.may_change:
        return case.show("closed", {}, status=409 if request.method == "POST" else 200)
    draft = draft_for(case) if case.child_facts() is not None else Draft()
    if problems_of(draft, case.rules, case.grades()):
        return HttpResponseRedirect(case.address("child-apply"))
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        return _show_check(case, draft, status=422 if request.method == "POST" else 200)
    data = command_data(case, draft, command_id)
    done = f"{case.address('child')}?sent=1"
    if case.row is not None and bytes(case.row.commitment) == data["commitment"]:
        return HttpResponseRedirect(done, status=303)  # it was sent before, and is here again
    answer = case.send(
        "apply",
        data,
        summary=_summary(case, draft),
        done=done,
        back=case.address("child-apply"),
    )
    if isinstance(answer, HttpResponse):
        if not case.staff:
            request.drafts.forget(draft_name(case))
        return answer
    return _show_check(case, draft, answer)


def _show_check(case: Case, draft: Draft, answer: Any = None, *, status: int = 200) -> HttpResponse:
    listed = programmes_of(case, draft.choices)
    facts = draft.facts("")
    context = {
        "draft": draft,
        "grade": grade_name(case.rules, draft.grade),
        "listed": listed,
        "claims": [_in_words(case, claim, listed) for claim in draft.claims],
        "needs_document": any(
            (priority := priority_of(case.rules, claim.kind)) and priority.document
            for claim in draft.claims
        ),
        "siblings": siblings_in(case, facts),
        "facts": case.child_facts(),
    }
    return case.show("check", context, answer, status=status)


def _in_words(case: Case, claim: Claim, listed: list[Offered]) -> tuple[str, str, bool]:
    priority = priority_of(case.rules, claim.kind)
    title = title_of(priority) if priority else claim.kind
    at = at_in_words(claim, {one.programme: one for one in listed})
    return title, at, bool(priority and priority.document)


def _summary(case: Case, draft: Draft) -> list[tuple[str, str]]:
    """What a clerk signs, in words; which claims are named stays on the page before."""
    listed = programmes_of(case, draft.choices)
    lines = [
        (_("Round"), case.shown.row.title),
        (_("Grade"), grade_name(case.rules, draft.grade)),
    ]
    lines += [
        (str(number), f"{one.school_name}, {one.name}") for number, one in enumerate(listed, 1)
    ]
    lines.append((_("Claims"), str(len(draft.claims))))
    return lines
