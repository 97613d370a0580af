"""The lines to embassies are long and thin, one of them by far the most."""

from __future__ import annotations

from typing import Final

from kulla.drill.fault import Fault, Scene
from kulla.drill.proxy import Pace
from kulla.drill.throwaway import Arrangement
from kulla.tower.up import EMBASSIES

_DELAY_S: Final = (0.005, 0.03)
_SLOW: Final = Pace(delay_s=0.25, bytes_per_s=256 * 1024)
_BYTES_PER_S: Final = 4 * 1024 * 1024


class Slow(Fault):
    """Each line delays what it carries, and one embassy is ten times as far and thin as others.

    So it is always behind, and a quorum comes together without it; after the blow it is one of the
    three without which no act is confirmed.
    """

    name = "slow"

    def arrangement(self) -> Arrangement:
        """See Fault."""
        return Arrangement(lines=True)

    async def trouble(self, scene: Scene) -> None:
        """See Fault."""
        slow = self.chance.choice(EMBASSIES)
        for name in EMBASSIES:
            delay_s = round(self.chance.uniform(*_DELAY_S), 3)
            pace = _SLOW if name == slow else Pace(delay_s, _BYTES_PER_S)
            scene.tower.lines.set_pace(pace, name)
            self.done[f"delay_{name}_ms"] = round(pace.delay_s * 1000)
        self.done["slowest"] = slow

    def look(self, scene: Scene) -> None:
        """See Fault."""
        slow = self.done["slowest"]
        self.done["bytes_to_slowest"] = scene.tower.lines[slow].bytes_passed
