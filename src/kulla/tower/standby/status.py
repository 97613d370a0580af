"""What a standby's folder tells of it, to an operator and to programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kulla.keeper.errors import BlobBroken
from kulla.keeper.waiting import Waiting, WaitingKeys
from kulla.keeper.wrapping import RecoveryPrivate
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.tower.standby.folder import STANDBY, TAKEOVER, StandbyBroken, StandbyFolder

_OLD_S: Final = 60


def status_of(folder: Path) -> dict[str, Any]:
    """Where the standby in `folder` stands, with the alarms that last and that nobody has seen.

    `well`: it runs, what it wrote is fresh, and there is no such alarm. Raises StandbyBroken where
    the folder is no standby's.
    """
    found = standby_at(folder)
    state, holder, seen = found.state(), found.holder(), found.seen()
    pid, role = holder or (None, "")
    alarms = [
        alarm
        for alarm in state.get("alarms", {}).get("alarms", [])
        if not alarm["over_ms"] and alarm["number"] not in seen
    ]
    age_s = (SystemClock().now_ms() - state.get("at_ms", 0)) // 1000
    return {
        "pid": pid,
        "doing": _doing(found, role, state),
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
        "well": role == STANDBY and age_s < _OLD_S and not alarms,
    }


def _doing(found: StandbyFolder, role: str, state: dict[str, Any]) -> str:
    """In words: what the process in this folder does, or what nobody does."""
    if role == STANDBY:
        return str(state.get("doing", "has not said anything yet"))
    if found.taken_over:
        return "this folder is home now, see `kulla status`"
    if role == TAKEOVER:
        return "a takeover is at work here"
    if found.decided:
        return "a takeover began here and waits to be run again"
    return "nobody follows"


def say_seen(folder: Path, numbers: list[int]) -> None:
    """Note that an operator has seen these alarms. Raises StandbyBroken for one that is none."""
    found = standby_at(folder)
    known = {alarm["number"] for alarm in found.state().get("alarms", {}).get("alarms", [])}
    for number in numbers:
        if number not in known:
            raise StandbyBroken(
                f"there is no alarm {number}.",
                place=str(folder),
                remedy="`kulla standby status` shows their numbers.",
            )
    found.note_seen(numbers)


def try_keys(folder: Path, kit: Path, sample: int) -> dict[str, Any]:
    """Unwrap `sample` (all, for 0) of the waiting keys with the kit's recovery key.

    Raises StandbyBroken, KeeperFolderInvalid, RecoveryKeyInvalid.
    """
    found = standby_at(folder)
    recovery = RecoveryPrivate(_recovery_key(kit))
    waiting = WaitingKeys(found.waiting, read_only=True)
    try:
        named, missing = waiting.counts()
        chosen = _sample(named, sample)
        keys = waiting.numbered(chosen)
        broken = [key.name.hex() for key in keys if not _unwraps(recovery, key)]
    finally:
        waiting.close()
    return {"keys": named - missing, "tried": len(keys), "broken": broken}


def _recovery_key(kit: Path) -> bytes:
    path = kit / "recovery.key"
    try:
        return path.read_bytes()
    except OSError as error:
        raise StandbyBroken(
            f"the recovery key can't be read ({error.strerror}).",
            place=str(path),
            remedy="Let the custodians bring it; it does not stay at a standby.",
        ) from error


def _sample(count: int, sample: int) -> list[int]:
    """Numbers from 1 to `count`: all, or `sample` of them that nobody can foresee."""
    if not 0 < sample < count:
        return list(range(1, count + 1))
    entropy, chosen = SystemEntropy(), set[int]()
    while len(chosen) < sample:
        chosen.add(int.from_bytes(entropy.random_bytes(8)) % count + 1)
    return sorted(chosen)


def _unwraps(recovery: RecoveryPrivate, waiting: Waiting) -> bool:
    try:
        subject, _ = recovery.unwrap(waiting.blob)
    except BlobBroken:
        return False
    return waiting.subject in ("", subject)


def standby_at(folder: Path) -> StandbyFolder:
    """The standby in `folder`. Raises StandbyBroken where it is none."""
    found = StandbyFolder(folder)
    if not found.exists:
        raise StandbyBroken(
            "this folder is no standby's.",
            place=str(folder),
            remedy="Name the folder that `kulla standby serve` was given.",
        )
    return found
