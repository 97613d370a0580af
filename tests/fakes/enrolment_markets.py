"""Made-up markets for tests of enrolment, and a stability check that shares no code with ours."""

from __future__ import annotations

import hashlib
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
