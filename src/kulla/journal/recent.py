"""A bounded memory of what was used last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps the `count` values that were used last. Not for two threads at once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value kept under `key`, or None."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def keep(self, key: K, value: V) -> None:
        """Keep `value`; the one that was used longest ago makes room."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._count:
            self._values.popitem(last=False)
