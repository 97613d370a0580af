"""Random rules over random events: the oracle and pySigma's SQLite backend say the same."""

from __future__ import annotations

import os
import re
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.sigma_oracle import matches
from fakes.sigma_random import FIELDS, events, rules

pytest.importorskip("sigma.backends.sqlite")

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection


def by_sqlite(rule: str, found: list[dict]) -> set[int]:
    """Which events pySigma's SQLite query finds in a table of text columns without case."""
    backend = sqliteBackend()
    backend.collate_nocase = True
    (query,) = backend.convert(SigmaCollection.from_yaml(rule))
    connection = sqlite3.connect(":memory:")
    connection.create_function("REGEXP", 2, _regexp, deterministic=True)
    columns = ", ".join(f"`{name}`" for name in FIELDS)
    connection.execute(f"CREATE TABLE logs (number INTEGER, {columns})")
    for number, event in enumerate(found):
        connection.execute(
            "INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?)",
            [number, *(event.get(name) for name in FIELDS)],
        )
    return {row[0] for row in connection.execute(query)}


def _regexp(pattern: str, value: str | None) -> bool:
    return value is not None and re.search(pattern, str(value)) is not None


PROFILE = os.environ.get("KULLA_TEST_PROFILE", "quick")
# Each rule meets twenty events: 100 rules are 2,000 questions, in some seconds.
EVENTS = 20
FOUND = st.lists(events(foreign=False), min_size=EVENTS, max_size=EVENTS)


@settings(max_examples=25 if PROFILE == "quick" else 100)
@given(rules(plain=True), FOUND)
def test_the_oracle_and_sqlite_agree(rule, found):
    assert matches(rule, found) == by_sqlite(rule, found)


@pytest.mark.long
@settings(max_examples=10_000)
@given(rules(plain=True), FOUND)
def test_the_oracle_and_sqlite_agree_200_000_times(rule, found):
    assert matches(rule, found) == by_sqlite(rule, found)
