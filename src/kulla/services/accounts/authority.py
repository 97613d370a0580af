"""Who may act in a role, or for another: the Authority that scribe and replay ask.

Refusals, with the values of their sentence:

no-role          role    the actor has not, or no longer, this role
not-signed               a member of the staff did not sign the command
bad-signature            the signature is not by a passkey of theirs over this very command
not-acting-for           nothing lets the actor act for that person

Before the staff is founded, staff commands pass unsigned: a country begins by somebody at its own
machine. What a signature proves is that this person wanted this command; that the act is what the
command came to, whoever has both can see (docs/decisions/011).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urlsplit

from kulla.kernel.canonical import NotCanonical, decode
from kulla.kernel.rows import Row, Rows, RowsByKey
from kulla.kernel.service import ALLOCATOR, POST, Act, Actor, Asked, Refusal
from kulla.services.accounts import apply, assertions
from kulla.services.accounts.relations import holds

_LETTERS: Final = "messages"

_ENROLMENT: Final = "enrolment"
_ALLOCATORS: Final = frozenset(
    (
        *("post_results", "finish_allocation", "settle_list", "lapse_offers"),
        *("keep_transcript", "transcript_kept"),
        *("results_posted", "allocated", "place_offered", "offer_lapsed"),
        *("commit_secret", "draw_seed", "secret_committed", "seed_drawn"),
    )
)
"""The commands of the jobs that allocate and draw, and their acts: a replay sees only these."""

_TOWER: Final = "tower"
"""The service of the tower's own acts: custodians sign what those hold."""


_WISH_PARTS: Final = 7
"""Command.wish of somebody who acts for nobody else."""


class Authority:
    """See kulla.kernel.service.Authority. Safe to call from any thread.

    `relying_party` is the policy file's; `origins` are the sites where staff sign now (see
    `origins_of`). A replay takes any site that the relying party covers, since an address of years
    ago need not be in today's settings.
    """

    def __init__(self, relying_party: str, origins: Collection[str]) -> None:
        self._relying_party = relying_party
        self._origins = frozenset(origins)

    def refuse(self, rows: Rows, asked: Asked, service: str) -> Refusal | None:
        """See kernel.service.Authority."""
        code = self._objection(
            rows,
            asked.actor,
            service,
            asked.name,
            at_ms=asked.at_ms,
            command=asked.key,
            assertion=asked.assertion,
            origins=self._origins,
        )
        if code == "no-role":
            return Refusal(code, {"role": asked.actor.role})
        return Refusal(code) if code else None

    def doubt(self, rows: RowsByKey, act: Act) -> str:
        """See kernel.service.Authority.

        Of a command's acts it is the first that holds what was signed, and how many there are: the
        replay asks about that one alone.
        """
        if act.service == _TOWER:
            return ""
        code = self._objection(
            rows,
            act.actor,
            act.service,
            act.name,
            at_ms=act.at_ms,
            command=act.command,
            assertion=act.assertion,
            origins=None,
        )
        if not code and act.assertion and not _is_wish_of(act):
            code = "other-wish"
        if not code:
            return ""
        return f"{act.service}.{act.name} was not this {act.actor.role}'s to do: {code}."

    def _objection(
        self,
        rows: RowsByKey,
        actor: Actor,
        service: str,
        name: str,
        *,
        at_ms: int,
        command: bytes,
        assertion: bytes,
        origins: Collection[str] | None,
    ) -> str:
        """The code of the refusal, or ''."""
        if actor.role == "citizen":
            return "" if may_act_for(rows, actor, at_ms) else "not-acting-for"
        if actor.behalf:
            return "not-acting-for"
        founding = rows.get(apply.FOUNDING, apply.STAFF)
        # The acts that found the staff come one by one, the later ones after the founding row.
        if founding is None or founding["command"] == command:
            return ""
        if (actor, service) == (POST, _LETTERS):
            return ""
        if (actor, service) == (ALLOCATOR, _ENROLMENT) and name in _ALLOCATORS:
            return ""
        if rows.get(apply.ROLE, apply.role_key(actor.subject, actor.role)) is None:
            return "no-role"
        if not assertion:
            return "not-signed"
        passkey = _passkey_of(rows, actor, assertion)
        if passkey is None:
            return "bad-signature"
        public_key = passkey["public_key"]
        assert isinstance(public_key, bytes)
        wrong = assertions.verify(assertion, command, public_key, self._relying_party, origins)
        return "bad-signature" if wrong else ""


def may_act_for(rows: RowsByKey, actor: Actor, at_ms: int) -> bool:
    """Whether a citizen may act for the person they name: themself, or one in their care."""
    if not actor.behalf:
        return True
    acting = rows.get(apply.ACTING, apply.pair_key(actor.subject, actor.behalf))
    if acting is None:
        return False
    newest = (acting[kind] for kind in (apply.CHILD, apply.ATTORNEY))
    return any(holds(rows.get(apply.RELATION, relation), at_ms) for relation in newest if relation)


def origins_of(public_url: str, relying_party: str, port: int) -> tuple[str, ...]:
    """The sites where staff may sign: that of the home's public address.

    On one machine (a demo's relying party is 'localhost') also the home's own port, which changes
    when another home takes over.
    """
    parts = urlsplit(public_url)
    origins = [f"{parts.scheme}://{parts.netloc}"]
    if relying_party == "localhost":
        origins.append(f"http://localhost:{port}")
    return tuple(dict.fromkeys(origins))


def _is_wish_of(act: Act) -> bool:
    """Whether the act holds the very command that was signed, and it is of the actor it names."""
    if hashlib.sha256(act.wish).digest() != act.command:
        return False
    try:
        wish = decode(act.wish)
    except NotCanonical:
        return False
    actor = [act.actor.role, act.actor.subject, act.service]
    return isinstance(wish, Sequence) and len(wish) == _WISH_PARTS and list(wish[1:4]) == actor


def _passkey_of(rows: RowsByKey, actor: Actor, assertion: bytes) -> Row | None:
    """The passkey that signed, if it is the actor's."""
    found = assertions.parse(assertion)
    passkey = rows.get(apply.PASSKEY, found.credential) if found is not None else None
    return passkey if passkey is not None and passkey["subject"] == actor.subject else None
