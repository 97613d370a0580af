"""Siblings together by Chile's published rule, around the deferred acceptance of one grade. Pure.

Chile's law lets a child follow a brother or sister (Ley 20.845; Decreto 152 of 2016), and Correa,
Epstein and others, 'School Choice in Chile' (Operations Research 70(2), 2022) say how: grades are
settled from the highest to the lowest; before a grade is settled, a child whose older sibling was
just placed at a school gains the sibling priority there, and where the family asked for
'together', that school moves to the head of the child's list. Siblings of one grade gain nothing
from one another.

Each grade by itself is exactly stable under the lists and priorities that it was settled with.
For the families together a stable assignment need not exist (the paper's proposition on
siblings): an older child who was refused may see a younger one placed where both could have been.
`transcript.py` says where.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kulla.services.enrolment.policy.arrays import BARRED, HAS, LACKS, Arrays, Flags, Ints, Small
from kulla.services.enrolment.policy.deferred import contest, settle


@dataclass(slots=True)
class Solved:
    """`placed` (n): the proposal that each child ended with, -1 for none.

    By proposal, as the grade was settled: `gained` (the sibling priority), `moved` (to the head).
    """

    placed: Ints
    gained: Flags
    moved: Flags


def solve(one: Arrays) -> Solved:
    """Settle every grade, from the highest to the lowest; all at once where nobody has siblings."""
    proposals = len(one.slot)
    solved = Solved(
        placed=np.full(one.count, -1, dtype=np.int64),
        gained=np.zeros(proposals, dtype=bool),
        moved=np.zeros(proposals, dtype=bool),
    )
    owners = one.owners()
    if not len(one.pairs):
        _settle_these(one, np.arange(proposals), owners, solved)
        return solved
    by_grade = np.argsort(one.grade[owners], kind="stable")
    bounds = np.searchsorted(one.grade[owners][by_grade], np.arange(one.grade.max() + 2))
    for grade in range(int(one.grade.max()), -1, -1):
        these = by_grade[bounds[grade] : bounds[grade + 1]]
        if len(these):
            _follow(one, grade, these, owners, solved)
            _settle_these(one, these, owners, solved)
    return solved


def _follow(one: Arrays, grade: int, these: Ints, owners: Small, solved: Solved) -> None:
    """Mark the proposals of this grade at schools where an older sibling was placed."""
    both = np.concatenate((one.pairs, one.pairs[:, ::-1]))
    older, younger = both[:, 0], both[:, 1]
    use = (one.grade[younger] == grade) & (one.grade[older] > grade) & (solved.placed[older] >= 0)
    if not use.any():
        return
    schools = int(one.school.max()) + 1
    at = one.school[one.slot[solved.placed[older[use]]]]
    wanted = np.unique(younger[use].astype(np.int64) * schools + at)
    asked = owners[these].astype(np.int64) * schools + one.school[one.slot[these]]
    place = np.minimum(np.searchsorted(wanted, asked), len(wanted) - 1)
    hits = these[wanted[place] == asked]
    solved.gained[hits] = True
    solved.moved[hits] = one.together[owners[hits]]


def _settle_these(one: Arrays, these: Ints, owners: Small, solved: Solved) -> None:
    """Deferred acceptance among some children's proposals, all of theirs."""
    lacks = one.lacks[these]
    rank = one.rank[these]
    gained = solved.gained[these]
    if gained.any():
        lacks = np.where(gained & one.for_siblings[one.slot[these]], HAS, lacks)
        if one.sibling_rank >= 0:
            rank = np.where(gained, np.minimum(rank, one.sibling_rank), rank)
    # In the order in which each child tries them: what moved up comes first.
    order = np.arange(len(these))
    if solved.moved[these].any():
        order = np.argsort(owners[these].astype(np.int64) * 2 + ~solved.moved[these], kind="stable")
    if (lacks == BARRED).any():
        order = order[lacks[order] != BARRED]
    chosen = these[order]
    rank, lacks = rank[order].astype(np.int64), lacks[order].astype(np.int64)
    children, counts = np.unique(owners[chosen], return_counts=True)
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    key = one.slot[chosen].astype(np.int64) * (LACKS + 1) + lacks
    key = (key * (int(one.rank.max(initial=0)) + 1) + rank) * (int(one.lot.max(initial=0)) + 1)
    key += one.lot[chosen]
    owner = np.repeat(np.arange(len(children), dtype=np.int32), counts)
    ended = settle(contest(offsets, owner, one.slot[chosen], key, one.capacity))
    some = ended >= 0
    solved.placed[children[some]] = chosen[ended[some]]
