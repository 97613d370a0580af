"""Searches of several fields for the same words are kept apart."""

from __future__ import annotations

import pytest

from fakes.watch_run import run, store
from kulla.watch.plan import Search
from kulla.watch.settle import Settled

RULE = """
title: either of two fields
logsource: {product: windows}
detection:
  one: {First|contains: evil}
  two: {Second|contains: evil}
  condition: one or two
"""


@pytest.mark.parametrize("field", ["First", "Second"])
def test_two_fields_with_the_same_words_are_both_searched(field):
    events = [{"EventID": 1, "Channel": "x", field: "an EVIL one"}]
    assert run(RULE, events).only() == {0}
    assert run(RULE, events, plain=True).only() == {0}


def test_each_search_keeps_its_field_and_numbers():
    patterns = "['a', 'b']"
    two = [Search("First", [1, 2], patterns), Search("Second", [3, 4], patterns)]
    settled = Settled(store()).settle(two)
    assert [(one.field, list(one.numbers)) for one in settled] == [
        ("First", [1, 2]),
        ("Second", [3, 4]),
    ]
    assert [one.field for one in Settled(store()).settle(two[::-1])] == ["Second", "First"]
