"""Many seeds, one after the other, and what became of them."""

from __future__ import annotations

import gc
import hashlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import structlog

from kulla.drill.simulation import country
from kulla.drill.simulation.judge import Violation
from kulla.drill.simulation.mortal import Died
from kulla.drill.simulation.plot import BUILDS
from kulla.drill.simulation.remembered import forget, remembering
from kulla.drill.simulation.world import World
from kulla.kernel.edges import Clock

_SEEDS_A_CLEARING: Final = 50


@dataclass(slots=True)
class SeedResult:
    """What became of one seed.

    kind: '' where all held, else what did not (judge.Judge), or 'raised' for an error that nothing
    in Kulla expects. trace: its history, step by step.
    """

    seed: int
    kind: str = ""
    message: str = ""
    trace: list[str] = field(default_factory=list)
    acts: int = 0
    accepted: int = 0
    refused: int = 0
    takeovers: int = 0
    undecided: bool = False

    @property
    def fingerprint(self) -> str:
        """A hash of the history: two runs of one seed have the same."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]


@dataclass(slots=True)
class SimulationReport:
    """What many seeds came to. seeds_per_s: by the clock on the wall, on one core."""

    first_seed: int
    build: str = ""
    seeds: int = 0
    failed: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    failing_seeds: list[int] = field(default_factory=list)
    acts: int = 0
    accepted: int = 0
    refused: int = 0
    takeovers: int = 0
    undecided: int = 0
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
        if result.kind:
            self.failed += 1
            self.kinds = dict(Counter(self.kinds) + Counter([result.kind]))
            self.failing_seeds.append(result.seed)

    def as_map(self) -> dict[str, Any]:
        """The report for a JSON file."""
        return asdict(self)


def run_seed(seed: int, build: str = "") -> SeedResult:
    """Run one seed in the named build; the same arguments give the same trace.

    Use it inside `undisturbed` where many seeds are run.
    """
    result = SeedResult(seed)
    world: World | None = None
    try:
        world = World(seed, BUILDS[build])
        world.run()
    except Violation as violation:
        result.kind, result.message = violation.kind, violation.message
    except (Exception, Died) as error:
        place = traceback.format_exception(error)
        result.kind, result.message = "raised", "".join(place[-4:])
    if world is not None:
        result.trace = world.trace
        result.acts = world.acts
        result.accepted = len(world.judge.accepted)
        result.refused = world.judge.refused
        result.takeovers = world.takeovers
        result.undecided = world.undecided
        world.let_go()
    return result


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep logs quiet, and let the collector of garbage look at new objects alone."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(50))
    country.empty_registers()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        with remembering():
            yield
    finally:
        gc.enable()
        gc.unfreeze()
        structlog.configure(**before)


def _tidy(seeds: int) -> None:
    """Let go of what is left of many worlds at once: to look for it takes long."""
    forget()
    if seeds % _SEEDS_A_CLEARING == 0:
        gc.collect()


def _drop(*_: Any) -> Any:
    raise structlog.DropEvent


def run_seeds(
    seeds: Iterable[int],
    clock: Clock,
    build: str = "",
    on_seed: Callable[[SeedResult, SimulationReport], None] = lambda *_: None,
    *,
    until_failed: bool = False,
) -> SimulationReport:
    """Run `seeds` in order and report; `on_seed` is told of each. Stops early if asked to."""
    report = SimulationReport(first_seed=-1, build=build)
    start_s = clock.monotonic_s()
    with undisturbed():
        for seed in seeds:
            if report.first_seed < 0:
                report.first_seed = seed
            result = run_seed(seed, build)
            _tidy(report.seeds)
            report.add(result)
            report.seconds = round(clock.monotonic_s() - start_s, 3)
            report.seeds_per_s = round(report.seeds / max(report.seconds, 0.001), 2)
            on_seed(result, report)
            if result.kind and until_failed:
                break
    return report
