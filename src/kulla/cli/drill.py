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
    "--round",
    "children",
    default=0,
    help="A round of enrolment of so many children instead: home dies while it posts the results.",
)
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
    children: int,
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
    if children:
        _wipe_in_a_round(range(seed, seed + rounds), children, folder, json_path, console)
        return
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


def _wipe_in_a_round(
    seeds: range, children: int, folder: Path | None, json_path: Path | None, console: Console
) -> None:
    """The drills of `--round`, one for each seed; exit code 1 where one did not pass."""
    from kulla.drill.school_round.report import table_of
    from kulla.drill.school_round.run import RoundDrill, RoundPlan
    from kulla.kernel.edges import SystemClock, SystemEntropy

    reports = []
    for seed in seeds:
        plan = RoundPlan(seed, folder or Path(tempfile.gettempdir()), children)
        with console.status(f"seed {seed}") as status:
            report = RoundDrill(plan, SystemClock(), SystemEntropy(), status.update).run()
        reports.append(report)
        for complaint in report.complaints:
            console.print(f"seed {seed}: {complaint}", style="red", soft_wrap=True)
    if json_path is not None:
        found = [report.as_map() for report in reports]
        text = json.dumps(found if len(found) > 1 else found[0], indent=1)
        json_path.write_text(text + "\n", encoding="utf-8")
    Console().print(table_of(reports))
    if not all(report.passed for report in reports):
        raise SystemExit(1)


@drill.command("undo")
@click.option("--seed", default=1, show_default=True, help="The same seed, the same story.")
@click.option("--acts", default=10_000, show_default=True, help="Of the country, in all.")
@click.option("--intruders", default=300, show_default=True, help="Of those, the intruder's.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the score to this file.",
)
def undo(seed: int, acts: int, intruders: int, json_path: Path | None) -> None:
    """Undo three weeks of an intruder's acts among a country's, and compare all registers.

    In this one process: the real scribe, journal, embassies, plan, signatures and rebuild. Exit
    code 0: the registers equal a replay of the remaining acts save for the listed cases, and a
    rebuild from the embassies gives the same; 1: they do not.

    Example: kulla drill undo --seed 1 --json undo.json
    """
    from rich.table import Table

    from kulla.drill.undo.run import UndoDrill, UndoDrillPlan
    from kulla.kernel.edges import SystemClock

    if not 0 < intruders < acts // 4:
        raise click.UsageError("--intruders is 1 or more, and less than a quarter of --acts.")
    with Console(stderr=True).status("undo") as status:
        plan = UndoDrillPlan(seed, acts, intruders)
        report = UndoDrill(plan, SystemClock(), status.update).run()
    if json_path is not None:
        json_path.write_text(json.dumps(report.as_map(), indent=1) + "\n", encoding="utf-8")
    table = Table("what", "found", title="Undo drill")
    for name, value in report.as_map().items():
        table.add_row(name, str(value))
    Console().print(table)
    if not report.passed:
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
    help="Simulate a Kulla that is broken on purpose, to see that it is found; 'list' names them.",
)
@click.option("--jobs", default=0, help="So many processes (default: one for each core).")
@click.option("--history", is_flag=True, help="Print the history of a single seed that held, too.")
def simulate(
    seeds: int, seed: int, json_path: Path | None, build: str | None, jobs: int, history: bool
) -> None:
    """Live through whole countries, each in one process and from one seed, with faults everywhere.

    No socket is opened and nothing is written but --json. A seed that fails prints its history, and
    the same seed gives the same history again, whatever --jobs is. Exit code 0: all held; 1: a seed
    failed.

    Example: kulla drill simulate --seeds 1000 --seed 0 --json simulation.json
    """
    from kulla.drill.simulation.plot import BUILDS
    from kulla.drill.simulation.run import cores, run_seeds
    from kulla.drill.simulation.telling import Telling
    from kulla.kernel.edges import SystemClock

    if seeds < 1 or jobs < 0:
        raise click.UsageError("--seeds is 1 or more, --jobs is 1 or more.")
    if json_path is not None and not json_path.parent.is_dir():
        raise click.UsageError(f"--json: there is no folder {json_path.parent}.")
    if build is not None and build not in BUILDS:
        named = ", ".join(name for name in BUILDS if name)
        raise click.UsageError(f"The builds that are broken on purpose: {named}.")
    signal.signal(signal.SIGTERM, _interrupted)
    jobs = 1 if seeds == 1 else min(jobs or cores(), seeds)
    with Telling(seeds, build or "", Console(stderr=True), history=history) as telling:
        report = run_seeds(
            range(seed, seed + seeds), SystemClock(), build or "", telling.seed_done, jobs=jobs
        )
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
