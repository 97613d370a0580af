"""Paths and bytes of tiles and bundles: one form each, and nothing else is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kulla.journal import tiles
from kulla.journal.errors import BundleInvalid, EntryInvalid, PathInvalid, ProofInvalid, TileMissing
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.store import check_path

bundles = st.lists(st.binary(max_size=300), max_size=256)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (0, 273, 112, "tile/0/273.p/112"),
        (1, 1, 17, "tile/1/001.p/17"),
        (2, 0, 1, "tile/2/000.p/1"),
        (63, 1000, 256, "tile/63/x001/000"),
        (tiles.ENTRIES, 999, 256, "tile/entries/999"),
        (tiles.ENTRIES, 1000, 255, "tile/entries/x001/000.p/255"),
    ],
)
def test_paths_are_those_of_the_specification(level: int, index: int, width: int, path: str):
    assert tiles.tile_path(level, index, width) == path
    assert tiles.parse_tile_path(path) == (level, index, width)


@given(st.integers(-1, 63), st.integers(0, 2**55), st.integers(1, 256))
def test_every_path_reads_back_and_is_one_that_stores_take(level: int, index: int, width: int):
    path = tiles.tile_path(level, index, width)
    check_path(path)
    assert tiles.parse_tile_path(path) == (level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/0/x000/001",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/07",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/001\n",
        "tile/0/٠٠١",
        "/tile/0/001",
        "tile/entries/../0/001",
        "checkpoint",
        "",
    ],
)
def test_what_is_not_the_one_path_of_a_tile_is_refused(path: str):
    with pytest.raises(PathInvalid):
        tiles.parse_tile_path(path)


@pytest.mark.parametrize("case", [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_there_is_no_path_for_a_tile_that_can_not_be(case: tuple[int, int, int]):
    with pytest.raises(PathInvalid):
        tiles.tile_path(*case)


@given(bundles)
def test_a_bundle_reads_back(entries: list[bytes]):
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


@given(st.data(), bundles.filter(bool))
def test_a_cut_bundle_never_reads_back_as_whole(data: st.DataObject, entries: list[bytes]):
    whole = tiles.encode_bundle(entries)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = tiles.decode_bundle(cut)
    except BundleInvalid:
        return
    # Cut between two entries it is a shorter bundle; its width is checked where it is read.
    assert found == entries[: len(found)]
    assert len(found) < len(entries)


def test_trailing_bytes_are_refused_with_their_place():
    with pytest.raises(BundleInvalid, match=r"tile/entries/007: .* cut short in entry 2"):
        tiles.decode_bundle(tiles.encode_bundle([b"a", b""]) + b"\0", place="tile/entries/007")


def test_a_bundle_holds_256_entries_of_65535_bytes_at_most():
    with pytest.raises(BundleInvalid):
        tiles.decode_bundle(bytes(2) * 257)
    with pytest.raises(EntryInvalid, match="65536 bytes"):
        tiles.encode_bundle([bytes(65_536)])


def test_the_right_edge_of_the_specifications_example():
    assert list(tiles.right_edge(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles.right_edge(256)) == [(1, 0, 1)]
    assert list(tiles.right_edge(0)) == []


def test_a_partial_tile_that_is_gone_comes_from_the_full_one():
    store = SimulatedTileStore(1)
    entries = [b"%d" % index for index in range(256)]
    full = bytes(range(256)) * 32
    store.put({"tile/entries/000": tiles.encode_bundle(entries), "tile/0/000": full})
    assert tiles.read_bundle(store, 0, 7) == entries[:7]
    assert tiles.read_hashes(store, 0, 0, 7) == full[: 7 * 32]


def test_a_tile_of_another_width_than_its_name_says_is_refused():
    store = SimulatedTileStore(1)
    store.put(
        {
            "tile/entries/000.p/2": tiles.encode_bundle([b"a", b"b", b"c"]),
            "tile/0/000.p/2": bytes(96),
            "tile/0/001": bytes(255 * 32),
        }
    )
    with pytest.raises(BundleInvalid, match="3 entries instead of 2"):
        tiles.read_bundle(store, 0, 2)
    with pytest.raises(ProofInvalid, match="96 bytes instead of 64"):
        tiles.read_hashes(store, 0, 0, 2)
    with pytest.raises(ProofInvalid, match="entries from 256"):
        tiles.read_hashes(store, 0, 1, 2)


def test_a_missing_tile_is_named_with_its_first_entry():
    with pytest.raises(TileMissing, match=r"tile/1/002\.p/9 \(entries from 131072\)"):
        tiles.read_hashes(SimulatedTileStore(1), 1, 2, 9)
