"""Fingerprints: what a home journals is what every replay comes to, and what differs is told."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.counters import COUNTER, counters
from fakes.home import TABLES, HomeInProcess
from kulla.kernel.rows import Column, Table
from kulla.rebuild.chain import EpochPlan, rebuild_registers
from kulla.rebuild.history import settle_log
from kulla.rebuild.replay import Replayed
from kulla.rebuild.sources import HttpSource, tiles_of
from kulla.registers.fingerprint import (
    Fingerprint,
    FingerprintKey,
    FingerprintMalformed,
    RowHashes,
    RunningFingerprint,
    schema_of,
)
from kulla.registers.sqlite import LiveRows, UnfitCell, create_tables, open_registers
from kulla.scribe.batch import NoRoom

EVERY = 8


def _key(home: HomeInProcess) -> FingerprintKey:
    return FingerprintKey(home.tower.journal_key.secret)


def _grow(home: HomeInProcess, chance: random.Random, batches: int) -> None:
    for _ in range(batches):
        home.take(
            *(
                home.command(counter=f"c{chance.randrange(9)}", most=40, times=chance.randrange(4))
                for _ in range(chance.randrange(1, 6))
            )
        )
        home.deliver()
        home.answers.clear()


def _home(folder: Path, seed: int = 1, batches: int = 20) -> HomeInProcess:
    home = HomeInProcess(folder, fingerprint_every=EVERY)
    home.deliver()
    _grow(home, random.Random(seed), batches)
    return home


def _running(home: HomeInProcess, connection: sqlite3.Connection) -> RunningFingerprint:
    return RunningFingerprint(connection, _key(home), TABLES)


def _empty(path: Path, tables: Sequence[Table]) -> sqlite3.Connection:
    connection = open_registers(path, create=True)
    create_tables(connection, tables)
    return connection


def _of_tables(home: HomeInProcess, tables: Sequence[Table]) -> Fingerprint:
    """A fingerprint of rows that no empty file has, made by a release with these tables."""
    return Fingerprint(7, schema_of(tables), _key(home).key_id)


def _rebuilt(
    home: HomeInProcess, path: Path, tables: tuple[Table, ...] = TABLES
) -> tuple[sqlite3.Connection, Replayed]:
    connection = _empty(path, tables)
    sources = [HttpSource(embassy.client()) for embassy in home.embassies.values()]
    settled = settle_log(sources, home.tower.policy, home.tower.origin).checkpoint
    stores = [(source.name, tiles_of(source, home.tower.origin)) for source in sources]
    plan = EpochPlan(home.tower.origin, 0, settled.size, settled.root, stores)
    keys = {home.tower.journal_key.key_id: home.tower.journal_key}
    service = counters()
    report = rebuild_registers(
        [plan], keys, connection, tables, {service.name: service}, fingerprint_key=_key(home)
    )
    return connection, report


@given(seed=st.integers(0, 2**32))
def test_home_and_replay_keep_the_fingerprint_of_the_rows_that_they_have(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    home = _home(tmp_path_factory.mktemp("home"), seed, batches=8)
    connection, report = _rebuilt(home, home.folder / "new")
    live, replayed = _running(home, home.connection), _running(home, connection)
    assert live.value == live.counted() == replayed.value == replayed.counted()
    assert report.misfits == []
    assert report.case_count == 0
    assert report.fingerprints >= home.journal.size // (EVERY + 20)


def test_one_is_journalled_after_so_many_acts_and_none_where_nothing_happened(
    tmp_path: Path,
) -> None:
    home = _home(tmp_path, batches=0)
    home.take(home.command(times=EVERY))
    assert home.journal.size == EVERY + 1
    home.take(home.command(most=0), home.command(times=0), tokens="rs")
    assert home.journal.size == EVERY + 1
    home.take(home.command(times=EVERY - 1), tokens="x")
    assert home.journal.size == 2 * EVERY
    home.restart()
    home.take(home.command(), tokens="y")
    assert home.journal.size == 2 * EVERY + 2


def test_a_register_that_somebody_changed_behind_the_scribe_is_told_once_by_position(
    tmp_path: Path,
) -> None:
    home = _home(tmp_path, batches=10)
    home.connection.execute("UPDATE counter SET by = 'thief' WHERE name = 'c1'")
    home.take(home.command(counter="c1", times=EVERY), tokens="t")
    next_one = home.journal.size - 1
    _grow(home, random.Random(2), 20)
    _, report = _rebuilt(home, tmp_path / "new")
    [(position, reason)] = report.cases
    assert report.misfits == [position] == [next_one]
    assert "not those that this fingerprint is of" in reason


def test_a_row_put_back_as_it_was_fits_again(tmp_path: Path) -> None:
    home = _home(tmp_path, batches=10)
    home.connection.execute("INSERT INTO counter VALUES ('stray', 1, 'x', 1)")
    _grow(home, random.Random(2), 6)
    home.connection.execute("DELETE FROM counter WHERE name = 'stray'")
    running = _running(home, home.connection)
    assert running.value == running.counted()


def test_batches_that_fail_leave_the_fingerprint_of_what_is_there(tmp_path: Path) -> None:
    home = _home(tmp_path, batches=3)
    home.take(
        home.command(times=2),
        home.command("fault", where="apply"),
        home.command(counter="c1"),
        tokens="abc",
    )
    home.writer.set_aside.clear()
    home.connection.execute("PRAGMA max_page_count=1")
    with pytest.raises(NoRoom):
        home.writer.write([home.command(counter=f"new {n}" * 99) for n in range(40)])
    home.connection.execute("PRAGMA max_page_count=100000")
    home.take(home.command(times=3), tokens="d")
    running = _running(home, home.connection)
    assert running.value == running.counted()
    home.deliver()
    _, report = _rebuilt(home, tmp_path / "new")
    assert report.misfits == []


def test_a_fingerprint_of_another_releases_tables_is_not_compared(tmp_path: Path) -> None:
    home = _home(tmp_path, batches=12)
    more = Table(COUNTER.name, (*COUNTER.columns, Column("note", "text", nullable=True)))
    tables = [more if table is COUNTER else table for table in TABLES]
    assert RunningFingerprint(home.connection, _key(home), TABLES).misfit(_of_tables(home, TABLES))
    running = RunningFingerprint(_empty(tmp_path / "new", tables), _key(home), tables)
    assert not running.misfit(_of_tables(home, TABLES))


def test_a_service_that_came_later_leaves_older_fingerprints_binding(tmp_path: Path) -> None:
    home = _home(tmp_path, batches=12)
    later = (
        Table("later_thing", (Column("id", "text"),)),
        Table("later_part", (Column("id", "text"),)),
    )
    _, report = _rebuilt(home, tmp_path / "new", (*TABLES, *later))
    assert report.fingerprints > 0
    assert report.misfits == []
    connection = _empty(tmp_path / "other", (*TABLES, *later))
    running = RunningFingerprint(connection, _key(home), (*TABLES, *later))
    assert running.misfit(_of_tables(home, TABLES)), "rows that it is not of"
    connection.execute("INSERT INTO later_part VALUES ('a')")
    assert not running.misfit(_of_tables(home, TABLES)), "that release knew no such rows"


def test_registers_without_a_fingerprint_get_theirs_from_the_rows(tmp_path: Path) -> None:
    home = _home(tmp_path, batches=6)
    before = _running(home, home.connection).value
    home.connection.execute("DROP TABLE kulla_fingerprint")
    assert _running(home, home.connection).value == before
    home.restart()
    home.take(home.command())
    running = _running(home, home.connection)
    assert running.value == running.counted() != before


def test_the_key_and_the_tables_make_the_fingerprint(tmp_path: Path) -> None:
    home = _home(tmp_path, batches=4)
    mine = _running(home, home.connection)
    other = RunningFingerprint(home.connection, FingerprintKey(bytes(32)), TABLES)
    assert other.value != mine.value
    rows: list[tuple[int | str | bytes | None, ...]] = [("c", 1, "a", 2)]
    hashes = RowHashes(_key(home).secret)
    assert hashes.of(COUNTER.name, rows) != hashes.of("kulla_party", rows)
    assert schema_of(TABLES) == schema_of(tuple(reversed(TABLES)))


def test_what_is_no_fingerprint_is_refused() -> None:
    good = Fingerprint(5, b"s" * 32, b"k" * 8).data()
    assert Fingerprint.parse(good).value == 5
    for bad in ({}, {**good, "hash": b"x"}, {**good, "more": 1}, {**good, "key": "text"}):
        with pytest.raises(FingerprintMalformed):
            Fingerprint.parse(bad, place="position 3")


def test_a_cell_that_would_come_back_otherwise_is_refused(tmp_path: Path) -> None:
    connection = open_registers(tmp_path / "registers", create=True)
    create_tables(connection, TABLES)
    rows = LiveRows(connection, TABLES)
    rows.watch()
    with pytest.raises(UnfitCell, match="counter"):
        rows.put(COUNTER.name, {"name": "a", "value": True, "by": "b", "position": 1})
