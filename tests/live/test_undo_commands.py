"""`kulla undo` and `kulla cases`, as an operator types them, at a home of real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fakes.demo import running_demo
from kulla.cli.main import main
from kulla.journal.receipts import verify_receipt
from kulla.kernel.edges import SystemClock, SystemEntropy
from kulla.kernel.service import Actor, Command
from kulla.kernel.tower import Answer
from kulla.registers.sqlite import dump, open_registers
from kulla.tower.edge import HomeEdge
from kulla.tower.services import register_tables
from kulla.tower.takeover.recover import rebuild_for_looking
from kulla.tower.undo import journal_in, read_plan
from kulla.tower.up import DemoPlan, Tower

pytestmark = pytest.mark.live

THEFT = b"stolen!!"


def _kulla(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


class Theft:
    """A demo country in which a thief cancelled Ana's appointment and Besim took her time."""

    def __init__(self, plan: DemoPlan, tower: Tower, folder: Path) -> None:
        self.plan, self.tower, self.folder = plan, tower, folder
        self.home = plan.home.folder
        self.edge = HomeEdge(plan.home)
        self.wait_committed()
        people = json.loads(plan.home.demo_people.read_text())
        self.ana, self.besim = [one["subject"] for one in people if one["role"] == "citizen"][:2]
        self.slot = self._rows("SELECT id FROM appointments_slot ORDER BY starts_s DESC")[0][0]
        self.booked_at = self.do(self.ana, b"", "book", slot=self.slot).positions[0]
        self.appointment = self._rows(
            f"SELECT appointment FROM appointments_slot WHERE id = '{self.slot}'"
        )[0][0]
        stolen = self.do(self.ana, THEFT, "cancel", appointment=self.appointment)
        self.stolen_at = stolen.positions[0]
        self.taken = self.command(self.besim, b"", "book", slot=self.slot)
        self.end = self.edge.submit(self.taken, 30).positions[0] + 1

    def _rows(self, sql: str) -> list[Any]:
        with closing(open_registers(self.plan.home.registers)) as connection:
            return connection.execute(sql).fetchall()

    def command(self, who: str, via: bytes, name: str, **data: Any) -> Command:
        """A citizen's fresh command by this session."""
        given = SystemEntropy().random_bytes(16)
        return Command("appointments", name, given, Actor("citizen", who), data, via=via)

    def do(self, who: str, via: bytes, name: str, **data: Any) -> Answer:
        """What is accepted."""
        answer = self.edge.submit(self.command(who, via, name, **data), 30)
        assert answer.status == "accepted", answer
        return answer

    def planned(self, name: str) -> Path:
        """A plan file, made once the scribe has kept the checkpoint of what was confirmed."""
        path = self.folder / name
        self.wait_kept(self.end)
        words = ("--session", THEFT.hex(), "--reason", "a stolen session", "--home", self.home)
        made = _kulla("undo", "plan", *words, "--out", path)
        assert made.exit_code == 0, made.output
        return path

    def wait_kept(self, end: int) -> None:
        """Wait until all acts below `end` are confirmed for who reads the folder."""
        while sum(plan.size for plan in journal_in(self.home).plans) < end:
            threading.Event().wait(0.1)

    def wait_committed(self) -> None:
        """Wait until the embassies committed to the open round's lottery: then nobody else acts."""
        embassies = len(self.plan.home.policy().embassies)
        while self._rows("SELECT COUNT(*) FROM enrolment_secret") != [(embassies,)]:
            threading.Event().wait(0.1)

    def kill_scribe(self) -> None:
        """Kill it as a machine that runs out of memory would, and start it again."""
        [scribe] = [one for one in self.tower.minder.children if one.spec.name == "scribe"]
        assert scribe.pid is not None
        os.kill(scribe.pid, signal.SIGKILL)
        scribe.wait_stopped(SystemClock().monotonic_s() + 30)
        scribe.start()


@pytest.fixture(scope="module")
def theft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theft]:
    folder = tmp_path_factory.mktemp("theft")
    with running_demo(folder) as (plan, tower):
        yield Theft(plan, tower, folder)


def test_what_is_typed_wrongly_gets_a_sentence(theft: Theft) -> None:
    words = ("--reason", "x", "--home", theft.home, "--out", theft.folder / "never")
    for typed, said in (
        (("--session", "abc"), "16 hex digits"),
        (("--since", "yesterday"), "time with its zone"),
        (("--since", "2026-07-15T08:00"), "time with its zone"),
        (("--actor", "nobody"), "no act fits"),
        ((), "Say which acts"),
        (("--actor", theft.ana, "--standby", theft.home), "either --home or --standby"),
    ):
        result = _kulla("undo", "plan", *typed, *words)
        assert result.exit_code != 0
        assert said in result.output
    assert not (theft.folder / "never").exists()
    (theft.folder / "garbage").write_bytes(b"no plan")
    shown = _kulla("undo", "show", theft.folder / "garbage")
    assert shown.exit_code == 1
    assert "kulla undo plan" in shown.output


def test_a_plan_is_the_same_at_a_standby(theft: Theft) -> None:
    """A standby keeps its policy and keys in a folder of its own, beside registers and journal."""
    here = theft.planned("here")
    standby = theft.folder / "standby"
    shutil.copytree(theft.home / "journal", standby / "journal")
    target = sqlite3.connect(standby / "registers.sqlite")
    with closing(open_registers(theft.plan.home.registers)) as registers, closing(target) as copy:
        registers.backup(copy)
    (standby / "standby" / "keys").mkdir(parents=True)
    shutil.copy(theft.home / "policy", standby / "standby" / "policy")
    shutil.copy(theft.home / "keys" / "journal.key", standby / "standby" / "keys" / "journal.key")
    there = theft.folder / "there"
    words = ("--session", THEFT.hex(), "--reason", "a stolen session", "--standby", standby)
    made = _kulla("undo", "plan", *words, "--out", there)
    assert made.exit_code == 0, made.output
    one, other = (read_plan(path.read_bytes()) for path in (here, there))
    assert (one.parts, one.people) == (other.parts, other.people)


def test_an_undo_from_plan_to_rebuild(theft: Theft) -> None:
    plan = theft.planned("plan")
    assert _kulla("undo", "plan", "--actor", theft.ana, "--reason", "x", "--home", theft.home,
                  "--out", plan).exit_code == 1  # fmt: skip
    shown = json.loads(_kulla("undo", "show", plan, "--json").output)
    assert shown["undone_positions"] == [theft.stolen_at]
    assert [case["subject"] for case in shown["cases_listed"]] == [theft.besim]
    assert {one["subject"] for one in shown["people"]} == {theft.ana, theft.besim}
    run = ("undo", "run", plan, "--home", theft.home)
    keys = sorted((theft.plan.kit / "custodians").glob("*.key"))
    for key in keys:
        signed = _kulla("undo", "sign", plan, "--key", key, "--yes")
        assert signed.exit_code == 0, signed.output
    signatures = [f"--signatures={path}" for path in theft.folder.glob("plan.*.signature")]
    forged = theft.folder / "forged"
    forged.write_bytes((theft.folder / signatures[0].partition("=")[2]).read_bytes()[:-20])
    assert _kulla(*run, "--signatures", forged).exit_code == 1
    done = _kulla(*run, *signatures, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert (said["undone"], said["cases"], said["rows_not_put_right"]) == (1, 1, 0)
    again = _kulla(*run, *signatures, "--json")
    assert json.loads(again.output) == said
    [state] = theft._rows(
        f"SELECT state FROM appointments_appointment WHERE id = '{theft.appointment}'"
    )
    assert state == ("booked",)
    answer = theft.edge.submit(theft.taken, 30)
    assert (answer.status, answer.code) == ("refused", "annulled")
    [case] = json.loads(_kulla("cases", theft.home, "--json").output)
    assert (case["subject"], case["act"]) == (theft.besim, "booked")
    assert theft.besim in _kulla("cases", theft.home).output
    assert "1 acts undone" in _kulla("undo", "show", "--home", theft.home).output
    receipt = theft.edge.receipt(theft.stolen_at, theft.ana)
    assert verify_receipt(receipt, theft.plan.home.policy()).act["act"] == "cancelled"


def test_a_rebuild_from_the_embassies_gives_the_same(theft: Theft) -> None:
    """Runs after the undo, and after a scribe that was killed came back."""
    theft.kill_scribe()
    theft.do(theft.ana, b"", "cancel", appointment=theft.appointment)
    path = theft.folder / "look.sqlite"
    report = rebuild_for_looking(path, theft.plan.kit, {})
    assert (report["cases"], report["misfits"]) == (0, [])
    assert report["fingerprints"] > 0
    live_path = theft.plan.home.registers
    with closing(open_registers(path)) as rebuilt, closing(open_registers(live_path)) as live:
        for table in register_tables():
            assert dump(rebuilt, table) == dump(live, table), table.name


def test_what_is_undone_is_not_undone_again(theft: Theft) -> None:
    """Runs last: nothing is left that fits the mark."""
    words = ("--session", THEFT.hex(), "--reason", "x", "--home", theft.home)
    theft.wait_kept(theft.end + 3)
    again = _kulla("undo", "plan", *words, "--out", theft.folder / "second")
    assert again.exit_code == 1
    assert "undone already" in again.output
