"""How often a process of a tower looks for cyclic garbage: seldom.

Python looks again and again through all that a process holds, most of which was made at its start
and stays. What requests leave behind is freed at once, by counting; cycles are rare here. Measured
on a booking's page: 250 us of Python with the usual settings, 202 us with these.
"""

from __future__ import annotations

import gc
from typing import Final

# Objects made since the last look, then looks at the young, then at the middle-aged.
_THRESHOLDS: Final = (50_000, 20, 50)


def look_for_garbage_seldom() -> None:
    """Call it once, when all that a process keeps has been made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
