"""Rules as the JSON that acts and registers hold, and whether they can be obeyed. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Priority, Rules
from kulla.services.enrolment.rounds.wishes import GRADE, ID, is_line

PRIORITIES_MAX: Final = 20
CHOICES_MAX: Final = 100

_WHERE: Final = ("school", "area", "anywhere")
_UNFILLED: Final = ("open", "stay")
_TIE_BREAKS: Final = ("single", "multiple")


class RulesWrong(ValueError):
    """Rules that can't be obeyed: where, such as 'priorities[0].kind', and a word that says why."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


def text_of(rules: Rules) -> str:
    """The one text of these rules: JSON, keys in order, no blanks (as RFC 8785 has it)."""
    return json.dumps(asdict(rules), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def rules_of(text: str) -> Rules:
    """The rules of a text. Raises RulesWrong where it is none, or they can't be obeyed."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RulesWrong("rules", "not-json") from error
    table = _Table(value, "rules")
    rules = Rules(
        priorities=tuple(
            _priority(row, f"priorities[{number}]")
            for number, row in enumerate(table.rows("priorities"))
        ),
        pools=tuple(
            _pool(row, f"pools[{number}]") for number, row in enumerate(table.rows("pools"))
        ),
        tie_break=table.one_of("tie_break", _TIE_BREAKS),
        choices_max=table.number("choices_max", CHOICES_MAX),
        siblings_together=table.flag("siblings_together"),
        ages=tuple(_age(row, f"ages[{number}]") for number, row in enumerate(table.rows("ages"))),
        titles=tuple(
            _title(row, f"titles[{number}]") for number, row in enumerate(table.rows("titles"))
        ),
        grades=_grades(table.rows("grades")) if "grades" in value else (),
    )
    table.end()
    check(rules)
    return rules


def _grades(rows: list[Any]) -> tuple[str, ...]:
    """The grades from the lowest to the highest; rules of before this could be said have none."""
    for number, grade in enumerate(rows):
        if not isinstance(grade, str) or GRADE.fullmatch(grade) is None:
            raise RulesWrong(f"grades[{number}]", "misshapen")
    return tuple(rows)


def check(rules: Rules) -> None:
    """Raise RulesWrong where names come twice, or a pool is for a priority that there is not."""
    kinds = [priority.kind for priority in rules.priorities]
    _once(kinds, "priorities", "kind")
    _once([pool.pool for pool in rules.pools], "pools", "pool")
    _once([grade for grade, _first, _last in rules.ages], "ages", "grade")
    if all(pool.pool != OPEN_POOL for pool in rules.pools):
        raise RulesWrong("pools", "no-open-pool")
    for number, pool in enumerate(rules.pools):
        place = f"pools[{number}].priority"
        if (pool.pool == OPEN_POOL) != (pool.priority == ""):
            raise RulesWrong(place, "for-whom")
        if pool.priority and pool.priority not in kinds:
            raise RulesWrong(place, "priority-unknown")


def _once(names: Sequence[str], table: str, field: str) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            raise RulesWrong(f"{table}[{number}].{field}", "twice")
        seen.add(name)


class _Table:
    """A JSON object that is read field by field; each that is wrong is named by its place."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise RulesWrong(place, "misshapen")
        self._value = value
        self._place = "" if place == "rules" else f"{place}."
        self._read: set[str] = set()

    def _take(self, field: str) -> Any:
        self._read.add(field)
        if field not in self._value:
            raise RulesWrong(f"{self._place}{field}", "missing")
        return self._value[field]

    def wrong(self, field: str) -> RulesWrong:
        return RulesWrong(f"{self._place}{field}", "misshapen")

    def end(self) -> None:
        for field in self._value:
            if field not in self._read:
                raise RulesWrong(f"{self._place}{field[:40]}", "unknown")

    def rows(self, field: str) -> list[Any]:
        value = self._take(field)
        if not isinstance(value, list) or len(value) > PRIORITIES_MAX:
            raise self.wrong(field)
        return value

    def flag(self, field: str) -> bool:
        value = self._take(field)
        if not isinstance(value, bool):
            raise self.wrong(field)
        return value

    def number(self, field: str, most: int) -> int:
        value = self._take(field)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self.wrong(field)
        return value

    def one_of(self, field: str, words: tuple[str, ...]) -> Any:
        value = self._take(field)
        if value not in words:
            raise self.wrong(field)
        return value

    def id(self, field: str) -> str:
        value = self._take(field)
        if not isinstance(value, str) or ID.fullmatch(value) is None:
            raise self.wrong(field)
        return value

    def id_or_empty(self, field: str) -> str:
        return "" if self._take(field) == "" else self.id(field)

    def text(self, field: str) -> str:
        value = self._take(field)
        if not is_line(value):
            raise self.wrong(field)
        return str(value)


def _priority(value: Any, place: str) -> Priority:
    table = _Table(value, place)
    priority = Priority(
        kind=table.id("kind"),
        title=table.text("title"),
        where=table.one_of("where", _WHERE),
        private=table.flag("private"),
        document=table.flag("document"),
    )
    table.end()
    return priority


def _pool(value: Any, place: str) -> Pool:
    table = _Table(value, place)
    pool = Pool(
        pool=table.id("pool"),
        title=table.text("title"),
        priority=table.id_or_empty("priority"),
        unfilled=table.one_of("unfilled", _UNFILLED),
    )
    table.end()
    return pool


def _age(value: Any, place: str) -> tuple[str, str, str]:
    if not isinstance(value, list) or len(value) != 3:
        raise RulesWrong(place, "misshapen")
    grade, first, last = value
    if not isinstance(grade, str) or GRADE.fullmatch(grade) is None:
        raise RulesWrong(place, "misshapen")
    if not (is_day(first) and is_day(last)):
        raise RulesWrong(place, "misshapen")
    if last < first:
        raise RulesWrong(place, "days-not-in-order")
    return grade, first, last


def _title(value: Any, place: str) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_line, value)):
        raise RulesWrong(place, "misshapen")
    return value[0], value[1]


def is_day(text: Any) -> bool:
    """Whether it is a day 'YYYY-MM-DD' that the calendar has."""
    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
