"""A standby's site for reading: the portal over the standby's registers, with nothing behind it.

It shows public registers while home can't be reached, and says on each page how old they are. No
act is taken, and personal data stays closed: no keeper runs at a standby.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import structlog

from kulla.kernel.edges import Clock, Entropy, SystemClock
from kulla.kernel.service import Command
from kulla.kernel.tower import Answer, Witnessing
from kulla.portal.edge import TowerUnavailable
from kulla.tower.home import Home, write_missing
from kulla.tower.minder import Child, ChildFailed, ChildSpec
from kulla.tower.standby.folder import StandbyFolder, replace_whole

READS: Final = "reads"
_WANTED: Final = "reads-port"
_LOOK_EVERY_S: Final = 0.5

log = structlog.get_logger()


def standby_of(home: Home) -> StandbyFolder | None:
    """The standby whose reading site this home's folder is, or None for a real home."""
    folder = home.folder.resolve()
    if folder.name == READS and folder.parent.name == "standby":
        return StandbyFolder(folder.parent.parent)
    return None


def want_reads(folder: StandbyFolder, port: int | None) -> None:
    """Switch the reading site on, at this port, or off; the standby sees it within a second."""
    path = folder.own / _WANTED
    if port is None:
        path.unlink(missing_ok=True)
    else:
        replace_whole(path, f"{port}\n".encode())


def wanted_port(folder: StandbyFolder) -> int | None:
    """The port at which the reading site shall be, or None."""
    try:
        return int((folder.own / _WANTED).read_text())
    except (FileNotFoundError, ValueError):
        return None


class StandbyEdge:
    """The tower as pages see it at a standby (kernel.tower.TowerEdge). Safe from any thread."""

    def __init__(self, folder: StandbyFolder) -> None:
        self._folder = folder
        self._clock = SystemClock()
        self._looked_s = -_LOOK_EVERY_S
        self._seen = Witnessing(0, 0, 0, quorum=False)
        self._lock = threading.Lock()

    def submit(self, command: Command, wait_s: float = 10.0) -> Answer:  # noqa: ARG002
        """See TowerEdge: nothing is taken here."""
        return Answer("unavailable", code="not-home")

    def seal(
        self,
        subject: str,  # noqa: ARG002
        fields: Mapping[str, str],  # noqa: ARG002
        once: bytes = b"",  # noqa: ARG002
    ) -> dict[str, bytes]:
        """See TowerEdge."""
        self._refuse()

    def open(self, subject: str, sealed: Mapping[str, bytes], reason: str) -> dict[str, str]:  # noqa: ARG002
        """See TowerEdge."""
        self._refuse()

    def enrol(self, count: int) -> Sequence[tuple[str, bytes]]:  # noqa: ARG002
        """See TowerEdge."""
        self._refuse()

    def token(self, column: str, value: str) -> bytes:  # noqa: ARG002
        """See TowerEdge."""
        self._refuse()

    def keep_file(self, subject: str, content: bytes, once: bytes) -> bytes:  # noqa: ARG002
        """See TowerEdge."""
        self._refuse()

    def read_file(self, subject: str, name: bytes, reason: str) -> bytes:  # noqa: ARG002
        """See TowerEdge."""
        self._refuse()

    def drop_file(self, name: bytes) -> None:  # noqa: ARG002
        """See TowerEdge."""
        self._refuse()

    def receipt(self, position: int, subject: str) -> bytes:  # noqa: ARG002
        """See TowerEdge."""
        self._refuse()

    def witnessing(self) -> Witnessing:
        """See TowerEdge: all that a standby replays is confirmed; new acts find no quorum here."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            if now_s - self._looked_s >= _LOOK_EVERY_S:
                self._looked_s = now_s
                state = self._folder.state()
                position = int(state.get("position", 0))
                at_ms = int(state.get("level_ms", 0)) or 1
                self._seen = Witnessing(position, position, at_ms, quorum=False)
            return self._seen

    def _refuse(self) -> NoReturn:
        raise TowerUnavailable(
            "no keys are at a standby.",
            place=str(self._folder.folder),
            remedy="Personal data opens at home, or here after a takeover.",
        )


class Reads:
    """Keeps the reading site running while it is wanted, in a thread of its own, until `close`."""

    def __init__(self, folder: StandbyFolder, clock: Clock, entropy: Entropy) -> None:
        self._folder = folder
        self._clock = clock
        self._entropy = entropy
        self._stopped = threading.Event()
        self._again = threading.Event()
        # Its child ends with the thread that made it, so this one lives as long as the process.
        self._thread = threading.Thread(target=self._run, name="standby-reads", daemon=True)

    def start(self) -> None:
        """Begin to look whether it is wanted."""
        self._thread.start()

    def begin_again(self) -> None:
        """Start the site anew: the registers' file is another one now."""
        self._again.set()

    def close(self) -> None:
        """End the site at once: it holds nothing."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        child: Child | None = None
        port: int | None = None
        while not self._stopped.wait(_LOOK_EVERY_S / 2):
            wanted = wanted_port(self._folder)
            if child is not None and (wanted != port or self._again.is_set()):
                self._end(child)
                child = None
            self._again.clear()
            if wanted is not None and self._folder.home.registers.exists():
                child, port = self._minded(child, wanted), wanted
        self._end(child)

    def _minded(self, child: Child | None, port: int) -> Child:
        if child is not None:
            child.mind()
            return child
        home = self._prepared(port)
        spec = ChildSpec("reads", ("portal", "serve", str(home.folder)))
        made = Child(spec, self._folder.own / "reads.log", self._clock)
        try:
            log.info("reads are served", url=made.start())
        except ChildFailed as error:
            log.error("reads are not served", error=str(error))
        return made

    def _prepared(self, port: int) -> Home:
        """The folder of a home without keys, whose registers are the standby's."""
        home = Home(self._folder.own / READS)
        write_missing(home.django_key, self._entropy.random_bytes(32).hex().encode())
        replace_whole(home.folder / "home.toml", self._settings(port).encode())
        replace_whole(home.policy_file, self._folder.policy().render())
        if not home.registers.is_symlink():
            home.registers.symlink_to(Path("..", "..", self._folder.home.registers.name))
        return home

    def _settings(self, port: int) -> str:
        """The kit's settings at this port, without the e-ID and the made-up people."""
        text = (self._folder.own / "home.toml").read_text(encoding="utf-8")
        own = text.partition("\n[")[0].splitlines()
        said = {"port": f"port = {port}", "demo": "demo = false", "workers": "workers = 1"}
        lines = [said.get(line.partition(" ")[0], line) for line in own]
        return "".join(f"{line}\n" for line in lines)

    def _end(self, child: Child | None) -> None:
        if child is not None:
            child.ask_to_stop()
            child.wait_stopped(self._clock.monotonic_s() + 0.2)
