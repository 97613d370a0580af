"""A child's result, for who may act for the child: the offer, why not higher, lists, answers.

Another's child is not found. Everything works without script; each answer is asked about once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.enrolment import tables
from kulla.services.enrolment.acts import SERVICE_NAME
from kulla.services.enrolment.models import Appeal, Application, Result, Round
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.results import reading
from kulla.services.enrolment.results.checking import check_own
from kulla.services.enrolment.results.known import HOLDING
from kulla.services.enrolment.results.words import (
    FAULTS,
    RESULT_STATES,
    in_words,
    local,
    reason_text,
)
from kulla.services.pages import (
    ActedFor,
    PageRequest,
    ask,
    fresh_command_id,
    open_to,
    read_command_id,
    signed_in,
)

ANSWERS: Final = (tables.ACCEPTED, tables.WAITING, tables.DECLINED)
APPEAL_CHARS_MAX: Final = 3000
_FORM: Final = "enrolment-appeal"
_DONE: Final = 303


@open_to("citizen")
def result(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """The child's offer in big letters, the reasons, places in lists, and what can be answered."""
    return show(request, "result", **_context(request, round_id, child))


@open_to("citizen")
def mine(request: PageRequest) -> HttpResponse:
    """All results of the person who is signed in, and of those for whom they may act."""
    whose = {one.subject: one.name for one in request.acting_for.people()}
    whose[signed_in(request).subject] = ""
    rounds = reading.opened_rounds(request)
    results = Result.objects.filter(child__in=list(whose), round__in=list(rounds))
    found = [
        {
            "row": row,
            "round": rounds[row.round],
            "name": whose[row.child],
            "state": RESULT_STATES[row.state],
        }
        for row in results.order_by("-position")
    ]
    return show(request, "mine", found=found)


@open_to("citizen", limit="acts")
def answer(request: PageRequest, round_id: str, child: str, answer: str) -> HttpResponse:
    """GET: is this the answer? POST: it is."""
    if answer not in ANSWERS:
        raise Http404
    context = _context(request, round_id, child) | {"wanted": answer}
    if request.method != "POST":
        return show(request, "answer", **context)
    data: dict[str, Value] = {"round": round_id, "answer": answer}
    return _ask(request, "answer_offer", data, "answer", context)


@open_to("citizen", limit="acts")
def leave(request: PageRequest, round_id: str, child: str, programme: str) -> HttpResponse:
    """GET: leave this waiting list? POST: leave it."""
    context = _context(request, round_id, child)
    waits = [one for one in context["waits"] if one["waits"].programme == programme]
    if not waits and request.method != "POST":
        raise Http404
    context |= {"leaving": waits[0] if waits else None}
    if request.method != "POST":
        return show(request, "leave", **context)
    data: dict[str, Value] = {"round": round_id, "programmes": [programme]}
    return _ask(request, "leave_lists", data, "leave", context)


@open_to("citizen", limit="acts")
def appeal(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """GET: write an appeal, and read decisions. POST: send it; what is typed is never lost."""
    context = _context(request, round_id, child) | {"chars_max": APPEAL_CHARS_MAX}
    typed = request.POST.get("text", "").strip().replace("\r\n", "\n")
    if request.method != "POST":
        typed = request.kept.typed(_FORM).get("text", "")
    problem = ""
    if request.method == "POST" and not typed:
        problem = _("Write in a few sentences what you ask for, and why.")
    elif len(typed) > APPEAL_CHARS_MAX:
        problem = _("At most %(max)s characters, please.") % {"max": APPEAL_CHARS_MAX}
    context |= {"typed": typed, "problem": problem, "kept_mark": request.kept.mark(_FORM)}
    command_id = read_command_id(request.POST)
    if request.method != "POST" or problem or command_id is None:
        context["appeals"] = _appeals(request, round_id, child)
        return show(request, "appeal", status=422 if request.method == "POST" else 200, **context)
    text = request.tower.seal(child, {"text": typed}, command_id)["text"]
    data: dict[str, Value] = {"round": round_id, "text": text}
    response = _ask(request, "appeal", data, "appeal", context)
    if response.status_code == _DONE:
        request.kept.forget(response)
    return response


@open_to("citizen")
def check(request: PageRequest, round_id: str, child: str) -> HttpResponse:
    """The own application and result against the public transcript, step by step."""
    context = _context(request, round_id, child)
    row: Round = context["round"]
    application = Application.objects.filter(id=f"{round_id}-{child}").first()
    context["checked"] = check_own(request, row, application, context["told"])
    return show(request, "check", **context)


def _ask(
    request: PageRequest,
    name: str,
    data: Mapping[str, Value],
    page: str,
    context: dict[str, Any],
) -> HttpResponse:
    """Hand the command in for the child: back to the result where it was done, else say why not."""
    command_id = read_command_id(request.POST)
    if command_id is None:
        return show(request, page, status=422, **context)
    child: ActedFor = context["child"]
    _command, answer = ask(request, SERVICE_NAME, name, command_id, data, whom=child.subject)
    if answer.status == "accepted" or answer.code in ("same-answer", "not-in-list"):
        address = reverse("enrolment:result", args=[context["round"].id, child.subject])
        return HttpResponseRedirect(address, status=_DONE)
    return show(request, page, answer, **context)


def show(
    request: PageRequest,
    page: str,
    answer: Answer | None = None,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """A page with its hidden command id: a fresh one, or the one that was posted, kept as it is."""
    posted = read_command_id(request.POST)
    shown = {
        **context,
        "command": posted.hex() if posted else fresh_command_id(request),
        "answer": answer,
        "answer_text": in_words(answer) if answer else "",
    }
    if answer is not None:
        status = {"refused": 409, "waiting": 202, "unavailable": 503}[answer.status]
    response = render(request, f"enrolment/results/{page}.html", shown, status=status)
    if status == 503:
        response["Retry-After"] = "30"
    return response


def _context(request: PageRequest, round_id: str, child: str) -> dict[str, Any]:
    """All that the child's pages show. Raises Http404 for another's child, or before results."""
    whose = reading.child_of(request, child)
    row = reading.opened_round(request, round_id)
    found = reading.result_of(round_id, child)
    rules = reading.rules_of(row)
    application = Application.objects.filter(id=f"{round_id}-{child}").first()
    told = reading.told_to(request, row, child) if application is not None else None
    waits = reading.waits_of(round_id, child)
    choices = json.loads(application.choices) if application is not None else []
    names = reading.named(round_id, [*choices, found.programme, *(one.programme for one in waits)])
    until_s = max(found.answer_by_s, row.answer_by_s)
    now_s = request.clock.now_ms() // 1000
    return {
        "round": row,
        "child": whose,
        "result": found,
        "settled": found.position < reading.watermark(request),
        "state": RESULT_STATES[found.state],
        "offer": names.get(found.programme) if found.state in HOLDING else None,
        "until": local(until_s, row.zone),
        "late": now_s > until_s,
        "told": told,
        "fault": FAULTS.get(str(told["fault"])) if told else None,
        "higher": _higher(rules, told, names),
        "first": _first(told, names),
        "waits": [{"waits": one, "named": names.get(one.programme)} for one in waits],
        **_answers(found, bool(waits), row.state == tables.OFFERED, now_s > until_s),
    }


def _answers(found: Result, has_lists: bool, is_open: bool, late: bool) -> dict[str, bool]:
    """Which answers a family can give now."""
    held = is_open and found.state in HOLDING
    in_time = found.state != tables.OPEN or not late
    return {
        "may_accept": held and found.state != tables.ACCEPTED and in_time,
        "may_wait": held and found.state != tables.WAITING and has_lists and in_time,
        "may_decline": held,
        "may_leave": is_open and has_lists,
        "may_appeal": is_open,
    }


def _higher(
    rules: Rules, told: Mapping[str, Any] | None, names: Mapping[str, reading.Named]
) -> list[dict[str, Any]]:
    """Each higher choice with the reason, as the allocation found it."""
    return [
        {
            "choice": reason["choice"],
            "named": names.get(reason["programme"]),
            "text": reason_text(rules, reason),
        }
        for reason in (told["reasons"] if told else ())
    ]


def _first(
    told: Mapping[str, Any] | None, names: Mapping[str, reading.Named]
) -> reading.Named | None:
    """Where the allocation placed the child, which lists may have moved since."""
    return names.get(str(told["programme"])) if told else None


def _appeals(request: PageRequest, round_id: str, child: str) -> list[dict[str, Any]]:
    """The family's appeals with the decisions, opened for this page."""
    found = []
    for row in Appeal.objects.filter(round=round_id, child=child).order_by("-appealed_ms"):
        sealed = {"text": bytes(row.text_sealed)}
        if row.reason_sealed is not None:
            sealed["reason"] = bytes(row.reason_sealed)
        opened = request.tower.open(child, sealed, "who acts for the child reads its appeal")
        found.append({"row": row, "opened": opened})
    return found
