"""A long journal, made quickly and always the same from one seed, as embassies would hold it.

Commands go through the scribe's own batch writer (policies, sealing, apply) into a register file,
whose contents are what every rebuild must come to; entries go through the real tree into the
folders of three embassies, each with a checkpoint that the log signed and that embassy cosigned.
Only fsyncs are left out of the scratch register file, and only here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - made-up keys from a seed; they guard nothing
from typing import Final

from kulla.bench.errors import BenchFailed
from kulla.bench.story import BEGIN_MS, Story, in_batches
from kulla.embassy import folder as embassy_folder
from kulla.embassy.mirror import origin_hash
from kulla.journal.checkpoints import Checkpoint, add_signatures, cosign, sign_checkpoint
from kulla.journal.entries import JournalKey, Sealer
from kulla.journal.filestore import FileTileStore
from kulla.journal.notes import KIND_ED25519, SigningKey
from kulla.journal.policy_file import (
    Custodian,
    Embassy,
    Log,
    Reader,
    first_policy,
    sign_policy,
)
from kulla.journal.tree import Tree
from kulla.kernel.rows import Table
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.sqlite import LiveRows, Statements, create_tables
from kulla.scribe.batch import BatchWriter
from kulla.tower.services import SERVICES, register_tables

EMBASSIES: Final = ("vienna", "rome", "ottawa", "wellington")
HOLDERS: Final = 3
TOWER: Final = "bench.kulla.example"
ORIGIN: Final = f"{TOWER}/epoch-1"
_BATCH: Final = 512
_ENTRIES_PER_PUT: Final = 256 * 256


@dataclass(frozen=True, slots=True)
class LongJournal:
    """What was made: how many acts, the registers' digest and rows, bytes of entries."""

    acts: int
    seed: int
    digest: str
    rows: int
    entry_bytes: int


class SeededEntropy:
    """Entropy of a made-up country: the same bytes for the same seed. It guards nothing."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311

    def random_bytes(self, count: int) -> bytes:
        """See kulla.kernel.edges.Entropy."""
        return self._random.randbytes(count)


class StoryClock:
    """A clock that goes on by 7 ms whenever it is read."""

    def __init__(self) -> None:
        self._now_ms = BEGIN_MS

    def now_ms(self) -> int:
        """See kulla.kernel.edges.Clock."""
        self._now_ms += 7
        return self._now_ms

    def monotonic_s(self) -> float:
        """See kulla.kernel.edges.Clock."""
        return self._now_ms / 1000


def embassy_folders(folder: Path) -> dict[str, Path]:
    """The folders of the embassies that hold the journal, by name."""
    return {name: folder / "embassies" / name for name in EMBASSIES[:HOLDERS]}


def _log_folder(embassy: Path) -> Path:
    """Where an embassy keeps the log, as its own store lays it out."""
    return embassy / "logs" / origin_hash(ORIGIN)


def make_journal(
    folder: Path, count: int, seed: int, say: Callable[[int], None] = lambda _: None
) -> LongJournal:
    """Make a journal of `count` acts in `folder`, which must not exist yet; writes made.json last.

    `say` is told how many acts there are, now and then.
    """
    folder.mkdir(parents=True)
    entropy = SeededEntropy(seed)
    log_key = SigningKey(ORIGIN, KIND_ED25519, entropy.random_bytes(32))
    journal_key = JournalKey(entropy.random_bytes(32))
    (folder / "journal.key").write_bytes(journal_key.secret)
    _make_policy(folder, log_key, entropy)
    tables = register_tables()
    connection = sqlite3.connect(folder / "expected.sqlite", isolation_level=None)
    for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-262144"):
        connection.execute(f"PRAGMA {setting}")
    create_tables(connection, tables)
    rows = LiveRows(connection, tables)
    rows.put("kulla_epoch", {"number": 1, "origin": ORIGIN, "base": 0, "root_before": None})
    sealer = Sealer(ORIGIN, journal_key, entropy)
    writer = BatchWriter(
        connection,
        rows,
        SERVICES,
        sealer,
        StoryClock(),
        base=0,
        size=0,
        fingerprint_key=FingerprintKey(journal_key.secret),
    )
    first_holder = embassy_folders(folder)[EMBASSIES[0]]
    with FileTileStore(_log_folder(first_holder), create=True) as store:
        shelf = _Shelf(store)
        _write_story(Story(count, seed), writer, connection, shelf, say)
        shelf.settle()
        checkpoint = Checkpoint(ORIGIN, shelf.tree.size, shelf.tree.root())
    _sign(folder, checkpoint, log_key)
    digest, row_count = digest_of(connection, tables)
    connection.close()
    made = LongJournal(checkpoint.size, seed, digest, row_count, shelf.entry_bytes)
    (folder / "made.json").write_text(json.dumps(asdict(made)))
    return made


def read_made(folder: Path) -> LongJournal:
    """What `make_journal` left in `folder`."""
    return LongJournal(**json.loads((folder / "made.json").read_text()))


class _Shelf:
    """Collects entries and puts their tiles in large lots: a put costs fsyncs."""

    def __init__(self, store: FileTileStore) -> None:
        self._store = store
        self._waiting: list[bytes] = []
        self.tree = Tree(store)
        self.entry_bytes = 0

    def add(self, entries: Sequence[bytes]) -> None:
        """Take the next entries."""
        self._waiting += entries
        self.entry_bytes += sum(map(len, entries))
        if len(self._waiting) >= _ENTRIES_PER_PUT:
            # Whole bundles only: a partial tile of a size that nobody signed would be left over.
            self._put(_ENTRIES_PER_PUT)

    def settle(self) -> None:
        """Put what waits."""
        self._put(len(self._waiting))

    def _put(self, count: int) -> None:
        now, self._waiting = self._waiting[:count], self._waiting[count:]
        self._store.put(self.tree.grow(now))


def _write_story(
    story: Story,
    writer: BatchWriter,
    connection: sqlite3.Connection,
    shelf: _Shelf,
    say: Callable[[int], None],
) -> None:
    for batch in in_batches(story.founding(), _BATCH):
        _write(writer, batch, shelf)
    slots = connection.execute("SELECT id FROM appointments_slot ORDER BY id").fetchall()
    story.free_slots = [slot for (slot,) in slots]
    for batch in in_batches(story.life(writer.size), _BATCH):
        _write(writer, batch, shelf)
        say(writer.size)


def _write(writer: BatchWriter, batch: Sequence[object], shelf: _Shelf) -> None:
    written = writer.write(batch)  # type: ignore[arg-type]
    for outcome in written.outcomes:
        if outcome.status != "accepted":
            raise BenchFailed(
                f"the made-up story was refused: {outcome.code} {dict(outcome.detail)}.",
                remedy="A policy changed: mend kulla.bench.story.",
            )
    shelf.add(written.entries)
    writer.tiles_are_durable(writer.size)


def _make_policy(folder: Path, log_key: SigningKey, entropy: SeededEntropy) -> None:
    embassies = []
    for number, name in enumerate(EMBASSIES):
        url = f"http://127.0.0.1:{9 + number}"
        place = folder / "embassies" / name
        made = embassy_folder.init(place, name, url.removeprefix("http://"), url, entropy)
        embassies.append(Embassy(made.name, made.mirror, made.url))
    custodian = SigningKey(f"{TOWER}/custodian", KIND_ED25519, entropy.random_bytes(32))
    reader = SigningKey(f"{TOWER}/home", KIND_ED25519, entropy.random_bytes(32))
    policy = first_policy(
        tower=TOWER,
        relying_party="localhost",
        custodians=[Custodian("bench", custodian.verifier)],
        custodian_threshold=1,
        log=Log(log_key.verifier, "http://localhost"),
        embassies=embassies,
        quorum_k=HOLDERS,
        readers=[Reader("home", reader.verifier)],
    )
    (folder / "policy").write_bytes(sign_policy(policy, custodian).render())


def _sign(folder: Path, checkpoint: Checkpoint, log_key: SigningKey) -> None:
    """Give each holder the tiles of the first, and a checkpoint with its own cosignature."""
    signed = sign_checkpoint(checkpoint, log_key)
    source: Path | None = None
    for name, place in embassy_folders(folder).items():
        logs = _log_folder(place)
        if source is None:
            source = logs
        else:
            shutil.copytree(source / "tile", logs / "tile")
        path = place / "keys" / "mirror.key"
        mirror = SigningKey.parse(path.read_text().strip(), place=f"{name}'s mirror.key")
        signature = cosign(checkpoint, mirror, BEGIN_MS // 1000)
        (logs / "checkpoint").write_bytes(add_signatures(signed, [signature]))


def digest_of(connection: sqlite3.Connection, tables: Iterable[Table]) -> tuple[str, int]:
    """SHA-256 over every row of every table in order of name and key, and how many rows there are.

    Two register files with one digest hold the same registers, row by row.
    """
    hasher, count = hashlib.sha256(), 0
    for table in sorted(tables, key=lambda table: table.name):
        hasher.update(table.name.encode())
        for row in connection.execute(f'{Statements(table).select} ORDER BY "{table.key}"'):
            hasher.update(repr(row).encode())
            count += 1
    return hasher.hexdigest(), count
