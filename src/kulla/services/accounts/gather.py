"""What each command's policy has to know of the registers. Live path only: it may search.

Fields are not checked yet when they are looked up: what can't be a key finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from kulla.kernel.rows import Row, Rows
from kulla.kernel.service import Asked
from kulla.services.accounts import api_tokens, apply, assertions, policy, relations, staff, wishes

_THERE: Mapping[str, tuple[str, str]] = {
    "open": (apply.ADDRESS, "mail_token"),
    "add_address": (apply.ADDRESS, "token"),
    "remove_address": (apply.ADDRESS, "token"),
    "add_passkey": (apply.PASSKEY, "credential"),
    "remove_passkey": (apply.PASSKEY, "credential"),
    "link_identity": (apply.IDENTITY, "token"),
    "unlink_identity": (apply.IDENTITY, "token"),
}


def for_account(rows: Rows, asked: Asked) -> policy.AccountKnown:
    """Look up the actor's account, and the row that has the token or credential named."""
    subject = asked.actor.subject
    table, field = _THERE.get(asked.name, ("", ""))
    there = None
    if field == "credential":
        there = _by_text(rows, table, asked, field)
    elif field:
        there = _by_bytes(rows, table, asked, field)
    proposals = rows.find(apply.PROPOSAL, subject=subject, state=apply.OPEN, add=1)
    public_key = asked.data.get("public_key")
    return policy.AccountKnown(
        account=rows.get(apply.ACCOUNT, subject),
        addresses=rows.find(apply.ADDRESS, subject=subject),
        passkeys=rows.find(apply.PASSKEY, subject=subject),
        identities=rows.find(apply.IDENTITY, subject=subject),
        roles=rows.find(apply.ROLE, subject=subject),
        proposals=proposals,
        there=there,
        usable_key=isinstance(public_key, bytes) and assertions.is_usable(public_key),
    )


def for_number(rows: Rows, asked: Asked) -> relations.NumberKnown:
    """Look up the number, and those of the person."""
    subject = wishes.text_key(asked.data, "subject")
    return relations.NumberKnown(
        number=_by_bytes(rows, apply.NUMBER, asked, "number"),
        own=rows.find(apply.NUMBER, subject=subject),
    )


def for_relation(rows: Rows, asked: Asked) -> relations.RelationKnown:
    """Look up the relation, the offer, and what stands between guardian and ward."""
    secret = asked.data.get("secret")
    if isinstance(secret, bytes):
        offer = rows.get(apply.OFFER, relations.hash_of(secret))
    else:
        offer = _by_bytes(rows, apply.OFFER, asked, "secret_hash")
    guardian, ward = (wishes.text_key(asked.data, field) for field in ("guardian", "ward"))
    if offer is not None:
        guardian, ward = asked.actor.subject, str(offer["subject"])
    acting = rows.get(apply.ACTING, apply.pair_key(guardian, ward)) or {}
    newest = (acting.get(kind) for kind in (apply.CHILD, apply.ATTORNEY))
    between = (rows.get(apply.RELATION, relation) for relation in newest if relation)
    return relations.RelationKnown(
        relation=_by_text(rows, apply.RELATION, asked, "relation"),
        offer=offer,
        offers=rows.find(apply.OFFER, subject=asked.actor.subject),
        between=[relation for relation in between if relation is not None],
    )


def for_founding(rows: Rows, asked: Asked) -> staff.FoundingKnown:
    """Look up whether the staff was founded, and the passkeys that are named, where they are."""
    listed = asked.data.get("staff")
    founders = listed if isinstance(listed, list | tuple) else ()
    named = [row for row in founders[: staff.FOUNDING_MAX] if isinstance(row, Mapping)]
    credentials = [wishes.text_key(row, "credential") for row in named]
    keys = [key for row in named if isinstance(key := row.get("public_key"), bytes)]
    found = {one: rows.get(apply.PASSKEY, one) for one in credentials}
    return staff.FoundingKnown(
        founded=rows.get(apply.FOUNDING, apply.STAFF) is not None,
        passkeys={credential: row for credential, row in found.items() if row is not None},
        usable=frozenset(key for key in keys if assertions.is_usable(key)),
    )


def for_role(rows: Rows, asked: Asked) -> staff.RoleKnown:
    """Look up the proposal, or the person and role that are named without one."""
    proposal = _by_text(rows, apply.PROPOSAL, asked, "proposal")
    subject, role = (wishes.text_key(asked.data, field) for field in ("subject", "role"))
    proposer = None
    if proposal is not None:
        subject, role = str(proposal["subject"]), str(proposal["role"])
        proposer = rows.get(apply.ROLE, apply.role_key(str(proposal["proposed_by"]), "operator"))
    same = rows.find(
        apply.PROPOSAL,
        subject=subject,
        role=role,
        add=int(asked.data.get("add") is True),
        state=apply.OPEN,
    )
    return staff.RoleKnown(
        role=rows.get(apply.ROLE, apply.role_key(subject, role)),
        passkeys=rows.find(apply.PASSKEY, subject=subject),
        operators=rows.find(apply.ROLE, role="operator"),
        proposal=proposal,
        same=max(same, key=lambda row: str(row["proposed_ms"]).zfill(20), default=None),
        proposer=proposer,
    )


def for_api_token(rows: Rows, asked: Asked) -> api_tokens.TokenKnown:
    """Look up the API token by its hash, and those of the actor that stand."""
    return api_tokens.TokenKnown(
        token=_by_bytes(rows, apply.API_TOKEN, asked, "token_hash"),
        own=rows.find(apply.API_TOKEN, holder=asked.actor.subject, state=apply.ACTIVE),
    )


def _by_text(rows: Rows, table: str, asked: Asked, field: str) -> Row | None:
    key = wishes.text_key(asked.data, field)
    return rows.get(table, key) if key else None


def _by_bytes(rows: Rows, table: str, asked: Asked, field: str) -> Row | None:
    key = wishes.bytes_key(asked.data, field)
    return rows.get(table, key) if key else None
