"""Processes that are started before there is anything for them to do, and wait for a file.

Most of a start is Python reading its modules. A standby has that done in peace time: its keeper,
scribe and portal stand ready, with nothing opened, until the folder that they belong to is a home.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

_TICK_S: Final = 0.02


def wait_until_there(path: Path | None) -> None:
    """Return once `path` is there (at once for None); ends with the process that started this."""
    if path is None:
        return
    parent, pause = os.getppid(), threading.Event()
    while not path.exists():
        if os.getppid() != parent:
            raise SystemExit(0)
        pause.wait(_TICK_S)
