"""A whole small drill against a live tower: it passes, and it fails when told of what never was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kulla.drill.guard import MARKER
from kulla.drill.judge import judge
from kulla.drill.notes import WipePlan
from kulla.drill.receipts import failed_receipts
from kulla.drill.told import Said, Verb, Wish
from kulla.drill.wipe import WipeDrill, WipeRun
from kulla.journal.policy_file import parse_policy
from kulla.kernel.edges import SystemClock, SystemEntropy

pytestmark = [pytest.mark.live, pytest.mark.long]

ACTS = 300


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder of this module's own, as others may drill at the same time.

    The sockets of a home need a short path, which pytest's own folders have not.
    """
    with tempfile.TemporaryDirectory(prefix="kd-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drill") / "kept"


@pytest.fixture(scope="module")
def run(place: Path, kept: Path) -> WipeRun:
    plan = WipePlan(seed=7, folder=place, acts=ACTS, keep=kept)
    return WipeDrill(plan, SystemClock(), SystemEntropy(), lambda _: None).run()


def test_nothing_acknowledged_is_lost(run):
    report = run.report
    assert report.complaints == []
    assert report.passed
    assert report.acknowledged >= ACTS
    assert (report.lost, report.doubled, report.receipts_failed) == (0, 0, 0)
    assert report.receipts_checked >= report.acknowledged
    assert report.receipts_checked_by_command > 0
    assert report.first_page_s is not None
    assert report.first_act_s is not None
    assert report.last_told_s is not None
    assert 0 <= report.last_told_s <= 1
    new = report.acknowledged_after - report.unknown_adopted
    assert report.journal_size >= report.adopted_size + 1 + new
    assert report.repeats > 0
    assert report.pages_checked >= report.citizens


def test_a_standby_takes_over_a_country_with_a_past(place):
    plan = WipePlan(seed=8, folder=place, acts=100, journal=5000, standby=True)
    report = WipeDrill(plan, SystemClock(), SystemEntropy(), lambda _: None).run().report
    assert report.passed, report.complaints
    assert report.standby
    assert report.journal_before >= 5000
    assert report.adopted_size > report.journal_before
    assert report.first_act_s is not None


def test_all_that_can_happen_happened(run):
    """Else the drill would have tried less than it says."""
    told = {said for wish in run.answers.wishes for said, _ in wish.told}
    assert {Said.CONFIRMED, Said.REFUSED, Said.NO_ANSWER} <= told
    acknowledged = {wish.verb for wish in run.answers.acknowledged()}
    assert acknowledged == set(Verb)
    assert any(wish.contested for wish in run.answers.wishes)
    assert Said.UNEXPECTED not in told, "the portal answered with a page that should not come"
    assert run.report.faults == {}


def test_a_forged_act_is_found_lost(run):
    citizen = run.answers.wishes[0].citizen
    forged = run.answers.ask(
        Wish(citizen, Verb.BOOK, "f" * 32, "/", "c00-p0-1", asked_s=0, position=5)
    )
    run.answers.tell(forged, Said.CONFIRMED, 0, "e" * 32)
    try:
        verdict = judge(run.answers, run.evidence)
    finally:
        run.answers.wishes.remove(forged)
    assert len(verdict.lost) == 1
    assert "e" * 32 in verdict.lost[0]


def test_an_act_that_a_journal_lacks_is_found_lost(run):
    wish = run.answers.acknowledged()[0]
    acts = [act for act in run.evidence.acts if act.position != wish.position]
    evidence = type(run.evidence)(acts, run.evidence.rows, run.evidence.pages)
    assert len(judge(run.answers, evidence).lost) == 1


def test_receipts_of_others_and_damaged_ones_fail(run, kept):
    policy = parse_policy((kept / "policy").read_bytes())
    first, second = run.answers.acknowledged()[:2]
    bases = {log.key.name: 0 for log in policy.logs}
    assert list(failed_receipts([first, second], policy, bases)) == []
    right = first.receipt
    try:
        first.receipt = second.receipt
        assert len(list(failed_receipts([first], policy, bases))) == 1
        first.receipt = right.replace(b"index ", b"index 1", 1)
        assert len(list(failed_receipts([first], policy, bases))) == 1
    finally:
        first.receipt = right


def test_what_is_kept_can_be_checked_by_others(run, kept):
    receipts = sorted((kept / "receipts").iterdir())
    assert len(receipts) >= run.report.acknowledged
    argv = [sys.executable, "-m", "kulla", "verify", str(receipts[0])]
    done = subprocess.run([*argv, "--policy", str(kept / "policy")], check=False)
    assert done.returncode == 0
    embassies = sorted(folder.name for folder in (kept / "embassies").iterdir())
    assert len(embassies) == 3
    assert run.report.embassy_destroyed not in embassies
    assert any((kept / "journal").iterdir())
    assert all(not path.name.startswith("home") for path in kept.iterdir())


def test_the_command_leaves_nothing_when_it_is_stopped(place, tmp_path):
    """Ctrl-C while the tower is being filled: no process and no folder stays."""
    before = drills_in(place)
    argv = [sys.executable, "-m", "kulla", "drill", "wipe", "--acts", "300"]
    argv += ["--folder", str(place), "--json", str(tmp_path / "score.json")]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        made = wait_for(lambda: drills_in(place) - before, "the drill's folder")
        root = next(iter(made))
        wait_for(lambda: processes_in(root), "a process of the tower")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
    finally:
        process.kill()
        process.wait()
    assert not root.exists()
    wait_for(lambda: not processes_in(root), "the end of the tower's processes")
    assert not (tmp_path / "score.json").exists()


def test_the_command_writes_its_score(place, tmp_path):
    score = tmp_path / "score.json"
    argv = [sys.executable, "-m", "kulla", "drill", "wipe", "--seed", "3", "--acts", "60"]
    argv += ["--rounds", "2", "--folder", str(place), "--json", str(score)]
    done = subprocess.run(argv, check=False, timeout=300)
    assert done.returncode == 0
    reports = json.loads(score.read_text())
    assert [report["seed"] for report in reports] == [3, 4]
    for report in reports:
        assert report["acknowledged"] >= 60
        assert {"journal_size", "first_page_s", "first_act_s", "tails", "version"} <= set(report)
        assert report["lost"] == report["doubled"] == report["receipts_failed"] == 0


def drills_in(place: Path) -> set[Path]:
    return {path for path in place.glob("kulla-drill-*") if (path / MARKER).exists()}


def processes_in(folder: Path) -> list[int]:
    """Processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in line and b"kulla\0drill" not in line:
                found.append(int(entry.name))
    return found


def wait_for(what, name: str, timeout_s: float = 60):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} did not come")
