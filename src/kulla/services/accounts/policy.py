"""The rules of accounts: what is known and a command give acts or a refusal. Pure.

Here is what people do with their own account; `relations` has who acts for whom, `staff` has roles
and API tokens. Refusals, with the values of their sentence:

malformed          field           a field is missing, unknown or misshapen
not-allowed        role, command   this role may not do that
not-for-another                    nobody changes an account in another's place
not-yours                          it is another person's
already-open       subject         the account is open
no-account                         there is no account yet
taken              kind            an address, passkey or identity that is known already
too-many           max
address-unknown, passkey-unknown, identity-unknown
last-way-in                        without it nobody could sign in any more
staff-signs                        staff change their passkeys by signing with one
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal, Role
from kulla.services.accounts import acts, wishes

ADDRESSES_MAX: Final = 5
PASSKEYS_MAX: Final = 10
IDENTITIES_MAX: Final = 5
LANGUAGES: Final = ("sq", "en")
REMINDERS: Final = ("mail", "none")
PROPOSAL_DAYS: Final = 14
_DAY_MS: Final = 24 * 3600 * 1000

STAFF_ROLES: Final = ("clerk", "operator", "analyst")
"""The roles that are granted and revoked. Citizens need none; custodians are in the policy file."""

_OWN: Final[tuple[Role, ...]] = ("citizen",)
_SIGNED_IN: Final[tuple[Role, ...]] = ("citizen", "clerk", "operator", "analyst")

Decide = Callable[[Asked, Any], Decision]


@dataclass(frozen=True, slots=True)
class AccountKnown:
    """What the registers say about the actor's account.

    `there` is the row that has the token or credential which the command names, whoever's it is;
    `proposals` are the open ones that would give the actor a role; `usable_key` says whether the
    public key that the command brings is one that signatures can be verified with.
    """

    account: Row | None
    addresses: Sequence[Row]
    passkeys: Sequence[Row]
    identities: Sequence[Row]
    roles: Sequence[Row]
    proposals: Sequence[Row]
    there: Row | None
    usable_key: bool


def for_roles(roles: tuple[Role, ...]) -> Callable[[Decide], Decide]:
    """Refuse other roles and who acts for another; turn a Malformed field into a refusal."""

    def around(decide: Decide) -> Decide:
        @wraps(decide)
        def decided(asked: Asked, known: Any) -> Decision:
            if asked.actor.role not in roles:
                return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})
            if asked.actor.behalf:
                return Refusal("not-for-another")
            try:
                return decide(asked, known)
            except wishes.Malformed as error:
                return Refusal("malformed", {"field": error.field})

        return decided

    return around


@for_roles(_OWN)
def open_account(asked: Asked, known: AccountKnown) -> Decision:
    """An account opens. Data: subject, mail (sealed), mail_token, language; key may be absent."""
    fields = wishes.Fields(asked.data)
    data: dict[str, Value] = {
        "subject": fields.subject(),
        "mail": fields.sealed("mail"),
        "mail_token": fields.token("mail_token"),
        "language": fields.one_of("language", LANGUAGES),
    }
    names = (fields.token("key"),) if fields.has("key") else ()
    fields.end()
    if data["subject"] != asked.actor.subject:
        return Refusal("not-yours")
    if known.account is not None:
        return Refusal("already-open", {"subject": asked.actor.subject})
    if known.there is not None:
        return Refusal("taken", {"kind": "mail"})
    if names:
        data["key"] = names[0]
    return (NewAct(acts.OPENED, data, names),)


@for_roles(_OWN)
def add_address(asked: Asked, known: AccountKnown) -> Decision:
    """Another way to reach the person. Data: kind 'mail' | 'phone', token, sealed."""
    fields = wishes.Fields(asked.data)
    kind = fields.one_of("kind", ("mail", "phone"))
    token, sealed = fields.token("token"), fields.sealed("sealed")
    fields.end()
    refused = _without_room(known, known.addresses, ADDRESSES_MAX, kind)
    if refused is not None:
        return refused
    data: dict[str, Value] = {"kind": kind, "token": token, "sealed": sealed}
    return _own_act(acts.ADDRESS_ADDED, asked, data)


@for_roles(_OWN)
def remove_address(asked: Asked, known: AccountKnown) -> Decision:
    """An address goes. Data: token. The last one stays where nothing else opens the account."""
    fields = wishes.Fields(asked.data)
    token = fields.token("token")
    fields.end()
    if not _is_own(asked, known.there):
        return Refusal("address-unknown")
    if len(known.addresses) == 1 and not known.passkeys and not known.identities:
        return Refusal("last-way-in")
    return _own_act(acts.ADDRESS_REMOVED, asked, {"token": token})


@for_roles(_SIGNED_IN)
def add_passkey(asked: Asked, known: AccountKnown) -> Decision:
    """A passkey joins. Data: credential, public_key, label, transports, backed_up.

    Whoever is on the staff, or about to be, signs for it with a passkey they have: a mail box that
    was broken into must not become a key that signs as a clerk.
    """
    fields = wishes.Fields(asked.data)
    data: dict[str, Value] = {
        "credential": fields.credential(),
        "public_key": fields.bytes_up_to("public_key", wishes.PUBLIC_KEY_MAX_BYTES),
        "label": fields.sealed_or_none("label"),
        "transports": fields.transports("transports"),
        "backed_up": fields.yes_or_no("backed_up"),
    }
    fields.end()
    if not known.usable_key:
        raise fields.wrong("public_key")
    if _must_sign(asked, known):
        return Refusal("staff-signs")
    if asked.actor.role == "citizen" and known.account is None:
        return Refusal("no-account")
    if known.there is not None:
        return Refusal("taken", {"kind": "passkey"})
    if len(known.passkeys) >= PASSKEYS_MAX:
        return Refusal("too-many", {"max": PASSKEYS_MAX})
    return _own_act(acts.PASSKEY_ADDED, asked, data)


@for_roles(_SIGNED_IN)
def remove_passkey(asked: Asked, known: AccountKnown) -> Decision:
    """A passkey goes. Data: credential. Staff keep one; anybody keeps a way to sign in."""
    fields = wishes.Fields(asked.data)
    credential = fields.credential()
    fields.end()
    if not _is_own(asked, known.there):
        return Refusal("passkey-unknown")
    if _must_sign(asked, known):
        return Refusal("staff-signs")
    others = len(known.passkeys) - 1
    if others == 0 and (known.roles or not (known.addresses or known.identities)):
        return Refusal("last-way-in")
    return _own_act(acts.PASSKEY_REMOVED, asked, {"credential": credential})


@for_roles(_OWN)
def link_identity(asked: Asked, known: AccountKnown) -> Decision:
    """The person at a provider is this account's. Data: issuer, token."""
    fields = wishes.Fields(asked.data)
    issuer, token = fields.text("issuer"), fields.token("token")
    fields.end()
    refused = _without_room(known, known.identities, IDENTITIES_MAX, "identity")
    if refused is not None:
        return refused
    return _own_act(acts.IDENTITY_LINKED, asked, {"issuer": issuer, "token": token})


@for_roles(_OWN)
def unlink_identity(asked: Asked, known: AccountKnown) -> Decision:
    """The link to a provider goes. Data: token."""
    fields = wishes.Fields(asked.data)
    token = fields.token("token")
    fields.end()
    if not _is_own(asked, known.there):
        return Refusal("identity-unknown")
    if len(known.identities) == 1 and not known.passkeys and not known.addresses:
        return Refusal("last-way-in")
    return _own_act(acts.IDENTITY_UNLINKED, asked, {"token": token})


@for_roles(_OWN)
def set_preferences(asked: Asked, known: AccountKnown) -> Decision:
    """How the person wants to be written to. Data: language, reminders."""
    fields = wishes.Fields(asked.data)
    data: dict[str, Value] = {
        "language": fields.one_of("language", LANGUAGES),
        "reminders": fields.one_of("reminders", REMINDERS),
    }
    fields.end()
    if known.account is None:
        return Refusal("no-account")
    return _own_act(acts.PREFERENCES_SET, asked, data)


def is_stale(proposal: Row, at_ms: int) -> bool:
    """Whether a proposal is too old to be approved."""
    proposed_ms = proposal["proposed_ms"]
    assert isinstance(proposed_ms, int)
    return at_ms >= proposed_ms + PROPOSAL_DAYS * _DAY_MS


def _own_act(name: str, asked: Asked, data: dict[str, Value]) -> Decision:
    return (NewAct(name, {"subject": asked.actor.subject, **data}),)


def _is_own(asked: Asked, row: Row | None) -> bool:
    return row is not None and row["subject"] == asked.actor.subject


def _must_sign(asked: Asked, known: AccountKnown) -> bool:
    """Whether this has to come in a staff role, for which the Authority sees a signature."""
    coming = any(not is_stale(proposal, asked.at_ms) for proposal in known.proposals)
    return asked.actor.role == "citizen" and (coming or bool(known.roles))


def _without_room(known: AccountKnown, rows: Sequence[Row], most: int, kind: str) -> Refusal | None:
    """Why one more of these can't be added, or None."""
    if known.account is None:
        return Refusal("no-account")
    if known.there is not None:
        return Refusal("taken", {"kind": kind})
    if len(rows) >= most:
        return Refusal("too-many", {"max": most})
    return None
