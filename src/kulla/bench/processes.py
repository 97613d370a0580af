"""How much processor time the tower's processes used, children and threads included (Linux)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class CpuMeter:
    """Reads the processor time of processes by name, from now on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = self._read()
        self._machine_before_s = _machine_s()

    def used_s(self) -> dict[str, float]:
        """Seconds of processor time since the meter was made.

        'client' is this process; 'kernel_and_others' is whatever else ran on this machine: where
        it is large, the figures say little.
        """
        now = self._read()
        machine_s = _machine_s() - self._machine_before_s
        used = {name: round(now[name] - self._before.get(name, 0.0), 2) for name in now}
        return {**used, "kernel_and_others": round(max(0.0, machine_s - sum(used.values())), 2)}

    def _read(self) -> dict[str, float]:
        parents = _parents()
        found = {
            name: sum(_cpu_s(one) for one in _family(pid, parents))
            for name, pid in self._pids.items()
        }
        found["client"] = sum(os.times()[:2])
        return found


def _machine_s() -> float:
    """Processor time that all of the machine has used since it was started."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _, _, interrupts, soft, *_ = map(int, fields)
    return (user + nice + system + interrupts + soft) / _TICKS_PER_S


def _parents() -> dict[int, int]:
    """The parent of every process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                found[int(entry.name)] = int(fields[1])
    return found


def _family(pid: int, parents: Mapping[int, int]) -> list[int]:
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; [] where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
