"""`kulla kit`: the recovery kit, kept up to date, looked at, printed, read back from paper."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

_KIT = click.argument("kit", type=click.Path(exists=True, file_okay=False, path_type=Path))
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MARKS = {"fine": "fine   ", "warning": "WARNING", "broken": "BROKEN "}


@click.group()
def kit() -> None:
    """The recovery kit: what a new home needs beside the embassies."""


@kit.command("update")
@_KIT
@click.option(
    "--home",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The home's folder.",
)
def kit_update(kit: Path, home: Path) -> None:
    """Bring the policy, the settings and the credentials of a home into its KIT.

    After a takeover, a change of the policy, and when mail or the e-ID was set up.

    Example: kulla kit update /media/usb/kit --home /srv/kulla/home
    """
    from kulla.tower.home import Home
    from kulla.tower.kit.folder import update

    changed = update(kit, Home(home))
    click.echo(f"Brought: {', '.join(changed)}." if changed else "It was up to date.")
    if changed:
        click.echo(f"Print it anew: kulla kit print {kit} PAGES")


@kit.command("check")
@_KIT
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def kit_check(kit: Path, as_json: bool) -> None:
    """Say whether a new home could begin from KIT. Needs no home and no network.

    Exit code 0: it could; 1: something needs a look; 2: it could not.

    Example: kulla kit check /media/usb/kit
    """
    from kulla.tower.doctor.examination import worst
    from kulla.tower.kit.folder import examine

    findings = examine(kit)
    if as_json:
        report = {"worst": worst(findings), "findings": [asdict(found) for found in findings]}
        click.echo(json.dumps(report, indent=2))
    else:
        for found in findings:
            click.echo(f"{_MARKS[found.state]}  {found.says}")
            if found.do:
                click.echo(f"         {found.do}")
    raise SystemExit(worst(findings))


@kit.command("print")
@_KIT
@click.argument("pages", type=click.Path(file_okay=False, path_type=Path))
def kit_print(kit: Path, pages: Path) -> None:
    """Write printable pages of KIT into the folder PAGES: HTML with QR codes, and plain text.

    Each custodian's key and share are in files of their own, as long as they lie in the kit. The
    pages are as secret as what stands on them: print them off line, then remove the folder.

    Example: kulla kit print /media/usb/kit /media/usb/pages
    """
    from datetime import UTC, datetime

    from kulla.kernel.dates import day
    from kulla.kernel.edges import SystemClock
    from kulla.tower.kit.pages import print_kit

    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)
    for path in print_kit(kit, pages, day(today, "en")):
        click.echo(str(path))
    click.echo("Print them, fill in what is left blank, and remove the folder.")


@kit.command("read")
@click.argument("texts", nargs=-1, required=True, type=_FILE)
@click.option(
    "--into",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write to: the kit, or a custodian's own.",
)
def kit_read(texts: tuple[Path, ...], into: Path) -> None:
    """Read files back from TEXTS, typed or scanned from printed pages.

    Small letters do, spaces don't matter, and whatever else stands on the page may be left out. A
    mistake is named with its line, and then nothing is written.

    Example: kulla kit read typed.txt codes.txt --into kit
    """
    from kulla.tower.kit.folder import write_read
    from kulla.tower.kit.paper import read_paper

    pages = [(str(path), path.read_text(encoding="utf-8", errors="replace")) for path in texts]
    names = write_read(into, read_paper(pages))
    click.echo(f"Written into {into}: {', '.join(names)}.")


@kit.command("share")
@_KIT
@click.option("--holder", "holders", multiple=True, required=True, help="Who gets a share.")
@click.option("--needed", required=True, type=int, help="How many shares give the key again.")
@click.option(
    "--share", "shares", multiple=True, type=_FILE, help="A share of now, where the key is split."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="An empty folder for the new shares.",
)
def kit_share(
    kit: Path, holders: tuple[str, ...], needed: int, shares: tuple[Path, ...], out: Path
) -> None:
    """Split the recovery key of KIT anew, after custodians changed; off line.

    The shares of before go on giving the same key: collect and destroy them.

    Example: kulla kit share kit --holder arta --holder besa --holder drita --needed 2
    --share custodian-1.share --share custodian-2.share --out new-shares
    """
    from kulla.kernel.edges import SystemEntropy
    from kulla.tower.kit.folder import split_anew

    split_anew(kit, shares, holders, needed, out, SystemEntropy())
    click.echo(f"Give each their own from {out / 'custodians'}, and put {out / 'shares'} into the")
    click.echo("kit in the place of the old list. Collect and destroy the old shares.")
