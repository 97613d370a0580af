"""`kulla lottery check`: whether a round's lottery is one that nobody could choose, off line.

The file comes from the round's public page. It proves itself with nothing but the policy file: who
committed to what, that the list was closed after, what was told for that list, and the seed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kulla.journal.lottery import (
    Closing,
    check_name,
    check_openers,
    closing_of,
    statement_keys,
    verify_dealt,
)
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_policy_signatures
from kulla.journal.receipts import VerifiedReceipt, verify_receipt_of_any_time
from kulla.kernel.errors import KullaError
from kulla.services.enrolment.lottery.gather import read_ticket
from kulla.services.enrolment.lottery.page_file import FORMAT
from kulla.services.enrolment.policy.draw import Draw, Ticket, seed_text, verify_draw

_COMMITTED: Final = ("enrolment", "secret_committed")


class DrawUnproven(KullaError):
    """A draw's file that can't be read, or that does not prove what it says."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A lottery that holds: its seed, the text that it is the hash of, and who took part.

    told_by: by embassy's name, 'embassy' or 'custodians'. absent: embassies of the newest policy
    that took no part. quorum: whether those who did are as many as hold an act.
    """

    round: str
    count: int
    root: bytes
    seed: bytes
    text: str
    told_by: Mapping[str, str]
    absent: tuple[str, ...]
    quorum: bool


def check_file(path: Path, policy_files: Sequence[Path]) -> Checked:
    """Check a draw's file by policies that are trusted. Raises KullaError, saying what is wrong."""
    policies = []
    for file in policy_files:
        policy = parse_policy(file.read_bytes(), place=str(file))
        verify_policy_signatures(policy)
        policies.append(policy)
    policies.sort(key=lambda policy: -policy.version)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise _unreadable(str(path)) from error
    return check_draw(found, policies, place=str(path))


def check_draw(found: Any, policies: Sequence[PolicyFile], *, place: str = "") -> Checked:
    """Check what a draw's file says. Raises KullaError, saying what is wrong."""
    try:
        if found["format"] != FORMAT:
            raise _unreadable(place)
        closed = _receipt(found["closed"], policies, "the act that closed the list")
        closing = closing_of(closed)
        if closing.round != found["round"]:
            raise DrawUnproven("the list that was closed is another round's.", place=place)
        tickets = [_ticket(each, closing, policies) for each in found["tickets"]]
        seed = bytes.fromhex(found["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(place) from error
    tower = policies[0].tower
    verify_draw(Draw(tower, closing.round, closing.count, closing.root, tuple(tickets), seed))
    return _checked(closing, tickets, seed, policies)


def _checked(
    closing: Closing, tickets: Sequence[Ticket], seed: bytes, policies: Sequence[PolicyFile]
) -> Checked:
    newest = policies[0]
    names = {key.text(): name for key, name in _names(policies)}
    told_by = {names[ticket.embassy]: ticket.told_by for ticket in tickets}
    text = seed_text(
        closing.round,
        closing.count,
        closing.root,
        [(each.embassy, each.secret) for each in tickets],
    )
    assert hashlib.sha256(text.encode()).digest() == seed
    absent = tuple(each.name for each in newest.embassies if each.name not in told_by)
    return Checked(
        closing.round,
        closing.count,
        closing.root,
        seed,
        text,
        told_by,
        absent,
        any(policy.is_quorum(told_by) for policy in policies),
    )


def _names(policies: Sequence[PolicyFile]) -> list[tuple[Any, str]]:
    """(statement key, embassy's name) of all versions, the oldest first."""
    return [
        (each.statement_key, each.name)
        for policy in reversed(policies)
        for each in policy.embassies
        if each.statement_key
    ]


def _ticket(said: Any, closing: Closing, policies: Sequence[PolicyFile]) -> Ticket:
    """One embassy's part, its commitment proven to stand before the list was closed."""
    embassy = str(said["embassy"])
    key = statement_keys(policies).get(embassy)
    if key is None:
        raise DrawUnproven("the policy names no such embassy.", place=embassy)
    committed = _receipt(said["committed"], policies, f"the commitment of {key.name}")
    act, data = committed.act, committed.act["data"]
    if (act["service"], act["act"]) != _COMMITTED or data["embassy"] != embassy:
        raise DrawUnproven("this receipt is of no commitment of this embassy.", place=key.name)
    if not _before(committed, closing, policies[0]):
        raise DrawUnproven("this embassy committed after the list was closed.", place=key.name)
    commitment, deal = verify_dealt(data["statement"], data["escrow"], key)
    if (commitment.tower, commitment.round) != (policies[0].tower, closing.round):
        raise DrawUnproven("this embassy committed for another round.", place=key.name)
    check_name(commitment, key, policies)
    for policy in policies:
        if policy.version == commitment.policy:
            check_openers(deal, policy)
    secret, by = bytes.fromhex(said["secret"]), str(said["told_by"])
    evidence = _base64(said["evidence"])
    return read_ticket(embassy, deal.render(), closing.root, secret, by, evidence)


def _before(committed: VerifiedReceipt, closing: Closing, policy: PolicyFile) -> bool:
    """Whether a commitment stands before the closing act, also in an epoch before it."""
    if committed.checkpoint.origin == closing.origin:
        return committed.index < closing.index
    was = policy.epoch_number(committed.checkpoint.origin)
    return 0 < was < policy.epoch_number(closing.origin)


def _receipt(text: Any, policies: Sequence[PolicyFile], place: str) -> VerifiedReceipt:
    return verify_receipt_of_any_time(_base64(text), policies, place=place)


def _base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _unreadable(place: str) -> DrawUnproven:
    return DrawUnproven(
        "this is no file of a lottery.",
        place=place,
        remedy="Download it from the round's page: /enrolment/rounds/ROUND/lottery/proof.json",
    )
