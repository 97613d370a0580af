"""Clocks of sites: each has its own error, and jumps either way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kulla.drill.simulation.world import World


class SiteClock:
    """See kulla.kernel.edges.Clock. `off_ms` is how wrong it is; the world makes it jump."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.off_ms = 0

    def now_ms(self) -> int:
        """The world's time, as wrong as this clock is."""
        return self._world.now_ms + self.off_ms

    def monotonic_s(self) -> float:
        """Seconds of the world's time, which never goes back."""
        return self._world.now_ms / 1000
