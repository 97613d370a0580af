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
def embassy_pin(folder: Path, policy: Path) -> None:
    """Trust POLICY as the country's first policy file; look at it before you do.

    Example: kulla embassy pin /srv/embassy policy
    """
    from kulla.embassy.folder import pin

    pinned = pin(folder, policy.read_bytes())
    click.echo(f"Pinned version {pinned.version} of {pinned.tower}.")


@embassy.command("serve")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--ready-fd", type=int, hidden=True)
def embassy_serve(folder: Path, ready_fd: int | None) -> None:
    """Run the embassy in FOLDER until it is asked to stop.

    Example: kulla embassy serve /srv/embassy
    """
    from kulla.embassy.server import serve

    set_up_logs(f"embassy {folder.name}")
    if ready_fd is not None:
        follow_parent()
    serve(folder, ready=lambda url: say_ready(ready_fd, url))
