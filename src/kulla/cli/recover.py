"""`kulla rebuild` and `kulla takeover`: a home from what the embassies hold."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

from kulla.cli.custody import SIGN_OPTIONS, sign
from kulla.kernel.errors import KullaError

KIT = click.option(
    "--kit",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The recovery kit: policy file and keys.",
)


@click.command()
@click.argument("registers", type=click.Path(dir_okay=False, path_type=Path))
@KIT
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
    from kulla.tower.takeover.recover import rebuild_for_looking

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
    """Let another site become home: plan, sign, run."""


@takeover.command("plan")
@click.argument("home", type=click.Path(file_okay=False, path_type=Path))
@KIT
@click.option("--reason", required=True, help="One line for people and for the record.")
@click.option("--url", help="Where people will find it; what the kit's home.toml says, if absent.")
@click.option(
    "--instead",
    is_flag=True,
    help="The site of a takeover that was begun before is lost: take its place.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write what custodians sign: takeover.plan here, if absent.",
)
def takeover_plan(
    home: Path, kit: Path, reason: str, url: str | None, instead: bool, out: Path | None
) -> None:
    """Make the plan of a takeover in the folder HOME, for custodians to sign elsewhere.

    It changes nothing at the embassies. The same command again gives the same plan.

    Example: kulla takeover plan new-home --kit kit --reason 'home was wiped on 15 July'
    """
    from kulla.tower.logs import set_up_logs
    from kulla.tower.takeover.planning import make_plan

    set_up_logs("takeover")
    proposal = make_plan(home, kit, reason=reason, url=url, instead=instead)
    out = out or Path("takeover.plan")
    out.write_bytes(proposal.render())
    click.echo(f"Fingerprint: {proposal.fingerprint}\n")
    click.echo(f"Send {out} to the custodians, and read the fingerprint to each on the telephone.")
    click.echo("Each signs on a machine of their own: kulla takeover sign --help")
    click.echo(f"With what they send back: kulla takeover run {home} --kit {kit} --signatures ...")


@takeover.command("sign")
@SIGN_OPTIONS
def takeover_sign(**given: Any) -> None:
    """Look at a takeover's plan, FILE, and sign it as a custodian; off line.

    It shows in words what would be signed, and asks. The answer is a small file to send back; with
    a share of the recovery key beside the key it holds that too, so that only the new home can
    open it.

    Example: kulla takeover sign takeover.plan --key besa.key --policy policy
    """
    sign("takeover", **given)


@takeover.command("run")
@click.argument("home", type=click.Path(file_okay=False, path_type=Path))
@KIT
@click.option(
    "--signatures",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file that a custodian sent, or a folder of them (*.signature); may be repeated.",
)
@click.option("--port", default=8000, show_default=True, help="The new portal's port.")
@click.option(
    "--reason", default="", help="Where the kit has the custodians' keys, instead of a plan."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def takeover_run(
    home: Path,
    kit: Path,
    signatures: tuple[Path, ...],
    port: int,
    reason: str,
    as_json: bool,
) -> None:
    """Make a new home in the folder HOME from the recovery kit and the embassies that answer.

    Needs a plan there, and the signatures of enough custodians, in one go or one by one. The old
    epoch is sealed first: whatever is left of the old home can't confirm anything any more. If it
    stops on the way, run the same command again.

    Example: kulla takeover run new-home --kit kit --signatures arta.signature
    --signatures besa.signature
    """
    from kulla.tower.logs import set_up_logs
    from kulla.tower.takeover.recover import take_over

    set_up_logs("takeover")
    with _bars() as bars:
        report = take_over(
            kit, home, port=port, reason=reason, signatures=signatures, progress=_shown(bars)
        )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), indent=2, default=str))
        return
    click.echo(f"Signed by {', '.join(report.signed)}.")
    for fault in report.not_counted:
        click.echo(f"Not counted: {fault}")
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
    if report.cases:
        position, why = report.cases[0]
        click.echo(f"{len(report.cases)} acts are cases, the first at position {position}: {why}")
        click.echo(f"Look at all of them: kulla cases {home}")
    click.echo(f"Now: kulla up {home}, then: kulla kit update {kit} --home {home}")
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
