"""The room's words: a round's state, what it still lacks, and the policy's no, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.enrolment import tables
from kulla.services.pages import UNAVAILABLE, UNAVAILABLE_OTHERWISE, Text

STATES: Final[Mapping[str, Text]] = {
    tables.PREPARED: _("being prepared"),
    tables.PUBLISHED: _("published"),
    tables.CLOSED: _("closed, the lottery is to be drawn"),
    tables.DRAWN: _("drawn, seats are to be allocated"),
    tables.ALLOCATED: _("allocated, results are to be opened"),
    tables.OFFERED: _("results are out"),
    tables.ENDED: _("ended"),
}

PHASES: Final[Mapping[str, Text]] = {
    "before": _("not open yet"),
    "open": _("open for applications"),
    "waiting": _("applying is over"),
    "results": _("results are out"),
    "ended": _("ended"),
}

KINDS: Final[Mapping[str, Text]] = {
    "sibling": _("A brother or sister at the school"),
    "catchment": _("Living in the school's area"),
    "staff": _("A parent works at the school"),
    "special-need": _("A special need"),
    "looked-after": _("A child in public care"),
    "former-pupil": _("A former pupil of the school"),
    "social": _("A family with few means"),
}
"""Titles of priorities that many countries have; the ministry may word its own."""

_MISSING: Final[Mapping[str, Text]] = {
    "no-rules": _("Set the rules."),
    "no-programmes": _("Enter the programmes with their seats."),
    "closes-past": _("Applying would be over already: set later days."),
    "parent-not-offered": _("The results of the main round %(subject)s are not out yet."),
    "pool-unknown": _("Programme %(subject)s has seats in a pool that the rules lack: %(detail)s."),
    "grade-unknown": _(
        "Programme %(subject)s is for a grade whose ages the rules lack: %(detail)s."
    ),
    "grade-empty": _(
        "The rules have ages for the grade %(subject)s, and nothing is offered to it."
    ),
}

_WRONG: Final[Mapping[str, Text]] = {
    "twice": _("it stands twice"),
    "misshapen": _("it is not as it has to be"),
    "no-open-pool": _("a pool that is open to everybody has to be there"),
    "priority-unknown": _("it is for a priority that is not in the list"),
}

_REFUSALS: Final[Mapping[str, Text]] = {
    "round-exists": _("There is a round of this name already. Choose another one."),
    "round-unknown": _("There is no such round."),
    "parent-unknown": _("A complementary round follows a main round that there is."),
    "days-not-in-order": _("The days are not in order."),
    "school-unknown": _("There is no school %(school)s. Enter the schools first."),
    "no-seats": _("The programme %(programme)s has no seat."),
    "programme-unknown": _("There is no such programme any more."),
    "stands": _("The round is published: its rules, programmes and seats stand."),
    "not-published": _("The round is not published, or it is over."),
    "moved-earlier": _("A published day moves to later only."),
    "not-moved": _("No day was moved."),
    "day-past": _("This day does not move any more: it has come."),
    "too-early": _("Families may still apply. Close the list once applying is over."),
    "not-offered": _("Only a round whose results are out can end."),
    "answers-open": _("Families may still answer."),
    "no-role": _("You don't have this role any more. Ask an operator."),
    "not-allowed": _("Your role may not do this."),
    "malformed": _("Something in this form was not as this site sends it. Please start again."),
}
_OTHERWISE: Final[Text] = _("The rules of this service do not allow it.")


def missing_text(code: str, subject: str, detail: str) -> str:
    """What a round lacks, in a sentence that says what to do."""
    return str(_MISSING.get(code, _OTHERWISE)) % {"subject": subject, "detail": detail}


def rules_wrong_text(place: str, why: str) -> str:
    """Where rules are wrong, and why."""
    said = _("The rules can't be obeyed at %(place)s: %(why)s.")
    return str(said) % {"place": place, "why": str(_WRONG.get(why, _OTHERWISE))}


def sentence(code: str, detail: Mapping[str, Value]) -> str:
    """The refusal in the language of the page; a code that is new here gets a general sentence."""
    if code == "rules-wrong":
        return rules_wrong_text(str(detail.get("place", "")), str(detail.get("why", "")))
    if code == "not-complete":
        rows = detail.get("missing")
        rows = rows if isinstance(rows, list | tuple) else ()
        told = [missing_text(*map(str, row)) for row in rows if isinstance(row, list | tuple)]
        return " ".join([str(_("The round is not complete.")), *told])
    try:
        return str(_REFUSALS.get(code, _OTHERWISE)) % detail
    except (KeyError, TypeError):  # a detail that this release does not know of
        return str(_OTHERWISE)


def in_words(answer: Answer) -> str:
    """Why a command was refused or could not be done; '' where it was accepted or waits."""
    if answer.status == "refused":
        return sentence(answer.code, answer.detail)
    if answer.status == "unavailable":
        return str(UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE))
    return ""
