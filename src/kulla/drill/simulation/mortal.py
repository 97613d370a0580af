"""Process death between any two steps, shared by everything that a process does outside its memory.

Fault model: the process ends before a step is begun, or after it was done and before anybody heard
of it; which of the two is the same choice for a whole life. A process that is over does nothing
any more, whoever still holds one of its objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kulla.embassy.client import Answer, Transport
from kulla.journal.store import TileStore

T = TypeVar("T")


class Died(BaseException):
    """A process is gone; nothing that runs in it may catch this."""


class Life:
    """Counts the steps of one process; the one with the number `last` is the last, `done` or not.

    `over` is true once it ended, in a step or because somebody ended it.
    """

    def __init__(self, last: int = -1, *, done: bool = False) -> None:
        self.steps = 0
        self.last = last
        self.done = done
        self.over = False

    def step(self, act: Callable[[], T]) -> T:
        """Do one step, or die of it."""
        if self.over:
            raise Died
        self.steps += 1
        if self.steps != self.last:
            return act()
        try:
            if self.done:
                act()
        finally:
            self.over = True
        raise Died

    def check(self) -> None:
        """Go on only where the process still lives: somebody may have ended it meanwhile."""
        if self.over:
            raise Died


class MortalConnection:
    """A register file's connection that counts statements."""

    def __init__(self, connection: Any, life: Life) -> None:
        self._connection = connection
        self._life = life

    def execute(self, sql: str, *values: Any) -> Any:
        """See sqlite3.Connection."""
        return self._life.step(lambda: self._connection.execute(sql, *values))

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        """See sqlite3.Connection."""
        return self._life.step(lambda: self._connection.executemany(sql, rows))

    @property
    def in_transaction(self) -> bool:
        """See sqlite3.Connection. A dead process rolls nothing back: the next start does."""
        return not self._life.over and bool(self._connection.in_transaction)


class MortalStore:
    """A tile store that counts writes."""

    def __init__(self, store: TileStore, life: Life) -> None:
        self._store = store
        self._life = life

    def put(self, items: Mapping[str, bytes]) -> None:
        """See TileStore."""
        self._life.step(lambda: self._store.put(items))

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """See TileStore."""
        self._life.step(lambda: self._store.swap(name, old, new))

    def drop(self, paths: Iterable[str]) -> None:
        """See TileStore."""
        self._life.step(lambda: self._store.drop(paths))

    def get(self, path: str) -> bytes:
        """See TileStore."""
        return self._store.get(path)

    def names(self, prefix: str) -> list[str]:
        """See TileStore."""
        return self._store.names(prefix)


class MortalTransport:
    """A way to an embassy that counts requests."""

    def __init__(self, transport: Transport, life: Life) -> None:
        self._transport = transport
        self._life = life

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See Transport."""
        return self._life.step(lambda: self._transport.ask(method, path, headers, body))

    def close(self) -> None:
        """See Transport."""
