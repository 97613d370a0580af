"""How much an embassy takes: a day, in all, and before its disk is full.

Home's credentials append within this quota and do nothing else, so that who steals them can
neither fill the embassy's disk in a night nor push out what is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from kulla.embassy.errors import QuotaFull
from kulla.journal.errors import TileMissing
from kulla.journal.store import TileStore
from kulla.kernel.canonical import NotCanonical, decode, encode

_DAY_MS: Final = 86_400_000
SAVE_EVERY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """An operator's bounds; embassy.toml holds them under [limits], by these names.

    Entries and blobs share the byte quotas; tiles and partial tiles come on top, which is what the
    floor of free disk space is for.
    """

    entries_per_day: int = 20_000_000
    bytes_per_day: int = 20 * 2**30
    entries_total: int = 2_000_000_000
    bytes_total: int = 2 * 2**40
    free_disk_floor_bytes: int = 2**30
    body_bytes_max: int = 64 * 2**20
    blob_bytes_max: int = 8 * 2**20
    checkpoint_body_bytes_max: int = 64 * 2**10
    packages_max: int = 32


@dataclass(frozen=True, slots=True)
class Usage:
    """What was taken: in all, and on day `day` (days since 1970 by the embassy's clock)."""

    entries_total: int = 0
    bytes_total: int = 0
    day: int = 0
    entries_today: int = 0
    bytes_today: int = 0

    def render(self) -> bytes:
        """The bytes kept between two runs."""
        counts = (self.entries_total, self.bytes_total)
        return encode([*counts, self.day, self.entries_today, self.bytes_today])

    @classmethod
    def parse(cls, data: bytes) -> Usage:
        """The inverse of `render`. Raises NotCanonical."""
        numbers = decode(data, place="usage")
        if not isinstance(numbers, list) or len(numbers) != 5:
            raise NotCanonical("these are not five counts.", place="usage")
        return cls(*numbers)


class Quota:
    """Counts against the limits. Safe to call from any thread.

    The counts are saved at most every 30 s, so a kill forgets up to that much of what was counted;
    the floor of free disk space has no memory to lose.
    """

    def __init__(
        self, limits: Limits, usage: Usage, free_bytes: Callable[[], int] | None = None
    ) -> None:
        self._limits = limits
        self._usage = usage
        self._free_bytes = free_bytes
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """The counts now."""
        return self._usage

    def take(self, entries: int, size: int, now_ms: int) -> None:
        """Count what is about to be saved, or raise QuotaFull and count nothing.

        `entries` of the journal (0 for blobs) with `size` bytes together.
        """
        limits = self._limits
        with self._lock:
            usage = self._on_day_of(now_ms)
            new = Usage(
                usage.entries_total + entries,
                usage.bytes_total + size,
                usage.day,
                usage.entries_today + entries,
                usage.bytes_today + size,
            )
            if new.entries_total > limits.entries_total or new.bytes_total > limits.bytes_total:
                raise _full("entries_total or bytes_total", today=False)
            if new.entries_today > limits.entries_per_day or new.bytes_today > limits.bytes_per_day:
                raise _full("entries_per_day or bytes_per_day", today=True)
            if self._free_bytes and self._free_bytes() - size < limits.free_disk_floor_bytes:
                raise _full("free_disk_floor_bytes", today=False)
            self._usage = new

    def _on_day_of(self, now_ms: int) -> Usage:
        # A clock that jumps back gives nobody a second quota for a day that was counted.
        day = now_ms // _DAY_MS
        if day <= self._usage.day:
            return self._usage
        return replace(self._usage, day=day, entries_today=0, bytes_today=0)


def _full(setting: str, *, today: bool) -> QuotaFull:
    when = "for today" if today else "until its operator makes room"
    return QuotaFull(
        f"this embassy takes no more {when}.",
        today=today,
        place=f"limits, {setting}",
        remedy="Nothing it holds is lost; other embassies go on.",
    )


def read_usage(desk: TileStore) -> bytes | None:
    """What was counted before, as an embassy's desk keeps it; None for a new one."""
    try:
        return desk.get("usage")
    except TileMissing:
        return None
