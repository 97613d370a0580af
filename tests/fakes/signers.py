"""A made-up tower's keys, policy and checkpoints, all from one seed.

Fault model: none. Every key signs with the code that a real tower runs; only chance is replaced, so
that a run repeats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from kulla.journal import merkle
from kulla.journal.checkpoints import Checkpoint, add_signatures, cosign, sign_checkpoint
from kulla.journal.entries import JournalKey, Opener, Sealer, act_plaintext
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import (
    Custodian,
    Embassy,
    Log,
    PolicyFile,
    Reader,
    first_policy,
    sign_policy,
)
from kulla.journal.receipts import build_receipt

NOON_S = 1_760_000_000
NOON_MS = NOON_S * 1000


class SeededEntropy:
    """Bytes that look random and are the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def random_bytes(self, count: int) -> bytes:
        """See kulla.kernel.edges.Entropy."""
        self._count += 1
        text = f"{self._seed} {self._count}"
        return hashlib.shake_256(text.encode()).digest(count)


@dataclass(frozen=True)
class MadeUpTower:
    """Keys of one log, `n` embassies of which `k` count, and three custodians of whom two sign."""

    seed: int = 1
    n: int = 4
    k: int = 3
    origin: str = "journal.kulla.example/1"

    def key(self, name: str, kind: int = 1) -> SigningKey:
        """The signing key of this name and kind in this tower."""
        text = f"{self.seed} {name} {kind}"
        return SigningKey(name, kind, hashlib.sha256(text.encode()).digest())

    @cached_property
    def log_key(self) -> SigningKey:
        """The key of the first epoch's log."""
        return self.key(self.origin)

    @cached_property
    def mirror_keys(self) -> dict[str, SigningKey]:
        """The embassies' mirror keys by their names in the policy."""
        names = [f"embassy-{number}" for number in range(1, self.n + 1)]
        return {name: self.key(f"{name}.example/mirror", 4) for name in names}

    @cached_property
    def statement_keys(self) -> dict[str, SigningKey]:
        """The embassies' statement keys by their names in the policy."""
        return {name: self.key(f"{name}.example/statements") for name in self.mirror_keys}

    @cached_property
    def custodian_keys(self) -> dict[str, SigningKey]:
        """The custodians' keys by their names in the policy."""
        return {name: self.key(f"{name}.custodians.example") for name in ("arta", "besa", "drita")}

    @cached_property
    def unsigned_policy(self) -> PolicyFile:
        """Version 1 of the policy, before custodians signed it."""
        embassies = [
            Embassy(
                name,
                key.verifier,
                f"https://{name}.example/",
                self.statement_keys[name].verifier,
            )
            for name, key in self.mirror_keys.items()
        ]
        return first_policy(
            tower="kulla.example",
            relying_party="kulla.example",
            custodians=[Custodian(name, key.verifier) for name, key in self.custodian_keys.items()],
            custodian_threshold=2,
            log=Log(self.log_key.verifier, "https://home.kulla.example/"),
            embassies=embassies,
            quorum_k=self.k,
            readers=[Reader("standby", self.key("standby.example").verifier)],
        )

    @cached_property
    def policy(self) -> PolicyFile:
        """Version 1, signed by two custodians."""
        return self.signed(self.unsigned_policy, ("arta", "besa"))

    def signed(self, policy: PolicyFile, custodians: Iterable[str]) -> PolicyFile:
        """`policy` with these custodians' signatures."""
        for name in custodians:
            policy = sign_policy(policy, self.custodian_keys[name])
        return policy

    def checkpoint_note(
        self, size: int, root: bytes, cosigners: Iterable[str], at_s: int = NOON_S
    ) -> bytes:
        """A checkpoint signed by the log and cosigned by these embassies, a second apart."""
        checkpoint = Checkpoint(self.origin, size, root)
        lines = [
            cosign(checkpoint, self.mirror_keys[name], at_s + number)
            for number, name in enumerate(cosigners)
        ]
        return add_signatures(sign_checkpoint(checkpoint, self.log_key), lines)

    @cached_property
    def journal_key(self) -> JournalKey:
        """The key that entries are sealed under."""
        return JournalKey(hashlib.sha256(f"{self.seed} journal".encode()).digest())

    @cached_property
    def sealer(self) -> Sealer:
        """Seals entries for the first epoch's log."""
        return Sealer(self.origin, self.journal_key, SeededEntropy(self.seed))

    @cached_property
    def opener(self) -> Opener:
        """Opens what `sealer` sealed."""
        return Opener(self.origin, {self.journal_key.key_id: self.journal_key})


def booked(number: int) -> bytes:
    """The plaintext of the `number`-th made-up booking."""
    return act_plaintext(
        "appointments",
        "booked",
        1,
        NOON_MS + number,
        "citizen",
        f"{number:032x}",
        hashlib.sha256(b"command %d" % number).digest(),
        {"slot": f"{number:032x}", "kept": True, "note": b"\x00\xff", "list": [1, None]},
    )


def receipt_of(tower: MadeUpTower, cosigners: Sequence[str], index: int = 1) -> bytes:
    """The receipt of the act at `index` in a log of three."""
    entries = [tower.sealer.seal(booked(number)) for number in range(3)]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    proofs = (
        [leaves[1], leaves[2]],
        [leaves[0], leaves[2]],
        [merkle.node_hash(leaves[0], leaves[1])],
    )
    note = tower.checkpoint_note(3, merkle.root_of(leaves), cosigners)
    opened = tower.opener.open(entries[index])
    return build_receipt(entries[index], opened.salt, opened.plaintext, index, proofs[index], note)
