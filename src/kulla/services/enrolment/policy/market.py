"""A market: programmes with pools of seats, and the children who apply. Pure, and without numpy.

`Market` is what an allocation starts from and what an auditor is given. It is checked once, when it
is made, so that everything behind it may rely on it; the order in which rows come never matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.rules import OPEN_POOL, Claim, Pool, Priority, Rules


class MarketInvalid(KullaError):
    """A market that contradicts itself; `place` names the programme or the applicant."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What a school offers to one grade.

    `pools`: (pool, seats) in the order in which they are tried. `area` is the catchment that the
    school lies in, '' where there are none.
    """

    programme: str
    school: str
    grade: str
    pools: tuple[tuple[str, int], ...]
    area: str = ""

    @property
    def seats(self) -> int:
        """All seats, of whatever pool."""
        return sum(seats for _, seats in self.pools)


@dataclass(frozen=True, slots=True)
class Applicant:
    """A child's application as the allocation takes it: only claims that were confirmed.

    `applicant` names the child among siblings and in results (a subject, or a row's id); the
    lottery knows the child by `commitment` (32 bytes) alone. `choices`: programmes, best first.
    `reserved_only`: choices made for reserved seats alone, as files have it that name a quota in
    each row; who applies in the portal may take an open seat everywhere.
    `lead`: the smallest commitment of the siblings who share a lottery number, b"" where the child
    has one alone; `market` sets it.
    """

    applicant: str
    grade: str
    choices: tuple[str, ...]
    commitment: bytes
    claims: tuple[Claim, ...] = ()
    siblings: tuple[str, ...] = ()
    together: bool = False
    reserved_only: tuple[str, ...] = ()
    lead: bytes = b""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a child stands at a programme: class, and the reserved pools with a claim to them.

    `rank` is the class's place in the rules: 0 is the strongest, one behind the last is no class.
    `open` is False where the child applied for reserved seats alone.
    """

    rank: int
    pools: frozenset[str] = frozenset()
    open: bool = True


@dataclass(frozen=True, slots=True)
class Market:
    """Rules, programmes and applicants that fit together; applicants in order of commitment."""

    rules: Rules
    programmes: tuple[Programme, ...]
    applicants: tuple[Applicant, ...]
    by_programme: Mapping[str, Programme] = field(repr=False)
    grades: tuple[str, ...] = ()


_NUMBERS: Final = re.compile(r"(^-?\d+|\d+)")


def market(
    rules: Rules, programmes: Iterable[Programme], applicants: Iterable[Applicant]
) -> Market:
    """The market of these rows, in whatever order. Raises MarketInvalid with the row's id.

    A choice of another grade, or of a programme that is not there, is invalid: a form or a reader
    of files refuses it before.
    """
    offered = tuple(sorted(programmes, key=lambda one: one.programme))
    by_programme = {one.programme: one for one in offered}
    if len(by_programme) != len(offered):
        raise MarketInvalid("two programmes have the same id.", place=_twice(offered))
    known = {pool.pool for pool in rules.pools}
    for one in offered:
        _check_programme(one, known)
    children = tuple(sorted(applicants, key=lambda one: one.commitment))
    _check_applicants(children, by_programme, rules)
    if rules.siblings_together:
        children = _with_leads(children)
    grades = grade_order(rules, {one.grade for one in offered})
    return Market(rules, offered, children, by_programme, grades)


def _with_leads(children: tuple[Applicant, ...]) -> tuple[Applicant, ...]:
    """The same, each of several siblings who ask to be together with their lead."""
    asking = {one.applicant for one in children if one.together}
    kin: dict[str, set[str]] = {}
    for one in children:
        for other in one.siblings:
            if one.applicant != other and {one.applicant, other} <= asking:
                kin.setdefault(one.applicant, set()).add(other)
                kin.setdefault(other, set()).add(one.applicant)
    leads: dict[str, bytes] = {}
    for one in children:  # in order of commitment: whoever is met first leads all who are reached
        reached = [one.applicant] if one.applicant in kin and one.applicant not in leads else []
        while reached:
            own = reached.pop()
            leads[own] = one.commitment
            reached += [other for other in kin[own] if other not in leads]
    return tuple(replace(one, lead=leads.get(one.applicant, b"")) for one in children)


def _twice(offered: tuple[Programme, ...]) -> str:
    ids = [one.programme for one in offered]
    return f"programme {next(one for one in ids if ids.count(one) > 1)}"


def _check_programme(one: Programme, known: set[str]) -> None:
    place = f"programme {one.programme}"
    pools = [pool for pool, _ in one.pools]
    if len(set(pools)) != len(pools):
        raise MarketInvalid("it names a pool twice.", place=place)
    for pool, seats in one.pools:
        if pool not in known:
            raise MarketInvalid(f"the rules have no pool {pool!r}.", place=place)
        if seats < 0:
            raise MarketInvalid(f"pool {pool} has {seats} seats.", place=place)


def _check_applicants(
    children: tuple[Applicant, ...], offered: Mapping[str, Programme], rules: Rules
) -> None:
    if len({one.applicant for one in children}) != len(children):
        raise MarketInvalid("two applications have the same applicant.", place="applicants")
    before = b""
    for one in children:
        place = f"applicant {one.applicant}"
        if len(one.commitment) != 32 or one.commitment == before:
            raise MarketInvalid("its commitment is not 32 bytes of its own.", place=place)
        before = one.commitment
        if len(set(one.choices)) != len(one.choices):
            raise MarketInvalid("it names a programme twice.", place=place)
        if 0 < rules.choices_max < len(one.choices):
            raise MarketInvalid(f"it has more than {rules.choices_max} choices.", place=place)
        for choice in one.choices:
            found = offered.get(choice)
            if found is None or found.grade != one.grade:
                raise MarketInvalid(f"no programme {choice} of grade {one.grade}.", place=place)


def grade_order(rules: Rules, grades: Iterable[str]) -> tuple[str, ...]:
    """`grades` from the lowest to the highest.

    In the order of `rules.grades`; those that it does not name follow, by the numbers in their
    names ('grade-2' before 'grade-10'), then by name.
    """
    stated = {grade: place for place, grade in enumerate(rules.grades)}

    def key(grade: str) -> tuple[int, list[tuple[int, int, str]]]:
        parts = [part for part in _NUMBERS.split(grade) if part]
        natural = [
            (0, int(part), "") if _NUMBERS.fullmatch(part) else (1, 0, part) for part in parts
        ]
        return stated.get(grade, len(stated)), natural

    return tuple(sorted(set(grades), key=key))


def counts_at(claim: Claim, programme: Programme, priority: Priority | None) -> bool:
    """Whether a claim counts at a programme; `priority` is None for a kind that is no class."""
    if priority is None:
        return claim.at in {"", programme.programme, programme.school, programme.area}
    match priority.where:
        case "anywhere":
            return True
        case "programme":
            return claim.at == programme.programme
        case "school":
            return claim.at == programme.school
        case "area":
            return bool(claim.at) and claim.at == programme.area


def standing(rules: Rules, applicant: Applicant, programme: Programme) -> Standing:
    """How a child stands at the programme by its own claims."""
    kinds = {priority.kind: (rank, priority) for rank, priority in enumerate(rules.priorities)}
    held = set()
    rank = len(rules.priorities)
    for claim in applicant.claims:
        own_rank, priority = kinds.get(claim.kind, (rank, None))
        if counts_at(claim, programme, priority):
            held.add(claim.kind)
            rank = min(rank, own_rank)
    pools = frozenset(pool.pool for pool in rules.pools if pool.priority and pool.priority in held)
    return Standing(rank, pools, programme.programme not in applicant.reserved_only)


def drawn_at(rules: Rules, seed: bytes, applicant: Applicant, programme: str) -> bytes:
    """The lottery number (32 bytes) that counts for a child at a programme."""
    return lottery.number_at(rules, seed, applicant.commitment, programme, applicant.lead)


def pool_of(rules: Rules, name: str) -> Pool:
    """The pool of that name. Raises KeyError where the rules have none."""
    return next(pool for pool in rules.pools if pool.pool == name)


def may_try(standing_: Standing, pool: Pool) -> bool:
    """Whether a child may take a seat of the pool: by a claim, or because it opens to everybody."""
    if not pool.priority:
        return standing_.open
    return pool.pool in standing_.pools or pool.unfilled == "open"


def told_pool(rules: Rules, name: str) -> str:
    """The pool's name as it may stand in acts, registers and pages: a private one is 'open'."""
    private = {priority.kind for priority in rules.priorities if priority.private}
    return OPEN_POOL if name and pool_of(rules, name).priority in private else name
