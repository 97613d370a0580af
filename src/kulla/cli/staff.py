"""`kulla staff`: the first operators of a country, and who has which role."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kulla.tower.staff import Member

HOME = click.option(
    "--home",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The home's folder; its processes must run.",
)


@click.group()
def staff() -> None:
    """Who may act as clerk, operator or analyst."""


@staff.command("found")
@HOME
@click.option(
    "--operator",
    "operators",
    multiple=True,
    metavar="MAIL",
    help="The mail address of an operator's account; at least twice.",
)
@click.option("--clerk", "clerks", multiple=True, metavar="MAIL", help="A clerk's; may be absent.")
@click.option("--yes", is_flag=True, help="Don't ask: you compared the passkeys before.")
def staff_found(home: Path, operators: tuple[str, ...], clerks: tuple[str, ...], yes: bool) -> None:
    """Give the first roles of a new country, once, to people who have an account and a passkey.

    Each first signs up at the portal and adds a passkey to their account. Have them beside you:
    compare the name and the passkeys below with what each one sees on their account's page. From
    then on staff sign whatever they do, and operators give all other roles, two together.

    Example: kulla staff found --home /srv/kulla/home --operator arta@example.al
    --operator besnik@example.al
    """
    from kulla.tower.home import Home
    from kulla.tower.logs import set_up_logs
    from kulla.tower.staff import found_staff, founders

    set_up_logs("staff")
    wanted = [("operator", mail) for mail in operators] + [("clerk", mail) for mail in clerks]
    members = founders(Home(home), wanted)
    for member, (_, mail) in zip(members, wanted, strict=True):
        click.echo(f"{member.role}: {member.name} <{mail}>")
        _say_passkeys(member)
    if not yes:
        click.confirm("Are these the people, and these passkeys all theirs?", abort=True)
    found_staff(Home(home), members)
    click.echo(f"The staff of this country has begun: {len(members)} people.")
    click.echo("They sign in at the portal with their passkeys. More roles: two operators, there.")


@staff.command("list")
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with subject ids.")
def staff_list(home: Path, as_json: bool) -> None:
    """Say who has which role, since when, and with which passkeys.

    Example: kulla staff list --home /srv/kulla/home
    """
    from kulla.tower.home import Home
    from kulla.tower.logs import set_up_logs
    from kulla.tower.staff import staff_of

    set_up_logs("staff")
    members = staff_of(Home(home))
    if as_json:
        click.echo(json.dumps([_as_json(member) for member in members], indent=2))
        return
    if not members:
        click.echo("Nobody has a role. The first ones: kulla staff found --help")
    for member in members:
        since = f"{member.since:%-d %B %Y}" if member.since else ""
        click.echo(f"{member.role}: {member.name or member.subject}, since {since}")
        _say_passkeys(member)


def _say_passkeys(member: Member) -> None:
    for passkey in member.passkeys:
        click.echo(
            f"    passkey {passkey.fingerprint}, made {passkey.added_at:%-d %B %Y, %H:%M} UTC"
        )


def _as_json(member: Member) -> dict[str, object]:
    return {
        "role": member.role,
        "name": member.name,
        "subject": member.subject,
        "since": member.since.isoformat() if member.since else None,
        "passkeys": [passkey.fingerprint for passkey in member.passkeys],
    }
