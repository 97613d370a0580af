"""From the threads that read logs to the one that asks rules: in order, and never too much."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kulla.watch.sources.batch import Batch, Reject

BYTES_MAX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a log was handed on: all of it before this place came before this mark.

    place: what its reader needs to go on there. caught_up: nothing more was there. trouble: why it
    can't be read just now, '' where it can. undone: what came since the mark before comes again.
    """

    place: Mapping[str, Any] = field(default_factory=dict)
    caught_up: bool = False
    trouble: str = ""
    undone: bool = False


Item = Batch | Reject | Mark


class Inbox:
    """A queue between threads, bounded by bytes: who puts waits until there is room.

    So logs wait on the disk, where they are safe, while rules are asked of what came before.
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._items: deque[tuple[str, Item, int]] = deque()
        self._bytes = 0
        self._bytes_max = bytes_max
        self._changed = threading.Condition()

    def put(self, log: str, item: Item) -> None:
        """Hand on an item of a log; waits while there is too much."""
        size = sum(map(len, item.lines)) if isinstance(item, Batch) else 0
        with self._changed:
            self._changed.wait_for(lambda: not size or self._bytes < self._bytes_max)
            self._items.append((log, item, size))
            self._bytes += size
            self._changed.notify_all()

    def get(self, wait_s: float) -> tuple[str, Item] | None:
        """The next item with its log; None where none came in this time."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items), wait_s):
                return None
            log, item, size = self._items.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return log, item
