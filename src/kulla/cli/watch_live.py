"""`kulla watch run` and `kulla watch status`: the watch that goes on."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kulla.cli.watch_options import (
    ANY_PATH,
    LEVEL,
    MAPPINGS,
    NEW_FILE,
    NO_CACHE,
    PIPELINE,
    RULES,
    own_only_here,
    readers_here,
    rules_here,
)
from kulla.kernel.edges import SystemClock
from kulla.kernel.errors import KullaError

if TYPE_CHECKING:
    from kulla.watch.live.events import Events
    from kulla.watch.sigma.load import RuleSet
    from kulla.watch.sources.recognise import Readers
    from kulla.watch.store import Store


@click.command("run")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("paths", nargs=-1, type=ANY_PATH)
@RULES
@PIPELINE
@NO_CACHE
@click.option("--only", is_flag=True, help="Only the rules of --rules, not Kulla's own and added.")
@click.option("--min-level", type=LEVEL, help="Leave out rules below this level.")
@MAPPINGS
@click.option("--journal", is_flag=True, help="Follow the systemd journal too, by journalctl.")
@click.option(
    "--json", "json_path", type=NEW_FILE, help="Where detections go; FOLDER/detections.jsonl."
)
@click.option("--every", default=2.0, help="Seconds that events may wait for their round.")
@click.option("--keep-hours", type=click.IntRange(1), help="Keep events for so long.")
@click.option("--keep-mib", type=click.IntRange(1), help="Keep events up to so much on the disk.")
@click.option("--once", is_flag=True, help="Read what is there, and end.")
@click.option("--threads", default=1, help="Cores that rules may use; 0 for all that there are.")
@click.option("--quiet", is_flag=True, help="No detections on standard output.")
def watch_run(folder: Path, paths: tuple[Path, ...], **options: Any) -> None:
    """Follow the logs PATHS (files, and folders with all in them), and tell what rules find.

    FOLDER holds what the watch must know after a restart, also after kill -9: where each log was
    read to, what correlations are about. Detections come as lines of JSON, each exactly once.

    Example: kulla watch run /var/lib/kulla-watch /var/log/nginx /srv/kulla/logs --journal
    """
    if not paths and not options["journal"]:
        raise KullaError(
            "nothing is named that it could follow.",
            place="kulla watch run",
            remedy="Name logs or folders of logs behind FOLDER, or --journal.",
        )
    rules = rules_here(options)
    readers = readers_here(options["mappings"])
    _tell_rules(rules, readers)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    _run(folder, paths, rules, readers, stop, options)


def _run(
    folder: Path,
    paths: tuple[Path, ...],
    rules: RuleSet,
    readers: Readers,
    stop: threading.Event,
    options: dict[str, Any],
) -> None:
    from kulla.watch.engine import Engine
    from kulla.watch.live.events import folder_of
    from kulla.watch.live.keeping import Keeping
    from kulla.watch.live.lines_out import LinesOut
    from kulla.watch.live.run import Live, Plan
    from kulla.watch.live.status import locked
    from kulla.watch.store import Store

    plan = Plan([one.absolute() for one in paths], options["journal"], options["every"],
                options["once"])  # fmt: skip
    threads = options["threads"] or len(os.sched_getaffinity(0))
    keeps = options["keep_hours"] or options["keep_mib"]
    with ExitStack() as stack:
        stack.callback(os.close, locked(folder))
        keeping = stack.enter_context(closing(Keeping(folder)))
        known = keeping.known()
        path = options["json_path"] or folder / "detections.jsonl"
        say = (lambda _: None) if options["quiet"] else _say
        out = stack.enter_context(
            closing(LinesOut(path.absolute(), known.get("detections", {}), say))
        )
        store = stack.enter_context(Store(folder_of(folder) if keeps else None, threads))
        events = _events(store, options, known.get("round", 0)) if keeps else None
        live = Live(plan, Engine(store, rules.rules), rules, readers, SystemClock(), keeping, out,
                    events)  # fmt: skip
        live.run(stop, lambda _: None)


def _events(store: Store, options: dict[str, Any], round_kept: int) -> Events:
    from kulla.watch.live.events import Events, Retention

    return Events(store, Retention(options["keep_hours"], options["keep_mib"]), round_kept)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


def _tell_rules(rules: RuleSet, readers: Readers) -> None:
    from kulla.watch.reach import unreached

    deaf = len(unreached(rules, readers.mappings))
    click.echo(
        f"{len(rules.rules):,} rules and {len(rules.correlations):,} correlations run;"
        f" {len(rules.unfit):,} could not, {deaf:,} are for events that nothing read here gives:"
        " kulla watch rules list names them.",
        err=True,
    )
    if own_only_here(rules):
        click.echo(
            "ONLY KULLA'S OWN PACK RUNS; add SigmaHQ's rules: kulla watch rules add PATH", err=True
        )


@click.command("status")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, for a program to read.")
def watch_status(folder: Path, as_json: bool) -> None:
    """Say of the watch with this FOLDER whether it runs, what it found, how far it is behind.

    Behind is what was written to a log and was not asked of the rules yet. Exit code 0; 1 where
    no watch was ever started here.

    Example: kulla watch status /var/lib/kulla-watch --json
    """
    from kulla.watch.live.status import lines, status_of

    status = status_of(folder, SystemClock().now_ms())
    if as_json:
        click.echo(json.dumps(status, ensure_ascii=False, indent=1))
        return
    for line in lines(status):
        click.echo(line)
