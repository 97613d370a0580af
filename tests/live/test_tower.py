"""A demo tower of real processes: it restarts what dies, says how it is, and outlives its home."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.demo import running_demo
from kulla.journal.receipts import verify_receipt
from kulla.kernel.canonical import encode
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.lines.frames import Gathering, framed
from kulla.scribe.client import ScribeClient
from kulla.scribe.wire import parse_map
from kulla.tower.country import STAFF
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home
from kulla.tower.takeover.recover import rebuild_for_looking, take_over
from kulla.tower.up import DemoPlan, Tower

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoPlan, Tower]]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def _slot(edge: HomeEdge, plan: DemoPlan, number: int) -> str:
    import sqlite3

    with sqlite3.connect(f"file:{plan.home.registers}?mode=ro", uri=True) as registers:
        rows = registers.execute(
            "SELECT id FROM appointments_slot WHERE state = 'free' ORDER BY starts_s DESC LIMIT 50"
        ).fetchall()
    return str(rows[number][0])


def _book(edge: HomeEdge, slot: str, subject: str, wait_s: float = 30.0) -> Answer:
    sealed = edge.seal(subject, {"reason": "dhimbje koke"})
    data = {"slot": slot, "reason": sealed["reason"], "contact": None}
    command = Command(
        "appointments", "book", SystemEntropy().random_bytes(16), Actor("citizen", subject), data
    )
    return edge.submit(command, wait_s)


def _people(plan: DemoPlan) -> list[str]:
    rows = json.loads(plan.home.demo_people.read_text())
    return [row["subject"] for row in rows if row["role"] == "citizen"]


def _until(true: object, limit_s: float = 30.0) -> None:
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if true():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def test_a_booking_is_confirmed_and_its_receipt_verifies(
    country: tuple[DemoPlan, Tower],
) -> None:
    plan, _ = country
    edge = HomeEdge(plan.home)
    subject = _people(plan)[0]
    answer = _book(edge, _slot(edge, plan, 0), subject)
    assert answer.status == "accepted"
    receipt = edge.receipt(answer.positions[0], subject)
    proven = verify_receipt(receipt, plan.home.policy())
    assert (proven.act["act"], proven.act["by"]) == ("booked", subject)


@pytest.mark.parametrize("name", ["scribe", "keeper", "embassy-rome"])
def test_what_is_killed_is_started_again_and_nothing_is_lost(
    country: tuple[DemoPlan, Tower], name: str
) -> None:
    plan, tower = country
    edge = HomeEdge(plan.home)
    subject = _people(plan)[1]
    [child] = [child for child in tower.minder.children if child.spec.name == name]
    before = child.starts
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    _until(lambda: child.mind() or child.starts > before)
    answer = _book(edge, _slot(edge, plan, 5 + before), subject)
    assert answer.status == "accepted" or answer.code == "same-time"
    _until(lambda: edge.witnessing().quorum)


def test_a_second_scribe_on_the_same_home_does_not_start(country: tuple[DemoPlan, Tower]) -> None:
    plan, _ = country
    command = [sys.executable, "-m", "kulla", "scribe", "serve", str(plan.home.folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "another process" in ended.stderr


@pytest.mark.parametrize(
    "sent",
    [
        framed(b""),
        framed(b"\xff not cbor"),
        framed(encode(["submit"])),
        framed(encode({"ask": "submit", "id": 3})),
        framed(encode({"ask": "receipt"})),
        framed(encode({"ask": "receipt", "position": "x", "subject": 7})),
        framed(encode({"ask": {"deep": [1, 2]}})),
        b"\xff\xff\xff\xff too long",
        b"\0\0\1",
    ],
)
def test_garbage_at_the_scribes_door_hurts_nobody(
    country: tuple[DemoPlan, Tower], sent: bytes
) -> None:
    plan, tower = country
    [scribe] = [child for child in tower.minder.children if child.spec.name == "scribe"]
    pid = scribe.pid
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(10)
        door.connect(str(plan.home.run_folder() / "scribe.sock"))
        door.sendall(sent)
        if sent[:1] == b"\0" and len(sent) > 3:
            [answer] = Gathering().feed(door.recv(65536))
            assert parse_map(answer)["status"] == "error"
    assert ScribeClient(plan.home.run_folder(), SystemClock()).state()["witnessing"]["quorum"]
    assert scribe.pid == pid is not None


def test_status_says_that_acts_are_witnessed(country: tuple[DemoPlan, Tower]) -> None:
    plan, _ = country
    command = [sys.executable, "-m", "kulla", "status", str(plan.home.folder), "--json"]
    _until(
        lambda: (
            subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
        )
    )
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert said["witnessed"] is True
    assert set(said["embassies"]) == {"vienna", "rome", "ottawa", "wellington"}
    assert said["watermark"] == said["acts"]


def test_looking_changes_nothing_and_finds_every_act(
    country: tuple[DemoPlan, Tower], tmp_path: Path
) -> None:
    plan, _ = country
    edge = HomeEdge(plan.home)
    _until(lambda: edge.witnessing().watermark == edge.witnessing().size > 0)
    report = rebuild_for_looking(tmp_path / "look.sqlite", plan.kit, {})
    assert report["acts"] == edge.witnessing().size
    assert report["cases"] == 0
    assert report["certain"] is True


def test_a_home_that_was_wiped_with_an_embassy_is_rebuilt_elsewhere(
    country: tuple[DemoPlan, Tower], tmp_path: Path
) -> None:
    plan, tower = country
    edge = HomeEdge(plan.home)
    subject = _people(plan)[2]
    slot = _slot(edge, plan, 40)
    answer = _book(edge, slot, subject)
    assert answer.status == "accepted"
    receipt = edge.receipt(answer.positions[0], subject)
    lost = ("scribe", "keeper", "portal", "post", "embassy-vienna")
    for child in tower.minder.children:
        if child.spec.name in lost and child.pid is not None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait_stopped(SystemClock().monotonic_s() + 5)
    shutil.rmtree(plan.home.folder)
    shutil.rmtree(plan.embassy("vienna"))
    new = Home(tmp_path / "home")
    report = take_over(plan.kit, new.folder, port=plan.port, reason="a test wiped it")
    assert report.certain
    assert report.cases == ()
    site = Tower(new, tmp_path / "logs")
    try:
        site.start()
        edge = HomeEdge(new)
        assert verify_receipt(receipt, new.policy()).act["by"] == subject
        again = edge.receipt(answer.positions[0], subject)
        assert verify_receipt(again, new.policy()).index == answer.positions[0]
        people = json.loads(new.demo_people.read_text())
        assert people[0]["mail"].endswith("@demo.example")
        assert sum("passkey" in row for row in people) == len(STAFF)
        other = people[3]["subject"]
        assert _book(edge, slot, other).code == "slot-taken"
        old_origin = plan.name + "/epoch-1"
        assert new.policy().logs[0].key.name == old_origin
        assert len(new.policy().logs) == 2
    finally:
        site.end()


def test_what_dies_while_a_country_is_founded_is_started_again(tmp_path: Path) -> None:
    with running_demo(tmp_path, accounts=False, days=1) as (plan, tower):
        [scribe] = [child for child in tower.minder.children if child.spec.name == "scribe"]

        def work() -> None:
            assert scribe.pid is not None
            os.kill(scribe.pid, signal.SIGKILL)
            edge, end_s = HomeEdge(plan.home), time.monotonic() + 60
            while scribe.starts < 2 or not edge.witnessing().quorum:
                assert time.monotonic() < end_s, "nobody started the scribe again"
                time.sleep(0.1)

        tower.mind_while(work)
        assert scribe.starts == 2
