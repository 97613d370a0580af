"""What every blob store promises. A new store joins by adding its opener to OPENERS."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from kulla.embassy.blob_folder import FolderBlobs
from kulla.embassy.blobs import BlobStore, SqliteBlobs, blob_name
from kulla.embassy.errors import BlobDamaged, BlobMissing, BlobsFailed
from kulla.embassy.simulated import SimulatedBlobs


class Opener(Protocol):
    def open(self) -> BlobStore: ...

    def again(self) -> BlobStore: ...

    def damage(self, name: bytes) -> None: ...

    def close(self) -> None: ...


class SqliteOpener:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "blobs.sqlite"

    def open(self) -> BlobStore:
        self._store = SqliteBlobs(self._path)
        return self._store

    def again(self) -> BlobStore:
        self._store.close()
        return self.open()

    def damage(self, name: bytes) -> None:
        with sqlite3.connect(self._path) as connection:
            connection.execute("UPDATE blobs SET content = x'00' WHERE name = ?", [name])
        connection.close()

    def close(self) -> None:
        self._store.close()


class SimulatedOpener:
    def __init__(self, folder: Path) -> None:
        self._store = SimulatedBlobs()

    def open(self) -> BlobStore:
        return self._store

    def again(self) -> BlobStore:
        self._store.restart()
        return self._store

    def damage(self, name: bytes) -> None:
        self._store.damage(name)

    def close(self) -> None:
        pass


class FolderOpener:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "files"

    def open(self) -> BlobStore:
        return FolderBlobs(self._folder)

    def again(self) -> BlobStore:
        return self.open()

    def damage(self, name: bytes) -> None:
        (self._folder / name.hex()[:2] / name.hex()).write_bytes(b"\0")

    def close(self) -> None:
        pass


OPENERS = {"sqlite": SqliteOpener, "simulated": SimulatedOpener, "folder": FolderOpener}


@pytest.fixture(params=list(OPENERS))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    opener = OPENERS[request.param](tmp_path)
    yield opener
    opener.close()


@pytest.fixture
def store(opener: Opener) -> BlobStore:
    return opener.open()


def test_what_was_put_comes_back_also_after_opening_again(opener: Opener):
    blobs = [b"", b"one", bytes(300_000), bytes(range(256))]
    store = opener.open()
    names = store.put(blobs)
    assert names == [blob_name(blob) for blob in blobs]
    assert [store.get(name) for name in names] == blobs
    store = opener.again()
    assert [store.get(name) for name in names] == blobs
    assert store.usage() == (4, sum(map(len, blobs)))


def test_the_same_blob_again_changes_nothing(store: BlobStore):
    store.put([b"one", b"two", b"one"])
    store.put([b"two"])
    store.put([])
    assert store.usage() == (2, 6)


def test_only_missing_names_are_named_once_in_order(store: BlobStore):
    held = store.put([b"%d" % number for number in range(1200)])
    lost = [blob_name(b"lost %d" % number) for number in range(700)]
    assert store.missing([]) == []
    assert store.missing([*lost, *held, *lost]) == lost


def test_a_missing_blob_is_named(store: BlobStore):
    with pytest.raises(BlobMissing, match=blob_name(b"lost").hex()):
        store.get(blob_name(b"lost"))


def test_a_damaged_blob_is_never_given(opener: Opener):
    store = opener.open()
    [name] = store.put([b"a wrapped key"])
    opener.damage(name)
    with pytest.raises(BlobDamaged, match=name.hex()):
        store.get(name)


def test_names_come_page_by_page_in_order(store: BlobStore):
    names = sorted(store.put([b"%d" % number for number in range(25)]))
    found: list[bytes] = []
    while page := store.names(found[-1] if found else b"", 10):
        assert len(page) <= 10
        found += page
    assert found == names


def test_many_may_put_at_once(store: BlobStore):
    def put(thread: int) -> None:
        for number in range(20):
            store.put([b"%d" % number, b"%d %d" % (thread, number)])

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.usage()[0] == 20 + 80


def test_a_killed_writer_s_blobs_are_read_without_writing(tmp_path: Path):
    store = SqliteBlobs(tmp_path / "blobs.sqlite")
    [name] = store.put([b"kept"])
    reader = SqliteBlobs(tmp_path / "blobs.sqlite", read_only=True)
    assert reader.get(name) == b"kept"
    with pytest.raises(BlobsFailed, match="readonly"):
        reader.put([b"more"])
    reader.close()
    store.close()
    assert (tmp_path / "blobs.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "blobs.sqlite").write_bytes(b"not a database " * 100)
    with pytest.raises(BlobsFailed, match=r"blobs\.sqlite"):
        SqliteBlobs(tmp_path / "blobs.sqlite")
    with pytest.raises(BlobsFailed, match="nowhere"):
        SqliteBlobs(tmp_path / "nowhere" / "blobs.sqlite")


def test_what_is_deleted_is_overwritten(tmp_path: Path):
    """secure_delete: an erased key must not be found in the file afterwards."""
    path = tmp_path / "blobs.sqlite"
    store = SqliteBlobs(path)
    secret = b"wrapped key of somebody " * 40
    [name] = store.put([secret])
    store.close()
    assert secret[:24] in path.read_bytes()
    store = SqliteBlobs(path)
    store._writer.execute("DELETE FROM blobs WHERE name = ?", [name])
    store.close()
    assert secret[:24] not in path.read_bytes()
