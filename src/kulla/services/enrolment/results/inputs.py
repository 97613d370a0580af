"""From rows and opened facts to what the allocation takes. Pure.

The allocation believes no family's claim that the rules want seen on paper and that no clerk
confirmed, and none that a clerk refused; and it looks at ages again, since a page that did so can
have been got round. A child whose application can't count stays in the round, without choices, so
that every filed application has a result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from kulla.kernel.rows import Row
from kulla.services.enrolment import tables
from kulla.services.enrolment.applications.child import area_of, fits_grade
from kulla.services.enrolment.applications.commitment import SALT_BYTES, commitment_of
from kulla.services.enrolment.policy.market import Applicant, Programme
from kulla.services.enrolment.policy.rules import Claim, Facts, Rules

Fault = Literal["", "sealed", "commitment", "age"]
"""Why an application does not count: its facts don't open, are others than it committed to, or the
child is too old or too young for the grade."""

FACTS: Final = "facts"
SALT: Final = "salt"
"""The names under which an application's facts and salt (hex) are sealed."""

CHILD_FACTS: Final = "facts"
"""The name under which what is known of a child is sealed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is sealed in an application, opened: facts, salt, and the child's day of birth (ISO)."""

    facts: Facts
    salt: bytes
    born: str


@dataclass(frozen=True, slots=True)
class Taken:
    """An application as the allocation takes it, and why it does not count ('': it does)."""

    applicant: Applicant
    fault: Fault = ""


def programmes_of(rows: Iterable[Row], schools: Mapping[str, Row]) -> tuple[Programme, ...]:
    """The round's programmes; a school lies in the area of its town."""
    found = []
    for row in rows:
        pools = tuple((str(pool), int(seats)) for pool, seats in json.loads(str(row["pools"])))
        school = schools.get(str(row["school"]))
        found.append(
            Programme(
                programme=str(row["programme"]),
                school=str(row["school"]),
                grade=str(row["grade"]),
                pools=pools,
                area=area_of(str(school["town"])) if school is not None else "",
            )
        )
    return tuple(found)


def taken(row: Row, opened: Opened | None, decided: Mapping[int, str], rules: Rules) -> Taken:
    """A filed application as the allocation takes it.

    `opened` is None where the keeper could not open it; `decided`: what clerks said of its claims,
    by number (tables.CONFIRMED or tables.REFUSED).
    """
    fault = _fault(row, opened, rules)
    facts = opened.facts if opened is not None else Facts()
    commitment = row["commitment"]
    assert isinstance(commitment, bytes)
    applicant = Applicant(
        applicant=str(row["child"]),
        grade=str(row["grade"]),
        choices=() if fault else tuple(json.loads(str(row["choices"]))),
        commitment=commitment,
        claims=() if fault else counted(rules, facts, decided),
        siblings=() if fault else facts.siblings,
        together=bool(row["together"]) and not fault,
    )
    return Taken(applicant, fault)


def counted(rules: Rules, facts: Facts, decided: Mapping[int, str]) -> tuple[Claim, ...]:
    """The claims that count: confirmed where the rules want a document, else not refused."""
    papers = {priority.kind for priority in rules.priorities if priority.document}
    return tuple(
        claim
        for number, claim in enumerate(facts.claims)
        if decided.get(number) == tables.CONFIRMED
        or (claim.kind not in papers and decided.get(number) != tables.REFUSED)
    )


def _fault(row: Row, opened: Opened | None, rules: Rules) -> Fault:
    if opened is None:
        return "sealed"
    if not is_committed(row, opened):
        return "commitment"
    return "" if fits_grade(rules, str(row["grade"]), opened.born) else "age"


def is_committed(row: Row, opened: Opened) -> bool:
    """Whether the application says what its commitment stands for."""
    if len(opened.salt) != SALT_BYTES:
        return False
    choices = tuple(json.loads(str(row["choices"])))
    together = bool(row["together"])
    made = commitment_of(opened.salt, str(row["grade"]), choices, together, opened.facts)
    return made == row["commitment"]
