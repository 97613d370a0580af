"""What everybody may read of enrolment: which round is open, its rules, its schools and seats."""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kulla.kernel import dates
from kulla.services.enrolment.models import Programme, School
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.rounds import picture, reading
from kulla.services.enrolment.rounds.forms import DAY_TITLES
from kulla.services.enrolment.rounds.prose import rules_in_words
from kulla.services.enrolment.rounds.reading import Now, Shown
from kulla.services.enrolment.rounds.words import PHASES
from kulla.services.pages import PageRequest, open_to_all

PAGE_ROWS: Final = 25
_WORDS_MAX: Final = 60


@open_to_all()
def rounds(request: PageRequest) -> HttpResponse:
    """Which round is open, until when, and the ones before."""
    now = reading.now_of(request)
    found = reading.public_rounds(now)
    current = [one for one in found if one.phase in ("open", "before", "waiting")]
    context = {
        "current": [(one, PHASES[one.phase], days_picture(one, now)) for one in current],
        "others": [(one, PHASES[one.phase]) for one in found if one not in current],
    }
    return render(request, "enrolment/rounds/rounds.html", context)


@open_to_all()
def round_page(request: PageRequest, round_id: str) -> HttpResponse:
    """A round: its days, how they moved, and its rules in prose."""
    now = reading.now_of(request)
    shown = reading.public_round(round_id, now)
    rules = reading.rules_of(shown.row)
    context = {
        **round_context(shown, now),
        "rules": rules_in_words(rules) if rules else [],
        "ages": ages_of(rules),
        "places": reading.places_of(shown.row.id),
        "grades": named_grades(shown, rules),
        "moves": [
            (one, [(DAY_TITLES[name], was, now_) for name, was, now_ in one.days])
            for one in reading.moves_of(shown.row)
        ],
    }
    return render(request, "enrolment/rounds/round.html", context)


@open_to_all()
def schools(request: PageRequest, round_id: str) -> HttpResponse:
    """The programmes of a round with their seats, by place, grade and a word of the name."""
    now = reading.now_of(request)
    shown = reading.public_round(round_id, now)
    rules = reading.rules_of(shown.row)
    wanted = {name: _typed(request, name) for name in ("place", "grade", "q")}
    found = reading.search_ids(shown.row.id, wanted["place"], wanted["grade"], wanted["q"])
    page = Paginator(found, PAGE_ROWS).get_page(request.GET.get("page"))
    offered = reading.offered(reading.programmes_in(list(page.object_list)), rules)
    context = {
        **round_context(shown, now),
        "places": reading.places_of(shown.row.id),
        "grades": named_grades(shown, rules),
        "wanted": wanted,
        "query": urlencode({name: typed for name, typed in wanted.items() if typed}),
        "page": page,
        "found": [(one, grade_name(rules, one.grade)) for one in offered],
    }
    return render(request, "enrolment/rounds/schools.html", context)


@open_to_all()
def school(request: PageRequest, round_id: str, school: str) -> HttpResponse:
    """A school with what it offers in this round."""
    now = reading.now_of(request)
    shown = reading.public_round(round_id, now)
    row = School.objects.filter(id=school).first()
    programmes = list(Programme.objects.filter(round=shown.row.id, school=school).order_by("id"))
    if row is None or not programmes:
        raise Http404
    rules = reading.rules_of(shown.row)
    offered = reading.offered(programmes, rules)
    context = {
        **round_context(shown, now),
        "school": row,
        "programmes": [(one, grade_name(rules, one.grade)) for one in offered],
    }
    return render(request, "enrolment/rounds/school.html", context)


def round_context(shown: Shown, now: Now) -> dict[str, Any]:
    """What every page of a round shows of it."""
    return {
        "round": shown.row,
        "shown": shown,
        "phase": PHASES[shown.phase],
        "picture": days_picture(shown, now),
        "days": list(
            zip(
                DAY_TITLES.values(),
                (shown.opens, shown.closes, shown.results, shown.answer_by),
                strict=True,
            )
        ),
    }


def days_picture(shown: Shown, now: Now) -> str:
    """The picture of a round's days, with a text for who does not see it."""
    return picture.draw(
        shown.row,
        now.at_s,
        _("The days of the round on a line: applying, waiting for results, answering; and today."),
    )


def named_grades(shown: Shown, rules: Rules | None) -> list[tuple[str, str]]:
    """The grades that the round offers something to, with their names."""
    return [(grade, grade_name(rules, grade)) for grade in reading.grades_of(shown.row.id, rules)]


def grade_name(rules: Rules | None, grade: str) -> str:
    """What a grade is called: the ministry's title, or 'Grade 1' of 'grade-1', or its id."""
    title = reading.grade_titles(rules).get(grade)
    if title:
        return title
    kind, _hyphen, number = grade.partition("-")
    if kind == "grade" and number.isdigit():
        return _("Grade %(number)s") % {"number": number}
    return grade


def ages_of(rules: Rules | None) -> list[tuple[str, str, str]]:
    """For each grade its name and the first and last day of birth, in words."""
    if rules is None:
        return []
    return [
        (grade_name(rules, grade), day_in_words(first), day_in_words(last))
        for grade, first, last in rules.ages
    ]


def day_in_words(text: str) -> str:
    """A day 'YYYY-MM-DD' in the words of the page's language."""
    return dates.day(date.fromisoformat(text), dates.known(get_language()))


def _typed(request: PageRequest, name: str) -> str:
    return request.GET.get(name, "").strip()[:_WORDS_MAX]
