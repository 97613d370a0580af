"""The rules of roles. Pure; that staff signed is the Authority's to see.

A role is given by two operators: one proposes, another approves. One alone can revoke, since
stopping somebody is urgent and giving is not. Refusals beside those of `policy`:

already-founded               somebody has or had a role: operators grant the others
too-few-operators  min        the staff begins with at least so many operators
founder-twice      subject    one person, one role and one passkey twice
no-passkey         subject    a role without a passkey could sign nothing
has-role           subject, role
has-no-role        subject, role
already-proposed   proposal   the same is proposed already
last-operator                 somebody must be left to go on
proposal-unknown   proposal
proposal-closed    proposal   approved or withdrawn already
proposal-stale     proposal   too old, or its proposer is no operator any more
same-operator                 who proposed it can't approve it
passkeys-changed   subject    a passkey came after the proposal: look again who holds it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.accounts import acts, apply, wishes
from kulla.services.accounts.policy import STAFF_ROLES, for_roles, is_stale

FOUNDER: Final = "founding"
"""The subject of the custodian in whose name the staff begins."""

FOUNDING_OPERATORS_MIN: Final = 2
FOUNDING_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class FoundingKnown:
    """Whether the staff was founded, and the passkeys that are there with such credentials.

    `usable` are those public keys of the command that signatures can be verified with.
    """

    founded: bool
    passkeys: Mapping[str, Row]
    usable: Set[bytes]


@dataclass(frozen=True, slots=True)
class RoleKnown:
    """What the registers say about the role, the person and the proposal that are meant.

    `role` is the person's row if they have the role; `same` an open proposal of the same;
    `proposer` the operator's row of who made `proposal`, if they still are one.
    """

    role: Row | None
    passkeys: Sequence[Row]
    operators: Sequence[Row]
    proposal: Row | None
    same: Row | None
    proposer: Row | None


@dataclass(frozen=True, slots=True)
class _Founder:
    subject: str
    role: str
    credential: str
    public_key: bytes

    def has(self, passkey: Row) -> bool:
        """Whether a passkey that is there is this person's, as they named it."""
        mine = (self.subject, self.public_key)
        return (passkey["subject"], passkey["public_key"]) == mine


@for_roles(("custodian",))
def found_staff(asked: Asked, known: FoundingKnown) -> Decision:
    """The first staff of a country. Data: staff [{subject, role, credential, public_key}...].

    Each brings a passkey, which may be in their account already. Only while nobody ever had a role:
    from then on staff do nothing without a signature.
    """
    if asked.actor.subject != FOUNDER:
        return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})
    founders = _founders(asked.data, known.usable)
    if known.founded:
        return Refusal("already-founded")
    for founder in founders:
        there = known.passkeys.get(founder.credential)
        if there is not None and not founder.has(there):
            return Refusal("taken", {"kind": "passkey"})
    for unique in ("subject", "credential", "public_key"):
        seen: set[object] = set()
        for founder in founders:
            if getattr(founder, unique) in seen:
                return Refusal("founder-twice", {"subject": founder.subject})
            seen.add(getattr(founder, unique))
    if sum(founder.role == "operator" for founder in founders) < FOUNDING_OPERATORS_MIN:
        return Refusal("too-few-operators", {"min": FOUNDING_OPERATORS_MIN})
    return tuple(act for founder in founders for act in _founding_acts(founder, known))


def _founders(data: Mapping[str, Any], usable: Set[bytes]) -> list[_Founder]:
    staff = data.get("staff")
    if not isinstance(staff, list | tuple) or not 0 < len(staff) <= FOUNDING_MAX or len(data) != 1:
        raise wishes.Malformed("staff")
    found = []
    for number, row in enumerate(staff):
        if not isinstance(row, Mapping):
            raise wishes.Malformed(f"staff[{number}]")
        fields = wishes.Fields(row, f"staff[{number}].")
        found.append(
            _Founder(
                fields.subject(),
                fields.one_of("role", STAFF_ROLES),
                fields.credential(),
                fields.bytes_up_to("public_key", wishes.PUBLIC_KEY_MAX_BYTES),
            )
        )
        fields.end()
        if found[-1].public_key not in usable:
            raise fields.wrong("public_key")
    return found


def _founding_acts(founder: _Founder, known: FoundingKnown) -> tuple[NewAct, ...]:
    granted = _role_act(acts.ROLE_GRANTED, founder.subject, founder.role)
    if founder.credential in known.passkeys:
        return (granted,)
    passkey: dict[str, Value] = {
        "subject": founder.subject,
        "credential": founder.credential,
        "public_key": founder.public_key,
        "label": None,
        "transports": "",
        "backed_up": False,
    }
    return NewAct(acts.PASSKEY_ADDED, passkey), granted


@for_roles(("operator",))
def propose_role(asked: Asked, known: RoleKnown) -> Decision:
    """An operator wishes that somebody gets or loses a role. Data: subject, role, add."""
    fields = wishes.Fields(asked.data)
    subject, role = fields.subject(), fields.one_of("role", STAFF_ROLES)
    add = fields.yes_or_no("add")
    fields.end()
    refused = _unchangeable(known, subject, role, add=add)
    if refused is not None:
        return refused
    if known.same is not None and not is_stale(known.same, asked.at_ms):
        return Refusal("already-proposed", {"proposal": known.same["id"]})
    data: dict[str, Value] = {
        "proposal": asked.fresh_id(),
        "subject": subject,
        "role": role,
        "add": add,
    }
    return (NewAct(acts.ROLE_PROPOSED, data),)


@for_roles(("operator",))
def approve_role(asked: Asked, known: RoleKnown) -> Decision:
    """Another operator approves. Data: proposal."""
    proposal = _proposal_meant(asked, known)
    if isinstance(proposal, Refusal):
        return proposal
    detail = {"proposal": proposal["id"]}
    if proposal["proposed_by"] == asked.actor.subject:
        return Refusal("same-operator")
    if is_stale(proposal, asked.at_ms) or known.proposer is None:
        return Refusal("proposal-stale", detail)
    subject, role, add = str(proposal["subject"]), str(proposal["role"]), bool(proposal["add"])
    refused = _unchangeable(known, subject, role, add=add)
    if refused is not None:
        return refused
    if add and any(_position(row) > _position(proposal) for row in known.passkeys):
        return Refusal("passkeys-changed", {"subject": subject})
    name = acts.ROLE_GRANTED if add else acts.ROLE_REVOKED
    return (_role_act(name, subject, role, str(proposal["id"]), str(proposal["proposed_by"])),)


@for_roles(("operator",))
def withdraw_role(asked: Asked, known: RoleKnown) -> Decision:
    """Any operator closes a proposal. Data: proposal."""
    proposal = _proposal_meant(asked, known)
    if isinstance(proposal, Refusal):
        return proposal
    return (NewAct(acts.ROLE_PROPOSAL_WITHDRAWN, {"proposal": proposal["id"]}),)


@for_roles(("operator",))
def revoke_role(asked: Asked, known: RoleKnown) -> Decision:
    """One operator takes a role, at once. Data: subject, role."""
    fields = wishes.Fields(asked.data)
    subject, role = fields.subject(), fields.one_of("role", STAFF_ROLES)
    fields.end()
    refused = _unchangeable(known, subject, role, add=False)
    if refused is not None:
        return refused
    return (_role_act(acts.ROLE_REVOKED, subject, role),)


def _proposal_meant(asked: Asked, known: RoleKnown) -> Row | Refusal:
    fields = wishes.Fields(asked.data)
    proposal_id = fields.subject("proposal")
    fields.end()
    if known.proposal is None:
        return Refusal("proposal-unknown", {"proposal": proposal_id})
    if known.proposal["state"] != apply.OPEN:
        return Refusal("proposal-closed", {"proposal": proposal_id})
    return known.proposal


def _unchangeable(known: RoleKnown, subject: str, role: str, *, add: bool) -> Refusal | None:
    """Why the role can't be given or taken as things stand, or None."""
    detail = {"subject": subject, "role": role}
    if add:
        if known.role is not None:
            return Refusal("has-role", detail)
        return None if known.passkeys else Refusal("no-passkey", {"subject": subject})
    if known.role is None:
        return Refusal("has-no-role", detail)
    if role == "operator" and len(known.operators) <= 1:
        return Refusal("last-operator")
    return None


def _role_act(
    name: str, subject: str, role: str, proposal: str = "", proposed_by: str = ""
) -> NewAct:
    return NewAct(
        name,
        {"subject": subject, "role": role, "proposal": proposal, "proposed_by": proposed_by},
    )


def _position(row: Row) -> int:
    position = row["position"]
    assert isinstance(position, int)
    return position
