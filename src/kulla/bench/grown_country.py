"""A demo country that grows by hundreds of thousands of acts in minutes, embassies and all.

Commands go through the scribe's own batch writer (policies, sealing, apply) into the registers of a
home whose processes do not run, with real keys of real subjects; rounds of many thousands of acts
go to the embassies, which run, by the mirror protocol. What comes is a country like any other, for
measuring what a takeover costs at its size. Only fsyncs of the registers are left out meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from random import Random  # noqa: TID251 - made-up wishes from a seed; nothing here is secret
from typing import Final

from kulla.bench.errors import BenchFailed
from kulla.embassy.client import EmbassyClient
from kulla.journal.entries import Sealer
from kulla.journal.filestore import FileTileStore
from kulla.keeper.local import LocalKeeper
from kulla.kernel.canonical import Value
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Actor, Asked, Command
from kulla.registers.own import applied
from kulla.registers.sqlite import LiveRows, open_registers
from kulla.scribe.batch import BatchWriter
from kulla.scribe.courier import Delivery
from kulla.scribe.log import Log
from kulla.tower.edge import PURPOSE
from kulla.tower.home import Home
from kulla.tower.services import SERVICES, register_tables

_BATCH: Final = 500
_ROUND: Final = 8192
_AT_ONCE: Final = 500
_OPEN_MAX: Final = 2000
_OPERATOR: Final = Actor("operator", "demo")


class _KeeperBlobs:
    """The keeper's wrapped keys (scribe.BlobSource)."""

    def __init__(self, keeper: LocalKeeper) -> None:
        self._keeper = keeper

    def fetch(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """See BlobSource."""
        return self._keeper.wrapped(names)


class Growing:
    """Grows the country of `home`, whose own processes are stopped and whose embassies run.

    The country must have no staff yet (`DemoPlan(accounts=False)`), else a rebuild would list the
    operator's acts as cases.
    """

    def __init__(self, home: Home, seed: int, say: Callable[[int], None] = lambda _: None) -> None:
        self._home = home
        self._say = say
        self._chance = Random(seed)  # noqa: S311
        self._keeper = LocalKeeper(home.keeper, SystemClock(), SystemEntropy())
        policy, key, reader = home.policy(), home.log_key(), home.reader_key()
        self._connection = open_registers(home.registers)
        self._connection.execute("PRAGMA synchronous=OFF")
        rows = LiveRows(self._connection, register_tables())
        size = applied(rows)
        self._log = Log(key, FileTileStore(home.journal(key.name), create=True), size)
        sealer = Sealer(key.name, home.journal_key(), SystemEntropy())
        self._writer = BatchWriter(
            self._connection, rows, SERVICES, sealer, SystemClock(), base=0, size=size
        )
        self._deliveries = [
            Delivery(
                EmbassyClient(embassy.url, name=embassy.name, reader=reader),
                embassy.key,
                self._log,
                _KeeperBlobs(self._keeper),
            )
            for embassy in policy.embassies
        ]
        self._waiting: list[bytes] = []
        self._blobs: dict[bytes, bytes] = {}

    def grow(self, acts: int, people: int) -> int:
        """Let `people` join and book and cancel until there are `acts` acts; how many there are.

        Raises BenchFailed where a policy refuses, or what an embassy raises.
        """
        subjects: list[str] = []
        for start in range(0, people, _AT_ONCE):
            subjects += self._join(min(_AT_ONCE, people - start))
        batch: list[Command] = []
        wishes = self._wishes(subjects)
        while self._writer.size + len(batch) < acts:
            batch.append(next(wishes))
            if len(batch) == _BATCH:
                self._write(batch)
                batch = []
        self._write(batch)
        self._send()
        return self._writer.size

    def close(self) -> None:
        """Make all of it durable and let go."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._keeper.close()

    def _join(self, count: int) -> list[str]:
        enrolled = self._keeper.enrol(count)
        citizens: list[Value] = []
        for number, (subject, name, blob) in enumerate(enrolled):
            sealed = self._keeper.seal(subject, {"name": f"Person {number}"}, PURPOSE)["name"]
            citizens.append({"subject": subject, "name": sealed, "key": name})
            self._blobs[name] = blob
        data: dict[str, Value] = {"citizens": citizens}
        names = tuple(each.name for each in enrolled)
        id_ = self._chance.randbytes(16)
        self._write([Command("citizens", "register_many", id_, _OPERATOR, data, names)])
        return [each.subject for each in enrolled]

    def _wishes(self, subjects: Sequence[str]) -> Iterator[Command]:
        """Everybody books in turn, and what was booked some time ago is cancelled."""
        sql = "SELECT id FROM appointments_slot WHERE starts_s > ? ORDER BY id"
        soon = SystemClock().now_ms() // 1000 + 2 * 86_400
        free = [slot for (slot,) in self._connection.execute(sql, (soon,))]
        self._chance.shuffle(free)
        free_slots, people = deque(free), deque(subjects)
        booked: deque[tuple[str, str, str]] = deque()
        most = min(_OPEN_MAX, len(free) // 2, len(people) // 2)
        if most < 1:
            raise BenchFailed("there are too few slots or people.", remedy="Make more of both.")
        while True:
            if len(booked) < most:
                person, slot = people.popleft(), free_slots.popleft()
                data: dict[str, Value] = {"slot": slot, "contact": self._chance.randbytes(40)}
                command = self._citizen("book", person, data)
                asked = Asked(command.name, command.actor, command.data, 0, command.key())
                booked.append((person, slot, asked.fresh_id()))
            else:
                person, slot, appointment = booked.popleft()
                command = self._citizen("cancel", person, {"appointment": appointment})
                people.append(person)
                free_slots.append(slot)
            yield command

    def _citizen(self, name: str, citizen: str, data: dict[str, Value]) -> Command:
        id_ = self._chance.randbytes(16)
        return Command("appointments", name, id_, Actor("citizen", citizen), data)

    def _write(self, batch: Sequence[Command]) -> None:
        if not batch:
            return
        written = self._writer.write(batch)
        for outcome in written.outcomes:
            if outcome.status != "accepted":
                raise BenchFailed(f"refused: {outcome.code} {dict(outcome.detail)}.")
        self._waiting += written.entries
        if len(self._waiting) >= _ROUND:
            self._send()

    def _send(self) -> None:
        parcel = self._log.join(self._waiting, tuple(self._blobs.values()))
        self._writer.tiles_are_durable(parcel.size)
        for delivery in self._deliveries:
            delivery.bring(parcel)
        self._waiting, self._blobs = [], {}
        self._say(parcel.size)


def grow(
    home: Home, acts: int, people: int, seed: int, say: Callable[[int], None] = lambda _: None
) -> int:
    """See Growing: opens it, grows, and closes it; how many acts there are then."""
    with closing(Growing(home, seed, say)) as growing:
        return growing.grow(acts, people)
