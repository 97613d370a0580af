"""The blow falls between two rounds: each embassy holds another size."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from kulla.drill.chance import chance_of
from kulla.drill.fault import HOME, Fault, Scene
from kulla.drill.throwaway import Arrangement
from kulla.embassy.client import EmbassyClient
from kulla.tower.up import EMBASSIES

_APART_S: Final = (0.05, 0.35)


class BetweenRounds(Fault):
    """Lines are held back one after the other, so that some embassies have a round and some not.

    After the first one acts are still confirmed, by the other three; after the second one rounds go
    out and none is confirmed. How many lines are held when the blow falls, in which order and how
    far apart, the seed says; and whether it hits one that has the last round, or one that has not.
    What is held back dies with home.
    """

    name = "between-rounds"

    def __init__(self, seed: int) -> None:
        """See Fault."""
        super().__init__(seed)
        self._order = self.chance.sample(EMBASSIES, len(EMBASSIES))
        self._held_count = 1 + seed % 3

    def arrangement(self) -> Arrangement:
        """See Fault."""
        return Arrangement(lines=True)

    def doomed(self) -> tuple[str, ...]:
        """See Fault."""
        return HOME, chance_of(self.seed, "blow").choice(self._order)

    async def brace(self, scene: Scene) -> None:
        """See Fault: hold lines back, until the sizes differ."""
        for name in self._order[: self._held_count]:
            scene.tower.lines.set_state("hung", name)
            await asyncio.sleep(self.chance.uniform(*_APART_S))
        self.done["held_back"] = self._order[: self._held_count]

    def after_blow(self, scene: Scene) -> None:
        """See Fault: what was held back is gone, and lines are there again."""
        scene.tower.lines.break_off()
        scene.tower.lines.set_state("open")
        sizes: dict[str, int] = {}
        for name in EMBASSIES:
            if name not in self.doomed():
                sizes[name] = self._size(scene.tower.embassy_url(name))
        self.done["sizes"] = sizes
        self.found["sizes_apart"] = max(sizes.values()) - min(sizes.values())

    def _size(self, url: str) -> int:
        client = EmbassyClient(url)
        try:
            return max(int(log["size"]) for log in json.loads(client.health())["logs"])
        finally:
            client.close()
