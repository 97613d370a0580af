"""Whole countries under one seed each: nothing acknowledged is lost, whatever breaks.

A seed that fails is printed with its history; `kulla drill simulate --seeds 1 --seed N` gives it
again. So that the simulator can be believed, it must come into every situation that it is for, and
see through builds that are broken on purpose.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from kulla.cli.main import main
from kulla.drill.simulation.coverage import RARE, SITUATIONS
from kulla.drill.simulation.home import HomeProcess
from kulla.drill.simulation.mortal import Died
from kulla.drill.simulation.one_seed import SeedResult, run_seed, undisturbed
from kulla.drill.simulation.past import faultless
from kulla.drill.simulation.plot import BUILDS
from kulla.drill.simulation.run import SimulationReport, cores, run_seeds
from kulla.drill.simulation.takeover import Takeover
from kulla.drill.simulation.world import World
from kulla.kernel.edges import SystemClock

QUICK = os.environ.get("KULLA_TEST_PROFILE", "quick") == "quick"
SEEDS = 40 if QUICK else 500
FIRST = 1000
"""Of the seeds: with these 500 the rarest situations come three times and more."""
PARTS = 10
BAD_BUILDS = {
    "no-fsync": {"broken", "forgotten", "lost", "two-histories"},
    "quorum-1": {"above-watermark"},
    "answers-early": {"above-watermark"},
    "repeats-early": {"above-watermark"},
    "pending-dropped": {"broken", "lost", "replay", "told-otherwise", "two-histories"},
    "no-still-home": {"not-home"},
    "no-sealing": {"lost"},
    "sizes-before-seal": {"lost", "followed"},
    "adopts-the-longest": {"lost", "broken", "above-watermark"},
    "settles-anew": {"broken", "lost"},
    "standby-ahead": {"followed"},
}


class Ran:
    """What became of the seeds of the normal run, and how often they came into each situation.

    They run in parts, so that no test takes long where the machine is busy.
    """

    def __init__(self) -> None:
        self.failed: list[SeedResult] = []
        self.situations: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self._parts: set[int] = set()

    def run(self, part: int) -> None:
        """Run one part, once."""
        if part not in self._parts:
            self._parts.add(part)
            count = SEEDS // PARTS
            first = FIRST + part * count
            run_seeds(range(first, first + count), SystemClock(), on_seed=self.note)

    def note(self, result: SeedResult, _: SimulationReport) -> None:
        if result.kind:
            self.failed.append(result)
        for name in ("accepted", "refused", "takeovers", "undecided"):
            self.sums[name] += getattr(result, name)
        self.situations += result.situations


@pytest.fixture(scope="module")
def ran() -> Ran:
    return Ran()


def _told(failed: Sequence[SeedResult]) -> str:
    if not failed:
        return ""
    first = failed[0]
    named = ", ".join(str(result.seed) for result in failed)
    history = "\n".join(first.trace)
    return f"{history}\nseed {first.seed}: {first.kind}: {first.message}\nall that failed: {named}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_everything_holds_in_many_countries(ran: Ran, part: int) -> None:
    ran.run(part)
    assert not ran.failed, _told(ran.failed)


@pytest.fixture
def ran_all(ran: Ran) -> Ran:
    for part in range(PARTS):
        ran.run(part)
    return ran


@pytest.mark.skipif(QUICK, reason="the rarest situations need the 500 seeds of `make test`")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("situation", [each for each in SITUATIONS if each not in RARE])
def test_the_seeds_come_into_every_situation_that_the_simulator_is_for(
    ran_all: Ran, situation: str
) -> None:
    assert ran_all.situations[situation], f"{SEEDS} seeds: the simulator is blind to it"


@pytest.mark.timeout(600)
def test_the_seeds_do_enough_to_mean_something(ran_all: Ran) -> None:
    sums = ran_all.sums
    assert sums["accepted"] > 6 * SEEDS
    assert sums["takeovers"] > SEEDS // 3
    assert sums["refused"] > SEEDS
    assert sums["undecided"] <= SEEDS // 50


def test_every_build_that_is_broken_on_purpose_is_tried() -> None:
    assert BAD_BUILDS.keys() == BUILDS.keys() - {""}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("build", sorted(BAD_BUILDS))
def test_a_known_bad_build_is_found_within_1000_seeds(build: str) -> None:
    kinds: list[str] = []

    def note(result: SeedResult, _: SimulationReport) -> None:
        if result.kind:
            kinds.append(result.kind)

    report = run_seeds(range(1000), SystemClock(), build, note, until_failed=True)
    assert report.failed == 1, f"1,000 seeds passed with {build}"
    assert kinds[0] in BAD_BUILDS[build]


def test_the_same_seed_gives_the_same_history() -> None:
    with undisturbed():
        first = [run_seed(seed).trace for seed in range(7, 12)]
        second = [run_seed(seed).trace for seed in range(7, 12)]
    assert first == second
    assert len(set(map(tuple, first))) == len(first)


def _founded(seed: int, **changes: object) -> World:
    """A country without a fault in which everything is level, and what a round did not bring yet.

    `changes` are of its profile.
    """
    world = World(seed, profile=replace(faultless(seed), **changes))  # type: ignore[arg-type]
    world.turn()
    world.citizens.ask_again(world.home)
    for _ in range(4):
        world.turn()
    assert not world.citizens.waiting
    return world


def test_a_takeover_that_begins_again_adopts_what_it_adopted_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its registers stand on that already; now fewer embassies answer, and they hold less."""
    world = _founded(1)
    agreed = world.acts
    world.citizens.one_more(world.home)
    for _ in range(2):
        world.home.act(HomeProcess.tick)
        for name in ("north", "east"):
            world.home.carry(name)
    world.home.destroy()
    takeover = Takeover(world, "home-2")
    with monkeypatch.context() as patch:
        patch.setattr(Takeover, "_bring_keys", _die)
        takeover.run()
    world.network.cut.add(("home-2", "north"))
    takeover.run()
    assert takeover.done, takeover.last_fault
    assert takeover.folder.opening is not None
    assert takeover.folder.opening["adopted_size"] == agreed + 1


def _die(*_: object) -> None:
    raise Died


def test_of_two_takeovers_at_once_one_comes_to_a_home_and_the_other_does_no_harm() -> None:
    """Both have custodians' signatures, and both decided before either sealed."""
    world = _founded(2)
    world.home.destroy()
    first, second = Takeover(world, "home-2"), Takeover(world, "home-3")
    for site in ("home-2", "home-3"):
        world.network.cut.update((site, name) for name in ("north", "east"))
    first.run()
    second.run()
    world.network.cut.clear()
    assert not first.done
    assert not second.done
    first.run()
    second.run()
    assert [first.done, second.done].count(True) == 1
    winner = first if first.done else second
    world.takeovers.under_way.clear()
    world.new_home(winner.name, winner.folder)
    one_more = world.citizens.one_more(world.home)
    for _ in range(6):
        world.turn()
        for takeover in (first, second):
            takeover.run()
        world.citizens.ask_again(world.home)
    assert one_more.done
    assert [first.done, second.done].count(True) == 1


def test_a_standby_that_starts_again_knows_of_an_epoch_that_was_left_empty() -> None:
    world = _founded(3, standby=True)
    standby = world.standby
    assert standby is not None
    for name in ("home-2", "home-3"):
        world.home.destroy()
        takeover = Takeover(world, name)
        takeover.run()
        assert takeover.done, takeover.last_fault
    world.new_home("home-3", takeover.folder)
    for _ in range(4):
        world.turn()
    standby.kill(power=False)
    for _ in range(2):
        world.turn()
    assert standby.position == world.acts > 4
    assert not world.situations["a standby begins anew"]


@pytest.mark.live
def test_another_process_lives_through_the_same_history() -> None:
    said = set()
    code = (
        "from kulla.drill.simulation.one_seed import run_seed, undisturbed\n"
        "with undisturbed():\n"
        "    print([run_seed(seed).fingerprint for seed in range(20, 30)])\n"
    )
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        words = [sys.executable, "-c", code]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1


@pytest.mark.live
def test_several_processes_report_the_same_and_in_order() -> None:
    reports, orders = [], []
    for jobs in (1, 2):
        order: list[tuple[int, str]] = []

        def note(result: SeedResult, _: SimulationReport, order: list = order) -> None:
            order.append((result.seed, result.fingerprint))

        report = run_seeds(range(50), SystemClock(), "repeats-early", note, jobs=jobs)
        reports.append(replace(report, jobs=0, seconds=0.0, seeds_per_s=0.0))
        orders.append(order)
    assert reports[0] == reports[1]
    assert reports[0].failed > 1
    assert orders[0] == orders[1]
    assert [seed for seed, _ in orders[0]] == list(range(50))


def _below(pid: int) -> list[int]:
    """The processes that this one started, and theirs."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *_below(child)]
    return found


def _works(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.live
def test_nothing_goes_on_where_the_command_is_killed() -> None:
    words = [sys.executable, "-m", "kulla", "drill", "simulate", "--seeds", "100000"]
    command = subprocess.Popen([*words, "--jobs", "2"], stderr=subprocess.DEVNULL)
    pause = threading.Event()
    while len(started := _below(command.pid)) < 4:  # two of multiprocessing's own, two jobs
        assert command.poll() is None
        pause.wait(0.05)
    command.kill()
    command.wait()
    while any(map(_works, started)):
        pause.wait(0.05)


def test_the_command_reports_and_a_failing_seed_prints_how_to_see_it_again(tmp_path: Path) -> None:
    score = tmp_path / "score.json"
    words = ["drill", "simulate", "--seeds", "3", "--seed", "40", "--jobs", "1"]
    words += ["--json", str(score)]
    good = CliRunner().invoke(main, words)
    assert good.exit_code == 0, good.output
    report = json.loads(score.read_text())
    assert (report["first_seed"], report["seeds"], report["failed"]) == (40, 3, 0)
    assert report["seeds_per_s"] > 0
    assert report["situations"].keys() == set(SITUATIONS)
    bad = CliRunner().invoke(main, [*words, "--build", "answers-early"])
    assert bad.exit_code == 1
    assert "Again: kulla drill simulate --seeds 1 --seed 40 --build answers-early" in bad.output
    assert "above-watermark" in bad.output
    unknown = CliRunner().invoke(main, [*words, "--build", "none-such"])
    assert unknown.exit_code == 2
    assert all(build in unknown.output for build in BAD_BUILDS)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(20))
def test_everything_holds_in_20000_countries(part: int, seed: int) -> None:
    failed: list[SeedResult] = []

    def note(result: SeedResult, _: SimulationReport) -> None:
        if result.kind:
            failed.append(result)

    start = seed + 1000 * part
    run_seeds(range(start, start + 1000), SystemClock(), on_seed=note, jobs=cores())
    assert not failed, _told(failed)
