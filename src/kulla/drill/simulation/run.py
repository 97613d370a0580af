"""Many seeds, in this process or in several, and what became of them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from kulla.drill.simulation.coverage import SITUATIONS
from kulla.drill.simulation.one_seed import SeedResult, run_seed, tidy_after, undisturbed
from kulla.kernel.edges import Clock

_SEEDS_AT_ONCE: Final = 20
_whole_life = ExitStack()


@dataclass(slots=True)
class SimulationReport:
    """What many seeds came to.

    situations: how often each thing happened that the simulator is for (coverage.py). undecided:
    countries that were left to the custodians. seconds, seeds_per_s: by the clock on the wall, over
    all `jobs` processes; all else is the same whatever `jobs` was.
    """

    first_seed: int
    build: str = ""
    jobs: int = 1
    seeds: int = 0
    failed: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    failing_seeds: list[int] = field(default_factory=list)
    acts: int = 0
    accepted: int = 0
    refused: int = 0
    takeovers: int = 0
    undecided: int = 0
    situations: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITUATIONS, 0))
    seconds: float = 0.0
    seeds_per_s: float = 0.0

    def add(self, result: SeedResult) -> None:
        """Count one seed."""
        self.seeds += 1
        self.acts += result.acts
        self.accepted += result.accepted
        self.refused += result.refused
        self.takeovers += result.takeovers
        self.undecided += result.undecided
        for situation, count in result.situations.items():
            self.situations[situation] += count
        if result.kind:
            self.failed += 1
            self.kinds = dict(Counter(self.kinds) + Counter([result.kind]))
            self.failing_seeds.append(result.seed)

    def as_map(self) -> dict[str, Any]:
        """The report for a JSON file."""
        return asdict(self)


def cores() -> int:
    """How many processes may run at once here."""
    return len(os.sched_getaffinity(0))


def run_seeds(
    seeds: Sequence[int],
    clock: Clock,
    build: str = "",
    on_seed: Callable[[SeedResult, SimulationReport], None] = lambda *_: None,
    *,
    jobs: int = 1,
    until_failed: bool = False,
) -> SimulationReport:
    """Run `seeds` in order and report; `on_seed` is told of each. Stops early if asked to.

    With `jobs` above 1 in so many processes: seeds are told in order all the same, and of those
    that held no history comes back.
    """
    report = SimulationReport(seeds[0] if seeds else -1, build, jobs)
    start_s = clock.monotonic_s()
    results = _here(seeds, build) if jobs == 1 else _beside(seeds, build, jobs)
    try:
        for result in results:
            report.add(result)
            report.seconds = round(clock.monotonic_s() - start_s, 3)
            report.seeds_per_s = round(report.seeds / max(report.seconds, 0.001), 2)
            on_seed(result, report)
            if result.kind and until_failed:
                break
    finally:
        results.close()
    return report


def _here(seeds: Sequence[int], build: str) -> Generator[SeedResult, None, None]:
    with undisturbed():
        for count, seed in enumerate(seeds, 1):
            yield run_seed(seed, build)
            tidy_after(count)


def _beside(seeds: Sequence[int], build: str, jobs: int) -> Generator[SeedResult, None, None]:
    """From a fork server, and not by forking: this process may have threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(jobs, context, initializer=_stay_undisturbed)
    try:
        parts = [
            pool.submit(_some, seeds[at : at + _SEEDS_AT_ONCE], build)
            for at in range(0, len(seeds), _SEEDS_AT_ONCE)
        ]
        while parts:
            yield from parts.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)


def _stay_undisturbed() -> None:
    """What a process that does nothing else begins with, and never leaves."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _whole_life.enter_context(undisturbed())


def _end_with_parent() -> None:
    """Who is killed can't tell the others to stop; they see it by themselves."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _some(seeds: Sequence[int], build: str) -> list[SeedResult]:
    results = []
    for seed in seeds:
        result = run_seed(seed, build)
        if not result.kind:
            result.trace = []
        results.append(result)
    tidy_after(0)
    return results
