"""A tower in one process behind TowerEdge: real policies, registers and receipts; no scribe, keeper
or embassy runs.

Fault model, all switched by the test and never by chance:

* `held`: new acts are applied but not witnessed; the watermark stays and answers say 'waiting',
  and a refusal waits too, until `let_go()`.
* `quorum = False`: new commands answer unavailable/no-quorum; nothing is applied.
* `silent = True`: every call raises TowerUnavailable, as where the scribe is dead.
* `lost_answers = n`: the next n commands are applied, and their answers never arrive.
* `keyless`: subjects for whom the keeper has no key, so that sealing raises.

Not modelled: time outs, restarts, batching, disk faults. Sealing is AES-GCM under a key made from
the subject id with a fresh nonce, so that sealing twice gives different bytes, as at a keeper.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fakes.signers import MadeUpTower, SeededEntropy
from kulla.journal import merkle
from kulla.journal.entries import act_plaintext
from kulla.journal.receipts import build_receipt
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.tree import Tree
from kulla.kernel.edges import Clock, SystemClock
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Act, Asked, Authority, Command, Decision, Refusal, needs_authority
from kulla.kernel.tower import Answer, FileGone, Witnessing
from kulla.portal.edge import TowerUnavailable
from kulla.registers.apply import apply_act
from kulla.registers.own import COMMAND
from kulla.registers.parties import is_party
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.tower.services import SERVICES, register_tables


class SetClock:
    """A clock that stands still until a test moves it. Fault model: none."""

    def __init__(self, now_ms: int) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        """See kulla.kernel.edges.Clock."""
        return self.at_ms

    def monotonic_s(self) -> float:
        """See kulla.kernel.edges.Clock."""
        return self.at_ms / 1000


def _is_public(act: Act) -> bool:
    return SERVICES[act.service].acts[act.name].public


class NotYours(KullaError):
    """The subject had no part in the act, or there is none."""


class FakeTower:
    """See the module. Safe to call from any thread."""

    def __init__(self, registers: Path, clock: Clock | None = None, seed: int = 1) -> None:
        self.clock: Clock = clock or SystemClock()
        self.keys = MadeUpTower(seed=seed)
        self.quorum, self.silent, self.held = True, False, False
        self.lost_answers = 0
        self.authority: Authority | None = None
        self.keyless: set[str] = set()
        self.opened: list[tuple[str, str]] = []
        self.files: dict[bytes, bytes] = {}
        self.submitted: list[Command] = []
        self._entropy = SeededEntropy(seed)
        self._lock = threading.Lock()
        self._acts: list[tuple[Act, bytes]] = []
        self._watermark = 0
        self._moved_ms = self.clock.now_ms()
        create = not registers.exists()
        self._database: sqlite3.Connection = open_registers(registers, create=create)
        self._database.execute("PRAGMA synchronous=OFF")
        tables = register_tables()
        create_tables(self._database, tables)
        self._rows = LiveRows(self._database, tables)

    def let_go(self) -> None:
        """Stop holding: everything that waits is witnessed."""
        self.held = False
        self._move()

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """See TowerEdge."""
        self._check_voice()
        with self._lock:
            self.submitted.append(command)
            answer = self._answer(command)
            if self.lost_answers:
                self.lost_answers -= 1
                raise TowerUnavailable("the answer was lost on its way.")
            return answer

    def _answer(self, command: Command) -> Answer:
        if not self.quorum:
            return Answer("unavailable", code="no-quorum")
        key = command.key()
        noted = self._rows.get(COMMAND.name, key)
        if noted is not None:
            first, count = noted["position"], noted["count"]
            assert isinstance(first, int)
            assert isinstance(count, int)
            return self._accepted(range(first, first + count))
        kind = SERVICES[command.service].commands[command.name]
        asked = Asked(
            command.name, command.actor, command.data, self.clock.now_ms(), key, command.assertion
        )
        decision: Decision | None = None
        if self.authority is not None and needs_authority(command.actor):
            decision = self.authority.refuse(self._rows, asked, command.service)
        if decision is None:
            decision = kind.decide(asked, kind.gather(self._rows, asked))
        if isinstance(decision, Refusal):
            if self.held:
                return Answer("waiting")
            return Answer("refused", code=decision.code, detail=decision.detail)
        first = len(self._acts)
        self._database.execute("BEGIN IMMEDIATE")
        for number, new in enumerate(decision):
            version = SERVICES[command.service].acts[new.name].version
            act = Act(
                position=first + number,
                service=command.service,
                name=new.name,
                version=version,
                at_ms=asked.at_ms,
                actor=command.actor,
                command=key,
                data=new.data,
                assertion=b"" if number else command.assertion,
                wish=command.wish() if command.assertion and not number else b"",
                together=len(decision) if command.assertion and not number else 1,
                via=command.via,
            )
            apply_act(SERVICES, self._rows, act)
            self._acts.append((act, self._plaintext(act)))
        self._database.execute("COMMIT")
        if not self.held:
            self._move()
        return self._accepted(range(first, len(self._acts)))

    def _accepted(self, positions: range) -> Answer:
        if positions.stop > self._watermark:
            return Answer("waiting")
        return Answer("accepted", positions=tuple(positions))

    def _move(self) -> None:
        self._watermark = len(self._acts)
        self._moved_ms = self.clock.now_ms()

    @staticmethod
    def _plaintext(act: Act) -> bytes:
        return act_plaintext(
            act.service,
            act.name,
            act.version,
            act.at_ms,
            act.actor.role,
            act.actor.subject,
            act.command,
            act.data,
            behalf=act.actor.behalf,
            assertion=act.assertion,
            wish=act.wish,
            together=act.together,
            via=act.via,
        )

    def seal(self, subject: str, fields: Mapping[str, str], once: bytes = b"") -> dict[str, bytes]:
        """See TowerEdge."""
        self._check_voice()
        if subject in self.keyless:
            raise KullaError("there is no key for this subject.", remedy="Enrol them first.")
        cipher = self._cipher(subject)
        sealed = {}
        for name, text in fields.items():
            nonce = self._entropy.random_bytes(12)
            if once:
                nonce = hashlib.sha256(once + name.encode() + text.encode()).digest()[:12]
            sealed[name] = nonce + cipher.encrypt(nonce, text.encode(), name.encode())
        return sealed

    def open(self, subject: str, sealed: Mapping[str, bytes], reason: str) -> dict[str, str]:
        """See TowerEdge; `opened` holds who was opened and why, for tests to read."""
        self._check_voice()
        self.opened.append((subject, reason))
        cipher = self._cipher(subject)
        return {
            name: cipher.decrypt(data[:12], data[12:], name.encode()).decode()
            for name, data in sealed.items()
        }

    def token(self, column: str, value: str) -> bytes:
        """See TowerEdge."""
        self._check_voice()
        return hashlib.sha256(f"made-up token {column} {value}".encode()).digest()

    @staticmethod
    def _cipher(subject: str) -> AESGCM:
        return AESGCM(hashlib.sha256(f"made-up key of {subject}".encode()).digest())

    def enrol(self, count: int) -> Sequence[tuple[str, bytes]]:
        """See TowerEdge."""
        return [
            (self._entropy.random_bytes(16).hex(), self._entropy.random_bytes(32))
            for _ in range(count)
        ]

    def keep_file(self, subject: str, content: bytes, once: bytes) -> bytes:
        """See TowerEdge; `files` holds what was kept, for tests to read and to lose."""
        self._check_voice()
        nonce = hashlib.sha256(once + content).digest()[:12]
        sealed = nonce + self._cipher(subject).encrypt(nonce, content, b"file")
        name = hashlib.sha256(sealed).digest()
        self.files[name] = sealed
        return name

    def drop_file(self, name: bytes) -> None:
        """See TowerEdge."""
        self.files.pop(name, None)

    def read_file(self, subject: str, name: bytes, reason: str) -> bytes:
        """See TowerEdge."""
        self._check_voice()
        if name not in self.files:
            raise FileGone("nobody holds this file.", place=name.hex())
        self.opened.append((subject, reason))
        sealed = self.files[name]
        return self._cipher(subject).decrypt(sealed[:12], sealed[12:], b"file")

    def witnessing(self) -> Witnessing:
        """See TowerEdge."""
        self._check_voice()
        return Witnessing(self._watermark, len(self._acts), self._moved_ms, self.quorum)

    def receipt(self, position: int, subject: str) -> bytes:
        """See TowerEdge. Raises NotYours; built anew from all acts, so only for short journals."""
        self._check_voice()
        with self._lock:
            act = self._acts[position][0] if 0 <= position < self._watermark else None
            if act is None or not (is_party(act, subject) or _is_public(act)):
                raise NotYours("there is no such act of this person.", place=f"act {position}")
            store = SimulatedTileStore(1)
            tree = Tree(store)
            acts = self._acts[: self._watermark]
            entries = [self.keys.sealer.seal(plaintext) for _, plaintext in acts]
            store.put(tree.grow(entries))
            assert tree.root() == merkle.root_of([merkle.leaf_hash(entry) for entry in entries])
            note = self.keys.checkpoint_note(
                tree.size, tree.root(), sorted(self.keys.mirror_keys)[:3], self._moved_ms // 1000
            )
            entry = entries[position]
            opened = self.keys.opener.open(entry)
            proof = tree.inclusion_proof(position, tree.size)
            return build_receipt(entry, opened.salt, opened.plaintext, position, proof, note)

    def _check_voice(self) -> None:
        if self.silent:
            raise TowerUnavailable("the scribe does not answer.", remedy="See `kulla status`.")
