"""`kulla lottery`: what custodians, and whoever doubts, do with a round's lottery; off line."""

from __future__ import annotations

import json
from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_POLICY = click.option(
    "--policy",
    "policies",
    required=True,
    multiple=True,
    type=_FILE,
    help="The policy file that you trust; earlier versions too, where embassies changed.",
)


@click.group()
def lottery() -> None:
    """Secrets that embassies fixed before a list was closed: open them, check them."""


@lottery.command("open")
@click.argument("plan", type=_FILE)
@click.option("--key", required=True, type=_FILE, help="Your own key.")
@_POLICY
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the answer: YOUR-NAME.opening here, if absent.",
)
@click.option("--yes", is_flag=True, help="Don't ask: you read the words before.")
@click.option("--json", "as_json", is_flag=True, help="Print what was opened as JSON.")
def lottery_open(
    plan: Path, key: Path, policies: tuple[Path, ...], out: Path | None, yes: bool, as_json: bool
) -> None:
    """Open your shares of the secrets that PLAN says embassies did not tell.

    For custodians, each on their own machine. The plan proves that the list was closed before; the
    secrets were fixed before that, so what you open changes nothing. Your key leaves no trace in
    what you send.

    Example: kulla lottery open 2027-first.plan --key arta.key --policy policy
    """
    from kulla.tower.lottery.opening import look_at, opened, write_opening

    asked = look_at(plan, key, list(policies))
    if not as_json:
        click.echo(asked.words)
        click.echo(f"\nYou would open as {asked.custodian}.")
    if not yes:
        click.confirm(
            "Did you call those embassies, and do you want to open?", abort=True, err=True
        )
    opening = opened(asked)
    out = out or Path(f"{asked.custodian}.opening")
    write_opening(out, opening)
    if as_json:
        said = {
            "custodian": opening.custodian,
            "round": opening.round,
            "embassies": list(opening.shares),
            "file": str(out),
        }
        click.echo(json.dumps(said, indent=2))
        return
    click.echo(f"Opened as {opening.custodian}: {out}")
    click.echo("Send this file back. It is no secret.")


@lottery.command("check")
@click.argument("file", type=_FILE)
@_POLICY
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def lottery_check(file: Path, policies: tuple[Path, ...], as_json: bool) -> None:
    """Check a round's lottery with nothing but its FILE and the policy file.

    FILE comes from the round's public page. It is checked that each embassy committed before the
    list was closed, that what was told is what was fixed, and that the seed follows from that.

    Example: kulla lottery check 2027-first.json --policy policy
    """
    from kulla.tower.lottery.checking import check_file

    found = check_file(file, policies)
    if as_json:
        said = {
            "round": found.round,
            "count": found.count,
            "root": found.root.hex(),
            "seed": found.seed.hex(),
            "seed_text": found.text,
            "told_by": dict(found.told_by),
            "absent": list(found.absent),
            "quorum": found.quorum,
        }
        click.echo(json.dumps(said, indent=2))
        return
    click.echo(f"{found.round}: the lottery holds, for a list of {found.count} applications.")
    for name, by in found.told_by.items():
        click.echo(f"{name}: fixed before the list was closed; told by the {by} after.")
    if found.absent:
        click.echo(f"Took no part: {', '.join(found.absent)}.")
    if not found.quorum:
        click.echo("Fewer embassies took part than must hold an act: ask why.")
    click.echo(f"Seed: {found.seed.hex()}, the SHA-256 of this text:\n")
    click.echo(found.text, nl=False)
