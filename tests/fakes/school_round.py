"""A small round of enrolment at a Desk: two schools, some families, from its rules to its offers.

Fault model: that of Desk. Sealed values are made-up bytes: no policy opens them. The lottery's act
is applied as it stands, since drawing it is another room's matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from fakes.desk import Desk
from fakes.rows import MemoryRows
from kulla.kernel.canonical import Value
from kulla.kernel.service import ALLOCATOR
from kulla.services.enrolment import tables
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.rounds.rules_text import text_of
from kulla.services.enrolment.service import SERVICE

ROUND = "r26"
CLERK = "f" * 32
OTHER_CLERK = "e" * 32
DAY_S = 86_400
OPENS_S = 1_780_000_000
CLOSES_S = OPENS_S + 10 * DAY_S
RESULTS_S = CLOSES_S + 5 * DAY_S
ANSWER_BY_S = RESULTS_S + 7 * DAY_S
SEALED = b"sealed"


def child_of(name: str) -> str:
    """The subject of a child with this name."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def open_round(seats: Mapping[str, int], rules: Rules | None = None) -> Desk:
    """A desk where families may apply now for these programmes, one school each."""
    desk = Desk(SERVICE, OPENS_S * 1000 - DAY_S * 1000)
    days = {"opens_s": OPENS_S, "closes_s": CLOSES_S}
    later = {"results_s": RESULTS_S, "answer_by_s": ANSWER_BY_S}
    about = {"title": "2026", "school_year": "2026-2027", "zone": "Europe/Tirane", "parent": ""}
    desk.done("clerk", CLERK, "prepare_round", round=ROUND, **about, **days, **later)
    text = text_of(rules or Rules(ages=(("g1", "2019-01-01", "2020-12-31"),)))
    desk.done("clerk", CLERK, "set_rules", round=ROUND, rules=text)
    place = {"name": "X", "town": "X", "county": "X", "address": "X"}
    for name, count in seats.items():
        desk.done("clerk", CLERK, "enter_school", school=f"s-{name}", **place)
        programme = {"programme": name, "school": f"s-{name}", "grade": "g1", "name": name}
        pools: list[Value] = [["open", count]]
        desk.done("clerk", CLERK, "set_programme", round=ROUND, pools=pools, **programme)
    desk.done("clerk", CLERK, "publish_round", round=ROUND)
    desk.now_ms = OPENS_S * 1000
    return desk


def enter(desk: Desk, name: str) -> str:
    """A child whom a counter knows; returns the subject."""
    child = child_of(name)
    data = {"facts": SEALED, "source": "register"}
    desk.done("clerk", CLERK, "enter_child", child=child, **data)
    return child


def apply_for(desk: Desk, name: str, choices: Sequence[str]) -> str:
    """A family applies; returns the child's subject."""
    child = enter(desk, name)
    desk.done(
        "clerk",
        CLERK,
        "apply",
        child=child,
        round=ROUND,
        grade="g1",
        choices=list(choices),
        together=False,
        facts=SEALED,
        salt=SEALED,
        commitment=hashlib.sha256(name.encode()).digest(),
        change=1,
        undecided=[],
    )
    return child


def draw(desk: Desk) -> None:
    """The list closes and the lottery is drawn."""
    desk.now_ms = CLOSES_S * 1000
    desk.done("clerk", CLERK, "close_round", round=ROUND)
    drawn(desk.rows)


def drawn(rows: MemoryRows) -> None:
    """What the lottery's act does to the round."""
    row = rows.get(tables.ROUND, ROUND)
    assert row is not None
    rows.put(tables.ROUND, row | {"state": tables.DRAWN, "seed": bytes(32)})


def post(
    desk: Desk, rows: list[Value], places: list[Value], kept: list[Value] | None = None
) -> None:
    """The job posts all results in one part, and finishes."""
    data = {"round": ROUND, "part": 1, "parts": 1, "rows": rows, "places": places}
    desk.done(ALLOCATOR.role, ALLOCATOR.subject, "post_results", **data)
    placed = sum(1 for row in rows if row[1])  # type: ignore[index]
    desk.done(
        ALLOCATOR.role,
        ALLOCATOR.subject,
        "finish_allocation",
        round=ROUND,
        parts=1,
        public=bytes(32),
        audit=bytes(32),
        count=len(rows),
        placed=placed,
        kept=kept or [],
    )


def offer(desk: Desk) -> None:
    """Families see their results."""
    desk.now_ms = RESULTS_S * 1000
    desk.done("clerk", CLERK, "open_offers", round=ROUND)


def settle(desk: Desk, programme: str) -> list[object]:
    """The job moves one list; the acts, none where there was nothing to move."""
    data = {"round": ROUND, "programme": programme}
    answer = desk.ask(ALLOCATOR.role, ALLOCATOR.subject, "settle_list", **data)
    return answer if isinstance(answer, list) else []


def result_of(desk: Desk, child: str) -> tuple[str, str]:
    """A child's programme and state."""
    row = desk.rows.get(tables.RESULT, f"{ROUND}-{child}")
    assert row is not None
    return str(row["programme"]), str(row["state"])
