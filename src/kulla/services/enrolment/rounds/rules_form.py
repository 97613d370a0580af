"""The form of a round's rules, without a script: what is typed lives in the form itself.

Each button sends the whole form; what it does ('up-p2', 'add-pool') is done to what was typed, and
the form comes back. Only 'sign' leaves it, and only where nothing is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast, get_args

from django.utils.translation import gettext_lazy as _

from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Priority, Rules, Where
from kulla.services.enrolment.rounds import forms, rules_text, wishes
from kulla.services.enrolment.rounds.prose import OPEN_TITLE
from kulla.services.enrolment.rounds.words import KINDS
from kulla.services.pages import Text

PRIORITIES_MAX: Final = 15
POOLS_MAX: Final = 12
GRADES_MAX: Final = 15

PRIVATE_KINDS: Final = frozenset({"special-need", "looked-after", "social"})
DOCUMENT_KINDS: Final = frozenset({"staff", "special-need", "looked-after", "social"})
_WHERE_OF: Final[Mapping[str, str]] = {
    "catchment": "area",
    "special-need": "anywhere",
    "looked-after": "anywhere",
    "social": "anywhere",
}
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "p": ("kind", "title", "where", "private", "document"),
    "o": ("pool", "title", "priority", "unfilled"),
    "a": ("grade", "title", "first", "last"),
}
_MOST: Final = {"p": PRIORITIES_MAX, "o": POOLS_MAX, "a": GRADES_MAX}
_BUTTON: Final = re.compile(r"(up|down|remove)-([poa])(\d{1,2})")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")

_BAD_DAY: Final = _("Enter the day as the calendar has it.")
_DAYS_REVERSED: Final = _("The last day comes before the first.")
_TWICE: Final = _("This stands in the list twice.")
_BAD_COUNT: Final = _("Enter a number from 0 to 100; 0 is for as many as a family likes.")
_FOR_WHOM: Final = _("Choose for which children the seats are.")
_NO_OPEN: Final = _("Seats that are open to everybody have to be among them.")

Line = dict[str, str]


@dataclass(frozen=True, slots=True)
class RulesTyped:
    """A form of rules: lines of priorities ('p'), pools ('o') and ages ('a'), and the rest.

    `problems` are sentences by the name of the field, such as 'p0-kind'.
    """

    lines: Mapping[str, tuple[Line, ...]]
    tie_break: str = "single"
    choices_max: str = "0"
    together: bool = True
    problems: forms.Problems = field(default_factory=dict)


def typed_of(rules: Rules) -> RulesTyped:
    """The form that shows these rules."""
    titles = dict(rules.titles)
    return RulesTyped(
        {
            "p": tuple(_priority_line(one) for one in rules.priorities),
            "o": tuple(_pool_line(one) for one in rules.pools),
            "a": tuple(
                {"grade": grade, "title": titles.get(grade, ""), "first": first, "last": last}
                for grade, first, last in rules.ages
            ),
        },
        rules.tie_break,
        str(rules.choices_max),
        rules.siblings_together,
    )


def read(posted: Mapping[str, object]) -> RulesTyped:
    """What stands in a posted form, line by line; nothing is checked yet."""
    lines: dict[str, tuple[Line, ...]] = {}
    for kind, names in _FIELDS.items():
        found: list[Line] = []
        for number in range(_MOST[kind]):
            cells = {name: posted.get(f"{kind}{number}-{name}") for name in names}
            if not isinstance(cells[names[0]], str):
                break
            found.append(
                {
                    name: _plain(cell) if isinstance(cell, str) else ""
                    for name, cell in cells.items()
                }
            )
        lines[kind] = tuple(found)
    rest = forms.texts(posted, "tie_break", "choices_max", "together")
    return RulesTyped(lines, rest["tie_break"], rest["choices_max"], rest["together"] == "1")


def pressed(typed: RulesTyped, button: str, kind: str) -> RulesTyped:
    """The form after a button: a line moved up or down, removed, or added.

    `kind` is the priority that was chosen to be added ('' for one to be worded). What is no button
    changes nothing.
    """
    if button == "add-p":
        return _added(typed, "p", _new_priority(kind))
    if button == "add-o":
        return _added(typed, "o", {"pool": "", "title": "", "priority": "", "unfilled": "open"})
    if button == "add-a":
        return _added(typed, "a", {"grade": "", "title": "", "first": "", "last": ""})
    match = _BUTTON.fullmatch(button)
    if match is None:
        return typed
    what, table, place = match[1], match[2], int(match[3])
    lines = list(typed.lines[table])
    if place >= len(lines):
        return typed
    line = lines.pop(place)
    if what != "remove":
        lines.insert(max(0, place - 1) if what == "up" else place + 1, line)
    return replace(typed, lines={**typed.lines, table: tuple(lines)})


def rules_of(typed: RulesTyped) -> tuple[RulesTyped, Rules | None]:
    """The rules that a form means, or None with the form's problems."""
    problems: forms.Problems = {}
    for table in _FIELDS:
        _check_lines(table, typed.lines[table], problems)
    kinds = {line["kind"] for line in typed.lines["p"]}
    for number, line in enumerate(typed.lines["o"]):
        if line["pool"] != OPEN_POOL and line["priority"] not in kinds:
            problems[f"o{number}-priority"] = _FOR_WHOM
    if all(line["pool"] != OPEN_POOL for line in typed.lines["o"]):
        problems["add-o"] = _NO_OPEN
    count = typed.choices_max
    if _NUMBER.fullmatch(count) is None or int(count) > rules_text.CHOICES_MAX:
        problems["choices_max"] = _BAD_COUNT
    if problems:
        return replace(typed, problems=problems), None
    rules = Rules(
        priorities=tuple(_priority(line) for line in typed.lines["p"]),
        pools=tuple(_pool(line) for line in typed.lines["o"]),
        tie_break="multiple" if typed.tie_break == "multiple" else "single",
        choices_max=int(count),
        siblings_together=typed.together,
        ages=tuple((line["grade"], line["first"], line["last"]) for line in typed.lines["a"]),
        titles=tuple((line["grade"], line["title"]) for line in typed.lines["a"] if line["title"]),
        # In the order of the form: the highest grade is placed first where siblings go together.
        grades=tuple(line["grade"] for line in typed.lines["a"]),
    )
    return typed, rules


def _check_lines(table: str, lines: tuple[Line, ...], problems: forms.Problems) -> None:
    first = _FIELDS[table][0]
    shape = wishes.GRADE if table == "a" else wishes.ID
    bad: Text = forms.BAD_GRADE if table == "a" else forms.BAD_ID
    seen: set[str] = set()
    for number, line in enumerate(lines):
        place = f"{table}{number}"
        if shape.fullmatch(line[first]) is None:
            problems[f"{place}-{first}"] = bad
        elif line[first] in seen:
            problems[f"{place}-{first}"] = _TWICE
        seen.add(line[first])
        if not wishes.is_line(line["title"]) and (table != "a" or line["title"]):
            problems[f"{place}-title"] = forms.BAD_LINE
        if table == "a":
            _check_days(place, line, problems)


def _check_days(place: str, line: Line, problems: forms.Problems) -> None:
    for name in ("first", "last"):
        if not rules_text.is_day(line[name]):
            problems[f"{place}-{name}"] = _BAD_DAY
    if f"{place}-first" not in problems and line["last"] < line["first"]:
        problems.setdefault(f"{place}-last", _DAYS_REVERSED)


def _added(typed: RulesTyped, table: str, line: Line) -> RulesTyped:
    lines = typed.lines[table]
    if len(lines) >= _MOST[table]:
        return typed
    return replace(typed, lines={**typed.lines, table: (*lines, line)})


def _new_priority(kind: str) -> Line:
    known = KINDS.get(kind)
    return {
        "kind": kind if known is not None else "",
        "title": str(known) if known is not None else "",
        "where": _WHERE_OF.get(kind, "school"),
        "private": "1" if kind in PRIVATE_KINDS else "",
        "document": "1" if kind in DOCUMENT_KINDS else "",
    }


def fresh() -> RulesTyped:
    """The form of a round that has no rules yet: open seats, and two priorities that many have."""
    pools = ({"pool": OPEN_POOL, "title": str(OPEN_TITLE), "priority": "", "unfilled": "open"},)
    priorities = tuple(_new_priority(kind) for kind in ("sibling", "catchment"))
    return RulesTyped({"p": priorities, "o": pools, "a": ()}, choices_max="5")


def _priority_line(one: Priority) -> Line:
    flags = {name: "1" if getattr(one, name) else "" for name in ("private", "document")}
    return {"kind": one.kind, "title": one.title, "where": one.where, **flags}


def _pool_line(one: Pool) -> Line:
    return {name: str(getattr(one, name)) for name in _FIELDS["o"]}


def _priority(line: Line) -> Priority:
    known = get_args(Where)
    where = line["where"] if line["where"] in known else "school"
    return Priority(
        line["kind"],
        line["title"],
        cast(Where, where),
        private=line["private"] == "1",
        document=line["document"] == "1",
    )


def _pool(line: Line) -> Pool:
    is_open = line["pool"] == OPEN_POOL
    return Pool(
        line["pool"],
        line["title"],
        "" if is_open else line["priority"],
        "stay" if line["unfilled"] == "stay" else "open",
    )


def _plain(cell: str) -> str:
    return " ".join(cell.split())
