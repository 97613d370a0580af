"""Rule files in: pySigma parses them, its pipelines lead them to Windows' channels, we keep trees.

Nothing is dropped in silence: what can't be read, or can't run, comes back as `Unfit`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.pipelines.sysmon.sysmon import sysmon_pipeline
from sigma.pipelines.windows.windows import windows_audit_pipeline, windows_logsource_pipeline
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaLogSource, SigmaRule, SigmaRuleBase

from kulla.watch.errors import RuleUnfit, WatchFailed
from kulla.watch.sigma.channels import on_channel
from kulla.watch.sigma.check import check
from kulla.watch.sigma.link import Correlation, correlation_of, link
from kulla.watch.sigma.measure import check_expression
from kulla.watch.sigma.routes import reaches_channel
from kulla.watch.sigma.rule import Rule, Unfit, Variant
from kulla.watch.sigma.translate import tree_of
from kulla.watch.sigma.tree import Either, Node

_AUDITED: Final = {"process_creation", "registry_event", "registry_set", "registry_add"}
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_RULES: Final = {"regression_data", "tests", ".git", ".github", "deprecated", "unsupported"}


@dataclass(slots=True)
class RuleSet:
    """All that was read: rules that run, correlations of them, and what does not run and why."""

    rules: list[Rule] = field(default_factory=list)
    correlations: list[Correlation] = field(default_factory=list)
    unfit: list[Unfit] = field(default_factory=list)
    notes: list[Unfit] = field(default_factory=list)


def rule_files(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Every YAML file below the paths (folders, files, zip archives), by name, with its bytes.

    Folders of regression data, and SigmaHQ's deprecated and unsupported rules, are left out.
    Raises WatchFailed where a path is not there.
    """
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                inner = set(file.relative_to(path).parts)
                if file.suffix in {".yml", ".yaml"} and not inner & _NOT_RULES:
                    yield str(file), file.read_bytes()
        elif path.suffix == ".zip" and path.is_file():
            yield from _zipped(path)
        elif path.is_file():
            yield str(path), path.read_bytes()
        else:
            raise WatchFailed(
                "There are no rules here.",
                place=str(path),
                remedy="Name a folder, a YAML file or a zip archive of Sigma rules.",
            )


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            inner = set(name.split("/"))
            if name.endswith((".yml", ".yaml")) and not inner & _NOT_RULES:
                yield f"{path}/{name}", archive.read(name)


def load_rules(
    files: Iterable[tuple[str, bytes]], pipeline: ProcessingPipeline | None = None
) -> RuleSet:
    """Read rules, correlations and filters. files: name and bytes of each; pipeline: of the user.

    Filters are put into the rules that they name. Rules that can't run are in `unfit`.
    """
    loaded = RuleSet()
    read = [(name, data, _parsed(name, data, loaded)) for name, data in files]
    filters = [one for _, _, parsed in read if parsed for one in parsed.filters]
    for name, data, parsed in read:
        if parsed is None:
            continue
        again = _Again(name, data)
        for position, rule in enumerate(parsed.rules):
            if rule.errors:
                loaded.unfit.append(_unfit(name, rule, str(rule.errors[0])))
            elif isinstance(rule, SigmaRule):
                _take(loaded, name, (rule, again, position), filters, pipeline)
        for wrong in parsed.filters:
            if wrong.errors:
                loaded.unfit.append(_unfit(name, wrong, str(wrong.errors[0])))
    _same_ids(loaded)
    found = link(loaded.rules, loaded.correlations, loaded.unfit)
    loaded.rules, loaded.correlations = found[0], found[1]
    loaded.unfit += found[2]
    return loaded


def _parsed(name: str, data: bytes, loaded: RuleSet) -> SigmaCollection | None:
    try:
        for document in _documents(data):
            if "correlation" in document:
                _take_correlation(loaded, name, document)
        return _collection(data)
    except (yaml.YAMLError, SigmaError, AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        loaded.unfit.append(Unfit("", Path(name).name, name, f"Can't be read: {reason}"))
        return None


def _documents(data: bytes) -> list[dict[str, Any]]:
    # Both loaders are the safe ones; which is there depends on how PyYAML was built.
    documents = [one for one in yaml.load_all(data, Loader=_LOADER) if one is not None]
    for document in documents:
        if not isinstance(document, dict):
            raise TypeError("a rule is a mapping, and this is not one")
    return documents


def _collection(data: bytes) -> SigmaCollection:
    documents = [one for one in _documents(data) if "correlation" not in one]
    return SigmaCollection.from_dicts(
        documents, collect_errors=True, collect_filters=True, resolve_references=False
    )


def _take_correlation(loaded: RuleSet, name: str, document: dict[str, Any]) -> None:
    try:
        one = correlation_of(document, name)
        check_expression(one.expression) if one.expression else None
    except RuleUnfit as error:
        title = str(document.get("title") or Path(name).name)
        loaded.unfit.append(Unfit(str(document.get("id") or ""), title, name, str(error)))
    else:
        loaded.correlations.append(one)


class _Again:
    """Parses a file once more, since a pipeline changes the rule that it is applied to."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data

    def rule(self, position: int) -> SigmaRule:
        """A fresh object of the rule at this position in the file."""
        rule = _collection(self._data).rules[position]
        assert isinstance(rule, SigmaRule)
        return rule


@cache
def _pipelines() -> tuple[ProcessingPipeline, ProcessingPipeline]:
    """To Sysmon's events, and to the Security channel's."""
    channels = windows_logsource_pipeline()
    return sysmon_pipeline() + channels, windows_audit_pipeline() + channels


def _take(
    loaded: RuleSet,
    name: str,
    parsed: tuple[SigmaRule, _Again, int],
    filters: list[SigmaFilter],
    pipeline: ProcessingPipeline | None,
) -> None:
    rule, again, position = parsed
    source = rule.logsource
    product, category = source.product or "", source.category or ""
    ways: list[tuple[SigmaRule, ProcessingPipeline | None]] = [(rule, None)]
    if product == "windows":
        ways = [(rule, _pipelines()[0])]
        if category in _AUDITED:
            ways.append((again.rule(position), _pipelines()[1]))
    variants, reasons = [], []
    for fresh, way in ways:
        try:
            variants.append(_variant(fresh, way, filters, pipeline))
        except (SigmaError, RuleUnfit) as error:
            reasons.append(" ".join(str(error).split()))
    if not variants:
        loaded.unfit.append(_unfit(name, rule, reasons[0]))
        return
    taken = _rule(name, rule, source, tuple(variants))
    loaded.rules.append(taken)
    loaded.notes.extend(Unfit(taken.id, taken.title, name, reason) for reason in reasons)


def _variant(
    rule: SigmaRule,
    way: ProcessingPipeline | None,
    filters: list[SigmaFilter],
    pipeline: ProcessingPipeline | None,
) -> Variant:
    source = rule.logsource
    product, category = source.product or "", source.category or ""
    for each in filters:
        each.apply_on_rule(rule)
    if pipeline is not None:
        pipeline.apply(rule)
    if way is not None:
        way.apply(rule)
    node = _flat_either([tree_of(one.parsed) for one in rule.detection.parsed_condition])
    check(node)
    service = source.service or ""
    if way is not None and not reaches_channel(node):
        node = on_channel(node, service)
    if way is not None and reaches_channel(node):
        # The pipelines said in the condition which channel and events are meant.
        return Variant(product, "", "", node)
    return Variant(product, category, service, node)


def _flat_either(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Either(tuple(nodes))


def _rule(
    name: str, rule: SigmaRule, source: SigmaLogSource, variants: tuple[Variant, ...]
) -> Rule:
    return Rule(
        id=str(rule.id) if rule.id else rule.name or name,
        title=rule.title or name,
        name=rule.name or "",
        level=rule.level.name.lower() if rule.level else "",
        status=rule.status.name.lower() if rule.status else "",
        tags=tuple(str(tag) for tag in rule.tags),
        file=name,
        description=rule.description or "",
        author=rule.author or "",
        references=tuple(str(one) for one in rule.references),
        false_positives=tuple(str(one) for one in rule.falsepositives),
        product=source.product or "",
        category=source.category or "",
        service=source.service or "",
        variants=variants,
    )


def _unfit(name: str, rule: SigmaRuleBase, reason: str) -> Unfit:
    known = str(rule.id) if rule.id else rule.name or ""
    return Unfit(known, rule.title or Path(name).name, name, " ".join(reason.split()))


def _same_ids(loaded: RuleSet) -> None:
    """Two rules under one id can't be told apart: the later one goes by its file's name."""
    seen: dict[str, Rule] = {}
    for position, rule in enumerate(loaded.rules):
        first = seen.setdefault(rule.id, rule)
        if first is not rule:
            note = f"It has the id of {first.file}; it runs as {rule.file}."
            loaded.notes.append(Unfit(rule.id, rule.title, rule.file, note))
            loaded.rules[position] = replace(rule, id=rule.file)
