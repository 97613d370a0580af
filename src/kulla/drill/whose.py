"""Whose a connection on loopback is, as the kernel says it. Linux only (/proc)."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path


def is_connection_of(pids: Iterable[int], from_port: int, to_ports: Container[int]) -> bool:
    """Whether one of these processes has the connection from `from_port` to one of `to_ports`.

    False where there is no such connection any more.
    """
    inode = _inode(from_port, to_ports)
    if not inode:
        return False
    wanted = f"socket:[{inode}]"
    return any(wanted in _open_files(pid) for pid in pids)


def _inode(from_port: int, to_ports: Container[int]) -> str:
    """The inode of the near end's socket; '' where there is none (or nobody holds it)."""
    near = f":{from_port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(near) and int(fields[2].rpartition(":")[2], 16) in to_ports:
            return "" if fields[9] == "0" else fields[9]
    return ""


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        entries = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return found
    for entry in entries:
        try:
            found.add(str(entry.readlink()))
        except OSError:
            continue
    return found
