"""Processes die by SIGKILL at any moment while citizens book, and are started again."""

from __future__ import annotations

import asyncio
from typing import Final

from kulla.drill.fault import Fault, Scene
from kulla.tower.up import EMBASSIES

_KILLS_OF_EACH: Final = (
    "scribe",
    "keeper",
    "portal worker",
    "embassy",
    "scribe",
    "post",
    "embassy",
)
_EVERY_S: Final = (0.2, 1.2)
_FOUND_S: Final = 30.0


class Kill(Fault):
    """Scribe, keeper, portal workers, post and embassies are killed, in an order of the seed's.

    A killed process is started again by the minder, as `kulla up` does it; while one waits for
    that, another may die. Then home and one embassy are wiped, whoever is down at that moment.
    """

    name = "kill"
    minds = True

    async def trouble(self, scene: Scene) -> None:
        """See Fault."""
        await scene.until_acknowledged(0.05)
        kinds = list(_KILLS_OF_EACH)
        self.chance.shuffle(kinds)
        for kind in kinds:
            await asyncio.sleep(self.chance.uniform(*_EVERY_S))
            what = f"embassy-{self.chance.choice(EMBASSIES)}" if kind == "embassy" else kind
            await self._kill(scene, what)
        await scene.until_acknowledged(0.9)

    async def _kill(self, scene: Scene, what: str) -> None:
        """Kill it, and where it is down just now, as soon as it is up."""
        end_s = scene.clock.monotonic_s() + _FOUND_S
        while scene.clock.monotonic_s() < end_s:
            pid = self._find(scene, what)
            if pid is not None and scene.tower.guard.kill_one(pid):
                scene.say(f"{what} is killed")
                self.count(f"killed_{what.replace(' ', '_').replace('-', '_')}")
                self.count("kills")
                return
            await asyncio.sleep(0.05)

    def _find(self, scene: Scene, what: str) -> int | None:
        scene.tower.adopt()
        if what != "portal worker":
            return scene.tower.children[what].pid
        portal = scene.tower.children["portal"].pid
        workers = [pid for pid in scene.tower.guard.members(portal or 0) if pid != portal]
        return self.chance.choice(workers) if workers else None

    def look(self, scene: Scene) -> None:
        """See Fault."""
        children = scene.tower.children.values()
        self.done["started_again"] = sum(child.starts - 1 for child in children)
        if self.done.get("kills", 0) < len(_KILLS_OF_EACH):
            self.complaints.append(f"only {self.done.get('kills', 0)} processes could be killed")
