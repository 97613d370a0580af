"""`kulla standby`: a third site that follows the embassies, and becomes home on a takeover."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from kulla.cli.processes import READY, ready_at
from kulla.tower.logs import set_up_logs

FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
KIT = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def standby() -> None:
    """Follow the embassies at a third site, ready to take over."""


@standby.command("serve")
@FOLDER
@click.option(
    "--kit",
    type=KIT,
    help="At the first start: policy, reader.key, journal.key, home.toml of the recovery kit.",
)
@click.option("--every", default=1.0, show_default=True, help="Seconds between two looks.")
@click.option(
    "--home-silence",
    default=3600.0,
    show_default=True,
    help="Seconds without a new checkpoint of home before the alarm.",
)
@click.option(
    "--embassy-silence",
    default=60.0,
    show_default=True,
    help="Seconds without an answer of an embassy, or with a key missing, before the alarm.",
)
@click.option("--on-alarm", default="", help="A command to run for each alarm; it gets its JSON.")
@click.option(
    "--warm",
    "warm_port",
    type=int,
    metavar="PORT",
    help="Keep a home's processes ready, its portal at PORT: a takeover opens it in a second.",
)
@click.option(
    "--go-on",
    is_flag=True,
    help="List entries that can't be opened as cases instead of stopping at them.",
)
@READY
def standby_serve(
    folder: Path,
    kit: Path | None,
    every: float,
    home_silence: float,
    embassy_silence: float,
    on_alarm: str,
    warm_port: int | None,
    go_on: bool,
    ready_fd: int | None,
) -> None:
    """Follow the embassies into FOLDER until asked to stop; it may be killed at any moment.

    Example: kulla standby serve /srv/kulla/standby --kit /media/usb/standby-kit
    """
    from kulla.standby.follower import Patience
    from kulla.tower.standby.app import StandbyPlan, serve
    from kulla.tower.standby.folder import StandbyFolder

    set_up_logs("standby")
    patience = Patience(home_silence, embassy_silence, embassy_silence)
    found = StandbyFolder(folder.absolute())
    plan = StandbyPlan(found, kit, every, patience, on_alarm, warm_port, go_on)
    serve(plan, ready_at(ready_fd))


@standby.command("status")
@FOLDER
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def standby_status(folder: Path, as_json: bool) -> None:
    """Say where the standby in FOLDER stands; exit code 1 where an alarm lasts or it does not run.

    Example: kulla standby status /srv/kulla/standby
    """
    from kulla.tower.standby.status import status_of

    status = status_of(folder)
    if as_json:
        click.echo(json.dumps(status, indent=2))
    else:
        for line in _said(status):
            click.echo(line)
    sys.exit(0 if status["well"] else 1)


def _said(status: dict[str, object]) -> list[str]:
    running = f"runs (process {status['pid']})" if status["pid"] else "DOES NOT RUN"
    lines = [
        f"This standby {running}: {status['doing']}. What stands below is {status['age_s']} s old.",
        f"Epoch {status['epoch']}: {status['position']} acts are replayed; "
        f"{status['confirmed']} are confirmed, {status['known']} are known to an embassy.",
        f"{status['keys']} wrapped keys are here, {status['keys_missing']} are missing.",
    ]
    embassies = status["embassies"]
    assert isinstance(embassies, dict)
    lines += [f"embassy {name}: {said}" for name, said in embassies.items()]
    alarms = status["alarms"]
    assert isinstance(alarms, list)
    for alarm in alarms:
        place = f" {alarm['place']}" if alarm["place"] else ""
        lines.append(f"ALARM {alarm['number']} {alarm['kind']}{place}: {alarm['message']}")
    return lines if alarms else [*lines, "No alarm lasts."]


@standby.command("reads")
@FOLDER
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.option("--port", default=8000, show_default=True, help="Where the site listens.")
def standby_reads(folder: Path, switch: str, port: int) -> None:
    """Show the standby's registers as a web site that takes nothing, or end that.

    Example: kulla standby reads /srv/kulla/standby on --port 8000
    """
    from kulla.tower.standby.reads import want_reads
    from kulla.tower.standby.status import standby_at

    want_reads(standby_at(folder), port if switch == "on" else None)


@standby.command("try-keys")
@FOLDER
@click.option("--kit", required=True, type=KIT, help="The recovery kit with recovery.key.")
@click.option("--sample", default=200, show_default=True, help="How many keys; 0 tries all.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def standby_try_keys(folder: Path, kit: Path, sample: int, as_json: bool) -> None:
    """Unwrap a SAMPLE of the wrapped keys that wait here, under the custodians' eyes.

    Nothing is kept of what was unwrapped. Exit code 1 where one does not unwrap, or holds the key
    of another person than the journal says: a new home could not open those people's data.

    Example: kulla standby try-keys /srv/kulla/standby --kit /media/usb/kit --sample 500
    """
    from kulla.tower.standby.status import try_keys

    tried = try_keys(folder, kit, sample)
    if as_json:
        click.echo(json.dumps(tried, indent=2))
    else:
        click.echo(f"{tried['tried']} of {tried['keys']} wrapped keys were tried.")
        for name in tried["broken"]:
            click.echo(f"{name}: does not unwrap to the key of the person whom the journal names.")
        if not tried["broken"]:
            click.echo("All of them unwrap.")
    sys.exit(1 if tried["broken"] else 0)


@standby.command("seen")
@FOLDER
@click.argument("numbers", type=int, nargs=-1, required=True)
def standby_seen(folder: Path, numbers: tuple[int, ...]) -> None:
    """Say that alarms with these NUMBERS were seen: status does not show them any more.

    Example: kulla standby seen /srv/kulla/standby 4
    """
    from kulla.tower.standby.status import say_seen

    say_seen(folder, list(numbers))
