"""Undo at a country's sites: plans from a home's or a standby's folder, signatures, and running it.

A plan is a file: the statement that custodians sign, the parts that it names, and whom it concerns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from kulla.journal.annulment import (
    Annulment,
    digest_of,
    hash_of,
    items_of,
    merged,
    parse_annulment,
    sign_annulment,
    verify_annulment,
)
from kulla.journal.entries import JournalKey
from kulla.journal.errors import AnnulmentInvalid, TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.merkle import HASH_BYTES
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import PolicyFile, parse_policy, verify_policy_signatures
from kulla.journal.store import TileStore
from kulla.journal.tiles import (
    ENTRIES,
    WIDTH,
    decode_bundle,
    encode_bundle,
    parse_tile_path,
    tile_path,
)
from kulla.journal.tree import Tree
from kulla.kernel.canonical import NotCanonical, decode, encode
from kulla.kernel.edges import SystemClock
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.rebuild.reading import EpochPlan
from kulla.rebuild.undo import Affected, Selection, Stage, UndoPlan, plan_undo
from kulla.registers.own import ANNULMENT, CASE, EPOCH, applied
from kulla.registers.sqlite import LiveRows, open_registers
from kulla.scribe.client import ScribeClient
from kulla.services.accounts.authority import Authority
from kulla.tower.home import Home
from kulla.tower.policies.earlier import FOLDER, kept_policies
from kulla.tower.services import SERVICES, register_tables

RUN_WAIT_S: Final = 120.0


class UndoRefused(KullaError):
    """An undo did not take effect; nothing was changed."""


class PlanBroken(KullaError):
    """A plan file that can't be read, or whose parts are not those of its statement."""


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal in a folder, as far as it is confirmed: its epochs, oldest first, and its keys.

    policies: the newest version first, then older ones that are kept beside it.
    """

    policies: tuple[PolicyFile, ...]
    plans: tuple[EpochPlan, ...]
    keys: Mapping[bytes, JournalKey]


class LiveTiles:
    """The tiles of a log that its home may be adding to, at every size up to what it has now.

    Where a partial tile was superseded, a wider one begins with the same hashes or entries.
    """

    def __init__(self, store: FileTileStore) -> None:
        self._store = store

    def get(self, path: str) -> bytes:
        """See TileStore."""
        try:
            return self._store.get(path)
        except TileMissing:
            level, index, width = parse_tile_path(path)
            data = self._wider(level, index, width)
            if data is None:
                raise
            if level == ENTRIES:
                return encode_bundle(decode_bundle(data, place=path)[:width])
            return data[: HASH_BYTES * width]

    def _wider(self, level: int, index: int, width: int) -> bytes | None:
        full = tile_path(level, index)
        partial = [parse_tile_path(path) for path in self._store.names(f"{full}.p/")]
        for found in (WIDTH, *(one[2] for one in partial)):
            if found > width:
                try:
                    return self._store.get(tile_path(level, index, found))
                except TileMissing:
                    continue  # superseded just now by one that is wider still
        return None

    def put(self, items: Mapping[str, bytes]) -> None:
        """See TileStore; refused, since nothing is written here."""
        self._store.put(items)

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """See TileStore; refused, like `put`."""
        self._store.swap(name, old, new)

    def drop(self, paths: Iterable[str]) -> None:
        """See TileStore; refused, like `put`."""
        self._store.drop(paths)

    def names(self, prefix: str) -> list[str]:
        """See TileStore."""
        return self._store.names(prefix)


def journal_in(folder: Path) -> Journal:
    """The journal in the folder of a home or of a standby, which may run; changes nothing.

    Of a home's newest epoch counts what a quorum cosigned, as its scribe keeps it; of a standby all
    that it replayed, which it verified. Raises UndoRefused where nothing is confirmed there.
    """
    home, own = Home(folder), folder / "standby"
    is_standby = own.is_dir()
    source = own if is_standby else folder
    newest = parse_policy((source / "policy").read_bytes(), place=str(source / "policy"))
    verify_policy_signatures(newest)
    key = JournalKey((source / "keys" / "journal.key").read_bytes())
    with closing(open_registers(home.registers)) as connection:
        connection.execute("PRAGMA query_only=1")
        rows = LiveRows(connection, register_tables())
        epochs = [(str(row["origin"]), cast(int, row["base"])) for row in rows.find(EPOCH.name)]
        end = applied(rows)
    stores = {origin: _tiles(home, origin) for origin, _ in epochs}
    if not is_standby:
        end = _confirmed_end(newest, epochs[-1], stores[epochs[-1][0]], end)
    plans = []
    for (origin, base), following in zip(
        epochs, [base for _, base in epochs[1:]] + [end], strict=True
    ):
        store, size = stores[origin], following - base
        root = Tree.load(store, size).root()
        plans.append(EpochPlan(origin, base, size, root, [(folder.name, store)]))
    return Journal(
        (newest, *kept_policies(source / FOLDER, newest)),
        tuple(plans),
        {key.key_id: key},
    )


def _tiles(home: Home, origin: str) -> TileStore:
    return LiveTiles(FileTileStore(home.journal(origin), read_only=True))


def _confirmed_end(policy: PolicyFile, epoch: tuple[str, int], store: TileStore, end: int) -> int:
    """The position up to which the newest epoch is cosigned by a quorum."""
    origin, base = epoch
    try:
        checkpoint = policy.check_checkpoint(store.get("checkpoint"), place="kept checkpoint")
    except TileMissing as error:
        raise UndoRefused(
            "no quorum has cosigned anything of this epoch yet.",
            place=origin,
            remedy="Wait until the embassies answer, then plan again.",
        ) from error
    if Tree.load(store, checkpoint.size).root() != checkpoint.root:
        raise UndoRefused("the journal here is not the one that a quorum cosigned.", place=origin)
    return min(end, base + checkpoint.size)


def plan(
    journal: Journal,
    selection: Selection,
    reason: str,
    progress: Callable[[int], None] = lambda _: None,
) -> UndoPlan:
    """Plan an undo; see rebuild.undo.plan_undo."""
    newest = journal.policies[0]
    first = newest.logs[0].key.name
    with tempfile.TemporaryDirectory(prefix="kulla-undo-") as scratch:
        stage = Stage(
            Path(scratch),
            register_tables(),
            SERVICES,
            Authority(newest.relying_party, ()),
            journal.policies,
            {"number": 1, "origin": first, "base": 0, "root_before": None},
        )
        return plan_undo(journal.plans, journal.keys, selection, stage, reason, progress)


def plan_bytes(planned: UndoPlan) -> bytes:
    """The bytes of a plan file."""
    return encode(
        {
            "statement": planned.annulment.text(),
            "parts": list(planned.parts),
            "people": [[one.subject, one.undone, one.cases] for one in planned.people],
        }
    )


def read_plan(data: bytes, *, place: str = "") -> UndoPlan:
    """The plan in a file; its parts are those of its statement. Raises PlanBroken."""
    try:
        fields = cast("dict[str, Any]", decode(data, place=place))
        parts = tuple(fields["parts"])
        people = tuple(Affected(*one) for one in fields["people"])
        annulment = Annulment.parse(fields["statement"], place=place)
        items = [item for part in parts for item in items_of(part, place=place)]
        counted = [annulment.undone, annulment.cases, annulment.resting, annulment.rows]
    except (NotCanonical, AnnulmentInvalid, KeyError, TypeError, AttributeError) as error:
        raise PlanBroken(
            f"this is not a plan of an undo ({error}).",
            place=place,
            remedy="Make it with kulla undo plan.",
        ) from error
    fits = digest_of([hash_of(part) for part in parts]) == annulment.digest
    if not fits or sum(counted) != len(items):
        raise PlanBroken("the parts of this plan are not those of its statement.", place=place)
    return UndoPlan(annulment, parts, people)


def sign(planned: UndoPlan, key: SigningKey) -> bytes:
    """A custodian's signature of a plan: the signed note. Raises AnnulmentInvalid."""
    return sign_annulment(planned.annulment, [key])


def run(home: Home, planned: UndoPlan, notes: Sequence[bytes]) -> tuple[int, ...]:
    """Let an undo take effect at a home that runs; the positions of its acts.

    Returns once a quorum holds them; may be repeated. Raises AnnulmentInvalid or CustodiansMissing
    where the signatures are not enough, UndoRefused where the scribe does not take it.
    """
    note = merged(notes)
    hashes = [hash_of(part) for part in planned.parts]
    verify_annulment(note, hashes, [home.policy()], place="the signatures")
    answer = ScribeClient(home.run_folder(), SystemClock()).annul(note, planned.parts, RUN_WAIT_S)
    if answer.status == "accepted":
        return answer.positions
    if answer.status == "waiting":
        raise UndoRefused(
            "the undo waits for a quorum of embassies.",
            remedy="Run the same command again: it takes effect once.",
        )
    raise UndoRefused(
        str(answer.detail.get("error", f"the scribe answered '{answer.code}'.")),
        remedy="See `kulla status`; nothing was changed.",
    )


@dataclass(frozen=True, slots=True)
class Done:
    """An undo that took effect: its statement, its position, and whether all of it did.

    `moved`: rows that could not be put right, because they had changed after it was planned.
    """

    annulment: Annulment
    position: int
    at_ms: int
    whole: bool
    moved: int


def undos_at(home: Home) -> list[Done]:
    """The undos that took effect, as the registers of a home or standby know them; oldest first."""
    found = []
    for row in _rows(home, ANNULMENT.name):
        annulment = parse_annulment(cast(bytes, row["note"]))
        done, moved = cast(int, row["done"]), cast(int, row["moved"])
        position, at_ms = cast(int, row["position"]), cast(int, row["at_ms"])
        found.append(Done(annulment, position, at_ms, done == annulment.parts, moved))
    return sorted(found, key=lambda one: one.position)


def cases_at(home: Home) -> list[Row]:
    """The cases that a clerk has to look at, by position; see registers.own for the columns."""
    return _rows(home, CASE.name)


def _rows(home: Home, table: str) -> list[Row]:
    with closing(open_registers(home.registers)) as connection:
        connection.execute("PRAGMA query_only=1")
        return LiveRows(connection, register_tables()).find(table, limit=1_000_000)
