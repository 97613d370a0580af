"""What must hold of any correlation, and so of the oracle's, whatever the rules and events."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from fakes.correlation_random import correlations, events
from fakes.sigma_oracle import correlates


def instants(rules, found):
    """(rule, group without case, first, last, events by what they say) of all that fired."""
    fired = correlates(rules, found)
    return {
        (one.rule, tuple(text.lower() for text in one.group), one.at_us, one.until_us)
        for one in fired
    }


@given(correlations(), events(), st.randoms(use_true_random=False))
def test_the_order_in_which_events_come_does_not_matter(rules, found, chance):
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert instants(rules, found) == instants(rules, shuffled)


@given(correlations(), events(), st.integers(1, 1_000))
def test_only_differences_of_time_matter(rules, found, second):
    moved = [event | {"_at_us": event["_at_us"] + second * 1_000_000} for event in found]
    back = {
        (rule, group, at_us - second * 1_000_000, until_us - second * 1_000_000)
        for rule, group, at_us, until_us in instants(rules, moved)
    }
    assert instants(rules, found) == back


@given(correlations(), events())
def test_what_fires_lies_within_its_events(rules, found):
    for one in correlates(rules, found):
        times = {found[event]["_at_us"] for event in one.events}
        assert one.at_us in times
        assert one.until_us in times
        assert min(times) <= one.at_us <= one.until_us == max(times)


@given(correlations(), events())
def test_events_after_the_last_change_nothing_that_was(rules, found):
    end_us = 8_000_000
    early = [event for event in found if event["_at_us"] <= end_us]
    before = {one[:3] for one in instants(rules, early)}
    all_of_it = {one[:3] for one in instants(rules, found) if one[2] <= end_us}
    assert before == all_of_it


@given(events(), st.integers(1, 4))
def test_a_higher_bar_fires_no_earlier(found, count):
    def firsts(least):
        rules = yaml.safe_dump_all(
            [
                {
                    "name": "c",
                    "correlation": {
                        "type": "event_count",
                        "rules": ["r"],
                        "timespan": "3s",
                        "group-by": ["user"],
                        "condition": {"gte": least},
                    },
                },
                {"name": "r", "detection": {"s": {"what": "a"}, "condition": "s"}},
            ]
        )
        first = {}
        for one in correlates(rules, found):
            first.setdefault(one.group[0].lower(), one.at_us)
        return first

    low, high = firsts(count), firsts(count + 1)
    assert high.keys() <= low.keys()
    assert all(low[group] <= at_us for group, at_us in high.items())
