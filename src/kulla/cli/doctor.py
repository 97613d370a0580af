"""`kulla doctor`: whether all is there that a real country needs, and what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

_MARKS = {"fine": "fine   ", "warning": "WARNING", "broken": "BROKEN "}


@click.command()
@click.option(
    "--home",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The home's folder; best while its processes run.",
)
@click.option(
    "--kit",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The recovery kit, to see whether a new home could begin from it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for each answer.")
def doctor(home: Path, kit: Path | None, as_json: bool, timeout: float) -> None:
    """Look at a home from all sides, and say what is fine, what is not, and what to do.

    Exit code 0: all is fine; 1: something needs a look; 2: something is broken.

    Example: kulla doctor --home /srv/kulla/home
    """
    from kulla.kernel.edges import SystemClock
    from kulla.tower.doctor.examination import examine, worst
    from kulla.tower.home import Home

    findings = examine(Home(home), SystemClock(), timeout_s=timeout, kit=kit)
    code = worst(findings)
    if as_json:
        report = {"worst": code, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(f"{_MARKS[finding.state]}  {finding.check}: {finding.says}")
            if finding.do:
                click.echo(f"         {finding.do}")
        count = {state: sum(f.state == state for f in findings) for state in _MARKS}
        click.echo(f"{count['fine']} fine, {count['warning']} warnings, {count['broken']} broken")
    raise SystemExit(code)
