"""What can go wrong in a drill beside the blow: one file for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kulla.drill.fault import Fault
from kulla.drill.faults.between_rounds import BetweenRounds
from kulla.drill.faults.clock import WrongClocks
from kulla.drill.faults.disk_full import DiskFull
from kulla.drill.faults.kill import Kill
from kulla.drill.faults.lying_embassy import LyingEmbassy
from kulla.drill.faults.partition import Partition
from kulla.drill.faults.slow import Slow
from kulla.drill.faults.torn import Torn
from kulla.drill.faults.zombie_home import ZombieHome

FAULTS: Final[Mapping[str, type[Fault]]] = {
    fault.name: fault
    for fault in (
        Fault,
        Kill,
        DiskFull,
        Torn,
        Partition,
        Slow,
        LyingEmbassy,
        WrongClocks,
        BetweenRounds,
        ZombieHome,
    )
}
"""All of them by the name that `--fault` takes; '' is none."""
