"""What a figure was measured on: without it, it says nothing."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path
from typing import Any, Final

_PACKAGES: Final = ("kulla", "django", "granian", "aiohttp", "cbor2", "cryptography", "numpy")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, kernel and the file system that is written to."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": _memory_mib(),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Python, SQLite and the packages that carry the load."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "?"
    return found


def file_system(folder: Path) -> str:
    """The kind of file system that `folder` is on, '' where it can't be found."""
    best, kind = "", ""
    target = str(folder.resolve())
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, name, *_ = line.split()
        inside = target == place or target.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):
            best, kind = place, name
    return kind


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")


def _memory_mib() -> int:
    words = _field("/proc/meminfo", "MemTotal").split()
    return int(words[0]) // 1024 if words else 0
