"""A clock that is wrong, for one process of a drill and all that it starts.

Kulla itself has no such door. A drill puts a `sitecustomize` module of its own first on the path of
the interpreters that it starts; Python runs it before anything else, and it adds to the wall clock
what a file of the drill's says, read again some times a second. The monotonic clock stays right, as
on a machine whose time was set wrongly. What reads the clock past Python's `time` (logs, the
database) keeps the machine's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

FILE: Final = "KULLA_DRILL_CLOCK_FILE"
_MODULE: Final = "from kulla.drill.skew import install\n\ninstall()\n"
_LOOK_EVERY_S: Final = 0.05


class Skew:
    """One wrong clock: what `environment` makes of a process, and how wrong it is now."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made for it, inside the drill's own."""
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._file = folder / "offset-ms"
        (folder / "sitecustomize.py").write_text(_MODULE, encoding="utf-8")
        self.set(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What to add to a process's environment, so that it has this clock."""
        path = os.pathsep.join(filter(None, (str(self._folder), os.environ.get("PYTHONPATH", ""))))
        return {FILE: str(self._file), "PYTHONPATH": path}

    def set(self, offset_ms: int) -> None:
        """From now on the clock is wrong by so much."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(offset_ms), encoding="ascii")
        fresh.replace(self._file)


def install() -> None:
    """Make this process's wall clock wrong as the file says. For `sitecustomize` alone."""
    offset_ns = _offset_of(Path(os.environ[FILE]))
    true_ns = time.time_ns  # noqa: TID251 (this is where the clock is replaced)
    time.time_ns = lambda: true_ns() + offset_ns()  # noqa: TID251
    time.time = lambda: (true_ns() + offset_ns()) / 1e9  # noqa: TID251


def _offset_of(file: Path) -> Callable[[], int]:
    looked_s, offset_ns = 0.0, 0

    def offset() -> int:
        nonlocal looked_s, offset_ns
        now_s = time.monotonic()
        if now_s - looked_s > _LOOK_EVERY_S:
            try:
                offset_ns = int(file.read_text(encoding="ascii")) * 1_000_000
            except (OSError, ValueError):
                return offset_ns  # the drill is over, or just writing
            looked_s = now_s
        return offset_ns

    return offset
