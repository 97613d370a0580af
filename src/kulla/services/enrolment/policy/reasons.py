"""For each choice that a family ranked higher: why not. Pure, and in no language.

A page says it in words; here are the values. The reasons come from the cut-offs, either all of
them (the job that posts results) or those that everybody may know (a page, a parent's check).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.allocate import (
    Allocation,
    Placement,
    Wish,
    eligible,
    preferred,
)
from kulla.services.enrolment.policy.cutoffs import NOBODY, Reached, for_families, is_private
from kulla.services.enrolment.policy.market import Applicant, Market, drawn_at, may_try, pool_of
from kulla.services.enrolment.policy.rules import Rules

Code = Literal["lottery", "priority", "not-eligible", "no-seats", "not-told"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a child has no seat at a programme that the family ranked higher.

    lottery       children who stand as this one does have a seat with a number under `under`;
                  this one's is `number` (decimals, as text)
    priority      nobody who stands as this one does has a seat; the weakest class that has one is
                  `last` ('' where that can't be told: then a stronger one than `own`)
    not-eligible  its seats are kept for children with a claim that this one has not
    no-seats      it has none
    not-told      the public transcript keeps the cut-off back; an auditor can tell

    `own` and `last` are kinds of priorities, '' for none (and see `last` above). `choice` is the
    place in the family's list, from 1.
    """

    choice: int
    programme: str
    code: Code
    own: str = ""
    last: str = ""
    number: str = ""
    under: str = ""


def reasons(allocation: Allocation) -> dict[str, tuple[Reason, ...]]:
    """Every applicant's reasons, best choice first; an empty tuple for who has the first choice.

    The cut-offs are those of all standings, so that a family also learns its own private class's;
    of others it learns no private class.
    """
    reached = for_families(allocation)
    return {
        applicant.applicant: reasons_of(
            allocation.market,
            reached,
            allocation.seed,
            applicant,
            allocation.wishes[applicant.applicant],
            allocation.placements[applicant.applicant],
        )
        for applicant in allocation.market.applicants
    }


def reasons_of(
    market: Market,
    reached: Mapping[str, Reached],
    seed: bytes,
    applicant: Applicant,
    wishes: tuple[Wish, ...],
    placement: Placement,
) -> tuple[Reason, ...]:
    """One child's reasons from the cut-offs; `market` needs rules and programmes only."""
    found = []
    for wish in preferred(wishes, placement):
        drawn = drawn_at(market.rules, seed, applicant, wish.programme)
        found.append(_reason(market, reached[wish.programme], wish, drawn))
    return tuple(found)


def _reason(market: Market, reached: Reached, wish: Wish, drawn: bytes) -> Reason:
    rules, where = market.rules, (wish.choice, wish.programme)
    own = kind_of(rules, wish.standing.rank)
    if not market.by_programme[wish.programme].seats:
        return Reason(*where, "no-seats", own)
    if not eligible(market, wish.standing, wish.programme):
        return Reason(*where, "not-eligible", own)
    under = reached.under.get(wish.standing)
    if under is None:
        private = is_private(rules, wish.standing)
        return Reason(*where, "not-told", own, number="" if private else lottery.shown(drawn))
    if under == NOBODY:
        pools = [name for name, _ in market.by_programme[wish.programme].pools]
        open_to = {pool for pool in pools if may_try(wish.standing, pool_of(rules, pool))}
        ranks = [rank for pool, rank in reached.last.items() if pool in open_to]
        last = max(ranks, default=wish.standing.rank)
        stronger = last < wish.standing.rank
        return Reason(*where, "priority", own, kind_of(rules, last) if stronger else "")
    shown = lottery.shown(drawn, max(6, len(under) - 2))
    return Reason(*where, "lottery", own, number=shown, under=under)


def kind_of(rules: Rules, rank: int) -> str:
    """The kind of the class at that place in the rules, '' for none."""
    if rank >= len(rules.priorities):
        return ""
    return rules.priorities[rank].kind
