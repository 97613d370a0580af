"""Each fault of a drill really happens, and nothing that was acknowledged is lost to it.

And builds that are broken on purpose are caught: a drill that finds nothing may be blind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.live, pytest.mark.long]

ACTS = 150
ANSWERS_EARLY = """
import sys
if "scribe" in sys.orig_argv:
    from kulla.scribe.scribe import Scribe
    Scribe.watermark = property(lambda scribe: scribe._writer.end)
"""
SEALS_NOTHING = """
import sys
if "embassy" in sys.orig_argv:
    from kulla.embassy.mirrored_log import MirroredLog
    MirroredLog.check_open = lambda log: None
"""


def drilled(fault: str, tmp_path: Path, seed: int = 1, build: str = "") -> dict[str, Any]:
    """The score of one small drill; `build` is run in each of its processes before Kulla is."""
    (tmp_path / "sitecustomize.py").write_text(build)
    score = tmp_path / "score.json"
    argv = [sys.executable, "-m", "kulla", "drill", "wipe", "--fault", fault, "--seed", str(seed)]
    argv += ["--acts", str(ACTS), "--folder", os.environ.get("TMPDIR", "/tmp")]
    environment = {**os.environ, **({"PYTHONPATH": str(tmp_path)} if build else {})}
    argv += ["--json", str(score)]
    done = subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert score.exists(), done.stderr
    found: dict[str, Any] = json.loads(score.read_text())
    assert done.returncode == (0 if found["passed"] else 1), done.stderr
    assert found["fault"] == fault
    return found


def clean(fault: str, tmp_path: Path, seed: int = 1) -> dict[str, Any]:
    score = drilled(fault, tmp_path, seed)
    assert score["complaints"] == []
    assert score["passed"]
    assert (score["lost"], score["doubled"], score["receipts_failed"]) == (0, 0, 0)
    assert score["acknowledged"] >= ACTS
    return score


def test_killed_processes_come_back(tmp_path):
    score = clean("kill", tmp_path)
    assert score["done"]["kills"] >= 7
    assert score["done"]["started_again"] >= 3
    assert score["done"]["killed_scribe"] == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs the right to mount")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_full_disk_is_said_and_passes(tmp_path, seed):
    score = clean("disk-full", tmp_path, seed)
    assert score["refused_no_room"] > 0
    assert score["goes_on_after_home_s"] > 0
    assert score["done"]["embassy_has_floor"] == (seed % 2 == 1)
    assert score["confirmed_with_embassy_full"] > 0, "three others are a quorum"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_without_the_right_to_mount_it_says_how_to_get_it():
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        nobody = "import os; from pathlib import Path; from kulla.drill.disks import Disk; "
        nobody += f"os.setuid(65534); Disk(Path({place!r}) / 'disk', 1 << 20)"
        argv = [sys.executable, "-c", nobody]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "DrillRefused" in done.stderr
    assert "unshare --user" in done.stderr


def test_torn_files_and_a_rotten_embassy(tmp_path):
    score = clean("torn", tmp_path)
    assert score["done"]["power_cuts"] == 3
    assert score["done"]["torn_write_logs"] == 1
    assert score["done"]["torn_databases"] >= 3
    assert score["done"]["bits_flipped"] > 0


def test_without_a_quorum_nothing_is_confirmed(tmp_path):
    score = clean("partition", tmp_path)
    assert score["confirmed_without_quorum"] == 0
    assert score["confirmed_without_one"] > 0
    assert score["told_no_quorum"] > 0


def test_long_lines(tmp_path):
    score = clean("slow", tmp_path)
    assert score["done"]["bytes_to_slowest"] > 0


@pytest.mark.parametrize(
    ("seed", "kind"), [(4, "forgets"), (1, "shows-falsely"), (2, "rewinds"), (3, "denies")]
)
def test_a_liar_among_four(tmp_path, seed, kind):
    score = clean("lying-embassy", tmp_path, seed)
    assert score["done"]["kind"] == kind
    assert sum(score["done"]["lies"].values()) > 0


def test_wrong_clocks(tmp_path):
    score = clean("clock", tmp_path)
    assert score["done"]["confirmed_meanwhile"] > 0
    assert score["embassy_destroyed"] not in {"", score["done"]["wrong_embassy"]}


def test_a_blow_between_two_rounds(tmp_path):
    score = clean("between-rounds", tmp_path, seed=1)
    assert len(score["done"]["held_back"]) == 2
    assert len(score["done"]["sizes"]) == 3


@pytest.mark.parametrize(("seed", "lines"), [(1, "left open"), (2, "cut")])
def test_a_home_that_lives_on_confirms_nothing(tmp_path, seed, lines):
    score = clean("zombie-home", tmp_path, seed)
    assert score["done"]["lines"] == lines
    assert score["done"]["asked_after_seal"] > 0
    assert score["zombie_confirmed"] == 0
    assert score["old_home_learns"]
    assert score["restart_refused"]


def test_a_build_that_answers_early_is_caught(tmp_path):
    score = drilled("partition", tmp_path, build=ANSWERS_EARLY)
    assert not score["passed"]
    assert score["confirmed_without_quorum"] > 0


def test_what_was_answered_early_is_found_lost(tmp_path):
    """Three lines are held when the blow falls: what was told then is at one embassy at most."""
    score = drilled("between-rounds", tmp_path, seed=2, build=ANSWERS_EARLY)
    assert not score["passed"]
    assert score["lost"] > 0


def test_embassies_that_seal_nothing_are_caught(tmp_path):
    score = drilled("zombie-home", tmp_path, seed=1, build=SEALS_NOTHING)
    assert not score["passed"]
    assert score["zombie_confirmed"] > 0
