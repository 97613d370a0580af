"""`kulla enrolment commit`: before a list closes, each embassy fixes a secret for its lottery.

Typed again it goes on: an embassy gives the same commitment every time, and what is journalled
already is not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kulla.embassy.client import EmbassyClient
from kulla.journal.errors import LotteryInvalid
from kulla.journal.lottery import check_name, check_openers, verify_dealt
from kulla.journal.policy_file import Embassy, PolicyFile
from kulla.kernel.canonical import Value
from kulla.kernel.errors import KullaError
from kulla.services.enrolment import tables
from kulla.tower.asking import clients_of
from kulla.tower.home import Home
from kulla.tower.lottery.reading import Desk, KnownRound, RoundUnfit, said_no

NEW, BEFORE, FAILED = "committed", "committed before", "failed"
_TOO_LATE: Final = "its list is closed; no secret counts that is made after that."


@dataclass(frozen=True, slots=True)
class Part:
    """What came of one embassy."""

    embassy: str
    state: str
    why: str = ""


def commit(folder: Path, round_id: str) -> dict[str, Any]:
    """Let every embassy of the policy commit for a published round; what came of it, for printing.

    Raises RoundUnfit where the round is not published, or its list is closed.
    """
    home = Home(folder)
    policy, desk = home.policy(), Desk(home)
    known = desk.round(round_id)
    if known.state != tables.PUBLISHED:
        early = known.state == tables.PREPARED
        raise RoundUnfit(
            "it is not published yet." if early else _TOO_LATE,
            place=round_id,
            remedy="Publish it first, at the ministry's desk." if early else "",
        )
    with clients_of(policy, home.reader_key()) as clients:
        parts = [
            _one(desk, known, home.policies(), embassy, clients[embassy.name])
            for embassy in policy.embassies
        ]
    return report(round_id, policy, parts)


def report(round_id: str, policy: PolicyFile, parts: Sequence[Part]) -> dict[str, Any]:
    """What came of it, for printing; `quorum`: whether as many committed as hold an act."""
    done = [part.embassy for part in parts if part.state != FAILED]
    return {
        "round": round_id,
        "committed": len(done),
        "of": policy.n,
        "quorum": policy.is_quorum(done),
        "embassies": [
            {"embassy": part.embassy, "state": part.state, "why": part.why} for part in parts
        ],
    }


def _one(
    desk: Desk,
    known: KnownRound,
    policies: Sequence[PolicyFile],
    embassy: Embassy,
    client: EmbassyClient,
) -> Part:
    if embassy.statement_key is None:
        return Part(embassy.name, FAILED, "the policy names no statement key of it.")
    key = embassy.statement_key
    if key.text() in known.secrets:
        return Part(embassy.name, BEFORE)
    round_id = str(known.row["id"])
    try:
        statement, deal = client.commit_secret(round_id, known.number("closes_s"))
        said, dealt = verify_dealt(statement, deal, key)
        if (said.tower, said.round) != (policies[0].tower, round_id):
            raise LotteryInvalid("it committed for another round.", place=embassy.name)
        check_name(said, key, policies)
        by_version = {policy.version: policy for policy in policies}
        check_openers(dealt, by_version.get(said.policy, policies[0]))
        data: dict[str, Value] = {
            "round": round_id,
            "embassy": key.text(),
            "escrow": deal,
            "statement": statement,
        }
        answer = desk.submit("commit_secret", f"{round_id} {key.text()}", data)
        if answer.status != "accepted":
            raise said_no(answer, embassy.name)
    except KullaError as error:
        return Part(embassy.name, FAILED, str(error))
    return Part(embassy.name, NEW)
