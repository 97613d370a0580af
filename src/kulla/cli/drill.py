"""`kulla drill`: rehearse an attack on a live, throwaway tower, and keep score."""

from __future__ import annotations

import json
import signal
import tempfile
from itertools import product
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

COMPLAINTS_SHOWN_MAX = 20
ALL = "all"
FAULTS = (
    "kill",
    "disk-full",
    "torn",
    "partition",
    "slow",
    "lying-embassy",
    "clock",
    "between-rounds",
    "zombie-home",
    ALL,
)
"""What `kulla.drill.faults` has, which is too much to import for --help."""


@click.group()
def drill() -> None:
    """Rehearse an attack on a live tower that is made for it, and keep score."""


@drill.command("wipe")
@click.option("--seed", default=1, show_default=True, help="Chooses the moment and the embassy.")
@click.option(
    "--rounds", default=1, show_default=True, help="So many drills: seeds from --seed on."
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the score to this file; with --rounds a list.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep what is left of it in this new folder, so that others can check.",
)
@click.option(
    "--fault",
    type=click.Choice(FAULTS),
    help="What else goes wrong while citizens book; 'all': each of them, one after the other.",
)
@click.option(
    "--journal", default=0, help="So many acts are in the journal before the citizens come."
)
@click.option("--standby", is_flag=True, help="A standby follows meanwhile, and takes over.")
@click.option("--acts", default=10_000, show_default=True, help="Acknowledged before the blow.")
@click.option("--citizens", default=0, help="How many live in the country (default: enough).")
@click.option("--at-once", default=64, show_default=True, help="How many of them at once.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the drill makes its own folder (default: the system's for temporary files).",
)
def wipe(
    seed: int,
    rounds: int,
    json_path: Path | None,
    keep: Path | None,
    fault: str | None,
    journal: int,
    standby: bool,
    acts: int,
    citizens: int,
    at_once: int,
    folder: Path | None,
) -> None:
    """Wipe home and one embassy while citizens book; then check all that they were told.

    Everything is made for the drill, on loopback, and removed after it. Exit code 0: nothing that
    was acknowledged is lost, doubled or unprovable; 1: something is, or the drill broke off.

    Example: kulla drill wipe --seed 1 --json score.json
    """
    from kulla.drill.notes import WipePlan
    from kulla.drill.report import WipeReport, table_of, write_json
    from kulla.drill.wipe import WipeDrill
    from kulla.kernel.edges import SystemClock, SystemEntropy
    from kulla.tower.logs import set_up_logs

    if acts < 1 or rounds < 1 or at_once < 1 or citizens < 0 or journal < 0:
        raise click.UsageError("--acts, --rounds and --at-once are 1 or more.")
    set_up_logs("drill")
    signal.signal(signal.SIGTERM, _interrupted)
    console = Console(stderr=True)
    reports: list[WipeReport] = []
    faults = FAULTS[:-1] if fault == ALL else (fault or "",)
    several = rounds * len(faults) > 1
    for name, number in product(faults, range(seed, seed + rounds)):
        plan = WipePlan(
            seed=number,
            folder=folder or Path(tempfile.gettempdir()),
            acts=acts,
            citizens=citizens,
            keep=keep / f"{name and name + '-'}seed-{number}" if keep and several else keep,
            at_once=at_once,
            fault=name,
            journal=journal,
            standby=standby,
        )
        what = f"{name}, seed {number}" if name else f"seed {number}"
        with console.status(what) as status:

            def say(doing: str, what: str = what) -> None:
                status.update(f"{what}: {doing}")

            run = WipeDrill(plan, SystemClock(), SystemEntropy(), say).run()
        reports.append(run.report)
        for complaint in run.report.complaints[:COMPLAINTS_SHOWN_MAX]:
            console.print(f"{what}: {complaint}", style="red", soft_wrap=True)
        if json_path is not None:
            write_json(json_path, reports)
    Console().print(table_of(reports))
    if not all(report.passed for report in reports):
        raise SystemExit(1)


@drill.command("simulate")
@click.option("--seeds", default=1000, show_default=True, help="So many, from --seed on.")
@click.option("--seed", default=0, show_default=True, help="The first one.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what they came to to this file.",
)
@click.option(
    "--build",
    type=click.Choice(["no-fsync", "quorum-1", "answers-early", "no-sealing"]),
    help="Simulate a Kulla that is broken on purpose, to see that it is found.",
)
@click.option("--history", is_flag=True, help="Print the history of a single seed that held, too.")
def simulate(
    seeds: int, seed: int, json_path: Path | None, build: str | None, history: bool
) -> None:
    """Live through whole countries in this one process, each from a seed, with faults everywhere.

    No process is started and no socket opened. A seed that fails prints its history, and the same
    seed gives the same history again. Exit code 0: all held; 1: a seed failed.

    Example: kulla drill simulate --seeds 1000 --seed 0 --json simulation.json
    """
    from kulla.drill.simulation.run import run_seeds
    from kulla.drill.simulation.telling import Telling
    from kulla.kernel.edges import SystemClock

    if seeds < 1:
        raise click.UsageError("--seeds is 1 or more.")
    with Telling(seeds, build or "", Console(stderr=True), history=history) as telling:
        report = run_seeds(range(seed, seed + seeds), SystemClock(), build or "", telling.seed_done)
    if json_path is not None:
        json_path.write_text(json.dumps(report.as_map(), indent=1) + "\n", encoding="utf-8")
    Console().print(telling.table_of(report))
    if report.failed:
        raise SystemExit(1)


@drill.command("lying-embassy", hidden=True)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--kind", required=True, help="What it lies about.")
@click.option("--seed", default=1, help="Chooses among its lies.")
@click.option("--ready-fd", type=int, hidden=True)
def lying_embassy(folder: Path, kind: str, seed: int, ready_fd: int | None) -> None:
    """Run the embassy of FOLDER as a liar; a drill starts it.

    Example: kulla drill lying-embassy FOLDER --kind forgets
    """
    from kulla.drill.guard import MARKER
    from kulla.drill.liar import KINDS, serve_lies
    from kulla.tower.logs import set_up_logs
    from kulla.tower.minder import follow_parent, say_ready

    if kind not in KINDS or not (folder / MARKER).exists():
        raise click.UsageError(
            f"FOLDER is one that a drill made, --kind one of {', '.join(KINDS)}."
        )
    set_up_logs(f"embassy {folder.name}")
    if ready_fd is not None:
        follow_parent()
    serve_lies(folder, kind, seed, lambda url: say_ready(ready_fd, url))


def _interrupted(*_: object) -> NoReturn:
    """SIGTERM ends a drill as Ctrl-C does: with nothing left running."""
    raise KeyboardInterrupt
