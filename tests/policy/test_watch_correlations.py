"""The correlations that were worked out by hand, as the watch runs them over ClickHouse."""

from __future__ import annotations

import pytest

from fakes.correlation_cases import ALL
from fakes.watch_run import run


def said(ran):
    """What is reported, as the cases write it."""
    found = [
        (
            one.correlation.name or one.correlation.id,
            one.group,
            one.at_us // 1_000_000,
            one.until_us // 1_000_000,
            tuple(sorted(one.events)),
        )
        for one in ran.fired
        if not one.correlation.quiet
    ]
    for place, rows in ran.matched.items():
        rule = ran.loaded.rules[place]
        if not rule.quiet:
            found += [(rule.name, (), row, row, (row,)) for row in rows]
    return sorted(found)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_what_was_worked_out_by_hand(case):
    ran = run(case.rules, case.events)
    assert not ran.loaded.unfit
    names = {rule.name for rule in ran.loaded.rules}
    expected = [
        (name, group, *((events[0], events[0]) if name in names else (at, until)), events)
        for name, group, at, until, events in case.expected
    ]
    assert said(ran) == sorted(expected)
