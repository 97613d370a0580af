"""How far each programme came: for every standing, under which lottery number children have a seat.

Children who stand alike at a programme (the same class, the same claims to pools) differ by lottery
alone. So those who have a seat there have smaller numbers than those who were refused, and one
decimal number lies between: that is the cut-off. `told` keeps back what would tell of a private
class; docs/services/enrolment-allocation.md says why each rule is there.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.allocate import Allocation, eligible, preferred
from kulla.services.enrolment.policy.market import Standing, drawn_at, told_pool
from kulla.services.enrolment.policy.rules import Rules

# Nothing is told of fewer children than this: of one or two, whoever knows their numbers or sees
# who sits in a class could conclude what class they are of (a test tries).
LEAST_TOLD: Final = 3
NOBODY: Final = "0"
EVERYBODY: Final = "1"


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one programme came.

    `under`: by standing, the decimal under which a number has a seat, '0' where nobody of that
    standing has one, '1' where nobody was refused. `last`: by pool, the weakest class (its place in
    the rules; one behind the last is no class) that has a seat of it, where it can be told.
    """

    filled: int = 0
    under: Mapping[Standing, str] = field(default_factory=dict)
    last: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    """The largest number with a seat, the smallest that was refused, and how many seats by pool."""

    admitted: bytes | None = None
    refused: bytes | None = None
    refusals: int = 0
    pools: Counter[str] = field(default_factory=Counter)

    @property
    def seats(self) -> int:
        return self.pools.total()


def cutoffs(allocation: Allocation) -> dict[str, Reached]:
    """How far each programme came, for every standing; an auditor's view."""
    seen = _seen(allocation)
    found = {}
    for programme in allocation.market.by_programme:
        standings = seen.get(programme, {})
        under = {own: _under(one) for own, one in standings.items()}
        filled = sum(one.seats for one in standings.values())
        found[programme] = Reached(filled, under, _last(standings))
    return found


def told(allocation: Allocation, least: int = LEAST_TOLD) -> dict[str, Reached]:
    """How far each programme came, as everybody may know it: no word of a private class.

    A standing with a private class or pool is left out. Of the others a cut-off is told where at
    least so many have a seat and so many were refused, and where twice as many of all children
    could, by their numbers, be the last with a seat, and as many the first without; or where nobody
    has a seat, so many were refused, and so many of stronger public classes have one. Nothing is
    told of a round of less than four times as many children. `last` is never told.
    """
    rules = allocation.market.rules
    crowd = _Crowd(allocation, least)
    found = {}
    for programme, standings in _seen_everywhere(allocation).items():
        public = {own: one for own, one in standings.items() if not is_private(rules, own)}
        under = {own: _under(one) for own, one in public.items() if crowd.hides(own, public)}
        filled = sum(one.seats for one in standings.values())
        found[programme] = Reached(filled, under)
    return found


def for_families(allocation: Allocation) -> dict[str, Reached]:
    """What families' reasons rest on: a family is told of its own standing's cut-off alone.

    Of the classes that have seats, the public ones are there.
    """
    rules = allocation.market.rules
    seen = _seen_everywhere(allocation)
    found = {}
    for programme, one in cutoffs(allocation).items():
        public = {own: by for own, by in seen[programme].items() if not is_private(rules, own)}
        found[programme] = Reached(one.filled, one.under, _last(public, rules))
    return found


class _Crowd:
    """All children's numbers, among whom those that a cut-off speaks of must be able to hide."""

    def __init__(self, allocation: Allocation, least: int) -> None:
        market = allocation.market
        self._least = least
        self._count = len(market.applicants)
        self._single = market.rules.tie_break == "single"
        commitments = [one.commitment for one in market.applicants]
        own = dict(zip(commitments, lottery.numbers(allocation.seed, commitments), strict=True))
        drawn = (
            lottery.shared(own[one.lead], own[one.commitment]) if one.lead else own[one.commitment]
            for one in market.applicants
        )
        self._drawn = sorted(int.from_bytes(one, "big") for one in drawn)
        self.is_large = self._count >= 4 * least

    def hides(self, own: Standing, public: Mapping[Standing, _Seen]) -> bool:
        """Whether the cut-off of this standing may be told."""
        one = public[own]
        if not self.is_large or one.refusals < self._least:
            return False
        if not one.seats:
            stronger = [other.seats for each, other in public.items() if each.rank < own.rank]
            return sum(stronger) >= self._least
        low, middle, high = lottery.windows(_under(one))
        below = self._between(low, middle)
        above = self._between(middle, high)
        return one.seats >= self._least and min(below, above) >= 2 * self._least

    def _between(self, low: Fraction, high: Fraction) -> int:
        """How many children's numbers lie there.

        Counted; or expected, less a half, where each programme has other numbers.
        """
        if not self._single:
            return int(self._count * (high - low) / 2)
        first, end = (
            bisect_left(self._drawn, math.ceil(edge * 2**lottery.BITS)) for edge in (low, high)
        )
        return end - first


def _last(standings: Mapping[Standing, _Seen], told_by: Rules | None = None) -> dict[str, int]:
    """By pool the weakest class with a seat; under `told_by`, by the pools' public names."""
    ranks: dict[str, int] = {}
    for own, one in standings.items():
        for pool, count in one.pools.items():
            name = told_pool(told_by, pool) if told_by is not None else pool
            if count:
                ranks[name] = max(ranks.get(name, 0), own.rank)
    return dict(sorted(ranks.items()))


def is_private(rules: Rules, own: Standing) -> bool:
    """Whether a standing rests on a private class or a private class's pool."""
    private = {one.kind for one in rules.priorities if one.private}
    if own.rank < len(rules.priorities) and rules.priorities[own.rank].kind in private:
        return True
    return any(pool.pool in own.pools and pool.priority in private for pool in rules.pools)


def _seen_everywhere(allocation: Allocation) -> dict[str, dict[Standing, _Seen]]:
    seen = _seen(allocation)
    return {programme: seen.get(programme, {}) for programme in allocation.market.by_programme}


def _seen(allocation: Allocation) -> dict[str, dict[Standing, _Seen]]:
    """For each programme and standing, the numbers of who came so far down their list."""
    market, seed = allocation.market, allocation.seed
    seen: dict[str, dict[Standing, _Seen]] = {}
    for applicant in market.applicants:
        wishes = allocation.wishes[applicant.applicant]
        placement = allocation.placements[applicant.applicant]
        before = preferred(wishes, placement)
        for wish in wishes[: len(before) + 1]:
            if not eligible(market, wish.standing, wish.programme):
                continue
            drawn = drawn_at(market.rules, seed, applicant, wish.programme)
            one = seen.setdefault(wish.programme, {}).setdefault(wish.standing, _Seen())
            if wish.choice == placement.choice:
                one.pools[placement.pool] += 1
                one.admitted = max(one.admitted or drawn, drawn)
            else:
                one.refusals += 1
                one.refused = min(one.refused or drawn, drawn)
    return seen


def _under(one: _Seen) -> str:
    if one.refused is None:
        return EVERYBODY
    if one.admitted is None:
        return NOBODY
    return lottery.between(one.admitted, one.refused)
