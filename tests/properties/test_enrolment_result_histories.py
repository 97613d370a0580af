"""Whatever families, counters and the job do after an allocation.

No seat is given twice, lists keep their order, who waits is counted, a replay gives the same rows.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.rows import MemoryRows
from fakes.school_round import (
    CLERK,
    DAY_S,
    ROUND,
    SEALED,
    apply_for,
    draw,
    drawn,
    enter,
    offer,
    open_round,
    post,
)
from kulla.kernel.rows import Row
from kulla.kernel.service import ALLOCATOR, Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.results.known import HOLDING
from kulla.tower.services import register_tables

SEATS = {"oak": 2, "elm": 1, "fir": 1}
JOB = (ALLOCATOR.role, ALLOCATOR.subject)
wishes = st.lists(
    st.lists(st.sampled_from(sorted(SEATS)), unique=True, min_size=1), min_size=4, max_size=7
)
picks = st.integers(0, 50)
answers = st.sampled_from(["accepted", "waiting", "declined"])


def number(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int)
    return value


class ResultHistories(RuleBasedStateMachine):
    """One small round, allocated by serial dictatorship, then whatever anybody does."""

    @initialize(wished=wishes, kept=st.integers(0, 1))
    def allocate(self, wished: list[list[str]], kept: int) -> None:
        self.desk = open_round(SEATS)
        self.children = [
            apply_for(self.desk, str(place), choices) for place, choices in enumerate(wished)
        ]
        draw(self.desk)
        free = dict(SEATS) | {"oak": SEATS["oak"] - kept}
        rows: list[Any] = []
        places: list[Any] = []
        for child, choices in zip(self.children, wished, strict=True):
            seat = next((name for name in choices if free[name]), "")
            if seat:
                free[seat] -= 1
            choice = choices.index(seat) + 1 if seat else 0
            rows.append([child, seat, "open" if seat else "", choice])
            higher = choices[: choice - 1] if seat else choices
            for place, name in enumerate(higher, 1):
                order = 1 + sum(1 for one in places if one[0] == name)
                places.append([name, child, order, place])
        self.kept = {"oak": kept}
        post(self.desk, rows, places, [["oak", kept]] if kept else [])
        offer(self.desk)
        self.late = 0

    def some(self, pick: int) -> str:
        return self.children[pick % len(self.children)]

    def ask(self, *args: Any, **data: Any) -> Any:
        before = {name: dict(rows) for name, rows in self.desk.rows.tables.items()}
        answer = self.desk.ask(*args, round=ROUND, **data)
        if isinstance(answer, Refusal):
            assert answer.code not in ("malformed", "not-allowed"), answer
            assert self.desk.rows.tables == before
        return answer

    @rule(pick=picks, answer=answers)
    def answer(self, pick: int, answer: str) -> None:
        self.ask("citizen", self.some(pick), "answer_offer", answer=answer)

    @rule(pick=picks, programme=st.sampled_from(sorted(SEATS)))
    def leave(self, pick: int, programme: str) -> None:
        self.ask("citizen", self.some(pick), "leave_lists", programmes=[programme])

    @rule(programme=st.sampled_from(sorted(SEATS)))
    def settle(self, programme: str) -> None:
        """Who moves is the first in the list, and nobody behind them moves before them."""
        waiting = sorted(
            (number(row, "order"), row["child"])
            for row in self.places()
            if row["programme"] == programme
        )
        answer = self.ask(*JOB, "settle_list", programme=programme)
        if not isinstance(answer, Refusal):
            moved = [act.data["child"] for act in answer]
            assert moved == [child for _, child in waiting[: len(moved)]]

    @rule(days=st.integers(0, 4))
    def lapse(self, days: int) -> None:
        self.desk.now_ms += days * DAY_S * 1000
        self.ask(*JOB, "lapse_offers", children=self.children)

    @rule(programmes=st.lists(st.sampled_from(sorted(SEATS)), unique=True, min_size=1))
    def come_late(self, programmes: list[str]) -> None:
        self.late += 1
        child = enter(self.desk, f"late-{self.late}")
        self.children.append(child)
        self.ask("clerk", CLERK, "place_late", child=child, programmes=programmes)

    @rule(pick=picks, programmes=st.lists(st.sampled_from(sorted(SEATS)), unique=True, min_size=1))
    def join_more_lists(self, pick: int, programmes: list[str]) -> None:
        self.ask("clerk", CLERK, "place_late", child=self.some(pick), programmes=programmes)

    @rule(pick=picks)
    def appeal(self, pick: int) -> None:
        self.ask("citizen", self.some(pick), "appeal", text=SEALED)

    @precondition(lambda self: self.desk.rows.find(tables.APPEAL, state="appealed"))
    @rule(programme=st.sampled_from(["", *sorted(SEATS)]))
    def decide(self, programme: str) -> None:
        row = self.desk.rows.find(tables.APPEAL, state="appealed")[0]
        about = {"child": row["child"], "appeal": row["id"], "reason": SEALED}
        verdict = "granted" if programme else "rejected"
        self.ask("clerk", CLERK, "decide_appeal", verdict=verdict, programme=programme, **about)

    def places(self) -> list[Row]:
        return self.desk.rows.find(tables.PLACE, state=tables.IN_LIST)

    @invariant()
    def no_programme_is_over_capacity_but_for_appeals(self) -> None:
        results = self.desk.rows.find(tables.RESULT)
        for name, seats in SEATS.items():
            held = sum(
                1
                for row in results
                if row["programme"] == name and row["state"] in HOLDING and row["pool"] != "appeal"
            )
            assert held + self.kept.get(name, 0) <= seats
            filled = self.desk.rows.get(tables.FILLED, f"{ROUND}-{name}")
            counted = (filled["held"], filled["waiting"]) if filled else (0, 0)
            waiting = sum(1 for row in self.places() if row["programme"] == name)
            assert counted == (held, waiting)

    @invariant()
    def nobody_waits_for_what_they_hold_or_like_less(self) -> None:
        for place in self.places():
            result = self.desk.rows.get(tables.RESULT, f"{ROUND}-{place['child']}")
            assert result is not None
            assert result["state"] not in (tables.ACCEPTED, tables.LAPSED) or self.came_later(place)
            if result["state"] in HOLDING and result["choice"]:
                assert number(place, "choice") < number(result, "choice")

    def came_later(self, place: Row) -> bool:
        """A lapsed family may come to the counter again, at the end of the lists."""
        late = {
            (act.data["child"], act.data["programme"])
            for act in self.desk.acts
            if act.name == "late_placed"
        }
        return (place["child"], place["programme"]) in late

    @invariant()
    def orders_in_a_list_are_each_once(self) -> None:
        orders = [(row["programme"], row["order"]) for row in self.desk.rows.find(tables.PLACE)]
        assert len(set(orders)) == len(orders)

    def teardown(self) -> None:
        """A replay, with the lottery at its place, gives the same rows."""
        if not hasattr(self, "desk"):
            return
        rows = MemoryRows(register_tables())
        for act in self.desk.acts:
            self.desk.service.acts[act.name].apply(rows, act)
            if act.name == "round_closed":
                drawn(rows)
        assert rows.tables == self.desk.rows.tables


TestResultHistories = ResultHistories.TestCase
TestResultHistories.settings = settings(
    max_examples=max(40, settings().max_examples), stateful_step_count=40
)
