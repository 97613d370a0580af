"""A standby follows, stops at what is not right, and says so; it may die at any step."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path

import pytest

from fakes.home import TABLES, HomeInProcess
from fakes.standby import StandbyInProcess
from fakes.taking_over import LOST, TakingOver
from kulla.drill.simulation.mortal import Died
from kulla.journal.simulated import Damage
from kulla.journal.tiles import ENTRIES, tile_path
from kulla.rebuild.chain import EpochPlan, rebuild_registers
from kulla.rebuild.sources import HttpSource, tiles_of
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.standby.alarms import Alarms


@pytest.fixture
def home(tmp_path: Path) -> HomeInProcess:
    made = HomeInProcess(tmp_path)
    made.deliver()
    return made


@pytest.fixture
def standby(home: HomeInProcess, tmp_path: Path) -> StandbyInProcess:
    folder = tmp_path / "follows"
    folder.mkdir()
    return StandbyInProcess(home, folder)


def _live(home: HomeInProcess, batches: int = 3, seed: int = 1, most: int = 40) -> None:
    chance = random.Random(seed)
    for _ in range(batches):
        home.take(
            *(
                home.command(counter=f"c{chance.randrange(9)}", times=chance.randrange(1, most))
                for _ in range(4)
            )
        )
        home.deliver()
        home.answers.clear()


def test_it_holds_what_home_holds_row_by_row_after_each_round(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    assert standby.follow() == 0
    for seed in range(6):
        _live(home, 1, seed, most=90)
        assert standby.follow() == home.journal.size
        assert standby.rows() == standby.home_rows()
    assert home.journal.size > 600
    assert standby.lasting() == []


def test_it_goes_on_with_some_embassies_down_and_waits_without_a_quorum(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    home.embassies["embassy-2"].down = True
    _live(home)
    assert standby.follow() == home.journal.size
    before = home.journal.size
    home.embassies["embassy-3"].down = True
    _live(home, seed=2)
    assert standby.follow() == before
    standby.home.clock.at_ms += 61_000
    standby.follow()
    assert standby.lasting() == [
        ("embassy", "embassy-2"),
        ("embassy", "embassy-3"),
        ("quorum", ""),
    ]
    home.embassies["embassy-3"].down = False
    home.deliveries["embassy-3"].bring(home.journal.join(()))
    assert standby.follow() == home.journal.size
    assert standby.lasting() == [("embassy", "embassy-2")]


def test_it_replays_nothing_that_a_quorum_does_not_hold(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home)
    confirmed = home.journal.size
    home.take(home.command(), tokens="x")
    home.deliver("embassy-1", "embassy-2")
    stepped = standby.follower.step()
    assert (standby.follow(), stepped.confirmed) == (confirmed, confirmed)
    assert stepped.known == confirmed + 1


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_wherever_it_dies_it_goes_on_to_the_same_registers(
    home: HomeInProcess, tmp_path: Path, done: bool
) -> None:
    _live(home, 3, most=60)
    earlier = StandbyInProcess(home, tmp_path)
    earlier.follow()
    earlier.die()
    _live(home, 1, seed=2, most=9)
    blob = b"wrapped"
    home.blobs[hashlib.sha256(blob).digest()] = blob
    home.take(home.command("blob", blob=hashlib.sha256(blob).digest()), tokens="b")
    home.deliver()
    assert home.journal.size > 256
    last = 0
    while True:
        last += 1
        folder = tmp_path / f"dies-{last}"
        folder.mkdir()
        for name in ("standby", "waiting"):
            shutil.copy(tmp_path / name, folder / name)
        standby = StandbyInProcess(home, folder)
        standby.stores = {name: store.copy() for name, store in earlier.stores.items()}
        standby.life.last, standby.life.done = standby.life.steps + last, done
        try:
            standby.follow()
            break
        except Died:
            standby.die()
        standby.begin()
        assert standby.follow() == home.journal.size, last
        assert standby.rows() == standby.home_rows(), last
        assert standby.wanted.counts() == (1, 0), last
        assert standby.lasting() == [], last
    assert last > 30


def test_a_step_costs_what_is_new_and_not_the_whole_journal(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    def asked_for_one_act() -> int:
        home.take(home.command(), tokens="x")
        home.deliver()
        home.answers.clear()
        for embassy in home.embassies.values():
            embassy.asked.clear()
        standby.follower.step()
        assert standby.follower.position == home.journal.size
        return sum(len(embassy.asked) for embassy in home.embassies.values())

    _live(home, 1)
    standby.follow()
    short = asked_for_one_act()
    _live(home, 60, most=60)
    standby.follow()
    assert home.journal.size > 5000
    assert asked_for_one_act() <= short + 2
    for embassy in home.embassies.values():
        embassy.asked.clear()
    standby.follower.step()
    assert all(len(embassy.asked) == 2 for embassy in home.embassies.values())


def test_a_damaged_tile_at_one_embassy_is_an_alarm_and_another_gives_it(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home, 5)
    [log] = home.embassies["embassy-1"].mirror._by_hash.values()
    log.store.damage(tile_path(ENTRIES, 0), Damage.FLIPPED)
    assert standby.follow() == home.journal.size
    assert standby.rows() == standby.home_rows()
    assert standby.lasting() == [("tiles", "embassy-1")]
    _live(home, 1, seed=3)
    standby.follow()
    assert standby.lasting() == []


def test_where_no_embassy_gives_the_next_entries_it_waits_and_goes_on_later(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home, 5, most=60)
    assert home.journal.size > 256
    kept = {}
    for name, embassy in home.embassies.items():
        [log] = embassy.mirror._by_hash.values()
        path = log.store.names("tile/entries/001")[-1]
        kept[name] = (log.store, path, log.store._seen.pop(path), log.store._durable.pop(path))
    assert standby.follow() == 0
    assert ("tiles", home.tower.origin) in standby.lasting()
    for store, path, seen, durable in kept.values():
        store._seen[path], store._durable[path] = seen, durable
    assert standby.follow() == home.journal.size
    assert standby.rows() == standby.home_rows()
    assert standby.lasting() == []


def test_an_embassy_that_cant_prove_what_it_says_keeps_nobody_from_following(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home, 3)
    agreed = home.journal.size
    home.take(home.command(), tokens="x")
    home.deliver("embassy-1")
    [log] = home.embassies["embassy-1"].mirror._by_hash.values()
    for path in log.store.names("tile/"):
        log.store.damage(path, Damage.CUT)
    assert standby.follow() == agreed
    assert ("tiles", "embassy-1") in standby.lasting()


@pytest.mark.parametrize("longer", [False, True], ids=["shorter", "longer"])
def test_another_history_at_one_embassy_is_a_fork_and_is_not_followed(
    home: HomeInProcess, standby: StandbyInProcess, tmp_path: Path, longer: bool
) -> None:
    """A thief with home's key feeds one embassy alone."""
    elsewhere = tmp_path / "thief"
    elsewhere.mkdir()
    thief = HomeInProcess(elsewhere)
    thief.deliver()
    _live(home, 3)
    _live(thief, 6 if longer else 1, seed=9)
    standby.embassies["embassy-3"] = thief.embassies["embassy-3"]
    standby.begin()
    assert standby.follow() == home.journal.size
    assert standby.rows() == standby.home_rows()
    assert standby.lasting() == [("fork", "embassy-3")]
    assert len(standby.evidence) == 2
    assert all(b"journal.kulla.example/1" in note for note in standby.evidence.values())
    # It stays an alarm when the embassy is gone.
    thief.embassies["embassy-3"].down = True
    standby.follow()
    assert ("fork", "embassy-3") in standby.lasting()


def test_an_embassy_that_shows_less_than_before_is_an_alarm(
    home: HomeInProcess, standby: StandbyInProcess, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "old"
    elsewhere.mkdir()
    old = HomeInProcess(elsewhere)
    old.deliver()
    _live(home, 3)
    standby.follow()
    standby.embassies["embassy-3"] = old.embassies["embassy-3"]
    standby.follower.embassies.clients["embassy-3"] = old.embassies["embassy-3"].client()
    standby.follow()
    assert ("back", "embassy-3") in standby.lasting()


def test_an_entry_that_does_not_open_stops_it_unless_custodians_go_on(
    home: HomeInProcess, standby: StandbyInProcess, tmp_path: Path
) -> None:
    from fakes.signers import MadeUpTower

    _live(home)
    standby.follow()
    before = home.journal.size
    home.writer._seals = MadeUpTower(seed=77).sealer
    home.take(home.command(), tokens="x")
    home.deliver()
    assert standby.follow() == before
    [alarm] = standby.alarms.lasting()
    assert (alarm.kind, alarm.place) == ("entry", f"entry {before} (position {before})")
    standby.die()
    standby.go_on = True
    standby.begin()
    assert standby.follow() == before + 1
    assert [kind for kind, _ in standby.lasting()] == ["case"]


def test_acts_that_become_cases_are_an_alarm(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home)
    home.take(home.command("fault", where="apply"), tokens="x")
    home.deliver()
    standby.home.services = {}
    standby.begin()
    assert standby.follow() == home.journal.size
    assert standby.told == ["case"]
    assert "no service here knows" in standby.alarms.lasting()[0].message


def test_a_key_that_no_embassy_gives_is_an_alarm_until_one_does(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    blob = b"a wrapped key"
    name = hashlib.sha256(blob).digest()
    home.blobs[name] = blob
    home.take(home.command("blob", blob=name), tokens="b")
    home.deliver()
    lost = {embassy: each.mirror.blobs for embassy, each in home.embassies.items()}
    for each in home.embassies.values():
        each.mirror.blobs = _NoBlobs()  # type: ignore[assignment]
    standby.follow()
    assert (standby.wanted.counts(), standby.lasting()) == ((1, 1), [])
    home.clock.at_ms += 61_000
    standby.follow()
    assert standby.lasting() == [("key", "")]
    home.embassies["embassy-4"].mirror.blobs = lost["embassy-4"]
    home.clock.at_ms += 6_000
    standby.follow()
    assert (standby.wanted.counts(), standby.lasting()) == ((1, 0), [])
    assert standby.wanted.blobs([name]) == {name: blob}


class _NoBlobs:
    def get(self, name: bytes) -> bytes:
        from kulla.embassy.errors import BlobMissing

        raise BlobMissing("it is not here.")


def test_silence_of_home_is_an_alarm_until_it_signs_again(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home)
    standby.follow()
    home.clock.at_ms += 601_000
    standby.follow()
    assert standby.lasting() == [("home", "")]
    _live(home, seed=4)
    standby.follow()
    assert standby.lasting() == []


def test_its_own_damaged_tiles_are_noticed_and_all_is_read_again(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home, 5)
    standby.follow()
    [store] = standby.stores.values()
    standby.die()
    for path in store.names("tile/0/"):
        store.damage(path, Damage.FLIPPED)
    standby.begin()
    _live(home, 1, seed=8)
    assert standby.follow() == home.journal.size
    assert standby.told == ["disowned"]
    assert standby.rows() == standby.home_rows()


def test_it_follows_over_a_takeover_and_says_nothing(
    home: HomeInProcess, standby: StandbyInProcess
) -> None:
    _live(home)
    standby.follow()
    home.take(home.command(), tokens="x")
    home.deliver()
    home.embassies[LOST].down = True
    taking = TakingOver(home)
    taking.seal()
    taking.go_on()
    standby.follow()
    home.deliver()
    home.take(home.command(), tokens="n")
    home.deliver()
    assert standby.follow() == taking.settlement.checkpoint.size + 2
    assert standby.rows() == standby.home_rows()
    assert standby.told == []
    standby.die()
    standby.begin()
    home.answers.clear()
    home.take(home.command(), tokens="m")
    home.deliver()
    assert standby.follow() == taking.settlement.checkpoint.size + 3
    assert standby.rows() == standby.home_rows()
    assert standby.follower.embassies.policy.version == 2


def test_what_a_takeover_did_not_adopt_is_forgotten_with_an_alarm(
    home: HomeInProcess, standby: StandbyInProcess, tmp_path: Path
) -> None:
    """Custodians went on with too few embassies, whatever a quorum once held."""
    _live(home)
    adopted = home.journal.size
    home.take(home.command(), tokens="x")
    home.deliver("embassy-1", "embassy-2", LOST)
    assert standby.follow() == adopted + 1
    taking = TakingOver(home)
    for name in ("embassy-1", LOST):
        home.embassies[name].down = True
    taking.seal()
    assert taking.settlement.checkpoint.size == adopted
    _use_registers_of(home, adopted, tmp_path / "new")
    home.embassies["embassy-1"].down = False
    taking.go_on()
    home.deliver()
    assert standby.follow() == adopted + 1
    assert standby.told == ["disowned"]
    assert standby.rows() == standby.home_rows()


def _use_registers_of(home: HomeInProcess, size: int, path: Path) -> None:
    """Let the new home have registers of what was adopted."""
    connection = open_registers(path, create=True)
    create_tables(connection, TABLES)
    origin, key = home.tower.origin, home.tower.journal_key
    rows = LiveRows(connection, TABLES)
    rows.put("kulla_epoch", {"number": 1, "origin": origin, "base": 0, "root_before": None})
    source = HttpSource(home.embassies["embassy-2"].client())
    stores = [("embassy-2", tiles_of(source, origin))]
    plan = EpochPlan(origin, 0, size, home.journal.root_at(size), stores)
    rebuild_registers([plan], {key.key_id: key}, connection, TABLES, home.services)
    home.connection, home.writer._rows = connection, rows


def test_alarms_survive_a_restart_and_stay_few(home: HomeInProcess) -> None:
    alarms = Alarms(home.clock)
    for number in range(500):
        alarms.sound("entry", "it does not open", f"entry {number}")
    alarms.sound("home", "it is silent")
    kept = Alarms(home.clock)
    kept.restore(alarms.state())
    assert kept.all() == alarms.all()
    assert len(kept.all()) <= 200
    kept.over("home")
    kept.over("entry", "entry 499")
    assert [alarm.kind for alarm in kept.lasting()][-1] == "entry"
    kept.sound("home", "it is silent again")
    assert kept.lasting()[-1].number > alarms.all()[-1].number
