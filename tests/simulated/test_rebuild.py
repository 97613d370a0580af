"""Rebuild and takeover, over real embassies in this process: registers equal the live path's."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.counters import COUNTER, counters
from fakes.home import TABLES, HomeInProcess
from kulla.embassy.errors import NotSettled
from kulla.journal.errors import TileMissing
from kulla.journal.simulated import Damage
from kulla.journal.tiles import ENTRIES, tile_path
from kulla.kernel.rows import Cell
from kulla.kernel.service import Service
from kulla.rebuild.chain import EpochPlan, RegistersAhead, SourcesExhausted, rebuild_registers
from kulla.rebuild.history import plan_history, settle_log
from kulla.rebuild.reading import read_verified
from kulla.rebuild.replay import EntryDoesNotFit, Replay, Replayed
from kulla.rebuild.sources import HttpSource, tiles_of
from kulla.registers.sqlite import create_tables, dump, open_registers


def _grown(folder: Path, seed: int = 1, batches: int = 20) -> HomeInProcess:
    """A home whose history has accepted, refused and repeated commands, and its embassies."""
    home = HomeInProcess(folder)
    home.deliver()
    chance = random.Random(seed)
    done = []
    for _ in range(batches):
        batch = [
            home.command(counter=f"c{chance.randrange(9)}", most=40, times=chance.randrange(1, 9))
            for _ in range(chance.randrange(1, 12))
        ]
        done += batch
        if chance.random() < 0.3:
            batch.append(chance.choice(done))
        home.take(*batch)
        home.deliver()
        home.answers.clear()
    return home


def _sources(home: HomeInProcess, *names: str) -> list[HttpSource]:
    return [HttpSource(home.embassies[name].client()) for name in names or home.embassies]


def _plans(home: HomeInProcess, sources: Sequence[HttpSource]) -> list[EpochPlan]:
    policy, keys = home.tower.policy, {home.tower.journal_key.key_id: home.tower.journal_key}
    settlement = settle_log(sources, policy, home.tower.origin)
    return plan_history(sources, policy, keys, settlement)


def _rebuilt(
    home: HomeInProcess,
    plans: Sequence[EpochPlan],
    path: Path,
    *services: Service,
    go_on: bool = False,
) -> tuple[sqlite3.Connection, Replayed]:
    connection = open_registers(path, create=True)
    create_tables(connection, TABLES)
    keys = {home.tower.journal_key.key_id: home.tower.journal_key}
    known = {service.name: service for service in services or (counters(),)}
    report = rebuild_registers(plans, keys, connection, TABLES, known, go_on=go_on)
    return connection, report


def _all_rows(connection: sqlite3.Connection) -> dict[str, list[tuple[Cell, ...]]]:
    return {table.name: dump(connection, table) for table in TABLES}


@given(seed=st.integers(0, 2**32))
def test_rebuilt_registers_equal_the_live_ones_row_by_row(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("home")
    home = _grown(folder, seed, batches=8)
    connection, report = _rebuilt(home, _plans(home, _sources(home)), folder / "new")
    assert report.acts == home.journal.size
    assert report.case_count == 0
    assert _all_rows(connection) == _all_rows(home.connection)


def test_a_rebuild_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    home = _grown(tmp_path)
    [plan] = _plans(home, _sources(home))
    half = plan.size // 2
    part = EpochPlan(plan.origin, 0, half, home.journal.root_at(half), plan.sources)
    connection, first = _rebuilt(home, [part], tmp_path / "new")
    connection.close()
    connection, second = _rebuilt(home, [plan], tmp_path / "new")
    assert (first.acts, second.acts) == (half, plan.size - half)
    assert _all_rows(connection) == _all_rows(home.connection)


def test_a_replay_whose_source_failed_may_be_run_again(tmp_path: Path) -> None:
    """What it applied was rolled back, also in its memory."""
    home = _grown(tmp_path)
    [plan] = _plans(home, _sources(home))
    connection = open_registers(tmp_path / "new", create=True)
    create_tables(connection, TABLES)
    replay = Replay(connection, TABLES, {"counters": counters()})
    bundles = list(read_verified(plan, 0))

    def cut_off() -> Iterator[tuple[int, Sequence[bytes]]]:
        yield bundles[0]
        raise SourcesExhausted("no source gives the rest.")

    with pytest.raises(SourcesExhausted):
        replay.run(cut_off(), home.tower.opener, 0)
    assert replay.position == 0
    replay.run(iter(bundles), home.tower.opener, 0)
    assert replay.report.case_count == 0
    assert _all_rows(connection) == _all_rows(home.connection)


def test_registers_that_hold_more_than_is_adopted_are_not_gone_on_with(tmp_path: Path) -> None:
    home = _grown(tmp_path, batches=3)
    [plan] = _plans(home, _sources(home))
    connection, _ = _rebuilt(home, [plan], tmp_path / "new")
    connection.close()
    less = plan.size - 1
    part = EpochPlan(plan.origin, 0, less, home.journal.root_at(less), plan.sources)
    with pytest.raises(RegistersAhead, match=f"hold {plan.size} acts"):
        _rebuilt(home, [part], tmp_path / "new")


def test_where_one_source_is_damaged_another_goes_on(tmp_path: Path) -> None:
    home = _grown(tmp_path)
    sources = _sources(home, "embassy-1", "embassy-2")
    plans = _plans(home, sources)
    store = home.embassies["embassy-1"].mirror._by_hash
    [log] = store.values()
    log.store.damage(tile_path(ENTRIES, 0), Damage.FLIPPED)
    connection, _ = _rebuilt(home, plans, tmp_path / "new")
    assert _all_rows(connection) == _all_rows(home.connection)


def test_where_every_source_is_damaged_the_entry_is_named(tmp_path: Path) -> None:
    home = _grown(tmp_path)
    plans = _plans(home, _sources(home, "embassy-1", "embassy-2"))
    for name in ("embassy-1", "embassy-2"):
        [log] = home.embassies[name].mirror._by_hash.values()
        log.store.damage(tile_path(ENTRIES, 0), Damage.GONE)
        with pytest.raises(TileMissing):
            log.store.get(tile_path(ENTRIES, 0))
    with pytest.raises(SourcesExhausted, match="from 0 on"):
        _rebuilt(home, plans, tmp_path / "new")


def test_an_act_that_does_not_fit_is_a_listed_case_and_the_rest_goes_on(tmp_path: Path) -> None:
    home = _grown(tmp_path)
    connection, report = _rebuilt(
        home, _plans(home, _sources(home)), tmp_path / "new", counters("renamed")
    )
    assert report.case_count == home.journal.size
    assert dump(connection, COUNTER) == []
    cases = connection.execute("SELECT position, act, reason FROM kulla_case").fetchall()
    assert cases[0][:2] == (0, "raised")
    assert "no service here knows" in cases[0][2]


def test_an_entry_that_does_not_open_stops_the_rebuild_unless_custodians_go_on(
    tmp_path: Path,
) -> None:
    home = _grown(tmp_path, batches=3)
    home.writer._seals = _OtherSeals()  # type: ignore[assignment]
    home.take(home.command())
    home.deliver()
    bad = home.journal.size - 1
    plans = _plans(home, _sources(home))
    with pytest.raises(EntryDoesNotFit, match=f"entry {bad} "):
        _rebuilt(home, plans, tmp_path / "stopped")
    _, report = _rebuilt(home, plans, tmp_path / "new", go_on=True)
    assert [position for position, _ in report.cases] == [bad]


def test_a_history_that_one_embassy_holds_alone_is_not_adopted(tmp_path: Path) -> None:
    home = _grown(tmp_path, batches=3)
    agreed = home.journal.size
    home.take(home.command())
    home.deliver("embassy-1")
    settlement = settle_log(_sources(home), home.tower.policy, home.tower.origin)
    assert settlement.checkpoint.size == agreed
    assert [(tail.embassy, tail.size) for tail in settlement.tails] == [("embassy-1", agreed + 1)]
    alone = settle_log(
        _sources(home, "embassy-1", "embassy-2"), home.tower.policy, home.tower.origin
    )
    assert alone.checkpoint.size == agreed
    assert not alone.certain
    with pytest.raises(NotSettled):
        settle_log(_sources(home, "embassy-1"), home.tower.policy, home.tower.origin)


def test_an_embassy_whose_tiles_are_damaged_keeps_nobody_from_settling(tmp_path: Path) -> None:
    home = _grown(tmp_path, batches=3)
    agreed = home.journal.size
    home.take(home.command())
    home.deliver("embassy-1")
    [log] = home.embassies["embassy-1"].mirror._by_hash.values()
    for path in log.store.names("tile/"):
        log.store.damage(path, Damage.CUT)
    settlement = settle_log(_sources(home), home.tower.policy, home.tower.origin)
    assert settlement.checkpoint.size == agreed
    assert settlement.holders == ("embassy-2", "embassy-3", "embassy-4")
    assert settlement.tails == ()
    two = _sources(home, "embassy-1", "embassy-2")
    with pytest.raises(NotSettled):
        settle_log(two, home.tower.policy, home.tower.origin)


def test_an_embassy_that_is_ahead_gives_what_was_adopted_too(tmp_path: Path) -> None:
    home = _grown(tmp_path, batches=6)
    agreed = home.journal.size
    root = home.journal.root_at(agreed)
    for number in range(3):
        home.take(home.command(times=200), tokens=str(number))
    home.answers.clear()
    home.deliver("embassy-1")
    ahead = _sources(home, "embassy-1")
    [log] = home.embassies["embassy-1"].mirror._by_hash.values()
    for path in log.store.names("tile/"):
        if path.endswith(f".p/{agreed % 256}"):
            log.store.damage(path, Damage.GONE)
    plan = EpochPlan(
        home.tower.origin, 0, agreed, root, [("embassy-1", tiles_of(ahead[0], home.tower.origin))]
    )
    _, report = _rebuilt(home, [plan], tmp_path / "new")
    assert report.acts == agreed


class _OtherSeals:
    """Seals under a key that no rebuild has."""

    def seal(self, plaintext: bytes, names: Sequence[bytes] = ()) -> bytes:
        from fakes.signers import MadeUpTower

        return MadeUpTower(seed=77).sealer.seal(plaintext, names)


def test_a_full_disk_is_no_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with this machine just now takes no act out of the registers."""
    home = _grown(tmp_path, batches=3)

    def fails(services: object, rows: object, act: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr("kulla.rebuild.applying.apply_act", fails)
        with pytest.raises(sqlite3.OperationalError):
            _rebuilt(home, _plans(home, _sources(home)), tmp_path / "new")
    connection, report = _rebuilt(home, _plans(home, _sources(home)), tmp_path / "new")
    assert report.case_count == 0
    assert _all_rows(connection) == _all_rows(home.connection)
