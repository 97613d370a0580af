"""A clock that a test sets by hand. Fault model: it may be set to jump either way."""

from __future__ import annotations

from fakes.signers import NOON_MS


class HandClock:
    """See kulla.kernel.edges.Clock. Each reading of the wall clock is a millisecond later."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        """The time that was set, and a millisecond more each time."""
        self.at_ms += 1
        return self.at_ms

    def monotonic_s(self) -> float:
        """Seconds since 1970 by the same hand."""
        return self.at_ms / 1000
