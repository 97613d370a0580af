"""Which rules there are on this machine: Kulla's own pack, what was added, what a command names."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from kulla.watch.errors import WatchFailed
from kulla.watch.rules import own_rules
from kulla.watch.sigma.link import Correlation
from kulla.watch.sigma.load import RuleSet, load_rules, rule_files
from kulla.watch.sigma.rule import Unfit, rule_as_plain, rule_from_plain

OWN: Final = "kulla's own"
_FORMAT: Final = "kulla-watch-rules-2"
_PACKAGES: Final = (
    "kulla", "pysigma", "pysigma-pipeline-windows", "pysigma-pipeline-sysmon",
)  # fmt: skip


def rules_folder(environment: Mapping[str, str]) -> Path:
    """Where added rules lie: KULLA_WATCH_RULES, else below the user's data folder."""
    set_to = environment.get("KULLA_WATCH_RULES")
    if set_to:
        return Path(set_to)
    data = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "kulla" / "watch-rules"


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where compiled rules are kept; may be removed at any time."""
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "kulla" / "watch"


def gathered(
    named: Sequence[Path], folder: Path | None, *, own: bool = True
) -> list[tuple[str, bytes]]:
    """Name and bytes of every rule file: our own pack, what was added, what is named.

    A file that is there twice, byte for byte, counts once. Raises WatchFailed where a named path
    is not there.
    """
    files: list[tuple[str, bytes]] = []
    if own:
        files += [(f"{OWN}/{name}", text.encode()) for name, text in own_rules().items()]
    if folder is not None and folder.is_dir():
        files += rule_files([folder])
    files += rule_files(named)
    seen: set[bytes] = set()
    once = []
    for name, data in files:
        if data not in seen:
            seen.add(data)
            once.append((name, data))
    return once


def load(
    files: Sequence[tuple[str, bytes]], pipeline_file: Path | None, cache: Path | None
) -> RuleSet:
    """Load rules, by what was kept of the same bytes where `cache` has it.

    pipeline_file: a pySigma pipeline, which fills placeholders or renames fields. Raises
    WatchFailed where it is none.
    """
    text = _pipeline_text(pipeline_file)
    kept = cache / f"{_key(files, text)}.json" if cache is not None else None
    if kept is not None and (known := _kept(kept)) is not None:
        return known
    loaded = load_rules(files, _pipeline(text, pipeline_file))
    if kept is not None:
        _keep(kept, loaded)
    return loaded


def _pipeline_text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WatchFailed(
            "The pipeline can't be read.", place=str(path), remedy=str(error)
        ) from error


def _pipeline(text: str, path: Path | None) -> Any:
    if not text:
        return None
    import yaml
    from sigma.exceptions import SigmaError
    from sigma.processing.pipeline import ProcessingPipeline

    try:
        return ProcessingPipeline.from_yaml(text)
    except (SigmaError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise WatchFailed(
            f"It is not a pySigma pipeline: {' '.join(str(error).split())}",
            place=str(path),
            remedy="docs/watch.md shows one that fills placeholders.",
        ) from error


def _key(files: Sequence[tuple[str, bytes]], pipeline: str) -> str:
    """A hash of all that the compiled rules depend on: their bytes, and who compiled them."""
    made = hashlib.sha256()
    for name in (_FORMAT, *(f"{name} {metadata.version(name)}" for name in _PACKAGES), pipeline):
        made.update(name.encode() + b"\0")
    for name, data in files:
        made.update(f"{name}\0{len(data)}\0".encode() + data)
    for source in sorted((Path(__file__).parent / "sigma").glob("*.py")):
        made.update(source.read_bytes())
    return made.hexdigest()[:40]


def _keep(path: Path, loaded: RuleSet) -> None:
    """Write it beside, then put it in place; who can't write simply does without."""
    plain = {
        "rules": [rule_as_plain(rule) for rule in loaded.rules],
        "correlations": [_correlation_as_plain(one) for one in loaded.correlations],
        "unfit": [asdict(one) for one in loaded.unfit],
        "notes": [asdict(one) for one in loaded.notes],
    }
    beside = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(plain, ensure_ascii=False), "utf-8")
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)


def _kept(path: Path) -> RuleSet | None:
    """What was kept; None where there is nothing, or nothing whole."""
    try:
        plain = json.loads(path.read_text("utf-8"))
        return RuleSet(
            [rule_from_plain(one) for one in plain["rules"]],
            [_correlation_from_plain(one) for one in plain["correlations"]],
            [Unfit(**one) for one in plain["unfit"]],
            [Unfit(**one) for one in plain["notes"]],
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _correlation_as_plain(one: Correlation) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in Correlation.__slots__}
    return {**plain, "limits": [[name, str(limit)] for name, limit in one.limits]}


def _correlation_from_plain(plain: dict[str, Any]) -> Correlation:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
    }
    values["limits"] = tuple((name, Fraction(limit)) for name, limit in plain["limits"])
    return Correlation(**values)
