"""What a source gives: batches of events of one log source, and what could not be read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

AT: Final = "_at_us"
"""The event's time in UTC microseconds since 1970, where it is known."""
AT_HOW: Final = "_at_how"
"""How a time without a year or a zone was resolved; absent where the record said both."""
RAW: Final = "_raw"
"""The record as it stood in the file, for keyword rules and analysts; text sources only."""

EVENTS_MAX: Final = 2_000
BYTES_MAX: Final = 4 << 20
_RAW_KEPT: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to some thousand events of one log source out of one file.

    product, category, service: Sigma's logsource words, '' where there is none. numbers: line or
    record number of each event, from 1. lines: one JSON object each, flat, Sigma's field names, the
    time under "_at_us" (UTC microseconds, int) where it is known.
    """

    product: str
    category: str
    service: str
    file: str
    numbers: Sequence[int]
    lines: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Reject:
    """What could not be read: where it is, why, and its bytes (at most 64 KiB of them).

    number: of the line or record, from 1; 0 where the whole file is meant.
    """

    file: str
    number: int
    reason: str
    raw: bytes


Source = tuple[str, str, str]
"""Product, category, service."""


def reject(file: str, number: int, reason: str, raw: bytes = b"") -> Reject:
    """A Reject whose raw bytes are cut to what is kept."""
    return Reject(file, number, reason, raw[:_RAW_KEPT])


def encoded(event: Mapping[str, Any]) -> bytes:
    """The event as one line of JSON, in UTF-8.

    Half letters of UTF-16, which no encoding holds, become '?'; numbers that JSON does not know
    (NaN, infinity) become text.
    """
    try:
        text = _ENCODER.encode(event)
    except ValueError:
        text = _ENCODER.encode({name: _finite(value) for name, value in event.items()})
    return text.encode("utf-8", "replace")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class Gathering:
    """Collects the events of one file and hands them on as batches, one log source each."""

    def __init__(self, file: str, events_max: int = EVENTS_MAX) -> None:
        self._file = file
        self._events_max = events_max
        self._kept: dict[Source, tuple[list[int], list[bytes]]] = {}
        self._bytes: dict[Source, int] = {}

    def add(self, source: Source, number: int, line: bytes) -> Iterator[Batch]:
        """Take one event; gives a batch where this one filled it."""
        kept = self._kept.get(source)
        if kept is None:
            kept = self._kept[source] = ([], [])
            self._bytes[source] = 0
        kept[0].append(number)
        kept[1].append(line)
        self._bytes[source] += len(line)
        if len(kept[0]) >= self._events_max or self._bytes[source] >= BYTES_MAX:
            del self._kept[source]
            yield Batch(*source, self._file, *kept)

    def rest(self) -> Iterator[Batch]:
        """What is left, one batch a log source."""
        kept, self._kept = self._kept, {}
        for source, (numbers, lines) in kept.items():
            yield Batch(*source, self._file, numbers, lines)
