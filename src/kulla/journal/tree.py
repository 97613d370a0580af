"""The growing log over a tile store, and the check of a whole store against one root.

A `Tree` keeps its right edge in memory: the partial tile of each level and the peaks (the roots of
the complete subtrees that make up the tree, largest first). Growing by m entries costs O(m + log
n) hashes. What it can't answer from the edge it reads from full tiles, through a small cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kulla.journal import merkle, tiles
from kulla.journal.errors import ProofInvalid
from kulla.journal.merkle import EMPTY_ROOT, HASH_BYTES, node_hash
from kulla.journal.recent import Recent
from kulla.journal.store import TileStore
from kulla.journal.tiles import ENTRIES, WIDTH, tile_path

_TILES_KEPT = 256
_BUNDLES_KEPT = 8
_NODES_KEPT = 4096


class Tree:
    """A log of entries. Not for two threads at once; each thread may load its own.

    It never writes: `grow` returns objects for the caller to put.
    """

    def __init__(self, store: TileStore) -> None:
        """An empty log; `load` opens one that has entries."""
        self._store = store
        self._size = 0
        self._edge: list[list[bytes]] = []
        self._edge_entries: list[bytes] = []
        self._peaks: list[bytes] = []
        self._tiles: Recent[tuple[int, int], bytes] = Recent(_TILES_KEPT)
        self._bundles: Recent[int, list[bytes]] = Recent(_BUNDLES_KEPT)
        self._nodes: Recent[tuple[int, int], bytes] = Recent(_NODES_KEPT)

    @classmethod
    def load(cls, store: TileStore, size: int) -> Tree:
        """The log of `size` entries that `store` holds; reads its right edge only.

        Nothing is verified: compare `root()` with a checkpoint. Raises TileMissing, and
        ProofInvalid or BundleInvalid where a tile of the edge has the wrong width.
        """
        tree = cls(store)
        tree._size = size
        tree._edge = _read_edge(store, size)
        if size % WIDTH:
            tree._edge_entries = tiles.read_bundle(store, size // WIDTH, size % WIDTH)
        tree._peaks = _peaks_of(tree._edge)
        return tree

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self._size

    def root(self) -> bytes:
        """The root hash of the whole log."""
        return _root_above(self._peaks)

    def grow(self, entries: Sequence[bytes]) -> Mapping[str, bytes]:
        """Append entries; return the objects that the store lacks for the new size, by path.

        The caller must put them before anything that relies on the new size is signed. A partial
        tile is returned again, wider, under a new path. Raises EntryInvalid, and leaves the tree
        as it was, where an entry is above 65,535 bytes.
        """
        if not entries:
            return {}
        tiles.check_entries(entries)
        hashes = merkle.leaf_hashes(entries)
        objects: dict[str, bytes] = {}
        changed: set[int] = set()
        at = 0
        while at < len(entries):
            step = min(WIDTH - len(self._edge_entries), len(entries) - at)
            self._edge_entries.extend(entries[at : at + step])
            self._append_hashes(hashes[at : at + step], objects, changed)
            at += step
        self._emit_edge(objects, changed)
        return objects

    def _append_hashes(
        self, hashes: list[bytes], objects: dict[str, bytes], changed: set[int]
    ) -> None:
        """Add leaf hashes that fit in the current tile, closing tiles that become full."""
        if len(hashes) == WIDTH:
            # A whole tile: its root in one go, then one push at its height.
            self._level(0).extend(hashes)
            self._push(8, self._size >> 8, merkle.root_of(hashes))
        else:
            for number, leaf in enumerate(hashes):
                self._level(0).append(leaf)
                self._push(0, self._size + number, leaf)
        self._size += len(hashes)
        changed.add(0)
        if self._size % WIDTH == 0:
            index = self._size // WIDTH - 1
            objects[tile_path(ENTRIES, index)] = tiles.encode_bundle(self._edge_entries)
            self._bundles.keep(index, self._edge_entries)
            self._edge_entries = []
        self._close_full_tiles(objects, changed)

    def _push(self, height: int, index: int, node: bytes) -> None:
        """Add the node of this height and index to the peaks, merging those that it completes.

        A merge that reaches the height of a whole tile also adds that tile's root one level up.
        """
        if height == 8:
            self._level(1).append(node)
        while index & 1:
            node = node_hash(self._peaks.pop(), node)
            index >>= 1
            height += 1
            if height % 8 == 0:
                self._level(height // 8).append(node)
        self._peaks.append(node)

    def _level(self, level: int) -> list[bytes]:
        while len(self._edge) <= level:
            self._edge.append([])
        return self._edge[level]

    def _close_full_tiles(self, objects: dict[str, bytes], changed: set[int]) -> None:
        count = self._size
        for level, hashes in enumerate(self._edge):
            if len(hashes) < WIDTH:
                break
            count //= WIDTH
            index = count - 1
            data = b"".join(hashes)
            objects[tile_path(level, index)] = data
            self._tiles.keep((level, index), data)
            hashes.clear()
            changed.add(level + 1)

    def _emit_edge(self, objects: dict[str, bytes], changed: set[int]) -> None:
        """Add the partial tiles of levels that changed."""
        count = self._size
        if self._edge_entries:
            path = tile_path(ENTRIES, count // WIDTH, len(self._edge_entries))
            objects[path] = tiles.encode_bundle(self._edge_entries)
        for level, hashes in enumerate(self._edge):
            count //= WIDTH
            if hashes and level in changed:
                objects[tile_path(level, count, len(hashes))] = b"".join(hashes)

    def edge(self) -> Mapping[str, bytes]:
        """The partial tiles of the present size, all of them, by path.

        `grow` returns those that changed: who leaves out what it returned for an earlier size needs
        the others too.
        """
        objects: dict[str, bytes] = {}
        self._emit_edge(objects, set(range(len(self._edge))))
        return objects

    def superseded(self, old_size: int, new_size: int) -> list[str]:
        """The stored partial tiles whose full tile came with the growth from `old_size`."""
        paths: list[str] = []
        for level in range(ENTRIES, len(self._edge)):
            shift = 8 * (max(level, 0) + 1)
            for index in range(old_size >> shift, new_size >> shift):
                paths += self._store.names(f"{tile_path(level, index)}.p/")
        return paths

    def leaf_hash(self, index: int) -> bytes:
        """The leaf hash of the entry at `index`. Raises ProofInvalid where there is none."""
        self._check_range(index, index + 1)
        return self._node(0, index)

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries [start, end). They are not verified; see `verified_bundles`."""
        self._check_range(start, end)
        found: list[bytes] = []
        for index in range(start // WIDTH, -(-end // WIDTH)):
            first = index * WIDTH
            found += self._bundle(index)[max(start - first, 0) : end - first]
        return found

    def root_at(self, size: int) -> bytes:
        """The root hash that the log had at `size`."""
        self._check_size(size)
        return self.root() if size == self._size else self.mth(0, size)

    def mth(self, start: int, end: int) -> bytes:
        """The root of the subtree over entries [start, end)."""
        self._check_size(end)
        if start == end:
            return EMPTY_ROOT
        if not merkle.is_subtree(start, end):
            raise ProofInvalid("these entries are not a subtree.", place=f"[{start}, {end})")
        return self._mth(start, end)

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """The proof that the entry at `index` is in the log of `size` (RFC 9162)."""
        return self.subtree_inclusion_proof(index, 0, size)

    def subtree_inclusion_proof(self, index: int, start: int, end: int) -> list[bytes]:
        """The proof that the entry at `index` is in the subtree over [start, end)."""
        self._check_size(end)
        if not (merkle.is_subtree(start, end) and start <= index < end):
            raise ProofInvalid(
                "this is not an entry of a subtree.", place=f"entry {index} in [{start}, {end})"
            )
        proof: list[bytes] = []
        while end - start > 1:
            middle = start + merkle.left_size(end - start)
            if index < middle:
                proof.append(self._mth(middle, end))
                end = middle
            else:
                proof.append(self._mth(start, middle))
                start = middle
        proof.reverse()
        return proof

    def consistency_proof(self, old_size: int, new_size: int) -> list[bytes]:
        """The proof that the log of `old_size` is the beginning of the log of `new_size`.

        Empty where `old_size` is 0: then there is nothing to prove.
        """
        return self.subtree_proof(0, old_size, new_size) if old_size else []

    def subtree_proof(self, start: int, end: int, size: int) -> list[bytes]:
        """The proof that the subtree over [start, end) is in the log of `size`.

        `merkle.verify_subtree_consistency` takes it.
        """
        self._check_size(size)
        if not (merkle.is_subtree(start, end) and end <= size):
            raise ProofInvalid("these entries are not a subtree.", place=f"[{start}, {end})")
        proof: list[bytes] = []
        first, last, whole = 0, size, True
        while (first, last) != (start, end):
            middle = first + merkle.left_size(last - first)
            if end <= middle:
                proof.append(self._mth(middle, last))
                last = middle
            else:
                proof.append(self._mth(first, middle))
                if start < middle:
                    start, whole = middle, False
                first = middle
        if not whole:
            proof.append(self._mth(start, end))
        proof.reverse()
        return proof

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self._size:
            raise ProofInvalid(f"this log has {self._size} entries, not {size}.")

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self._size:
            raise ProofInvalid(
                f"this log has {self._size} entries.", place=f"entries {start} to {end}"
            )

    def _mth(self, start: int, end: int) -> bytes:
        """MTH of a subtree: complete parts come from tiles, so only its right edge is walked."""
        count = end - start
        if count & (count - 1) == 0:
            height = count.bit_length() - 1
            return self._node(height, start >> height)
        middle = start + merkle.left_size(count)
        return node_hash(self._mth(start, middle), self._mth(middle, end))

    def _node(self, height: int, index: int) -> bytes:
        """The root of the complete subtree number `index` of 2**height entries."""
        level, inner = divmod(height, 8)
        if inner:
            known = self._nodes.get((height, index))
            if known is not None:
                return known
        first = (index << inner) % WIDTH
        row = self._hashes(level, (index << inner) // WIDTH)
        node = merkle.root_of_joined(row[first * HASH_BYTES : (first + (1 << inner)) * HASH_BYTES])
        if inner:
            self._nodes.keep((height, index), node)
        return node

    def _hashes(self, level: int, index: int) -> bytes:
        """The hashes of a tile, as many as the log has now."""
        if index == self._size >> (8 * (level + 1)):
            return b"".join(self._edge[level])
        data = self._tiles.get((level, index))
        if data is None:
            data = tiles.read_hashes(self._store, level, index)
            self._tiles.keep((level, index), data)
        return data

    def _bundle(self, index: int) -> list[bytes]:
        if index == self._size // WIDTH:
            return self._edge_entries
        found = self._bundles.get(index)
        if found is None:
            found = tiles.read_bundle(self._store, index)
            self._bundles.keep(index, found)
        return found


def _read_edge(store: TileStore, size: int) -> list[list[bytes]]:
    """The hashes of the partial tile of each level, level 0 first; [] where its last is full."""
    edge: list[list[bytes]] = []
    for level, index, width in tiles.right_edge(size):
        edge += [[] for _ in range(level - len(edge) + 1)]
        edge[level] = tiles.split_hashes(tiles.read_hashes(store, level, index, width))
    return edge


def _peaks_of(edge: list[list[bytes]]) -> list[bytes]:
    """The roots of the complete subtrees of a tree with this right edge, largest first."""
    peaks: list[bytes] = []
    for hashes in reversed(edge):
        at = 0
        for bit in range(7, -1, -1):
            if len(hashes) & (1 << bit):
                peaks.append(merkle.root_of(hashes[at : at + (1 << bit)]))
                at += 1 << bit
    return peaks


def _root_above(peaks: list[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def verified_bundles(
    store: TileStore, size: int, root: bytes, start: int = 0
) -> Iterator[tuple[int, list[bytes]]]:
    """Read the entries [start, size) of a log, each verified against `root` before it is yielded.

    Yields (index of the first entry, entries) bundle by bundle, in order; the first is cut at
    `start`. The right edge must lead to `root`; from there each full tile must have the root that
    the tile above it says, and each entry the leaf hash that the tile says. Holds one tile of each
    level at a time. Raises TileMissing, or ProofInvalid / BundleInvalid, with the index of the
    first entry that is in doubt; what was yielded before is proven.
    """
    if not 0 <= start <= size:
        raise ProofInvalid(f"there is no entry {start} in a log of {size}.")
    for index, hashes in _verified_leaf_tiles(store, size, root, start):
        first = index * WIDTH
        width = len(hashes) // HASH_BYTES
        entries = tiles.read_bundle(store, index, width)
        found = merkle.leaf_hashes(entries)
        if b"".join(found) != hashes:
            wrong = next(i for i, h in enumerate(tiles.split_hashes(hashes)) if h != found[i])
            raise ProofInvalid(
                "the entry is not the one that the journal's tree holds.",
                place=f"entry {first + wrong} ({tile_path(ENTRIES, index, width)})",
                remedy="Take this entry from another copy of the journal.",
            )
        skip = max(start - first, 0)
        yield first + skip, entries[skip:] if skip else entries


def _verified_leaf_tiles(
    store: TileStore, size: int, root: bytes, start: int
) -> Iterator[tuple[int, bytes]]:
    """(index, hashes) of each level 0 tile from the one that holds `start` on."""
    edge = _read_edge(store, size)
    if _root_above(_peaks_of(edge)) != root:
        raise ProofInvalid(
            "the store's tiles do not lead to the checkpoint's root.",
            place=f"right edge of a log of {size}",
            remedy="Take the tiles from another copy of the journal.",
        )
    for level in range(len(edge) - 1, -1, -1):
        if edge[level]:
            index = size >> (8 * (level + 1))
            yield from _leaf_tiles_below(store, level, index, b"".join(edge[level]), start)


def _leaf_tiles_below(
    store: TileStore, level: int, index: int, hashes: bytes, start: int
) -> Iterator[tuple[int, bytes]]:
    """The level 0 tiles below a verified tile, verified on the way down."""
    if level == 0:
        # A tile of the right edge may lie before `start` as a whole.
        if index * WIDTH + len(hashes) // HASH_BYTES > start:
            yield index, hashes
        return
    span = WIDTH**level
    for number, expected in enumerate(tiles.split_hashes(hashes)):
        child = index * WIDTH + number
        if (child + 1) * span <= start:
            continue
        below = tiles.read_hashes(store, level - 1, child)
        if merkle.root_of_joined(below) != expected:
            raise ProofInvalid(
                "the tile does not have the root that the tile above it says.",
                place=f"{tile_path(level - 1, child)} (entries from {child * span})",
                remedy="Take this tile from another copy of the journal.",
            )
        yield from _leaf_tiles_below(store, level - 1, child, below, start)
