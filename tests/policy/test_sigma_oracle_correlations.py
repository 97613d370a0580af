"""The oracle's correlations against what was worked out by hand."""

from __future__ import annotations

import random

import pytest
import yaml

from fakes.correlation_cases import ALL
from fakes.sigma_oracle import correlates

KINDS = {
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
}


def said(fired):
    """A Fired as the cases write it."""
    return (
        fired.rule,
        fired.group,
        fired.at_us // 1_000_000,
        fired.until_us // 1_000_000,
        tuple(sorted(fired.events)),
    )


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_what_was_worked_out_by_hand(case):
    assert [said(one) for one in correlates(case.rules, case.events)] == case.expected


def test_there_are_at_least_forty_cases_and_all_eight_types():
    assert len(ALL) >= 40
    assert len({case.name for case in ALL}) == len(ALL)
    used = {
        document["correlation"]["type"]
        for case in ALL
        for document in yaml.safe_load_all(case.rules)
        if "correlation" in document
    }
    assert used == KINDS
    for kind in KINDS:
        fires = [case for case in ALL if f"type: {kind}\n" in case.rules and case.expected]
        assert fires, f"no case of {kind} fires"


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_order_in_which_events_come_does_not_matter(case):
    order = list(range(len(case.events)))
    random.Random(case.name).shuffle(order)
    shuffled = [case.events[index] for index in order]

    def known(fired, back):
        return (fired.rule, fired.at_us, fired.until_us, frozenset(map(back, fired.events)))

    plain = {known(one, lambda index: index) for one in correlates(case.rules, case.events)}
    mixed = {known(one, order.__getitem__) for one in correlates(case.rules, shuffled)}
    assert plain == mixed
