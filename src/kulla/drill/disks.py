"""A small disk that can really be full: a tmpfs of fixed size, seen by the drill alone.

It is mounted in a mount namespace of the drill's own, which its processes inherit, so that nothing
of it is left however the drill ends. That takes the right to mount. Linux only.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from kulla.drill.guard import DrillRefused

_CLONE_NEWNS: Final = 0x20000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 1 << 14, 1 << 18
_MNT_DETACH: Final = 2
_FILLER: Final = "filler"
_BLOCKS_BYTES: Final = (1 << 20, 1 << 12)
_REMEDY: Final = (
    "Run it as root, or as nobody special with: unshare --user --map-root-user --mount kulla drill "
    "wipe --fault disk-full"
)


class Disk:
    """One such disk, mounted at `folder`, which is made for it. Raises DrillRefused."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700)
        libc = ctypes.CDLL(None, use_errno=True)
        # From the root on: what is mounted from now on in this process is seen by nobody else.
        _check(libc.unshare(_CLONE_NEWNS), "a mount namespace")
        _check(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mounts of its own")
        how = f"size={size_bytes},mode=0700".encode()
        flags = _MS_NOSUID | _MS_NODEV
        _check(libc.mount(b"kulla-drill", bytes(folder), b"tmpfs", flags, how), "a small disk")
        self._libc = libc

    @property
    def free_bytes(self) -> int:
        """How much room there is."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> int:
        """Write until the disk takes not one block more; the bytes written."""
        written = 0
        with (self.folder / _FILLER).open("ab", buffering=0) as file:
            for block_bytes in _BLOCKS_BYTES:
                block = bytes(block_bytes)
                try:
                    while True:
                        written += file.write(block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        return written

    def make_room(self) -> None:
        """Remove what filled it."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take the disk away, also where somebody still has a file of it open."""
        if self._libc.umount2(bytes(self.folder), _MNT_DETACH) == 0:
            with suppress(OSError):
                self.folder.rmdir()


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise DrillRefused(
            f"this process may not make {what} ({os.strerror(code)}).",
            place="--fault disk-full",
            remedy=_REMEDY,
        )
