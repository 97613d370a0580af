"""What clerks type: a person's number and name, a visit, working hours, a day's moves.

Read by hand into plain values, with a sentence by the name of the field for what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.utils.translation import gettext_lazy as _

from kulla.services.appointments import hours, wishes
from kulla.services.appointments.forms import (
    BAD_PHONE,
    LONG_REASON,
    REASON_CHARS_MAX,
    is_phone,
)
from kulla.services.pages import Text

NAME_CHARS: Final = range(2, 101)
NUMBER_SIGNS: Final = range(6, 21)
DOCUMENTS: Final[Mapping[str, Text]] = {
    "id-card": _("Identity card"),
    "passport": _("Passport"),
    "other": _("Another document"),
}
IDENTITIES: Final[Mapping[str, Text]] = {
    "document": _("A document was seen"),
    "call": _("The caller answered what only they know"),
}
_CLOCK: Final = re.compile(r"(\d{1,2})(?:[:.](\d\d))?")

_BAD_NUMBER: Final = _("Enter the personal number as the document shows it: letters and digits.")
_BAD_NAME: Final = _("Enter first name and family name.")
_BAD_MINUTES: Final = _("Enter the minutes as a number from 5 to 240.")
_NO_IDENTITY: Final = _("Say how you made sure who it is: press one of the buttons below.")
_BAD_PERIOD: Final = _("Enter hours like 08:00 and 12:00, the earlier one first.")
_MORE_PERIODS: Final = _("This day has more than two stretches now; the form shows the first two.")
_BAD_DAY: Final = _("Enter the day as the calendar has it.")
_DAYS_REVERSED: Final = _("The last day comes before the first.")
_SAME_TIME_TWICE: Final = _("Two people would get this time. Choose another one for one of them.")

Problems = dict[str, Text]


@dataclass(frozen=True, slots=True)
class Typed:
    """Values by the name of their field, as typed, and what is wrong with them."""

    values: Mapping[str, str]
    problems: Problems = field(default_factory=dict)

    def of(self, name: str) -> str:
        """What was typed into the field; '' where it is not there."""
        return self.values.get(name, "")


def read_number(posted: Mapping[str, object]) -> Typed:
    """A personal number, to find somebody by."""
    typed = _texts(posted, "number")
    wrong: Problems = {} if _is_number(typed["number"]) else {"number": _BAD_NUMBER}
    return Typed(typed, wrong)


def read_newcomer(posted: Mapping[str, object]) -> Typed:
    """Name and number of a person who is new here."""
    typed = _texts(posted, "name", "number")
    problems: Problems = {}
    name = typed["name"]
    if len(name) not in NAME_CHARS or " " not in name or not name.isprintable():
        problems["name"] = _BAD_NAME
    if not _is_number(typed["number"]):
        problems["number"] = _BAD_NUMBER
    return Typed(typed, problems)


def read_visit(posted: Mapping[str, object], *, minutes: bool = False) -> Typed:
    """Telephone and reason, both optional, how the person was identified; for walk-ins minutes."""
    typed = _texts(posted, "phone", "reason", "identity", "minutes")
    problems: Problems = {}
    phone = typed["phone"]
    if phone and not is_phone(phone):
        problems["phone"] = BAD_PHONE
    if len(typed["reason"]) > REASON_CHARS_MAX:
        problems["reason"] = LONG_REASON
    if minutes and _minutes(typed["minutes"]) is None:
        problems["minutes"] = _BAD_MINUTES
    if typed["identity"] not in IDENTITIES:
        problems["identity"] = _NO_IDENTITY
    return Typed(typed, problems)


def personal_fields(visit: Typed) -> dict[str, str]:
    """What has to be sealed, by the name of the command's field; what is empty is left out."""
    fields = {"reason": visit.of("reason"), "contact": visit.of("phone")}
    return {name: typed for name, typed in fields.items() if typed}


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day of a form of hours: the names of its fields, what stands in them, what is wrong."""

    name: str
    cells: tuple[tuple[str, str], ...]
    minutes: str
    problem: Text | None = None


def read_periods(
    posted: Mapping[str, object], prefix: str
) -> tuple[tuple[hours.Period, ...] | None, DayRow]:
    """Two stretches of a day and the length of a slot in them; None where they are not in order.

    Two lengths, '20, 30', are one for each stretch. A day whose fields are all empty has no hours.
    """
    names = [f"{prefix}-{part}" for part in ("from", "to", "from2", "to2")]
    typed = _texts(posted, *names, f"{prefix}-minutes")
    row = DayRow(prefix, tuple((name, typed[name]) for name in names), typed[f"{prefix}-minutes"])
    texts = [typed[name] for name in names]
    if not any(texts):
        return (), row
    lengths = [_minutes(text.strip()) for text in row.minutes.split(",")]
    clocks = [_minute_of_day(text) if text else None for text in texts]
    wrong = DayRow(row.name, row.cells, row.minutes, _BAD_PERIOD)
    if None in lengths or len(lengths) > 2:
        return None, DayRow(row.name, row.cells, row.minutes, _BAD_MINUTES)
    if any(clock is None for clock, text in zip(clocks, texts, strict=True) if text):
        return None, wrong
    periods = []
    for (begin, end), minutes in zip((clocks[:2], clocks[2:]), lengths * 2, strict=False):
        if begin is None and end is None:
            continue
        if begin is None or end is None or minutes is None:
            return None, wrong
        periods.append((begin, end, minutes))
    try:
        return hours.in_order(periods), row
    except ValueError:
        return None, wrong


def day_row(name: str, periods: tuple[hours.Period, ...]) -> DayRow:
    """The row of a form that shows these periods; it says so where it has room for two only."""
    texts = [clock_text(minute) for begin, end, _ in periods[:2] for minute in (begin, end)]
    texts += [""] * (4 - len(texts))
    names = [f"{name}-{part}" for part in ("from", "to", "from2", "to2")]
    lengths = list(dict.fromkeys(str(period[2]) for period in periods[:2])) or ["20"]
    problem = _MORE_PERIODS if len(periods) > 2 else None
    return DayRow(name, tuple(zip(names, texts, strict=True)), ", ".join(lengths), problem)


def read_span(posted: Mapping[str, object], *, open_ended: bool = False) -> Typed:
    """First and last day; the last may be empty where it is open-ended."""
    typed = _texts(posted, "first", "last")
    problems: Problems = {}
    for name, text in typed.items():
        if not (open_ended and name == "last" and not text) and read_day(text) is None:
            problems[name] = _BAD_DAY
    if not problems and typed["last"] and typed["last"] < typed["first"]:
        problems["last"] = _DAYS_REVERSED
    return Typed(typed, problems)


def read_moves(posted: Mapping[str, object]) -> tuple[dict[str, str], Problems]:
    """New times by appointment, from fields 'to-<appointment>'; '' is to be called."""
    chosen = {
        name.removeprefix("to-"): value
        for name, value in posted.items()
        if name.startswith("to-") and isinstance(value, str)
    }
    problems: Problems = {}
    seen: set[str] = set()
    for appointment, slot in chosen.items():
        if slot and slot in seen:
            problems[appointment] = _SAME_TIME_TWICE
        seen.add(slot)
    return chosen, problems


def read_day(text: str) -> date | None:
    """A day as a date field sends it, or None."""
    found = wishes.days_between(text, text, 0)
    return date.fromisoformat(found[0]) if found else None


def clock_text(minute: int) -> str:
    """A minute of the day as clocks show it: 480 is '08:00'."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _minute_of_day(text: str) -> int | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    minute = int(match[1]) * 60 + int(match[2] or 0)
    return minute if int(match[2] or 0) < 60 and minute <= hours.DAY_MINUTES else None


def _minutes(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        return None
    number = int(text)
    least, most = hours.SLOT_MINUTES_MIN, wishes.WALK_IN_MINUTES_MAX
    return number if least <= number <= most else None


def _is_number(text: str) -> bool:
    signs = "".join(text.split())
    return len(signs) in NUMBER_SIGNS and signs.isascii() and signs.isalnum()


def _texts(posted: Mapping[str, object], *names: str) -> dict[str, str]:
    found = {name: posted.get(name, "") for name in names}
    return {
        name: value.strip().replace("\r\n", "\n") if isinstance(value, str) else ""
        for name, value in found.items()
    }
