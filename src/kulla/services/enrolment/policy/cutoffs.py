"""How far each programme came: for every standing, under which lottery number children have a seat.

Children who stand alike at a programme (the same class, the same claims to pools) differ by lottery
alone. So those who have a seat there have smaller numbers than those who were refused, and one
decimal number lies between: that is the cut-off. `told` keeps back what would tell of a private
class; docs/services/enrolment-allocation.md says why each rule is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.allocate import Allocation, eligible, preferred
from kulla.services.enrolment.policy.market import Standing, told_pool
from kulla.services.enrolment.policy.rules import Rules

# A class is named as the last that had a seat only where this many children of public classes
# have one: else a class list of one or two would tell whose class it is.
LEAST_TOLD = 3
NOBODY, EVERYBODY = "0", "1"


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


def told(allocation: Allocation) -> dict[str, Reached]:
    """How far each programme came, as everybody may know it: no word of a private class.

    A standing with a private class or pool is left out; so is one of the strongest public class
    where nobody of it has a seat (then only private classes can have all), and whatever refused
    nobody.
    """
    rules = allocation.market.rules
    first_public = next(
        (at for at, one in enumerate(rules.priorities) if not one.private), len(rules.priorities)
    )
    found = {}
    for programme, standings in _seen_everywhere(allocation).items():
        public = {own: one for own, one in standings.items() if not is_private(rules, own)}
        under = {
            own: _under(one)
            for own, one in public.items()
            if one.refused is not None and (one.seats or own.rank > first_public)
        }
        filled = sum(one.seats for one in standings.values())
        found[programme] = Reached(filled, under, _last(public, rules))
    return found


def _last(standings: Mapping[Standing, _Seen], told_by: Rules | None = None) -> dict[str, int]:
    """By pool the weakest class with a seat; under `told_by`, as it may be told."""
    ranks: dict[str, int] = {}
    seats: Counter[str] = Counter()
    for own, one in standings.items():
        for pool, count in one.pools.items():
            name = told_pool(told_by, pool) if told_by is not None else pool
            ranks[name] = max(ranks.get(name, 0), own.rank)
            seats[name] += count
    least = LEAST_TOLD if told_by is not None else 1
    return {pool: rank for pool, rank in sorted(ranks.items()) if seats[pool] >= least}


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
            drawn = lottery.number_at(market.rules, seed, applicant.commitment, wish.programme)
            one = seen.setdefault(wish.programme, {}).setdefault(wish.standing, _Seen())
            if wish.choice == placement.choice:
                one.pools[placement.pool] += 1
                one.admitted = max(one.admitted or drawn, drawn)
            else:
                one.refused = min(one.refused or drawn, drawn)
    return seen


def _under(one: _Seen) -> str:
    if one.refused is None:
        return EVERYBODY
    if one.admitted is None:
        return NOBODY
    return lottery.between(one.admitted, one.refused)
