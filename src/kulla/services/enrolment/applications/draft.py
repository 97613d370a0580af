"""An application that is being written: each button makes of it another one. Pure.

What is posted is a wish and no fact: `problems_of` says what is missing or does not fit, and the
policy looks again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kulla.services.enrolment.applications.wishes import CHOICES_MAX, CLAIMS_MAX
from kulla.services.enrolment.policy.rules import Claim, Facts, Rules

SIBLINGS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Draft:
    """What is wished so far. `change` is that of the application it was begun from; 0 for none."""

    grade: str = ""
    choices: tuple[str, ...] = ()
    together: bool = False
    siblings: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    change: int = 0

    def edited(self, edit: str, programme: str) -> Draft:
        """The draft after a button of its list; one that means nothing here changes nothing."""
        listed = list(self.choices)
        if edit == "add" and programme not in listed and len(listed) < CHOICES_MAX:
            listed.append(programme)
        elif edit in ("up", "down", "remove") and programme in listed:
            at = listed.index(programme)
            listed.pop(at)
            if edit == "up":
                listed.insert(max(0, at - 1), programme)
            elif edit == "down":
                listed.insert(at + 1, programme)
        return replace(self, choices=tuple(listed))

    def facts(self, area: str, before: Facts | None = None) -> Facts:
        """The sealed part; claims that stood `before` keep their place, and so their number."""
        old = [claim for claim in (before.claims if before else ()) if claim in self.claims]
        claims = [*old, *(claim for claim in self.claims if claim not in old)]
        return Facts(tuple(claims), self.siblings, area)


def draft_text(draft: Draft) -> str:
    """The draft as JSON."""
    plain = {
        "grade": draft.grade,
        "choices": draft.choices,
        "together": draft.together,
        "siblings": draft.siblings,
        "claims": [[claim.kind, claim.at] for claim in draft.claims],
        "change": draft.change,
    }
    return json.dumps(plain, separators=(",", ":"))


def draft_of(text: str) -> Draft | None:
    """The inverse of `draft_text`; None where it is none, as of an earlier release."""
    try:
        plain: Mapping[str, Any] = json.loads(text)
        return Draft(
            str(plain["grade"]),
            tuple(map(str, plain["choices"])),
            bool(plain["together"]),
            tuple(map(str, plain["siblings"])),
            tuple(Claim(str(kind), str(at)) for kind, at in plain["claims"]),
            int(plain["change"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def fitted(draft: Draft, rules: Rules, schools: Mapping[str, str], area: str) -> Draft:
    """The draft without what can't be meant: programmes, schools, kinds that are not there.

    `schools` has the school of each programme of the draft's grade; `area` is the child's.
    """
    choices = tuple(choice for choice in draft.choices if choice in schools)
    kinds = {priority.kind: priority.where for priority in rules.priorities}
    ats = {
        "school": set(schools.values()),
        "programme": set(schools),
        "area": {area} - {""},
        "anywhere": {""},
    }
    claims = tuple(
        dict.fromkeys(
            claim
            for claim in draft.claims
            if claim.kind in kinds and claim.at in ats[kinds[claim.kind]]
        )
    )
    together = draft.together and rules.siblings_together and bool(draft.siblings)
    return replace(
        draft,
        choices=choices,
        claims=claims[:CLAIMS_MAX],
        together=together,
        siblings=draft.siblings[:SIBLINGS_MAX],
    )


def problems_of(draft: Draft, rules: Rules, grades: Sequence[str]) -> dict[str, str]:
    """What keeps the draft from being sent: a code by field. `grades` are those of the child's age.

    grade: no-grade; choices: no-choices, too-many-choices.
    """
    found: dict[str, str] = {}
    if draft.grade not in grades:
        found["grade"] = "no-grade"
    if not draft.choices:
        found["choices"] = "no-choices"
    elif rules.choices_max and len(draft.choices) > rules.choices_max:
        found["choices"] = "too-many-choices"
    return found


def undecided(before: Facts | None, after: Facts) -> list[int]:
    """The numbers of claims that are others than before, so that decisions on them fall."""
    old = before.claims if before else ()
    return [
        number
        for number in range(len(old))
        if number >= len(after.claims) or after.claims[number] != old[number]
    ]
