"""A whole round: rules, programmes, applicants and a seed give every child's place. Pure.

The arrays are in `arrays.py`, the deferred acceptance in `deferred.py`, the siblings' rule in
`siblings.py`; they are imported when somebody allocates, since they need numpy and a portal's
worker, which only reads results, does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kulla.services.enrolment.policy.market import (
    Applicant,
    Market,
    Standing,
    drawn_at,
    may_try,
    pool_of,
    standing,
)
from kulla.services.enrolment.policy.rules import SIBLING, Rules


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a child was placed: '' and 0 for nowhere.

    `choice` counts from 1 in the child's own list.
    `pool` may tell a private class: show and journal `market.told_pool(rules, pool)` instead.
    """

    programme: str = ""
    pool: str = ""
    choice: int = 0


NOWHERE = Placement()


@dataclass(frozen=True, slots=True)
class Wish:
    """A choice as its grade was settled.

    `gained`: the sibling priority, by an older one's place; `moved`: to the head, for together.
    """

    programme: str
    choice: int
    standing: Standing
    gained: bool = False
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a round came to, by applicant. `wishes` are in the order in which they were tried.

    `waiting`: for each programme who waits for a seat, in order; a child waits wherever it wished
    to be more than where it was placed.
    """

    market: Market
    seed: bytes = field(repr=False)
    placements: Mapping[str, Placement]
    wishes: Mapping[str, tuple[Wish, ...]] = field(repr=False)
    waiting: Mapping[str, tuple[str, ...]] = field(repr=False)

    @property
    def placed(self) -> int:
        """How many children have a place."""
        return sum(1 for one in self.placements.values() if one.choice)


def allocate(market: Market, seed: bytes) -> Allocation:
    """The allocation of a market under a seed of 32 bytes: the same one, whoever computes it."""
    from kulla.services.enrolment.policy.arrays import arrays_of
    from kulla.services.enrolment.policy.siblings import solve

    arrays = arrays_of(market, seed)
    placed = solve(arrays).placed.tolist()
    slots, choices = arrays.slot.tolist(), arrays.choice.tolist()
    names = [(one.programme, pool) for one in market.programmes for pool, _ in one.pools]
    placements = {
        applicant.applicant: _placement(names[slots[at]], choices[at]) if at >= 0 else NOWHERE
        for applicant, at in zip(market.applicants, placed, strict=True)
    }
    schools = older_schools(market, placements)
    wishes = {
        one.applicant: wishes_of(market, one, schools.get(one.applicant, frozenset()))
        for one in market.applicants
    }
    return Allocation(market, seed, placements, wishes, lists(market, seed, placements, wishes))


def _placement(seat: tuple[str, str], choice: int) -> Placement:
    programme, pool = seat
    return Placement(programme, pool, choice)


def older_schools(market: Market, placements: Mapping[str, Placement]) -> dict[str, frozenset[str]]:
    """For each child with an older sibling who was placed: the schools where they were.

    Siblings are siblings whichever of the two named the other; older is who is in a higher grade.
    """
    if not market.rules.siblings_together:
        return {}
    grades = {grade: at for at, grade in enumerate(market.grades)}
    grade_of = {one.applicant: grades.get(one.grade, -1) for one in market.applicants}
    found: dict[str, set[str]] = {}
    for applicant in market.applicants:
        for other in applicant.siblings:
            pair = (applicant.applicant, other)
            for older, younger in (pair, pair[::-1]):
                place = placements.get(older, NOWHERE).programme
                if place and younger in grade_of and grade_of[older] > grade_of[younger]:
                    found.setdefault(younger, set()).add(market.by_programme[place].school)
    return {child: frozenset(schools) for child, schools in found.items()}


def wishes_of(
    market: Market, applicant: Applicant, schools: frozenset[str] = frozenset()
) -> tuple[Wish, ...]:
    """A child's wishes in the order in which they are tried.

    `schools`: where older siblings were placed. The child gains the sibling priority there, and
    with `together` those choices come first, among themselves as the child ranked them.
    """
    found = []
    for choice, name in enumerate(applicant.choices, 1):
        programme = market.by_programme[name]
        own = standing(market.rules, applicant, programme)
        follows = programme.school in schools
        if follows:
            own = with_sibling(market.rules, own)
        found.append(Wish(name, choice, own, follows, follows and applicant.together))
    return tuple(sorted(found, key=lambda wish: not wish.moved))


def with_sibling(rules: Rules, own: Standing) -> Standing:
    """A standing with the sibling priority, and the claim to pools that are kept for siblings."""
    rank = next((at for at, one in enumerate(rules.priorities) if one.kind == SIBLING), own.rank)
    pools = {pool.pool for pool in rules.pools if pool.priority == SIBLING}
    return Standing(min(rank, own.rank), own.pools | pools, own.open)


def preferred(wishes: tuple[Wish, ...], placement: Placement) -> tuple[Wish, ...]:
    """The wishes that were tried before the one that was granted: all, where none was."""
    for at, wish in enumerate(wishes):
        if wish.choice == placement.choice:
            return wishes[:at]
    return wishes


def eligible(market: Market, own: Standing, programme: str) -> bool:
    """Whether any pool of the programme is open to a child who stands there like this."""
    pools = market.by_programme[programme].pools
    return any(may_try(own, pool_of(market.rules, name)) for name, _ in pools)


def lists(
    market: Market,
    seed: bytes,
    placements: Mapping[str, Placement],
    wishes: Mapping[str, tuple[Wish, ...]],
) -> dict[str, tuple[str, ...]]:
    """Each programme's waiting list, ordered by class and then by lottery number."""
    waiting: dict[str, list[tuple[int, bytes, bytes, str]]] = {}
    for applicant in market.applicants:
        own = applicant.applicant
        for wish in preferred(wishes[own], placements[own]):
            if not eligible(market, wish.standing, wish.programme):
                continue
            drawn = drawn_at(market.rules, seed, applicant, wish.programme)
            row = (wish.standing.rank, drawn, applicant.commitment, own)
            waiting.setdefault(wish.programme, []).append(row)
    return {
        programme: tuple(row[3] for row in sorted(rows))
        for programme, rows in sorted(waiting.items())
    }
