"""Random rules over random events: the watch, with anchors or without, agrees with the oracle."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fakes.sigma_oracle import matches
from fakes.sigma_random import events, rules
from fakes.watch_run import store
from kulla.watch.engine import Engine
from kulla.watch.plan import Source
from kulla.watch.sigma.load import load_rules

TOGETHER = 20


def hits(loaded, found, *, nested, plain):
    """Which events each rule matches, by the number of its file."""
    source = Source("test", "process_creation", "", nested=nested)
    lines = [
        json.dumps({"Event": {"System": {}, "EventData": event}} if nested else event).encode()
        for event in found
    ]
    asked = Engine(store(), loaded.rules, plain=plain).hits(source, lines)
    by_rule: dict[int, set[int]] = {}
    for rule, row in zip(asked.rules.tolist(), asked.rows.tolist(), strict=True):
        by_rule.setdefault(int(loaded.rules[rule].file), set()).add(row)
    return by_rule


def compared(texts, found):
    """Ask everybody the same; the rule and the events stand in the message where they differ."""
    loaded = load_rules([(str(number), text.encode()) for number, text in enumerate(texts)])
    assert not loaded.unfit, loaded.unfit
    ways = {
        (nested, plain): hits(loaded, found, nested=nested, plain=plain)
        for nested in (False, True)
        for plain in (False, True)
    }
    for number, text in enumerate(texts):
        expected = matches(text, found)
        for way, said in ways.items():
            assert said.get(number, set()) == expected, (way, text, found)


@given(
    st.lists(rules(), min_size=TOGETHER, max_size=TOGETHER),
    st.lists(events(), min_size=1, max_size=12),
)
@settings(
    suppress_health_check=list(HealthCheck),
    deadline=None,
    # Twenty rules do not shrink well; the one that differs is printed by itself.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_the_watch_says_what_the_oracle_says(texts, found):
    compared(texts, found)
