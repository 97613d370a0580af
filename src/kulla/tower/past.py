"""Gives a demo country a past of up to millions of acts, in minutes, before it runs.

Commands go through the scribe's own batch writer (policies, sealing, apply) into the registers of a
home whose processes do not run yet, with real keys of real subjects. Entries go through the real
tree into home's journal, and from there as files, with checkpoint and cosignature, into embassies'
folders. What comes is a country like any other, only older: for drills and measurements of its
size. fsyncs of the registers are left out meanwhile, and only here.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from random import Random  # noqa: TID251 (made-up wishes from a seed; nothing here is secret)
from typing import Final

from kulla.embassy import folder as embassy_folder
from kulla.embassy.blobs import SqliteBlobs
from kulla.embassy.mirror import origin_hash
from kulla.journal.checkpoints import Checkpoint, add_signatures, cosign, sign_checkpoint
from kulla.journal.entries import Sealer
from kulla.journal.filestore import FileTileStore
from kulla.journal.notes import SigningKey
from kulla.journal.tree import Tree
from kulla.keeper.local import LocalKeeper
from kulla.kernel.canonical import Value
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.errors import KullaError
from kulla.kernel.service import Actor, Asked, Command
from kulla.kernel.tower import Answer
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.scribe.batch import BatchWriter
from kulla.tower.edge import PURPOSE
from kulla.tower.services import SERVICES, register_tables
from kulla.tower.up import EMBASSIES, DemoPlan, found_demo

PEOPLE_SHARE: Final = 0.1
"""So many of all acts are people who join; of the others, most book and some cancel."""

_BATCH: Final = 512
_JOIN_AT_ONCE: Final = 500
_ENTRIES_A_PUT: Final = 256 * 256
_OPEN_MAX: Final = 4000
_OPERATOR: Final = Actor("operator", "demo")


class PastRefused(KullaError):
    """The made-up past was refused by a policy: a fault of this release."""


def give_past(
    plan: DemoPlan, acts: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> int:
    """Found the country of `plan`, whose folders were just made, and let it have `acts` acts.

    Its people, staff and slots are those of `found_demo`. Returns how many acts there are: some
    more than `acts` where founding alone is more. Raises PastRefused.
    """
    with ExitStack() as stack:
        past = _Past(plan, stack)
        found_demo(plan, say, tower=past, before_accounts=lambda: past.live(acts, seed, say))
        say("embassies")
        past.settle()
        return past.size


class _Past:
    """The scribe's and keeper's parts without processes; as much of a TowerEdge as founding needs.

    Founding asks from several threads: one at a time is served.
    """

    def __init__(self, plan: DemoPlan, stack: ExitStack) -> None:
        home, self._plan = plan.home, plan
        self._lock = threading.Lock()
        self._keeper = LocalKeeper(home.keeper, SystemClock(), SystemEntropy())
        stack.callback(self._keeper.close)
        self._key = home.log_key()
        self._connection = open_registers(home.registers, create=True)
        stack.callback(self._connection.close)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-262144"):
            self._connection.execute(f"PRAGMA {setting}")
        create_tables(self._connection, register_tables())
        rows = LiveRows(self._connection, register_tables())
        origin = self._key.name
        rows.put("kulla_epoch", {"number": 1, "origin": origin, "base": 0, "root_before": None})
        journal_key = home.journal_key()
        self._writer = BatchWriter(
            self._connection,
            rows,
            SERVICES,
            Sealer(origin, journal_key, SystemEntropy()),
            SystemClock(),
            base=0,
            size=0,
            fingerprint_key=FingerprintKey(journal_key.secret),
        )
        self._store = stack.enter_context(FileTileStore(home.journal(origin), create=True))
        self._tree = Tree(self._store)
        self._entries: list[bytes] = []
        self._blobs: list[bytes] = []

    @property
    def size(self) -> int:
        """How many acts there are."""
        return self._writer.size

    # what founding asks for

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:
        """See TowerEdge."""
        del wait_s
        with self._lock:
            self._write([command])
            return Answer("accepted")

    def seal(self, subject: str, fields: Mapping[str, str], once: bytes = b"") -> dict[str, bytes]:
        """See TowerEdge."""
        with self._lock:
            return dict(self._keeper.seal(subject, fields, PURPOSE, once))

    def enrol(self, count: int) -> Sequence[tuple[str, bytes]]:
        """See TowerEdge."""
        with self._lock:
            enrolled = self._keeper.enrol(count)
            self._blobs += [each.blob for each in enrolled]
            return [(each.subject, each.name) for each in enrolled]

    def token(self, column: str, value: str) -> bytes:
        """See TowerEdge."""
        with self._lock:
            return self._keeper.token(column, value)

    # the years

    def live(self, acts: int, seed: int, say: Callable[[str], None]) -> None:
        """Let people join, book and cancel, until there are `acts` acts."""
        chance = Random(seed)  # noqa: S311
        left = acts - self.size
        people: list[str] = []
        while len(people) < left * PEOPLE_SHARE:
            people += self._join(chance)
            say(f"{self.size:,} of {acts:,} acts")
        wishes = self._wishes(people, chance)
        while self.size < acts:
            batch = [next(wishes) for _ in range(min(_BATCH, acts - self.size))]
            self._write(batch)
            say(f"{self.size:,} of {acts:,} acts")

    def _join(self, chance: Random) -> list[str]:
        citizens: list[Value] = []
        enrolled = self.enrol(_JOIN_AT_ONCE)
        for number, (subject, key) in enumerate(enrolled):
            name = self.seal(subject, {"name": f"Person {number}"})["name"]
            citizens.append({"subject": subject, "name": name, "key": key})
        data: dict[str, Value] = {"citizens": citizens}
        names = tuple(key for _, key in enrolled)
        id_ = chance.randbytes(16)
        self._write([Command("citizens", "register_many", id_, _OPERATOR, data, names)])
        return [subject for subject, _ in enrolled]

    def _wishes(self, subjects: Sequence[str], chance: Random) -> Iterator[Command]:
        """Everybody books in turn; what was booked some time ago is cancelled, and free again."""
        soon_s = SystemClock().now_ms() // 1000 + 2 * 86_400
        sql = "SELECT id FROM appointments_slot WHERE starts_s > ? ORDER BY id"
        slots = [slot for (slot,) in self._connection.execute(sql, (soon_s,))]
        chance.shuffle(slots)
        free, people = deque(slots), deque(subjects)
        booked: deque[tuple[str, str, str]] = deque()
        most = min(_OPEN_MAX, len(slots) // 4, len(people) // 2)
        while True:
            if len(booked) < most:
                person, slot = people.popleft(), free.popleft()
                data: dict[str, Value] = {"slot": slot, "contact": chance.randbytes(40)}
                command = _of_citizen("book", person, data, chance)
                asked = Asked(command.name, command.actor, command.data, 0, command.key())
                booked.append((person, slot, asked.fresh_id()))
            else:
                person, slot, appointment = booked.popleft()
                command = _of_citizen("cancel", person, {"appointment": appointment}, chance)
                people.append(person)
                free.append(slot)
            yield command

    def _write(self, batch: Sequence[Command]) -> None:
        written = self._writer.write(batch)
        for command, outcome in zip(batch, written.outcomes, strict=True):
            if outcome.status != "accepted":
                raise PastRefused(
                    f"the answer was {outcome.status} {outcome.code} {dict(outcome.detail)}.",
                    place=f"{command.service}.{command.name}",
                    remedy="A policy changed: mend kulla.tower.past.",
                )
        self._entries += written.entries
        if len(self._entries) >= _ENTRIES_A_PUT:
            # Whole bundles alone: a partial tile of a size that nobody signed would be left over.
            self._put(_ENTRIES_A_PUT)

    def _put(self, count: int) -> None:
        now, self._entries = self._entries[:count], self._entries[count:]
        self._store.put(self._tree.grow(now))

    # as if embassies had followed

    def settle(self) -> None:
        """Finish home's journal and registers, and give embassies what they would hold."""
        self._put(len(self._entries))
        self._connection.execute("DELETE FROM scribe_pending")
        self._connection.execute("PRAGMA journal_mode=WAL")
        (self._plan.home.folder / "begin").unlink()
        checkpoint = Checkpoint(self._key.name, self._tree.size, self._tree.root())
        pending = sign_checkpoint(checkpoint, self._key)
        kept = pending
        first, *others = [self._plan.embassy(name) for name in EMBASSIES]
        blobs = SqliteBlobs(embassy_folder.blobs_path(first))
        blobs.put(self._blobs)
        blobs.close()
        for folder in others:
            shutil.copyfile(embassy_folder.blobs_path(first), embassy_folder.blobs_path(folder))
        for folder in (first, *others):
            log = folder / "logs" / origin_hash(self._key.name)
            shutil.copytree(self._store.folder / "tile", log / "tile")
            path = folder / "keys" / "mirror.key"
            mirror = SigningKey.parse(path.read_text().strip(), place=str(path))
            line = cosign(checkpoint, mirror, SystemClock().now_ms() // 1000)
            (log / "pending").write_bytes(pending)
            (log / "checkpoint").write_bytes(add_signatures(pending, [line]))
            kept = add_signatures(kept, [line])
        self._store.swap("checkpoint", None, kept)


def _of_citizen(name: str, citizen: str, data: dict[str, Value], chance: Random) -> Command:
    return Command("appointments", name, chance.randbytes(16), Actor("citizen", citizen), data)
