"""The growing log: what it stores, what it reads back, and the check of a whole store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader

from kulla.journal import merkle, tiles
from kulla.journal.errors import BundleInvalid, ProofInvalid, TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.simulated import Damage, SimulatedTileStore
from kulla.journal.tree import Tree, verified_bundles

SPEC_SIZE = 70_000


def entry(index: int) -> bytes:
    return b"entry %d" % index


def grow(tree: Tree, store: SimulatedTileStore | FileTileStore, count: int) -> Mapping[str, bytes]:
    objects = tree.grow([entry(index) for index in range(tree.size, tree.size + count)])
    store.put(objects)
    return objects


def filled(size: int, step: int = 0) -> tuple[Tree, SimulatedTileStore]:
    store = SimulatedTileStore(1)
    tree = Tree(store)
    while tree.size < size:
        grow(tree, store, min(step or size, size - tree.size))
    return tree, store


@pytest.fixture(scope="module")
def spec_log() -> tuple[Tree, SimulatedTileStore]:
    """A log of the size that the specification takes as its example."""
    return filled(SPEC_SIZE)


def test_a_log_of_70000_has_the_tiles_that_the_specification_names(
    spec_log: tuple[Tree, SimulatedTileStore],
):
    _, store = spec_log
    paths = store.names("tile/")
    read = [tiles.parse_tile_path(path) for path in paths]
    full = [(level, width) for level, _, width in read if width == 256]
    assert full.count((0, 256)) == 273
    assert full.count((1, 256)) == 1
    assert full.count((tiles.ENTRIES, 256)) == 273
    assert [case for case in read if case[2] < 256] == [
        (0, 273, 112),
        (1, 1, 17),
        (2, 0, 1),
        (-1, 273, 112),
    ]
    assert len(store.get("tile/0/000")) == 8192


@given(st.lists(st.integers(1, 600), min_size=1, max_size=6))
def test_each_size_that_was_signed_can_be_loaded_and_read(steps: list[int]):
    store = SimulatedTileStore(1)
    tree = Tree(store)
    roots = {}
    for step in steps:
        grow(tree, store, step)
        roots[tree.size] = tree.root()
    for size, root in roots.items():
        older = Tree.load(store, size)
        assert older.root() == root == tree.root_at(size)
        assert older.entries(0, size) == [entry(index) for index in range(size)]
        found = [e for _, entries in verified_bundles(store, size, root) for e in entries]
        assert found == older.entries(0, size)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=10))
def test_a_loaded_tree_grows_like_the_one_that_never_stopped(steps: list[int]):
    store = SimulatedTileStore(1)
    tree = Tree(store)
    for step in steps:
        again = Tree.load(store, tree.size)
        new = [entry(index) for index in range(tree.size, tree.size + step)]
        assert again.grow(new) == grow(tree, store, step)
        assert again.root() == tree.root()


@given(st.integers(0, 900), st.integers(0, 900))
def test_entries_come_back_for_any_range(start: int, count: int):
    tree, _ = filled(900, step=130)
    end = min(start + count, 900)
    assert tree.entries(start, end) == [entry(index) for index in range(start, end)]
    with pytest.raises(ProofInvalid):
        tree.entries(start, 901)


def test_a_round_of_30_touches_few_objects():
    tree, store = filled(200_000)
    sizes = []
    for _ in range(20):
        objects = grow(tree, store, 30)
        sizes.append(len(objects))
        assert len(objects) <= 2 * 2 + 1, sorted(objects)
    assert min(sizes) == 2


def test_nothing_grows_from_nothing():
    tree, store = filled(300)
    assert tree.grow([]) == {}
    assert tree.size == 300
    assert Tree.load(SimulatedTileStore(1), 0).root() == merkle.EMPTY_ROOT
    assert list(verified_bundles(store, 0, merkle.EMPTY_ROOT)) == []


@given(st.lists(st.integers(1, 700), min_size=2, max_size=12))
def test_partial_tiles_that_a_full_one_replaced_can_go(steps: list[int]):
    store = SimulatedTileStore(1)
    tree = Tree(store)
    sizes = [0]
    for step in steps:
        grow(tree, store, step)
        sizes.append(tree.size)
        store.drop(tree.superseded(sizes[-2], sizes[-1]))
    for path in store.names("tile/"):
        level, index, width = tiles.parse_tile_path(path)
        if width < tiles.WIDTH:
            assert tiles.tile_path(level, index) not in store.names("tile/")
    for size in sizes:
        assert Tree.load(store, size).root() == tree.root_at(size)
        assert Tree.load(store, size).entries(0, size) == tree.entries(0, size)


@given(st.integers(1, 1000), st.data())
def test_a_verified_reading_may_start_anywhere(size: int, data: st.DataObject):
    tree, store = filled(1000)
    store.put(_edge_of(size))
    start = data.draw(st.integers(0, size), label="start")
    at = start
    for first, entries in verified_bundles(store, size, tree.root_at(size), start):
        assert first == at
        assert entries
        assert entries == [entry(index) for index in range(at, at + len(entries))]
        at += len(entries)
    assert at == size


def _edge_of(size: int) -> Mapping[str, bytes]:
    return Tree(SimulatedTileStore(1)).grow([entry(index) for index in range(size)])


def read_into(read: list[bytes], store: SimulatedTileStore, size: int, root: bytes) -> None:
    for _, entries in verified_bundles(store, size, root):
        read += entries


@given(st.data(), st.integers(1, 1400), st.sampled_from(Damage))
def test_whatever_breaks_is_noticed_before_it_is_read(
    data: st.DataObject, size: int, damage: Damage
):
    tree, store = filled(size)
    root = tree.root()
    paths = [path for path in store.names("tile/") if store.get(path)]
    broken = data.draw(st.sampled_from(paths), label="broken")
    before = store.get(broken)
    store.damage(broken, damage)
    assume(damage is Damage.GONE or store.get(broken) != before)
    read: list[bytes] = []
    with pytest.raises((ProofInvalid, BundleInvalid, TileMissing)):
        read_into(read, store, size, root)
    assert read == [entry(index) for index in range(len(read))]
    level, index, _ = tiles.parse_tile_path(broken)
    # Higher tiles of so small a log are its right edge, which is checked before anything else.
    assert len(read) <= (index * tiles.WIDTH if level <= 0 else 0)


def test_a_changed_entry_is_named_by_its_index():
    tree, store = filled(1000)
    entries = tree.entries(256, 512)
    entries[44] = b"forged"
    store.damage("tile/entries/001", Damage.GONE)
    store.put({"tile/entries/001": tiles.encode_bundle(entries)})
    reading = verified_bundles(store, 1000, tree.root())
    assert next(reading)[0] == 0
    with pytest.raises(ProofInvalid, match=r"entry 300 \(tile/entries/001\)"):
        next(reading)


def test_a_tile_that_fits_its_entries_and_not_its_parent_is_refused(
    spec_log: tuple[Tree, SimulatedTileStore],
):
    tree, _ = spec_log
    _, store = filled(SPEC_SIZE)
    forged = [b"forged %d" % index for index in range(256)]
    store.damage("tile/entries/100", Damage.GONE)
    store.damage("tile/0/100", Damage.GONE)
    hashes = b"".join(merkle.leaf_hashes(forged))
    store.put({"tile/entries/100": tiles.encode_bundle(forged), "tile/0/100": hashes})
    reading = verified_bundles(store, SPEC_SIZE, tree.root(), start=99 * 256)
    assert next(reading)[0] == 99 * 256
    with pytest.raises(ProofInvalid, match=r"tile/0/100 \(entries from 25600\)"):
        next(reading)


def test_another_root_is_refused_before_anything_is_read():
    _, store = filled(700)
    with pytest.raises(ProofInvalid, match="right edge of a log of 700"):
        next(verified_bundles(store, 700, merkle.EMPTY_ROOT))
    with pytest.raises(ProofInvalid):
        next(verified_bundles(store, 700, merkle.EMPTY_ROOT, start=701))


def test_proofs_of_a_large_log_come_from_its_tiles(spec_log: tuple[Tree, SimulatedTileStore]):
    grown, store = spec_log
    tree = Tree.load(store, SPEC_SIZE)
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_999):
        for size in (index + 1, SPEC_SIZE):
            proof, root = tree.inclusion_proof(index, size), grown.root_at(size)
            merkle.verify_inclusion(index, size, merkle.leaf_hash(entry(index)), proof, root)
            proof = tree.consistency_proof(index + 1, size)
            old = grown.root_at(index + 1)
            merkle.verify_consistency(index + 1, old, size, root, proof)


def test_a_tool_that_we_did_not_write_reads_our_folder(tmp_path: Path):
    with FileTileStore(tmp_path / "log", create=True) as store:
        tree = Tree(store)
        for count in (1, 29, 300, 70_000, 30):
            grow(tree, store, count)
        reader = TilesReader(LocalBackend(tmp_path / "log"))
        reader.set_size(tree.size)
        assert reader.calculate_root_hash() == tree.root()
        for index in (0, 255, 256, 65_536, tree.size - 1):
            assert reader.get_entry(index) == entry(index)
            theirs = reader.get_inclusion_proof(index, tree.size).node_hashes
            assert theirs == tree.inclusion_proof(index, tree.size)
            theirs = reader.get_consistency_proof(index + 1, tree.size).node_hashes
            assert theirs == tree.consistency_proof(index + 1, tree.size)
