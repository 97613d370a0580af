"""Filters and tags of every template: days and times in words, and where the style sheet is.

Django's own Albanian month names are capitalised, which Albanian does not do, and its formats leave
out the hour's zone; these two tables are all that is needed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final, overload
from zoneinfo import ZoneInfo

from django import template
from django.utils import translation

from kulla.portal import look

register = template.Library()

HOME_ZONE: Final = ZoneInfo("Europe/Tirane")

_DAYS: Final = {
    "sq": ("e hënë", "e martë", "e mërkurë", "e enjte", "e premte", "e shtunë", "e diel"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_SHORT_DAYS: Final = {
    "sq": ("hën", "mar", "mër", "enj", "pre", "sht", "die"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS: Final = {
    "sq": (
        *("janar", "shkurt", "mars", "prill", "maj", "qershor"),
        *("korrik", "gusht", "shtator", "tetor", "nëntor", "dhjetor"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
_ZONES: Final = {
    "sq": {"Europe/Tirane": "ora e Tiranës"},
    "en": {"Europe/Tirane": "Tirana time"},
}


@register.filter
def day(value: date | datetime) -> str:
    """`e martë, 3 shkurt 2026` or `Tuesday 3 February 2026`."""
    local = _local(value)
    comma = "," if _code() == "sq" else ""
    return f"{_DAYS[_code()][local.weekday()]}{comma} {local.day} {month(local)}"


@register.filter
def month(value: date | datetime) -> str:
    """`shkurt 2026` or `February 2026`."""
    return f"{_MONTHS[_code()][value.month - 1]} {value.year}"


@register.filter
def clock(value: datetime) -> str:
    """The time of day, `10:30`, in the zone of the instant if it has one that people know."""
    return _local(value).strftime("%H:%M")


@register.filter
def zone(value: datetime) -> str:
    """The zone in words with its distance from UTC then: `ora e Tiranës, UTC+1`."""
    local = _local(value)
    offset = local.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    hours, rest = divmod(abs(minutes), 60)
    distance = f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
    name = _ZONES[_code()].get(str(local.tzinfo), str(local.tzinfo))
    return f"{name}, {distance}"


@register.filter
def moment(value: datetime) -> str:
    """Day and time in words: `e martë, 3 shkurt 2026, ora 10:30 (ora e Tiranës, UTC+1)`."""
    at = ", ora " if _code() == "sq" else ", "
    return f"{day(value)}{at}{clock(value)} ({zone(value)})"


@register.filter
def from_ms(value: int) -> datetime:
    """An instant from milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)


@register.filter
def from_s(value: int) -> datetime:
    """An instant from seconds since 1970."""
    return datetime.fromtimestamp(value, UTC)


@register.simple_tag
def week() -> list[tuple[str, str]]:
    """The days of the week from Monday: short and whole names."""
    return list(zip(_SHORT_DAYS[_code()], _DAYS[_code()], strict=True))


@register.simple_tag
def style_address() -> str:
    """Where the style sheet is; the address changes with its contents."""
    return look.style_address()


def _code() -> str:
    return "en" if translation.get_language() == "en" else "sq"


@overload
def _local(value: datetime) -> datetime: ...
@overload
def _local(value: date) -> date: ...
def _local(value: date) -> date:
    if not isinstance(value, datetime):
        return value
    # UTC is a machine's zone: people get the hour of their own country.
    return value.astimezone(HOME_ZONE) if value.tzinfo is UTC else value
