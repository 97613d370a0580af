"""What a drill is told, and what it writes down as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.crowd import BOOKINGS_EACH
from kulla.drill.passkey import Device
from kulla.drill.reading import Shown
from kulla.drill.report import WipeReport, machine, version
from kulla.drill.told import Answers, Wish
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError

MORE: Final = 0.1
SPARE_CITIZENS: Final = 60
_TROUBLED: Final = 3
_AT_ONCE_IN_TROUBLE: Final = 24

Say = Callable[[str], None]


class DrillFailed(KullaError):
    """A drill that could not be carried through, so that it says nothing."""


@dataclass(frozen=True, slots=True)
class WipePlan:
    """One drill. `acts` must be acknowledged before the blow; `at_once` citizens are there.

    folder: where the drill makes its own. keep: a folder for what others may check, or None.
    fault: what else goes wrong, by its name in `faults.FAULTS`; '' for nothing. journal: so many
    acts are in the journal before the citizens come; 0: those of the founding alone. standby: a
    standby follows, and takes over.
    """

    seed: int
    folder: Path
    acts: int = 10_000
    citizens: int = 0
    keep: Path | None = None
    at_once: int = 64
    fault: str = ""
    journal: int = 0
    standby: bool = False

    @property
    def people(self) -> int:
        """How many citizens the demo country gets: while there is trouble, more of them come."""
        times = _TROUBLED if self.fault else 1
        return self.citizens or times * _people_for(self.acts)

    @property
    def crowd(self) -> int:
        """How many citizens are there at once.

        Trouble takes its time, so fewer are there: not all may be gone before it has come.
        """
        return min(self.at_once, _AT_ONCE_IN_TROUBLE) if self.fault else self.at_once


def _people_for(acts: int) -> int:
    """How many citizens do so many acts, each some less than they would like, and some to spare."""
    return int(acts * (1 + MORE)) // (BOOKINGS_EACH - 1) + 2 * SPARE_CITIZENS


@dataclass
class Notes:
    """A drill's notes.

    wiped_s: the moment of the blow. pages: what each citizen saw on their own page in the end.
    again: receipts that were fetched once more from the new home.
    """

    plan: WipePlan
    clock: Clock
    say: Say
    answers: Answers = field(default_factory=Answers)
    wiped_s: float = 0.0
    pages: dict[str, dict[str, Shown]] = field(default_factory=dict)
    again: list[Wish] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.report = WipeReport(
            seed=self.plan.seed, fault=self.plan.fault, machine=machine(), version=version()
        )
        self.device = Device(chance_of(self.plan.seed, "device"))

    def since_wiped_s(self) -> float:
        """Seconds since the blow, for the score."""
        return round(self.clock.monotonic_s() - self.wiped_s, 3)
