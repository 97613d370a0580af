"""Damage of a power cut is survived; it lies behind what was promised, and it is really there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kulla.drill.chance import chance_of
from kulla.drill.tearing import flip_bits, litter, tear_lines, tear_sqlite, tear_write_log
from kulla.embassy.write_log import LOG_NAME, LoggedTileStore
from kulla.journal.errors import StoreFailed
from kulla.journal.filestore import FileTileStore

SEEDS = range(12)


def killed_store(folder: Path, objects: int) -> Path:
    """A store's folder as SIGKILL leaves it: all in the write log, nothing in files."""
    store = LoggedTileStore(folder, create=True, log_bytes=1 << 20)
    for number in range(objects):
        store.put({f"tile/{number:03d}": bytes([number]) * 900})
    store._let_go()  # as the end of a process does
    return folder / LOG_NAME


@pytest.mark.parametrize("seed", SEEDS)
def test_a_torn_write_log_still_has_all_that_was_promised(tmp_path, seed):
    path = killed_store(tmp_path / "store", 5)
    before = path.read_bytes()
    assert tear_write_log(path, chance_of(seed, "tear")) == 1
    assert path.read_bytes() != before
    with LoggedTileStore(tmp_path / "store") as store:
        assert [store.get(f"tile/{n:03d}") for n in range(5)] == [
            bytes([n]) * 900 for n in range(5)
        ]


def test_a_record_that_was_promised_and_rots_is_seen(tmp_path):
    path = killed_store(tmp_path / "store", 5)
    data = bytearray(path.read_bytes())
    data[4096 + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreFailed, match="damaged"):
        LoggedTileStore(tmp_path / "store")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_torn_database_still_has_all_that_was_committed(tmp_path, seed):
    path = tmp_path / "registers.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE acts (number INTEGER PRIMARY KEY, text TEXT)")
        for number in range(20):
            connection.execute("INSERT INTO acts VALUES (?, ?)", (number, "x" * 300))
        copy = tmp_path / "killed.sqlite"
        for end in ("", "-wal"):
            Path(f"{copy}{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    wal = Path(f"{copy}-wal")
    before = wal.read_bytes()
    assert tear_sqlite(wal, chance_of(seed, "tear")) == 1
    assert wal.read_bytes() != before
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM acts").fetchone() == (20,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_a_dead_writer_left_is_cleared(tmp_path):
    with FileTileStore(tmp_path / "store", create=True) as store:
        store.put({"tile/0/000": b"kept"})
    assert litter(tmp_path / "store", chance_of(1, "litter")) > 0
    with FileTileStore(tmp_path / "store") as store:
        assert store.names("") == ["tile/0/000"]
    assert not list((tmp_path / "store").rglob("*.tmp"))


def test_lines_and_bits(tmp_path):
    path = tmp_path / "openings.log"
    assert tear_lines(path, chance_of(1, "lines")) == 0
    path.write_bytes(b'{"at": 1}\n')
    assert tear_lines(path, chance_of(1, "lines")) == 1
    assert path.read_bytes().startswith(b'{"at": 1}\n{"at": ')
    before = path.read_bytes()
    assert flip_bits(path, chance_of(1, "rot")) > 0
    assert len(path.read_bytes()) == len(before)
    assert path.read_bytes() != before
