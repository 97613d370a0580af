"""A round's rules as data: priorities in order, reserved seats, tie-break, choices. Pure.

What the ministry publishes, what the allocation obeys, and what a transcript states are this one
value. `rules_text.py` reads and writes it; `prose.py` says it in sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

OPEN_POOL: Final = "open"
# The class that a younger child gains at the school where an older one was placed.
SIBLING: Final = "sibling"

Where = Literal["school", "area", "anywhere", "programme"]


@dataclass(frozen=True, slots=True)
class Priority:
    """One priority class. `where` says at which programmes a claim to it counts.

    'school': at the school that the claim names (sibling, staff); 'area': at schools whose
    catchment the claim names; 'anywhere': at every programme (special need, looked-after);
    'programme': at the one programme that the claim names.
    `private` classes are never told in public: the public transcript joins them with others.
    """

    kind: str
    title: str
    where: Where = "school"
    private: bool = False
    document: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """Reserved seats: who has a claim to `priority` may take them; 'open' is for everybody.

    `unfilled`: whether seats that stay free go to everybody ('open') or stay free ('stay').
    A pool may name a kind that is no priority class: then a claim to it gives these seats alone,
    at the programme, school or area that it names.
    """

    pool: str
    title: str
    priority: str = ""
    unfilled: Literal["open", "stay"] = "open"


@dataclass(frozen=True, slots=True)
class Claim:
    """A family's claim: a priority's kind, and the school or area that it names ('' anywhere)."""

    kind: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The sealed part of an application: claims, siblings (child ids) in the round, area."""

    claims: tuple[Claim, ...] = ()
    siblings: tuple[str, ...] = ()
    area: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of a round's rules. `priorities` come in order, the first is the strongest.

    `tie_break`: 'single' gives a child one lottery number for all programmes, 'multiple' one for
    each. `ages`: for each grade the first and last day of birth. `choices_max` 0: no bound.
    `grades`: from the lowest to the highest; where it is empty, `grade_order` reads their names.
    """

    priorities: tuple[Priority, ...] = ()
    pools: tuple[Pool, ...] = (Pool(OPEN_POOL, "Open seats"),)
    tie_break: Literal["single", "multiple"] = "single"
    choices_max: int = 0
    siblings_together: bool = True
    ages: tuple[tuple[str, str, str], ...] = ()
    titles: tuple[tuple[str, str], ...] = ()
    grades: tuple[str, ...] = ()
