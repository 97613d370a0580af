"""Lines to embassies are cut, and hang: one, then two, then none."""

from __future__ import annotations

import asyncio
from typing import Final

from kulla.drill.fault import Fault, Scene
from kulla.drill.throwaway import Arrangement
from kulla.drill.told import Said
from kulla.tower.up import EMBASSIES

_ONE_S: Final = (1.0, 2.0)
_HUNG_S: Final = 1.5
_CUT_MAX_S: Final = 12.0
_NEWCOMERS: Final = 4
_NO_QUORUM: Final = "no-quorum"


class Partition(Fault):
    """One embassy is cut off, then two, so that no quorum comes together; then all are back.

    A line that hangs takes bytes and gives none, and nobody is told; one that is cut resets what
    was there and refuses what is new. While two are gone, nothing that is asked for may be
    confirmed, and the portal must say that it can't be at the moment.
    """

    name = "partition"

    def arrangement(self) -> Arrangement:
        """See Fault."""
        return Arrangement(lines=True)

    async def trouble(self, scene: Scene) -> None:
        """See Fault."""
        lines, chance = scene.tower.lines, self.chance
        first, second = chance.sample(EMBASSIES, 2)
        await scene.until_acknowledged(0.2)
        before = scene.answers.acknowledged_count
        lines.set_state(chance.choice(("hung", "cut")), first)
        scene.say(f"{first} is cut off")
        await asyncio.sleep(chance.uniform(*_ONE_S))
        self.found["confirmed_without_one"] = scene.answers.acknowledged_count - before
        scene.say(f"{first} and {second} are cut off")
        lines.set_state("hung", first, second)
        since_s = scene.clock.monotonic_s()
        await asyncio.sleep(_HUNG_S)
        lines.set_state("cut", first, second)
        late = await self._come_in_vain(scene)
        self.done |= {"one_cut": first, "two_cut": [first, second], "lines_broken": lines.broken}
        until_s = scene.clock.monotonic_s()
        self._look_at_answers(scene, since_s, until_s)
        lines.set_state("open")
        scene.say("all lines are back")
        back = scene.answers.acknowledged_count
        while scene.answers.acknowledged_count <= back:
            await asyncio.sleep(0.02)
        self.found["confirmed_again_after_s"] = round(scene.clock.monotonic_s() - until_s, 3)
        await asyncio.gather(*late)

    async def _come_in_vain(self, scene: Scene) -> list[asyncio.Task[None]]:
        """Those who are there wait for their answers; who comes now must be told at once.

        It lasts until some were told, or too long: then nobody was.
        """
        late: list[asyncio.Task[None]] = []
        end_s = scene.clock.monotonic_s() + _CUT_MAX_S
        while scene.answers.reasons[_NO_QUORUM] < _NEWCOMERS:
            if scene.clock.monotonic_s() > end_s:
                break
            late.append(scene.newcomers(_NEWCOMERS))
            await asyncio.sleep(1.0)
        return late

    def _look_at_answers(self, scene: Scene, since_s: float, until_s: float) -> None:
        """While no quorum was there: what was asked then must not have been confirmed then."""
        wishes = [wish for wish in scene.answers.wishes if wish.asked_s > since_s]
        confirmed = [wish for wish in wishes if wish.acknowledged]
        self.found["confirmed_without_quorum"] = len(confirmed)
        waiting = {Said.BEING_CONFIRMED, Said.UNAVAILABLE}
        told = sum(any(said in waiting for said, _ in wish.told) for wish in wishes)
        self.found["told_to_wait"] = told
        self.found["told_no_quorum"] = scene.answers.reasons[_NO_QUORUM]
        self.done["seconds_without_quorum"] = round(until_s - since_s, 1)

    def look(self, scene: Scene) -> None:
        """See Fault."""
        del scene
        confirmed = self.found["confirmed_without_quorum"]
        if confirmed:
            self.complaints.append(f"{confirmed} acts were confirmed while two embassies were gone")
        if not self.found["told_no_quorum"]:
            self.complaints.append("nobody was told that too few embassies answer")
        if not self.found["confirmed_without_one"]:
            self.complaints.append("nothing was confirmed while one embassy was gone")
