"""A drill destroys only what it made itself: what it refuses, and that this stays untouched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kulla.drill.chance import chance_of
from kulla.drill.guard import MARKER, DrillRefused, Guard, loopback
from kulla.drill.throwaway import free_ports, own_host
from kulla.kernel.edges import SystemEntropy

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
FORKS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard.begin(tmp_path, SystemEntropy())


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "below").mkdir()
    (folder / "below" / "secret").write_bytes(b"secret" * 1000)
    return folder


def started(argv: list[str], *, own_session: bool = True) -> tuple[subprocess.Popen[bytes], bytes]:
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=own_session)
    assert process.stdout is not None
    return process, process.stdout.readline()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process, _ = started(SLEEP)
    yield process
    process.kill()
    process.wait()


class TestFolders:
    def test_wipes_what_it_made(self, guard):
        folder = make(guard.root / "home")
        secret = folder / "below" / "secret"
        guard.mark(folder)
        held = secret.open("rb")  # what was in the file's blocks, after the file is gone
        assert guard.wipe(folder, chance_of(1, "noise")) >= 6000
        assert not folder.exists()
        noise = held.read()
        held.close()
        assert len(noise) == 6000
        assert b"secret" not in noise

    def test_refuses_a_folder_outside_its_own(self, guard, tmp_path):
        folder = make(tmp_path / "somebody's")
        with pytest.raises(DrillRefused, match="does not lie in the drill's own"):
            guard.mark(folder)
        with pytest.raises(DrillRefused, match="does not lie in the drill's own"):
            guard.wipe(folder, chance_of(1, "noise"))
        assert (folder / "below" / "secret").exists()
        assert not (folder / MARKER).exists()

    @pytest.mark.parametrize("way", ["..", "home/../../x", "."])
    def test_refuses_ways_around(self, guard, way):
        with pytest.raises(DrillRefused, match="does not lie in the drill's own"):
            guard.wipe(guard.root / way, chance_of(1, "noise"))
        assert guard.root.exists()

    def test_refuses_a_link_to_a_folder_elsewhere(self, guard, tmp_path):
        elsewhere = make(tmp_path / "somebody's")
        (guard.root / "home").symlink_to(elsewhere)
        with pytest.raises(DrillRefused, match="follows no links"):
            guard.mark(guard.root / "home")
        assert not (elsewhere / MARKER).exists()

    def test_refuses_a_folder_below_a_link(self, guard, tmp_path):
        make(tmp_path / "somebody's")
        (guard.root / "way").symlink_to(tmp_path)
        with pytest.raises(DrillRefused, match="follows no links"):
            guard.mark(guard.root / "way" / "somebody's")

    def test_refuses_a_folder_without_its_mark(self, guard):
        folder = make(guard.root / "home")
        with pytest.raises(DrillRefused, match="not made by this drill"):
            guard.wipe(folder, chance_of(1, "noise"))
        assert (folder / "below" / "secret").exists()

    def test_refuses_a_folder_whose_mark_is_another_drills(self, guard):
        folder = make(guard.root / "home")
        guard.mark(folder)
        (folder / MARKER).write_text("f" * 64)
        with pytest.raises(DrillRefused, match="not made by this drill"):
            guard.wipe(folder, chance_of(1, "noise"))
        assert (folder / "below" / "secret").exists()

    def test_refuses_a_folder_that_took_the_place_of_its_own(self, guard):
        folder = make(guard.root / "home")
        guard.mark(folder)
        folder.rename(guard.root / "moved")
        make(folder)
        (folder / MARKER).write_bytes((guard.root / "moved" / MARKER).read_bytes())
        with pytest.raises(DrillRefused, match="exchanged"):
            guard.wipe(folder, chance_of(1, "noise"))
        assert (folder / "below" / "secret").exists()

    def test_refuses_to_mark_twice(self, guard):
        folder = make(guard.root / "home")
        guard.mark(folder)
        with pytest.raises(DrillRefused, match="another drill"):
            guard.mark(folder)

    def test_links_and_second_names_in_a_wiped_folder_hurt_nobody_else(self, guard, tmp_path):
        elsewhere = make(tmp_path / "somebody's")
        secret = elsewhere / "below" / "secret"
        folder = make(guard.root / "home")
        (folder / "link").symlink_to(secret)
        (folder / "linked-folder").symlink_to(elsewhere)
        os.link(secret, folder / "second-name")
        guard.mark(folder)
        guard.wipe(folder, chance_of(1, "noise"))
        assert not folder.exists()
        assert secret.read_bytes() == b"secret" * 1000

    def test_removes_its_own_folder_only_while_it_is_its_own(self, guard):
        (guard.root / MARKER).write_text("f" * 64)
        with pytest.raises(DrillRefused, match="not made by this drill"):
            guard.remove_all()
        assert guard.root.exists()

    def test_leaves_nothing(self, guard):
        guard.mark(make(guard.root / "home"))
        guard.remove_all()
        assert not guard.root.exists()

    def test_refuses_a_place_that_is_not_there(self, tmp_path):
        with pytest.raises(DrillRefused, match="no such folder"):
            Guard.begin(tmp_path / "nowhere", SystemEntropy())


class TestProcesses:
    def test_kills_what_it_started_with_all_that_this_started(self, guard):
        process, line = started([sys.executable, "-c", FORKS])
        grandchild = int(line)
        guard.adopt(process.pid)
        assert sorted(guard.kill([process.pid])) == sorted([process.pid, grandchild])
        assert process.wait() == -signal.SIGKILL
        assert not is_running(grandchild)

    @pytest.mark.parametrize(
        "pid", [1, os.getpid(), os.getppid()], ids=["init", "itself", "its parent"]
    )
    def test_refuses_to_adopt_strangers(self, guard, pid):
        with pytest.raises(DrillRefused, match="not started by this drill"):
            guard.adopt(pid)

    def test_refuses_to_adopt_a_grandchild(self, guard):
        process, line = started([sys.executable, "-c", FORKS])
        try:
            with pytest.raises(DrillRefused, match="not started by this drill"):
                guard.adopt(int(line))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def test_refuses_to_adopt_a_child_in_its_own_session(self, guard):
        """Killing that one's session would kill this process too."""
        process, _ = started(SLEEP, own_session=False)
        try:
            with pytest.raises(DrillRefused, match="not started by this drill"):
                guard.adopt(process.pid)
        finally:
            process.kill()
            process.wait()

    def test_refuses_to_kill_what_it_did_not_adopt(self, guard, sleeper):
        with pytest.raises(DrillRefused, match="not, or no longer"):
            guard.kill([sleeper.pid])
        assert sleeper.poll() is None

    def test_kills_none_where_it_refuses_one(self, guard, sleeper):
        guard.adopt(sleeper.pid)
        with pytest.raises(DrillRefused, match="process 1"):
            guard.kill([sleeper.pid, 1])
        assert sleeper.poll() is None

    def test_refuses_a_number_that_was_given_out_anew(self, guard, sleeper):
        guard.adopt(sleeper.pid)
        old = guard._own[sleeper.pid]
        # As if the adopted process had ended and another had its number now.
        guard._own[sleeper.pid] = type(old)(
            old.pid, old.parent, old.session, old.started - 1, old.alive
        )
        with pytest.raises(DrillRefused, match="no longer"):
            guard.kill([sleeper.pid])
        assert sleeper.poll() is None

    def test_refuses_one_that_ended_by_itself(self, guard, sleeper):
        guard.adopt(sleeper.pid)
        sleeper.kill()
        sleeper.wait()
        with pytest.raises(DrillRefused, match="died by itself"):
            guard.kill([sleeper.pid])

    def test_kills_only_once(self, guard):
        process, _ = started(SLEEP)
        guard.adopt(process.pid)
        guard.kill([process.pid])
        process.wait()
        with pytest.raises(DrillRefused, match="not, or no longer"):
            guard.kill([process.pid])


def is_running(pid: int) -> bool:
    for _ in range(50):
        try:
            line = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        if line.rpartition(")")[2].split()[0] in "ZX":
            return False
        time.sleep(0.02)
    return True


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "host", "port"),
        [
            ("http://127.0.0.1:8000", "127.0.0.1", 8000),
            ("http://127.9.8.7:1/x", "127.9.8.7", 1),
            ("http://[::1]:8000", "::1", 8000),
        ],
    )
    def test_takes_loopback(self, url, host, port):
        address = loopback(url)
        assert (address.host, address.port) == (host, port)

    @pytest.mark.parametrize(
        "url",
        [
            "http://localhost:8000",
            "http://0.0.0.0:8000",
            "http://10.0.0.1:8000",
            "http://93.184.215.14:80",
            "http://127.0.0.1.example.al:8000",
            "http://127.0.0.1@10.0.0.1:8000",
            "http://[::ffff:10.0.0.1]:80",
            "http://2130706433:80",
            "https://127.0.0.1:8000",
            "http://127.0.0.1",
            "http://127.0.0.1:99999",
            "127.0.0.1:8000",
            "",
        ],
    )
    def test_refuses_everything_else(self, url):
        with pytest.raises(DrillRefused, match="not an address of loopback"):
            loopback(url)

    def test_each_citizen_comes_from_an_address_of_their_own(self):
        hosts = [own_host(number) for number in range(70_000)]
        assert len(set(hosts)) == len(hosts)
        assert all(loopback(f"http://{host}:1") for host in hosts)
        assert "127.0.0.1" not in hosts

    def test_ports_are_free_and_in_a_row(self):
        ports = free_ports(6, chance_of(3, "ports"))
        assert ports == list(range(ports[0], ports[0] + 6))
