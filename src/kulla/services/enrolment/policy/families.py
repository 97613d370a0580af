"""What came of siblings, and where no stable assignment need exist for their families. Pure.

Deferred acceptance by grade is stable grade by grade. Taken together, families may still have cause
to complain, and no order of grades heals all of it (Correa, Epstein and others 2022): this finds
each such place and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kulla.services.enrolment.policy.allocate import Allocation, preferred, with_sibling
from kulla.services.enrolment.policy.market import Applicant, standing
from kulla.services.enrolment.policy.stability import Seats

Why = Literal["settled-before", "same-grade", "followed"]


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A child who would have a seat at a programme that the family ranked higher, but for the rule.

    settled-before  with the priority of a younger sibling, who was placed at that school: but the
                    older one's grade is settled first
    same-grade      with the priority of a sibling of the same grade, who was placed at that school
    followed        by the family's own list: but it asked for 'together', and the child followed
                    an older sibling to a school lower in its list
    """

    applicant: str
    programme: str
    sibling: str
    why: Why


@dataclass(frozen=True, slots=True)
class Families:
    """How many pairs of siblings applied, how many of them are at one school, and what is left."""

    pairs: int
    at_one_school: int
    unsettled: tuple[Unsettled, ...]


def families(allocation: Allocation) -> Families:
    """What came of all siblings of a round."""
    market, placements = allocation.market, allocation.placements
    seats = Seats(market, allocation.seed, placements, allocation.wishes)
    pairs = sibling_pairs(allocation)
    school = {
        child: market.by_programme[one.programme].school
        for child, one in placements.items()
        if one.choice
    }
    together = sum(1 for a, b in pairs if a in school and school.get(a) == school.get(b))
    found: set[Unsettled] = set()
    if market.rules.siblings_together:
        by_name = {one.applicant: one for one in market.applicants}
        for a, b in pairs:
            for own, other in ((a, b), (b, a)):
                found.update(_unsettled(allocation, seats, by_name[own], by_name[other]))
    ordered = sorted(found, key=lambda one: (one.applicant, one.programme, one.sibling))
    return Families(len(pairs), together, tuple(ordered))


def sibling_pairs(allocation: Allocation) -> list[tuple[str, str]]:
    """Each pair of siblings who both applied, once."""
    known = allocation.placements
    pairs = {
        (min(one.applicant, other), max(one.applicant, other))
        for one in allocation.market.applicants
        for other in one.siblings
        if other in known and other != one.applicant
    }
    return sorted(pairs)


def _unsettled(
    allocation: Allocation, seats: Seats, own: Applicant, other: Applicant
) -> Iterator[Unsettled]:
    """What this child may complain of on account of that sibling."""
    market = allocation.market
    there = allocation.placements[other.applicant].programme
    if not there:
        return
    school = market.by_programme[there].school
    grades = {grade: at for at, grade in enumerate(market.grades)}
    above = grades.get(own.grade, -1) - grades.get(other.grade, -1)
    wishes = allocation.wishes[own.applicant]
    placement = allocation.placements[own.applicant]
    if above >= 0:
        for wish in preferred(wishes, placement):
            if market.by_programme[wish.programme].school == school:
                with_it = with_sibling(market.rules, wish.standing)
                if seats.would_admit(own, wish.programme, with_it):
                    why: Why = "settled-before" if above else "same-grade"
                    yield Unsettled(own.applicant, wish.programme, other.applicant, why)
        return
    followed = placement.programme and market.by_programme[placement.programme].school == school
    if followed and own.together:
        for wish in wishes:
            if wish.choice < placement.choice and not wish.moved:
                alone = standing(market.rules, own, market.by_programme[wish.programme])
                if seats.would_admit(own, wish.programme, alone):
                    yield Unsettled(own.applicant, wish.programme, other.applicant, "followed")
