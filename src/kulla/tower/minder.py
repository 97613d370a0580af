"""Starts a tower's processes in order, restarts what dies, and stops all of them cleanly.

Every child gets a pipe on which it says 'ready' with a word of its own (its address). A child that
dies is started again after a pause that grows while it keeps dying; children see the minder's end
as SIGTERM, and after `GRACE_S` as SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError

log = structlog.get_logger()

READY_S = 60.0
GRACE_S = 10.0
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0
_TICK_S = 0.2
_PR_SET_PDEATHSIG = 1


class ChildFailed(KullaError):
    """A process of the tower did not come up."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process: its name, the words after `kulla`, and what to add to its environment."""

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One process that the minder started, and how often it had to."""

    def __init__(self, spec: ChildSpec, log_file: Path, clock: Clock) -> None:
        self.spec = spec
        self.starts = 0
        self.word = ""
        self._reader = -1
        self._log_file = log_file
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._due_s = 0.0
        self._failures = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> str:
        """Start it and wait for its word, at most READY_S. Raises ChildFailed."""
        self.launch()
        return self.wait_ready()

    def launch(self) -> None:
        """Start it; `wait_ready` waits for its word."""
        if self._reader >= 0:
            os.close(self._reader)  # of one that died before its word was waited for
        self._reader, writer = os.pipe()
        self.starts += 1
        self._started_s = self._clock.monotonic_s()
        argv = [sys.executable, "-m", "kulla", *self.spec.words, "--ready-fd", str(writer)]
        environment = {**os.environ, **self.spec.environment}
        with self._log_file.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writer,),
                env=environment,
                start_new_session=True,
            )
        os.close(writer)

    def wait_ready(self) -> str:
        """Wait for the word of what was launched, at most READY_S. Raises ChildFailed."""
        try:
            self.word = self._wait_ready(self._reader)
        finally:
            os.close(self._reader)
            self._reader = -1
        return self.word

    def mind(self) -> bool:
        """Start it again if it died and its pause is over; True where it was started again."""
        if self.pid is not None:
            return False
        now_s = self._clock.monotonic_s()
        if self._due_s == 0.0:
            steady = now_s - self._started_s > _STEADY_S
            self._failures = 0 if steady else self._failures + 1
            pause_s = _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
            self._due_s = now_s + pause_s
            code = self._process.returncode if self._process else None
            log.error("process died", process=self.spec.name, code=code, again_in_s=pause_s)
        if now_s < self._due_s:
            return False
        self._due_s = 0.0
        try:
            self.start()
        except ChildFailed as error:
            log.error("process did not come up", process=self.spec.name, error=str(error))
            return False
        log.info("process started again", process=self.spec.name, starts=self.starts)
        return True

    def ask_to_stop(self) -> None:
        """Send SIGTERM to its whole group."""
        self._signal(signal.SIGTERM)

    def wait_stopped(self, end_s: float) -> None:
        """Wait until it is gone; SIGKILL what is left at `end_s` of the monotonic clock."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout=max(0.0, end_s - self._clock.monotonic_s()))
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: int) -> None:
        pid = self.pid  # asked once: it may end at any moment
        if pid is not None:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                return

    def _wait_ready(self, reader: int) -> str:
        said = b""
        end_s = self._clock.monotonic_s() + READY_S
        while not said.endswith(b"\n"):
            left_s = end_s - self._clock.monotonic_s()
            readable, _, _ = select.select([reader], [], [], max(0.0, min(left_s, _TICK_S)))
            if readable:
                piece = os.read(reader, 4096)
                if not piece:
                    self._fail("ended before it was ready")
                said += piece
            elif left_s <= 0:
                self._fail(f"was not ready after {READY_S:.0f} s")
        return said.decode().strip()

    def _fail(self, how: str) -> None:
        self._signal(signal.SIGKILL)
        raise ChildFailed(
            f"{self.spec.name} {how}.",
            place=str(self._log_file),
            remedy="Its last lines say why.",
        )


class Minder:
    """All processes of one tower on this machine. `run` returns after `stop`."""

    def __init__(self, logs: Path, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock
        self._stopped = threading.Event()
        self.children: list[Child] = []

    def start(self, *specs: ChildSpec) -> list[Child]:
        """Start processes at once and wait until all are ready. Raises ChildFailed.

        `end` stops the last named first.
        """
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = [Child(spec, self._logs / f"{spec.name}.log", self._clock) for spec in specs]
        self.children += made
        for child in made:
            child.launch()
        for child in made:
            child.wait_ready()
        return made

    def run(
        self, watch: Sequence[Child] | None = None, until: Callable[[], bool] = lambda: False
    ) -> None:
        """Mind the children until `stop`, or until `until` says so."""
        while not until() and not self._stopped.wait(_TICK_S):
            for child in watch or self.children:
                child.mind()

    def stop(self, *_: object) -> None:
        """End `run` soon; fit for a signal handler."""
        self._stopped.set()

    def end(self) -> None:
        """Stop all children, the last started first, and wait for them."""
        end_s = self._clock.monotonic_s() + GRACE_S
        for child in reversed(self.children):
            child.ask_to_stop()
            child.wait_stopped(end_s)


def follow_parent() -> None:
    """Ask the kernel to end this process when its minder dies, however it dies (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def say_ready(descriptor: int | None, word: str) -> None:
    """Tell the minder, on the pipe it gave us, that this process is ready."""
    if descriptor is not None:
        os.write(descriptor, f"{word}\n".encode())
        os.close(descriptor)
