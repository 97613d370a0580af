"""Token buckets in this process's memory: how often one person or one address may ask.

They keep a single greedy client from starving the rest. They are no defence against many machines,
which a proxy in front must shed, and each worker process has buckets of its own.
"""

from __future__ import annotations

import math
import threading

from kulla.kernel.edges import Clock
from kulla.portal.configuration import Limit

_NAMES_MAX = 100_000


class Buckets:
    """Buckets of one kind, by name. Safe to call from any thread; memory is bounded."""

    def __init__(self, limit: Limit, clock: Clock, names_max: int = _NAMES_MAX) -> None:
        self._per_s = limit.per_minute / 60
        self._burst = float(limit.burst)
        self._now_s = clock.monotonic_s
        self._names_max = names_max
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> int:
        """Take one token: 0 where there was one, else the whole seconds until there is."""
        with self._lock:
            now_s = self._now_s()
            level, at_s = self._levels.pop(name, (self._burst, now_s))
            level = min(self._burst, level + (now_s - at_s) * self._per_s)
            enough = level >= 1
            # Put back at the end, so that the first names are always those asked for longest ago.
            self._levels[name] = (level - 1 if enough else level, now_s)
            if len(self._levels) > self._names_max:
                del self._levels[next(iter(self._levels))]
            return 0 if enough else max(1, math.ceil((1 - level) / self._per_s))
