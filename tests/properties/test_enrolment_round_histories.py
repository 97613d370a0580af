"""Whatever the ministry asks, in whatever order: what is published stands, days only move later.

Registers equal a replay of the acts after every history.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes import ministry
from fakes.ministry import DAY_S, DAYS, MINISTRY, PROGRAMMES, RULES, SCHOOLS
from kulla.kernel.service import Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.rounds import rules_text, wishes

ROUNDS = ["main", "second"]
ORDER = ["prepared", "published", "closed", "drawn", "allocated", "offered", "ended"]
OTHER = rules_text.text_of(RULES).replace('"choices_max":5', '"choices_max":3')

rounds = st.sampled_from(ROUNDS)
programmes = st.sampled_from(PROGRAMMES)
shifts = st.tuples(*[st.integers(-1, 5)] * 4)


class Histories(RuleBasedStateMachine):
    """Random commands on a main round and one that follows it."""

    @initialize()
    def begin(self) -> None:
        self.desk = ministry.ministry()
        self.was: dict[str, dict[str, Any]] = {}
        self.stood: dict[str, tuple[Any, ...]] = {}
        self.ask("prepare_round", **ministry.prepared("main"))

    def ask(self, name: str, /, **data: Any) -> None:
        answer = self.desk.ask("clerk", MINISTRY, name, **data)
        if isinstance(answer, Refusal):
            assert answer.code not in ("malformed", "not-allowed", "rules-wrong"), answer

    @rule(round_=rounds, shift=shifts, again=st.booleans())
    def prepare(self, round_: str, shift: tuple[int, ...], again: bool) -> None:
        days = dict(
            zip(
                wishes.DAYS,
                (at + by * DAY_S for at, by in zip(DAYS.values(), shift, strict=True)),
                strict=True,
            )
        )
        parent = "main" if round_ == "second" else ""
        name = "change_round" if again else "prepare_round"
        self.ask(name, **ministry.prepared(round_, parent=parent, **days))

    @rule(round_=rounds, other=st.booleans())
    def set_rules(self, round_: str, other: bool) -> None:
        text = OTHER if other else rules_text.text_of(RULES)
        self.ask("set_rules", round=round_, rules=text)

    @rule()
    def enter_schools(self) -> None:
        self.ask("enter_schools", schools=SCHOOLS)

    @rule(round_=rounds)
    def set_all(self, round_: str) -> None:
        self.ask("set_programmes", round=round_, programmes=PROGRAMMES)

    @rule(round_=rounds, row=programmes, seats=st.integers(0, 3))
    def set_one(self, round_: str, row: list[Any], seats: int) -> None:
        named = dict(zip(wishes.PROGRAMME_FIELDS, row, strict=True))
        self.ask("set_programme", round=round_, **{**named, "pools": [["open", seats]]})

    @rule(round_=rounds, row=programmes)
    def remove(self, round_: str, row: list[Any]) -> None:
        self.ask("remove_programme", round=round_, programme=row[0])

    @rule(round_=rounds)
    def complete_and_publish(self, round_: str) -> None:
        self.set_rules(round_, False)
        self.enter_schools()
        self.set_all(round_)
        self.ask("publish_round", round=round_)

    @rule(round_=rounds)
    def publish(self, round_: str) -> None:
        self.ask("publish_round", round=round_)

    @rule(round_=rounds, shift=shifts)
    def move(self, round_: str, shift: tuple[int, ...]) -> None:
        row = self.desk.rows.get(tables.ROUND, round_)
        days = {
            name: (int(str(row[name])) if row else at) + by * DAY_S
            for (name, at), by in zip(DAYS.items(), shift, strict=True)
        }
        self.ask("move_round", round=round_, why="Floods.", **days)

    @rule(round_=rounds)
    def close(self, round_: str) -> None:
        self.ask("close_round", round=round_)

    @rule(round_=rounds)
    def end(self, round_: str) -> None:
        self.ask("end_round", round=round_)

    @rule(round_=rounds)
    def others_go_on(self, round_: str) -> None:
        """Lottery and results: their acts are other rooms', so their state is put by hand."""
        row = self.desk.rows.get(tables.ROUND, round_)
        if row is not None and row["state"] == tables.CLOSED:
            self.desk.rows.put(tables.ROUND, row | {"state": tables.OFFERED})
            self.by_hand = True

    @rule(days=st.sampled_from([0, 1, 7, 30]))
    def wait(self, days: int) -> None:
        self.desk.now_ms += days * DAY_S * 1000

    @invariant()
    def days_are_in_order_and_published_ones_never_move_to_earlier(self) -> None:
        for key, row in self.desk.rows.tables[tables.ROUND].items():
            days = [int(str(row[name])) for name in wishes.DAYS]
            assert days == sorted(set(days))
            before = self.was.get(str(key))
            if before is not None and before["state"] != tables.PREPARED:
                assert all(row[name] >= before[name] for name in wishes.DAYS)
            if before is not None:
                assert ORDER.index(str(row["state"])) >= ORDER.index(str(before["state"]))
            self.was[str(key)] = dict(row)

    @invariant()
    def rules_and_seats_of_a_published_round_stand(self) -> None:
        for key, row in self.desk.rows.tables[tables.ROUND].items():
            if row["state"] == tables.PREPARED:
                continue
            stands = (
                row["rules_version"],
                self.desk.rows.find(tables.PROGRAMME, round=key),
                self.desk.rows.get(tables.RULES, f"{key}-{row['rules_version']}"),
            )
            assert self.stood.setdefault(str(key), stands) == stands
            assert stands[1], "a round without programmes was published"
            assert stands[2], "a round without rules was published"

    @invariant()
    def every_move_is_kept_with_its_reason(self) -> None:
        moves = self.desk.rows.find(tables.MOVE)
        assert len(moves) == sum(act.name == "round_moved" for act in self.desk.acts)
        assert all(move["why"] for move in moves)

    @invariant()
    def no_list_closes_before_its_day(self) -> None:
        for act in self.desk.acts:
            if act.name == "round_closed":
                row = self.desk.rows.get(tables.ROUND, act.data["round"])
                assert row is not None
                assert act.at_ms >= int(str(row["closes_s"])) * 1000

    def teardown(self) -> None:
        if hasattr(self, "desk") and not hasattr(self, "by_hand"):
            assert self.desk.replayed().tables == self.desk.rows.tables


TestRoundHistories = Histories.TestCase
TestRoundHistories.settings = settings(
    max_examples=max(40, settings().max_examples), stateful_step_count=40
)
