"""A country whose every step is a command that somebody types, on 'machines' that are folders.

Fault model: none of its own; tests kill processes, remove folders and leave steps out.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "OPERATE.md"
EMBASSIES = ("vienna", "rome", "ottawa", "wellington")
CUSTODIANS = ("arta", "besa", "drita")
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
WAIT_S = 90.0


def commands_of(title: str) -> list[str]:
    """The commands of a section of docs/OPERATE.md, as they stand in its blocks."""
    section = PAGE.read_text().partition(f"## {title}")[2].partition("\n## ")[0]
    lines = [line for block in FENCE.findall(section) for line in block.splitlines()]
    return [line for line in lines if line.startswith("kulla ")]


def words_of(title: str, beginning: str, changed: Mapping[str, object]) -> list[str]:
    """The words behind `kulla` of the one command that begins so, some replaced by others."""
    [found] = [line for line in commands_of(title) if line.startswith(f"kulla {beginning}")]
    return [str(changed.get(word, word)) for word in shlex.split(found)[1:]]


def until(true: Callable[[], object], limit_s: float = WAIT_S) -> None:
    """Wait for something to be true."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if true():
            return
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


@dataclass
class TypedCountry:
    """Folders, ports and processes of a country; `first` is the first of ten free ports."""

    folder: Path
    first: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def kit(self) -> Path:
        return self.folder / "stick" / "kit"

    def machine(self, custodian: str) -> Path:
        """The folder that is a custodian's own machine."""
        return self.folder / "machines" / custodian

    def run(self, *words: object, cwd: Path | None = None, code: int = 0, typed: str = "") -> str:
        """Run a command to its end; what it said, errors last."""
        done = subprocess.run(
            [sys.executable, "-m", "kulla", *map(str, words)],
            cwd=cwd or self.folder,
            input=typed,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start(self, name: str, *words: object) -> None:
        """Start a command that runs for ever."""
        with (self.folder / f"{name}.out").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "kulla", *map(str, words)],
                cwd=self.folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End what was started, with its children."""
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self) -> None:
        """End all of it."""
        for name in reversed(list(self.processes)):
            self.stop(name)

    def state(self, home: Path | None = None) -> dict[str, Any]:
        """What `kulla status --json` says; {} while the scribe does not answer."""
        done = subprocess.run(
            [sys.executable, "-m", "kulla", "status", str(home or self.home), "--json"],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        return json.loads(done.stdout) if done.stdout.startswith("{") else {}

    def embassy(self, name: str, number: int) -> Path:
        """Make an embassy at the `number`-th port behind the home's; its card lies in `folder`."""
        address = f"127.0.0.1:{self.first + 1 + number}"
        path = self.folder / name
        where = ("--bind", address, "--url", f"http://{address}")
        self.run("embassy", "init", path, "--name", name, *where)
        shutil.copy(path / f"{name}.card", self.folder)
        return path

    def begin(self) -> None:
        """Four embassies, a home, a kit, and a machine for each custodian; all of it runs."""
        for number, name in enumerate(EMBASSIES):
            self.embassy(name, number)
        changed = {
            "/srv/kulla/home": self.home,
            "https://sherbime.example.al": f"http://localhost:{self.first}",
            "/media/usb/kit": self.kit,
        }
        words = words_of("Begin a country", "init", changed)
        self.run(*words, "--port", self.first)
        self.run("kit", "print", self.kit, self.folder / "pages")
        for name in EMBASSIES:
            self.run("embassy", "pin", self.folder / name, self.home / "policy")
            self.start(name, "embassy", "serve", self.folder / name)
        self.start("home", "up", self.home)
        until(lambda: b"Kulla serves" in (self.folder / "home.out").read_bytes())
        until(lambda: self.state().get("witnessed"))
        for name in CUSTODIANS:
            self.machine(name).mkdir(parents=True)
            for kind in ("key", "share"):
                (self.kit / "custodians" / f"{name}.{kind}").rename(
                    self.machine(name) / f"{name}.{kind}"
                )
            shutil.copy(self.kit / "policy", self.machine(name))

    def sign(self, kind: str, file: Path, custodian: str, title: str) -> Path:
        """Let a custodian sign on their own machine, where the page's command is typed."""
        there = self.machine(custodian)
        shutil.copy(file, there / file.name)
        words = words_of(title, f"{kind} sign", {"besa.key": f"{custodian}.key"})
        said = self.run(*words, cwd=there, typed="y\n")
        assert f"You would sign as {custodian}." in said
        return there / f"{custodian}.signature"
