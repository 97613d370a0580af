"""Keeps ClickHouse from compiling our multi-pattern searches anew for every block.

ClickHouse keeps compiled searches in 500 places; where two fall on one place, each drives the other
out, again and again, and a query with both compiles thousands of patterns for each block of rows. A
search that is driven out gets one more pattern, which no event has, and so falls on another place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class _Salted:
    search: Search
    salt: int


class Settled:
    """The searches of a process; none of the large ones is driven out. Not for several threads.

    Small ones may still drive out one another: they compile in a few milliseconds.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Salted] = {}

    def settle(self, searches: list[Search]) -> list[Search]:
        """The same searches, with patterns under which they do not drive out a large one."""
        fresh = [one for one in searches if one.patterns not in self._known]
        for one in fresh:
            self._known[one.patterns] = _Salted(one, 0)
            self._run(one)
        if fresh:
            self._spread()
        return [self._known[one.patterns].search for one in searches]

    def _spread(self) -> None:
        for _ in range(_ROUNDS_MAX):
            driven_out = [
                key
                for key, each in self._known.items()
                if len(each.search.numbers) >= _LARGE and self._compiles(each.search)
            ]
            if not driven_out:
                return
            for key in driven_out:
                self._known[key] = _another(key, self._known[key])
                self._run(self._known[key].search)
            for each in self._known.values():
                if len(each.search.numbers) < _LARGE:
                    self._run(each.search)

    def _compiles(self, search: Search) -> bool:
        before = self._count()
        self._run(search)
        return self._count() > before

    def _run(self, search: Search) -> None:
        self._store.run(f"SELECT multiMatchAllIndices(materialize('x'), {search.patterns})")

    def _count(self) -> int:
        return int(self._store.rows(_COMPILED).column("c")[0].as_py())


def _another(key: str, known: _Salted) -> _Salted:
    salt = known.salt + 1
    extra = quoted(f"\\x00kulla{salt}\\x00")
    numbers = known.search.numbers
    if not known.salt:
        numbers = np.append(numbers, NOWHERE)
    return _Salted(replace(known.search, numbers=numbers, patterns=f"{key[:-1]}, {extra}]"), salt)
