"""Clocks are wrong by hours and days, and jump back and forth."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.fault import HOME, Fault, Scene
from kulla.drill.skew import Skew
from kulla.drill.throwaway import HOME_PROCESSES, Arrangement, Throwaway
from kulla.tower.minder import ChildSpec
from kulla.tower.up import EMBASSIES

_HOUR_MS: Final = 3_600_000
_JUMPS_HOURS: Final = (-72, -25, -3, -0.5, 0.5, 3, 25, 72)
_JUMPS: Final = 8
_EVERY_S: Final = (0.4, 1.0)


class WrongClocks(Fault):
    """Home's clock and that of one embassy jump by up to three days, each by itself.

    The embassy's clock stays wrong to the end; it is not the one that is wiped, so that the new
    home, whose clock is right, needs it for every act.
    """

    name = "clock"
    later_days = True

    def __init__(self, seed: int) -> None:
        """See Fault."""
        super().__init__(seed)
        self._wrong = self.chance.choice(EMBASSIES)
        self._skews: dict[str, Skew] = {}

    def arrangement(self) -> Arrangement:
        """See Fault."""
        return Arrangement(change=self._change)

    def prepare(self, tower: Throwaway) -> None:
        """See Fault."""
        for who in (HOME, self._wrong):
            self._skews[who] = Skew(tower.guard.root / f"clock-{who}")

    def _change(self, spec: ChildSpec) -> ChildSpec:
        who = HOME if spec.name in HOME_PROCESSES else spec.name.removeprefix("embassy-")
        if who not in self._skews:
            return spec
        return replace(spec, environment={**spec.environment, **self._skews[who].environment})

    def doomed(self) -> tuple[str, ...]:
        """See Fault."""
        right = [name for name in EMBASSIES if name != self._wrong]
        return HOME, chance_of(self.seed, "blow").choice(right)

    async def trouble(self, scene: Scene) -> None:
        """See Fault."""
        self.done |= {"wrong_embassy": self._wrong, "jumps_hours": []}
        await scene.until_acknowledged(0.1)
        for number in range(_JUMPS):
            who = HOME if number % 2 else self._wrong
            hours = self.chance.choice(_JUMPS_HOURS)
            scene.say(f"the clock of {who} is wrong by {hours} hours")
            self._skews[who].set(round(hours * _HOUR_MS))
            self.done["jumps_hours"].append([who, hours])
            before = scene.answers.acknowledged_count
            await asyncio.sleep(self.chance.uniform(*_EVERY_S))
            self.count("confirmed_meanwhile", scene.answers.acknowledged_count - before)
        await scene.until_acknowledged(0.9)

    def look(self, scene: Scene) -> None:
        """See Fault."""
        del scene
        if not self.done.get("confirmed_meanwhile"):
            self.complaints.append("nothing was confirmed while clocks were wrong")
