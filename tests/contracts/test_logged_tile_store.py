"""The embassy's store with a write log keeps every promise of a tile store, and its own.

Its own: `commit` is put and swap in one step, and a log that was cut, torn or damaged is noticed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import test_tile_store as suite
from contracts.test_tile_store import *  # noqa: F403 -- the suite that every store runs
from kulla.embassy.write_log import LOG_NAME, LoggedTileStore
from kulla.journal.errors import StoreConflict, StoreFailed, TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.store import TileStore

BLOCK = 4096


class LoggedOpener:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "log"

    def open(self) -> TileStore:
        self.store = LoggedTileStore(self.folder, create=True, log_bytes=2**20)
        return self.store

    def again(self) -> TileStore:
        self.store.close()
        return self.open()

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[suite.Opener]:
    opener = LoggedOpener(tmp_path)
    yield opener
    opener.close()


def killed(folder: Path, to: Path) -> Path:
    """The folder as a SIGKILL leaves it: what was written, with no chance to close."""
    shutil.copytree(folder, to)
    (to / ".lock").unlink()
    return to


def open_small(folder: Path) -> LoggedTileStore:
    return LoggedTileStore(folder, create=True, log_bytes=64 * BLOCK)


def test_what_was_written_is_in_the_log_until_it_is_settled(tmp_path: Path):
    with open_small(tmp_path / "a") as store:
        store.commit({"tile/0/000.p/1": b"one"}, "checkpoint", None, b"first")
        store.swap("checkpoint", b"first", b"second")
        with FileTileStore(killed(tmp_path / "a", tmp_path / "b")) as files:
            assert files.names("") == []
        store.settle()
        with FileTileStore(killed(tmp_path / "a", tmp_path / "c")) as files:
            assert files.names("") == ["checkpoint", "tile/0/000.p/1"]
            assert files.get("checkpoint") == b"second"


def test_a_killed_writer_loses_nothing(tmp_path: Path):
    with open_small(tmp_path / "a") as store:
        for number in range(200):
            old = b"%d" % (number - 1) if number else None
            item = {f"tile/0/{number:03d}": b"x" * (number * 37)}
            store.commit(item, "checkpoint", old, b"%d" % number)
            if number % 40 == 39:
                left = killed(tmp_path / "a", tmp_path / f"left-{number}")
                with LoggedTileStore(left, read_only=True) as reader:
                    assert reader.get("checkpoint") == b"%d" % number
                    assert len(reader.names("tile/")) == number + 1
                with LoggedTileStore(left) as again:
                    assert again.get("checkpoint") == b"%d" % number
                    assert again.get(f"tile/0/{number:03d}") == b"x" * (number * 37)
                with FileTileStore(left) as files:
                    assert len(files.names("tile/")) == number + 1


def test_commit_refuses_as_put_and_swap_do_and_then_keeps_nothing(tmp_path: Path):
    with open_small(tmp_path / "a") as store:
        store.commit({"tile/0/000": b"one"}, "checkpoint", None, b"first")
        with pytest.raises(StoreConflict, match="checkpoint"):
            store.commit({"tile/0/001": b"two"}, "checkpoint", b"other", b"second")
        with pytest.raises(StoreConflict, match="tile/0/000"):
            store.commit({"tile/0/000": b"forged"}, "checkpoint", b"first", b"second")
        assert store.names("") == ["checkpoint", "tile/0/000"]
        assert store.get("checkpoint") == b"first"


def test_what_is_dropped_in_time_never_becomes_a_file(tmp_path: Path):
    with open_small(tmp_path / "a") as store:
        store.put({"tile/0/000.p/1": b"one"})
        store.drop(["tile/0/000.p/1"])
        store.put({"tile/0/000.p/2": b"two"})
        left = killed(tmp_path / "a", tmp_path / "b")
        with LoggedTileStore(left) as again:
            assert again.names("") == ["tile/0/000.p/2"]
    with FileTileStore(tmp_path / "a") as files:
        assert files.names("") == ["tile/0/000.p/2"]


def test_a_place_that_was_dropped_can_hold_a_large_object_after_a_kill(tmp_path: Path):
    with open_small(tmp_path / "a") as store:
        store.put({"tile/0/000.p/1": b"one"})
        store.drop(["tile/0/000.p/1"])
        store.put({"tile/0/000.p/1": bytes(2**20)})
        left = killed(tmp_path / "a", tmp_path / "b")
    with LoggedTileStore(left) as again:
        assert again.get("tile/0/000.p/1") == bytes(2**20)


def two_records(folder: Path) -> bytes:
    """The bytes of a log with two records, of one block each."""
    with open_small(folder) as store:
        store.put({"tile/0/000": b"one"})
        store.put({"tile/0/001": b"two"})
        return (folder / LOG_NAME).read_bytes()


@pytest.mark.parametrize("cut", [0, 1, 23, 24, 30, 50])
def test_a_torn_last_record_was_never_promised(tmp_path: Path, cut: int):
    data = two_records(tmp_path / "a")
    torn = bytearray(data)
    torn[2 * BLOCK + cut :] = bytes(len(data) - 2 * BLOCK - cut)
    left = tmp_path / "b"
    FileTileStore(left, create=True).close()
    (left / LOG_NAME).write_bytes(torn)
    with LoggedTileStore(left) as store:
        assert store.names("") == ["tile/0/000"]


@pytest.mark.parametrize("at", [0, 3, 12, 18, 22, 30])
def test_a_damaged_record_before_a_whole_one_is_noticed(tmp_path: Path, at: int):
    data = bytearray(two_records(tmp_path / "a"))
    data[BLOCK + at] ^= 4
    left = tmp_path / "b"
    FileTileStore(left, create=True).close()
    (left / LOG_NAME).write_bytes(data)
    for read_only in (True, False):
        with pytest.raises(StoreFailed, match=r"record 0 is damaged.*Keep the folder"):
            LoggedTileStore(left, read_only=read_only)


def test_a_damaged_header_and_a_cut_log_are_noticed(tmp_path: Path):
    data = bytearray(two_records(tmp_path / "a"))
    left = tmp_path / "b"
    FileTileStore(left, create=True).close()
    for bad in (bytes([data[0] ^ 1]) + data[1:], data[:15] + b"\x09" + data[16:], data[:10], b""):
        (left / LOG_NAME).write_bytes(bad)
        with pytest.raises(StoreFailed, match="header is damaged"):
            LoggedTileStore(left)


def test_records_of_an_earlier_filling_are_not_read_again(tmp_path: Path):
    with open_small(tmp_path / "a") as store:
        store.put({f"tile/0/{number:03d}": b"old" for number in range(3)})
        store.settle()
        store.drop(["tile/0/001"])
        left = killed(tmp_path / "a", tmp_path / "b")
    with LoggedTileStore(left) as again:
        assert again.names("") == ["tile/0/000", "tile/0/002"]
        with pytest.raises(TileMissing):
            again.get("tile/0/001")


def test_two_writers_can_not_share_a_folder_and_a_reader_changes_nothing(tmp_path: Path):
    with open_small(tmp_path / "a") as store:
        store.put({"tile/0/000": b"one"})
        with pytest.raises(StoreConflict):
            LoggedTileStore(tmp_path / "a")
        before = (tmp_path / "a" / LOG_NAME).read_bytes()
        with LoggedTileStore(tmp_path / "a", read_only=True) as reader:
            assert reader.get("tile/0/000") == b"one"
            with pytest.raises(StoreFailed, match="reading only"):
                reader.put({"tile/0/001": b"two"})
            with pytest.raises(StoreFailed, match="reading only"):
                reader.settle()
        assert (tmp_path / "a" / LOG_NAME).read_bytes() == before
    with pytest.raises(StoreFailed, match="closed"):
        store.put({"tile/0/001": b"two"})
