"""Reading an epoch's entries: verified against the settled root, and copied to the new home.

Where a source fails (a tile is missing or false, a line breaks), the next one goes on from the same
entry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from kulla.journal.errors import JournalError
from kulla.journal.merkle import root_of_joined
from kulla.journal.store import TileStore
from kulla.journal.tiles import ENTRIES, WIDTH, read_hashes, right_edge, tile_path
from kulla.journal.tree import Tree, verified_bundles
from kulla.kernel.errors import KullaError

log = structlog.get_logger()

BUNDLES_PER_PUT = 32

Bundles = Iterator[tuple[int, Sequence[bytes]]]


class SourcesExhausted(KullaError):
    """No source could give the next entries."""


class OwnCopyDiffers(SourcesExhausted):
    """What the own store held before is damaged, or of another history than what was settled."""


def _unheard(source: str, fault: str) -> None:
    """Nobody listens; the log has it."""


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """One epoch to replay: its log up to `size` with `root`, and where its tiles may be read.

    `base` is the position of its first act. `sources` are tried in this order; `on_fault` is told
    which of them failed, and how, where they are read in this process.
    """

    origin: str
    base: int
    size: int
    root: bytes
    sources: Sequence[tuple[str, TileStore]]
    on_fault: Callable[[str, str], None] = _unheard


def read_verified(
    plan: EpochPlan, start: int, own: TileStore | None = None, tree: Tree | None = None
) -> Bundles:
    """(index of the first entry, entries) from `start` on, each entry verified.

    With `own`, the new home's own store of this epoch, all verified entries are put there, also
    those before `start` that an earlier, stopped rebuild left out; what is yielded is durable
    there. `tree` is what `own` holds already, where that is known; it grows. Raises
    SourcesExhausted, also where what `own` held is not what leads to the root, or what `own`
    raises.
    """
    if own is None:
        return _bundles(plan, min(start, plan.size))
    if tree is None:
        tree = own_tree(own, plan.size)
    first = min(start, tree.size - tree.size % WIDTH)
    return _copied(_bundles(plan, first), own, tree, start, plan)


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
            plan.on_fault(name, str(error))
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


def own_tree(store: TileStore, size: int) -> Tree:
    """The tree of at most `size` entries that is whole in a home's own store, or an empty one.

    Only whole bundles are taken up again: the last of them can be found without any note. Costs a
    look at the store's names, not at what they hold.
    """
    have = set(store.names("tile/"))
    full = 0
    while full < size // WIDTH and have >= {tile_path(ENTRIES, full), tile_path(0, full)}:
        full += 1
    try:
        _mend_edge(store, have, full * WIDTH)
        return Tree.load(store, full * WIDTH)
    except JournalError:
        return Tree.load(store, 0)


def _mend_edge(store: TileStore, have: Collection[str], size: int) -> None:
    """Put the partial tiles of a size at which nobody stopped on purpose.

    A rebuild writes them only where it ends (`_only_lasting`); they follow from the tiles below.
    """
    for level, index, width in right_edge(size):
        path = tile_path(level, index, width)
        if level and path not in have:
            below = range(index * WIDTH, index * WIDTH + width)
            hashes = [root_of_joined(read_hashes(store, level - 1, child)) for child in below]
            store.put({path: b"".join(hashes)})


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
    if tree.size == plan.size:
        # Of a level that did not change since an earlier put, that one left the partial tile out.
        objects.update(tree.edge())
    store.put(objects)
    yield from _from(waiting, start)
    if tree.size == plan.size and tree.root() != plan.root:
        raise OwnCopyDiffers("the copied journal has another root.", place=plan.origin)


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
