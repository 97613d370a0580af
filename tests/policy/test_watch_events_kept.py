"""Events that a watch keeps: old hours go by age and by size, the hour that is going on stays."""

from __future__ import annotations

import random
import string

import pytest

from fakes.watch_run import store
from kulla.watch.live.events import Events, Retention
from kulla.watch.sources.batch import Batch

HOUR_MS = 3_600_000
BEGIN_MS = 1_767_322_800_000


@pytest.fixture
def kept():
    """Keep a batch of this size in each of so many hours; gives the hours that are left."""
    store().run("DROP TABLE IF EXISTS event")

    def run(retention, hours, size=100):
        chance = random.Random(7)
        events = Events(store(), retention, 0)
        for hour in range(hours):
            noise = "".join(chance.choices(string.printable, k=size)).encode()
            events.take(Batch("linux", "", "sshd", "log", [hour], [noise]))
            events.keep(hour + 1, BEGIN_MS + hour * HOUR_MS)
        rows = store().rows("SELECT number FROM event ORDER BY number").to_pylist()
        return [row["number"] for row in rows]

    yield run
    store().run("DROP TABLE IF EXISTS event")


def test_hours_that_are_too_old_go(kept):
    assert kept(Retention(hours=3), 10) == [6, 7, 8, 9]


def test_the_oldest_hours_go_where_it_is_too_much(kept):
    left = kept(Retention(mib=2), 6, size=1 << 20)
    assert 1 <= len(left) <= 3
    assert left == list(range(6 - len(left), 6))


def test_the_hour_that_is_going_on_stays_whatever_its_size(kept):
    assert kept(Retention(hours=1, mib=1), 3, size=3 << 20) == [2]


def test_without_a_bound_all_stay(kept):
    assert kept(Retention(), 5) == [0, 1, 2, 3, 4]
