"""From a form of the settings to a command on one's own account, and its answer in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kulla.kernel.canonical import Value
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer
from kulla.services.accounts.acts import SERVICE_NAME
from kulla.services.pages import (
    UNAVAILABLE,
    UNAVAILABLE_OTHERWISE,
    PageRequest,
    Text,
    fresh_command_id,
    read_command_id,
    signed_in,
)

_REFUSED: Final[Mapping[str, Text]] = {
    "no-account": gettext_lazy("There is no account of yours yet, so there is nothing to change."),
    "taken": gettext_lazy("Another account has this already. Nothing was changed."),
    "too-many": gettext_lazy("You have as many as an account can have. Remove one first."),
    "last-way-in": gettext_lazy(
        "Without it you could not sign in any more. Add another address or a passkey first."
    ),
    "staff-signs": gettext_lazy(
        "You work here, so this is done in your role at work and signed with a passkey."
    ),
    "already-related": gettext_lazy("You act for this person already."),
    "same-person": gettext_lazy("This is your own code: give it to the other person."),
    "offer-unknown": gettext_lazy(
        "No code like this is waiting. It counts once and for fourteen days; check each letter, or "
        "ask for a new one."
    ),
    "too-many-tokens": gettext_lazy(
        "You have as many tokens as one person can have. Take one back first."
    ),
    "already-revoked": gettext_lazy("This token was taken back already."),
    "already-ended": gettext_lazy("It has ended already."),
    "annulled": gettext_lazy(
        "This was undone by the custodians. If you still want it, please start again."
    ),
    "until-past": gettext_lazy("The last day is over. Ask for a new code."),
}
_REFUSED_OTHERWISE: Final[Text] = gettext_lazy(
    "This could not be done. Nothing was changed: go back and look how things stand."
)
_STATUS: Final = {"refused": 409, "waiting": 202, "unavailable": 503}


@dataclass(frozen=True, slots=True)
class Question:
    """A page that asks before it does something: its words and where to go back to.

    `name` is who or what is meant, shown below `said`.
    """

    title: Text
    said: Text
    yes: Text
    back: str
    name: str = ""


def ask_own(
    request: PageRequest, name: str, command_id: bytes, data: Mapping[str, Value]
) -> Answer:
    """Hand a command on the account of the person who is signed in to the tower.

    An account is changed by its person alone, so nobody is acted for here.
    """
    return request.tower.submit(Command(SERVICE_NAME, name, command_id, signed_in(request), data))


def show(
    request: PageRequest,
    template: str,
    context: Mapping[str, Any],
    answer: Answer | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """A page with forms: a command id for them, and what became of the one that was posted."""
    posted = read_command_id(request.POST) if answer is not None else None
    done = request.GET.get("done", "")
    shown = {
        **context,
        "command": posted.hex() if posted else fresh_command_id(request),
        "answer": answer,
        "answer_text": in_words(answer) if answer else "",
        "done": int(done) if done.isdecimal() and len(done) < 13 else None,
    }
    if answer is not None:
        status = _STATUS[answer.status]
    response = render(request, template, shown, status=status)
    if status == 503:
        response["Retry-After"] = "30"
    return response


def put_question(
    request: PageRequest, question: Question, name: str, data: Mapping[str, Value]
) -> HttpResponse:
    """GET: ask. POST: do it and go back, or say why not."""
    context = {"question": question}
    command_id = read_command_id(request.POST)
    if request.method != "POST" or command_id is None:
        return show(request, "portal/mine/question.html", context)
    answer = ask_own(request, name, command_id, data)
    if answer.status == "accepted":
        return done(question.back, answer)
    return show(request, "portal/mine/question.html", context, answer)


def done(where: str, answer: Answer) -> HttpResponse:
    """To the page that says that it is done, with its receipt."""
    position = answer.positions[0] if answer.positions else ""
    return HttpResponseRedirect(f"{where}?done={position}", status=303)


def in_words(answer: Answer) -> str:
    """What became of a command that was not accepted."""
    if answer.status == "refused":
        return str(_REFUSED.get(answer.code, _REFUSED_OTHERWISE))
    if answer.status == "unavailable":
        return str(UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE))
    return _(
        "The embassies have not confirmed it yet. Send the form again: it is the same request, so "
        "nothing is done twice."
    )
