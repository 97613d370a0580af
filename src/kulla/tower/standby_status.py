"""What a standby's folder tells of it, to an operator and to programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kulla.kernel.edges import SystemClock
from kulla.tower.standby_folder import StandbyBroken, StandbyFolder

_OLD_S: Final = 60


def status_of(folder: Path) -> dict[str, Any]:
    """Where the standby in `folder` stands, with the alarms that last and that nobody has seen.

    `well`: it runs, what it wrote is fresh, and there is no such alarm. Raises StandbyBroken where
    the folder is no standby's.
    """
    found = _standby(folder)
    state, pid, seen = found.state(), found.holder(), found.seen()
    alarms = [
        alarm
        for alarm in state.get("alarms", {}).get("alarms", [])
        if not alarm["over_ms"] and alarm["number"] not in seen
    ]
    age_s = (SystemClock().now_ms() - state.get("at_ms", 0)) // 1000
    return {
        "pid": pid,
        "doing": state.get("doing", "has not said anything yet"),
        "age_s": age_s,
        "epoch": state.get("epoch", 0),
        "position": state.get("position", 0),
        "confirmed": state.get("confirmed", 0),
        "known": state.get("known", 0),
        "behind": max(0, state.get("confirmed", 0) - state.get("position", 0)),
        "keys": state.get("keys", 0),
        "keys_missing": state.get("keys_missing", 0),
        "embassies": state.get("embassies", {}),
        "alarms": alarms,
        "well": pid is not None and age_s < _OLD_S and not alarms,
    }


def say_seen(folder: Path, numbers: list[int]) -> None:
    """Note that an operator has seen these alarms. Raises StandbyBroken for one that is none."""
    found = _standby(folder)
    known = {alarm["number"] for alarm in found.state().get("alarms", {}).get("alarms", [])}
    for number in numbers:
        if number not in known:
            raise StandbyBroken(
                f"there is no alarm {number}.",
                place=str(folder),
                remedy="`kulla standby status` shows their numbers.",
            )
    found.note_seen(numbers)


def _standby(folder: Path) -> StandbyFolder:
    found = StandbyFolder(folder)
    if not found.exists:
        raise StandbyBroken(
            "this folder is no standby's.",
            place=str(folder),
            remedy="Name the folder that `kulla standby serve` was given.",
        )
    return found
