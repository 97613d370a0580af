"""Runs Sigma rules over events the way the watch does: pySigma, our trees, ClickHouse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from kulla.watch.correlate import Correlator, Fired
from kulla.watch.engine import Engine
from kulla.watch.plan import Source
from kulla.watch.sigma.load import RuleSet, load_rules
from kulla.watch.store import Store


@cache
def store() -> Store:
    """The one ClickHouse of this process."""
    return Store()


@dataclass(frozen=True, slots=True)
class Ran:
    """What came out: by a rule's place the events that it matched; correlations that held."""

    loaded: RuleSet
    matched: dict[int, set[int]]
    fired: list[Fired]

    def only(self) -> set[int]:
        """The events of the one rule there is."""
        assert len(self.loaded.rules) == 1, self.loaded.unfit
        return self.matched.get(0, set())


def loaded_from(text: str) -> RuleSet:
    """Rules of one file of YAML documents."""
    return load_rules([("rules.yml", text.encode())])


def run(
    text: str, events: list[dict[str, Any]], source: Source | None = None, *, plain: bool = False
) -> Ran:
    """Load the rules and ask them of the events. plain: without anchors, by SQL alone."""
    loaded = loaded_from(text)
    if source is None:
        first = loaded.rules[0]
        source = Source(first.product, first.category, first.service)
    lines = [json.dumps(event).encode() for event in events]
    hits = Engine(store(), loaded.rules, plain=plain).hits(source, lines)
    matched: dict[int, set[int]] = {}
    correlator = Correlator(loaded.correlations)
    for rule, row in zip(hits.rules.tolist(), hits.rows.tolist(), strict=True):
        matched.setdefault(rule, set()).add(row)
        event = events[row]
        if correlator.wants(loaded.rules[rule]):
            correlator.add(loaded.rules[rule], row, event.get("_at_us"), event)
    return Ran(loaded, matched, correlator.fired())
