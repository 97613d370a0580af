"""A market as arrays: every (child, programme, pool) that a child may try is one *proposal*. Pure.

Needs numpy, so only what allocates imports it. A seat's pool is a *slot*; a slot ranks its
proposals by (lacks the pool's claim, priority class, lottery number), and no two are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.market import (
    Applicant,
    Market,
    Standing,
    drawn_at,
    may_try,
    standing,
)
from kulla.services.enrolment.policy.rules import SIBLING

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Tiny = NDArray[np.int8]
Flags = NDArray[np.bool_]
Marks = NDArray[np.uint8]

HAS, LACKS, BARRED = 0, 1, 2


@dataclass(slots=True)
class Arrays:
    """n children, m proposals, s slots. Children come in the order of their commitments.

    `offsets` (n+1): where each child's proposals begin, in the order in which they are tried.
    By proposal: `slot`, `choice` (from 1), `rank` (the class), `lacks` (HAS; LACKS: after those
    who have the pool's claim; BARRED: only with the sibling priority), `lot` (the order of the
    lottery number among those that it is compared with). By child: `grade` (from the lowest, 0),
    `together`. By slot: `capacity`, `school`, `for_siblings`. `pairs` (k, 2): siblings, each pair
    in both orders or one. `sibling_rank`: the class they gain, -1 where the rules have none.
    """

    offsets: Ints
    slot: Small
    choice: Small
    rank: Tiny
    lacks: Tiny
    lot: Small
    grade: Small
    together: Flags
    capacity: Small
    school: Small
    for_siblings: Flags
    pairs: Small
    sibling_rank: int

    @property
    def count(self) -> int:
        """How many children."""
        return len(self.offsets) - 1

    def owners(self) -> Small:
        """The child of each proposal."""
        each = np.diff(self.offsets)
        return np.repeat(np.arange(self.count, dtype=np.int32), each)


def single_lots(seed: bytes, commitments: list[bytes], leads: Ints | None = None) -> Small:
    """The place of each child's number among all; `commitments` in ascending order.

    `leads`: for each child the place of its family's lead in that order, -1 where the child shares
    a number with nobody. Sorted by the first 64 bits, and where several share those, as siblings
    do, by all of them.
    """
    joined = b"".join(lottery.numbers(seed, commitments))
    digests = np.frombuffer(joined, dtype=">u8").reshape(-1, 4).astype(np.uint64)
    sharing = np.flatnonzero(leads >= 0) if leads is not None else np.zeros(0, dtype=np.int64)
    if leads is not None and len(sharing):
        own = digests[sharing, 0]
        digests[sharing, :3] = digests[leads[sharing], :3]  # see lottery.shared
        digests[sharing, 3] = own
    order = np.argsort(digests[:, 0])
    equal = np.flatnonzero(np.diff(digests[order, 0]) == 0)
    if len(equal):
        tied = np.union1d(equal, equal + 1)
        some = order[tied]
        order[tied] = some[np.lexsort((some, *digests[some].T[::-1]))]
    lots = np.empty(len(order), dtype=np.int32)
    lots[order] = np.arange(len(order), dtype=np.int32)
    return lots


def arrays_of(market: Market, seed: bytes) -> Arrays:
    """The market's arrays under a seed of 32 bytes."""
    rules = market.rules
    slots = [(one, pool) for one in market.programmes for pool, _ in one.pools]
    schools = {one: at for at, one in enumerate(sorted({p.school for p in market.programmes}))}
    pools = {pool.pool: pool for pool in rules.pools}
    rows = list(_proposals(market))
    offsets = np.zeros(len(market.applicants) + 1, dtype=np.int64)
    counts = np.bincount([row[0] for row in rows], minlength=len(market.applicants))
    np.cumsum(counts, out=offsets[1:])
    columns = np.array(rows, dtype=np.int64).reshape(-1, 5)
    seats = [seats for one in market.programmes for _, seats in one.pools]
    grades = {grade: at for at, grade in enumerate(market.grades)}
    kinds = [priority.kind for priority in rules.priorities]
    return Arrays(
        offsets=offsets,
        slot=columns[:, 1].astype(np.int32),
        choice=columns[:, 2].astype(np.int32),
        rank=columns[:, 3].astype(np.int8),
        lacks=columns[:, 4].astype(np.int8),
        lot=_lots(market, seed, columns),
        grade=np.array([grades.get(one.grade, -1) for one in market.applicants], dtype=np.int32),
        together=np.array([one.together for one in market.applicants], dtype=np.bool_),
        capacity=np.array(seats, dtype=np.int32),
        school=np.array([schools[one.school] for one, _ in slots], dtype=np.int32),
        for_siblings=np.array([pools[pool].priority == SIBLING for _, pool in slots], dtype=bool),
        pairs=_pairs(market) if rules.siblings_together else np.zeros((0, 2), dtype=np.int32),
        sibling_rank=kinds.index(SIBLING) if SIBLING in kinds else -1,
    )


def _proposals(market: Market) -> Iterator[tuple[int, int, int, int, int]]:
    """(child, slot, choice, rank, lacks) of each proposal, in the order in which they are tried."""
    rules = market.rules
    pools = {pool.pool: pool for pool in rules.pools}
    first_slot: dict[str, int] = {}
    at = 0
    for programme in market.programmes:
        first_slot[programme.programme] = at
        at += len(programme.pools)
    for child, applicant in enumerate(market.applicants):
        for choice, name in enumerate(applicant.choices, 1):
            programme = market.by_programme[name]
            own = _standing(market, applicant, name)
            for place, (pool_name, _) in enumerate(programme.pools):
                pool = pools[pool_name]
                lacks = LACKS if pool.priority and pool_name not in own.pools else HAS
                if not may_try(own, pool):
                    if pool.priority != SIBLING:
                        continue
                    lacks = BARRED
                yield child, first_slot[name] + place, choice, own.rank, lacks


def _standing(market: Market, applicant: Applicant, name: str) -> Standing:
    return standing(market.rules, applicant, market.by_programme[name])


def _lots(market: Market, seed: bytes, columns: NDArray[Any]) -> Small:
    commitments = [one.commitment for one in market.applicants]
    if market.rules.tie_break == "single":
        at = {commitment: place for place, commitment in enumerate(commitments)}
        leads = np.array([at.get(one.lead, -1) for one in market.applicants], dtype=np.int64)
        lots: Small = single_lots(seed, commitments, leads)[columns[:, 0]]
        return lots
    names = [one.programme for one in market.programmes for _ in one.pools]
    wishes = [(child, names[slot]) for child, slot in columns[:, :2].tolist()]
    drawn = {
        (child, name): (drawn_at(market.rules, seed, market.applicants[child], name), child)
        for child, name in set(wishes)
    }
    places = {wish: place for place, wish in enumerate(sorted(drawn, key=drawn.__getitem__))}
    return np.array([places[wish] for wish in wishes], dtype=np.int32)


def _pairs(market: Market) -> Small:
    at = {one.applicant: place for place, one in enumerate(market.applicants)}
    pairs = {
        (at[one.applicant], at[other])
        for one in market.applicants
        for other in one.siblings
        if other in at and other != one.applicant
    }
    return np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2)
