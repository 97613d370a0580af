"""Whatever home and thieves did: what a quorum held is adopted, or custodians are asked."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fakes.embassy import GrowingLog
from fakes.signers import MadeUpTower
from kulla.embassy.errors import NotSettled
from kulla.embassy.settle import Tail, View, settle
from kulla.journal.checkpoints import Checkpoint
from kulla.journal.merkle import EMPTY_ROOT

TOWER = MadeUpTower()
N, K = 4, 3
HOME = GrowingLog(TOWER.log_key, [b"act %d" % number for number in range(40)])
FORKS = {at: HOME.fork(at) for at in (0, 7, 20, 39)}
for _at, _fork in FORKS.items():
    _fork.grow([b"forged %d %d" % (_at, number) for number in range(30)])


def view(name: str, log: GrowingLog, size: int) -> View:
    return View(name, Checkpoint(TOWER.origin, size, log.tree.root_at(size)), log.tree.root_at)


def test_the_worked_example_of_the_design():
    """Home and one embassy are lost; a thief fed one of the others another history."""
    views = [view("a", HOME, 30), view("b", HOME, 33), view("c", FORKS[20], 50)]
    settled = settle(views, N, K)
    assert (settled.checkpoint.size, settled.checkpoint.root) == (30, HOME.tree.root_at(30))
    assert settled.holders == ("b", "a")
    assert settled.tails == (Tail("b", 33),)
    assert settled.forked == (Tail("c", 50),)
    assert settled.behind == ()
    assert settled.certain


def test_what_a_thief_went_on_from_is_held_by_whom_he_fed_too():
    """The act at 19 is with a, b and the one that is lost; then the thief feeds b the rest."""
    views = [view("a", HOME, 30), view("b", FORKS[20], 50), view("c", HOME, 5)]
    settled = settle(views, N, K)
    assert (settled.checkpoint.size, settled.checkpoint.root) == (20, HOME.tree.root_at(20))
    assert settled.holders == ("b", "a")
    assert settled.tails == (Tail("b", 50), Tail("a", 30))
    assert settled.behind == (Tail("c", 5),)
    assert settled.certain


def test_an_embassy_that_lags_is_behind_and_not_forked():
    views = [view("a", HOME, 30), view("b", HOME, 30), view("c", HOME, 5), view("d", HOME, 0)]
    settled = settle(views, N, K)
    assert settled.checkpoint.size == 30
    assert settled.behind == (Tail("c", 5), Tail("d", 0))
    assert settled.forked == ()


def test_with_two_of_four_the_answer_is_not_certain():
    settled = settle([view("a", HOME, 30), view("b", HOME, 33)], N, K)
    assert settled.checkpoint.size == 30
    assert settled.tails == (Tail("b", 33),)
    assert not settled.certain


def test_a_country_that_has_no_acts_yet_is_settled():
    settled = settle([view(name, HOME, 0) for name in "abc"], N, K)
    assert (settled.checkpoint.size, settled.checkpoint.root) == (0, EMPTY_ROOT)


REFUSED = {
    "too few answered": [view("a", HOME, 30)],
    "nobody answered": [],
    "no two agree": [view("a", HOME, 30), view("b", FORKS[7], 30)],
    "two against two": [
        view("a", HOME, 30),
        view("b", HOME, 30),
        view("c", FORKS[7], 30),
        view("d", FORKS[7], 30),
    ],
    "the same embassy twice": [view("a", HOME, 30), view("a", HOME, 30)],
    "another log": [
        view("a", HOME, 30),
        View("b", Checkpoint("elsewhere", 30, HOME.tree.root_at(30)), HOME.tree.root_at),
    ],
}


@pytest.mark.parametrize("name", REFUSED)
def test_custodians_are_asked_where_nothing_can_be_settled(name: str):
    with pytest.raises(NotSettled):
        settle(REFUSED[name], N, K)


def test_a_quorum_that_can_not_be_is_refused():
    with pytest.raises(NotSettled, match="quorum of 5 of 4"):
        settle([view("a", HOME, 3)], 4, 5)


@given(
    acknowledged=st.integers(0, 40),
    more=st.lists(st.integers(0, 40), min_size=K, max_size=K),
    rest=st.integers(0, 40),
    fed=st.sampled_from([None, *FORKS]),
    lost=st.integers(0, N - 1),
)
def test_nothing_acknowledged_is_lost_with_home_and_any_one_embassy(
    acknowledged: int, more: list[int], rest: int, fed: int | None, lost: int
):
    """k embassies hold the act; one is lost, and one that is not among the k may be fed a fork."""
    sizes = [min(40, acknowledged + extra) for extra in more]
    views = [view(f"holder {at}", HOME, size) for at, size in enumerate(sizes)]
    last = view("last", HOME, rest) if fed is None else view("last", FORKS[fed], fed + 20)
    left = [*views, last]
    del left[lost]
    settled = settle(left, N, K)
    assert settled.checkpoint.size >= acknowledged
    assert settled.checkpoint.root == HOME.tree.root_at(settled.checkpoint.size)
    assert settled.certain


@given(
    sizes=st.lists(st.integers(0, 40), min_size=2, max_size=4),
    branches=st.lists(st.sampled_from([None, 0, 7, 20]), min_size=4, max_size=4),
    order=st.permutations(range(4)),
)
def test_what_is_settled_is_held_by_enough_and_everybody_is_accounted_for(
    sizes: list[int], branches: list[int | None], order: list[int]
):
    logs = [HOME if at is None else FORKS[at] for at in branches]
    views = [
        view(f"e{at}", log, min(size, log.size))
        for at, (size, log) in enumerate(zip(sizes, logs, strict=False))
    ]
    try:
        settled = settle(views, N, K)
    except NotSettled:
        shuffled = [views[at] for at in order if at < len(views)]
        with pytest.raises(NotSettled):
            settle(shuffled, N, K)
        return
    assert len(settled.holders) >= N - K + 1
    named = [*settled.holders, *(one.embassy for one in (*settled.behind, *settled.forked))]
    assert sorted(named) == sorted(one.embassy for one in views)
    assume(len(views) > 1)
    shuffled = [views[at] for at in order if at < len(views)]
    assert settle(shuffled, N, K).checkpoint == settled.checkpoint
