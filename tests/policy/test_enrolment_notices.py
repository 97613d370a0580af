"""Which acts of enrolment leave a notice for the post: by the registers after each."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.school_round import ROUND, apply_for, child_of, draw, offer, open_round, post, settle
from kulla.kernel.errors import UnfitAct
from kulla.kernel.service import ALLOCATOR, Act, Actor
from kulla.services.enrolment import acts, notices, tables
from kulla.services.enrolment.service import SERVICE


def _noticed(desk: Any) -> list[tuple[str, str]]:
    """(kind, child) of all notices, in the order in which the post reads them."""
    rows = sorted(desk.rows.find(tables.NOTICE), key=lambda row: str(row["id"]))
    assert {row["round"] for row in rows} <= {ROUND}
    return [(str(row["kind"]), str(row["child"])) for row in rows]


def test_a_round_leaves_one_notice_for_all_results_and_one_for_each_child_that_moves() -> None:
    desk = open_round({"p": 1, "q": 2})
    a, b = (apply_for(desk, name, ["p", "q"]) for name in ("a", "b"))
    assert _noticed(desk) == [(notices.APPLIED, a), (notices.APPLIED, b)]
    draw(desk)
    post(desk, [[a, "p", "open", 1], [b, "q", "open", 2]], [["p", b, 1, 1]])
    assert len(_noticed(desk)) == 2, "what is posted is not opened yet"
    offer(desk)
    desk.done("clerk", "f" * 32, "answer_offer", round=ROUND, child=a, answer="declined")
    settle(desk, "p")
    later = [(notices.RESULT, ""), (notices.ANSWERED, a), (notices.PLACE, b)]
    assert _noticed(desk)[2:] == later
    [row] = [row for row in desk.rows.find(tables.RESULT) if row["child"] == b]
    desk.now_ms = (int(str(row["answer_by_s"])) + 60) * 1000
    lapse = {"round": ROUND, "children": [b]}
    desk.done(ALLOCATOR.role, ALLOCATOR.subject, "lapse_offers", **lapse)
    assert _noticed(desk)[5:] == [(notices.LAPSED, b)]


def test_each_lapsed_child_has_a_notice_at_the_one_position() -> None:
    desk = open_round({"p": 3})
    children = [apply_for(desk, name, ["p"]) for name in ("a", "b", "c")]
    draw(desk)
    post(desk, [[child, "p", "open", 1] for child in children], [])
    offer(desk)
    desk.now_ms += 30 * 86_400_000
    lapse = {"round": ROUND, "children": list(children)}
    desk.done(ALLOCATOR.role, ALLOCATOR.subject, "lapse_offers", **lapse)
    lapsed = desk.rows.find(tables.NOTICE, kind=notices.LAPSED)
    assert sorted(str(row["child"]) for row in lapsed) == sorted(children)
    assert len({row["position"] for row in lapsed}) == 1


def test_an_act_that_does_not_fit_leaves_no_notice() -> None:
    desk = open_round({"p": 1})
    data = {"application": f"{ROUND}-{child_of('x')}", "round": ROUND, "child": child_of("x")}
    actor = Actor("clerk", "f" * 32)
    act = Act(99, "enrolment", acts.WITHDRAWN, 1, 5, actor, b"k" * 32, data | {"by": "counter"})
    with pytest.raises(UnfitAct):
        SERVICE.acts[acts.WITHDRAWN].apply(desk.rows, act)
    assert _noticed(desk) == []
