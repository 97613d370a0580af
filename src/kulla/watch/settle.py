"""Keeps ClickHouse from compiling our multi-pattern searches anew for every block.

ClickHouse keeps compiled searches in 500 places; where two fall on one place, each drives the other
out, again and again, and a query with both compiles thousands of patterns for each block of rows. A
search that is driven out gets one more pattern, which no event has, and so falls on another place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from kulla.watch.plan import NOWHERE, Search
from kulla.watch.sigma.sql import quoted
from kulla.watch.store import Store

_COMPILED: Final = (
    "SELECT sum(value) AS c FROM system.events WHERE event = 'RegexpWithMultipleNeedlesCreated'"
)
_ROUNDS_MAX: Final = 12
_LARGE: Final = 60


class Settled:
    """The searches of a process; none of the large ones is driven out. Not for several threads.

    Small ones may still drive out one another: they compile in a few milliseconds. ClickHouse knows
    a search by its patterns alone, so those of two fields with the same patterns are one to it, and
    stay two to us.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._salts: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def settle(self, searches: list[Search]) -> list[Search]:
        """The same searches, with patterns under which they do not drive out a large one."""
        fresh = list(dict.fromkeys(s.patterns for s in searches if s.patterns not in self._salts))
        counts = {one.patterns: len(one.numbers) for one in searches}
        for patterns in fresh:
            self._salts[patterns] = 0
            self._counts[patterns] = counts[patterns]
            self._run(patterns)
        if fresh:
            self._spread()
        return [self._settled(one) for one in searches]

    def _settled(self, search: Search) -> Search:
        """Its own field and numbers, with the patterns that were found for it."""
        salt = self._salts[search.patterns]
        if not salt:
            return search
        numbers = np.append(search.numbers, NOWHERE)
        return replace(search, numbers=numbers, patterns=_salted(search.patterns, salt))

    def _spread(self) -> None:
        for _ in range(_ROUNDS_MAX):
            driven_out = [
                patterns
                for patterns, count in self._counts.items()
                if count >= _LARGE and self._compiles(patterns)
            ]
            if not driven_out:
                return
            for patterns in driven_out:
                self._salts[patterns] += 1
                self._run(patterns)
            for patterns, count in self._counts.items():
                if count < _LARGE:
                    self._run(patterns)

    def _compiles(self, patterns: str) -> bool:
        before = self._count()
        self._run(patterns)
        return self._count() > before

    def _run(self, patterns: str) -> None:
        text = _salted(patterns, self._salts[patterns])
        self._store.run(f"SELECT multiMatchAllIndices(materialize('x'), {text})")

    def _count(self) -> int:
        return int(self._store.rows(_COMPILED).column("c")[0].as_py())


def _salted(patterns: str, salt: int) -> str:
    if not salt:
        return patterns
    extra = quoted(f"\\x00kulla{salt}\\x00")
    return f"{patterns[:-1]}, {extra}]"
