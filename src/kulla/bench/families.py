"""Made-up families for a real country's supply of school places: who applies where, from a seed.

The supply (schools, grades, programmes, seats) and which children are siblings are Chile's of 2020;
what families wish is not published and is modelled:

- Children per grade as the seats per grade; a child lives near a school, drawn by its seats. The
  schools' ids run roughly along the country, so neighbours in the list stand for a neighbourhood.
- A list has 1 + geometric entries, 3.4 on average, 20 at most, among the 61 programmes of the grade
  that are nearest; a programme's worth is its popularity (log-normal, sigma 1.2) plus the family's
  own taste for the school (Gumbel), which siblings share: so lists are as under a logit model.
- One child in ten has a sibling already at one of its choices, one in thirty a parent who works
  there, one in thirty was there before: Chile's three priority classes, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

APPLICANTS: Final = 563_353
NEARBY: Final = 30
LISTED_MOST: Final = 20
LISTED_MEAN: Final = 3.4
SIGMA: Final = 1.2
CLASSES: Final = 3
SIBLING_CLASS: Final = 0
_CLASS_SHARES: Final = (1 / 10, 1 / 30, 1 / 30)
_BLOCK: Final = 50_000


@dataclass(slots=True)
class Supply:
    """By programme, by grade (0 the lowest) and then along the country: school, grade, seats.

    `first` (grades + 1): where each grade's programmes begin.
    """

    school: Ints
    grade: Ints
    seats: Ints
    first: Ints


def read_supply(path: Path) -> Supply:
    """Chile's supply: the columns school_id, grade_id, program_id, regular_vacancies."""
    table = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.int64, usecols=(0, 1, 2, 3))
    table = table[np.lexsort((table[:, 2], table[:, 0], table[:, 1]))]
    grades, grade = np.unique(table[:, 1], return_inverse=True)
    _, school = np.unique(table[:, 0], return_inverse=True)
    first = np.searchsorted(grade, np.arange(len(grades) + 1))
    return Supply(school.astype(np.int64), grade.astype(np.int64), table[:, 3], first)


def read_siblings(path: Path) -> tuple[Ints, Ints, int]:
    """Pairs (k, 2) of children by number, their flags (same grade, together), and how many."""
    rows = np.loadtxt(
        path, delimiter=";", skiprows=1, dtype=np.int64, usecols=(0, 1, 2, 4), encoding="utf-8-sig"
    )
    children, pairs = np.unique(rows[:, :2], return_inverse=True)
    return pairs.reshape(-1, 2).astype(np.int64), rows[:, 2:], len(children)


def made_up(supply: Supply, siblings: Path, count: int, seed: int) -> dict[str, NDArray[Any]]:
    """A whole round by name of array, children in no order that means anything.

    `grade`, `together`, `offsets`, `programme` and `rank` (by wish), `pairs`, `commitments`.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    grade, family, pairs, together = _children(supply, siblings, count, random)
    lengths = np.minimum(random.geometric(1 / LISTED_MEAN, count), LISTED_MOST)
    home = _homes(supply, family, random)
    popularity = random.normal(0, SIGMA, int(supply.school.max()) + 1)
    listed = _lists(supply, grade, family, home, popularity, lengths)
    known = listed >= 0
    rank = np.full(listed.shape, CLASSES, dtype=np.int8)
    for place in range(CLASSES - 1, -1, -1):
        has = np.flatnonzero(random.random(count) < _CLASS_SHARES[place])
        rank[has, (random.random(len(has)) * known[has].sum(axis=1)).astype(np.int64)] = place
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(known.sum(axis=1), out=offsets[1:])
    return {
        "grade": grade.astype(np.int32),
        "together": together,
        "offsets": offsets,
        "programme": listed[known].astype(np.int32),
        "rank": rank[known],
        "pairs": pairs.astype(np.int32),
        "commitments": random.integers(0, 256, (count, 32), dtype=np.uint8),
    }


def _children(
    supply: Supply, siblings: Path, count: int, random: np.random.Generator
) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    """Grade and family of each child, pairs of siblings, and who wants to be together.

    Real siblings come first, if there are so many children; the rest are families of one.
    """
    seats = np.add.reduceat(supply.seats, supply.first[:-1]).astype(np.float64)
    grade = random.choice(len(seats), size=count, p=seats / seats.sum()).astype(np.int64)
    pairs, flags, _ = read_siblings(siblings)
    use = (pairs < count).all(axis=1)
    pairs, flags = pairs[use], flags[use]
    family = np.arange(count, dtype=np.int64)
    for _ in range(20):  # the smallest number in a family is its name; chains are short
        low = np.minimum(family[pairs[:, 0]], family[pairs[:, 1]])
        np.minimum.at(family, pairs[:, 0], low)
        np.minimum.at(family, pairs[:, 1], low)
    for (one, other), (same, _) in zip(pairs.tolist(), flags.tolist(), strict=True):
        if same:
            grade[other] = grade[one]
        elif grade[other] == grade[one]:
            grade[other] = (grade[one] + 1 + other % (len(seats) - 1)) % len(seats)
    together = np.zeros(count, dtype=bool)
    together[pairs[flags[:, 1] == 1].ravel()] = True
    return grade, family, pairs, together


def _homes(supply: Supply, family: Ints, random: np.random.Generator) -> Ints:
    """The school near which each child lives: its family's, drawn by seats."""
    seats = np.bincount(supply.school, weights=supply.seats)
    drawn: Ints = random.choice(len(seats), size=len(family), p=seats / seats.sum())
    home: Ints = drawn[family].astype(np.int64)
    return home


def _lists(
    supply: Supply,
    grade: Ints,
    family: Ints,
    home: Ints,
    popularity: NDArray[np.float64],
    lengths: Ints,
) -> Ints:
    """Each child's programmes, best first, -1 behind the last: (n, LISTED_MOST)."""
    listed = np.full((len(grade), LISTED_MOST), -1, dtype=np.int64)
    for at in range(len(supply.first) - 1):
        children = np.flatnonzero(grade == at)
        low, high = int(supply.first[at]), int(supply.first[at + 1])
        schools = supply.school[low:high]
        for begin in range(0, len(children), _BLOCK):
            block = children[begin : begin + _BLOCK]
            middle = np.searchsorted(schools, home[block])
            near = middle[:, None] + np.arange(-NEARBY, NEARBY + 1)
            near %= high - low
            worth = popularity[schools[near]] + _taste(family[block][:, None], schools[near])
            best = np.argsort(-worth, axis=1)[:, :LISTED_MOST]
            chosen = np.take_along_axis(near, best, axis=1) + low
            chosen[np.arange(LISTED_MOST) >= lengths[block][:, None]] = -1
            listed[block, : chosen.shape[1]] = chosen
    return listed


def _taste(family: Ints, school: Ints) -> NDArray[np.float64]:
    """A Gumbel number that only family and school decide (the mixing of SplitMix64)."""
    mixed = family.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + school.astype(np.uint64)
    for factor, shift in ((0xBF58476D1CE4E5B9, 30), (0x94D049BB133111EB, 27)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    uniform = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53 + 2.0**-54
    gumbel: NDArray[np.float64] = -np.log(-np.log(uniform))
    return gumbel
