"""What every tile store promises. A new store joins by adding its opener to OPENERS.

An opener is a class with `open()`, which gives the store opened for writing, and `again()`, which
ends the writer and opens the same store once more; what a crash keeps is tested in
tests/simulated/test_simulated_tile_store.py and tests/live/test_file_store_durability.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest

from kulla.journal.errors import PathInvalid, StoreConflict, TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.simulated import SimulatedTileStore
from kulla.journal.store import TileStore


class Opener(Protocol):
    def open(self) -> TileStore: ...

    def again(self) -> TileStore: ...

    def close(self) -> None: ...


class FileOpener:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "log"

    def open(self) -> TileStore:
        self._store = FileTileStore(self._folder, create=True)
        return self._store

    def again(self) -> TileStore:
        self._store.close()
        return self.open()

    def close(self) -> None:
        self._store.close()


class SimulatedOpener:
    def __init__(self, folder: Path) -> None:
        self._store = SimulatedTileStore(7)

    def open(self) -> TileStore:
        return self._store

    def again(self) -> TileStore:
        self._store.crash()
        return self._store

    def close(self) -> None:
        pass


OPENERS = {"file": FileOpener, "simulated": SimulatedOpener}


@pytest.fixture(params=list(OPENERS))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    opener = OPENERS[request.param](tmp_path)
    yield opener
    opener.close()


@pytest.fixture
def store(opener: Opener) -> TileStore:
    return opener.open()


def test_what_was_put_comes_back_also_after_opening_again(opener: Opener):
    items = {
        "tile/0/x001/234.p/17": b"a tile",
        "tile/entries/x001/234.p/17": bytes(300_000),
        "tile/0/000": b"",
        "checkpoint-1": bytes(range(256)),
    }
    store = opener.open()
    store.put(items)
    assert {path: store.get(path) for path in items} == items
    store = opener.again()
    assert {path: store.get(path) for path in items} == items
    assert store.names("") == sorted(items)


def test_large_objects_come_back_whole(store: TileStore):
    for size in (1 << 20, (1 << 20) + 1, 17 * (1 << 20)):
        data = size.to_bytes(8, "big") * (size // 8) + bytes(size % 8)
        store.put({f"blob/{size}": data})
        assert store.get(f"blob/{size}") == data


def test_the_same_bytes_again_are_no_error_and_others_are(store: TileStore):
    store.put({"tile/0/000": b"first"})
    store.put({"tile/0/000": b"first", "tile/0/001": b"second"})
    with pytest.raises(StoreConflict, match="tile/0/000"):
        store.put({"tile/0/002": b"third", "tile/0/000": b"forged"})
    assert store.names("tile/") == ["tile/0/000", "tile/0/001"]
    assert store.get("tile/0/000") == b"first"
    store.put({"tile/0/002": b"third"})
    assert store.get("tile/0/002") == b"third"


def test_nothing_to_put_is_no_error(store: TileStore):
    store.put({})
    assert store.names("") == []


def test_a_missing_object_is_named(store: TileStore):
    store.put({"tile/0/000": b""})
    for path in ("tile/0/001", "tile/0", "tile/0/000/more", "tile", "nowhere/to/be/found"):
        with pytest.raises(TileMissing, match=path):
            store.get(path)


def test_a_changing_object_moves_only_from_what_it_was(opener: Opener):
    store = opener.open()
    store.swap("checkpoint", None, b"one")
    with pytest.raises(StoreConflict):
        store.swap("checkpoint", None, b"another first")
    store.swap("checkpoint", b"one", b"two")
    with pytest.raises(StoreConflict):
        store.swap("checkpoint", b"one", b"late")
    with pytest.raises(StoreConflict):
        store.swap("pending", b"something", b"new")
    store.swap("checkpoint", b"two", b"two")
    store = opener.again()
    assert store.get("checkpoint") == b"two"
    assert store.names("") == ["checkpoint"]


def test_one_of_many_who_swap_at_once_wins(store: TileStore):
    store.swap("checkpoint", None, b"start")
    won: list[int] = []

    def swap(number: int) -> None:
        try:
            store.swap("checkpoint", b"start", b"%d" % number)
        except StoreConflict:
            return
        won.append(number)

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(won) == 1
    assert store.get("checkpoint") == b"%d" % won[0]


def test_a_reader_never_sees_half_an_object(store: TileStore):
    values = [bytes([number]) * 50_000 for number in range(20)]
    store.swap("checkpoint", None, values[0])
    odd: list[bytes] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            data = store.get("checkpoint")
            if data not in values:
                odd.append(data)
            if any("." in path for path in store.names("")):
                odd.append(b"a temporary name")

    reader = threading.Thread(target=read)
    reader.start()
    for old, new in pairwise(values):
        store.swap("checkpoint", old, new)
    done.set()
    reader.join(timeout=30)
    assert not odd


def test_dropped_objects_are_gone_and_their_place_can_be_used_again(store: TileStore):
    store.put({"tile/0/000.p/1": b"a", "tile/0/000.p/2": b"b", "tile/0/000": b"full"})
    store.drop(["tile/0/000.p/1", "tile/0/000.p/2", "tile/0/000.p/3", "no/such"])
    assert store.names("") == ["tile/0/000"]
    with pytest.raises(TileMissing):
        store.get("tile/0/000.p/1")
    store.put({"tile/0/000.p/1": b"again"})
    assert store.get("tile/0/000.p/1") == b"again"


def test_names_are_found_by_prefix_in_order(store: TileStore):
    paths = [
        "checkpoint",
        "tile/0/000",
        "tile/0/000.p/17",
        "tile/0/000.p/2",
        "tile/0/x001/000",
        "tile/1/000",
        "tile/entries/000",
    ]
    store.put(dict.fromkeys(reversed(paths), b"x"))
    assert store.names("") == sorted(paths)
    assert store.names("tile/0/000") == ["tile/0/000", "tile/0/000.p/17", "tile/0/000.p/2"]
    assert store.names("tile/0/000.p/") == ["tile/0/000.p/17", "tile/0/000.p/2"]
    assert store.names("tile/0/x") == ["tile/0/x001/000"]
    assert store.names("tile/e") == ["tile/entries/000"]
    assert store.names("che") == ["checkpoint"]
    assert store.names("tile/7/") == []
    assert store.names("tile/0/000/") == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../checkpoint",
        "tile/../checkpoint",
        "tile//0",
        "tile/0/",
        "tile/./0",
        ".lock",
        "tile/0/.001.tmp",
        "tile/0/001\n",
        "tile/0/001\0",
        "tile\\0",
        "Checkpoint",
        "tile/0/ä",
        "x" * 256,
    ],
)
def test_a_path_that_leads_astray_is_refused_everywhere(store: TileStore, path: str):
    with pytest.raises(PathInvalid):
        store.get(path)
    with pytest.raises(PathInvalid):
        store.put({"tile/0/000": b"good", path: b"bad"})
    with pytest.raises(PathInvalid):
        store.swap(path, None, b"bad")
    with pytest.raises(PathInvalid):
        store.drop([path])
    assert store.names("") == []


def test_a_listing_does_not_lead_astray(store: TileStore):
    for prefix in ("../", "/etc/", "tile/../../"):
        with pytest.raises(PathInvalid):
            store.names(prefix)
