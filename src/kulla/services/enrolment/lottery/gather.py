"""What the policy of the lottery has to know: rows, and what signed notes say. Live path only."""

from __future__ import annotations

from typing import Final

from kulla.journal.lottery import verify_commitment, verify_dealt, verify_reveal
from kulla.journal.notes import VerifierKey
from kulla.kernel.canonical import NotCanonical, decode
from kulla.kernel.errors import KullaError
from kulla.kernel.escrow import parse_deal
from kulla.kernel.rows import Row, Rows
from kulla.kernel.service import Asked
from kulla.services.enrolment import tables
from kulla.services.enrolment.lottery.policy import CommitKnown, DrawKnown, Sworn
from kulla.services.enrolment.lottery.wishes import (
    EMBASSIES_MAX,
    Malformed,
    ToldWish,
    commit_wish,
    draw_wish,
)
from kulla.services.enrolment.policy.draw import CUSTODIANS, OpenedShare, Ticket

_SHARE_PARTS: Final = 3


class EvidenceUnfit(KullaError):
    """What should prove a secret can't be read, or proves it for another list."""


def secret_key(round_id: str, embassy: str) -> str:
    """The key of an embassy's row in a round."""
    return f"{round_id}-{embassy}"


def for_commitment(rows: Rows, asked: Asked) -> CommitKnown:
    """What `commit_secret` stands on."""
    try:
        wish = commit_wish(asked.data)
    except Malformed:
        return CommitKnown()
    row = rows.get(tables.ROUND, wish.round)
    earlier = rows.get(tables.SECRET, secret_key(wish.round, wish.embassy))
    if row is None or earlier is not None or row["state"] != tables.PUBLISHED:
        return CommitKnown(row, earlier)
    try:
        key = VerifierKey.parse(wish.embassy, place="embassy")
        said, deal = verify_dealt(wish.statement, wish.escrow, key)
    except KullaError as error:
        return CommitKnown(row, earlier, fault=error.message)
    sworn = Sworn(said.tower, said.round, said.closes_s, deal.commitment)
    return CommitKnown(row, earlier, sworn)


def for_draw(rows: Rows, asked: Asked) -> DrawKnown:
    """What `draw_seed` stands on."""
    try:
        wish = draw_wish(asked.data)
    except Malformed:
        return DrawKnown()
    row = rows.get(tables.ROUND, wish.round)
    kept = {
        str(each["embassy"]): each
        for each in rows.find(tables.SECRET, EMBASSIES_MAX, round=wish.round)
    }
    if row is None or row["state"] != tables.CLOSED:
        return DrawKnown(row, frozenset(kept))
    tickets: dict[str, Ticket] = {}
    tower = ""
    for told in wish.told:
        secret = kept.get(told.embassy)
        if secret is None:
            continue
        try:
            tower = tower or _tower(secret)
            tickets[told.embassy] = _ticket(row, secret, told)
        except KullaError as error:
            return DrawKnown(row, frozenset(kept), fault=error.message)
    return DrawKnown(row, frozenset(kept), tower, tickets)


def _tower(secret: Row) -> str:
    statement, embassy = secret["statement"], secret["embassy"]
    assert isinstance(statement, bytes)
    return verify_commitment(statement, VerifierKey.parse(str(embassy))).tower


def _ticket(row: Row, secret: Row, told: ToldWish) -> Ticket:
    """One embassy's part, with its proof read from its evidence."""
    escrow, root = secret["escrow"], row["list_root"]
    assert isinstance(escrow, bytes)
    assert isinstance(root, bytes)
    return read_ticket(told.embassy, escrow, root, told.secret, told.by, told.evidence)


def read_ticket(
    embassy: str, escrow: bytes, root: bytes, secret: bytes, by: str, evidence: bytes
) -> Ticket:
    """A ticket from what acts and registers hold. Raises KullaError where it can't be.

    `root` is that of the closed list, for which an embassy's reveal must have been told.
    """
    deal = parse_deal(escrow)
    if by == CUSTODIANS:
        return Ticket(embassy, deal, secret, shares=_shares(evidence))
    reveal = verify_reveal(evidence, VerifierKey.parse(embassy, place="embassy"))
    if reveal.closing.root != root:
        raise EvidenceUnfit("an embassy told its secret for another list.", place=reveal.embassy)
    return Ticket(embassy, deal, reveal.secret if reveal.secret == secret else b"", reveal.proof)


def _shares(evidence: bytes) -> tuple[OpenedShare, ...]:
    wrong = EvidenceUnfit("the custodians' shares can't be read.", place="evidence")
    try:
        found = decode(evidence, place="evidence")
    except NotCanonical as error:
        raise wrong from error
    if not isinstance(found, list) or not found:
        raise wrong
    shares = []
    for each in found:
        match each:
            case [int(share), bytes(opened), bytes(proof)]:
                shares.append(OpenedShare(share, opened, proof))
            case _:
                raise wrong
    return tuple(shares)
