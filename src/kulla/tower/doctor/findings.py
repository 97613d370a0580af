"""What a check of `kulla doctor` finds, and what it looks at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kulla.journal.policy_file import PolicyFile
from kulla.kernel.edges import Clock
from kulla.tower.home import Home, Settings

State = Literal["fine", "warning", "broken"]
STATES: Final[tuple[State, ...]] = ("fine", "warning", "broken")
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its name, how it is, in words, and what to do ('' if fine)."""

    check: str
    state: State
    says: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """A home that is looked at. `kit` is its recovery kit where the operator has it at hand."""

    home: Home
    settings: Settings
    policy: PolicyFile
    clock: Clock
    timeout_s: float = 5.0
    kit: Path | None = None


def fine(check: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "fine", says)


def warning(check: str, says: str, do: str) -> Finding:
    """It works, and it is not as it should be."""
    return Finding(check, "warning", says, do)


def broken(check: str, says: str, do: str) -> Finding:
    """A real country must not open like this."""
    return Finding(check, "broken", says, do)


def portal_environment(home: Home) -> dict[str, str] | None:
    """The environment of this home's portal as it runs (Linux); None where none is found.

    Read from a worker, since those begin with what the portal was told.
    """
    meant = str(home.folder.resolve())
    for environment in _environments():
        if environment.get("KULLA_HOME") == meant and "KULLA_REGISTERS" in environment:
            return environment
    return None


def _environments() -> Iterator[dict[str, str]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or folder.name == str(os.getpid()):
            continue
        try:
            if b"multiprocessing" not in (folder / "cmdline").read_bytes():
                continue
            parts = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # another user's, or gone
        pairs = (part.decode("utf-8", "replace").partition("=") for part in parts if part)
        yield {name: value for name, _, value in pairs}
