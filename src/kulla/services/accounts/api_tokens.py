"""The rules of tokens for the API. Pure; that operators sign is the Authority's to see.

An operator gives tokens that belong to no one person: they open what is the same for everybody. A
citizen makes tokens for programs that may do in their name what the scopes say, and nobody else
can: so a program never reads or books for somebody who did not let it. Refusals beside those of
`policy`:

token-unknown     also for another citizen's token
already-revoked
too-many-tokens   max    so many tokens of one citizen stand already
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kulla.kernel.canonical import Value
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.accounts import acts, apply, wishes
from kulla.services.accounts.policy import for_roles

TOKENS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class TokenKnown:
    """The token that is meant, if it is there, and those of the actor that stand."""

    token: Row | None
    own: Sequence[Row]


@for_roles(("operator", "citizen"))
def issue_api_token(asked: Asked, known: TokenKnown) -> Decision:
    """A program may use the API. Data: token_hash (SHA-256), scopes, and how people call it.

    That is `name` in clear from an operator, `label` sealed (may be absent) from a citizen.
    """
    fields = wishes.Fields(asked.data)
    mine = asked.actor.role == "citizen"
    data: dict[str, Value] = {
        "holder": asked.actor.subject if mine else "",
        "name": "" if mine else fields.text("name"),
        "label": fields.sealed_or_none("label") if mine else None,
        "token_hash": fields.token("token_hash"),
        "scopes": fields.scopes("scopes"),
    }
    fields.end()
    if known.token is not None:
        return Refusal("taken", {"kind": "api-token"})
    if mine and len(known.own) >= TOKENS_MAX:
        return Refusal("too-many-tokens", {"max": TOKENS_MAX})
    return (NewAct(acts.API_TOKEN_ISSUED, data),)


@for_roles(("operator", "citizen"))
def revoke_api_token(asked: Asked, known: TokenKnown) -> Decision:
    """A program may no more. Data: token_hash. An operator takes back any, a citizen their own."""
    fields = wishes.Fields(asked.data)
    token_hash = fields.token("token_hash")
    fields.end()
    token = known.token
    mine = asked.actor.role == "citizen"
    if token is None or (mine and token["holder"] != asked.actor.subject):
        return Refusal("token-unknown")
    if token["state"] != apply.ACTIVE:
        return Refusal("already-revoked")
    return (NewAct(acts.API_TOKEN_REVOKED, {"token_hash": token_hash}),)
