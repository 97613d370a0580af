"""What enrolment knows of a child, and which grades that fits. Pure.

Sealed under the child's key as one JSON text, in the field `facts` of the act `child_entered`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.services.enrolment.policy.rules import Rules

ADDRESS_CHARS_MAX: Final = 200


class ChildFactsInvalid(KullaError):
    """A child's sealed facts that opened to something else."""


@dataclass(frozen=True, slots=True)
class ChildFacts:
    """Day of birth (ISO), address, and the id of the area whose schools are near ('' unknown)."""

    born: str
    address: str = ""
    area: str = ""

    @property
    def born_on(self) -> date:
        """The day of birth as a date."""
        return date.fromisoformat(self.born)


def child_text(facts: ChildFacts) -> str:
    """The JSON that is sealed."""
    plain = {"born": facts.born, "address": facts.address, "area": facts.area}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def child_of(text: str) -> ChildFacts:
    """The inverse of `child_text`. Raises ChildFactsInvalid."""
    try:
        plain = json.loads(text)
        facts = ChildFacts(str(plain["born"]), str(plain["address"]), str(plain["area"]))
        date.fromisoformat(facts.born)
    except (ValueError, TypeError, KeyError) as error:
        raise ChildFactsInvalid(
            "what is known of a child can't be read.",
            place="facts",
            remedy="Enter the child again, from the civil register or at a counter.",
        ) from error
    return facts


def area_of(town: str) -> str:
    """The id of the area that a town is, as the allocation reads it from a school's town."""
    return town.casefold().replace(" ", "-")


def fits_grade(rules: Rules, grade: str, born: str) -> bool:
    """Whether a child born on this ISO day is of the grade's age; without ages every child is."""
    bounds = [(first, last) for name, first, last in rules.ages if name == grade]
    return not bounds or any(first <= born <= last for first, last in bounds)


def grades_for(rules: Rules, grades: Iterable[str], born: str) -> list[str]:
    """Those of the grades whose age the child has, in their order."""
    return [grade for grade in grades if fits_grade(rules, grade, born)]
