"""My acts: everything that was done by me, for me or about me, newest first, with its receipt.

Bookings and registrations stand in their services' own rows, all other acts in registers.parties;
both are read by position and merged, a page at a time, so a page costs the same however many acts
there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from typing import Final

from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render

from kulla.portal.act_names import act_name
from kulla.registers.parties import PARTY, POSITION_DIGITS, party_key
from kulla.services.appointments.citizen import bookings
from kulla.services.citizens.apply import CITIZEN
from kulla.services.pages import PageRequest, Text, open_to

Found = tuple[int, str, int]
"""(position, '<service>.<act>', instant in ms) of one act."""

PAGE: Final = 20
_POSITION_END: Final = 10**POSITION_DIGITS - 1
_NOTED: Final = (
    f'SELECT key, said, at_ms FROM "{PARTY.name}" WHERE key >= %s AND key < %s'  # noqa: S608
    " ORDER BY key DESC LIMIT %s"
)
_REGISTERED: Final = f'SELECT position, registered_ms FROM "{CITIZEN}" WHERE subject = %s'  # noqa: S608


@dataclass(frozen=True, slots=True)
class MyAct:
    """One act as its line on a page shows it; `settled`: confirmed, so that it has a receipt."""

    position: int
    name: Text
    at: datetime
    settled: bool


@open_to("citizen")
def acts(request: PageRequest) -> HttpResponse:
    """My acts, or those of the person I act for; `?before=` a position shows older ones."""
    typed = request.GET.get("before", "")
    before = int(typed) if typed.isdecimal() and len(typed) <= POSITION_DIGITS else _POSITION_END
    whom = request.acting_for.actor().whom
    found = newest(whom, request.tower.witnessing().watermark, before=before, limit=PAGE + 1)
    context = {
        "acts": found[:PAGE],
        "older": found[PAGE - 1].position if len(found) > PAGE else None,
        "newest": before == _POSITION_END,
        "acted_for": request.acting_for.chosen(),
    }
    return render(request, "portal/my_acts.html", context)


def newest(
    subject: str, watermark: int, *, before: int = _POSITION_END, limit: int = PAGE
) -> list[MyAct]:
    """The newest acts of a person at positions below `before`, at most `limit`."""
    # A walk-in stands in two of the sources; its own word comes before `booked`, by the alphabet.
    found: dict[int, MyAct] = {}
    for position, said, at_ms in merge(
        *(source(subject, before, limit) for source in _SOURCES), reverse=True
    ):
        if position in found:
            continue
        if len(found) == limit:
            break
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        found[position] = MyAct(position, act_name(said), at, position < watermark)
    return list(found.values())


def _noted(subject: str, before: int, limit: int) -> Sequence[Found]:
    with connection.cursor() as cursor:
        cursor.execute(_NOTED, [party_key(subject, 0), party_key(subject, before), limit])
        rows = cursor.fetchall()
    return [(int(key[-POSITION_DIGITS:]), said, at_ms) for key, said, at_ms in rows]


def _registered(subject: str, before: int, limit: int) -> Sequence[Found]:
    with connection.cursor() as cursor:
        cursor.execute(_REGISTERED, [subject])
        rows = cursor.fetchall()
    return [(at, "citizens.registered", at_ms) for at, at_ms in rows if at < before][:limit]


_SOURCES: Final[tuple[Callable[[str, int, int], Sequence[Found]], ...]] = (
    _noted,
    bookings,
    _registered,
)
