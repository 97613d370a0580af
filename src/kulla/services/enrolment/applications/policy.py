"""The rules of applying: what is known and a command give acts or a refusal. Pure.

In prose in docs/services/enrolment-applications.md, which is run as a test. The time of applying
never matters: nothing here looks at who came first, but for the two days between which one applies.
Age is no part of this, since the day of birth is sealed: the page and the counter check it where it
is opened, and the allocation again.

Refusals, with the values of their sentence (instants are UTC epoch seconds):

malformed              field                  a field is missing, unknown or misshapen
not-allowed            role, command          this role may not do that
child-unknown          child                  no facts of this child were entered
round-unknown          round                  it is not there, or not published yet
not-open               round, opens_s, zone   families can't apply yet
closed                 round, closes_s, zone  they can't any more
programme-unknown      programme              not of this round, or of another grade
too-many-choices       max
not-together                                  in this round siblings are not kept together
changed-meanwhile      change                 somebody else changed it: that many changes there are
application-unknown    application
already-withdrawn      application
too-many-documents     max
too-many-handed-in     max                    removed ones count, since their bytes stay
document-twice                                the very same file is there already
document-unknown       document
decided-by-now         round                  the lottery is drawn: claims stand as they are
own-matter                                    a clerk decides nothing that they filed themself
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal, Role
from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.applications import wishes
from kulla.services.enrolment.policy.rules import Rules

DOCUMENTS_MAX: Final = 12
HANDED_IN_MAX: Final = 40
"""Of files that were ever handed in to an application, those that were removed again too: their
bytes stay at embassies, whose quota is the whole country's."""

GUARDIAN, COUNTER = "guardian", "counter"

_FAMILY_OR_COUNTER: Final[tuple[Role, ...]] = ("citizen", "clerk")
_COUNTER: Final[tuple[Role, ...]] = ("clerk",)

Decide = Callable[[Asked, Any], Decision]


@dataclass(frozen=True, slots=True)
class Known:
    """What the registers say about what a command names; any of it may be None or empty.

    `programmes` are those of the round that the choices name, by the programme's id. `handed_in`
    counts the files that the application ever got.
    """

    child: Row | None = None
    round: Row | None = None
    rules: Rules | None = None
    application: Row | None = None
    programmes: Mapping[str, Row] | None = None
    documents: Sequence[Row] = ()
    handed_in: int = 0


def for_roles(roles: tuple[Role, ...]) -> Callable[[Decide], Decide]:
    """Refuse other roles, and turn a Malformed field into a refusal."""

    def around(decide: Decide) -> Decide:
        @wraps(decide)
        def decided(asked: Asked, known: Any) -> Decision:
            if asked.actor.role not in roles:
                return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})
            try:
                return decide(asked, known)
            except wishes.Malformed as error:
                return Refusal("malformed", {"field": error.field})

        return decided

    return around


@for_roles(_FAMILY_OR_COUNTER)
def enter_child(asked: Asked, _known: Known) -> Decision:
    """What enrolment has to know of a child. Data: facts (sealed), source; a clerk's: child.

    Families bring what the civil register says; a counter may enter a child whom it does not know,
    with the `document` that was seen. Entered again, the newest facts stand.
    """
    fields = wishes.Fields(asked.data)
    child = _child(asked, fields)
    sources = wishes.SOURCES if asked.actor.role == "clerk" else wishes.SOURCES[:1]
    facts, source = fields.sealed("facts"), fields.one_of("source", sources)
    document = fields.one_of_or_none("document", wishes.PAPERS)
    fields.end()
    if (source == "counter") != bool(document):
        raise wishes.Malformed("document")
    data: dict[str, Value] = {
        "child": child,
        "facts": facts,
        "source": source,
        "document": document,
    }
    return (NewAct(acts.CHILD_ENTERED, data),)


@for_roles(_FAMILY_OR_COUNTER)
def file(asked: Asked, known: Known) -> Decision:
    """Apply for a child, or change what was applied for. Data: see wishes.ApplyWish; child."""
    fields = wishes.Fields(asked.data)
    child = _child(asked, fields)
    wish = wishes.apply_wish(fields)
    refused = _unopen(asked, known, wish.round) or _unfit(wish, known, child)
    if refused is not None:
        return refused
    data: dict[str, Value] = {
        "application": application_id(wish.round, child),
        "round": wish.round,
        "child": child,
        "grade": wish.grade,
        "choices": list(wish.choices),
        "together": wish.together,
        "facts": wish.facts,
        "salt_sealed": wish.salt,
        "commitment": wish.commitment,
        "by": _by(asked),
        "change": wish.change,
        "undecided": list(wish.undecided),
    }
    return (NewAct(acts.APPLIED, data),)


@for_roles(_FAMILY_OR_COUNTER)
def withdraw(asked: Asked, known: Known) -> Decision:
    """Take an application back; one can apply again until the round closes. Data: round; child."""
    fields = wishes.Fields(asked.data)
    child, round_id = _child(asked, fields), fields.id("round")
    fields.end()
    row = _changeable(asked, known, round_id, child)
    if isinstance(row, Refusal):
        return row
    data: dict[str, Value] = {
        "application": row["id"],
        "round": round_id,
        "child": child,
        "by": _by(asked),
        "change": number_in(row, "changes") + 1,
    }
    return (NewAct(acts.WITHDRAWN, data),)


@for_roles(_FAMILY_OR_COUNTER)
def add_document(asked: Asked, known: Known) -> Decision:
    """A file comes to an application. Data: round, kind, name (sealed), media_type, size, blob.

    The command names the blob, and so does the act's entry: it counts once a quorum holds the file.
    """
    fields = wishes.Fields(asked.data)
    child, round_id = _child(asked, fields), fields.id("round")
    wish = wishes.document_wish(fields)
    row = _changeable(asked, known, round_id, child)
    if isinstance(row, Refusal):
        return row
    if len(known.documents) >= DOCUMENTS_MAX:
        return Refusal("too-many-documents", {"max": DOCUMENTS_MAX})
    if known.handed_in >= HANDED_IN_MAX:
        return Refusal("too-many-handed-in", {"max": HANDED_IN_MAX})
    if any(document["blob"] == wish.blob for document in known.documents):
        return Refusal("document-twice")
    data: dict[str, Value] = {
        "application": row["id"],
        "child": child,
        "document": asked.fresh_id(),
        "kind": wish.kind,
        "name": wish.name,
        "media_type": wish.media_type,
        "size": wish.size,
        "blob": wish.blob,
    }
    return (NewAct(acts.DOCUMENT_ADDED, data, (wish.blob,)),)


@for_roles(_FAMILY_OR_COUNTER)
def remove_document(asked: Asked, known: Known) -> Decision:
    """A file counts no more. Data: round, document; child. Its bytes stay, as all acts do."""
    fields = wishes.Fields(asked.data)
    child, round_id = _child(asked, fields), fields.id("round")
    document = fields.hex_id("document")
    fields.end()
    row = _changeable(asked, known, round_id, child)
    if isinstance(row, Refusal):
        return row
    if all(each["id"] != document for each in known.documents):
        return Refusal("document-unknown", {"document": document})
    data: dict[str, Value] = {"application": row["id"], "child": child, "document": document}
    return (NewAct(acts.DOCUMENT_REMOVED, data),)


@for_roles(_COUNTER)
def decide_claim(asked: Asked, known: Known) -> Decision:
    """A clerk looked at a claim. Data: round, child, claim (number), change, verdict, reason.

    Until the lottery is drawn a decision may be changed; after it nobody could do so without
    knowing whom it helps. `change` is that of the application which the clerk looked at.
    """
    fields = wishes.Fields(asked.data)
    child, round_id = fields.hex_id("child"), fields.id("round")
    claim = fields.number("claim", 0, wishes.CLAIMS_MAX - 1)
    change = fields.number("change", 1, wishes.CHANGES_MAX)
    verdict = fields.one_of("verdict", (tables.CONFIRMED, tables.REFUSED))
    reason = fields.sealed("reason")
    fields.end()
    row = _filed(known, round_id, child)
    if isinstance(row, Refusal):
        return row
    if known.round is None or known.round["state"] not in (tables.PUBLISHED, tables.CLOSED):
        return Refusal("decided-by-now", {"round": round_id})
    if row["by"] == GUARDIAN and asked.actor.subject in (row["actor"], child):
        return Refusal("own-matter")
    if row["changes"] != change:
        return Refusal("changed-meanwhile", {"change": number_in(row, "changes")})
    data: dict[str, Value] = {
        "application": row["id"],
        "child": child,
        "claim": claim,
        "verdict": verdict,
        "reason": reason,
    }
    return (NewAct(acts.CLAIM_DECIDED, data),)


def application_id(round_id: str, child: str) -> str:
    """The one application of a child in a round, whoever files it."""
    return f"{round_id}-{child}"


def number_in(row: Row, column: str) -> int:
    """A whole number of a row."""
    value = row[column]
    assert isinstance(value, int)
    return value


def _child(asked: Asked, fields: wishes.Fields) -> str:
    """Whom it is about: a clerk names the child, a citizen acts on the child's behalf."""
    return fields.hex_id("child") if asked.actor.role == "clerk" else asked.actor.whom


def _by(asked: Asked) -> str:
    return COUNTER if asked.actor.role == "clerk" else GUARDIAN


def _unopen(asked: Asked, known: Known, round_id: str) -> Refusal | None:
    """Why nobody can apply in this round at this instant, or None."""
    row = known.round
    if row is None or row["state"] == tables.PREPARED:
        return Refusal("round-unknown", {"round": round_id})
    about: dict[str, Value] = {"round": round_id, "zone": row["zone"]}
    opens_s, closes_s = number_in(row, "opens_s"), number_in(row, "closes_s")
    if row["state"] != tables.PUBLISHED or asked.at_ms >= closes_s * 1000:
        return Refusal("closed", {**about, "closes_s": closes_s})
    if asked.at_ms < opens_s * 1000:
        return Refusal("not-open", {**about, "opens_s": opens_s})
    return None


def _unfit(wish: wishes.ApplyWish, known: Known, child: str) -> Refusal | None:
    """Why this can't be applied for under the round's rules, or None."""
    rules = known.rules or Rules()
    if known.child is None:
        return Refusal("child-unknown", {"child": child})
    if rules.choices_max and len(wish.choices) > rules.choices_max:
        return Refusal("too-many-choices", {"max": rules.choices_max})
    for programme in wish.choices:
        row = (known.programmes or {}).get(programme)
        if row is None or row["grade"] != wish.grade:
            return Refusal("programme-unknown", {"programme": programme})
    if wish.together and not rules.siblings_together:
        return Refusal("not-together")
    changes = 0 if known.application is None else number_in(known.application, "changes")
    if wish.change != changes + 1:
        return Refusal("changed-meanwhile", {"change": changes})
    return None


def _changeable(asked: Asked, known: Known, round_id: str, child: str) -> Row | Refusal:
    """The application that stands and may be changed at this instant, or why not."""
    return _unopen(asked, known, round_id) or _filed(known, round_id, child)


def _filed(known: Known, round_id: str, child: str) -> Row | Refusal:
    """The application that stands, or why none does."""
    key = application_id(round_id, child)
    row = known.application
    if row is None:
        return Refusal("application-unknown", {"application": key})
    if row["state"] != tables.FILED:
        return Refusal("already-withdrawn", {"application": key})
    return row
