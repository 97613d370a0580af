"""A real embassy in a process and a folder of its own, on a free port of this machine.

Fault model: none of its own; tests kill it, trace it, and start it with calls taken out.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fakes.signers import MadeUpTower, SeededEntropy
from kulla.embassy.client import EmbassyClient
from kulla.embassy.folder import PublicKeys, init, pin
from kulla.journal.policy_file import Embassy, PolicyFile

NAME = "embassy-1"
WAIT_S = 60

SERVE = """
import os, sys
from pathlib import Path
from kulla.embassy.server import serve

serve(Path(sys.argv[1]), ready=lambda url: os.write(1, f"ready {url} {os.getpid()}\\n".encode()))
"""


class EmbassyProcess:
    """One embassy's folder, and the process that serves it now, if any."""

    def __init__(self, folder: Path, tower: MadeUpTower, limits: str = "") -> None:
        self.folder = folder
        self.tower = tower
        self.keys: PublicKeys = init(
            folder, NAME, "127.0.0.1:0", "http://127.0.0.1", SeededEntropy(1)
        )
        with (folder / "embassy.toml").open("a") as settings:
            settings.write(limits)
        first, *others = tower.unsigned_policy.embassies
        own = Embassy(first.name, self.keys.mirror, first.url, self.keys.statement)
        self.unsigned_policy: PolicyFile = replace(tower.unsigned_policy, embassies=(own, *others))
        self.policy = tower.signed(self.unsigned_policy, ("arta", "besa"))
        pin(folder, self.policy.render())
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def start(self, script: str = SERVE, before: Sequence[str] = ()) -> None:
        """Start serving and wait until it is ready."""
        command = [*before, sys.executable, "-c", script, str(self.folder)]
        errors = (self.folder.parent / "errors").open("ab")
        with errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, bufsize=0
            )
        deadline = time.monotonic() + WAIT_S
        line = b""
        while not line.startswith(b"ready "):
            line = self._line(deadline)
        self.url = line.split()[1].decode()
        self._pid = int(line.split()[2])

    def _line(self, deadline: float) -> bytes:
        assert self.process is not None
        assert self.process.stdout is not None
        left = max(0, deadline - time.monotonic())
        ready = select.select([self.process.stdout], [], [], left)[0]
        line: bytes = self.process.stdout.readline() if ready else b""
        if not line:
            self.kill()
            raise AssertionError((self.folder.parent / "errors").read_text()[-3000:])
        return line

    def client(self, *, reader: bool = True) -> EmbassyClient:
        """A client with the standby's key, or with none."""
        key = self.tower.key("standby.example") if reader else None
        return EmbassyClient(self.url, name=NAME, reader=key, timeout_s=WAIT_S)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process:
            self._signal(signal.SIGKILL)
            self.process.kill()
            self._gone()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self._signal(signal.SIGTERM)
        return self._gone()

    def _signal(self, number: signal.Signals) -> None:
        """To the embassy itself: strace neither passes signals on nor takes it with it."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def wait(self) -> int:
        """Wait until it ends by itself; the exit status."""
        return self._gone()

    def _gone(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        status = self.process.wait(WAIT_S)
        self.process.stdout.close()
        self.process, self._pid = None, 0
        return status


@contextlib.contextmanager
def embassy_process(
    folder: Path, limits: str = "", tower: MadeUpTower | None = None
) -> Iterator[EmbassyProcess]:
    """A started embassy that is gone at the end, whatever happened."""
    embassy = EmbassyProcess(folder / NAME, tower or MadeUpTower(), limits)
    try:
        embassy.start()
        yield embassy
    finally:
        embassy.kill()
