"""How acts change the registers of accounts. The same acts always give the same rows.

Rows are reached by key alone and every check comes before the first write, so that an act that
does not fit (UnfitAct) leaves the registers as they were.
"""

from __future__ import annotations

from typing import Final

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Cell, Row, RowsByKey
from kulla.kernel.service import Act

ACCOUNT: Final = "accounts_account"
ADDRESS: Final = "accounts_address"
PASSKEY: Final = "accounts_passkey"
IDENTITY: Final = "accounts_identity"
NUMBER: Final = "accounts_number"
RELATION: Final = "accounts_relation"
ACTING: Final = "accounts_acting"
OFFER: Final = "accounts_offer"
ROLE: Final = "accounts_role"
PROPOSAL: Final = "accounts_proposal"
API_TOKEN: Final = "accounts_api_token"  # noqa: S105 - the name of a table
FOUNDING: Final = "accounts_founding"

STAFF: Final = "staff"
"""The key of FOUNDING's one row."""

STANDS, ENDED = "stands", "ended"
OPEN, APPROVED, WITHDRAWN = "open", "approved", "withdrawn"
ACTIVE, REVOKED = "active", "revoked"
CHILD, ATTORNEY = "child", "attorney"
REMINDERS_AT_FIRST: Final = "mail"


def role_key(subject: str, role: str) -> str:
    """The key of a row of ROLE."""
    return f"{subject}:{role}"


def pair_key(guardian: str, ward: str) -> str:
    """The key of a row of ACTING."""
    return f"{guardian}:{ward}"


def _unfit(act: Act, why: str) -> UnfitAct:
    return UnfitAct(
        f"{act.service}.{act.name} does not fit the register: {why}.",
        place=f"act {act.position}",
        remedy="Compare the acts before it with the register, or rebuild.",
    )


def _needed(rows: RowsByKey, table: str, key: Cell, act: Act) -> Row:
    row = rows.get(table, key)
    if row is None:
        raise _unfit(act, f"{table} has no such row")
    return row


def _absent(rows: RowsByKey, table: str, key: Cell, act: Act) -> None:
    if rows.get(table, key) is not None:
        raise _unfit(act, f"{table} has such a row already")


def _own(rows: RowsByKey, table: str, key: Cell, act: Act) -> Row:
    """The row, which must be the subject's of the act."""
    row = _needed(rows, table, key, act)
    if row["subject"] != act.data["subject"]:
        raise _unfit(act, f"that row of {table} is another person's")
    return row


def opened(rows: RowsByKey, act: Act) -> None:
    """Open the account with its first address."""
    data = act.data
    _absent(rows, ACCOUNT, data["subject"], act)
    _absent(rows, ADDRESS, data["mail_token"], act)
    rows.put(
        ACCOUNT,
        {
            "subject": data["subject"],
            "language": data["language"],
            "reminders": REMINDERS_AT_FIRST,
            "opened_ms": act.at_ms,
            "position": act.position,
        },
    )
    _put_address(rows, act, "mail", data["mail_token"], data["mail"])


def address_added(rows: RowsByKey, act: Act) -> None:
    """Add the address."""
    data = act.data
    _needed(rows, ACCOUNT, data["subject"], act)
    _absent(rows, ADDRESS, data["token"], act)
    _put_address(rows, act, data["kind"], data["token"], data["sealed"])


def _put_address(rows: RowsByKey, act: Act, kind: str, token: bytes, sealed: bytes) -> None:
    rows.put(
        ADDRESS,
        {
            "token": token,
            "subject": act.data["subject"],
            "kind": kind,
            "sealed": sealed,
            "added_ms": act.at_ms,
            "position": act.position,
        },
    )


def address_removed(rows: RowsByKey, act: Act) -> None:
    """Remove the address; somebody else may use it from now on."""
    _own(rows, ADDRESS, act.data["token"], act)
    rows.drop(ADDRESS, act.data["token"])


def passkey_added(rows: RowsByKey, act: Act) -> None:
    """Add the passkey."""
    data = act.data
    _absent(rows, PASSKEY, data["credential"], act)
    rows.put(
        PASSKEY,
        {
            "credential": data["credential"],
            "subject": data["subject"],
            "public_key": data["public_key"],
            "label_sealed": data["label"],
            "transports": data["transports"],
            "backed_up": int(data["backed_up"]),
            "added_ms": act.at_ms,
            "position": act.position,
        },
    )


def passkey_removed(rows: RowsByKey, act: Act) -> None:
    """Remove the passkey: it signs nothing any more."""
    _own(rows, PASSKEY, act.data["credential"], act)
    rows.drop(PASSKEY, act.data["credential"])


def identity_linked(rows: RowsByKey, act: Act) -> None:
    """Link the person at a provider to the account."""
    data = act.data
    _needed(rows, ACCOUNT, data["subject"], act)
    _absent(rows, IDENTITY, data["token"], act)
    rows.put(
        IDENTITY,
        {
            "token": data["token"],
            "subject": data["subject"],
            "issuer": data["issuer"],
            "linked_ms": act.at_ms,
            "position": act.position,
        },
    )


def identity_unlinked(rows: RowsByKey, act: Act) -> None:
    """Take the link away."""
    _own(rows, IDENTITY, act.data["token"], act)
    rows.drop(IDENTITY, act.data["token"])


def preferences_set(rows: RowsByKey, act: Act) -> None:
    """Change the account's language and reminders."""
    data = act.data
    account = _needed(rows, ACCOUNT, data["subject"], act)
    changed: Row = {
        "language": data["language"],
        "reminders": data["reminders"],
        "position": act.position,
    }
    rows.put(ACCOUNT, account | changed)


def identified(rows: RowsByKey, act: Act) -> None:
    """Note whose number it is."""
    data = act.data
    _absent(rows, NUMBER, data["number"], act)
    rows.put(
        NUMBER,
        {
            "token": data["number"],
            "subject": data["subject"],
            "document": data["document"],
            "identified_ms": act.at_ms,
            "position": act.position,
        },
    )


def related(rows: RowsByKey, act: Act) -> None:
    """Let the guardian act for the ward."""
    _absent(rows, RELATION, act.data["relation"], act)
    _put_relation(rows, act, act.data["kind"])


def attorney_offered(rows: RowsByKey, act: Act) -> None:
    """Note the offer by the hash of its secret."""
    data = act.data
    _absent(rows, OFFER, data["secret_hash"], act)
    rows.put(
        OFFER,
        {
            "secret_hash": data["secret_hash"],
            "subject": data["subject"],
            "until_day": data["until_day"],
            "offered_ms": act.at_ms,
            "position": act.position,
        },
    )


def attorney_withdrawn(rows: RowsByKey, act: Act) -> None:
    """Take the offer back."""
    _own(rows, OFFER, act.data["secret_hash"], act)
    rows.drop(OFFER, act.data["secret_hash"])


def attorney_accepted(rows: RowsByKey, act: Act) -> None:
    """Turn the offer into a relation."""
    data = act.data
    offer = _needed(rows, OFFER, data["secret_hash"], act)
    if offer["subject"] != data["ward"]:
        raise _unfit(act, "the offer is another person's")
    _absent(rows, RELATION, data["relation"], act)
    rows.drop(OFFER, data["secret_hash"])
    _put_relation(rows, act, ATTORNEY)


def _put_relation(rows: RowsByKey, act: Act, kind: str) -> None:
    data = act.data
    rows.put(
        RELATION,
        {
            "id": data["relation"],
            "guardian": data["guardian"],
            "ward": data["ward"],
            "kind": kind,
            "until_day": data["until_day"],
            "state": STANDS,
            "since_ms": act.at_ms,
            "position": act.position,
        },
    )
    pair = pair_key(data["guardian"], data["ward"])
    acting = rows.get(ACTING, pair) or {"pair": pair, CHILD: "", ATTORNEY: "", "position": 0}
    rows.put(ACTING, acting | {kind: data["relation"], "position": act.position})


def relation_ended(rows: RowsByKey, act: Act) -> None:
    """End the relation: nobody acts by it any more."""
    relation = _needed(rows, RELATION, act.data["relation"], act)
    if relation["state"] != STANDS:
        raise _unfit(act, "the relation has ended already")
    rows.put(RELATION, relation | {"state": ENDED, "position": act.position})


def role_proposed(rows: RowsByKey, act: Act) -> None:
    """Note the proposal; the actor is who proposed it."""
    data = act.data
    _absent(rows, PROPOSAL, data["proposal"], act)
    rows.put(
        PROPOSAL,
        {
            "id": data["proposal"],
            "subject": data["subject"],
            "role": data["role"],
            "add": int(data["add"]),
            "proposed_by": act.actor.subject,
            "state": OPEN,
            "proposed_ms": act.at_ms,
            "position": act.position,
        },
    )


def role_proposal_withdrawn(rows: RowsByKey, act: Act) -> None:
    """Close the proposal: nobody can approve it any more."""
    proposal = _open_proposal(rows, act)
    rows.put(PROPOSAL, proposal | {"state": WITHDRAWN, "position": act.position})


def role_granted(rows: RowsByKey, act: Act) -> None:
    """Give the role, close its proposal; the first role ever closes the founding."""
    data = act.data
    key = role_key(data["subject"], data["role"])
    _absent(rows, ROLE, key, act)
    founding = rows.get(FOUNDING, STAFF)
    if not data["proposal"] and founding is not None and founding["command"] != act.command:
        raise _unfit(act, "the staff was founded by another command")
    _approve(rows, act)
    rows.put(
        ROLE,
        {
            "id": key,
            "subject": data["subject"],
            "role": data["role"],
            "granted_ms": act.at_ms,
            "position": act.position,
        },
    )
    if founding is None:
        rows.put(
            FOUNDING,
            {
                "id": STAFF,
                "command": act.command,
                "founded_ms": act.at_ms,
                "position": act.position,
            },
        )


def role_revoked(rows: RowsByKey, act: Act) -> None:
    """Take the role, close its proposal where there is one."""
    key = role_key(act.data["subject"], act.data["role"])
    _needed(rows, ROLE, key, act)
    _approve(rows, act)
    rows.drop(ROLE, key)


def _approve(rows: RowsByKey, act: Act) -> None:
    """Close the proposal that the act approves; nothing where it has none."""
    if act.data["proposal"]:
        proposal = _open_proposal(rows, act)
        rows.put(PROPOSAL, proposal | {"state": APPROVED, "position": act.position})


def _open_proposal(rows: RowsByKey, act: Act) -> Row:
    proposal = _needed(rows, PROPOSAL, act.data["proposal"], act)
    if proposal["state"] != OPEN:
        raise _unfit(act, "the proposal is closed already")
    return proposal


def api_token_issued(rows: RowsByKey, act: Act) -> None:
    """Note the token by its hash."""
    data = act.data
    _absent(rows, API_TOKEN, data["token_hash"], act)
    rows.put(
        API_TOKEN,
        {
            "token_hash": data["token_hash"],
            "holder": data["holder"],
            "name": data["name"],
            "label_sealed": data["label"],
            "scopes": " ".join(data["scopes"]),
            "state": ACTIVE,
            "issued_ms": act.at_ms,
            "position": act.position,
        },
    )


def api_token_revoked(rows: RowsByKey, act: Act) -> None:
    """The token opens nothing any more."""
    token = _needed(rows, API_TOKEN, act.data["token_hash"], act)
    if token["state"] != ACTIVE:
        raise _unfit(act, "the token is revoked already")
    rows.put(API_TOKEN, token | {"state": REVOKED, "position": act.position})
