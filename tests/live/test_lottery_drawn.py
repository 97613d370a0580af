"""A lottery of real processes: embassies commit, the list closes, home and one of them are lost.

The new home goes on with the same commitments, custodians open what the lost embassy can't tell any
more, and anybody checks what came of it with the policy file alone. All by the commands that people
type.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from fakes.demo import running_demo
from fakes.ministry import PROGRAMMES, RULES, SCHOOLS, prepared
from fakes.typed import until
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.services.accounts.demo_passkey import DemoPasskey
from kulla.services.enrolment.rounds import rules_text
from kulla.tower.edge import HomeEdge
from kulla.tower.home import Home
from kulla.tower.lottery.reading import registers
from kulla.tower.post.app import post_state
from kulla.tower.takeover.recover import take_over
from kulla.tower.up import DemoPlan, Tower

pytestmark = [pytest.mark.live, pytest.mark.long]
ROUND = "lots-2026"


def kulla(*words: str | Path, code: int = 0) -> str:
    """What a command says, which must end with this exit code."""
    command = [sys.executable, "-m", "kulla", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code in (0, 2) else done.stderr


@dataclass
class Ministry:
    """A clerk of the demo, who signs each command with their passkey."""

    plan: DemoPlan
    subject: str
    passkey: DemoPasskey

    @classmethod
    def of(cls, plan: DemoPlan) -> Ministry:
        rows = json.loads(plan.home.demo_people.read_text())
        row = next(row for row in rows if row["role"] == "clerk")
        passkey = DemoPasskey.of(row)
        assert passkey is not None
        return cls(plan, row["subject"], passkey)

    def ask(self, edge: HomeEdge, name: str, **data: Any) -> Answer:
        actor = Actor("clerk", self.subject)
        command = Command("enrolment", name, SystemEntropy().random_bytes(16), actor, data)
        origin = f"http://localhost:{self.plan.port}"
        signed = self.passkey.sign(command.key(), "localhost", origin)
        return edge.submit(replace(command, assertion=signed), 60)

    def done(self, edge: HomeEdge, name: str, **data: Any) -> None:
        answer = self.ask(edge, name, **data)
        assert answer.status == "accepted", answer


@pytest.fixture
def country(tmp_path: Path) -> Iterator[tuple[DemoPlan, Tower]]:
    with running_demo(tmp_path, days=1) as running:
        yield running


def publish(ministry: Ministry, edge: HomeEdge) -> int:
    """A published round; when its list closes, in seconds since 1970."""
    now_s = SystemClock().now_ms() // 1000
    days = {"opens_s": now_s + 5, "closes_s": now_s + 10}
    days |= {"results_s": now_s + 1000, "answer_by_s": now_s + 2000}
    ministry.done(edge, "prepare_round", **prepared(round_=ROUND, **days))
    ministry.done(edge, "set_rules", round=ROUND, rules=rules_text.text_of(RULES))
    ministry.done(edge, "enter_schools", schools=SCHOOLS)
    ministry.done(edge, "set_programmes", round=ROUND, programmes=PROGRAMMES)
    ministry.done(edge, "publish_round", round=ROUND)
    return days["closes_s"]


def kill(tower: Tower, *names: str) -> None:
    for child in tower.minder.children:
        if child.spec.name in names and child.pid is not None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait_stopped(SystemClock().monotonic_s() + 5)


def test_a_lottery_outlives_home_and_an_embassy(country, tmp_path: Path) -> None:
    plan, tower = country
    ministry, edge = Ministry.of(plan), HomeEdge(plan.home)
    closes_s = publish(ministry, edge)
    _commit(plan, tower)
    assert "not closed yet" in kulla("enrolment", "draw", ROUND, "--home", plan.home.folder, code=1)
    until(lambda: SystemClock().now_ms() // 1000 > closes_s)
    kill(tower, "post")  # else the old home draws by itself, within seconds
    ministry.done(edge, "close_round", round=ROUND)
    assert "is closed" in kulla("enrolment", "commit", ROUND, "--home", plan.home.folder, code=1)

    kill(tower, "scribe", "keeper", "portal", "embassy-vienna")
    shutil.rmtree(plan.home.folder)
    shutil.rmtree(plan.embassy("vienna"))
    new = Home(tmp_path / "home")
    assert take_over(plan.kit, new.folder, port=plan.port, reason="a test wiped it").certain
    site = Tower(new, tmp_path / "logs")
    try:
        site.start()
        until(lambda: "vienna" in _trouble(new))
        assert "lottery: waits for an embassy" in kulla("status", new.folder)
        seed = _draw(plan, new, tmp_path)
        _check(plan, new, tmp_path, seed)
    finally:
        site.end()


def test_a_lottery_goes_its_way_without_anybody_typing(country) -> None:
    plan, _ = country
    ministry, edge = Ministry.of(plan), HomeEdge(plan.home)
    closes_s = publish(ministry, edge)
    until(lambda: len(_rows(plan, "enrolment_secret")) == 4)
    until(lambda: SystemClock().now_ms() // 1000 > closes_s)
    ministry.done(edge, "close_round", round=ROUND)
    until(lambda: _rows(plan, "enrolment_draw"))
    told = json.loads(kulla("enrolment", "draw", ROUND, "--home", plan.home.folder, "--json"))
    assert set(told["told_by"].values()) == {"embassy"}


def _rows(plan: DemoPlan, table: str) -> list[Any]:
    with registers(plan.home) as rows:
        return rows.find(table, round=ROUND)


def _commit(plan: DemoPlan, tower: Tower) -> None:
    home = plan.home.folder
    stopped = next(each for each in tower.minder.children if each.spec.name == "embassy-rome")
    assert stopped.pid is not None
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        told = json.loads(kulla("enrolment", "commit", ROUND, "--home", home, "--json", code=2))
    finally:
        os.kill(stopped.pid, signal.SIGCONT)
    assert (told["committed"], told["quorum"]) == (3, True)
    states = {each["embassy"]: each["state"] for each in told["embassies"]}
    assert states.pop("rome") == "failed"
    assert set(states.values()) <= {"committed", "committed before"}
    before = requests.get(f"http://127.0.0.1:{plan.embassy_port + 2}/lottery/{ROUND}", timeout=10)
    ottawa = next(each for each in tower.minder.children if each.spec.name == "embassy-ottawa")
    starts = ottawa.starts
    kill(tower, "embassy-ottawa")
    until(lambda: ottawa.mind() or ottawa.starts > starts)
    told = json.loads(kulla("enrolment", "commit", ROUND, "--home", home, "--json"))
    assert told["committed"] == 4
    after = requests.get(f"http://127.0.0.1:{plan.embassy_port + 2}/lottery/{ROUND}", timeout=10)
    assert before.json() == after.json()


def _draw(plan: DemoPlan, new: Home, folder: Path) -> str:
    told = json.loads(kulla("enrolment", "draw", ROUND, "--home", new.folder, "--json", code=2))
    assert not told["drawn"]
    assert ["vienna" in key for key in told["missing"]] == [True]
    openings = []
    for name in ("custodian-3", "custodian-1"):
        key, out = plan.kit / "custodians" / f"{name}.key", folder / f"{name}.opening"
        words = ("lottery", "open", told["plan"], "--key", key, "--policy", new.policy_file)
        said = kulla(*words, "--out", out, "--yes")
        assert "vienna, on" in said
        openings += ["--openings", out]
        drawing = ("enrolment", "draw", ROUND, "--home", new.folder, *openings, "--json")
        told = json.loads(kulla(*drawing, code=2 if name == "custodian-3" else 0))
    assert told["drawn"]
    assert sorted(told["told_by"].values()) == ["custodians", "embassy", "embassy", "embassy"]
    again = json.loads(kulla("enrolment", "draw", ROUND, "--home", new.folder, "--json"))
    assert again["seed"] == told["seed"]
    return str(told["seed"])


def _trouble(home: Home) -> str:
    state = post_state(home, SystemClock().now_ms()) or {}
    return str(state.get("lotteries", {}).get("trouble", ""))


def _check(plan: DemoPlan, new: Home, folder: Path, seed: str) -> None:
    address = f"http://localhost:{plan.port}/enrolment/rounds/{ROUND}/lottery"
    page = requests.get(f"{address}?lang=en", timeout=20)
    assert page.status_code == 200
    assert seed in page.text
    proof = folder / "proof.json"
    proof.write_bytes(requests.get(f"{address}/proof.json", timeout=20).content)
    checking = ("lottery", "check", proof, "--policy", new.policy_file)
    found = json.loads(kulla(*checking, "--json"))
    assert (found["seed"], found["quorum"], found["absent"]) == (seed, True, [])
    proof.write_text(proof.read_text().replace(seed, "00" * 32))
    assert "not the SHA-256" in kulla(*checking, code=1)
