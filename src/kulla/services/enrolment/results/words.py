"""The room's words: states, reasons and the policies' no, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from kulla.kernel import dates
from kulla.kernel.canonical import Value
from kulla.kernel.tower import Answer
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.pages import UNAVAILABLE, UNAVAILABLE_OTHERWISE, Text

RESULT_STATES: Final[Mapping[str, Text]] = {
    tables.NOT_OFFERED: _("no place yet"),
    tables.OPEN: _("waiting for your answer"),
    tables.ACCEPTED: _("accepted"),
    tables.WAITING: _("kept, while waiting for a higher choice"),
    tables.DECLINED: _("declined"),
    tables.LAPSED: _("not answered in time"),
}

DESK_STATES: Final[Mapping[str, Text]] = {
    **RESULT_STATES,
    tables.OPEN: _("waiting for the family's answer"),
}
"""The same for staff, who answer nothing themselves."""

_REFUSALS: Final[Mapping[str, Text]] = {
    "round-unknown": _("There is no such round."),
    "round-state": _("The round is not at the point where this can be done."),
    "asked-already": _("The allocation was asked for already; it is on its way."),
    "no-result": _("This round has no result of this child."),
    "no-offer": _("There is no place to answer for: it went to the next child, or was given up."),
    "same-answer": _("That is your answer already."),
    "deadline-passed": _("The time to answer is over, and the place went to the next child."),
    "no-list": _("There is no waiting list left to wait in."),
    "not-in-list": _("The child does not wait in this list any more."),
    "appeal-open": _("Your last appeal is not decided yet. Please wait for the decision."),
    "too-many-appeals": _("At most %(max)s appeals can be made in one round."),
    "appeal-unknown": _("There is no such appeal."),
    "appeal-decided": _("This appeal was decided already."),
    "programme-unknown": _("There is no such programme in this round."),
    "placed-already": _("The child has a place already. The family has to answer it first."),
    "listed-already": _("The child waits in this list already, or has left it."),
    "other-grade": _("All programmes have to be of one grade."),
    "child-unknown": _("This child was not entered yet. Enter the child at the counter first."),
    "round-exists": _("There is a round of this name already. Choose another one."),
    "no-free-seats": _("No seat is free, so there is nothing to give away."),
    "no-role": _("You don't have this role any more. Ask an operator."),
    "not-allowed": _("Your role may not do this."),
    "not-acting-for": _(
        "You can't act for this person, or not any more. Ask them, or ask at a counter."
    ),
    "malformed": _("Something in this form was not as this site sends it. Please start again."),
}
_OTHERWISE: Final[Text] = _("The rules of this service do not allow it.")


def in_words(answer: Answer) -> str:
    """What became of a command, as a sentence; '' where it was accepted."""
    if answer.status == "refused":
        text = str(_REFUSALS.get(answer.code, _OTHERWISE))
        try:
            return text % answer.detail
        except (KeyError, TypeError):  # a detail that this release does not know of
            return str(_OTHERWISE)
    if answer.status == "unavailable":
        return str(UNAVAILABLE.get(answer.code, UNAVAILABLE_OTHERWISE))
    if answer.status == "waiting":
        return gettext(
            "The embassies have not confirmed it yet. Send the form again: it is the same request, "
            "so nothing is done twice."
        )
    return ""


def title_of(rules: Rules, kind: str) -> str:
    """A priority's title as the ministry words it; none is said in words."""
    for priority in rules.priorities:
        if priority.kind == kind:
            return priority.title
    return gettext("none")


def reason_text(rules: Rules, reason: Mapping[str, Value]) -> str:
    """Why there is no place at one higher choice, as a sentence for the family."""
    about = {
        "own": title_of(rules, str(reason["own"])),
        "last": title_of(rules, str(reason["last"])),
        "number": reason["number"],
        "under": reason["under"],
    }
    return _reason_sentence(str(reason["code"]), bool(reason["last"])) % about


def _reason_sentence(code: str, last_is_told: bool) -> str:
    if code == "lottery":
        return gettext(
            "Among children with the same priority (%(own)s) the lottery decided: those with a "
            "number under %(under)s have a place. Your child's number is %(number)s."
        )
    if code == "priority" and last_is_told:
        return gettext("The last child admitted had priority: %(last)s. Yours: %(own)s.")
    if code == "priority":
        return gettext("All places went to children with a stronger priority. Yours: %(own)s.")
    if code == "not-eligible":
        return gettext("Its places are kept for children with a claim that yours has not.")
    if code == "no-seats":
        return gettext("It has no places in this round.")
    return gettext(
        "Your child's priority: %(own)s. How far the lottery came is not told here, since it could "
        "tell something about another child; an auditor sees it."
    )


FAULTS: Final[Mapping[str, Text]] = {
    "age": _("The child is too old or too young for this grade, so no choice counted."),
    "commitment": _(
        "The application is not what was committed to when it was filed, so no choice counted. "
        "Please appeal: this must not happen."
    ),
    "sealed": _(
        "The application could not be opened, so no choice counted. Please appeal: this must not "
        "happen."
    ),
}


def local(seconds: int, zone: str) -> datetime:
    """An instant in a round's zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone))


def moment(seconds: int, zone: str) -> str:
    """An instant in words, for a summary that is signed."""
    return dates.moment(local(seconds, zone), dates.known(get_language()))
