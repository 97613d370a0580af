"""A home: what is on its disk, and the process that serves from it while it lives.

The process does what tower.scribe_app and scribe.process do, one step at a time and in whatever
order the world chooses: it asks whether it is home, decides batches, hears couriers, answers.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from kulla.drill.chance import Chance
from kulla.drill.simulation import country
from kulla.drill.simulation.clocks import SiteClock
from kulla.drill.simulation.coverage import NOT_HOME, fault_of, home_write
from kulla.drill.simulation.disks import HomeFolder
from kulla.drill.simulation.mortal import Died, MortalStore
from kulla.drill.simulation.network import SimulatedStream
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError, ForkRefused, LogSealed
from kulla.journal.entries import Sealer
from kulla.journal.epochs import EPOCH_OPENED
from kulla.journal.errors import JournalError, StoreConflict, StoreFailed
from kulla.journal.notes import NoteSignature
from kulla.journal.store import TileStore
from kulla.journal.tiles import WIDTH
from kulla.journal.tree import Tree
from kulla.kernel.service import Command, NewAct
from kulla.kernel.tower import Answer
from kulla.registers.own import applied
from kulla.registers.sqlite import LiveRows
from kulla.scribe.batch import BatchWriter, NoRoom, Outcome, pending_entries
from kulla.scribe.courier import Delivery
from kulla.scribe.log import Log, Round
from kulla.scribe.quorum import CosignatureRefused, Quorum
from kulla.scribe.scribe import Scribe
from kulla.scribe.stream import Stream
from kulla.tower.still_home import NotHome, TooFewAnswers, ask_whether_home

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World

_BACKLOG_MAX = 8
_BATCH_MAX = 4
_CALM_BATCH_MAX = 64
_PATIENCE_S = 1.0
_DISK_WORDS = ("disk I/O error", "full")


class ChanceEntropy:
    """Bytes of the seed (kernel.edges.Entropy)."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def random_bytes(self, count: int) -> bytes:
        """See Entropy."""
        return self._chance.randbytes(count)


@dataclass(eq=False, slots=True)
class Ask:
    """A command that somebody sent to a home, once; it is the token of who waits.

    end_before: the position that the next act had there when it was decided.
    """

    command: Command
    end_before: int = 0


@dataclass(eq=False)
class CourierSteps:
    """The steps of scribe.courier.Courier without its thread."""

    name: str
    delivery: Delivery
    told: deque[tuple[Any, ...]]
    met: Callable[[str], None]
    rounds: deque[Round] = field(default_factory=deque)
    newest: Round | None = None
    busy: bool = False

    def send(self, parcel: Round) -> None:
        """Queue a round; one that is far behind jumps to the newest."""
        if len(self.rounds) >= _BACKLOG_MAX:
            self.rounds.clear()
            self.met("a courier jumps to the newest round")
        self.rounds.append(parcel)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do now."""
        return self.busy or not (self.rounds or self.delivery.under_way)

    def step(self) -> None:
        """Send a round on its way, or take an answer; try again after a fault."""
        try:
            self._step()
        except EmbassyError as error:
            if isinstance(error, LogSealed):
                self.met("an embassy refuses a sealed log")
            elif isinstance(error, ForkRefused):
                self.met("an embassy refuses a fork")
            self.told.append(("state", self.name, False))
            if not self.rounds and self.newest is not None:
                self.rounds.append(self.newest)

    def _step(self) -> None:
        delivery = self.delivery
        if self.rounds and not delivery.full:
            parcel = self.rounds.popleft()
            self.newest = parcel
            if delivery.send_on(parcel):
                return
            while delivery.under_way:
                self._take_answer()
            self._held(parcel.size, delivery.bring(parcel))
        elif delivery.under_way and delivery.answered(-1):
            self._take_answer()

    def _take_answer(self) -> None:
        parcel, cosignature = self.delivery.arrived()
        self._held(parcel.size, cosignature)

    def _held(self, size: int, cosignature: NoteSignature) -> None:
        self.told.append(("held", self.name, size, cosignature))


class EarlyScribe(Scribe[Ask]):
    """A known-bad build: it answers as soon as a batch is on its own disk."""

    @property
    def watermark(self) -> int:
        """All that was ever written."""
        return self._writer.end


class ForgetfulWriter(BatchWriter):
    """A known-bad build: the answer to a repeat rests on nothing."""

    def _repeated(self, key: bytes) -> Outcome | None:
        outcome = super()._repeated(key)
        return outcome and replace(outcome, rests_on=0)


class HomeProcess:
    """One run of a home. Raises NotHome, or what a disk raises, while it opens."""

    def __init__(self, world: World, name: str, folder: HomeFolder, clock: SiteClock) -> None:
        assert folder.policy is not None
        assert folder.log_key is not None
        self.world = world
        self.name = name
        self.policy = folder.policy
        self._policy_data = folder.policy_data()
        self.life = world.new_life(500)
        self.serving = False
        self._sent_size = WIDTH
        self._asking = False
        self.inbox: deque[Ask] = deque()
        self.told: deque[tuple[Any, ...]] = deque()
        self._reachable: set[str] = set()
        self._lost_s = world.now_ms / 1000
        self._folder = folder
        self.connection = folder.registers.open(self.life)
        connection = cast(sqlite3.Connection, self.connection)
        self.rows = LiveRows(connection, country.tables())
        self.origin = folder.log_key.name
        self.log_ids = {log.key.name: log.key.public for log in self.policy.logs}
        self.epochs = [
            (str(row["origin"]), cast(int, row["base"])) for row in self.rows.find("kulla_epoch")
        ]
        self.base = dict(self.epochs).get(self.origin, applied(self.rows))
        if self.epochs[-1][0] != self.origin:
            self.epochs.append((self.origin, self.base))
        self.journal = self._journal(folder, connection)
        key = next(iter(country.journal_keys().values()))
        sealer = Sealer(self.origin, key, ChanceEntropy(world.chance))
        writer = ForgetfulWriter if world.build.repeats_early else BatchWriter
        self.writer = writer(
            connection,
            self.rows,
            country.SERVICES,
            sealer,
            clock,
            base=self.base,
            size=self.journal.size,
        )
        kind: type[Scribe[Ask]] = EarlyScribe if world.build.early else Scribe
        quorum = self._quorum()
        self.scribe = kind(self.writer, self.journal, quorum, country.SERVICES, folder, clock)
        self.couriers = {
            embassy.name: CourierSteps(
                embassy.name, self._delivery(embassy.name), self.told, world.met
            )
            for embassy in self.policy.embassies
        }

    def _journal(self, folder: HomeFolder, connection: sqlite3.Connection) -> Log:
        assert folder.log_key is not None
        size = applied(self.rows) - self.base
        first, entries = pending_entries(connection)
        store = MortalStore(folder.store(self.origin), self.life)
        journal = Log(folder.log_key, store, size if first is None else first)
        if not self.world.build.pending:
            connection.execute("DELETE FROM scribe_pending")
            return journal
        if entries:
            if not _has_tiles(folder.store(self.origin), size):
                self.world.met("a home dies between its registers and its tiles")
            journal.join(entries)
        if journal.size != size:
            self.world.judge.fail("broken", f"{self.name}: registers and journal disagree")
        return journal

    def _quorum(self) -> Quorum:
        keys = {known.name: known.key for known in self.policy.embassies}
        note = self.journal.kept_checkpoint()
        size = self.policy.check_checkpoint(note).size if note else -1
        need = self.world.build.quorum
        if need < self.policy.quorum_k:
            return Quorum(keys, lambda names: len(names) >= need, size, note)
        return Quorum(keys, self.policy.is_quorum, size, note)

    def client(self, name: str, url: str = "") -> EmbassyClient:  # noqa: ARG002
        """A client of an embassy for this process."""
        return self.world.network.client(self.name, self.life, self.world.embassies[name])

    def _delivery(self, name: str) -> Delivery:
        known = self.policy.embassy(name)
        assert known is not None
        stream = None
        if self.world.profile.streams:
            network, embassy = self.world.network, self.world.embassies[name]
            stream = SimulatedStream(network, self.name, self.life, embassy)
        return Delivery(
            self.client(name),
            known.key,
            self.journal,
            self._folder,
            cast("Stream | None", stream),
            [self._policy_data],
        )

    def tick(self) -> None:
        """One turn of the scribe's loop."""
        if not self.serving:
            if not self._asking:
                self._ask_whether_home()
            return
        self._hear()
        if self.inbox and (self.scribe.may_take or not self._quorum_reachable):
            most = _BATCH_MAX if self.world.unrest else _CALM_BATCH_MAX
            count = min(len(self.inbox), self.world.chance.randrange(1, most + 1))
            batch = [self.inbox.popleft() for _ in range(count)]
            for ask in batch:
                ask.end_before = self.writer.end
            self._reply(self.scribe.take([(ask, ask.command) for ask in batch]))
        if self.world.chance.random() < 0.2:
            self.scribe.quorum_reachable(self._quorum_reachable)
            self.scribe.keep_checkpoint()

    @property
    def _quorum_reachable(self) -> bool:
        now_s = self.world.now_ms / 1000
        if self.policy.is_quorum(self._reachable):
            self._lost_s = now_s
        return now_s - self._lost_s <= _PATIENCE_S

    def _ask_whether_home(self) -> None:
        size, root_at = self.journal.size, self.journal.root_at
        self._asking = True
        known = self.world.judge.known_of(self)
        try:
            if self.world.build.asks:
                ask_whether_home(self.policy, size, root_at, self.client, together=False)
        except TooFewAnswers:
            self.world.met("a start is answered by too few")
            return
        finally:
            self._asking = False
        opening = None
        if self.journal.size == 0 and self._folder.opening is not None:
            opening = NewAct(EPOCH_OPENED, self._folder.opening)
        self.world.judge.serves(self, known)
        self.serving = True
        self._reachable = set(self.couriers)
        self._sent_size = size
        self.scribe.start(self._to_all, opening)
        self.world.note("serves", self.name, f"from {self.writer.end}")

    def _to_all(self, parcel: Round) -> None:
        self.world.note("round", self.name, str(parcel.size))
        if self._sent_size < WIDTH <= parcel.size:
            self.world.met("a home's log passes 256 entries")
        self._sent_size = parcel.size
        for courier in self.couriers.values():
            courier.send(parcel)

    def _hear(self) -> None:
        while self.told:
            kind, embassy, *rest = self.told.popleft()
            if kind == "state":
                self._reachable.discard(embassy)
                continue
            self._reachable.add(embassy)
            size, signature = rest
            try:
                self._reply(self.scribe.held(embassy, size, signature))
            except CosignatureRefused:
                self._reachable.discard(embassy)

    def _reply(self, replies: Sequence[tuple[Ask, Answer]]) -> None:
        for ask, answer in replies:
            self.life.check()
            self.world.judge.told(self, ask, answer)
            self.world.citizens.hear(ask, answer)


def _has_tiles(store: TileStore, size: int) -> bool:
    try:
        Tree.load(store, size)
    except JournalError:
        return False
    return True


class Home:
    """A site that is, was or wants to be home. `retired` once it learned that it is not."""

    def __init__(self, world: World, name: str, folder: HomeFolder) -> None:
        self.world = world
        self.name = name
        self.folder = folder
        self.clock = SiteClock(world)
        self.process: HomeProcess | None = None
        self.retired = False
        self.destroyed = False
        self._torn = False

    def start(self) -> None:
        """Start the process, if it does not run; it may die of it."""
        if self.process is not None or self.retired or self.destroyed:
            return
        self.world.note("starts", self.name)
        if self._torn:
            self.world.met("a home starts from torn tiles")
            self._torn = False
        try:
            self.process = HomeProcess(self.world, self.name, self.folder, self.clock)
        except Died:
            self.world.met("a home dies while it starts")
            self._end("dies while it starts")
        except (StoreFailed, NoRoom, sqlite3.OperationalError) as error:
            self._end_of_disk(error)
        except JournalError as error:
            self.world.judge.fail("broken", f"{self.name} can't start from what it kept: {error}")

    def act(self, step: Callable[[HomeProcess], None]) -> None:
        """Let the process do something; it may die of it."""
        process = self.process
        if process is None:
            return
        if process.serving and self.world.home is not self:
            self.world.met("a home that was replaced still acts")
        try:
            step(process)
        except Died:
            if self.process is process:
                self.world.met("a home dies at a step")
                self._end("dies")
        except (StoreFailed, NoRoom, sqlite3.OperationalError) as error:
            if self.process is process:
                self._end_of_disk(error)
        except StoreConflict as error:
            self.world.judge.fail("broken", f"{self.name} writes over what it wrote: {error}")
        except NotHome as error:
            self.world.note("is not home", self.name, error.message)
            self.world.met(next(met for words, met in NOT_HOME.items() if words in error.message))
            if self.process is process:
                self.retired = True
                self._end("is not home")

    def carry(self, embassy: str) -> None:
        """Let one courier do a step."""
        process = self.process
        if process is None or not process.serving:
            return
        courier = process.couriers[embassy]
        if courier.idle:
            return
        courier.busy = True
        try:
            self.act(lambda _: courier.step())
        finally:
            courier.busy = False

    def submit(self, command: Command) -> None:
        """A citizen's command reaches the door, if anybody is there."""
        if self.process is not None and self.process.serving:
            self.process.inbox.append(Ask(command))

    def kill(self, *, power: bool) -> None:
        """Somebody pulls the plug, or kills the process."""
        if self.process is not None:
            self.world.met("a home loses power" if power else "a home is killed")
            self._end("loses power" if power else "is killed", power=power)

    def destroy(self) -> None:
        """The site is wiped."""
        self.world.note("is wiped", self.name)
        self.world.met("a home is wiped")
        self.destroyed = True
        if self.process is not None:
            self._end("is wiped")

    def _end_of_disk(self, error: Exception) -> None:
        if isinstance(error, sqlite3.OperationalError):
            assert any(word in str(error) for word in _DISK_WORDS), error
        elif isinstance(error, StoreFailed) and (fault := fault_of(error)):
            self.world.met(home_write(fault))
            self._torn = fault in ("torn", "reordered")
        self._end(f"ends: {error}")

    def _end(self, why: str, *, power: bool | None = None) -> None:
        self.world.note("ends", self.name, why)
        process, self.process = self.process, None
        if process is not None:
            process.life.over = True
            process.connection.close()
        if power is None:
            power = self.world.chance.random() < 0.5
        if power:
            self.folder.cut_power()
        else:
            self.folder.restart()
