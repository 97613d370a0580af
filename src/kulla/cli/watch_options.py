"""What several commands of `kulla watch` share: options, rules, readers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kulla.kernel.errors import KullaError

if TYPE_CHECKING:
    from kulla.watch.sigma.load import RuleSet
    from kulla.watch.sources.recognise import Readers

ANY_PATH = click.Path(path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LEVEL = click.Choice(["informational", "low", "medium", "high", "critical"])
RULES = click.option(
    "--rules",
    "rule_paths",
    multiple=True,
    type=ANY_PATH,
    help="Sigma rules beside those that were added: a folder, file or zip. May be repeated.",
)
PIPELINE = click.option(
    "--pipeline", type=FILE, help="A pySigma pipeline: fills placeholders, renames fields."
)
MAPPINGS = click.option(
    "--mappings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of TOML files that say which fields of other JSON logs mean what.",
)
NO_CACHE = click.option("--no-cache", is_flag=True, help="Compile all rules anew.")


def own_only_here(rules: RuleSet) -> bool:
    """Whether nothing but Kulla's own pack is there."""
    from kulla.watch.collection import OWN

    return all(rule.file.startswith(f"{OWN}/") for rule in rules.rules)


def readers_here(mappings: Path | None) -> Readers:
    """How each kind of log is read; mappings: a folder of the operator's own."""
    from kulla.watch.sources.mapping import mappings_in, own_mappings
    from kulla.watch.sources.recognise import EVTX, WINDOWS_JSON, Readers
    from kulla.watch.sources.windows import read_evtx, read_json

    known = [*(mappings_in(mappings) if mappings else ()), *own_mappings()]
    return Readers({EVTX: read_evtx, WINDOWS_JSON: read_json}, known)


def rules_here(options: dict[str, Any]) -> RuleSet:
    """The rules that the options of a command ask for. Raises KullaError where there is none."""
    from dataclasses import replace

    from kulla.watch.collection import cache_folder, gathered, load, rules_folder
    from kulla.watch.findings import grade

    only = options.get("only", False)
    folder = None if only else rules_folder(os.environ)
    files = gathered(options["rule_paths"], folder, own=not only)
    cache = None if options["no_cache"] else cache_folder(os.environ)
    loaded = load(files, options["pipeline"], cache)
    if not loaded.rules:
        raise KullaError(
            f"no rule could be loaded; {len(loaded.unfit)} could not.",
            place="kulla watch",
            remedy="kulla watch rules list says why.",
        )
    level = options.get("min_level")
    if not level:
        return loaded
    # A rule below the level still runs where a correlation speaks of it.
    rules = [
        one if grade(one.level) >= grade(level) else replace(one, quiet=True)
        for one in loaded.rules
    ]
    spoken_of = {name for one in loaded.correlations for name in one.rules}
    loaded.rules = [one for one in rules if not one.quiet or {one.id, one.name} & spoken_of]
    loaded.correlations = [
        one if grade(one.level) >= grade(level) else replace(one, quiet=True)
        for one in loaded.correlations
    ]
    return loaded
