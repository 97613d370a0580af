"""The rules of who is who and who acts for whom: identities, children, powers of attorney. Pure.

Refusals beside those of `policy`:

number-taken      subject     that number is another person's
already-identified            the person has a number already
own-matter                    a clerk decides nothing in which they have a part
same-person                   nobody acts for themself
already-related   relation    such a relation stands
offer-unknown                 no open offer has this secret, or it is older than OFFER_DAYS
relation-unknown              there is none, or it is not the actor's
already-ended     relation
until-past        until_day   the last day is over
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.accounts import acts, apply, wishes
from kulla.services.accounts.policy import for_roles

DOCUMENTS: Final = ("id-card", "passport", "other")
OFFER_DAYS: Final = 14
OFFERS_MAX: Final = 5
_DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class NumberKnown:
    """Who has the number, and the numbers of the person."""

    number: Row | None
    own: Sequence[Row]


@dataclass(frozen=True, slots=True)
class RelationKnown:
    """The relation and the offer that are meant, and the newest relations between the two."""

    relation: Row | None
    offer: Row | None
    offers: Sequence[Row]
    between: Sequence[Row]


@for_roles(("clerk",))
def identify(asked: Asked, known: NumberKnown) -> Decision:
    """A person stood at the counter. Data: subject, number (token), document."""
    fields = wishes.Fields(asked.data)
    data: dict[str, Value] = {
        "subject": fields.subject(),
        "number": fields.token("number"),
        "document": fields.one_of("document", DOCUMENTS),
    }
    fields.end()
    if data["subject"] == asked.actor.subject:
        return Refusal("own-matter")
    if known.own:
        return Refusal("already-identified")
    if known.number is not None:
        return Refusal("number-taken", {"subject": known.number["subject"]})
    return (NewAct(acts.IDENTIFIED, data),)


@for_roles(("clerk",))
def relate(asked: Asked, known: RelationKnown) -> Decision:
    """A clerk saw that one person acts for another. Data: guardian, ward, kind, until_day."""
    fields = wishes.Fields(asked.data)
    guardian, ward = fields.subject("guardian"), fields.subject("ward")
    kind, until_day = fields.one_of("kind", (apply.CHILD,)), fields.day_or_empty("until_day")
    fields.end()
    if asked.actor.subject in (guardian, ward):
        return Refusal("own-matter")
    refused = _unrelatable(asked, known, guardian, ward, kind, until_day)
    if refused is not None:
        return refused
    data: dict[str, Value] = {
        "relation": asked.fresh_id(),
        "guardian": guardian,
        "ward": ward,
        "kind": kind,
        "until_day": until_day,
    }
    return (NewAct(acts.RELATED, data),)


@for_roles(("citizen",))
def grant_attorney(asked: Asked, known: RelationKnown) -> Decision:
    """A citizen lets somebody act for them who has the secret. Data: secret_hash, until_day."""
    fields = wishes.Fields(asked.data)
    secret_hash, until_day = fields.token("secret_hash"), fields.day_or_empty("until_day")
    fields.end()
    if until_day and until_day < wishes.day_of(asked.at_ms):
        return Refusal("until-past", {"until_day": until_day})
    if known.offer is not None:
        return Refusal("taken", {"kind": "offer"})
    if sum(not _is_stale(offer, asked.at_ms) for offer in known.offers) >= OFFERS_MAX:
        return Refusal("too-many", {"max": OFFERS_MAX})
    data: dict[str, Value] = {
        "subject": asked.actor.subject,
        "secret_hash": secret_hash,
        "until_day": until_day,
    }
    return (NewAct(acts.ATTORNEY_OFFERED, data),)


@for_roles(("citizen",))
def withdraw_attorney(asked: Asked, known: RelationKnown) -> Decision:
    """A citizen takes an offer back that nobody took up. Data: secret_hash."""
    fields = wishes.Fields(asked.data)
    secret_hash = fields.token("secret_hash")
    fields.end()
    if known.offer is None or known.offer["subject"] != asked.actor.subject:
        return Refusal("offer-unknown")
    data: dict[str, Value] = {"subject": asked.actor.subject, "secret_hash": secret_hash}
    return (NewAct(acts.ATTORNEY_WITHDRAWN, data),)


@for_roles(("citizen",))
def accept_attorney(asked: Asked, known: RelationKnown) -> Decision:
    """Who has the secret takes the offer up. Data: secret. The act keeps its hash alone."""
    fields = wishes.Fields(asked.data)
    secret = fields.secret("secret")
    fields.end()
    offer = known.offer
    if offer is None or _is_stale(offer, asked.at_ms):
        return Refusal("offer-unknown")
    guardian, ward = asked.actor.subject, str(offer["subject"])
    until_day = str(offer["until_day"])
    refused = _unrelatable(asked, known, guardian, ward, apply.ATTORNEY, until_day)
    if refused is not None:
        return refused
    data: dict[str, Value] = {
        "relation": asked.fresh_id(),
        "guardian": guardian,
        "ward": ward,
        "secret_hash": hash_of(secret),
        "until_day": until_day,
    }
    return (NewAct(acts.ATTORNEY_ACCEPTED, data),)


@for_roles(("citizen", "clerk"))
def end_relation(asked: Asked, known: RelationKnown) -> Decision:
    """Either side, or a clerk, ends a relation. Data: relation."""
    fields = wishes.Fields(asked.data)
    relation_id = fields.subject("relation")
    fields.end()
    relation = known.relation
    sides = () if relation is None else (relation["guardian"], relation["ward"])
    if relation is None or (asked.actor.role != "clerk" and asked.actor.subject not in sides):
        return Refusal("relation-unknown")
    if relation["state"] != apply.STANDS:
        return Refusal("already-ended", {"relation": relation_id})
    data: dict[str, Value] = {
        "relation": relation_id,
        "guardian": relation["guardian"],
        "ward": relation["ward"],
    }
    return (NewAct(acts.RELATION_ENDED, data),)


def hash_of(secret: bytes) -> bytes:
    """What stands for an offer's secret in commands, acts and rows: its SHA-256."""
    return hashlib.sha256(secret).digest()


def holds(relation: Row | None, at_ms: int) -> bool:
    """Whether somebody may act by this relation at an instant; its last day is a day in UTC."""
    if relation is None or relation["state"] != apply.STANDS:
        return False
    until_day = str(relation["until_day"])
    return not until_day or wishes.day_of(at_ms) <= until_day


def _unrelatable(
    asked: Asked, known: RelationKnown, guardian: str, ward: str, kind: str, until_day: str
) -> Refusal | None:
    """Why these two can't be brought into such a relation now, or None."""
    if guardian == ward:
        return Refusal("same-person")
    if until_day and until_day < wishes.day_of(asked.at_ms):
        return Refusal("until-past", {"until_day": until_day})
    for relation in known.between:
        if relation["kind"] == kind and holds(relation, asked.at_ms):
            return Refusal("already-related", {"relation": relation["id"]})
    return None


def _is_stale(offer: Row, at_ms: int) -> bool:
    offered_ms = offer["offered_ms"]
    assert isinstance(offered_ms, int)
    return at_ms >= offered_ms + OFFER_DAYS * _DAY_MS
