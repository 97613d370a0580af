"""Home is not destroyed: it is cut off, or not even that, and goes on while another takes over."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.fault import Fault, Scene
from kulla.drill.throwaway import HOME_PROCESSES, Arrangement
from kulla.drill.whose import is_connection_of
from kulla.embassy.client import EmbassyClient
from kulla.embassy.errors import EmbassyError
from kulla.tower.home import NOT_HOME
from kulla.tower.up import EMBASSIES

_LOOK_S: Final = 0.05
_GOES_ON_S: Final = 2.0
_LEARNS_S: Final = 30.0
_SEALS: Final = 2
_NEWCOMERS: Final = 3


class ZombieHome(Fault):
    """Citizens go on at the old home during the takeover and after it.

    By the seed its lines to embassies are cut (and come back later), or stay as they are; and one
    embassy is wiped, or none. From the moment when enough embassies have sealed the epoch the old
    home must confirm nothing that it is asked; what it confirmed before must be at the new home.
    With its lines it must learn that it is home no more, and end; started again, it must refuse.
    """

    name = "zombie-home"

    def __init__(self, seed: int) -> None:
        """See Fault."""
        super().__init__(seed)
        self._cut, self._wipes = seed % 2 == 0, seed // 2 % 2 == 0
        self._sealed_s = 0.0
        self.done |= {"lines": "cut" if self._cut else "left open"}

    def arrangement(self) -> Arrangement:
        """See Fault."""
        return Arrangement(lines=True)

    def doomed(self) -> tuple[str, ...]:
        """See Fault."""
        return (chance_of(self.seed, "blow").choice(EMBASSIES),) if self._wipes else ()

    def after_blow(self, scene: Scene) -> None:
        """See Fault."""
        if self._cut:
            plan, guard = scene.tower.plan, scene.tower.guard
            leaders = [scene.tower.children[name].pid or 0 for name in HOME_PROCESSES]
            ports = range(plan.line_port, plan.line_port + len(EMBASSIES))

            def is_old_home(from_port: int) -> bool:
                pids = [pid for leader in leaders for pid in guard.members(leader)]
                return is_connection_of(pids, from_port, ports)

            scene.tower.lines.bar(is_old_home)

    async def meanwhile(self, scene: Scene) -> None:
        """See Fault."""
        await self._until_sealed(scene)
        late = asyncio.create_task(self._come_in_vain(scene))
        await scene.taken.wait()
        await asyncio.sleep(_GOES_ON_S)
        self.done["connections_refused"] = scene.tower.lines.broken
        scene.tower.lines.bar(lambda _: False)
        scribe = scene.tower.children["scribe"]
        back_s = scene.clock.monotonic_s()
        learnt = await self._ended(scene, "scribe")
        self.found["old_home_learns"] = learnt
        self.found["learns_after_s"] = round(scene.clock.monotonic_s() - back_s, 3)
        self.found["says_not_home"] = (scene.tower.plan.home.run_folder() / NOT_HOME).exists()
        await asyncio.sleep(_GOES_ON_S)
        self._look_at_answers(scene)
        scene.crowd.is_over = True
        late.cancel()
        if learnt:
            scene.say("the old home is started again")
            await asyncio.wrap_future(scene.tower.minding.submit(scribe.start))
            self.found["restart_refused"] = await self._ended(scene, "scribe")

    async def _come_in_vain(self, scene: Scene) -> None:
        """Those who are there wait for their answers; others come, as to any other site."""
        coming = []
        try:
            while True:
                coming.append(scene.newcomers(_NEWCOMERS))
                await asyncio.sleep(1.0)
        finally:
            for task in coming:
                task.cancel()

    async def _until_sealed(self, scene: Scene) -> None:
        """Wait until enough embassies say that the epoch is sealed; from then on it counts."""
        clients = [EmbassyClient(scene.tower.embassy_url(name)) for name in EMBASSIES]
        while sum(map(_has_sealed, clients)) < _SEALS:
            await asyncio.sleep(_LOOK_S)
        for client in clients:
            client.close()
        self._sealed_s = scene.clock.monotonic_s()
        scene.say("the old epoch is sealed, and the old home goes on")

    async def _ended(self, scene: Scene, name: str) -> bool:
        """Whether a process of the old home ends by itself, and not as if all were well."""
        end_s = scene.clock.monotonic_s() + _LEARNS_S
        while scene.clock.monotonic_s() < end_s:
            if scene.tower.children[name].pid is None:
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    def _look_at_answers(self, scene: Scene) -> None:
        """What the old home told those who came after the seal. Nobody asked them elsewhere yet."""
        site = f"{scene.crowd.site.host}:{scene.crowd.site.port}"
        asked = [wish for wish in scene.answers.wishes if wish.site == site]
        late = [wish for wish in asked if wish.asked_s > self._sealed_s]
        confirmed = [wish for wish in late if wish.acknowledged]
        self.done["asked_after_seal"] = len(late)
        self.found["zombie_confirmed"] = len(confirmed)
        self.found["told_not_home"] = scene.answers.reasons["not-home"]

    def look(self, scene: Scene) -> None:
        """See Fault."""
        del scene
        for what in ("old_home_learns", "says_not_home", "restart_refused"):
            if not self.found.get(what):
                self.complaints.append(f"not so: {what.replace('_', ' ')}")
        if self.found["zombie_confirmed"]:
            count = self.found["zombie_confirmed"]
            self.complaints.append(f"{count} acts were confirmed by a home that was none")
        if not self.done["asked_after_seal"]:
            self.complaints.append("nobody asked the old home anything after the seal")


def _has_sealed(client: EmbassyClient) -> bool:
    try:
        return any(log["sealed"] for log in json.loads(client.health())["logs"])
    except EmbassyError:
        return False
