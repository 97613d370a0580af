"""Made-up markets for tests of enrolment, and a stability check that shares no code with ours."""

from __future__ import annotations

import hashlib
import hmac
from random import Random

from kulla.services.enrolment.policy.market import Applicant, Market, Programme, market
from kulla.services.enrolment.policy.rules import Claim, Pool, Priority, Rules

SPECIAL = Priority("special-need", "Special need", "anywhere", private=True, document=True)
SIBLING = Priority("sibling", "A sibling at the school")
AREA = Priority("area", "Lives in the catchment", "area")
STAFF = Priority("staff", "A parent works there")
RULES = Rules(
    priorities=(SPECIAL, SIBLING, AREA),
    pools=(
        Pool("special", "Special need", "special-need"),
        Pool("staff", "Children of staff", "staff", "stay"),
        Pool("open", "Open seats"),
    ),
    grades=("g1", "g2", "g3"),
)


def commitment(name: str) -> bytes:
    """A stand-in: 32 bytes that belong to the name."""
    return hashlib.sha256(name.encode()).digest()


def seed_of(number: int) -> bytes:
    """A seed of 32 bytes for a number."""
    return hashlib.sha256(f"seed {number}".encode()).digest()


def child(name: str, grade: str, choices: str, *claims: Claim, **more: object) -> Applicant:
    """An applicant in few words; `choices` are separated by spaces."""
    return Applicant(name, grade, tuple(choices.split()), commitment(name), claims, **more)  # type: ignore[arg-type]


def random_market(
    seed: int, children: int = 60, *, siblings: bool = True, rules: Rules = RULES
) -> Market:
    """A crowded market of three grades at four schools, with all kinds of claims and pools."""
    random = Random(seed)
    programmes = []
    for number in range(12):
        pools = [(pool.pool, random.randrange(3)) for pool in rules.pools]
        random.shuffle(pools)
        grade = f"g{number % 3 + 1}"
        programmes.append(
            Programme(f"p{number}", f"s{number // 3}", grade, tuple(pools), f"a{number // 6}")
        )
    applicants = []
    for number in range(children):
        grade = f"g{random.randrange(3) + 1}"
        offered = [one.programme for one in programmes if one.grade == grade]
        claims = tuple(
            Claim(kind, at)
            for kind, at in (
                ("special-need", ""),
                ("sibling", f"s{random.randrange(4)}"),
                ("area", f"a{random.randrange(2)}"),
                ("staff", f"s{random.randrange(4)}"),
            )
            if random.random() < 0.25
        )
        family = number // 3 * 3
        together = siblings and random.random() < 0.5
        kin = tuple(f"c{one}" for one in range(family, family + 3) if one != number)
        choices = random.sample(offered, random.randrange(len(offered) + 1))
        applicants.append(
            Applicant(
                f"c{number}",
                grade,
                tuple(choices),
                commitment(f"{seed} c{number}"),
                claims,
                kin if together else (),
                together,
            )
        )
    return market(rules, programmes, applicants)


Place = tuple[str, str]
NONE: Place = ("", "")


def number_of(market_: Market, seed: bytes, applicant: Applicant, programme: str) -> bytes:
    """The lottery number, by the standard library's HMAC alone."""
    text = programme.encode() if market_.rules.tie_break == "multiple" else b""

    def drawn(commitment_: bytes) -> bytes:
        return hmac.new(seed, commitment_ + text, hashlib.sha256).digest()

    family = {applicant.applicant}
    if market_.rules.siblings_together and applicant.together:
        asking = [one for one in market_.applicants if one.together]
        for _ in asking:  # as often as the longest chain of siblings may be
            family |= {
                one.applicant
                for one in asking
                for other in asking
                if other.applicant in family
                and (one.applicant in other.siblings or other.applicant in one.siblings)
            }
    if len(family) == 1:
        return drawn(applicant.commitment)
    lead = min(one.commitment for one in market_.applicants if one.applicant in family)
    return drawn(lead)[:24] + drawn(applicant.commitment)[:8]


def strength(
    market_: Market, seed: bytes, one: Applicant, name: str, pool: str, schools: set[str]
) -> tuple[bool, int, bytes] | None:
    """How a seat ranks a child (the smaller the better), None where it may not have the seat.

    Written from the page's prose and not from the code. `schools`: of older siblings.
    """
    rules = market_.rules
    programme = market_.by_programme[name]
    places = {"school": programme.school, "area": programme.area, "programme": name}
    kinds = {priority.kind: priority for priority in rules.priorities}
    held = {"sibling"} if programme.school in schools else set()
    for claim in one.claims:
        if claim.kind in kinds:
            where = kinds[claim.kind].where
            if where == "anywhere" or (claim.at and claim.at == places[where]):
                held.add(claim.kind)
        elif claim.at in {"", *places.values()}:
            held.add(claim.kind)
    ranks = [at for at, priority in enumerate(rules.priorities) if priority.kind in held]
    stated = next(each for each in rules.pools if each.pool == pool)
    lacks = bool(stated.priority) and stated.priority not in held
    if lacks and stated.unfilled == "stay":
        return None
    if not stated.priority and name in one.reserved_only:
        return None
    return lacks, min(ranks, default=len(kinds)), number_of(market_, seed, one, name)


def older_schools_of(market_: Market, placed: dict[str, Place], one: Applicant) -> set[str]:
    """Where older siblings were placed, whichever of the two named the other."""
    if not market_.rules.siblings_together:
        return set()
    above = market_.grades.index(one.grade) if one.grade in market_.grades else -1
    return {
        market_.by_programme[placed[other.applicant][0]].school
        for other in market_.applicants
        if (other.applicant in one.siblings or one.applicant in other.siblings)
        and other.grade in market_.grades
        and market_.grades.index(other.grade) > above
        and placed.get(other.applicant, NONE) != NONE
    }


def tried(market_: Market, one: Applicant, schools: set[str]) -> list[Place]:
    """The seats that a child tries, in order: siblings' schools first where it wants that."""

    def follows(name: str) -> bool:
        return one.together and market_.by_programme[name].school in schools

    ranked = sorted(one.choices, key=lambda name: not follows(name))
    return [(name, pool) for name in ranked for pool, _ in market_.by_programme[name].pools]


def by_hand(market_: Market, seed: bytes) -> dict[str, Place]:
    """The allocation as the prose says it, one proposal after the other: slow and plain."""
    placed: dict[str, Place] = {one.applicant: NONE for one in market_.applicants}
    seats = {(one.programme, pool): n for one in market_.programmes for pool, n in one.pools}
    for grade in reversed(market_.grades):
        held: dict[Place, list[tuple[tuple[bool, int, bytes], Applicant]]] = {}
        free = [one for one in market_.applicants if one.grade == grade]
        kin = {one.applicant: older_schools_of(market_, placed, one) for one in free}
        left = {one.applicant: tried(market_, one, kin[one.applicant]) for one in free}
        while free:
            one = free.pop(0)
            if not left[one.applicant]:
                continue
            seat = left[one.applicant].pop(0)
            key = strength(market_, seed, one, *seat, kin[one.applicant])
            if key is None:
                free.insert(0, one)
                continue
            held.setdefault(seat, []).append((key, one))
            held[seat].sort(key=lambda row: row[0])
            if len(held[seat]) > seats[seat]:
                free.append(held[seat].pop()[1])
        for seat, rows in held.items():
            for _, one in rows:
                placed[one.applicant] = seat
    return placed


def complaints(market_: Market, seed: bytes, placed: dict[str, Place]) -> list[str]:
    """Every breach of capacity, eligibility and stability, by trying each pair: quadratic."""
    found = []
    seats = {(one.programme, pool): n for one in market_.programmes for pool, n in one.pools}
    kin = {one.applicant: older_schools_of(market_, placed, one) for one in market_.applicants}
    holders: dict[Place, list[Applicant]] = {seat: [] for seat in seats}
    for one in market_.applicants:
        if placed[one.applicant] != NONE:
            holders[placed[one.applicant]].append(one)
    for seat, children in holders.items():
        if len(children) > seats[seat]:
            found.append(f"{seat} is over its capacity")
        for one in children:
            if seat[0] not in one.choices:
                found.append(f"{one.applicant} never asked for {seat}")
            elif strength(market_, seed, one, *seat, kin[one.applicant]) is None:
                found.append(f"{one.applicant} may not have {seat}")
    for one in market_.applicants:
        for seat in tried(market_, one, kin[one.applicant]):
            if seat[0] == placed[one.applicant][0]:
                break
            own = strength(market_, seed, one, *seat, kin[one.applicant])
            if own is None:
                continue
            if len(holders[seat]) < seats[seat]:
                found.append(f"{one.applicant} wants the free {seat}")
            for other in holders[seat]:
                theirs = strength(market_, seed, other, *seat, kin[other.applicant])
                if theirs is not None and own < theirs:
                    found.append(f"{one.applicant} comes before {other.applicant} at {seat}")
    return found
