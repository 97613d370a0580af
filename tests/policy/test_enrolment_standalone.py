"""Rounds from files: what makes no sense is put aside by row and reason, and the rest runs."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.enrolment_markets import complaints, seed_of
from fakes.real_data import DATA
from kulla.kernel.edges import SystemEntropy
from kulla.services.enrolment.policy.csv_in import Columns, FileUnreadable
from kulla.services.enrolment.policy.rules_text import RulesInvalid
from kulla.services.enrolment.standalone import Outcome, outcome, read_round

NEW_HAVEN = DATA / "enrolment" / "new-haven-2024"
RULES = (
    Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment" / "new-haven-2024.toml"
).read_text()
SEED = "a762185ab5c89117dee54485297e43d19afce8dbb2bb016c7be0a7f2d3846ad1"

VACANCIES = """\
school_id,grade_id,program_id,quota_3,regular_vacancies
s1,1,p1,1,1
s1,2,p2,0,2
s2,1,p3,0,many
s2,1,p4,0,1
s2,1,p4,0,1
s2,1,,0,1
s2,1,p5,0,1,9
s3,1,p6,0,2
"""
APPLICATIONS = """\
applicant_id,grade_id,program_id,ranking,quota_id,priority_profile_edi
a,1,p1,1,11,1
a,1,p6,2,11,7
b,1,p1,1,3,1
c,1,p3,1,11,1
d,1,p2,1,11,1
e,1,p1,first,11,1
f,1,p1,1,12,1
g,1,p1,1,11,9
,1,p1,1,11,1
h,1,p1,1,11,1
h,1,p6,1,11,1
h,2,p2,2,11,1
i,1,p1,1,11
j,1,p1,1,11,1
j,1,p1,2,3,1
k,1,p6,3,11,1
l,1,p1,1,11,1
l,1,p6,1,11,1
"""
ROW_REASONS = {
    ("vacancies", 4): "regular_vacancies is 'many', no whole number from 0",
    ("vacancies", 5): "program_id p4 stands in 2 rows",
    ("vacancies", 6): "program_id p4 stands in 2 rows",
    ("vacancies", 7): "program_id is empty",
    ("vacancies", 8): "6 cells, and the head has 5",
    ("applications", 5): "no vacancies have the program_id 'p3'",
    ("applications", 6): "program p2 is of grade 2",
    ("applications", 7): "ranking is 'first', no whole number from 1",
    ("applications", 8): "quota_id is '12', and the rules have no pool quota-12",
    ("applications", 9): "priority_profile_edi is '9', and the rules have no class profile-9",
    ("applications", 10): "applicant_id is empty",
    ("applications", 11): "applicant h applies for two grades",
    ("applications", 12): "applicant h applies for two grades",
    ("applications", 13): "applicant h applies for two grades",
    ("applications", 14): "5 cells, and the head has 6",
    ("applications", 15): "program p1 stands twice",
    ("applications", 16): "program p1 stands twice",
    ("applications", 18): "ranking 1 stands twice",
    ("applications", 19): "ranking 1 stands twice",
}


def run(
    vacancies: str = VACANCIES,
    applications: str = APPLICATIONS,
    siblings: str | None = None,
    rules: str = RULES,
    seed: bytes | None = None,
) -> Outcome:
    read = read_round(
        rules=rules,
        vacancies=vacancies,
        applications=applications,
        siblings=siblings,
        columns=Columns(),
    )
    return outcome(read, seed or seed_of(1), "r", SystemEntropy())


def rows(done: Outcome, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.files[name].decode())))


def test_each_bad_row_is_named_with_its_reason_and_the_rest_runs():
    done = run()
    rejected = {(one["file"], int(one["row"])): one["reason"] for one in rows(done, "rejects.csv")}
    assert rejected == ROW_REASONS
    placed = {one["applicant_id"]: one["program_id"] for one in rows(done, "results.csv")}
    assert placed == {"a": "p1", "b": "p1", "k": "p6"}
    assert done.summary["rejected_rows"] == len(ROW_REASONS)


def test_a_row_competes_for_the_quota_that_it_names_alone():
    vacancies = "school_id,grade_id,program_id,quota_3,regular_vacancies\ns,1,p,1,5\n"
    applications = APPLICATIONS.splitlines()[0] + "\nx,1,p,1,3,1\ny,1,p,1,3,7\nz,1,p,1,11,1\n"
    pools = {
        one["applicant_id"]: one["pool"]
        for one in rows(run(vacancies, applications), "results.csv")
    }
    assert pools == {"x": "", "y": "quota-3", "z": "open"}


def test_siblings_come_from_a_third_file():
    vacancies = "school_id,grade_id,program_id,regular_vacancies\ns,1,s1,1\ns,2,s2,1\nt,1,t1,1\n"
    head = APPLICATIONS.splitlines()[0]
    applications = f"{head}\nold,2,s2,1,11,1\nyoung,1,t1,1,11,1\nyoung,1,s1,2,11,1\n"
    siblings = "applicant_1,applicant_2,together\nold,young,1\nold,nobody,1\nold,young,yes\n"
    done = run(vacancies, applications, siblings)
    placed = {one["applicant_id"]: one["program_id"] for one in rows(done, "results.csv")}
    assert placed == {"old": "s2", "young": "s1"}
    assert [one["row"] for one in rows(done, "rejects.csv")] == ["3", "4"]
    assert done.summary["siblings_at_one_school"] == 1


def test_the_order_of_rows_changes_no_file():
    def turned(text: str) -> str:
        head, *lines = text.splitlines()
        return "\n".join([head, *reversed(lines)]) + "\n"

    one, other = run(), run(turned(VACANCIES), turned(APPLICATIONS))
    for name in ("results.csv", "reasons.csv", "waiting.csv", "audit.json", "rules.txt"):
        assert one.files[name] == other.files[name], name
    assert one.summary == other.summary


@pytest.mark.parametrize(
    ("vacancies", "applications", "place"),
    [
        ("", APPLICATIONS, "vacancies, row 1"),
        (VACANCIES, "applicant_id,ranking\na,1\n", "applications, row 1"),
        (VACANCIES, APPLICATIONS + '"open quote\n', "applications, line 20"),
    ],
)
def test_a_file_that_can_not_be_read_at_all_is_said(vacancies, applications, place):
    with pytest.raises(FileUnreadable) as error:
        run(vacancies, applications)
    assert error.value.place == place


def test_rules_that_can_not_be_obeyed_are_said():
    with pytest.raises(RulesInvalid):
        run(rules='tie_break = "coin"')


@pytest.fixture(scope="module")
def new_haven() -> Outcome:
    if not NEW_HAVEN.is_dir():
        pytest.skip(f"{NEW_HAVEN} is absent")
    return run(
        (NEW_HAVEN / "vacancies.csv").read_text(),
        (NEW_HAVEN / "applications.csv").read_text(),
        seed=bytes.fromhex(SEED),
    )


def test_new_havens_real_round_is_stable_by_brute_force(new_haven: Outcome):
    done = new_haven.allocation
    placed = {child: (one.programme, one.pool) for child, one in done.placements.items()}
    assert complaints(done.market, done.seed, placed) == []


def test_new_havens_figures_are_those_of_the_page(new_haven: Outcome):
    page = (
        Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment-allocation.md"
    ).read_text()
    found = new_haven.summary
    reserved = sum(1 for one in rows(new_haven, "results.csv") if one["pool"] not in {"", "open"})
    assert found["rejected_rows"] == 0
    assert SEED in page
    for count in (found["applicants"], found["placed"], found["placed_first_choice"], reserved):
        assert f"{count:,}" in page


# The command itself.


def kulla(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "kulla", "enrolment", *words]
    quiet = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=quiet)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "v.csv").write_text(VACANCIES)
    (tmp_path / "a.csv").write_text("\ufeff" + APPLICATIONS)
    (tmp_path / "r.toml").write_text(RULES)
    return tmp_path


def allocate(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return kulla(
        "allocate",
        *("--applications", str(folder / "a.csv")),
        *("--vacancies", str(folder / "v.csv")),
        *("--rules", str(folder / "r.toml")),
        *("--out", str(folder / "out")),
        *more,
    )


def test_the_command_writes_what_the_check_proves(folder: Path):
    done = allocate(folder, "--seed", SEED, "--json", str(folder / "summary.json"))
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    assert json.loads(done.stdout) == summary
    assert summary["seed"] == SEED
    for name in ("public.json", "audit.json"):
        checked = kulla("check", str(folder / "out" / name), "--json")
        assert checked.returncode == 0, checked.stdout
        assert json.loads(checked.stdout)["ok"] is True
    spoilt = (folder / "out" / "audit.json").read_text().replace('"p1","open",1', '"","",0', 1)
    (folder / "spoilt.json").write_text(spoilt)
    checked = kulla("check", str(folder / "spoilt.json"))
    assert checked.returncode == 2
    assert "DOES NOT HOLD" in checked.stdout


def test_without_a_seed_each_run_draws_its_own(folder: Path):
    first = json.loads(allocate(folder).stdout)["seed"]
    again = allocate(folder)
    assert again.returncode == 1
    assert "nothing is overwritten" in again.stderr
    (folder / "out").rename(folder / "first")
    assert json.loads(allocate(folder).stdout)["seed"] != first


@pytest.mark.parametrize(
    ("name", "text", "more", "said"),
    [
        ("r.toml", "colour = 1", (), "colour: no such rule."),
        ("v.csv", "a,b\n", (), "vacancies, row 1: it has no column school_id."),
        ("a.csv", "", ("--seed", "ab"), "--seed: a seed is 64 hex digits."),
    ],
)
def test_what_can_not_be_used_is_a_sentence(folder: Path, name, text, more, said):
    (folder / name).write_text(text)
    done = allocate(folder, *more)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_text_is_a_sentence(folder: Path):
    (folder / "a.csv").write_bytes(b"applicant_id\xff\xfe")
    done = allocate(folder)
    assert (done.returncode, "UTF-8" in done.stderr) == (1, True)
    assert kulla("check", str(folder / "a.csv")).returncode == 1
