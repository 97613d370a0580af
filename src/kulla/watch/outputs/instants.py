"""Instants as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def written(at_us: int | None) -> str:
    """UTC microseconds as RFC 3339; '' where there is no time, or none that a calendar has."""
    if at_us is None:
        return ""
    try:
        instant = _EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return ""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
