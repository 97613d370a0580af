"""`kulla embassy`: what the operator of an embassy types, on a machine of the embassy's own."""

from __future__ import annotations

from pathlib import Path

import click

from kulla.tower.logs import set_up_logs
from kulla.tower.minder import follow_parent, say_ready


@click.group()
def embassy() -> None:
    """A site abroad that holds a country's journal and says so with its signature."""


@embassy.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", required=True, help="A short name: vienna")
@click.option("--bind", default="0.0.0.0:8100", show_default=True, help="Address and port.")
@click.option("--url", required=True, help="Where home and people reach it.")
def embassy_init(folder: Path, name: str, bind: str, url: str) -> None:
    """Make an embassy in FOLDER, with keys that never leave it, and the card that home needs.

    Example: kulla embassy init /srv/embassy --name vienna --url https://vienna.example.al
    """
    from kulla.embassy.folder import init
    from kulla.kernel.edges import SystemEntropy
    from kulla.tower.cards import write_card

    made = init(folder, name, bind=bind, url=url, entropy=SystemEntropy())
    card = folder / f"{name}.card"
    write_card(card, made)
    click.echo(f"Made {folder}. Bring {card} to whoever begins the country; with the policy")
    click.echo(f"file that they send back: kulla embassy pin {folder} POLICY")


@embassy.command("pin")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("policy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--instead",
    is_flag=True,
    help="In the place of another policy of the same version, that the others don't hold.",
)
def embassy_pin(folder: Path, policy: Path, instead: bool) -> None:
    """Trust POLICY as the country's first policy file; look at it before you do.

    With --instead, where custodians signed two policies under one number and this embassy pinned
    the one that came to nothing: call the custodians before you do.

    Example: kulla embassy pin /srv/embassy policy
    """
    from kulla.embassy.folder import pin, pin_other

    pinned = (pin_other if instead else pin)(folder, policy.read_bytes())
    click.echo(f"Pinned version {pinned.version} of {pinned.tower}.")


@embassy.command("fill")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="URL-or-FOLDER",
    help="Another embassy, or its folder that was brought here; all others, if absent.",
)
@click.option(
    "--reader-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A reader's key, where the others don't know this embassy yet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def embassy_fill(
    folder: Path, sources: tuple[str, ...], reader_key: Path | None, as_json: bool
) -> None:
    """Fill the epochs that takeovers closed into FOLDER, from other embassies.

    For an embassy that is new or was away, and does not run; one that runs does it by itself, every
    ten minutes. Every entry is verified, and this embassy signs nothing. The newest epoch is
    brought by home.

    Example: kulla embassy fill /srv/embassy --from https://rome.example.al
    --from /media/usb/ottawa
    """
    import dataclasses
    import json

    from kulla.tower.asking import read_key
    from kulla.tower.embassy_app import fill, said_of

    set_up_logs("embassy fill")
    reader = read_key(reader_key) if reader_key else None
    version, filled = fill(folder, sources, reader=reader)
    if as_json:
        found = [dataclasses.asdict(each) for each in filled]
        click.echo(json.dumps({"policy_version": version, "epochs": found}, indent=2))
        return
    click.echo(f"Pinned to version {version} of the policy.")
    for line in said_of(filled):
        click.echo(line)
    if not filled:
        click.echo("No epoch that was closed holds anything.")


@embassy.command("serve")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--ready-fd", type=int, hidden=True)
def embassy_serve(folder: Path, ready_fd: int | None) -> None:
    """Run the embassy in FOLDER until it is asked to stop.

    Example: kulla embassy serve /srv/embassy
    """
    from kulla.tower.embassy_app import serve

    set_up_logs(f"embassy {folder.name}")
    if ready_fd is not None:
        follow_parent()
    serve(folder, lambda url: say_ready(ready_fd, url))
