"""Chance that a seed repeats: what a drill does, whom it does it to, and when.

A drill's choices come from here, so that two drills with one seed are alike. They are never the
same: how its processes and the network interleave no seed decides.
"""

from __future__ import annotations

import random  # noqa: TID251 (choices of a drill must repeat, and nothing here is secret)


class Chance(random.Random):
    """A generator of choices. For drills only: nothing that must be unpredictable comes from it."""


def chance_of(seed: int, what: str) -> Chance:
    """The generator for one thing of a drill, so that a change to another leaves it as it was."""
    return Chance(f"{seed} {what}")
