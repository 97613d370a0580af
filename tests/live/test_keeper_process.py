"""The keeper as a process: killed at any moment, it still has every key that it answered for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kulla.keeper import errors, folder, wire
from kulla.keeper.client import KeeperClient
from kulla.keeper.local import LocalKeeper
from kulla.keeper.port import Enrolled
from kulla.keeper.wrapping import new_recovery_key
from kulla.kernel.canonical import decode, encode
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.lines.line import Line

pytestmark = pytest.mark.live

PROGRAM = """
import sys
from pathlib import Path
from kulla.keeper.process import serve
serve(Path(sys.argv[1]), Path(sys.argv[2]), lambda word: print("ready", word, flush=True))
"""

INDEX_KEY = bytes(range(32))


class Running:
    """A keeper's folder and the process on it, which tests kill and start again."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "keeper"
        self.run_folder = place / "run"
        self.run_folder.mkdir(mode=0o700)
        self.private, public = new_recovery_key(SystemEntropy())
        folder.init(self.folder, public, INDEX_KEY, SystemEntropy())
        self.client = KeeperClient(self.run_folder, wait_s=10)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, self.folder, self.run_folder], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready keeper\n"
        # It notes each opening there: a pipe that nobody reads is full after some hundred.
        self._reading = threading.Thread(target=self.process.stdout.read)
        self._reading.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._reading.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    keeper = Running(tmp_path)
    yield keeper
    keeper.kill()


def test_an_answered_key_outlives_kill_9(running: Running) -> None:
    answered: list[Enrolled] = []
    sealed: dict[str, dict[str, bytes]] = {}
    asking = threading.Event()

    def ask() -> None:
        while not asking.is_set():
            made = running.client.enrol(5)
            answered.extend(made)
            first = made[0].subject
            sealed[first] = running.client.seal(first, {"name": first}, "citizens")

    thread = threading.Thread(target=ask)
    thread.start()
    for pause_s in (0.05, 0.11, 0.23):
        seen = len(answered)
        while len(answered) == seen:
            time.sleep(0.01)
        time.sleep(pause_s)
        running.kill()
        running.start()
    asking.set()
    thread.join(30)
    assert not thread.is_alive()
    assert len(answered) >= 15
    running.kill()
    running.start()
    names = [each.name for each in answered]
    for start in range(0, len(names), 500):
        part = answered[start : start + 500]
        assert running.client.wrapped([each.name for each in part]) == {
            each.name: each.blob for each in part
        }
    for subject, fields in sealed.items():
        opened = running.client.open(subject, fields, "citizens", "test", "is it there")
        assert opened == {"name": subject}


def test_it_stops_cleanly_when_asked(running: Running) -> None:
    running.client.enrol(1)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0


def test_a_keeper_that_is_away_is_said_to_be_away_and_asked_again_when_it_is_back(
    running: Running,
) -> None:
    [(subject, _, _)] = running.client.enrol(1)
    running.kill()
    hasty = KeeperClient(running.run_folder, wait_s=0.3)
    began_s = time.monotonic()
    with pytest.raises(errors.KeeperUnavailable, match=wire.SOCKET):
        hasty.seal(subject, {"reason": "knee"}, "appointments")
    assert time.monotonic() - began_s < 2
    running.start()
    assert running.client.seal(subject, {"reason": "knee"}, "appointments")


def test_a_keeper_that_hangs_does_not_hang_those_who_ask(running: Running) -> None:
    [(subject, _, _)] = running.client.enrol(1)
    hasty = KeeperClient(running.run_folder, wait_s=0.3)
    hasty.seal(subject, {"reason": "knee"}, "appointments")
    running.process.send_signal(signal.SIGSTOP)
    with pytest.raises(errors.KeeperUnavailable):
        hasty.seal(subject, {"reason": "knee"}, "appointments")
    running.process.send_signal(signal.SIGCONT)
    assert set(hasty.seal(subject, {"contact": "069"}, "appointments")) == {"contact"}


def test_making_many_keys_does_not_keep_seals_waiting(running: Running) -> None:
    """Twenty imports at once; a booking's seal waits for none of them (they take over a second)."""
    [(subject, _, _)] = running.client.enrol(1)
    running.client.seal(subject, {"reason": "knee"}, "appointments")
    threads = [threading.Thread(target=running.client.enrol, args=(1000,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    waits_s = []
    while any(thread.is_alive() for thread in threads):
        began_s = time.monotonic()
        running.client.seal(subject, {"reason": "knee"}, "appointments")
        waits_s.append(time.monotonic() - began_s)
        time.sleep(0.005)
    for thread in threads:
        thread.join(30)
    assert len(waits_s) > 20
    assert sorted(waits_s)[len(waits_s) // 2] < 0.05


def test_stray_frames_do_no_harm(running: Running) -> None:
    [(subject, _, _)] = running.client.enrol(1)
    line = Line(running.run_folder / wire.SOCKET, SystemClock())
    good = {"ask": "seal", "subject": subject, "fields": {"a": "b"}, "purpose": "p"}
    for ask in (
        b"",
        b"\xff" * 9,
        encode([]),
        encode({}),
        encode({"ask": "burn"}),
        encode({"ask": ["seal"]}),
        *(encode(good | {name: 7}) for name in good),
        encode(good | {"fields": {"a": b"bytes"}}),
        encode({"ask": "open", "subject": subject, "sealed": {"a": "text"}}),
        encode({"ask": "enrol", "count": "many"}),
        encode({"ask": "enrol", "count": True}),
        encode({"ask": "wrapped", "names": ["x"]}),
        encode({"ask": "adopt", "recovery_private": b"", "blobs": [1]}),
    ):
        answer = line.ask(ask, 5.0)
        assert answer is not None, ask
        reply = decode(answer)
        assert isinstance(reply, dict)
        assert (reply["status"], reply["error"]) == ("error", "AskMalformed"), ask
    assert running.client.seal(subject, {"a": "b"}, "p")


def test_one_keeper_runs_on_a_folder(running: Running) -> None:
    with pytest.raises(errors.KeeperFolderInvalid, match="another keeper"):
        LocalKeeper(running.folder, SystemClock(), SystemEntropy())


def test_secrets_are_their_owner_s_alone(running: Running) -> None:
    running.client.enrol(1)
    assert running.folder.stat().st_mode & 0o777 == 0o700
    for path in running.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert running.process.pid != os.getpid()


def test_keys_and_values_lie_nowhere_in_clear(running: Running) -> None:
    """Controls first: what lies in clear is found by the same search."""
    [(subject, _, blob)] = running.client.enrol(1)
    value = "Përparim i Krujës 069 20 30"
    sealed = running.client.seal(subject, {"name": value}, "citizens")
    running.client.open(subject, sealed, "citizens", "test", "to be logged")
    running.kill()
    found = b"".join(path.read_bytes() for path in running.folder.iterdir())
    running.start()
    assert blob[:200] in found  # SQLite spreads a long blob over pages
    assert b"to be logged" in found
    assert value.encode() not in found
    assert b"Kruj" not in found
    assert running.private not in found
    assert running.private[1:65] not in found
