"""`kulla bench`: measure this machine, and write down what was measured with how it was."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

JSON = click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write it here."
)
KEEP = click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep what was made in this folder instead of a temporary one.",
)


@click.group()
def bench() -> None:
    """Measure how fast this machine acknowledges acts, rebuilds, and serves pages.

    Example: kulla bench acts --seconds 10
    """


@bench.command("acts")
@click.option("--seconds", default=30.0, show_default=True, help="How long bookings are counted.")
@click.option("--connections", default=192, show_default=True, help="Browsers at once.")
@click.option("--people-per-s", default=2400, show_default=True, help="Citizens made for a second.")
@click.option(
    "--delay-ms", default=0, show_default=True, help="Round trip to the embassies, as `delayed`."
)
@JSON
@KEEP
def bench_acts(
    seconds: float,
    connections: int,
    people_per_s: int,
    delay_ms: int,
    json_path: Path | None,
    keep: Path | None,
) -> None:
    """Count bookings acknowledged by a whole tower over the browser's own pages.

    With --delay-ms a second tower is measured whose embassies are that far away (half of it each
    way), as the object `delayed`.

    Example: kulla bench acts --json acts.json
    """
    from kulla.bench.acts import ActsPlan, measure_acts
    from kulla.bench.machine import file_system, machine, versions

    before = machine()
    with _folder(keep) as folder:
        plan = ActsPlan(
            folder / "near", seconds=seconds, connections=connections, people_per_s=people_per_s
        )
        found = measure_acts(plan, _say)
        if delay_ms:
            far = replace(plan, folder=folder / "far", round_trip_ms=delay_ms)
            found["delayed"] = measure_acts(far, _say)
        found["machine"] = {**before, "file_system": file_system(folder)}
        found["versions"] = versions()
        _tell(found, json_path)


@bench.command("pages")
@click.option("--seconds", default=20.0, show_default=True, help="How long each kind is counted.")
@click.option("--connections", default=64, show_default=True, help="Browsers at once.")
@JSON
@KEEP
def bench_pages(
    seconds: float, connections: int, json_path: Path | None, keep: Path | None
) -> None:
    """Count pages that a whole tower serves to signed-in citizens; weigh every kind of page.

    Example: kulla bench pages --json pages.json
    """
    from kulla.bench.machine import file_system, machine, versions
    from kulla.bench.pages import PagesPlan, measure_pages

    before = machine()
    with _folder(keep) as folder:
        plan = PagesPlan(folder / "pages", seconds=seconds, connections=connections)
        found = measure_pages(plan, _say)
        found["machine"] = {**before, "file_system": file_system(folder)}
        found["versions"] = versions()
        _tell(found, json_path)


@bench.command("delay", hidden=True)
@click.argument("pairs", nargs=-1)
@click.option("--one-way-ms", type=float, required=True)
@click.option("--ready-fd", type=int)
def delay_command(pairs: tuple[str, ...], one_way_ms: float, ready_fd: int | None) -> None:
    """Forward each PORT:TARGET of loopback, every byte so much later."""
    from kulla.bench.delay import serve
    from kulla.tower.minder import follow_parent, say_ready

    follow_parent()
    ports = [
        (int(port), int(target)) for port, _, target in (pair.partition(":") for pair in pairs)
    ]
    serve(ports, one_way_ms / 1000, lambda: say_ready(ready_fd, "ready"))


@bench.command("rebuild")
@click.option("--acts", default=1_000_000, show_default=True, help="Acts in the made-up journal.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same journal.")
@JSON
@KEEP
def bench_rebuild(acts: int, seed: int, json_path: Path | None, keep: Path | None) -> None:
    """Time a rebuild from embassies' folders, with all verification; compare the registers.

    Example: kulla bench rebuild --acts 1000000 --json rebuild.json
    """
    from kulla.bench.machine import file_system, machine, versions
    from kulla.bench.rebuild import RebuildPlan, measure_rebuild

    before = machine()
    with _folder(keep) as folder:
        found = measure_rebuild(RebuildPlan(acts, folder, seed), _say)
        _tell(
            {
                **found,
                "machine": {**before, "file_system": file_system(folder)},
                "versions": versions(),
            },
            json_path,
        )


@bench.command("make-journal", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("acts", type=int)
@click.argument("seed", type=int)
def make_journal_command(folder: Path, acts: int, seed: int) -> None:
    """Make the journal of `kulla bench rebuild`, in a process of its own."""
    from kulla.bench.long_journal import make_journal

    make_journal(folder, acts, seed)


@bench.command("rebuild-once", hidden=True)
@click.argument("journal", type=click.Path(exists=True, path_type=Path))
@click.argument("home", type=click.Path(path_type=Path))
def rebuild_once_command(journal: Path, home: Path) -> None:
    """The timed part of `kulla bench rebuild`, in a process of its own."""
    from kulla.bench.rebuild import rebuild_once

    rebuild_once(journal, home)


@bench.command("allocate")
@click.option("--applicants", default=563_353, show_default=True, help="Children who apply.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same wishes.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with vacancies.csv and siblings.csv; else enrolment/chile-2020 in KULLA_DATA.",
)
@click.option(
    "--matching-limit-s", default=120.0, show_default=True, help="The most that the peer gets."
)
@JSON
@KEEP
def bench_allocate(
    applicants: int,
    seed: int,
    data: Path | None,
    matching_limit_s: float,
    json_path: Path | None,
    keep: Path | None,
) -> None:
    """Allocate a country's school places on one core; compare with the library `matching`.

    Example: kulla bench allocate --json allocate.json
    """
    from kulla.bench.allocate import AllocatePlan, measure_allocate
    from kulla.bench.machine import file_system, machine, versions

    before = machine()
    place = data or _chile()
    with _folder(keep) as folder:
        plan = AllocatePlan(place, folder, applicants, seed, matching_limit_s)
        found = measure_allocate(plan, _say)
        found["machine"] = {**before, "file_system": file_system(folder)}
        found["versions"] = versions()
        _tell(found, json_path)


def _chile() -> Path:
    return Path(os.environ.get("KULLA_DATA", "../shared/data")) / "enrolment" / "chile-2020"


@bench.command("allocate-once", hidden=True)
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def allocate_once_command(folder: Path) -> None:
    """The timed part of `kulla bench allocate`, in a process of its own."""
    from kulla.bench.allocate import allocate_once

    allocate_once(folder)


@bench.command("matching-once", hidden=True)
def matching_once_command() -> None:
    """What the library `matching` makes of a market on standard input, as JSON."""
    from kulla.bench.allocate import matched_by_peer

    click.echo(matched_by_peer(sys.stdin.read()))


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="kulla-bench-") as made:
        yield Path(made)


def _say(what: str) -> None:
    click.echo(what, err=True)


def _tell(found: dict[str, Any], json_path: Path | None) -> None:
    text = json.dumps(found, indent=2, ensure_ascii=False)
    if json_path is not None:
        json_path.write_text(text + "\n", encoding="utf-8")
    click.echo(text)


INTO = click.option(
    "--into",
    default=Path("docs/BENCHMARKS.md"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page whose generated part is written anew.",
)
MEASURED = click.Path(exists=True, dir_okay=False, path_type=Path)


@bench.command("all")
@INTO
@click.option("--seconds", default=30.0, show_default=True, help="How long bookings are counted.")
@click.option("--acts", default=1_000_000, show_default=True, help="Acts in the made-up journal.")
@click.pass_context
def bench_all(context: click.Context, into: Path, seconds: float, acts: int) -> None:
    """Measure acts, rebuild and pages, and write the figures with the commands that made them.

    Where Chile's supply is (KULLA_DATA), the allocation of its school places too.

    Example: kulla bench all
    """
    with tempfile.TemporaryDirectory(prefix="kulla-bench-") as made:
        files = {name: Path(made) / f"{name}.json" for name in ("acts", "rebuild", "pages")}
        context.invoke(bench_acts, seconds=seconds, delay_ms=40, json_path=files["acts"])
        context.invoke(bench_rebuild, acts=acts, json_path=files["rebuild"])
        context.invoke(bench_pages, json_path=files["pages"])
        if (_chile() / "vacancies.csv").is_file():
            files["allocate"] = Path(made) / "allocate.json"
            context.invoke(bench_allocate, json_path=files["allocate"])
        context.invoke(bench_write, into=into, **files)


@bench.command("write")
@click.option("--acts", type=MEASURED, help="What `kulla bench acts` wrote.")
@click.option("--rebuild", type=MEASURED, help="What `kulla bench rebuild` wrote.")
@click.option("--pages", type=MEASURED, help="What `kulla bench pages` wrote.")
@click.option("--allocate", type=MEASURED, help="What `kulla bench allocate` wrote.")
@INTO
def bench_write(
    acts: Path | None,
    rebuild: Path | None,
    pages: Path | None,
    allocate: Path | None,
    into: Path,
) -> None:
    """Write figures that were measured one by one, each when the machine was idle.

    What is not named stays as the page has it.

    Example: kulla bench write --acts acts.json --rebuild rebuild.json --pages pages.json
    """
    from kulla.bench.page import write_page

    files = {"acts": acts, "rebuild": rebuild, "pages": pages, "allocate": allocate}
    found = {name: path.read_text("utf-8") for name, path in files.items() if path is not None}
    write_page(into, {name: json.loads(text) for name, text in found.items()})
    click.echo(f"Wrote {into}.", err=True)


@bench.command("watch")
@click.option("--events", default=600_000, show_default=True, help="Process creations to make.")
@click.option(
    "--attack-share",
    default=0.01,
    show_default=True,
    help="Share of events that take values of a recorded attack; 0 counts false alarms.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="KULLA_DATA",
    default="../shared/data",
    help="A folder with SigmaHQ's rules in `sigma` and EVTX files in `evtx`; or KULLA_DATA.",
)
@JSON
@KEEP
def bench_watch(
    events: int, attack_share: float, data: Path, json_path: Path | None, keep: Path | None
) -> None:
    """Ask all Sigma rules of made Windows events as JSON, and of EVTX files, on one core.

    Example: kulla bench watch --json watch.json
    """
    from kulla.bench.machine import machine, versions
    from kulla.bench.watch import Plan, measure_watch

    before = machine()
    with _folder(keep) as folder:
        found = measure_watch(Plan(folder, data, events, attack_share, folder / "cache"), _say)
    found["machine"] = before
    found["versions"] = {**versions(), **found["versions"]}
    _tell(found, json_path)
