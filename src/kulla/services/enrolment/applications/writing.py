"""Drafts of a page: read from what was posted, kept sealed, made into the command that is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.services.enrolment.applications.case import FACTS, SALT, Case
from kulla.services.enrolment.applications.commitment import commitment_of, facts_text
from kulla.services.enrolment.applications.draft import (
    SIBLINGS_MAX,
    Draft,
    draft_of,
    draft_text,
    fitted,
    undecided,
)
from kulla.services.enrolment.applications.listing import schools_for
from kulla.services.enrolment.applications.policy import application_id
from kulla.services.enrolment.applications.wishes import (
    CHOICES_MAX,
    CLAIMS_MAX,
    ID_CHARS_MAX,
)
from kulla.services.enrolment.policy.rules import Claim

_PIECE_CHARS: Final = 3000
"""A sealed field holds 4,095 bytes; a draft is ASCII."""

_SALT_COLUMN: Final = "enrolment salt"


def draft_name(case: Case) -> str:
    """Under which the draft is kept: each guardian has an own one of each child."""
    return f"enrolment {case.round} {case.child}"


def kept_draft(case: Case) -> Draft | None:
    """The draft that this person kept, or None."""
    sealed = case.request.drafts.kept(draft_name(case))
    if not sealed:
        return None
    opened = case.request.tower.open(case.child, sealed, case.why("the draft of an application"))
    return draft_of("".join(opened[piece] for piece in sorted(opened)))


def draft_for(case: Case) -> Draft:
    """The kept draft, else what is applied for now, else an empty one."""
    found = kept_draft(case)
    if found is None:
        found = _from_application(case)
    if not found.grade and len(grades := case.grades()) == 1:
        found = replace(found, grade=grades[0])
    return fit(case, found)


def _from_application(case: Case) -> Draft:
    facts = case.facts() if case.filed else None
    if case.row is None or facts is None:
        return Draft(claims=_known_claims(case), change=case.changes)
    return Draft(
        case.row.grade,
        case.choices,
        bool(case.row.together),
        facts.siblings,
        facts.claims,
        case.changes,
    )


def _known_claims(case: Case) -> tuple[Claim, ...]:
    """What the civil register says for the child: nobody loses it by forgetting to tick a box."""
    facts = case.child_facts()
    area = facts.area if facts else ""
    return tuple(
        Claim(one.kind, area) for one in case.rules.priorities if one.where == "area" and area
    )


def fit(case: Case, draft: Draft) -> Draft:
    """The draft without what the round or the child does not have."""
    facts = case.child_facts()
    schools = schools_for(case, draft.grade)
    return fitted(draft, case.rules, schools, facts.area if facts else "")


def keep_draft(case: Case, draft: Draft) -> None:
    """Keep the draft, sealed under the child's key: it may say what nobody else should read."""
    text = draft_text(draft)
    pieces = {
        f"draft{number:02d}": text[at : at + _PIECE_CHARS]
        for number, at in enumerate(range(0, len(text), _PIECE_CHARS))
    }
    case.request.drafts.keep(draft_name(case), case.request.tower.seal(case.child, pieces))


def posted_draft(case: Case, posted: Any, change: int) -> Draft:
    """The draft as the form has it: `posted` is a QueryDict. Nothing of it is trusted."""
    posted_siblings = posted.getlist("sibling")[:SIBLINGS_MAX]
    facts = case.facts() if case.row is not None else None
    allowed = {one.subject for one in case.request.acting_for.people()}
    allowed |= set(facts.siblings) if facts else set()
    if case.staff:  # who signs what they name
        allowed |= set(case.request.people.names(posted_siblings, "siblings on a paper form"))
    claims = [
        Claim(kind, at)
        for kind, _colon, at in (
            one[: 2 * ID_CHARS_MAX].partition(":") for one in posted.getlist("claim")[:CLAIMS_MAX]
        )
    ]
    siblings = [one for one in posted_siblings if one in allowed and one != case.child]
    draft = Draft(
        grade=_short(posted.get("grade", "")),
        choices=tuple(dict.fromkeys(_short(one) for one in posted.getlist("choice")[:CHOICES_MAX])),
        together=posted.get("together") == "1",
        siblings=tuple(dict.fromkeys(siblings))[:SIBLINGS_MAX],
        claims=tuple(claims),
        change=change,
    )
    edit, _colon, programme = posted.get("do", "")[: ID_CHARS_MAX + 10].partition(":")
    return fit(case, draft.edited(edit, programme) if programme else draft)


def command_data(case: Case, draft: Draft, command_id: bytes) -> dict[str, Value]:
    """The data of the command `apply`: the same for the same draft and id, however often sent.

    The salt is 32 bytes that only the keeper can make for this id.
    """
    tower, child_facts = case.request.tower, case.child_facts()
    before = case.facts() if case.row is not None else None
    facts = draft.facts(child_facts.area if child_facts else "", before)
    meant = f"{application_id(case.round, case.child)} {command_id.hex()}"
    salt = tower.token(_SALT_COLUMN, meant)
    secret: Mapping[str, str] = {FACTS: facts_text(facts), SALT: salt.hex()}
    sealed = tower.seal(case.child, secret, command_id)
    return case.data(
        round=case.round,
        grade=draft.grade,
        choices=list(draft.choices),
        together=draft.together,
        facts=sealed[FACTS],
        salt=sealed[SALT],
        commitment=commitment_of(salt, draft.grade, draft.choices, draft.together, facts),
        change=draft.change + 1,
        undecided=list(undecided(before, facts)),
    )


def _short(typed: str) -> str:
    return typed[:ID_CHARS_MAX]
