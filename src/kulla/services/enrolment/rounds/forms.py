"""What the ministry types: a round's days, a school, a programme with its seats.

Read by hand into plain values, with a sentence by the name of the field for what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from kulla.kernel.canonical import Value
from kulla.kernel.dates import HOME_ZONE
from kulla.services.enrolment.policy.rules import Pool
from kulla.services.enrolment.rounds import wishes
from kulla.services.pages import Text

BAD_ID: Final = _("Use small letters, digits and hyphens, at most 32, such as grade-1-2026.")
BAD_LINE: Final = _("Enter one line of text, at most 200 characters.")
_BAD_YEAR: Final = _("Enter the school year as 2026-27.")
_BAD_MOMENT: Final = _("Enter a day and a time that the calendar has.")
_NOT_LATER: Final = _("This has to be later than the one before it.")
_EARLIER: Final = _("A published day moves to later only.")
_HAS_COME: Final = _("This day does not move any more.")
_NOT_MOVED: Final = _("Move a day at least.")
BAD_GRADE: Final = _("Use small letters, digits and hyphens, at most 16, such as grade-1.")
BAD_SEATS: Final = _("Enter the seats as a number from 0 to 10000.")
NO_SEATS: Final = _("A programme has a seat at least.")
NO_SCHOOL: Final = _("There is no such school. Enter the school first.")

DAY_TITLES: Final[Mapping[str, Text]] = {
    "opens_s": _("Applying opens"),
    "closes_s": _("Applying closes"),
    "results_s": _("Results come out"),
    "answer_by_s": _("Families answer until"),
}

Problems = dict[str, Text]


@dataclass(frozen=True, slots=True)
class Typed:
    """Values by the name of their field, as typed, and what is wrong with them."""

    values: Mapping[str, str]
    problems: Problems = field(default_factory=dict)

    def of(self, name: str) -> str:
        """What was typed into the field; '' where it is not there."""
        return self.values.get(name, "")


def texts(posted: Mapping[str, object], *names: str) -> dict[str, str]:
    """What was typed into these fields, without blanks at the ends."""
    found = {name: posted.get(name, "") for name in names}
    return {name: value.strip() if isinstance(value, str) else "" for name, value in found.items()}


def read_round(posted: Mapping[str, object], *, fresh: bool) -> tuple[Typed, dict[str, Value]]:
    """A round's title and days; with its id where it is `fresh`. Gives the command's data, too."""
    named = ("round",) if fresh else ()
    typed = texts(posted, *named, "title", "school_year", "parent", *wishes.DAYS)
    problems: Problems = {}
    if fresh and wishes.ID.fullmatch(typed["round"]) is None:
        problems["round"] = BAD_ID
    if not wishes.is_line(typed["title"]):
        problems["title"] = BAD_LINE
    if wishes.YEAR.fullmatch(typed["school_year"]) is None:
        problems["school_year"] = _BAD_YEAR
    days = read_days(typed, problems)
    data: dict[str, Value] = {name: typed[name] for name in ("title", "school_year", "parent")}
    return Typed(typed, problems), {**data, **days, "zone": HOME_ZONE.key}


def read_days(typed: Mapping[str, str], problems: Problems) -> dict[str, Value]:
    """The four instants of a round, in order; what is wrong goes into `problems`."""
    found: dict[str, int] = {}
    for name in wishes.DAYS:
        at_s = instant_of(typed[name])
        if at_s is None:
            problems[name] = _BAD_MOMENT
        else:
            found[name] = at_s
    if len(found) == len(wishes.DAYS):
        for before, after in zip(wishes.DAYS, wishes.DAYS[1:], strict=False):
            if found[after] <= found[before]:
                problems.setdefault(after, _NOT_LATER)
    return dict(found)


def read_move(
    posted: Mapping[str, object], were: Mapping[str, int]
) -> tuple[Typed, dict[str, Value]]:
    """New days of a published round and why; a day that is not on the form stays as it was."""
    typed = texts(posted, "why", *wishes.DAYS)
    shown = {name: typed[name] or local_text(were[name]) for name in wishes.DAYS}
    problems: Problems = {}
    days = read_days(shown, problems)
    for name, at_s in were.items():
        # A field shows minutes; what was not touched keeps its seconds.
        if shown[name] == local_text(at_s):
            days[name] = at_s
        elif name in days and int(str(days[name])) < at_s:
            problems.setdefault(name, _EARLIER)
    if not problems and all(days[name] == at_s for name, at_s in were.items()):
        problems["closes_s"] = _NOT_MOVED
    if not wishes.is_line(typed["why"]):
        problems["why"] = BAD_LINE
    return Typed({**shown, "why": typed["why"]}, problems), {**days, "why": typed["why"]}


def read_school(posted: Mapping[str, object], *, fresh: bool) -> Typed:
    """A school's id, where it is `fresh`, and its name and place."""
    typed = texts(posted, *wishes.SCHOOL_FIELDS)
    problems: Problems = {}
    if fresh and wishes.ID.fullmatch(typed["school"]) is None:
        problems["school"] = BAD_ID
    for name in wishes.SCHOOL_FIELDS[1:]:
        if not wishes.is_line(typed[name]):
            problems[name] = BAD_LINE
    return Typed(typed, problems)


def read_programme(
    posted: Mapping[str, object], pools: Sequence[Pool], *, fresh: bool
) -> tuple[Typed, list[tuple[str, int]]]:
    """A programme and the seats of each pool of the rules, in fields 'seats-<pool>'."""
    cells = [f"seats-{pool.pool}" for pool in pools]
    typed = texts(posted, *wishes.PROGRAMME_FIELDS[:-1], *cells)
    problems: Problems = {}
    if fresh and wishes.ID.fullmatch(typed["programme"]) is None:
        problems["programme"] = BAD_ID
    if wishes.ID.fullmatch(typed["school"]) is None:
        problems["school"] = NO_SCHOOL
    if wishes.GRADE.fullmatch(typed["grade"]) is None:
        problems["grade"] = BAD_GRADE
    if not wishes.is_line(typed["name"]):
        problems["name"] = BAD_LINE
    found: list[tuple[str, int]] = []
    for pool, cell in zip(pools, cells, strict=True):
        seats = seats_of(typed[cell])
        if seats is None:
            problems[cell] = BAD_SEATS
        elif seats:
            found.append((pool.pool, seats))
    if not problems and not found:
        problems[cells[-1]] = NO_SEATS
    return Typed(typed, problems), found


def seats_of(text: str) -> int | None:
    """A number of seats as typed; none typed is 0."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    return int(text) if int(text) <= wishes.SEATS_MAX else None


def instant_of(text: str) -> int | None:
    """UTC epoch seconds of a local 'YYYY-MM-DDTHH:MM' at home, or None.

    An hour that clocks skip in spring is none; of an hour that comes twice it is the first.
    """
    try:
        local = datetime.strptime(text.replace(" ", "T")[:16], "%Y-%m-%dT%H:%M")
    except ValueError:
        return None
    if not 2000 < local.year < 2200:
        return None
    at = local.replace(tzinfo=HOME_ZONE)
    back = at.astimezone(UTC).astimezone(HOME_ZONE)
    return int(at.timestamp()) if back.replace(tzinfo=None) == local else None


def local_text(at_s: int, zone: ZoneInfo = HOME_ZONE) -> str:
    """An instant as a form's field shows it: 'YYYY-MM-DDTHH:MM' in this zone."""
    return datetime.fromtimestamp(at_s, zone).strftime("%Y-%m-%dT%H:%M")
