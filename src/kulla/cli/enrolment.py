"""`kulla enrolment`: allocate school places from files, and check what a round came to."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kulla.cli.enrolment_lottery import commit, draw
from kulla.cli.enrolment_run import run
from kulla.kernel.errors import KullaError

if TYPE_CHECKING:
    from kulla.services.enrolment.policy.csv_in import Columns
    from kulla.services.enrolment.standalone import Round

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Unreadable(KullaError):
    """A file that is named on the command line and can't be used."""


@click.group()
def enrolment() -> None:
    """Allocate school places, draw lotteries, check transcripts of rounds.

    Example: kulla enrolment check public.json
    """
    # One core does it, and more threads fight over a shared machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


enrolment.add_command(commit)
enrolment.add_command(draw)
enrolment.add_command(run)


@enrolment.command("allocate")
@click.option("--applications", type=FILE, required=True, help="CSV, one row a choice.")
@click.option("--vacancies", type=FILE, required=True, help="CSV, one row a programme.")
@click.option("--rules", type=FILE, required=True, help="TOML: priorities, pools, tie-break.")
@click.option("--siblings", type=FILE, help="CSV: applicant_1, applicant_2, together.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--seed", help="64 hex digits; a fresh one where it is left out.")
@click.option("--round", "round_id", default="standalone", show_default=True)
@click.option(
    "--priority-column",
    default="priority_profile_edi",
    show_default=True,
    help="Its value N is the class profile-N of the rules.",
)
@click.option("--no-priority", default="1", show_default=True, help="The value that means none.")
@click.option(
    "--regular-quota", default="11", show_default=True, help="The quota_id of the open seats."
)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
def allocate_command(
    applications: Path,
    vacancies: Path,
    rules: Path,
    siblings: Path | None,
    out: Path,
    seed: str | None,
    round_id: str,
    priority_column: str,
    no_priority: str,
    regular_quota: str,
    json_path: Path | None,
) -> None:
    """Allocate a whole round from CSV files and write what it came to into a folder.

    Rows that make no sense are put aside in rejects.csv, by number and reason; the rest runs.

    Example: kulla enrolment allocate --applications a.csv --vacancies v.csv --rules r.toml --out o
    """
    from kulla.kernel.edges import SystemEntropy
    from kulla.services.enrolment.policy.csv_in import Columns
    from kulla.services.enrolment.standalone import outcome

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Unreadable(
            "there is something there already, perhaps another draw.",
            place=str(out),
            remedy="Name a new folder: nothing is overwritten.",
        )
    drawn = _seed(seed) if seed is not None else SystemEntropy().random_bytes(32)
    read = _read(applications, vacancies, rules, siblings, _columns(Columns, locals()))
    made = outcome(read, drawn, round_id, SystemEntropy())
    _write(out, made.files)
    text = json.dumps(made.summary, indent=2, ensure_ascii=False)
    if json_path is not None:
        json_path.write_text(text + "\n", encoding="utf-8")
    click.echo(text)
    click.echo(f"Wrote {', '.join(made.files)} into {out}.", err=True)


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """All files, or no folder: a run that is killed leaves nothing that looks finished."""
    from kulla.kernel.durable import sync_folder, write_whole

    half = out.with_name(out.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    for name, data in files.items():
        write_whole(half / name, data)
    half.replace(out)
    sync_folder(out.parent)


def _columns(kind: type[Columns], options: Mapping[str, Any]) -> Columns:
    return kind(options["priority_column"], options["no_priority"], options["regular_quota"])


def _seed(text: str) -> bytes:
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != 32:
        raise Unreadable(
            "a seed is 64 hex digits.", place="--seed", remedy="Leave it out for a fresh one."
        )
    return seed


def _read(
    applications: Path, vacancies: Path, rules: Path, siblings: Path | None, columns: Columns
) -> Round:
    from kulla.services.enrolment.standalone import read_round

    return read_round(
        rules=_text(rules),
        vacancies=_text(vacancies),
        applications=_text(applications),
        siblings=None if siblings is None else _text(siblings),
        columns=columns,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"byte {error.start} is not UTF-8.", place=str(path), remedy="Save it as UTF-8."
        ) from error
    except OSError as error:
        raise Unreadable(f"it can't be read: {error.strerror}.", place=str(path)) from error


@enrolment.command("check")
@click.argument("transcript", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check_command(transcript: Path, as_json: bool) -> None:
    """Compute a public or an auditor's TRANSCRIPT anew, and say what it proves.

    Exit code 0: whatever could be checked holds; 1: it can't be read; 2: something does not hold.

    Example: kulla enrolment check audit.json --json
    """
    from kulla.services.enrolment.policy.check import check_transcript
    from kulla.services.enrolment.policy.draw import seed_of

    try:
        findings = check_transcript(transcript.read_bytes(), seed_of)
    except KullaError as error:
        place = f"{transcript}: {error.place}"
        raise Unreadable(error.message, place=place, remedy=error.remedy) from error
    ok = all(one.ok is not False for one in findings)
    if as_json:
        rows = [{"check": one.check, "ok": one.ok, "detail": one.detail} for one in findings]
        found = {"file": str(transcript), "ok": ok, "findings": rows}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        words = {True: "holds", False: "DOES NOT HOLD", None: "not checked"}
        for one in findings:
            click.echo(f"{one.check:14} {words[one.ok]:14} {one.detail}")
    if not ok:
        sys.exit(2)
