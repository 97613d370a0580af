"""`kulla rebuild` and `kulla takeover`: a home from what the embassies hold."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from kulla.kernel.errors import KullaError


@click.command()
@click.argument("registers", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--kit",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The recovery kit: policy file and keys.",
)
@click.option(
    "--from",
    "folders",
    multiple=True,
    metavar="NAME=FOLDER",
    help="An embassy's folder that was brought here; without any, embassies are asked by network.",
)
@click.option(
    "--go-on", is_flag=True, help="List entries that can't be opened instead of stopping."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def rebuild(
    registers: Path, kit: Path, folders: tuple[str, ...], go_on: bool, as_json: bool
) -> None:
    """Rebuild the registers into the file REGISTERS, to look at: nothing is taken over.

    Every signature, tile and entry is verified. A rebuild that was stopped goes on where it was.

    Example: kulla rebuild look.sqlite --kit kit --from vienna=/media/vienna --from rome=/media/rome
    """
    from kulla.tower.recover import rebuild_for_looking

    named: dict[str, Path] = {}
    for given in folders:
        name, _, folder = given.partition("=")
        if not folder or not Path(folder).is_dir():
            raise KullaError(
                "this is not NAME=FOLDER of an embassy.",
                place=f"--from {given}",
                remedy="Name the embassy as the policy file does, and its folder.",
            )
        named[name] = Path(folder)
    with _bars() as bars:
        report = rebuild_for_looking(registers, kit, named, go_on=go_on, progress=_shown(bars))
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(f"{report['acts']} acts in {report['seconds']} s; {report['cases']} cases.")
    for position, reason in report["first_cases"]:
        click.echo(f"case at position {position}: {reason}")


@click.group()
def takeover() -> None:
    """Let another site become home."""


@takeover.command("run")
@click.argument("home", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--kit",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The recovery kit, with the keys of enough custodians.",
)
@click.option("--port", default=8000, show_default=True, help="The new portal's port.")
@click.option("--reason", required=True, help="One line for people and for the record.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def takeover_run(home: Path, kit: Path, port: int, reason: str, as_json: bool) -> None:
    """Make a new home in the folder HOME from the recovery kit and the embassies that answer.

    The old epoch is sealed first: whatever is left of the old home can't confirm anything any more.
    If it stops on the way, run the same command again.

    Example: kulla takeover run new-home --kit kit --reason 'home was wiped on 15 July'
    """
    from kulla.tower.recover import take_over

    with _bars() as bars:
        report = take_over(kit, home, port=port, reason=reason, progress=_shown(bars))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), indent=2, default=str))
        return
    click.echo(
        f"Epoch {report.epoch} is prepared: {report.acts} acts, of which {report.replayed} were "
        f"replayed now, in {report.seconds} s."
    )
    click.echo(f"Sealed by {', '.join(report.sealed)}; held by {', '.join(report.holders)}.")
    if not report.certain:
        click.echo("Too few embassies answered to be certain: look at what the others hold.")
    if report.keys_missing:
        click.echo(f"{report.keys_missing} wrapped keys are at no embassy: those people's personal")
        click.echo("data stays closed. Reach more embassies, then run this again.")
    for name, size in report.tails:
        click.echo(f"{name} holds entries up to {size}, beyond what was adopted: evidence.")
    for name, size in report.forked:
        click.echo(f"{name} holds ANOTHER HISTORY of {size} entries: evidence.")
    click.echo(f"Put {report.policy} into the kit in the old one's place, then: kulla up {home}")
    click.echo("(A warm standby that ran in this folder opens the doors by itself now.)")


def _bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))


def _shown(bars: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def progress(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)

    return progress
