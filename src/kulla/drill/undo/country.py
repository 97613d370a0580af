"""A country in this one process: a home with the real scribe, and four real embassies.

Only the lines between them are left out, and what would wait on them: each round is brought to all
embassies before the next one begins. Keys come from the simulated country; they guard nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kulla.drill.chance import Chance, chance_of
from kulla.drill.simulation import country as simulated
from kulla.embassy.client import Answer as Replied
from kulla.embassy.client import EmbassyClient
from kulla.embassy.mirror import Mirror, Stores
from kulla.embassy.pinned import pin_first
from kulla.embassy.quota import Limits
from kulla.embassy.routes import answer
from kulla.embassy.simulated import SimulatedBlobs
from kulla.journal.entries import Sealer
from kulla.journal.epochs import EPOCH_OPENED, epoch_opened_data, parse_succession
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile
from kulla.journal.simulated import SimulatedTileStore
from kulla.kernel.edges import Clock
from kulla.kernel.rows import Cell
from kulla.kernel.service import Command, NewAct
from kulla.kernel.tower import Answer
from kulla.rebuild.chain import EpochPlan, rebuild_registers
from kulla.rebuild.history import opening_of, plan_history, settle_log
from kulla.rebuild.replay import Replayed
from kulla.rebuild.sources import HttpSource
from kulla.rebuild.takeover import hand_over_policy, seal, succession_of
from kulla.registers.fingerprint import EVERY_ACTS, FingerprintKey
from kulla.registers.own import applied
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.scribe.batch import BatchWriter
from kulla.scribe.courier import Delivery
from kulla.scribe.log import Log, Round
from kulla.scribe.quorum import Quorum
from kulla.scribe.scribe import Scribe
from kulla.services.accounts.authority import Authority
from kulla.tower.services import SERVICES, register_tables

SITE: Final = f"https://{simulated.TOWER}"
"""Where staff sign."""

FIRST_EPOCH: Final[Mapping[str, Cell]] = {
    "number": 1,
    "origin": simulated.origin_of(1),
    "base": 0,
    "root_before": None,
}


class ChanceEntropy:
    """Bytes of a seed (kernel.edges.Entropy)."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def random_bytes(self, count: int) -> bytes:
        """See Entropy."""
        return self._chance.randbytes(count)


class EmbassyHere:
    """One embassy: the real mirror over stores in memory; also the transport of its clients."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.stores: dict[str, SimulatedTileStore] = {}
        self.blobs = SimulatedBlobs()
        identity = simulated.identity_of(name)
        desk = self._store("desk")
        pin_first(desk, simulated.policy_of_the_beginning_data(), identity.mirror_key.verifier)
        limits = Limits(free_disk_floor_bytes=1)
        stores = Stores(desk, self._store, self.blobs, lambda: 2**40)
        self.mirror = Mirror(identity, stores, clock, limits)

    def _store(self, name: str) -> SimulatedTileStore:
        return self.stores.setdefault(name, SimulatedTileStore(len(self.stores)))

    def client(self) -> EmbassyClient:
        """A client that reaches it."""
        return EmbassyClient(f"http://{self.name}", name=self.name, transport=self)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Replied:
        """See embassy.client.Transport."""
        del headers  # everybody here may read
        reply = answer(self.mirror, method, path, body)
        return Replied(reply.status, reply.media_type, reply.body)

    def close(self) -> None:
        """See Transport."""


class CountryHere:
    """A home and its embassies. Everything that was asked is witnessed when `ask` returns."""

    def __init__(
        self, folder: Path, clock: Clock, seed: int, *, fingerprint_every: int = EVERY_ACTS
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.entropy = ChanceEntropy(chance_of(seed, "entropy"))
        self.tables = register_tables()
        self.policy: PolicyFile = simulated.policy_of_the_beginning()
        self.policies: list[PolicyFile] = [self.policy]
        self.keys = simulated.journal_keys()
        [journal_key] = self.keys.values()
        self.fingerprint_key = FingerprintKey(journal_key.secret)
        self.authority = Authority(self.policy.relying_party, (SITE,))
        self.embassies = {name: EmbassyHere(name, clock) for name in simulated.EMBASSIES}
        self._blobs: dict[bytes, bytes] = {}
        self._every = fingerprint_every
        self._rounds: list[Round] = []
        self.answers: dict[int, Answer] = {}
        self.connection = open_registers(folder / "registers.sqlite", create=True)
        self.connection.execute("PRAGMA synchronous=OFF")  # nobody pulls this country's plug
        create_tables(self.connection, self.tables)
        LiveRows(self.connection, self.tables).put("kulla_epoch", FIRST_EPOCH)
        self._begin(simulated.key_of(simulated.origin_of(1)), None)

    def _begin(self, key: SigningKey, opening: NewAct | None) -> None:
        """Serve the log of this key from the registers as they stand."""
        [journal_key] = self.keys.values()
        self.rows = LiveRows(self.connection, self.tables)
        self.log = Log(key, SimulatedTileStore(1), 0)
        self.writer = BatchWriter(
            self.connection,
            self.rows,
            SERVICES,
            Sealer(key.name, journal_key, self.entropy),
            self.clock,
            base=applied(self.rows),
            size=0,
            authority=self.authority,
            fingerprint_key=self.fingerprint_key,
            fingerprint_every=self._every,
            policies=[self.policy],
        )
        keys = {embassy.name: embassy.key for embassy in self.policy.embassies}
        quorum = Quorum(keys, self.policy.is_quorum)
        self.scribe: Scribe[int] = Scribe(self.writer, self.log, quorum, SERVICES, self, self.clock)
        self._deliveries = {
            name: Delivery(here.client(), keys[name], self.log, self)
            for name, here in self.embassies.items()
        }
        self.scribe.start(self._rounds.append, opening)
        self._deliver()

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """See scribe.BlobSource."""
        return {name: self._blobs[name] for name in names if name in self._blobs}

    def keep_blob(self, blob: bytes) -> bytes:
        """Keep a wrapped key at home; its name."""
        name = hashlib.sha256(blob).digest()
        self._blobs[name] = blob
        return name

    def ask(self, *commands: Command) -> list[Answer]:
        """Hand a batch to the scribe, let embassies witness it; an answer for each command."""
        self.answers.clear()
        self._told(self.scribe.take(list(enumerate(commands))))
        self._deliver()
        return [self.answers[number] for number in range(len(commands))]

    def annul(self, note: bytes, parts: Sequence[bytes]) -> Answer:
        """Hand an undo to the scribe, and let embassies witness it."""
        self.answers.clear()
        self._told(self.scribe.annul(0, note, parts))
        self._deliver()
        return self.answers[0]

    def _deliver(self) -> None:
        for parcel in self._rounds:
            for name, delivery in self._deliveries.items():
                cosignature = delivery.bring(parcel)
                self._told(self.scribe.held(name, parcel.size, cosignature))
        self._rounds.clear()

    def _told(self, replies: Sequence[tuple[int, Answer]]) -> None:
        self.answers.update(replies)

    def sources(self) -> list[HttpSource]:
        """The embassies, to rebuild from."""
        return [HttpSource(here.client()) for here in self.embassies.values()]

    def plans(self) -> list[EpochPlan]:
        """All epochs as the embassies hold them."""
        sources = self.sources()
        settled = settle_log(sources, self.policy, self.log.origin)
        return plan_history(sources, self.policy, self.keys, settled)

    def rebuilt(self, path: Path, plans: Sequence[EpochPlan]) -> Replayed:
        """Rebuild registers from the embassies into this new file."""
        connection = open_registers(path, create=True)
        try:
            create_tables(connection, self.tables)
            LiveRows(connection, self.tables).put("kulla_epoch", FIRST_EPOCH)
            return rebuild_registers(
                plans,
                self.keys,
                connection,
                self.tables,
                SERVICES,
                authority=Authority(self.policy.relying_party, ()),
                fingerprint_key=self.fingerprint_key,
                policies=[*reversed(self.policies)],
            )
        finally:
            connection.close()

    def take_over(self, reason: str) -> Replayed:
        """Let another home take over: seal, rebuild from the embassies, open the next epoch."""
        number = len(self.policy.logs) + 1
        key = simulated.key_of(simulated.origin_of(number))
        custodians = simulated.custodian_keys()
        now_ms = self.clock.now_ms()
        note = succession_of(self.policy, key.verifier, "", reason, now_ms, custodians)
        clients = {name: here.client() for name, here in self.embassies.items()}
        seal(clients, note, parse_succession(note), self.policy)
        plans = self.plans()
        following = simulated.following(self.policy, key)
        hand_over_policy(clients, following)
        path = self.folder / f"registers-{number}.sqlite"
        replayed = self.rebuilt(path, plans)
        self.connection.close()
        self.connection = open_registers(path)
        self.policy = following
        self.policies.append(following)
        opened = epoch_opened_data(opening_of(plans, note))
        self._begin(key, NewAct(EPOCH_OPENED, opened))
        return replayed
