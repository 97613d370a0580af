"""`kulla watch`: rules over logs, for any responder; it needs no tower."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kulla.cli.watch_live import watch_run, watch_status
from kulla.cli.watch_options import (
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
    from kulla.watch.findings import Account, Sink
    from kulla.watch.sigma.load import RuleSet
    from kulla.watch.sigma.rule import Unfit

NEEDED = ("chdb", "evtx", "sigma", "numpy", "pyarrow")


@click.group()
def watch() -> None:
    """Ask Sigma rules of logs: Windows, Linux, web servers, networks, the cloud, Kulla itself.

    Example: kulla watch scan logs/ --html report.html
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise KullaError(
            f"the watch needs {', '.join(missing)}, which is not installed.",
            place="kulla watch",
            remedy="Install Kulla with its extra: pip install 'kulla[watch]'.",
        )


@watch.command("scan")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@RULES
@PIPELINE
@NO_CACHE
@click.option("--only", is_flag=True, help="Only the rules of --rules, not Kulla's own and added.")
@click.option("--min-level", type=LEVEL, help="Leave out rules below this level.")
@MAPPINGS
@click.option("--json", "json_path", type=NEW_FILE, help="All detections and the account, as JSON.")
@click.option("--csv", "csv_path", type=NEW_FILE, help="One row a detection.")
@click.option("--ocsf", "ocsf_path", type=NEW_FILE, help="OCSF Detection Findings, one a line.")
@click.option("--html", "html_path", type=NEW_FILE, help="A report with a timeline, one file.")
@click.option("--threads", default=0, help="Cores to use; 0 for all that there are.")
@click.option("--fail-on", type=LEVEL, help="Exit with 3 where something of this level is found.")
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
def watch_scan(paths: tuple[Path, ...], **options: Any) -> None:
    """Ask all rules of all logs under PATHS: files, folders, archives, - for standard input.

    What a log is, its content says. A record that can't be read is counted and listed, and the
    rest goes on. Exit code 0; 3 with --fail-on; 1 where nothing could be read.

    Example: kulla watch scan /var/log evidence.zip --rules sigma/ --html report.html
    """
    from kulla.watch.outputs.table import lines

    rules = rules_here(options)
    with ExitStack() as stack:
        sinks = _sinks(stack, options)
        account = _scanned(paths, rules, sinks, options)
    for line in lines(account):
        click.echo(line)
    if not account.events and account.rejected:
        raise KullaError(
            "nothing could be read.",
            place=account.rejects[0].file,
            remedy="The lines above say why; --json lists all of it.",
        )
    if options["fail_on"] and _reaches(account, options["fail_on"]):
        sys.exit(3)


def _scanned(
    paths: tuple[Path, ...], rules: RuleSet, sinks: list[Sink], options: dict[str, Any]
) -> Account:
    from kulla.watch.engine import Engine
    from kulla.watch.reach import unreached
    from kulla.watch.scan import Scan
    from kulla.watch.sources.reading import read_all
    from kulla.watch.store import Store

    threads = options.get("threads") or len(os.sched_getaffinity(0))
    with Store(threads=threads) as store:
        engine = Engine(store, rules.rules)
        scan = Scan(engine, rules, sinks, SystemClock(), _progress(options.get("quiet", True)))
        readers = readers_here(options.get("mappings"))
        scan.account.own_only = own_only_here(rules)
        scan.account.unreached = unreached(rules, readers.mappings)
        return scan.run(read_all(paths, readers, standard_input=sys.stdin.buffer))


def _reaches(account: Account, level: str) -> bool:
    from kulla.watch.findings import grade

    return any(grade(one.rule.level) >= grade(level) for one in account.tallies.values())


def _sinks(stack: ExitStack, options: dict[str, Any]) -> list[Sink]:
    from kulla.watch.outputs.ocsf import OcsfFile
    from kulla.watch.outputs.page import PageFile
    from kulla.watch.outputs.plain import CsvFile, JsonFile

    kinds: list[tuple[str, Callable[[Any], Sink]]] = [
        ("json_path", JsonFile),
        ("csv_path", CsvFile),
        ("ocsf_path", lambda stream: OcsfFile(stream, SystemClock())),
        ("html_path", PageFile),
    ]
    return [
        kind(stack.enter_context(_written(options[name])))
        for name, kind in kinds
        if options.get(name) is not None
    ]


@contextmanager
def _written(path: Path) -> Iterator[Any]:
    """A file that is written beside and put in place when it is whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", errors="replace", newline="") as stream:
            yield stream
        beside.replace(path)
    except OSError as error:
        raise KullaError("it can't be written.", place=str(path), remedy=str(error)) from error
    finally:
        beside.unlink(missing_ok=True)


def _progress(quiet: bool) -> Callable[[Account], None]:
    if quiet:
        return lambda _: None
    # On a terminal one line is written over; in a log each report is a line of its own.
    end = "\r" if sys.stderr.isatty() else "\n"

    def tell(account: Account) -> None:
        rate = account.events / account.seconds if account.seconds else 0
        click.echo(
            f"{account.events:,} events, {account.bytes / 1e6:,.0f} MB,"
            f" {rate:,.0f} a second, {account.detections:,} detections{end}",
            err=True,
            nl=False,
        )

    return tell


watch.add_command(watch_run)
watch.add_command(watch_status)


@watch.group("rules")
def watch_rules() -> None:
    """Add rules, list them with what does not run and why, and try them on regression data.

    Example: kulla watch rules add sigma.zip
    """


@watch_rules.command("add")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", default="", help="What to call it; adding it again replaces it.")
@PIPELINE
def rules_add(path: Path, name: str, pipeline: Path | None) -> None:
    """Copy the Sigma rules of PATH (folder, file or zip) to where every scan takes them from.

    Nothing is added where not one rule of it runs. The folder is KULLA_WATCH_RULES.

    Example: kulla watch rules add sigma/ --name sigmahq
    """
    from kulla.watch.collection import load, rules_folder
    from kulla.watch.sigma.load import rule_files

    files = list(rule_files([path]))
    loaded = load(files, pipeline, None)
    if not loaded.rules:
        first = loaded.unfit[0].reason if loaded.unfit else "there is no YAML file"
        raise KullaError("none of its rules runs.", place=str(path), remedy=first)
    folder = rules_folder(os.environ) / _safe(name or path.stem)
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for number, (file, data) in enumerate(files):
        target = fresh / f"{number:05}-{Path(file).name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)
    click.echo(
        f"{len(loaded.rules):,} rules and {len(loaded.correlations):,} correlations in {folder}"
    )
    _tell_unfit(loaded.unfit)


def _safe(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return kept.strip("-") or "rules"


def _tell_unfit(unfit: list[Unfit], what: str = "do not run") -> None:
    if unfit:
        click.echo(f"{len(unfit):,} {what}:")
    for one in unfit:
        click.echo(f"  {one.title} ({one.file}): {one.reason}")


_UNREACHED = "run, but for events that nothing read here gives"


def _unreached(loaded: RuleSet, options: dict[str, Any]) -> list[Unfit]:
    from kulla.watch.reach import unreached

    return unreached(loaded, readers_here(options.get("mappings")).mappings)


@watch_rules.command("list")
@RULES
@PIPELINE
@NO_CACHE
@MAPPINGS
@click.option("--only", is_flag=True, help="Only the rules of --rules.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, every rule by itself.")
def rules_list(as_json: bool, **options: Any) -> None:
    """List how many rules there are for each log source, and each rule that can find nothing.

    That is: those that do not run, and those for events that no source or mapping here gives.

    Example: kulla watch rules list --rules sigma/
    """
    loaded = rules_here(options)
    if as_json:
        plain = _listed(loaded, _unreached(loaded, options))
        click.echo(json.dumps(plain, ensure_ascii=False, indent=1))
        return
    counts = Counter(
        "/".join((one.product or "any", one.category or "-", one.service or "-"))
        for one in loaded.rules
    )
    for source, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"{count:7,}  {source}")
    click.echo(f"{len(loaded.rules):7,}  rules, {len(loaded.correlations):,} correlations")
    _tell_unfit(loaded.unfit)
    _tell_unfit(_unreached(loaded, options), _UNREACHED)
    if loaded.notes:
        click.echo(f"{len(loaded.notes):,} notes on rules that run (--json has them)")


def _listed(loaded: RuleSet, unreached: list[Unfit]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "rules": [
            {
                "id": one.id, "title": one.title, "level": one.level, "file": one.file,
                "product": one.product, "category": one.category, "service": one.service,
            }
            for one in loaded.rules
        ],
        "correlations": [
            {"id": one.id, "title": one.title, "level": one.level, "file": one.file}
            for one in loaded.correlations
        ],
        "unfit": [asdict(one) for one in loaded.unfit],
        "unreached": [asdict(one) for one in unreached],
        "notes": [asdict(one) for one in loaded.notes],
    }  # fmt: skip


@watch_rules.command("test")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@PIPELINE
@NO_CACHE
@click.option("--json", "json_path", type=NEW_FILE, help="Each case and each rule that is unfit.")
def rules_test(path: Path, json_path: Path | None, **options: Any) -> None:
    """Load the rules below PATH, and try them on the regression data beside them.

    A case is a log that its rule must match, as often as is stated or more. Exit code 1 where one
    fails.

    Example: kulla watch rules test sigma/
    """
    from kulla.watch.regression import Counts, cases_in, outcomes

    options = {**options, "rule_paths": (path,), "only": True}
    loaded = rules_here(options)
    total = len(loaded.rules) + len(loaded.correlations) + len(loaded.unfit)
    click.echo(f"{total:,} rules: {total - len(loaded.unfit):,} run.")
    _tell_unfit(loaded.unfit)
    deaf = _unreached(loaded, options)
    _tell_unfit(deaf, _UNREACHED)
    cases, counts = cases_in(path), Counts()
    account = _scanned(tuple(one.file for one in cases), loaded, [counts], options)
    found = outcomes(cases, counts)
    failed = [one for one in found if not one.passed]
    for one in failed:
        click.echo(
            f"FAILED {one.case.name}: {one.found} matched, {one.case.count or 1} must"
            f" ({one.case.file})"
        )
    for one in found:
        if one.more:
            click.echo(f"{one.case.name}: {one.found} matched, {one.case.count} is stated")
    stated = sum(1 for one in found if one.case.count is not None)
    rules = {one.case.rule_id for one in found}
    right = rules - {one.case.rule_id for one in failed}
    click.echo(
        f"{len(right)} of {len(rules)} rules pass their regression tests:"
        f" {len(found) - len(failed)} of {len(found)} logs, {stated} of them with a stated count;"
        f" {account.events:,} events, {account.rejected} not read."
    )
    if json_path:
        json_path.write_text(json.dumps(_tested(loaded, deaf, found), indent=1), "utf-8")
    if failed:
        sys.exit(1)


def _tested(loaded: RuleSet, deaf: list[Unfit], found: list[Any]) -> dict[str, Any]:
    listed = _listed(loaded, deaf)
    return {
        "rules": len(loaded.rules),
        "correlations": len(loaded.correlations),
        "unfit": listed["unfit"],
        "unreached": listed["unreached"],
        "cases": [
            {
                "rule_id": one.case.rule_id, "name": one.case.name, "file": str(one.case.file),
                "must": one.case.count, "found": one.found, "passed": one.passed,
            }
            for one in found
        ],
    }  # fmt: skip
