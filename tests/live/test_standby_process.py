"""A standby as real processes: it follows a demo country, is killed, shows pages, becomes home."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from fakes.demo import free_ports, running_demo
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Actor, Command
from kulla.registers.sqlite import dump, open_registers
from kulla.tower.country import write_people
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home
from kulla.tower.services import register_tables
from kulla.tower.standby.folder import KEYS, StandbyBroken, StandbyFolder
from kulla.tower.standby.warm import wait_for_home
from kulla.tower.up import DemoPlan, Tower

pytestmark = [pytest.mark.live, pytest.mark.long]

HOME = ("keeper", "scribe", "portal", "post")


class Standby:
    """`kulla standby` on a folder of its own."""

    def __init__(self, plan: DemoPlan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.kit = folder.parent / "standby-kit"
        self.kit.mkdir(parents=True)
        for name in ("policy", "home.toml", *KEYS):
            (self.kit / name).write_bytes((plan.kit / name).read_bytes())
        self.log = folder.parent / "standby.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        argv = [sys.executable, "-m", "kulla", "standby", "serve", str(self.folder), *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, stderr=log)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def run(self, word: str, *more: str, code: int = 0) -> str:
        argv = [sys.executable, "-m", "kulla", "standby", word, str(self.folder), *more]
        found = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert found.returncode == code, found.stdout + found.stderr
        return found.stdout + found.stderr

    def status(self) -> dict[str, Any]:
        argv = [sys.executable, "-m", "kulla", "standby", "status", str(self.folder), "--json"]
        found = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        said: dict[str, Any] = json.loads(found.stdout) if found.stdout else {}
        return said

    def until_level(self, position: int) -> dict[str, Any]:
        return _until(
            self.status, lambda said: said.get("position", 0) >= position and not said["behind"]
        )


def _until(ask: Callable[[], Any], good: Callable[[Any], object], limit_s: float = 60.0) -> Any:
    end_s = time.monotonic() + limit_s
    while True:
        said = ask()
        if good(said):
            return said
        assert time.monotonic() < end_s, said
        time.sleep(0.2)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[DemoPlan, Tower, Standby]]:
    with running_demo(tmp_path_factory.mktemp("s")) as (plan, tower):
        standby = Standby(plan, plan.folder / "abroad" / "standby")
        yield plan, tower, standby
        if standby.process is not None and standby.process.poll() is None:
            standby.end(signal.SIGKILL)


def _book(edge: HomeEdge, plan: DemoPlan) -> str:
    rows = json.loads(plan.home.demo_people.read_text())
    subject = next(row["subject"] for row in rows if row["role"] == "citizen")
    with open_registers(plan.home.registers) as registers:
        [(slot,)] = registers.execute(
            "SELECT id FROM appointments_slot WHERE state = 'free' AND practitioner = 'c00-p0' "
            "ORDER BY starts_s DESC LIMIT 1"
        ).fetchall()
    data = {"slot": slot, "reason": edge.seal(subject, {"reason": "gju"})["reason"]}
    data["contact"] = None
    id_ = SystemEntropy().random_bytes(16)
    answer = edge.submit(Command("appointments", "book", id_, Actor("citizen", subject), data), 30)
    assert answer.status == "accepted", answer
    return str(slot)


def _position(plan: DemoPlan) -> int:
    with open_registers(plan.home.registers) as registers:
        [(position,)] = registers.execute("SELECT position FROM kulla_applied").fetchall()
    return int(position)


def test_it_needs_its_part_of_the_kit_and_an_empty_folder(
    running: tuple[DemoPlan, Tower, Standby],
) -> None:
    plan, _, standby = running
    assert "no standby's" in standby.run("status", code=1)
    assert "Start it once with --kit" in standby.run("serve", code=1)
    full = Standby.__new__(Standby)
    full.folder = plan.home.folder
    assert "is not empty" in full.run("serve", "--kit", str(plan.kit), code=1)


def test_it_follows_and_goes_on_after_a_kill(running: tuple[DemoPlan, Tower, Standby]) -> None:
    plan, _, standby = running
    standby.start("--kit", str(standby.kit))
    said = standby.until_level(_position(plan))
    assert (said["keys_missing"], said["alarms"]) == (0, [])
    assert said["keys"] >= 4
    edge = HomeEdge(plan.home)
    for number in range(4):
        _book(edge, plan)
        if number % 2:
            standby.end(signal.SIGKILL)
            assert "DOES NOT RUN" in standby.run("status", code=1)
            standby.start()
    standby.until_level(_position(plan))
    assert "another process works" in standby.run("serve", code=1)
    standby.end()
    with (
        open_registers(plan.home.registers) as home,
        open_registers(StandbyFolder(standby.folder).home.registers) as follows,
    ):
        for table in register_tables():
            assert dump(home, table) == dump(follows, table), table.name
    standby.start()
    standby.until_level(_position(plan))


def test_its_keys_are_tried_under_custodians(running: tuple[DemoPlan, Tower, Standby]) -> None:
    plan, _, standby = running
    assert "All of them unwrap" in standby.run("try-keys", "--kit", str(plan.kit))
    said = json.loads(standby.run("try-keys", "--kit", str(plan.kit), "--sample", "3", "--json"))
    assert (said["tried"], said["broken"]) == (3, [])
    assert "can't be read" in standby.run("try-keys", "--kit", str(standby.kit), code=1)


def test_an_embassy_that_goes_silent_is_an_alarm_that_a_command_hears(
    running: tuple[DemoPlan, Tower, Standby],
) -> None:
    _, tower, standby = running
    standby.end()
    heard = standby.folder.parent / "heard"
    standby.start("--embassy-silence", "1", "--on-alarm", f"cat >> {heard}")
    [child] = [child for child in tower.minder.children if child.spec.name == "embassy-rome"]
    child.ask_to_stop()
    child.wait_stopped(time.monotonic() + 10)
    said = _until(standby.status, lambda said: said["alarms"])
    [alarm] = said["alarms"]
    assert (alarm["kind"], alarm["place"]) == ("embassy", "rome")
    assert f"ALARM {alarm['number']} embassy rome" in standby.run("status", code=1)
    _until(lambda: heard.exists() and heard.read_text(), bool)
    assert json.loads(heard.read_text())["kind"] == "embassy"
    assert "no alarm 99" in standby.run("seen", "99", code=1)
    standby.run("seen", str(alarm["number"]))
    assert "No alarm lasts" in standby.run("status")
    child.start()


def test_it_shows_pages_that_say_how_old_they_are_and_takes_nothing(
    running: tuple[DemoPlan, Tower, Standby],
) -> None:
    _, _, standby = running
    port = free_ports(1)
    standby.run("reads", "on", "--port", str(port))
    url = f"http://localhost:{port}"

    def page(path: str) -> str:
        try:
            return requests.get(f"{url}{path}", timeout=10, cookies={"kulla-language": "en"}).text
        except requests.RequestException:
            return ""

    shown = _until(lambda: page("/appointments/"), bool)
    assert "You see what was confirmed until" in shown
    assert "nothing can be booked or changed here" in shown
    health = requests.get(f"{url}/healthz", timeout=10).json()
    assert health["watermark"] == standby.status()["position"]
    assert health["quorum"] is False
    standby.run("reads", "off")
    _until(lambda: page("/"), lambda text: not text)


def test_a_warm_one_becomes_home_with_what_it_replayed_and_its_keys(
    running: tuple[DemoPlan, Tower, Standby],
) -> None:
    plan, tower, standby = running
    edge = HomeEdge(plan.home)
    slot = _book(edge, plan)
    end = _position(plan)
    port = free_ports(1)
    standby.end()
    standby.start("--warm", str(port))
    home = Home(standby.folder)
    _until(lambda: _ready_processes(standby), lambda found: len(found) == 3)
    standby.until_level(end)
    people = json.loads(plan.home.demo_people.read_text())
    write_people(home.demo_people, people)
    with pytest.raises(StandbyBroken):
        Tower(home, standby.folder.parent / "new-logs").start()
    for child in tower.minder.children:
        if child.spec.name in HOME:
            child._signal(signal.SIGKILL)
    argv = [sys.executable, "-m", "kulla", "takeover", "run", str(standby.folder)]
    argv += ["--kit", str(plan.kit), "--port", str(port), "--reason", "test", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(done.stdout)
    assert report["acts"] >= end
    assert report["replayed"] < 10  # what came in the last moment, if anything
    url = wait_for_home(StandbyFolder(standby.folder), SystemClock())
    assert url.endswith(f":{port}")
    assert requests.get(f"{url}/", timeout=10).status_code == 200
    assert "is home now" in standby.status()["doing"]
    with open_registers(home.registers) as registers:
        [(state,)] = registers.execute(
            "SELECT state FROM appointments_slot WHERE id = ?", (slot,)
        ).fetchall()
    assert state == "taken"
    edge = HomeEdge(home)
    for person in people[:5]:
        with open_registers(home.registers) as registers:
            [(sealed,)] = registers.execute(
                "SELECT name_sealed FROM citizens_citizen WHERE subject = ?", (person["subject"],)
            ).fetchall()
        opened = edge.open(person["subject"], {"name": sealed}, "a test looks")
        assert opened == {"name": person["name"]}
    _until((home.keeper / "recovery.sealed").exists, lambda there: not there)


def test_the_same_service_is_home_after_a_restart(
    running: tuple[DemoPlan, Tower, Standby],
) -> None:
    _, _, standby = running
    assert standby.end() == 0
    assert "a takeover has begun" in standby.run("serve", code=1)
    folder = StandbyFolder(standby.folder)
    folder.url_file.unlink()
    standby.start("--warm", "1")  # the port is the one of home.toml now
    url = wait_for_home(folder, SystemClock())
    assert requests.get(f"{url}/", timeout=10).status_code == 200
    edge = HomeEdge(folder.home)
    _until(lambda: edge.witnessing().quorum, bool)
    assert standby.end() == 0


def _ready_processes(standby: Standby) -> list[str]:
    """The processes that wait for the day when this is home."""
    argv = ["pgrep", "-f", str(standby.folder / "standby" / "go")]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
