"""Small files and folder entries that must be there after a power loss."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path | str) -> None:
    """Make the entries of a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """How much room the disk of a folder has for its owner. Raises OSError."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read; there whole and durable on return, or not at all.

    Raises FileExistsError where there is one: nothing is overwritten. What a power loss left half
    done is not in the way.
    """
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(half, path)  # unlike a rename, it takes no other's place
    finally:
        half.unlink()
    sync_folder(path.parent)
