"""What an application's pages list: programmes, claims with decisions, files, the history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.applications.case import NAME, REASON, Case
from kulla.services.enrolment.models import Application, Change, Document, Programme
from kulla.services.enrolment.models import Claim as DecidedClaim
from kulla.services.enrolment.policy.rules import Claim, Facts, Priority, Rules
from kulla.services.enrolment.rounds import reading
from kulla.services.enrolment.rounds.prose import title_of
from kulla.services.enrolment.rounds.reading import Offered

HISTORY_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim as a page shows it. `state` is claimed, confirmed or refused; `reason` a clerk's."""

    number: int
    claim: Claim
    title: str
    at: str
    document: bool
    state: str
    reason: str = ""
    settled: bool = True

    @property
    def counts(self) -> bool:
        """Whether it counts as it stands: confirmed, or none was needed and nobody refused it."""
        return self.state == tables.CONFIRMED or (
            self.state == tables.CLAIMED and not self.document
        )


@dataclass(frozen=True, slots=True)
class Handed:
    """A file that was handed in: its name and what it is for, opened."""

    row: Document
    name: str
    about: str
    settled: bool

    @property
    def size_kb(self) -> int:
        """Its size in whole kilobytes, at least one."""
        return max(1, round(self.row.size_bytes / 1024))


@dataclass(frozen=True, slots=True)
class Past:
    """One line of the history. `whose` is mine, guardian or counter."""

    what: str
    detail: str
    whose: str
    at: datetime
    position: int
    settled: bool


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another child of the same guardian; `applied` in this round, `grade` for which."""

    subject: str
    name: str
    applied: bool


def programmes_of(case: Case, keys: Sequence[str]) -> list[Offered]:
    """These programmes of the round, in this order; one that is gone is left out."""
    rows = Programme.objects.in_bulk([f"{case.round}-{key}" for key in keys])
    found = {one.programme: one for one in reading.offered(list(rows.values()), case.rules)}
    return [found[key] for key in keys if key in found]


def schools_for(case: Case, grade: str) -> dict[str, str]:
    """The school of each programme that the round offers to a grade."""
    rows = Programme.objects.filter(round=case.round, grade=grade)
    return dict(rows.values_list("programme", "school"))


def claims_of(case: Case, offered: Mapping[str, Offered]) -> list[Claimed]:
    """The claims of an application with what clerks decided, in words. Opens their reasons."""
    facts = case.facts()
    if facts is None or case.row is None:
        return []
    decided = {row.number: row for row in DecidedClaim.objects.filter(application=case.row.id)}
    return [
        _claimed(case, number, claim, decided.get(number), offered)
        for number, claim in enumerate(facts.claims)
    ]


def _claimed(
    case: Case,
    number: int,
    claim: Claim,
    decided: DecidedClaim | None,
    offered: Mapping[str, Offered],
) -> Claimed:
    priority = priority_of(case.rules, claim.kind)
    reason = ""
    if decided is not None:
        sealed = {REASON: bytes(decided.reason_sealed)}
        why = case.why("why a claim was decided as it was")
        reason = case.request.tower.open(case.child, sealed, why)[REASON]
    return Claimed(
        number,
        claim,
        title_of(priority) if priority else claim.kind,
        at_in_words(claim, offered),
        priority is not None and priority.document,
        decided.state if decided else tables.CLAIMED,
        reason,
        decided is None or decided.position < case.now.watermark,
    )


def priority_of(rules: Rules, kind: str) -> Priority | None:
    """The priority class of this kind, or None."""
    return next((one for one in rules.priorities if one.kind == kind), None)


def at_in_words(claim: Claim, offered: Mapping[str, Offered]) -> str:
    """The school or programme that a claim names, as people know it; '' anywhere."""
    if claim.at in offered:
        one = offered[claim.at]
        return f"{one.school_name}, {one.name}"
    for one in offered.values():
        if one.school == claim.at:
            return one.school_name
    return claim.at


def files_of(case: Case) -> list[Handed]:
    """The files of an application, the first one first; their names are opened together."""
    if case.row is None:
        return []
    rows = list(Document.objects.filter(application=case.row.id).order_by("added_ms", "id"))
    return [_handed(case, row) for row in rows]


def file_of(case: Case, document: str) -> Handed | None:
    """One file of this application, or None: another application's is not found."""
    if case.row is None:
        return None
    row = Document.objects.filter(id=document, application=case.row.id).first()
    return None if row is None else _handed(case, row)


def _handed(case: Case, row: Document) -> Handed:
    why = case.why("the list of files that were handed in")
    opened = case.request.tower.open(case.child, {NAME: bytes(row.name_sealed)}, why)[NAME]
    plain = json.loads(opened)
    about = plain.get("about", "")
    priority = priority_of(case.rules, about)
    title = title_of(priority) if priority else ""
    return Handed(row, str(plain["name"]), title, row.position < case.now.watermark)


def history_of(case: Case) -> list[Past]:
    """What was done to the application, the newest first."""
    if case.row is None:
        return []
    rows = Change.objects.filter(application=case.row.id).order_by("-position")[:HISTORY_MAX]
    me = case.request.actor.subject if case.request.actor else ""
    found, first = [], True
    for row in reversed(rows):
        what = row.what
        if what == acts.APPLIED:
            what, first = ("applied" if first else "changed"), False
        whose = "mine" if row.actor == me else row.by
        at = datetime.fromtimestamp(row.at_ms / 1000, UTC)
        settled = row.position < case.now.watermark
        found.append(Past(what, row.detail, whose, at, row.position, settled))
    return found[::-1]


def siblings_of(case: Case, named: Sequence[str] = ()) -> list[Sibling]:
    """The guardian's other children, and whether they apply in this round.

    A clerk sees those whom the form names: `named`.
    """
    if case.staff:
        names = dict(case.request.people.names(named, "siblings on a form of enrolment"))
        others = {key: names.get(key, "") for key in named if key != case.child}
    else:
        others = {
            one.subject: one.name
            for one in case.request.acting_for.people()
            if one.kind == "child" and one.subject != case.child
        }
    filed = Application.objects.filter(
        id__in=[f"{case.round}-{key}" for key in others], state=tables.FILED
    )
    applied = set(filed.values_list("child", flat=True))
    return [Sibling(key, name, key in applied) for key, name in others.items()]


def siblings_in(case: Case, facts: Facts) -> list[Sibling]:
    """The children whom the application names, as far as this person knows them."""
    known = {one.subject: one for one in siblings_of(case, facts.siblings)}
    return [known.get(key, Sibling(key, "", applied=False)) for key in facts.siblings]
