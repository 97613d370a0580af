"""Power cuts: what was being written is torn; and one embassy's disk rots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kulla.drill.fault import HOME, Fault, Scene
from kulla.drill.tearing import (
    flip_bits,
    litter,
    tear_lines,
    tear_sqlite,
    tear_write_log,
)
from kulla.drill.throwaway import HOME_PROCESSES, Throwaway
from kulla.embassy.write_log import LOG_NAME
from kulla.tower.up import EMBASSIES

_BACK_S: Final = 60.0


class Torn(Fault):
    """Home loses power, and an embassy, and both come back; another embassy's disk rots.

    A power cut is SIGKILL for all processes of a site, and damage behind the end of what was
    promised: half a record in the write log, a commit frame with a false sum in the database's
    log, temporary files full of noise, a line cut in two. Nothing that an fsync covered is touched.
    At the third site bits flip in the middle of a file. It may refuse to start, or show what is
    damaged: it is the embassy that is lost, so the blow takes home alone.
    """

    name = "torn"
    minds = True

    def __init__(self, seed: int) -> None:
        """See Fault."""
        super().__init__(seed)
        self._torn, self._rotten = self.chance.sample(EMBASSIES, 2)
        self.done |= {"torn_embassy": self._torn, "rotten_embassy": self._rotten}

    def doomed(self) -> tuple[str, ...]:
        """See Fault."""
        return (HOME,)

    def liars(self) -> frozenset[str]:
        """See Fault."""
        return frozenset({self._rotten})

    async def trouble(self, scene: Scene) -> None:
        """See Fault."""
        tower = scene.tower
        await scene.until_acknowledged(0.2)
        await self._cut_power(scene, [f"embassy-{self._torn}"], lambda: self._tear_embassy(tower))
        await scene.until_acknowledged(0.45)
        await self._cut_power(scene, HOME_PROCESSES, lambda: self._tear_home(tower))
        await scene.until_acknowledged(0.7)
        await self._cut_power(scene, [f"embassy-{self._rotten}"], lambda: self._rot(tower))
        await scene.until_acknowledged(0.9)

    async def _cut_power(
        self, scene: Scene, names: Sequence[str], damage: Callable[[], None]
    ) -> None:
        """Kill these at once, damage what lies there, let them start again; wait for an act."""
        tower = scene.tower
        children = [tower.children[name] for name in names]
        await asyncio.wrap_future(tower.minding.submit(lambda: tower.minding.forget(names)))
        tower.adopt()
        tower.guard.kill([child.pid for child in children if child.pid is not None])
        scene.say(f"no power: {', '.join(names)}")
        damage()
        self.count("power_cuts")
        await asyncio.wrap_future(tower.minding.submit(lambda: tower.minding.watch(children)))
        before, since_s = scene.answers.acknowledged_count, scene.clock.monotonic_s()
        while scene.answers.acknowledged_count <= before:
            if scene.clock.monotonic_s() - since_s > _BACK_S:
                self.complaints.append(f"nothing was confirmed after {', '.join(names)} lost power")
                return
            await asyncio.sleep(0.02)

    def _tear_embassy(self, tower: Throwaway) -> None:
        folder = tower.plan.embassy(self._torn)
        for path in sorted(folder.glob(f"logs/*/{LOG_NAME}")):
            self.count("torn_write_logs", tear_write_log(path, self.chance))
        self._tear_databases(folder)
        self.count("temporary_files", litter(folder / "logs", self.chance))

    def _tear_home(self, tower: Throwaway) -> None:
        folder = tower.plan.home.folder
        self._tear_databases(folder)
        self.count("temporary_files", litter(folder / "journal", self.chance))
        self.count("torn_lines", tear_lines(folder / "keeper" / "openings.log", self.chance))

    def _tear_databases(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*.sqlite-wal")):
            self.count("torn_databases", tear_sqlite(path, self.chance))

    def _rot(self, tower: Throwaway) -> None:
        folder = tower.plan.embassy(self._rotten)
        kinds = {
            "write log": [*folder.glob(f"logs/*/{LOG_NAME}")],
            "tiles": [path for path in folder.glob("logs/*/tile/**/*") if path.is_file()],
            "blobs": [folder / "blobs.sqlite"],
            "checkpoint": [*folder.glob("logs/*/checkpoint")],
        }
        kind = self.chance.choice([name for name, paths in kinds.items() if paths])
        path = self.chance.choice(sorted(kinds[kind]))
        self.done["rot"] = kind
        self.done["bits_flipped"] = flip_bits(path, self.chance)

    async def brace(self, scene: Scene) -> None:
        """See Fault."""
        rotten = scene.tower.children[f"embassy-{self._rotten}"]
        self.found["rotten_embassy_runs"] = rotten.pid is not None

    def look(self, scene: Scene) -> None:
        """See Fault."""
        self.done["started_again"] = sum(
            child.starts - 1 for child in scene.tower.children.values()
        )
