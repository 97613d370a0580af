"""The seed of a round's lottery, and whether it is the one that nobody could choose. Pure.

The seed is the SHA-256 of a short text, which anybody can type: the round, the root of the closed
list of applications, and each embassy's secret, in the order of their keys. There is nothing in it
that was still free when the first secret became known: the secrets were fixed before the list was
closed, and told only after. `verify_draw` checks the secrets against what fixed them; who signed
what, and that the list was closed before, is checked beside it (journal.lottery, receipts).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kulla.kernel.errors import KullaError
from kulla.kernel.escrow import Deal, check_deal, check_secret, check_share, joined
from kulla.kernel.lottery import opening_context, secret_context

FIRST_LINE: Final = "kulla-lottery-seed/v1"
EMBASSY, CUSTODIANS = "embassy", "custodians"


class DrawInvalid(KullaError):
    """A seed that is not the one that the committed secrets and the closed list give."""


@dataclass(frozen=True, slots=True)
class OpenedShare:
    """One custodian's share of a secret: its number from 1, what it opened to, and the proof."""

    share: int
    opened: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Ticket:
    """One embassy's part: what fixed its secret, the secret (32 bytes), and what proves it.

    `embassy` is its statement key's text. Either `proof` (64 bytes) is the embassy's own, or
    `shares` are custodians'.
    """

    embassy: str
    deal: Deal
    secret: bytes
    proof: bytes = b""
    shares: tuple[OpenedShare, ...] = ()

    @property
    def told_by(self) -> str:
        """Who told the secret: EMBASSY or CUSTODIANS."""
        return CUSTODIANS if self.shares else EMBASSY


@dataclass(frozen=True, slots=True)
class Draw:
    """A lottery: of which round and closed list (count, root of 32 bytes), with which tickets."""

    tower: str
    round: str
    count: int
    root: bytes
    tickets: tuple[Ticket, ...]
    seed: bytes


def seed_text(round_id: str, count: int, root: bytes, secrets: Iterable[tuple[str, bytes]]) -> str:
    """The text whose SHA-256 is the seed; `secrets` are (embassy, secret) in any order."""
    lines = [FIRST_LINE, f"round {round_id}", f"list {count} {root.hex()}"]
    ordered = sorted(secrets, key=lambda each: each[0].encode())
    lines += [f"secret {embassy} {secret.hex()}" for embassy, secret in ordered]
    return "".join(f"{line}\n" for line in lines)


def seed_of(round_id: str, count: int, root: bytes, secrets: Iterable[tuple[str, bytes]]) -> bytes:
    """The seed (32 bytes) of these secrets for this closed list."""
    return hashlib.sha256(seed_text(round_id, count, root, secrets).encode()).digest()


def verify_draw(draw: Draw) -> None:
    """Raise DrawInvalid or EscrowInvalid unless the seed follows from what was fixed before.

    Each secret must be the one that its deal fixed, by the embassy's proof or by enough custodians'
    shares. Which embassies took part is for the caller to compare with the policy file.
    """
    if not draw.tickets:
        raise DrawInvalid("no embassy took part in this lottery.", place=draw.round)
    if len({ticket.embassy for ticket in draw.tickets}) != len(draw.tickets):
        raise DrawInvalid("an embassy took part twice.", place=draw.round)
    for ticket in draw.tickets:
        check_ticket(draw.tower, draw.round, draw.root, ticket)
    secrets = [(ticket.embassy, ticket.secret) for ticket in draw.tickets]
    if seed_of(draw.round, draw.count, draw.root, secrets) != draw.seed:
        raise DrawInvalid(
            "the seed is not the SHA-256 of the closed list and these secrets.",
            place=draw.round,
            remedy="Ask the embassies what they told: their addresses are in the policy file.",
        )


def check_ticket(tower: str, round_id: str, root: bytes, ticket: Ticket) -> None:
    """Raise DrawInvalid or EscrowInvalid unless the secret is the one that was fixed."""
    context = secret_context(tower, round_id, ticket.embassy)
    check_deal(ticket.deal, context)
    if not ticket.shares:
        check_secret(ticket.deal.commitment, ticket.secret, ticket.proof, context)
        return
    opening = opening_context(tower, round_id, ticket.embassy, root)
    for each in ticket.shares:
        check_share(ticket.deal, each.share, each.opened, each.proof, opening)
    opened = {each.share: each.opened for each in ticket.shares}
    if joined(ticket.deal, opened) != ticket.secret:
        raise DrawInvalid("the custodians' shares give another secret.", place=ticket.embassy)
