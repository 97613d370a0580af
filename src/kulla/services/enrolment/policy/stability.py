"""Whether an assignment is stable, looked at seat by seat; shares no code with what made it. Pure.

Stable (Gale and Shapley 1962, with Kominers and Soenmez's slots 2016): no child wishes a programme
more than its own place where one of the seats that it may take is free, or is held by a child whom
that seat ranks behind it. A seat of a pool ranks children with the pool's claim first, then by
class, then by lottery number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kulla.services.enrolment.policy.allocate import Placement, Wish, preferred
from kulla.services.enrolment.policy.market import (
    Applicant,
    Market,
    Standing,
    drawn_at,
    may_try,
    pool_of,
)

Key = tuple[bool, int, bytes]


@dataclass(frozen=True, slots=True)
class Envy:
    """A child would have a seat at a programme that it wishes more.

    `held_by` is who has that seat, '' where it is free.
    """

    applicant: str
    programme: str
    pool: str
    held_by: str


@dataclass(slots=True)
class _Pool:
    seats: int
    holders: int = 0
    last: Key | None = None
    last_child: str = ""


class Seats:
    """Who holds which seats, and whether somebody else would have one."""

    def __init__(
        self,
        market: Market,
        seed: bytes,
        placements: Mapping[str, Placement],
        wishes: Mapping[str, tuple[Wish, ...]],
    ) -> None:
        self._market, self._seed = market, seed
        self._pools = {
            (one.programme, pool): _Pool(seats)
            for one in market.programmes
            for pool, seats in one.pools
        }
        for applicant in market.applicants:
            placement = placements[applicant.applicant]
            if placement.choice:
                wish = next(
                    one
                    for one in wishes[applicant.applicant]
                    if one.programme == placement.programme
                )
                self._take(applicant, placement, wish.standing)

    def _take(self, applicant: Applicant, placement: Placement, own: Standing) -> None:
        pool = self._pools[placement.programme, placement.pool]
        pool.holders += 1
        key = self._key(applicant, placement.programme, placement.pool, own)
        if pool.last is None or key > pool.last:
            pool.last, pool.last_child = key, applicant.applicant

    def _key(self, applicant: Applicant, programme: str, pool: str, own: Standing) -> Key:
        rules = self._market.rules
        lacks = bool(pool_of(rules, pool).priority) and pool not in own.pools
        drawn = drawn_at(rules, self._seed, applicant, programme)
        return lacks, own.rank, drawn

    def holders(self, programme: str, pool: str) -> int:
        """How many hold a seat of this pool."""
        return self._pools[programme, pool].holders

    def would_admit(self, applicant: Applicant, programme: str, own: Standing) -> Envy | None:
        """A seat that the child would have here with this standing; None where there is none."""
        for name, _ in self._market.by_programme[programme].pools:
            pool = self._pools[programme, name]
            if not pool.seats or not may_try(own, pool_of(self._market.rules, name)):
                continue
            if pool.holders < pool.seats:
                return Envy(applicant.applicant, programme, name, "")
            assert pool.last is not None
            if self._key(applicant, programme, name, own) < pool.last:
                return Envy(applicant.applicant, programme, name, pool.last_child)
        return None


def envies(
    market: Market,
    seats: Seats,
    placements: Mapping[str, Placement],
    wishes: Mapping[str, tuple[Wish, ...]],
) -> Iterator[Envy]:
    """Every reason why the assignment is not stable; nothing where it is."""
    for applicant in market.applicants:
        own = applicant.applicant
        for wish in preferred(wishes[own], placements[own]):
            found = seats.would_admit(applicant, wish.programme, wish.standing)
            if found is not None:
                yield found
