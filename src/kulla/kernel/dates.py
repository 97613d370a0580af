"""Days and times in words, in Albanian and English: with month and year, and the hour's zone.

For pages and letters alike; the language is 'sq' or 'en', and anything else is Albanian. Written
out by hand, since libraries capitalise Albanian month names and leave out the hour's zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

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


def known(language: str | None) -> str:
    """The language whose words are used: 'en' for English, 'sq' for whatever else."""
    return "en" if language == "en" else "sq"


def in_zone(value: datetime) -> datetime:
    """The instant where people are: UTC is a machine's zone, and becomes the country's."""
    return value.astimezone(HOME_ZONE) if value.tzinfo is UTC else value


def day(value: date, language: str) -> str:
    """`e martë, 3 shkurt 2026` or `Tuesday 3 February 2026`; an instant in UTC is home's day."""
    local = in_zone(value) if isinstance(value, datetime) else value
    code = known(language)
    comma = "," if code == "sq" else ""
    months = _MONTHS[code]
    weekday = _DAYS[code][local.weekday()]
    return f"{weekday}{comma} {local.day} {months[local.month - 1]} {local.year}"


def month(value: date, language: str) -> str:
    """`shkurt 2026` or `February 2026`."""
    return f"{_MONTHS[known(language)][value.month - 1]} {value.year}"


def clock(value: datetime) -> str:
    """The time of day, `10:30`, where people are."""
    return in_zone(value).strftime("%H:%M")


def zone(value: datetime, language: str) -> str:
    """The zone in words with its distance from UTC then: `ora e Tiranës, UTC+1`."""
    local = in_zone(value)
    offset = local.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    hours, rest = divmod(abs(minutes), 60)
    distance = f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
    name = _ZONES[known(language)].get(str(local.tzinfo), str(local.tzinfo))
    return f"{name}, {distance}"


def moment(value: datetime, language: str) -> str:
    """Day and time: `e martë, 3 shkurt 2026, ora 10:30 (ora e Tiranës, UTC+1)`."""
    at = ", ora " if known(language) == "sq" else ", "
    return f"{day(value, language)}{at}{clock(value)} ({zone(value, language)})"


def week(language: str) -> list[tuple[str, str]]:
    """The days of the week from Monday: short and whole names."""
    code = known(language)
    return list(zip(_SHORT_DAYS[code], _DAYS[code], strict=True))
