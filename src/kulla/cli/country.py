"""`kulla init`, `kulla up`, `kulla status`: a country begins, runs, and says how it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.status import Status


@click.command()
@click.argument("home", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", required=True, help="The tower's name, a domain: sherbime.example.al")
@click.option("--url", required=True, help="Where people find it: https://sherbime.example.al")
@click.option("--kit", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--embassy",
    "cards",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The card that `kulla embassy init` wrote at an embassy; once for each.",
)
@click.option("--quorum", default=3, show_default=True, help="How many embassies must hold an act.")
@click.option(
    "--custodian",
    "custodians",
    multiple=True,
    default=("custodian-1", "custodian-2", "custodian-3"),
    show_default=True,
    help="Who holds a key that signs policies and takeovers; once for each.",
)
@click.option("--custodians-sign", default=2, show_default=True, help="How many must sign.")
@click.option(
    "--whole-recovery-key",
    is_flag=True,
    help="Put the recovery key into the kit as it is, instead of a share for each custodian.",
)
@click.option("--port", default=8000, show_default=True)
def init(
    home: Path,
    name: str,
    url: str,
    kit: Path,
    cards: tuple[Path, ...],
    quorum: int,
    custodians: tuple[str, ...],
    custodians_sign: int,
    whole_recovery_key: bool,
    port: int,
) -> None:
    """Begin a country: keys, the signed policy file, the folder HOME and the recovery kit.

    Each custodian gets a key that signs and a share of the recovery key: as many of them as must
    sign can open personal data at a new home, and fewer can't.

    Example: kulla init /srv/kulla/home --name sherbime.example.al
    --url https://sherbime.example.al --kit /media/usb/kit
    --embassy vienna.card --embassy ottawa.card --embassy rome.card --embassy oslo.card
    """
    from urllib.parse import urlsplit

    from kulla.kernel.edges import SystemEntropy
    from kulla.tower.cards import read_card
    from kulla.tower.home import Home
    from kulla.tower.init import Beginning, begin

    embassies = [read_card(card) for card in cards]
    beginning = Beginning(
        tower=name,
        relying_party=urlsplit(url).hostname or name,
        public_url=url,
        bind="127.0.0.1",
        port=port,
        demo=False,
        embassies=embassies,
        quorum_k=quorum,
        custodians=custodians,
        custodian_threshold=custodians_sign,
        split_recovery=not whole_recovery_key,
    )
    begin(Home(home), kit, beginning, SystemEntropy())
    if 2 * quorum <= len(embassies) + 1:
        click.echo(f"Note: with {quorum} of {len(embassies)}, no embassy may be lost with home.")
    click.echo(f"Home: {home}\nPolicy file for every embassy: {home / 'policy'}\nKit: {kit}")
    own = "key" if whole_recovery_key else "key and share"
    click.echo(f"Take the kit off line now, and give each custodian their own {own} from it.")
    click.echo(f"On paper too: kulla kit print {kit} PAGES")


def _tell(status: Status, what: str) -> None:
    status.update(f"demo country: {what}")


@click.command()
@click.argument("home", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--demo",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for a demo country with four embassies on this machine; made if needed.",
)
@click.option("--port", default=8000, show_default=True, help="The demo's port.")
@click.option(
    "--embassy-port", default=8101, show_default=True, help="The first of the demo's four ports."
)
@click.option(
    "--moved",
    is_flag=True,
    help="HOME was moved or restored here, and no other copy of it will ever run again.",
)
def up(home: Path | None, demo: Path | None, port: int, embassy_port: int, moved: bool) -> None:
    """Start a tower and mind its processes until Ctrl-C.

    Example: kulla up --demo demo
    """
    from kulla.tower.home import Home
    from kulla.tower.logs import set_up_logs
    from kulla.tower.place import note_moved
    from kulla.tower.up import DemoPlan, Tower, demo_tower, found_demo

    if (home is None) == (demo is None):
        raise click.UsageError("Name either a HOME or --demo FOLDER.")
    set_up_logs("minder")
    if moved and home is not None:
        note_moved(Home(home))
    console = Console(stderr=True)
    plan = DemoPlan(demo, port=port, embassy_port=embassy_port) if demo else None
    tower = demo_tower(plan) if plan else Tower(Home(home or Path()), (home or Path()) / "logs")
    try:
        with console.status("starting") as status:
            url = tower.start(say=lambda what: status.update(f"starting: {what}"))
            if plan:
                tell = partial(_tell, status)
                tower.mind_while(partial(found_demo, plan, tell))
        click.echo(f"Kulla serves at {url.replace('127.0.0.1', 'localhost')}")
        click.echo("Stop it with Ctrl-C; nothing that was confirmed is lost, however it stops.")
    except BaseException:
        tower.end()
        raise
    tower.mind()


@click.command()
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(home: Path, as_json: bool) -> None:
    """Say how the tower of HOME is: acts, watermark, embassies, services set aside.

    Exit code 0: new acts are witnessed; 1: they are not, and why.

    Example: kulla status demo/home
    """
    from kulla.kernel.edges import SystemClock
    from kulla.scribe.client import ScribeClient
    from kulla.tower.home import Home
    from kulla.tower.post.app import post_state

    found = Home(home)
    policy = found.policy()
    clock = SystemClock()
    state = ScribeClient(found.run_folder(), clock).state()
    witnessing = state["witnessing"]
    reachable = set(state["reachable"])
    report = {
        "tower": policy.tower,
        "epoch": len(policy.logs),
        "acts": witnessing["size"],
        "watermark": witnessing["watermark"],
        "witnessed": witnessing["quorum"],
        "embassies": {e.name: e.name in reachable for e in policy.embassies},
        "set_aside": state["set_aside"],
        "post": post_state(found, clock.now_ms()),
    }
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(f"{report['tower']}, epoch {report['epoch']}")
        click.echo(f"acts {report['acts']}, confirmed below {report['watermark']}")
        for name, answers in report["embassies"].items():
            click.echo(f"embassy {name}: {'answers' if answers else 'DOES NOT ANSWER'}")
        for service, why in report["set_aside"].items():
            click.echo(f"service {service}: SET ASIDE ({why})")
        click.echo(_of_post(report["post"]))
        lotteries = (report["post"] or {}).get("lotteries", {"waiting": 0})
        if lotteries["waiting"]:
            click.echo(
                f"lottery: waits for an embassy; {lotteries['trouble'] or 'asked again soon'}"
            )
        for line in _of_rounds(report["post"]):
            click.echo(line)
        if not report["witnessed"]:
            click.echo("New acts are NOT witnessed: too few embassies answer.")
    if not report["witnessed"] or report["set_aside"]:
        raise SystemExit(1)


def _of_rounds(state: Mapping[str, Any] | None) -> Iterator[str]:
    """What the post's other work waits for or stumbles over; nothing where all is well."""
    lists = (state or {}).get("lists", {"waiting": 0, "trouble": ""})
    if lists["trouble"]:
        yield f"enrolment: a round can't be allocated: {lists['trouble']}"
    elif lists["waiting"]:
        yield f"enrolment: {lists['waiting']} rounds are being allocated"


def _of_post(state: Mapping[str, Any] | None) -> str:
    """How the letters are, in a line."""
    if state is None:
        return "post: DOES NOT RUN; no codes and no reminders leave this home"
    if not state["mail"]:
        return "post: runs, but mail is NOT set up (docs/OPERATE.md)"
    troubles = sorted({state[kind]["trouble"] for kind in ("codes", "messages")} - {""})
    waiting = sum(state[kind]["waiting"] for kind in ("codes", "messages"))
    said = f"post: {waiting} letters wait"
    return f"{said}; the mail server can't be used ({', '.join(troubles)})" if troubles else said
