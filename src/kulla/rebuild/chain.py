"""Rebuild: the chain of epochs, from whichever embassies still hold it, into fresh registers.

Entries are read from one source and verified against the settled root; where a source fails (a tile
is missing or false, a line breaks), the next one goes on from the same entry. What is verified is
also written to the new home's own journal, so that it can prove old acts and help laggards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from kulla.journal.entries import JournalKey, Opener
from kulla.journal.epochs import EPOCH_OPENED, SERVICE, EpochOpened, parse_epoch_opened
from kulla.journal.errors import JournalError
from kulla.journal.store import TileStore
from kulla.journal.tiles import WIDTH
from kulla.journal.tree import Tree, verified_bundles
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Table
from kulla.kernel.service import Service
from kulla.rebuild.replay import Replay, Replayed

log = structlog.get_logger()

BUNDLES_PER_PUT = 32

Bundles = Iterator[tuple[int, Sequence[bytes]]]


class SourcesExhausted(KullaError):
    """No source could give the next entries."""


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """One epoch to replay: its log up to `size` with `root`, and where its tiles may be read.

    `base` is the position of its first act. `sources` are tried in this order.
    """

    origin: str
    base: int
    size: int
    root: bytes
    sources: Sequence[tuple[str, TileStore]]


def read_opening(plan: EpochPlan, keys: Mapping[bytes, JournalKey]) -> EpochOpened | None:
    """What the first act of an epoch says of the epoch before; None for an empty log.

    Raises JournalError where the first entry is not such an act.
    """
    from kulla.journal.entries import parse_act

    for _, entries in _bundles(plan, 0):
        opened = Opener(plan.origin, keys).open(entries[0], place="entry 0")
        act = parse_act(opened.plaintext, plan.base)
        if (act.service, act.name) != (SERVICE, EPOCH_OPENED):
            raise KullaError(
                "the first act of a later epoch must say what it adopted; this one does not.",
                place=f"{plan.origin} entry 0",
                remedy="Keep all folders as they are and ask the custodians.",
            )
        return parse_epoch_opened(act.data, place="entry 0")
    return None


def rebuild_registers(
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    connection: sqlite3.Connection,
    tables: Iterable[Table],
    services: Mapping[str, Service],
    *,
    own_store: Callable[[str], TileStore] | None = None,
    on_names: Callable[[Sequence[bytes]], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
    go_on: bool = False,
) -> Replayed:
    """Replay the epochs of `plans`, oldest first, into the registers behind `connection`.

    `own_store` gives the new home's own tile store of an origin, to which verified entries are
    copied. `on_names` is told the blobs that entries name, as they come. `progress` is told
    positions. A rebuild that was stopped goes on where it was. Raises SourcesExhausted,
    EntryDoesNotFit, or what a store raises.
    """
    replay = Replay(connection, tables, services, go_on=go_on)
    for plan in plans:
        start = max(0, replay.position - plan.base)
        if start >= plan.size > 0 and own_store is None:
            continue
        bundles = _bundles(plan, min(start, plan.size))
        if own_store is not None:
            store = own_store(plan.origin)
            tree = _own_tree(store, plan)
            first = min(start, tree.size - tree.size % WIDTH)
            bundles = _copied(_bundles(plan, first), store, tree, start, plan)
        opener = Opener(plan.origin, keys)
        replay.run(bundles, opener, plan.base, progress, on_names)
    return replay.report


def _bundles(plan: EpochPlan, start: int) -> Bundles:
    """Verified entries from `start`, from the first source that can give them."""
    at = start
    faults: list[str] = []
    for name, store in plan.sources:
        try:
            for first, entries in verified_bundles(store, plan.size, plan.root, at):
                yield first, entries
                at = first + len(entries)
        except KullaError as error:
            faults.append(f"{name}: {error}")
            log.warning(
                "source failed", source=name, origin=plan.origin, entry=at, error=str(error)
            )
        if at >= plan.size:
            return
    if at < plan.size:
        raise SourcesExhausted(
            f"no source gives the entries of {plan.origin} from {at} on: {'; '.join(faults)}",
            place=f"entry {at}",
            remedy="Reach another embassy, by network or by its folder.",
        )


def _own_tree(store: TileStore, plan: EpochPlan) -> Tree:
    """The tree that an earlier, stopped rebuild left in the home's own store, or an empty one.

    Only whole tiles are taken up again: the last of them can be found without any note.
    """
    full = 0
    while full < plan.size // WIDTH and _has(store, full):
        full += 1
    try:
        return Tree.load(store, full * WIDTH)
    except JournalError:
        return Tree.load(store, 0)


def _has(store: TileStore, index: int) -> bool:
    from kulla.journal.errors import TileMissing
    from kulla.journal.tiles import ENTRIES, tile_path

    try:
        store.get(tile_path(ENTRIES, index))
        store.get(tile_path(0, index))
    except TileMissing:
        return False
    return True


def _copied(bundles: Bundles, store: TileStore, tree: Tree, start: int, plan: EpochPlan) -> Bundles:
    """Pass bundles on from `start`, once they are durable in the home's own store."""
    waiting: list[tuple[int, Sequence[bytes]]] = []
    objects: dict[str, bytes] = {}
    for first, entries in bundles:
        fresh = entries[max(0, tree.size - first) :]
        objects.update(tree.grow(fresh))
        waiting.append((first, entries))
        if len(waiting) >= BUNDLES_PER_PUT:
            store.put(_only_lasting(objects, tree, plan))
            yield from _from(waiting, start)
            waiting.clear()
            objects.clear()
    store.put(objects)
    yield from _from(waiting, start)
    if tree.size == plan.size and tree.root() != plan.root:
        raise SourcesExhausted("the copied journal has another root.", place=plan.origin)


def _only_lasting(objects: dict[str, bytes], tree: Tree, plan: EpochPlan) -> dict[str, bytes]:
    """Leave out partial tiles of sizes that no checkpoint will ever have."""
    if tree.size == plan.size:
        return objects
    return {path: data for path, data in objects.items() if ".p/" not in path}


def _from(bundles: Iterable[tuple[int, Sequence[bytes]]], start: int) -> Bundles:
    for first, entries in bundles:
        skip = max(0, start - first)
        if skip < len(entries):
            yield first + skip, entries[skip:]
