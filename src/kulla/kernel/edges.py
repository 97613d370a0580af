"""Protocols of the edges of time and chance, with their real implementations beside them.

Policies never see these; they are handed instants and ids. This file is the one place where the
real clock and the real source of randomness are named (ruff bans them elsewhere).
"""

from __future__ import annotations

import os
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Safe to call from any thread."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00Z by the machine's clock; may jump either way."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back, for measuring how long something took."""
        ...


class Entropy(Protocol):
    """Gives unpredictable bytes. Safe to call from any thread."""

    def random_bytes(self, count: int) -> bytes:
        """`count` fresh bytes, fit for keys, salts and nonces."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """See Clock."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """See Clock."""
        return time.monotonic()


class SystemEntropy:
    """The operating system's source of randomness."""

    def random_bytes(self, count: int) -> bytes:
        """See Entropy."""
        return os.urandom(count)
