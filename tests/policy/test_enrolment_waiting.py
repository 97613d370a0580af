"""Waiting lists move by themselves, and by nobody's haste."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from fakes.enrolment_markets import RULES, random_market, seed_of
from kulla.services.enrolment.policy.allocate import Allocation, allocate
from kulla.services.enrolment.policy.rules import OPEN_POOL, Pool, Rules
from kulla.services.enrolment.policy.waiting import Move, Seat, Waiter, moves

OPEN = {"a": ("open",), "b": ("open",), "c": ("open",)}


def test_a_free_seat_starts_a_chain():
    found = moves(
        Rules(),
        OPEN,
        {("a", "open"): 1},
        {"a": [Waiter("Ana", 1)], "b": [Waiter("Ben", 1)], "c": []},
        {"Ana": ("b", "open"), "Ben": ("c", "open")},
        {"Ana": ["a", "b"], "Ben": ["b", "c"]},
    )
    assert found == (
        Move("Ana", "a", "open", ("b", "open")),
        Move("Ben", "b", "open", ("c", "open")),
    )


def test_who_waits_without_a_seat_gets_one_and_only_the_best():
    found = moves(
        Rules(),
        OPEN,
        {("a", "open"): 1, ("b", "open"): 1},
        {"a": [Waiter("Ana", 2), Waiter("Ben", 1)], "b": [Waiter("Ben", 1), Waiter("Ana", 2)]},
        {},
        {"Ana": ["a", "b"], "Ben": ["a", "b"]},
    )
    assert found == (Move("Ben", "a", "open", None), Move("Ana", "b", "open", None))


KEPT = Rules(pools=(Pool("staff", "Staff", "staff", "stay"), Pool(OPEN_POOL, "Open")))


def test_a_reserved_seat_waits_for_a_child_with_a_claim():
    lists = {"a": [Waiter("Ana", 1), Waiter("Ben", 2, frozenset({"staff"}))]}
    choices = {"Ana": ["a"], "Ben": ["a"]}
    found = moves(KEPT, {"a": ("staff", "open")}, {("a", "staff"): 2}, lists, {}, choices)
    assert found == (Move("Ben", "a", "staff", None),)


def test_a_child_with_a_claim_leaves_the_open_seat_to_others():
    lists = {"a": [Waiter("Ben", 1, frozenset({"staff"})), Waiter("Ana", 2)]}
    choices = {"Ana": ["a"], "Ben": ["a"]}
    for free in ({("a", "staff"): 1, ("a", "open"): 1}, {("a", "open"): 1, ("a", "staff"): 1}):
        found = moves(KEPT, {"a": ("staff", "open")}, free, lists, {}, choices)
        assert {(one.child, one.pool) for one in found} == {("Ben", "staff"), ("Ana", "open")}


def test_nothing_free_nobody_moves():
    assert moves(Rules(), OPEN, {}, {"a": [Waiter("Ana", 1)]}, {}, {"Ana": ["a"]}) == ()


def after(done: Allocation, leaving: set[str]) -> tuple[dict[Seat, int], dict, dict, dict]:
    """What `moves` is told when some children give their seats up and leave all lists."""
    made = done.market
    free = {(one.programme, pool): seats for one in made.programmes for pool, seats in one.pools}
    holds = {}
    for child, place in done.placements.items():
        if place.choice and child not in leaving:
            holds[child] = (place.programme, place.pool)
            free[holds[child]] -= 1
    lists = {
        programme: [
            Waiter(
                child,
                order,
                next(
                    one.standing.pools for one in done.wishes[child] if one.programme == programme
                ),
            )
            for order, child in enumerate(children)
            if child not in leaving
        ]
        for programme, children in done.waiting.items()
    }
    choices = {child: [one.programme for one in wishes] for child, wishes in done.wishes.items()}
    return free, lists, holds, choices


@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
def test_whatever_becomes_free_nobody_who_waits_has_cause_to_complain(seed, order):
    made = random_market(seed, siblings=False)
    done = allocate(made, seed_of(seed))
    random = Random(seed)
    leaving = {child for child in done.placements if random.random() < 0.3}
    free, lists, holds, choices = after(done, leaving)
    pools = {one.programme: [pool for pool, _ in one.pools] for one in made.programmes}
    found = moves(RULES, pools, free, lists, holds, choices)
    final = {**holds, **{one.child: (one.programme, one.pool) for one in found}}
    for one in found:
        before = holds.get(one.child)
        assert one.left == before
        ranked = choices[one.child]
        assert before is None or ranked.index(one.programme) <= ranked.index(before[0])
    left = dict(free)
    for child, seat in final.items():
        if holds.get(child) != seat:
            left[seat] -= 1
            if child in holds:
                left[holds[child]] += 1
    assert min(left.values(), default=0) >= 0
    _nobody_wants(lists, final, choices, left)


def _nobody_wants(lists, final, choices, left):
    """No free seat has anybody in its list who may have it and wants it more."""
    stay = {pool.pool for pool in RULES.pools if pool.unfilled == "stay"}
    for (programme, pool), seats in left.items():
        for waiter in lists.get(programme, ()) if seats else ():
            if pool in stay and pool not in waiter.pools:
                continue
            ranked, held = choices[waiter.child], final.get(waiter.child)
            assert held is not None
            assert ranked.index(held[0]) <= ranked.index(programme)


@given(seed=st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter_for_lists_either(seed):
    made = random_market(seed, siblings=False)
    done = allocate(made, seed_of(seed))
    random = Random(seed)
    leaving = {child for child in done.placements if random.random() < 0.3}
    free, lists, holds, choices = after(done, leaving)
    pools = {one.programme: [pool for pool, _ in one.pools] for one in made.programmes}
    first = moves(RULES, pools, free, lists, holds, choices)
    turned = [dict(reversed(list(one.items()))) for one in (free, lists, holds)]
    mixed = {name: random.sample(rows, len(rows)) for name, rows in turned[1].items()}
    assert moves(RULES, pools, turned[0], mixed, turned[2], choices) == first


@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
def test_it_does_not_matter_which_free_seat_is_looked_at_first(seed, order):
    """The same lists moved one free seat after the other, in any order, without any queue."""
    made = random_market(seed, siblings=False)
    done = allocate(made, seed_of(seed))
    leaving = {child for child in done.placements if order.random() < 0.3}
    free, lists, holds, choices = after(done, leaving)
    pools = {one.programme: [pool for pool, _ in one.pools] for one in made.programmes}
    found = moves(RULES, pools, free, lists, holds, choices)
    expected = {**holds, **{one.child: (one.programme, one.pool) for one in found}}
    stated = {pool.pool: pool for pool in RULES.pools}
    now, left = dict(holds), dict(free)

    def place(child: str, seat: Seat) -> tuple[int, int]:
        return choices[child].index(seat[0]), pools[seat[0]].index(seat[1])

    def wanting(seat: Seat) -> list[tuple[bool, int, str]]:
        pool = stated[seat[1]]
        return sorted(
            (bool(pool.priority) and pool.pool not in one.pools, one.order, one.child)
            for one in lists.get(seat[0], ())
            if (not pool.priority or pool.unfilled == "open" or pool.pool in one.pools)
            and (one.child not in now or place(one.child, seat) < place(one.child, now[one.child]))
        )

    while wanted := [seat for seat, count in left.items() if count and wanting(seat)]:
        seat = order.choice(wanted)
        child = wanting(seat)[0][2]
        if child in now:
            left[now[child]] += 1
        now[child] = seat
        left[seat] -= 1
    assert now == expected
