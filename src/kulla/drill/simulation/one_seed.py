"""One seed, and what became of it."""

from __future__ import annotations

import gc
import hashlib
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from kulla.drill.simulation import country
from kulla.drill.simulation.judge import Violation
from kulla.drill.simulation.mortal import Died
from kulla.drill.simulation.past import world_of
from kulla.drill.simulation.remembered import forget, remembering
from kulla.drill.simulation.world import World

_SEEDS_A_CLEARING: Final = 50


@dataclass(slots=True)
class SeedResult:
    """What became of one seed.

    kind: '' where all held, else what did not (judge.Judge), or 'raised' for an error that nothing
    in Kulla expects. fingerprint: a hash of its history; two runs of one seed have the same.
    trace: the history, step by step.
    """

    seed: int
    kind: str = ""
    message: str = ""
    fingerprint: str = ""
    trace: list[str] = field(default_factory=list)
    acts: int = 0
    accepted: int = 0
    refused: int = 0
    takeovers: int = 0
    undecided: bool = False
    situations: Counter[str] = field(default_factory=Counter)


def run_seed(seed: int, build: str = "") -> SeedResult:
    """Run one seed in the named build; the same arguments give the same trace.

    Use it inside `undisturbed` where many seeds are run.
    """
    result = SeedResult(seed)
    world: World | None = None
    try:
        world = world_of(seed, build)
        world.run()
    except Violation as violation:
        result.kind, result.message = violation.kind, violation.message
    except (Exception, Died) as error:
        place = traceback.format_exception(error)
        result.kind, result.message = "raised", "".join(place[-4:])
    if world is not None:
        result.trace = world.trace
        result.fingerprint = hashlib.sha256("\n".join(world.trace).encode()).hexdigest()[:16]
        result.acts = world.acts
        result.accepted = len(world.judge.accepted)
        result.refused = world.judge.refused
        result.takeovers = world.takeovers.done
        result.undecided = world.undecided
        result.situations = world.situations
        world.let_go()
    return result


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep logs quiet and the collector of garbage away; and remember (remembered.py)."""
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


def tidy_after(seeds: int) -> None:
    """Let go of what is left of many worlds at once, after so many seeds: to look takes long."""
    forget()
    if seeds % _SEEDS_A_CLEARING == 0:
        gc.collect()
        gc.freeze()  # what is left will stay


def _drop(*_: Any) -> Any:
    raise structlog.DropEvent
