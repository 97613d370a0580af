"""A made-up tower's embassies with their secrets, and a log in which rounds are closed.

Fault model: as in fakes.mirrors (an embassy may be down, mute, or crash); the log is home's, so it
may hold any act, and be forked by `thief`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from fakes.clock import HandClock
from fakes.embassy import GrowingLog
from fakes.mirrors import MirrorInProcess
from fakes.signers import NOON_MS, NOON_S, MadeUpTower, booked
from kulla.journal.entries import act_plaintext
from kulla.journal.lottery import Commitment, verify_dealt
from kulla.journal.receipts import build_receipt
from kulla.kernel.canonical import Value
from kulla.kernel.escrow import Deal

ROUND = "first-2026"
CLOSES_S = NOON_S + 1000
ROOT = hashlib.sha256(b"the list").digest()


def closing_act(round_: str = ROUND, root: bytes = ROOT, count: int = 2000) -> bytes:
    """The plaintext of the act that closes a round."""
    data: dict[str, Value] = {"round": round_, "count": count, "root": root}
    return act_plaintext(
        "enrolment", "round_closed", 1, NOON_MS, "clerk", "f" * 32, b"c" * 32, data
    )


class Urns:
    """Embassies by name, all with one clock, and the log that they mirror."""

    def __init__(self, folder: Path, tower: MadeUpTower | None = None) -> None:
        self.tower = tower or MadeUpTower()
        self.clock = HandClock()
        self.log = GrowingLog(self.tower.log_key)
        self.embassies = {
            name: MirrorInProcess(self.tower, name, folder, self.clock)
            for name in self.tower.mirror_keys
        }
        self.grow([booked(number) for number in range(3)])

    @property
    def names(self) -> list[str]:
        return list(self.embassies)

    def grow(
        self, plaintexts: Iterable[bytes], log: GrowingLog | None = None, to: Sequence[str] = ()
    ) -> int:
        """Append acts and bring them to the embassies `to` (all, if empty): where they begin."""
        log = log or self.log
        start = log.size
        log.grow([self.tower.sealer.seal(plaintext) for plaintext in plaintexts])
        for name in to or self.names:
            self.bring(name, log)
        return start

    def bring(self, name: str, log: GrowingLog | None = None) -> None:
        """Bring an embassy all that it lacks."""
        log = log or self.log
        mirror = self.embassies[name].mirror
        held = mirror.log(log.origin)
        assert held is not None
        pending = held.pending.checkpoint.size if held.pending else 0
        assert mirror.add_checkpoint(log.checkpoint_body(pending)).status == 200
        assert mirror.add_entries(log.entries_body(held.next_entry)).status == 200

    def receipt(
        self,
        index: int,
        log: GrowingLog | None = None,
        cosigners: Sequence[str] = (),
        size: int | None = None,
    ) -> bytes:
        """The receipt of the act at `index`, cosigned by a quorum unless others are named."""
        log = log or self.log
        at = log.size if size is None else size
        [entry] = log.tree.entries(index, index + 1)
        opened = self.tower.opener.open(entry)
        names = cosigners or self.names[: self.tower.k]
        note = self.tower.checkpoint_note(at, log.tree.root_at(at), names)
        proof = log.tree.inclusion_proof(index, at)
        return build_receipt(entry, opened.salt, opened.plaintext, index, proof, note)

    def commit(self, name: str, round_: str = ROUND) -> tuple[bytes, bytes]:
        """An embassy's statement and deal."""
        return self.embassies[name].client().commit_secret(round_, CLOSES_S)

    def committed(self, name: str, round_: str = ROUND) -> tuple[Commitment, Deal]:
        """The same, verified."""
        statement, deal = self.commit(name, round_)
        return verify_dealt(statement, deal, self.tower.statement_keys[name].verifier)

    def key(self, name: str) -> str:
        """The text of an embassy's statement key."""
        return self.tower.statement_keys[name].verifier.text()

    def past_closing(self) -> None:
        """It is a minute past the hour at which the list closes, by the embassies' clock."""
        self.clock.at_ms = (CLOSES_S + 60) * 1000
