"""SigmaHQ's regression data: for a rule, logs that it must match, and how often if it says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from kulla.watch.errors import WatchFailed
from kulla.watch.findings import Account, Detection

_INFO: Final = "info.yml"


@dataclass(frozen=True, slots=True)
class Case:
    """One test of one rule. file: the log; count: how many events it must match, None for any."""

    rule_id: str
    name: str
    file: Path
    count: int | None


@dataclass(slots=True)
class Outcome:
    """What became of a case. found: how many events its rule matched."""

    case: Case
    found: int

    @property
    def passed(self) -> bool:
        """Whether it matched, at least as often as is stated.

        Some cases state fewer than their rule's text matches: they count what their author meant.
        """
        return self.found >= (self.case.count or 1)

    @property
    def more(self) -> bool:
        """Whether it matched more often than is stated."""
        return self.case.count is not None and self.found > self.case.count


@dataclass(slots=True)
class Counts:
    """A sink that counts, for each file, what each rule found."""

    by_file: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, found: Detection) -> None:
        """See Sink."""
        key = (found.place.file, found.rule.id)
        self.by_file[key] = self.by_file.get(key, 0) + 1

    def end(self, account: Account) -> None:
        """See Sink."""


def cases_in(folder: Path) -> list[Case]:
    """The cases of every info.yml below the folder; beside an EVTX file its JSON is a case too.

    Paths in them are relative to the folder that holds `regression_data`. Raises WatchFailed where
    one is not as it should be, or a log is missing.
    """
    cases: list[Case] = []
    for info in sorted(folder.rglob(_INFO)):
        document = yaml.safe_load(info.read_text("utf-8"))
        if not isinstance(document, Mapping) or "regression_tests_info" not in document:
            continue
        rules = document.get("rule_metadata") or []
        if not rules or "id" not in rules[0]:
            raise WatchFailed("It names no rule.", place=str(info), remedy="Mend rule_metadata.")
        for one in document["regression_tests_info"] or []:
            cases += _cases(info, str(rules[0]["id"]), one)
    return cases


def _cases(info: Path, rule_id: str, one: Mapping[str, Any]) -> list[Case]:
    inside = Path(str(one.get("path", "")))
    top = next((up for up in info.parents if (up / inside).is_file()), None)
    file = info.parent / inside.name if top is None else top / inside
    if not file.is_file():
        raise WatchFailed("A log of a case is missing.", place=f"{info}: {inside}")
    count = one.get("match_count")
    name = f"{file.parent.name}: {one.get('name', '')}"
    cases = [Case(rule_id, name, file, count)]
    beside = file.with_suffix(".json")
    if file.suffix == ".evtx" and beside.is_file():
        cases.append(Case(rule_id, f"{name} (JSON)", beside, count))
    return cases


def outcomes(cases: Sequence[Case], counts: Counts) -> list[Outcome]:
    """What became of each case, once all their logs were scanned."""
    return [Outcome(case, counts.by_file.get((str(case.file), case.rule_id), 0)) for case in cases]
