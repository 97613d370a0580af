"""The rules of the lottery: which commitments count, and which seed. Pure.

In prose, with a worked draw, in docs/services/enrolment-lottery.md, which is run as a test. Both
commands are the tower's own (`kulla enrolment commit`, `kulla enrolment draw`). What notes say was
verified by `gather`, which hands it over. Refusals, with the values of their sentence:

malformed          field           a field is missing, unknown or misshapen
not-allowed        role, command   this role may not do that
round-unknown      round
round-not-open     round, state    commitments are taken from publication until the list closes
statement-wrong    embassy, why    it is not signed, not of this round, or its deal hides nothing
committed-already  embassy         an embassy commits once
round-not-closed   round, state    nothing is drawn before the list is closed
drawn-already      round           a round is drawn once
no-commitments     round           no embassy committed before the list was closed
secrets-missing    embassies       each embassy that committed takes part
draw-wrong         why             a secret, or the seed, is not the one that was fixed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.service import Asked, Decision, NewAct, Refusal
from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.lottery.wishes import Malformed, commit_wish, draw_wish
from kulla.services.enrolment.policy.draw import Draw, Ticket, verify_draw

Decide = Callable[[Asked, Any], Decision]


@dataclass(frozen=True, slots=True)
class Sworn:
    """What an embassy's commitment says, its signature and its deal verified."""

    tower: str
    round: str
    closes_s: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class CommitKnown:
    """The round, the embassy's earlier commitment in it, what it signed now, or what is wrong."""

    round: Row | None = None
    earlier: Row | None = None
    sworn: Sworn | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class DrawKnown:
    """The round, the embassies that committed, the tickets as read, or what is wrong with one.

    `tower` is what their commitments say.
    """

    round: Row | None = None
    committed: frozenset[str] = frozenset()
    tower: str = ""
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    fault: str = ""


def _for_operators(decide: Decide) -> Decide:
    def decided(asked: Asked, known: Any) -> Decision:
        if asked.actor.role != "operator":
            return Refusal("not-allowed", {"role": asked.actor.role, "command": asked.name})
        try:
            return decide(asked, known)
        except Malformed as error:
            return Refusal("malformed", {"field": error.field})

    return decided


@_for_operators
def commit_secret(asked: Asked, known: CommitKnown) -> Decision:
    """An embassy holds a secret for a round. Data: round, embassy, escrow, statement."""
    wish = commit_wish(asked.data)
    row = known.round
    if row is None:
        return Refusal("round-unknown", {"round": wish.round})
    if row["state"] != tables.PUBLISHED:
        return Refusal("round-not-open", {"round": wish.round, "state": row["state"]})
    if known.earlier is not None:
        return Refusal("committed-already", {"embassy": wish.embassy})
    fault = known.fault or _not_of(row, known.sworn)
    if fault or known.sworn is None:
        return Refusal("statement-wrong", {"embassy": wish.embassy, "why": fault})
    data = dict(asked.data) | {"commitment": known.sworn.commitment}
    return (NewAct(acts.SECRET_COMMITTED, data),)


@_for_operators
def draw_seed(asked: Asked, known: DrawKnown) -> Decision:
    """The lottery is drawn. Data: round, closed, size, root, secrets, beacon, seed."""
    wish = draw_wish(asked.data)
    row = known.round
    if row is None:
        return Refusal("round-unknown", {"round": wish.round})
    if row["seed"] is not None:
        return Refusal("drawn-already", {"round": wish.round})
    if row["state"] != tables.CLOSED:
        return Refusal("round-not-closed", {"round": wish.round, "state": row["state"]})
    if not known.committed:
        return Refusal("no-commitments", {"round": wish.round})
    missing = sorted(known.committed ^ {told.embassy for told in wish.told})
    if missing:
        listed: list[Value] = list(missing)
        return Refusal("secrets-missing", {"embassies": listed})
    if known.fault:
        return Refusal("draw-wrong", {"why": known.fault})
    if wish.closed != row["closed_position"] or wish.size <= 0:
        return Refusal("draw-wrong", {"why": "it names another act than the one that closed it"})
    root, count = row["list_root"], row["list_count"]
    assert isinstance(root, bytes)
    assert isinstance(count, int)
    tickets = tuple(known.tickets[told.embassy] for told in wish.told)
    try:
        verify_draw(Draw(known.tower, wish.round, count, root, tickets, wish.seed))
    except KullaError as error:
        return Refusal("draw-wrong", {"why": error.message})
    return (NewAct(acts.SEED_DRAWN, dict(asked.data)),)


def _not_of(row: Row, sworn: Sworn | None) -> str:
    """Why a commitment is not one of this round, or ''."""
    if sworn is None or sworn.round != row["id"]:
        return "it is of another round"
    opens_s, closes_s = row["opens_s"], row["closes_s"]
    assert isinstance(opens_s, int)
    assert isinstance(closes_s, int)
    if not opens_s < sworn.closes_s <= closes_s:
        return "it names another hour at which the list closes"
    return ""
