"""A country whose ministry publishes a round, whose embassies commit, and whose list closes.

Fault model: the registers are those of fakes.desk, the embassies those of fakes.urns; the two are
joined by hand, so a test may let the journal say another list than the registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fakes.ministry import ask, ministry, publish
from fakes.urns import CLOSES_S, ROUND, Urns, closing_act
from kulla.journal.lottery import closing_of, verify_reveal
from kulla.journal.lottery_openings import (
    Missed,
    OpeningPlan,
    checked_plan,
    gather_openings,
    open_for,
)
from kulla.journal.receipts import verify_receipt
from kulla.kernel.canonical import Value
from kulla.kernel.service import Act, Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.draw import seed_of

DAYS = {
    "opens_s": CLOSES_S - 900,
    "closes_s": CLOSES_S,
    "results_s": CLOSES_S + 1000,
    "answer_by_s": CLOSES_S + 2000,
}
PAIR = ("arta", "besa")


class LotteryCountry:
    """One published round, ready for commitments."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.urns = Urns(folder)
        self.desk = ministry(CLOSES_S - 950)
        publish(self.desk, **DAYS)
        self.closed_index = -1

    @property
    def list_root(self) -> bytes:
        row = self.desk.rows.get(tables.ROUND, ROUND)
        assert row is not None
        assert isinstance(row["list_root"], bytes)
        return row["list_root"]

    def ask(self, name: str, data: dict[str, Value]) -> list[Act] | Refusal:
        return self.desk.ask("operator", "allocator", name, **data)

    def commit_data(self, name: str) -> dict[str, Value]:
        statement, deal = self.urns.commit(name)
        return {
            "round": ROUND,
            "embassy": self.urns.key(name),
            "escrow": deal,
            "statement": statement,
        }

    def commit_all(self) -> None:
        for name in self.urns.names:
            [_] = self.ask("commit_secret", self.commit_data(name))

    def close(self, elsewhere: bytes = b"") -> None:
        """Close the list; the journal says the root `elsewhere` where that is said."""
        self.desk.now_ms = (CLOSES_S + 30) * 1000
        ask(self.desk, "close_round", round=ROUND)
        self.urns.past_closing()
        plaintext = closing_act(root=elsewhere or self.list_root, count=0)
        self.closed_index = self.urns.grow([plaintext])

    def reveal(self, name: str) -> bytes:
        receipt = self.urns.receipt(self.closed_index)
        return self.urns.embassies[name].client().reveal_secret(receipt)

    def secret(self, name: str) -> bytes:
        key = self.urns.tower.statement_keys[name].verifier
        return verify_reveal(self.reveal(name), key).secret

    def plan(self, names: Sequence[str]) -> OpeningPlan:
        missed = []
        for name in names:
            row = self.desk.rows.get(tables.SECRET, f"{ROUND}-{self.urns.key(name)}")
            assert row is not None
            missed.append(Missed(self.urns.key(name), row["statement"], row["escrow"]))  # type: ignore[arg-type]
        return OpeningPlan(self.urns.receipt(self.closed_index), tuple(missed))

    def opened(self, name: str, custodians: Sequence[str]) -> tuple[bytes, bytes]:
        """The secret of an embassy as custodians open it, and what proves it."""
        tower = self.urns.tower
        plan = checked_plan(self.plan([name]), [tower.policy])
        files = [
            (who, open_for(plan, who, tower.custodian_keys[who]).render()) for who in custodians
        ]
        found, faults = gather_openings(plan, files)
        assert not faults
        gathered, deal = found[self.urns.key(name)], plan.dealt[0].deal
        return gathered.secret(deal), gathered.evidence(deal)

    def committed(self) -> list[str]:
        """The embassies whose commitment is in the registers."""
        rows = self.desk.rows.find(tables.SECRET, round=ROUND)
        kept = {row["embassy"] for row in rows}
        return [name for name in self.urns.names if self.urns.key(name) in kept]

    def draw_data(
        self, opened: Sequence[str] = (), custodians: Sequence[str] = PAIR
    ) -> dict[str, Any]:
        """The data of draw_seed: each embassy tells, but for those that custodians open."""
        row = self.desk.rows.get(tables.ROUND, ROUND)
        assert row is not None
        tower = self.urns.tower
        closing = closing_of(verify_receipt(self.urns.receipt(self.closed_index), tower.policy))
        told: list[list[Any]] = []
        for name in self.committed():
            key = self.urns.key(name)
            if name in opened:
                secret, evidence = self.opened(name, custodians)
                told.append([key, secret, "custodians", evidence])
            else:
                told.append([key, self.secret(name), "embassy", self.reveal(name)])
        return {
            "round": ROUND,
            "closed": row["closed_position"],
            "size": closing.size,
            "root": closing.checkpoint_root,
            "secrets": told,
            "beacon": b"",
            "seed": seed_of(ROUND, 0, self.list_root, [(each[0], each[1]) for each in told]),
        }
