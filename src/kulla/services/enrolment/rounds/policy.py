"""The ministry's side of a round: what may be prepared, published, moved, closed, ended. Pure.

In prose, with a worked round, in docs/services/enrolment-rounds.md, which is run as a test.
Refusals with the values of their sentence (instants are UTC epoch seconds):

malformed              field                a field is missing, unknown or misshapen
not-allowed            role, command        this role may not do that
round-exists           round                the id is in use
round-unknown          round
parent-unknown         parent               a complementary round follows a main round
days-not-in-order      field                this day is not after the one before it
rules-wrong            place, why           the rules can't be obeyed; place names what is meant
school-unknown         school
no-seats               programme            a programme has a seat at least
programme-unknown      programme
stands                 round, state         it is published: rules, schools and seats stand
not-complete           missing              [[code, subject, detail]...], see `missing`
not-published          round, state
moved-earlier          field                a published day moves to later only
not-moved              round                no day differs
day-past               field                this day has come already, so it does not move
too-early              round, closes_s      families may still apply
not-offered            round, state         only a round whose results are out can end
answers-open           round, answer_by_s   families may still answer
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal, Role
from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.policy.rules import OPEN_POOL, Rules
from kulla.services.enrolment.rounds import rules_text, wishes

MISSING_MAX: Final = 20

_STAFF: Final[tuple[Role, ...]] = ("operator", "clerk")

_MOVABLE: Final[Mapping[str, tuple[str, ...]]] = {
    tables.PUBLISHED: wishes.DAYS,
    tables.CLOSED: ("results_s", "answer_by_s"),
    tables.DRAWN: ("results_s", "answer_by_s"),
    tables.ALLOCATED: ("results_s", "answer_by_s"),
    tables.OFFERED: ("answer_by_s",),
}
"""Which days can still move in each state of a round."""

Decide = Callable[[Asked, Any], Decision]


@dataclass(frozen=True, slots=True)
class RoundKnown:
    """The round that is meant and its parent; None where there is none."""

    round: Row | None
    parent: Row | None = None


@dataclass(frozen=True, slots=True)
class ProgrammesKnown:
    """A round, those of the named schools that exist, and the programme that is meant."""

    round: Row | None
    schools: frozenset[str] = frozenset()
    programme: Row | None = None


@dataclass(frozen=True, slots=True)
class CompleteKnown:
    """A round, its parent, its rules' newest text ('': none) and its programmes."""

    round: Row | None
    parent: Row | None
    rules: str
    programmes: Sequence[Row]


@dataclass(frozen=True, slots=True)
class ClosingKnown:
    """A round; how many applications are filed, and the root (32 bytes) over their commitments."""

    round: Row | None
    count: int = 0
    root: bytes = b""


def _for_staff(decide: Decide) -> Decide:
    """Refuse other roles, and turn a Malformed field into a refusal."""

    @wraps(decide)
    def decided(asked: Asked, known: Any) -> Decision:
        if asked.actor.role not in _STAFF or asked.actor.behalf:
            return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})
        try:
            return decide(asked, known)
        except wishes.Malformed as error:
            return Refusal("malformed", {"field": error.field})

    return decided


@_for_staff
def prepare_round(asked: Asked, known: RoundKnown) -> Decision:
    """A round is begun, for the ministry alone. Data: round (id), and what change_round has."""
    data = _round_data(asked)
    if known.round is not None:
        return Refusal("round-exists", {"round": data["round"]})
    return _prepared(data, known)


@_for_staff
def change_round(asked: Asked, known: RoundKnown) -> Decision:
    """A round that is not published yet gets another title or other days.

    Data: round, title, school_year, zone, opens_s, closes_s, results_s, answer_by_s, parent.
    """
    data = _round_data(asked)
    refusal = _stands(data["round"], known.round)
    return refusal or _prepared(data, known)


@_for_staff
def set_rules(asked: Asked, known: RoundKnown) -> Decision:
    """The round gets its next version of rules. Data: round, rules (text: see rules_text)."""
    fields = wishes.Fields(asked.data)
    round_ = fields.id("round")
    text = fields.long_text("rules", wishes.RULES_CHARS_MAX)
    fields.end()
    if (refusal := _stands(round_, known.round)) is not None:
        return refusal
    assert known.round is not None
    try:
        rules = rules_text.rules_of(text)
    except rules_text.RulesWrong as error:
        return Refusal("rules-wrong", {"place": error.place, "why": error.why})
    data: dict[str, Value] = {
        "round": round_,
        "version": _number(known.round, "rules_version") + 1,
        "rules": rules_text.text_of(rules),
    }
    return (NewAct(acts.RULES_SET, data),)


@_for_staff
def enter_school(asked: Asked, _known: None) -> Decision:
    """A school is entered, or its name or place put right. Data: school (id), and its fields."""
    fields = wishes.Fields(asked.data)
    wish = wishes.school_wish(fields)
    fields.end()
    return (NewAct(acts.SCHOOL_ENTERED, wish.data()),)


@_for_staff
def enter_schools(asked: Asked, _known: None) -> Decision:
    """Many schools at once. Data: schools [[school, name, town, county, address]...]."""
    fields = wishes.Fields(asked.data)
    found = wishes.school_rows(fields)
    fields.end()
    return tuple(NewAct(acts.SCHOOL_ENTERED, wish.data()) for wish in found)


@_for_staff
def set_programme(asked: Asked, known: ProgrammesKnown) -> Decision:
    """What a school offers to a grade. Data: round, programme, school, grade, name, pools.

    `pools` is [[pool, seats]...] in the order in which they are tried. A programme that exists is
    replaced.
    """
    fields = wishes.Fields(asked.data)
    round_, wish = fields.id("round"), wishes.programme_wish(fields)
    fields.end()
    return _programmes_set(round_, [wish], known)


@_for_staff
def set_programmes(asked: Asked, known: ProgrammesKnown) -> Decision:
    """Many programmes at once, all or none. Data: round, programmes.

    A row is [programme, school, grade, name, pools].
    """
    fields = wishes.Fields(asked.data)
    round_, found = fields.id("round"), wishes.programme_rows(fields)
    fields.end()
    return _programmes_set(round_, found, known)


@_for_staff
def remove_programme(asked: Asked, known: ProgrammesKnown) -> Decision:
    """A programme is not offered after all. Data: round, programme."""
    fields = wishes.Fields(asked.data)
    round_, programme = fields.id("round"), fields.id("programme")
    fields.end()
    if (refusal := _stands(round_, known.round)) is not None:
        return refusal
    if known.programme is None:
        return Refusal("programme-unknown", {"programme": programme})
    return (NewAct(acts.PROGRAMME_REMOVED, {"round": round_, "programme": programme}),)


@_for_staff
def publish_round(asked: Asked, known: CompleteKnown) -> Decision:
    """Everybody sees the round; its rules and seats stand from here on. Data: round."""
    round_ = _only_round(asked)
    if (refusal := _stands(round_, known.round)) is not None:
        return refusal
    assert known.round is not None
    lacking = missing(known, asked.at_ms)
    if lacking:
        told: list[Value] = [list(row) for row in lacking[:MISSING_MAX]]
        return Refusal("not-complete", {"missing": told})
    version = _number(known.round, "rules_version")
    return (NewAct(acts.ROUND_PUBLISHED, {"round": round_, "rules_version": version}),)


def missing(known: CompleteKnown, at_ms: int) -> list[tuple[str, str, str]]:
    """What a round still lacks before it can be published: (code, subject, detail), none: nothing.

    no-rules, no-programmes; closes-past; parent-not-offered parent; pool-unknown programme pool;
    grade-unknown programme grade; grade-empty grade: nothing is offered to it.
    """
    round_ = known.round
    assert round_ is not None
    found: list[tuple[str, str, str]] = []
    if _number(round_, "closes_s") * 1000 <= at_ms:
        found.append(("closes-past", str(round_["id"]), ""))
    if round_["parent"] and not _results_out(known.parent):
        found.append(("parent-not-offered", str(round_["parent"]), ""))
    if not known.programmes:
        found.append(("no-programmes", str(round_["id"]), ""))
    if not known.rules:
        return [("no-rules", str(round_["id"]), ""), *found]
    return found + _unfit_programmes(rules_text.rules_of(known.rules), known.programmes)


def _unfit_programmes(rules: Rules, programmes: Sequence[Row]) -> list[tuple[str, str, str]]:
    pools = {pool.pool for pool in rules.pools} | {OPEN_POOL}
    grades = {grade for grade, _first, _last in rules.ages}
    found: list[tuple[str, str, str]] = []
    for row in programmes:
        if row["grade"] not in grades:
            found.append(("grade-unknown", str(row["programme"]), str(row["grade"])))
        for pool, _seats in pools_of(row):
            if pool not in pools:
                found.append(("pool-unknown", str(row["programme"]), pool))
    offered = {row["grade"] for row in programmes}
    if programmes:
        found += [("grade-empty", grade, "") for grade in sorted(grades - offered)]
    return found


@_for_staff
def move_round(asked: Asked, known: RoundKnown) -> Decision:
    """Days of a published round move to later, for a reason that everybody can read.

    Data: round, opens_s, closes_s, results_s, answer_by_s, why. A deadline that is past moves, too,
    as long as the round is not closed: where the site was down on the last day, families get
    another.
    """
    fields = wishes.Fields(asked.data)
    round_, days, why = fields.id("round"), fields.days(), fields.text("why")
    fields.end()
    row = known.round
    if row is None:
        return Refusal("round-unknown", {"round": round_})
    movable = _MOVABLE.get(str(row["state"]), ())
    if not movable:
        return Refusal("not-published", {"round": round_, "state": str(row["state"])})
    if (refusal := _out_of_order(days)) is not None:
        return refusal
    for field, at_s in days.items():
        was_s = _number(row, field)
        if at_s < was_s:
            return Refusal("moved-earlier", {"field": field})
        begun = field == "opens_s" and was_s * 1000 <= asked.at_ms
        if at_s != was_s and (field not in movable or begun):
            return Refusal("day-past", {"field": field})
    if all(at_s == _number(row, field) for field, at_s in days.items()):
        return Refusal("not-moved", {"round": round_})
    return (NewAct(acts.ROUND_MOVED, {"round": round_, **days, "why": why}),)


@_for_staff
def close_round(asked: Asked, known: ClosingKnown) -> Decision:
    """The list of applications is closed for good: its count and its root. Data: round."""
    round_ = _only_round(asked)
    row = known.round
    if row is None:
        return Refusal("round-unknown", {"round": round_})
    if row["state"] != tables.PUBLISHED:
        return Refusal("not-published", {"round": round_, "state": str(row["state"])})
    if asked.at_ms < _number(row, "closes_s") * 1000:
        return Refusal("too-early", {"round": round_, "closes_s": row["closes_s"]})
    assert len(known.root) == 32, "gather counts what may close"
    data: dict[str, Value] = {"round": round_, "count": known.count, "root": known.root}
    return (NewAct(acts.ROUND_CLOSED, data),)


@_for_staff
def end_round(asked: Asked, known: RoundKnown) -> Decision:
    """Nothing in the round changes any more. Data: round."""
    round_ = _only_round(asked)
    row = known.round
    if row is None:
        return Refusal("round-unknown", {"round": round_})
    if row["state"] != tables.OFFERED:
        return Refusal("not-offered", {"round": round_, "state": str(row["state"])})
    if asked.at_ms < _number(row, "answer_by_s") * 1000:
        return Refusal("answers-open", {"round": round_, "answer_by_s": row["answer_by_s"]})
    return (NewAct(acts.ROUND_ENDED, {"round": round_}),)


def may_close(row: Row, at_ms: int) -> bool:
    """Whether the round's list can be closed now."""
    return row["state"] == tables.PUBLISHED and _number(row, "closes_s") * 1000 <= at_ms


def pools_of(programme: Row) -> list[tuple[str, int]]:
    """The pools of a programme's row: (pool, seats) in the order in which they are tried."""
    return [(str(pool), int(seats)) for pool, seats in json.loads(str(programme["pools"]))]


def _round_data(asked: Asked) -> dict[str, Any]:
    fields = wishes.Fields(asked.data)
    data: dict[str, Any] = {
        "round": fields.id("round"),
        "title": fields.text("title"),
        "school_year": fields.year("school_year"),
        "zone": fields.zone("zone"),
        **fields.days(),
        "parent": fields.id_or_empty("parent"),
    }
    fields.end()
    return data


def _prepared(data: Mapping[str, Any], known: RoundKnown) -> Decision:
    parent = known.parent
    if data["parent"] and (parent is None or parent["parent"] or parent["id"] == data["round"]):
        return Refusal("parent-unknown", {"parent": data["parent"]})
    refusal = _out_of_order(data)
    return refusal or (NewAct(acts.ROUND_PREPARED, data),)


def _out_of_order(days: Mapping[str, Any]) -> Refusal | None:
    for before, after in zip(wishes.DAYS, wishes.DAYS[1:], strict=False):
        if days[after] <= days[before]:
            return Refusal("days-not-in-order", {"field": after})
    return None


def _stands(round_: str, row: Row | None) -> Refusal | None:
    """Why a round can't be prepared further, or None."""
    if row is None:
        return Refusal("round-unknown", {"round": round_})
    if row["state"] != tables.PREPARED:
        return Refusal("stands", {"round": round_, "state": str(row["state"])})
    return None


def _programmes_set(
    round_: str, found: Sequence[wishes.ProgrammeWish], known: ProgrammesKnown
) -> Decision:
    if (refusal := _stands(round_, known.round)) is not None:
        return refusal
    made: list[NewAct] = []
    for wish in found:
        if wish.school not in known.schools:
            return Refusal("school-unknown", {"school": wish.school})
        if wish.seats == 0:
            return Refusal("no-seats", {"programme": wish.programme})
        data: dict[str, Value] = {
            "round": round_,
            "programme": wish.programme,
            "school": wish.school,
            "grade": wish.grade,
            "name": wish.name,
            "pools": [list(pair) for pair in wish.pools],
        }
        made.append(NewAct(acts.PROGRAMME_SET, data))
    return tuple(made)


def _results_out(parent: Row | None) -> bool:
    return parent is not None and parent["state"] in (tables.OFFERED, tables.ENDED)


def _only_round(asked: Asked) -> str:
    fields = wishes.Fields(asked.data)
    round_ = fields.id("round")
    fields.end()
    return round_


def _number(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int), column
    return value
