"""`kulla enrolment commit` and `draw`: the lottery of a round, at the country's home."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

_HOME = click.option(
    "--home",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The home's folder; its processes must run.",
)
_UNDONE = 2


@click.command("commit")
@click.argument("round_id", metavar="ROUND")
@_HOME
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def commit(round_id: str, home: Path, as_json: bool) -> None:
    """Let each embassy fix a secret for the lottery of ROUND, before its list closes.

    Run it once the round is published, and again where an embassy did not answer: those that
    committed stay as they are. Exit code 2 says that one is still missing. A list that closes
    before any embassy committed can't be drawn.

    Example: kulla enrolment commit 2027-first --home /srv/kulla/home
    """
    from kulla.tower.logs import set_up_logs
    from kulla.tower.lottery.committing import FAILED, commit

    set_up_logs("enrolment")
    report = commit(home, round_id)
    missing = [part for part in report["embassies"] if part["state"] == FAILED]
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for part in report["embassies"]:
            click.echo(f"{part['embassy']}: {part['state']} {part['why']}".rstrip())
        click.echo(f"{report['committed']} of {report['of']} embassies committed for {round_id}.")
        if not report["quorum"]:
            click.echo(
                "They are fewer than a quorum: bring the others back before the list closes."
            )
    sys.exit(_UNDONE if missing else 0)


@click.command("draw")
@click.argument("round_id", metavar="ROUND")
@_HOME
@click.option(
    "--openings",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A custodian's NAME.opening, or a folder of them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def draw(round_id: str, home: Path, openings: tuple[Path, ...], as_json: bool) -> None:
    """Draw the lottery of ROUND, whose list is closed: the embassies tell, the seed follows.

    Where an embassy does not tell, this writes a plan: send it to the custodians, who open that
    secret (kulla lottery open), and run this again with what they send. The seed is the same as if
    the embassy had told. Exit code 2 says that a secret is still missing.

    Example: kulla enrolment draw 2027-first --home /srv/kulla/home --openings arta.opening
    """
    from kulla.tower.home import Home
    from kulla.tower.logs import set_up_logs
    from kulla.tower.lottery.drawing import draw, names_of
    from kulla.tower.lottery.reading import policies_of

    set_up_logs("enrolment")
    report = draw(home, round_id, openings)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        names = names_of(policies_of(Home(home)))
        for embassy, by in report["told_by"].items():
            click.echo(f"{names.get(embassy, embassy)}: told by the {by}.")
        for embassy, why in report["missing"].items():
            click.echo(f"{names.get(embassy, embassy)}: missing. {why}")
        for fault in report["not_counted"]:
            click.echo(f"Not counted: {fault}")
        if report["drawn"]:
            click.echo(f"The seed of {round_id} is {report['seed']}")
        else:
            click.echo(f"Send {report['plan']} to the custodians: kulla lottery open")
    sys.exit(0 if report["drawn"] else _UNDONE)
