"""The processes of a home that a standby keeps ready, and the moment when it becomes that home.

They read their modules in peace time and wait (held). A takeover from another process asks
the standby to make way, does its work, and goes; then the standby lets them go on, and minds them
as `kulla up` would.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from kulla.kernel.edges import Clock, Entropy
from kulla.kernel.errors import KullaError
from kulla.tower.country import write_people
from kulla.tower.home import write_missing
from kulla.tower.minder import Child, ChildSpec
from kulla.tower.standby.folder import StandbyFolder, replace_whole
from kulla.tower.takeover.recover import at_port
from kulla.tower.up import Tower, registered_people

_AGAIN_S: Final = 10.0
_TICK_S: Final = 0.02
_GRACE_S: Final = 0.5

log = structlog.get_logger()


class NotYetHome(KullaError):
    """A standby did not become home in time."""


class Warm:
    """What stands ready in a standby's folder. Not for two threads; see Child for which one."""

    def __init__(self, folder: StandbyFolder, port: int, clock: Clock, entropy: Entropy) -> None:
        """`port` is the portal's, once this is home."""
        self._folder = folder
        self._port = port
        self._clock = clock
        self._entropy = entropy
        self._go = folder.own / "go"
        self._children: dict[str, Child] = {}
        self._launched_s: dict[str, float] = {}
        self._settings = b""

    def keep(self) -> None:
        """Start what does not run; a process that dies is started again after a while."""
        if not self._settings:
            self._prepare()
        now_s = self._clock.monotonic_s()
        for name in ("keeper", "scribe", "portal"):
            child = self._children.get(name)
            if child is None:
                words = (name, "serve", str(self._folder.folder), "--when", str(self._go))
                self._folder.home.logs.mkdir(mode=0o700, exist_ok=True)
                child = Child(
                    ChildSpec(name, words), self._folder.home.logs / f"{name}.log", self._clock
                )
                self._children[name] = child
            elif child.pid is not None or now_s - self._launched_s[name] < _AGAIN_S:
                continue
            else:
                log.warning("a process that stood ready died", process=name)
            child.launch()
            self._launched_s[name] = now_s

    def end(self) -> None:
        """End all of them at once: they hold nothing yet."""
        for child in self._children.values():
            child.ask_to_stop()
        end_s = self._clock.monotonic_s() + _GRACE_S
        for child in self._children.values():
            child.wait_stopped(end_s)
        self._children = {}

    def become_home(self) -> None:
        """Let them go on as the home's processes, and mind them until SIGTERM."""
        home = self._folder.home
        tower = Tower(home, home.logs)
        try:
            if self._children and (home.folder / "home.toml").read_bytes() == self._settings:
                url = self._go_on(tower)
            else:  # another port, or the machine was started anew
                self.end()
                self._go.touch()
                url = tower.start()
            log.info("this standby is home now", url=url)
            replace_whole(self._folder.url_file, f"{url}\n".encode())
            tower.mind()
        finally:
            tower.end()

    def _go_on(self, tower: Tower) -> str:
        home = tower.home
        tower.minder.children += self._children.values()
        self._go.touch()
        for child in self._children.values():
            if child.pid is None:
                child.launch()
        self._children["keeper"].wait_ready()
        if home.settings().demo and not home.demo_people.exists():
            write_people(home.demo_people, registered_people(home))
        self._children["scribe"].wait_ready()
        url = self._children["portal"].wait_ready()
        tower.minder.start(ChildSpec("post", ("post", "serve", str(home.folder))))
        return url

    def _prepare(self) -> None:
        folder, home = self._folder, self._folder.home
        for path in (self._go, folder.url_file):
            path.unlink(missing_ok=True)
        text = (folder.own / "home.toml").read_text(encoding="utf-8")
        self._settings = at_port(text, self._port).encode()
        replace_whole(home.folder / "home.toml", self._settings)
        write_missing(home.django_key, self._entropy.random_bytes(32).hex().encode())


def wait_for_home(folder: StandbyFolder, clock: Clock, limit_s: float = 60.0) -> str:
    """The URL of the home that a running, warm standby becomes after a takeover.

    Raises NotYetHome where it is none after `limit_s`.
    """
    end_s, pause = clock.monotonic_s() + limit_s, threading.Event()
    while clock.monotonic_s() < end_s:
        if folder.url_file.exists():
            return folder.url_file.read_text(encoding="utf-8").strip()
        pause.wait(_TICK_S)
    raise NotYetHome(
        f"the standby is no home after {limit_s:.0f} s.",
        place=str(folder.folder),
        remedy="See its logs folder; `kulla up` starts the home once the standby was stopped.",
    )
