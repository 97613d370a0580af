"""Fifty people want one slot at the same moment, a hundred times: exactly one may get it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kulla.bench.load import Done, OpenLoop, drive
from kulla.bench.visitors import Site, Visitor, bookings
from kulla.kernel.edges import SystemClock

CLIENTS: Final = 50
ROUNDS: Final = 100
BOOKED, GONE = 303, 409


@dataclass(frozen=True, slots=True)
class Contest:
    """What came of it. `double` counts slots with more than one winner, `lost` those without any.

    `winners` are the pages of the bookings that won, with the visitor's number and the slot.
    """

    rounds: int
    clients: int
    double: int
    lost: int
    other_answers: dict[str, int]
    winners: list[tuple[Visitor, str, str]]

    def figures(self) -> dict[str, Any]:
        """The JSON's part."""
        return {
            "contested_rounds": self.rounds,
            "contested_clients": self.clients,
            "double_bookings": self.double,
            "contested_slots_nobody_got": self.lost,
            "contested_other_answers": self.other_answers,
        }


def contest(
    site: Site, visitors: Sequence[Visitor], slots: Sequence[str], *, clients: int, seed: int
) -> Contest:
    """One round for each slot; visitors take turns, `clients` of them a round."""
    double = lost = 0
    others: Counter[str] = Counter()
    winners: list[tuple[Visitor, str, str]] = []
    for number, slot in enumerate(slots):
        first = number * clients
        crowd = [visitors[(first + place) % len(visitors)] for place in range(clients)]
        done = _round(site, crowd, slot, seed + number)
        won = [one for one in done if one.status == BOOKED]
        double += len(won) > 1
        lost += not won
        winners += [(crowd[one.tag], slot, one.location) for one in won]
        others.update(str(one.status) for one in done if one.status not in (BOOKED, GONE))
    return Contest(len(slots), clients, double, lost, dict(others), winners)


def _round(site: Site, crowd: Sequence[Visitor], slot: str, seed: int) -> list[Done]:
    """All at once: every request is due at the same instant, each on a connection of its own."""
    wishes = bookings(site, crowd, [slot] * len(crowd), seed)
    pace = OpenLoop(wishes, [0.0] * len(wishes))
    return drive(site.address, len(crowd), pace, SystemClock().monotonic_s)
