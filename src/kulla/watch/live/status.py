"""How a watch is doing, for who asks from outside: what it follows, and how far it is behind."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kulla.watch.errors import WatchFailed
from kulla.watch.live.journal import JOURNAL
from kulla.watch.live.keeping import read_kept
from kulla.watch.live.tail import is_same, moved_to

LOCK: Final = "lock"


def locked(folder: Path) -> int:
    """A descriptor that holds the folder for this process. Raises WatchFailed where one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise WatchFailed(
            "Another watch runs on this folder.",
            place=str(folder),
            remedy="Stop it, or name another folder for this one.",
        ) from error
    return descriptor


def status_of(folder: Path, now_ms: int) -> dict[str, Any]:
    """All of it, for JSON. Raises WatchFailed where no watch was started with this folder."""
    known, logs, rejects = read_kept(folder)
    listed = [_log(now_ms, *row) for row in logs]
    behind = [one["behind_bytes"] for one in listed if one["behind_bytes"]]
    return {
        "running": _is_running(folder),
        "round": known.get("round", 0),
        "seconds_since_round": _seconds(known.get("round_ms"), now_ms),
        "behind_bytes": sum(behind),
        "behind_s": max((one["behind_s"] or 0 for one in listed), default=0),
        "never_caught_up": sum(one["caught_up"] is False for one in listed),
        "troubled": sum(bool(one["trouble"]) for one in listed),
        "totals": known.get("totals", {}),
        "detections": known.get("detections", {}).get("path"),
        "logs": listed,
        "rejects": [
            {"file": file, "number": number, "reason": reason} for file, number, reason in rejects
        ],
    }


def lines(status: Mapping[str, Any]) -> Iterator[str]:
    """The same for a terminal."""
    totals = status["totals"]
    yield (
        f"{'running' if status['running'] else 'NOT RUNNING'};"
        f" the last round was {status['seconds_since_round']} s ago."
        f" Behind: {status['behind_bytes']:,} bytes, {status['behind_s']} s."
    )
    yield (
        f"{totals.get('events', 0):,} events, {totals.get('detections', 0):,} detections"
        f" in {status['detections']}; {totals.get('rejected', 0):,} records not read,"
        f" {totals.get('late', 0):,} came too late for some window,"
        f" {totals.get('untimed', 0):,} had no time."
    )
    for one in status["logs"]:
        bytes_behind = "?" if one["behind_bytes"] is None else f"{one['behind_bytes']:,}"
        trouble = f"  TROUBLE: {one['trouble']}" if one["trouble"] else ""
        seconds = "never read whole" if not one["caught_up"] else f"{one['behind_s'] or 0} s"
        yield f"{bytes_behind:>14} bytes, {seconds:>8}  {one['log']}{trouble}"
    for lost in status["rejects"][:5]:
        yield f"not read: {lost['file']}:{lost['number']}: {lost['reason']}"


def _log(
    now_ms: int, log: str, place: str, caught_up_ms: int | None, trouble: str
) -> dict[str, Any]:
    known = json.loads(place)
    behind = None if log == JOURNAL else _bytes_behind(Path(log), known)
    return {
        "log": log,
        "lines": known.get("lines", 0),
        "behind_bytes": behind,
        # What was read to its end and did not grow since is not behind, however long ago that was.
        "behind_s": _seconds(caught_up_ms, now_ms) if behind or trouble else 0,
        "caught_up": caught_up_ms is not None,
        "trouble": trouble,
    }


def _bytes_behind(path: Path, known: Mapping[str, Any]) -> int:
    try:
        size = path.stat().st_size
        if not known:
            return size
        if is_same(path, known):
            return size - int(known["offset"])
        moved = moved_to(path, known)
        rest = moved.stat().st_size - int(known["offset"]) if moved is not None else 0
    except OSError:
        return 0
    return size + rest


def _seconds(at_ms: int | None, now_ms: int) -> int | None:
    return None if at_ms is None else max(0, (now_ms - at_ms) // 1000)


def _is_running(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
