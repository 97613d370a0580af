"""`kulla enrolment run`: allocate a round of a country, at its home."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click


@click.command("run")
@click.argument("round_id", metavar="ROUND")
@click.option(
    "--home",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The home's folder; its processes must run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what it came to as JSON.")
def run(round_id: str, home: Path, as_json: bool) -> None:
    """Allocate a closed and drawn round, post its results, keep its transcripts.

    The ministry's page can ask for the same. Killed anywhere, type it again: it goes on where it
    was. A round that is allocated already is computed again and compared with what the journal
    names.

    Example: kulla enrolment run 2026-first --home /srv/kulla/home
    """
    from contextlib import closing

    from rich.console import Console

    from kulla.kernel.edges import SystemClock
    from kulla.tower.edge import HomeEdge
    from kulla.tower.enrolment.allocating import Allocator
    from kulla.tower.enrolment.registers import RoundRows
    from kulla.tower.home import Home
    from kulla.tower.logs import set_up_logs

    set_up_logs("enrolment")
    found = Home(home)
    found.settings()
    edge = HomeEdge(found, asker="allocation")
    with closing(RoundRows(found.registers)) as rows, Console(stderr=True).status("reading") as at:
        allocator = Allocator(found.folder, rows, edge, SystemClock(), time.sleep)
        report = allocator.run(round_id, at.update)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=1))
        return
    click.echo(f"{report.round}: {report.placed:,} of {report.applicants:,} children have a place.")
    for why, count in sorted(report.refused.items()):
        click.echo(f"{count:,} applications did not count: {why}.")
    click.echo(f"Posted in {report.parts} parts; the round is {report.state}.")
    click.echo(f"Public transcript {report.public}")
    click.echo(f"Auditor's transcript {report.audit}")
