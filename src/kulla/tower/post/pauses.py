"""How long to wait before a letter is tried again: longer each time, never all at one instant."""

from __future__ import annotations

from typing import Final

from kulla.kernel.edges import Entropy

FIRST_S: Final = 2.0


def pause_s(tries: int, longest_s: float, entropy: Entropy) -> float:
    """The pause after the `tries`-th failure (from 1), in seconds.

    It doubles from FIRST_S to `longest_s`; each is between half and one and a half of that, so that
    letters that failed together don't come back together.
    """
    doubled = min(longest_s, FIRST_S * 2.0 ** min(tries - 1, 30))
    return doubled * (0.5 + int.from_bytes(entropy.random_bytes(4), "big") / 2**32)
