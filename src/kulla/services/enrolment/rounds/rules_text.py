"""The text of rules as the ministry's acts hold it, and whether a round can obey them. Pure.

The text itself is that of policy.rules_text, which is looser: it also reads rules of other
countries' files, where a reserved seat may be for a kind that is no priority.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from kulla.services.enrolment.policy.rules import OPEN_POOL, Rules
from kulla.services.enrolment.policy.rules_text import RulesInvalid, rules_from_json, rules_to_json
from kulla.services.enrolment.rounds.wishes import GRADE, is_line

CHOICES_MAX: Final = 100


class RulesWrong(ValueError):
    """Rules that can't be obeyed: where, such as 'priorities[0].kind', and a word that says why."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


def text_of(rules: Rules) -> str:
    """The one text of these rules."""
    return rules_to_json(rules)


def rules_of(text: str) -> Rules:
    """The rules of a text. Raises RulesWrong where it is none, or they can't be obeyed."""
    try:
        rules = rules_from_json(text)
    except RulesInvalid as error:
        raise RulesWrong(error.place or "rules", "misshapen") from error
    except RecursionError as error:
        raise RulesWrong("rules", "misshapen") from error
    check(rules)
    return rules


def check(rules: Rules) -> None:
    """Raise RulesWrong where a round of the ministry could not obey these rules."""
    kinds = {priority.kind for priority in rules.priorities}
    if rules.choices_max > CHOICES_MAX:
        raise RulesWrong("choices_max", "misshapen")
    for number, priority in enumerate(rules.priorities):
        if not is_line(priority.title):
            raise RulesWrong(f"priorities[{number}].title", "misshapen")
    if all(pool.pool != OPEN_POOL for pool in rules.pools):
        raise RulesWrong("pools", "no-open-pool")
    for number, pool in enumerate(rules.pools):
        if not is_line(pool.title):
            raise RulesWrong(f"pools[{number}].title", "misshapen")
        if pool.priority and pool.priority not in kinds:
            raise RulesWrong(f"pools[{number}].priority", "priority-unknown")
    _check_grades(rules)


def _check_grades(rules: Rules) -> None:
    grades = [grade for grade, _first, _last in rules.ages]
    for number, (grade, first, last) in enumerate(rules.ages):
        place = f"ages[{number}]"
        if GRADE.fullmatch(grade) is None or not (is_day(first) and is_day(last)):
            raise RulesWrong(place, "misshapen")
        if grade in grades[:number]:
            raise RulesWrong(place, "twice")
    if rules.grades and set(rules.grades) != set(grades):
        raise RulesWrong("grades", "misshapen")
    for number, (grade, title) in enumerate(rules.titles):
        if grade not in grades or not is_line(title):
            raise RulesWrong(f"titles[{number}]", "misshapen")


def is_day(text: Any) -> bool:
    """Whether it is a day 'YYYY-MM-DD' that the calendar has."""
    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
