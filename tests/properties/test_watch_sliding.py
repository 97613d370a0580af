"""Correlations told as events come are those that a scan tells at the end, each once."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.clock import HandClock
from fakes.correlation_cases import ALL
from fakes.watch_run import loaded_from, run
from kulla.watch.correlate import Correlator
from kulla.watch.findings import Place
from kulla.watch.live.sliding import LATE_US, Sliding

SECOND = 1_000_000
RULES = """
title: failed
name: failed
logsource: {product: linux}
detection: {s: {a: b}, condition: s}
---
title: many
name: many
correlation:
  {type: event_count, rules: [failed], group-by: [who], timespan: 20s, condition: {gte: 3}}
---
title: twice
name: twice
level: high
correlation:
  {type: event_count, rules: [many], group-by: [who], timespan: 40s, condition: {gte: 2}}
"""


def told_by(correlations, matches, restart):
    """What a watch tells that gets the matches of one instant in each round; restarted at times."""
    clock = HandClock()
    sliding = Sliding(correlations, clock)
    kept, told = [], []
    for at_us, together in groupby(sorted(matches, key=lambda one: one[2]), lambda one: one[2]):
        for rule, event, _, fields in together:
            sliding.add(rule, event, at_us, fields, Place("log", event))
        told += [(one.rule.id, tuple(one.fields.values()), one.at_us) for one in sliding.held()]
        kept += sliding.take_fresh()
        gone = set(sliding.let_go())
        kept = [one for one in kept if one.event not in gone]
        if restart:
            sliding = Sliding(correlations, clock, kept, sliding.told(), sliding.newest_us)
    return sorted(told), len(kept)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_what_was_worked_out_by_hand_is_told_as_it_comes(case, restart):
    ran = run(case.rules, case.events)
    matches = [
        (ran.loaded.rules[place], row, case.events[row]["_at_us"], case.events[row])
        for place, rows in ran.matched.items()
        for row in rows
        if case.events[row].get("_at_us") is not None
    ]
    expected = sorted(
        (one.correlation.id, one.group, one.at_us) for one in ran.fired if not one.correlation.quiet
    )
    assert told_by(ran.loaded.correlations, matches, restart)[0] == expected


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from("abc")), min_size=1, max_size=60),
    st.booleans(),
)
def test_random_streams_tell_the_same(events, restart):
    loaded = loaded_from(RULES)
    whole = Correlator(loaded.correlations)
    matches = []
    for number, (second, who) in enumerate(events):
        matches.append((loaded.rules[0], number, second * SECOND, {"who": who}))
        whole.add(*matches[-1])
    expected = sorted(
        (one.correlation.id, one.group, one.at_us)
        for one in whole.fired()
        if not one.correlation.quiet
    )
    assert told_by(loaded.correlations, matches, restart)[0] == expected


def test_what_no_window_needs_is_forgotten():
    loaded = loaded_from(RULES)
    apart_us = 2 * 60 * SECOND + LATE_US + 1
    matches = [(loaded.rules[0], number, number * apart_us, {"who": "a"}) for number in range(50)]
    assert told_by(loaded.correlations, matches, restart=True) == ([], 1)


def test_one_false_clock_does_not_make_all_others_late():
    loaded = loaded_from(RULES)
    clock = HandClock()
    sliding = Sliding(loaded.correlations, clock)
    now_us = clock.now_ms() * 1000
    for event, at_us in enumerate((now_us, now_us * 2, now_us + 1, now_us + 2, now_us + 3)):
        sliding.add(loaded.rules[0], event, at_us, {"who": "a"}, Place("log", event))
        told = [one.rule.name for one in sliding.held()]
        sliding.take_fresh()
        sliding.let_go()
    assert sliding.late == 0
    assert told == ["twice"]
