"""What a drill may destroy: processes that it started, folders that it made, on loopback alone.

A drill kills and wipes like an attacker. So each blow goes through a Guard, which knows what is the
drill's own by what the kernel says of it and refuses the rest. Linux only (/proc, pidfd).
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kulla.drill.chance import Chance
from kulla.kernel.edges import Entropy
from kulla.kernel.errors import KullaError

MARKER: Final = ".kulla-drill"
_TOKEN_BYTES: Final = 32
_NOISE_BYTES: Final = 1 << 14
_DYING_S: Final = 10.0
_LOOK_S: Final = 0.01


class DrillRefused(KullaError):
    """A drill was about to touch something that is not its own; nothing was done."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address of loopback: a literal IP address, never a name."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Process:
    """A process as /proc tells it. `started` counts clock ticks since the machine's start."""

    pid: int
    parent: int
    session: int
    started: int
    alive: bool


class Guard:
    """Stands between a drill and the machine. Make one with `begin`; not for two threads."""

    def __init__(self, root: Path, token: bytes) -> None:
        self.root = root.resolve()
        self._token = token
        self._made: dict[Path, tuple[int, int]] = {}
        self._own: dict[int, _Process] = {}
        self._mark(self.root)

    @classmethod
    def begin(cls, place: Path, entropy: Entropy) -> Guard:
        """A guard with a fresh, empty folder of its own below `place`, which must exist."""
        if not place.is_dir():
            raise DrillRefused("there is no such folder.", place=str(place))
        root = Path(tempfile.mkdtemp(prefix="kulla-drill-", dir=place))
        return cls(root, entropy.random_bytes(_TOKEN_BYTES).hex().encode())

    def mark(self, folder: Path) -> None:
        """Take a folder that was just made inside the drill's own as one that may be wiped.

        Raises DrillRefused where it lies elsewhere, is reached through a link, or has a mark.
        """
        self._require_inside(folder)
        self._mark(folder)

    def wipe(self, folder: Path, chance: Chance) -> int:
        """Overwrite the files of a marked folder with noise, and delete it; the bytes written.

        Of a file its first 16 KiB are overwritten before it goes: wipers have no time for
        more, and whoever takes over must not wait for a disk that is busy with this.

        Raises DrillRefused, before anything is touched, where the folder is not the drill's own.
        """
        self._require_inside(folder)
        self._require_marked(folder)
        written = sum(_overwrite(folder, chance))
        shutil.rmtree(folder)
        del self._made[folder]
        return written

    def remove_all(self) -> None:
        """Delete the drill's own folder with all in it. Raises DrillRefused where it is not."""
        self._require_marked(self.root)
        shutil.rmtree(self.root)
        self._made.clear()

    def adopt(self, pid: int) -> None:
        """Take a process as one that may be killed: a child of this one, leading its own session.

        Raises DrillRefused for any other.
        """
        found = _process(pid)
        if found is None or found.parent != os.getpid() or found.session != pid:
            raise DrillRefused(
                "this process was not started by this drill.",
                place=f"process {pid}",
                remedy="A drill kills only what it started itself.",
            )
        self._own[pid] = found

    def kill(self, pids: Iterable[int]) -> list[int]:
        """SIGKILL these processes, all at once, with all that they started; the ids of the killed.

        Each must have been adopted and still be the same process: what is signalled is held by
        pidfd while /proc is compared, so that a number that was given out anew is never hit.
        Raises DrillRefused, before the first signal, where one is not; and where one survives.
        """
        leaders = [self._require_own(pid) for pid in pids]
        sessions = {leader.pid for leader in leaders}
        pause = threading.Event()
        with ExitStack() as held:
            members = _members(sessions)
            for descriptor in [self._hold(one, held) for one in members]:
                _signal(descriptor)
            # A worker may have been started while the signals went out.
            for _ in range(int(_DYING_S / _LOOK_S)):
                left = [one for one in _members(sessions) if one.alive]
                if not left:
                    break
                for one in left:
                    _signal(self._hold(one, held))
                pause.wait(_LOOK_S)
            else:
                raise DrillRefused(
                    f"processes of this drill outlived SIGKILL: {[one.pid for one in left]}."
                )
        for leader in leaders:
            del self._own[leader.pid]
        return [one.pid for one in members]

    def members(self, leader: int) -> list[int]:
        """An adopted process and all that it started, as far as they live; [] where it is gone."""
        try:
            own = self._require_own(leader)
        except DrillRefused:
            return []
        return [one.pid for one in _members({own.pid}) if one.alive]

    def kill_one(self, pid: int) -> bool:
        """SIGKILL one process that was adopted, or started by one that was; False where it is gone.

        Raises DrillRefused for any other.
        """
        found = _process(pid)
        if found is None or not found.alive:
            return False
        self._require_own(found.session)
        with ExitStack() as held:
            _signal(self._hold(found, held))
        return True

    def _require_own(self, pid: int) -> _Process:
        known, found = self._own.get(pid), _process(pid)
        same = known is not None and found is not None and found.started == known.started
        if known is None or found is None or not same or not found.alive:
            raise DrillRefused(
                "this process is not, or no longer, one that this drill started.",
                place=f"process {pid}",
                remedy="See whether a process of the tower died by itself: the logs say why.",
            )
        return known

    def _hold(self, process: _Process, held: ExitStack) -> int:
        """A pidfd of `process`; -1 where it is gone already."""
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return -1
        held.callback(os.close, descriptor)
        now = _process(process.pid)
        same = now is not None and now.started == process.started
        return descriptor if same else -1

    def _mark(self, folder: Path) -> None:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise DrillRefused("this is not a folder.", place=str(folder))
        try:
            descriptor = os.open(
                folder / MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600
            )
        except FileExistsError as error:
            raise DrillRefused(
                "this folder belongs to another drill.", place=str(folder)
            ) from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._token)
        self._made[folder] = (found.st_dev, found.st_ino)

    def _require_inside(self, folder: Path) -> None:
        inside = folder.is_absolute() and folder != self.root and folder.is_relative_to(self.root)
        if not inside or folder.is_symlink() or folder.resolve() != folder:
            raise DrillRefused(
                f"this folder does not lie in the drill's own, {self.root}.",
                place=str(folder),
                remedy="A drill wipes only what it made, and follows no links.",
            )

    def _require_marked(self, folder: Path) -> None:
        known, token = self._made.get(folder), b""
        with suppress(OSError):
            descriptor = os.open(folder / MARKER, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                token = file.read(len(self._token) + 1)
        with suppress(OSError):
            found = folder.lstat()
            same = known == (found.st_dev, found.st_ino) and stat.S_ISDIR(found.st_mode)
            if same and hmac.compare_digest(token, self._token):
                return
        raise DrillRefused(
            "this folder was not made by this drill, or was exchanged since.",
            place=str(folder),
            remedy="A drill deletes only what it made.",
        )


def loopback(url: str) -> Address:
    """The address of an http URL. Raises DrillRefused unless it is a literal one of loopback."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback, port = False, None
    if not is_loopback or port is None or parts.scheme != "http":
        raise DrillRefused(
            "this is not an address of loopback with a port.",
            place=url,
            remedy="A drill talks to 127.0.0.0/8 and ::1 alone; it resolves no names.",
        )
    return Address(host, port)


def _overwrite(folder: Path, chance: Chance) -> Iterator[int]:
    """Overwrite the plain files below `folder` with noise; yields how many bytes of each."""
    device, noise = folder.lstat().st_dev, chance.randbytes(_NOISE_BYTES)
    for _, _, names, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in names:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            # A file with a second name, or on another disk, may be somebody else's too.
            plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            if not plain or found.st_dev != device:
                continue
            file = os.open(name, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=descriptor)
            with os.fdopen(file, "wb", buffering=0) as out:
                out.write(noise[: found.st_size])
            yield min(found.st_size, _NOISE_BYTES)


def _process(pid: int) -> _Process | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses, and may hold any character.
    fields = line[line.rindex(b")") + 2 :].split()
    alive = fields[0] not in {b"Z", b"X"}
    return _Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), alive)


def _members(sessions: set[int]) -> list[_Process]:
    """The processes of these sessions, the dead ones too that nobody has waited for."""
    names = (entry.name for entry in Path("/proc").iterdir())
    found = (_process(int(name)) for name in names if name.isdecimal())
    return [one for one in found if one is not None and one.session in sessions]


def _signal(descriptor: int) -> None:
    if descriptor >= 0:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
