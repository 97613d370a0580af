"""docs/services/enrolment-results.md says what happens after an allocation: its table is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fakes.desk import Desk
from fakes.school_round import (
    CLERK,
    ROUND,
    SEALED,
    apply_for,
    child_of,
    draw,
    enter,
    offer,
    open_round,
    post,
)
from kulla.kernel.service import ALLOCATOR, Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.results.known import HOLDING

PAGE = Path(__file__).resolve().parents[2] / "docs" / "services" / "enrolment-results.md"
JOB = (ALLOCATOR.role, ALLOCATOR.subject)
ANSWERS = {"accepts": "accepted", "waits": "waiting", "declines": "declined"}
NAMES = ("Ana", "Ben", "Cen", "Dan", "Eda", "Fay")


def rows_of_the_table() -> list[list[str]]:
    table = re.search(r"\| who \| does .*\n\|---.*\n((?:\|.*\n)+)", PAGE.read_text())
    assert table is not None
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[1].splitlines()]


def worked_round() -> Desk:
    desk = open_round({"oak": 2, "elm": 1})
    ids = [apply_for(desk, name, ["oak", "elm"]) for name in NAMES[:4]]
    eda = apply_for(desk, "Eda", ["elm"])
    draw(desk)
    seats = [("oak", 1), ("oak", 1), ("elm", 2), ("", 0), ("", 0)]
    rows: list[Any] = [
        [child, name, "open" if name else "", choice]
        for child, (name, choice) in zip([*ids, eda], seats, strict=True)
    ]
    places: list[Any] = [["oak", ids[2], 1, 1], ["oak", ids[3], 2, 1]]
    places += [["elm", ids[3], 1, 2], ["elm", eda, 2, 1]]
    post(desk, rows, places)
    offer(desk)
    return desk


def do(desk: Desk, who: str, what: str) -> str:
    data: dict[str, Any] = {"round": ROUND}
    if who == "job" and what.startswith("settles "):
        name = what.removeprefix("settles ").lower()
        answer = desk.ask(*JOB, "settle_list", programme=name, **data)
    elif who == "job":
        children = [child_of(name) for name in NAMES]
        answer = desk.ask(*JOB, "lapse_offers", children=children, **data)
    elif who == "clerk":
        child = enter(desk, "Fay")
        answer = desk.ask("clerk", CLERK, "place_late", child=child, programmes=["elm"], **data)
    elif what == "appeals":
        answer = desk.ask("citizen", child_of(who), "appeal", text=SEALED, **data)
    else:
        wish = ANSWERS[what]
        answer = desk.ask("citizen", child_of(who), "answer_offer", answer=wish, **data)
    return answer.code if isinstance(answer, Refusal) else "done"


def holders(desk: Desk, programme: str) -> str:
    found = {
        row["child"]
        for row in desk.rows.find(tables.RESULT, programme=programme)
        if row["state"] in HOLDING
    }
    return " ".join(name for name in NAMES if child_of(name) in found)


def test_the_worked_round_is_what_happens():
    desk, rows = worked_round(), rows_of_the_table()
    assert len(rows) > 15
    for who, what, oak, elm, comes_to in rows:
        came = do(desk, who, what)
        state = [who, what, holders(desk, "oak"), holders(desk, "elm"), came]
        assert state == [who, what, oak, elm, comes_to]
