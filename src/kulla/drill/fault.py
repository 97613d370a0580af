"""What else goes wrong in a drill, beside the blow: the one thing that each fault brings along.

A drill asks its fault, in this order: how the tower is arranged; to make its trouble while citizens
book; to brace for the blow; whom the blow hits; to do what follows it; to look how it all ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from kulla.drill.chance import Chance, chance_of
from kulla.drill.throwaway import Arrangement, Throwaway
from kulla.drill.told import Answers
from kulla.kernel.edges import Clock
from kulla.tower.up import EMBASSIES

if TYPE_CHECKING:
    from kulla.drill.citizens import Person
    from kulla.drill.crowd import Crowd

HOME: Final = "home"


@dataclass
class Scene:
    """What a fault finds and may touch while a drill runs.

    crowd: the citizens at the home that will be lost. wiped_s: the moment of the blow, 0.0 before.
    queue: who may still come. taken: whether the new home serves.
    """

    tower: Throwaway
    crowd: Crowd
    answers: Answers
    clock: Clock
    say: Callable[[str], None]
    acts: int
    queue: Iterator[tuple[int, Person]]
    wiped_s: float = 0.0
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_acknowledged(self, share: float) -> None:
        """Wait until this share of the acts that must come before the blow was acknowledged."""
        while self.answers.acknowledged_count < share * self.acts:
            await asyncio.sleep(0.02)

    def newcomers(self, count: int) -> asyncio.Task[None]:
        """Let so many more citizens come, all at once, beside those who are there."""
        return asyncio.create_task(self.crowd.come(islice(self.queue, count), until=lambda: False))


class Fault:
    """Nothing else goes wrong: home and one embassy are wiped while citizens book.

    done: what was done, as counts and words for the score. found: what must be looked at beside
    the score that every drill has, by the names that the JSON gives it.
    """

    name = ""
    minds = False
    """Processes that die are started again, as `kulla up` does."""

    later_days = False
    """Citizens book a week ahead and later, so that a clock that is days ahead calls none past."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance: Chance = chance_of(seed, f"fault {self.name}")
        self.done: dict[str, Any] = {}
        self.found: dict[str, Any] = {}
        self.complaints: list[str] = []

    def arrangement(self) -> Arrangement:
        """How the tower must be arranged."""
        return Arrangement()

    def prepare(self, tower: Throwaway) -> None:
        """Whatever must be there before the tower is made and started."""

    async def trouble(self, scene: Scene) -> None:
        """Make trouble while citizens book. The blow falls after it has returned."""

    async def brace(self, scene: Scene) -> None:
        """Whatever must be just before the blow."""

    def doomed(self) -> tuple[str, ...]:
        """Whom the blow destroys: HOME, and at most one embassy."""
        return HOME, chance_of(self.seed, "blow").choice(EMBASSIES)

    def after_blow(self, scene: Scene) -> None:
        """Whatever must be right after the blow, before anybody takes over. It must not wait."""

    async def meanwhile(self, scene: Scene) -> None:
        """What goes on beside the takeover and the new home's first pages.

        Old commands are sent again once it has returned: until then some may be at the old home.
        """

    def look(self, scene: Scene) -> None:
        """Look how it ended, and complain (`complaints`)."""

    def end(self) -> None:
        """Tidy up. It is called however the drill ends, after all processes ended."""

    def count(self, what: str, number: int = 1) -> None:
        """Count something that was done."""
        self.done[what] = self.done.get(what, 0) + number

    def liars(self) -> frozenset[str]:
        """Embassies whose folders are no evidence."""
        return frozenset()
