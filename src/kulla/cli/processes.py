"""The processes of a home, one command each; `kulla up` starts them, or an init system does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from kulla.tower.logs import set_up_logs
from kulla.tower.minder import follow_parent, say_ready

HOME = click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
WHEN = click.option("--when", type=click.Path(path_type=Path), hidden=True)
READY = click.option("--ready-fd", type=int, hidden=True)


def ready_at(descriptor: int | None) -> Callable[[str], None]:
    """What says 'ready' to the minder on the pipe it gave, and ends this process with it."""
    if descriptor is not None:
        follow_parent()
    return lambda word: say_ready(descriptor, word)


@click.group()
def scribe() -> None:
    """The one writer of a home."""


@scribe.command("serve")
@HOME
@WHEN
@READY
def scribe_serve(home: Path, when: Path | None, ready_fd: int | None) -> None:
    """Run the scribe of HOME until it is asked to stop.

    Example: kulla scribe serve /srv/kulla/home
    """
    from kulla.tower.home import Home
    from kulla.tower.scribe_app import serve
    from kulla.tower.services import register_tables
    from kulla.tower.standby.held import wait_until_there

    set_up_logs("scribe")
    if when is not None:
        register_tables()  # takes as long as all else before the home is there
    wait_until_there(when)
    serve(Home(home), ready_at(ready_fd))


@click.group()
def keeper() -> None:
    """The process that holds the keys of personal data."""


@keeper.command("serve")
@HOME
@WHEN
@READY
def keeper_serve(home: Path, when: Path | None, ready_fd: int | None) -> None:
    """Run the keeper of HOME until it is asked to stop.

    Example: kulla keeper serve /srv/kulla/home
    """
    from kulla.keeper.process import serve
    from kulla.tower.garbage import look_for_garbage_seldom
    from kulla.tower.home import Home
    from kulla.tower.standby.held import wait_until_there

    set_up_logs("keeper")
    wait_until_there(when)
    found = Home(home)
    look_for_garbage_seldom()
    serve(found.keeper, found.run_folder(), ready_at(ready_fd))


@click.group()
def portal() -> None:
    """The web site of a home."""


@portal.command("serve")
@HOME
@WHEN
@READY
@click.option("--bench", is_flag=True, help="Serve /empty, the yardstick of `kulla bench`.")
def portal_serve(home: Path, when: Path | None, ready_fd: int | None, bench: bool) -> None:
    """Run the portal of HOME until it is asked to stop.

    Example: kulla portal serve /srv/kulla/home
    """
    from kulla.tower.home import Home
    from kulla.tower.portal_app import serve

    set_up_logs("portal")
    serve(Home(home), ready_at(ready_fd), bench=bench, when=when)


@click.group()
def post() -> None:
    """The letters that leave a home: sign-in codes, confirmations, reminders."""


@post.command("serve")
@HOME
@READY
def post_serve(home: Path, ready_fd: int | None) -> None:
    """Send the letters of HOME until it is asked to stop; one such process a home.

    Example: kulla post serve /srv/kulla/home
    """
    from kulla.tower.home import Home
    from kulla.tower.post.app import serve

    set_up_logs("post")
    serve(Home(home), ready_at(ready_fd))
