"""What letters about school enrolment say: that there is something to read, and until when.

A mail may be read by others on its way and on a shared telephone. So no letter names a school, a
class, a child or an outcome: 'the result is there', and where to see it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from kulla.services.messages.words import SMS_MAX, footer

Said = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class SchoolOccasion:
    """What a letter is about. `page`: where a guardian sees it, after signing in.

    `until`: until when to answer, in words, '' where nothing is to be answered. `days`: until when
    families may apply, when results come, until when to answer; '' for a day that stays. `again`:
    the application was there before.
    """

    page: str
    until: str = ""
    days: tuple[str, ...] = ("", "", "")
    again: bool = False


def compose(kind: str, occasion: SchoolOccasion, site: str) -> tuple[str, str]:
    """Subject and body (plain text) of a letter of this kind; `site` is the portal's address."""
    subject, body = _KINDS[kind](occasion)
    lines = [*body, "", _("You see it here (sign in first):"), occasion.page, *footer(site)]
    return subject, "\n".join(lines) + "\n"


def compose_short(kind: str, occasion: SchoolOccasion) -> str:
    """The same for a telephone: one text of at most SMS_MAX characters."""
    _subject, body = _KINDS[kind](occasion)
    return " ".join(line for line in body if line)[:SMS_MAX]


def _answer_by(occasion: SchoolOccasion) -> list[str]:
    if not occasion.until:
        return []
    return ["", _("Please answer by %(until)s.") % {"until": occasion.until}]


def _applied(occasion: SchoolOccasion) -> Said:
    if occasion.again:
        return _("The application for school was changed"), [
            _("An application for school of a child in your care was changed."),
            "",
            _("All guardians of the child get this letter. If it surprises you, look at it."),
        ]
    return _("The application for school is received"), [
        _("An application for school of a child in your care is received and confirmed."),
        "",
        _("All guardians of the child get this letter. When one applies does not matter."),
    ]


def _withdrawn(_occasion: SchoolOccasion) -> Said:
    return _("The application for school was withdrawn"), [
        _("An application for school of a child in your care was withdrawn."),
        "",
        _("All guardians of the child get this letter. If it surprises you, look at it."),
    ]


def _result(occasion: SchoolOccasion) -> Said:
    return _("The result of school enrolment is there"), [
        _("The result of school enrolment of a child in your care is there."),
        *_answer_by(occasion),
    ]


def _place(occasion: SchoolOccasion) -> Said:
    return _("A place at a school became free"), [
        _("A waiting list moved: a place became free for a child in your care."),
        *_answer_by(occasion),
    ]


def _answer(occasion: SchoolOccasion) -> Said:
    return _("Reminder: a school offer waits for your answer"), [
        _("An offer of a place at a school for a child in your care waits for an answer."),
        *_answer_by(occasion),
        _("After that the place goes to another child."),
    ]


def _answered(_occasion: SchoolOccasion) -> Said:
    return _("An offer of a place at a school was answered"), [
        _("An offer of a place at a school for a child in your care was answered."),
        "",
        _("All guardians of the child get this letter. If it surprises you, look at it."),
    ]


def _lapsed(_occasion: SchoolOccasion) -> Said:
    return _("An offer of a place at a school has lapsed"), [
        _("Nobody answered the offer of a place for a child in your care, so it has lapsed."),
        "",
        _("You can see there, or ask at a counter, what is still possible."),
    ]


def _appeal(occasion: SchoolOccasion) -> Said:
    return _("Your appeal about school enrolment is decided"), [
        _("An appeal about school enrolment of a child in your care is decided."),
        *_answer_by(occasion),
    ]


def _moved(occasion: SchoolOccasion) -> Said:
    closes, results, answers = occasion.days
    lines = [_("The days of a round of school enrolment were moved to later.")]
    if closes:
        lines.append(_("Families may apply and change until %(day)s.") % {"day": closes})
    if results:
        lines.append(_("Results come out on %(day)s.") % {"day": results})
    if answers:
        lines.append(_("Offers are answered by %(day)s.") % {"day": answers})
    return _("Days of school enrolment were moved"), lines


_KINDS: Final[dict[str, Callable[[SchoolOccasion], Said]]] = {
    "school-applied": _applied,
    "school-withdrawn": _withdrawn,
    "school-result": _result,
    "school-place": _place,
    "school-answered": _answered,
    "school-lapsed": _lapsed,
    "school-appeal": _appeal,
    "school-moved": _moved,
    "school-answer": _answer,
}
