"""A drill's standby: `kulla standby serve`, which follows while citizens book, and is home then.

A drill knows of it what an operator knows: its command, its status, and the address that it says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kulla.kernel.errors import KullaError
from kulla.tower.minder import ChildSpec

KIT_PART: Final = ("policy", "reader.key", "journal.key", "home.toml")
"""What a standby is given of the recovery kit: nothing that opens personal data or signs."""

_EVERY_S: Final = 0.5
_LOOK_S: Final = 0.3
_LEVEL_LOOKS_MAX: Final = 4000
_SERVES_LOOKS_MAX: Final = 6000
_SERVES_LOOK_S: Final = 0.01
_COMMAND_S: Final = 60


class StandbyFailed(KullaError):
    """The standby does not follow, or did not become home."""


class Standby:
    """The standby in `folder`, which will be home at `port`."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port

    def prepare(self, kit: Path, part: Path) -> ChildSpec:
        """Put its part of the kit into a new folder `part`; the process to start."""
        part.mkdir(mode=0o700)
        for name in KIT_PART:
            shutil.copyfile(kit / name, part / name)
        words = ("standby", "serve", str(self._folder), "--kit", str(part))
        return ChildSpec("standby", (*words, "--every", str(_EVERY_S), "--warm", str(self._port)))

    def wait_level(self, acts: int, say: Callable[[str], None]) -> None:
        """Wait until it has replayed so many acts, and has their keys. Raises StandbyFailed."""
        pause = threading.Event()
        for _ in range(_LEVEL_LOOKS_MAX):
            status = self._status()
            position = status.get("position", 0)
            if position >= acts and not status.get("keys_missing"):
                return
            say(f"the standby has replayed {position:,} of {acts:,} acts")
            pause.wait(_LOOK_S)
        raise StandbyFailed("it does not come level.", place=str(self._folder))

    def url_of_home(self) -> str:
        """Where the home is that it became, once it says so. Raises StandbyFailed."""
        said = self._folder / "standby" / "url"
        pause = threading.Event()
        for _ in range(_SERVES_LOOKS_MAX):
            if said.exists():
                return said.read_text(encoding="utf-8").strip()
            pause.wait(_SERVES_LOOK_S)
        raise StandbyFailed("it does not serve after the takeover.", place=str(self._folder))

    def _status(self) -> dict[str, Any]:
        argv = [sys.executable, "-m", "kulla", "standby", "status", str(self._folder), "--json"]
        done = subprocess.run(  # noqa: S603 (our own module)
            argv, capture_output=True, text=True, timeout=_COMMAND_S, check=False
        )
        try:
            status: dict[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError:
            return {}
        return status
