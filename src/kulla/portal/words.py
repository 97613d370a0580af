"""Filters and tags of every template: days and times in words, and where the style sheet is."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django import template
from django.utils import translation

from kulla.kernel import dates
from kulla.portal import look

register = template.Library()

HOME_ZONE = dates.HOME_ZONE


@register.filter
def day(value: date | datetime) -> str:
    """`e martë, 3 shkurt 2026` or `Tuesday 3 February 2026`."""
    return dates.day(value, _code())


@register.filter
def month(value: date | datetime) -> str:
    """`shkurt 2026` or `February 2026`."""
    return dates.month(value, _code())


@register.filter
def clock(value: datetime) -> str:
    """The time of day, `10:30`, in the zone of the instant if it has one that people know."""
    return dates.clock(value)


@register.filter
def zone(value: datetime) -> str:
    """The zone in words with its distance from UTC then: `ora e Tiranës, UTC+1`."""
    return dates.zone(value, _code())


@register.filter
def moment(value: datetime) -> str:
    """Day and time in words: `e martë, 3 shkurt 2026, ora 10:30 (ora e Tiranës, UTC+1)`."""
    return dates.moment(value, _code())


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
    return dates.week(_code())


@register.simple_tag
def style_address() -> str:
    """Where the style sheet is; the address changes with its contents."""
    return look.style_address()


@register.simple_tag
def script_address() -> str:
    """Where the script for passkeys is; see style_address."""
    return look.script_address()


def _code() -> str:
    return dates.known(translation.get_language())
