"""Whatever families and counters do in whatever order: one application a child, replays agree."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fakes.desk import Desk
from fakes.enrolment import CLOSES_S, OPENS_S, PROGRAMMES, ROUND, open_round, wish
from fakes.rows import MemoryRows
from kulla.kernel.service import Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.applications.policy import DOCUMENTS_MAX
from kulla.services.enrolment.service import SERVICE
from kulla.tower.services import register_tables

CHILDREN = ["1" * 32, "2" * 32]
GUARDIANS = ["a" * 32, "b" * 32]
CLERK = "c" * 32
KEYS = [programme for programme, *_ in PROGRAMMES]

who = st.sampled_from([*GUARDIANS, CLERK])
child = st.sampled_from(CHILDREN)
MINE = (tables.CHILD, tables.APPLICATION, tables.DOCUMENT, tables.CLAIM, tables.CHANGE)


class ApplicationHistories(RuleBasedStateMachine):
    """A round that opens, is used, and closes; two children, two guardians, a clerk."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(SERVICE, OPENS_S * 1000)
        open_round(self.desk.rows)

    def ask(self, by: str, about: str, command: str, /, **data: Any) -> Any:
        before = {table: dict(rows) for table, rows in self.desk.rows.tables.items()}
        self.desk.behalf = "" if by == CLERK else about
        if by == CLERK:
            answer = self.desk.ask("clerk", CLERK, command, child=about, **data)
        else:
            answer = self.desk.ask("citizen", by, command, **data)
        self.desk.behalf = ""
        if isinstance(answer, Refusal):
            assert self.desk.rows.tables == before, "a refusal changes nothing"
        return answer

    def changes(self, about: str) -> int:
        row = self.desk.rows.get(tables.APPLICATION, f"{ROUND}-{about}")
        return 0 if row is None else int(str(row["changes"]))

    @rule(by=who, about=child)
    def enter(self, by: str, about: str) -> None:
        self.ask(by, about, "enter_child", facts=b"f", source="register")

    @rule(
        by=who,
        about=child,
        choices=st.lists(st.sampled_from(KEYS), min_size=1, max_size=6),
        off=st.integers(0, 2),
        undecided=st.sets(st.integers(0, 2)),
    )
    def apply(self, by: str, about: str, choices: list[str], off: int, undecided: set[int]) -> None:
        change = self.changes(about) + (1 if off < 2 else 0)
        more = {"undecided": sorted(undecided)}
        self.ask(by, about, "apply", **wish(*choices, change=change, **more))

    @rule(by=who, about=child)
    def withdraw(self, by: str, about: str) -> None:
        self.ask(by, about, "withdraw", round=ROUND)

    @rule(by=who, about=child, number=st.integers(0, 20))
    def add(self, by: str, about: str, number: int) -> None:
        file = {"name": b"n", "media_type": "image/png", "size": 9, "blob": bytes([number]) * 32}
        self.ask(by, about, "add_document", round=ROUND, kind="claim", **file)

    @rule(by=who, about=child, pick=st.integers(0, 50))
    def remove(self, by: str, about: str, pick: int) -> None:
        rows = self.desk.rows.find(tables.DOCUMENT)
        key = rows[pick % len(rows)]["id"] if rows else "0" * 32
        self.ask(by, about, "remove_document", round=ROUND, document=key)

    @rule(about=child, claim=st.integers(0, 3), verdict=st.sampled_from(["confirmed", "refused"]))
    def decide(self, about: str, claim: int, verdict: str) -> None:
        decision = {"claim": claim, "verdict": verdict, "reason": b"r"}
        change = self.changes(about) or 1
        self.ask(CLERK, about, "decide_claim", round=ROUND, change=change, **decision)

    @rule(hours=st.integers(1, 60))
    def time_goes_on(self, hours: int) -> None:
        self.desk.now_ms += hours * 3_600_000

    @invariant()
    def a_child_has_one_application_and_it_is_of_the_round(self) -> None:
        rows = self.desk.rows.find(tables.APPLICATION)
        assert len({row["child"] for row in rows}) == len(rows)
        for row in rows:
            choices = json.loads(str(row["choices"]))
            assert 0 < len(set(choices)) == len(choices) <= 5
            assert all(choice.endswith(f"-{row['grade']}") for choice in choices)
            assert OPENS_S * 1000 <= int(str(row["changed_ms"])) < CLOSES_S * 1000

    @invariant()
    def the_history_counts_every_change(self) -> None:
        for row in self.desk.rows.find(tables.APPLICATION):
            told = self.desk.rows.find(tables.CHANGE, application=row["id"])
            counted = [one for one in told if one["what"] in ("applied", "withdrawn")]
            assert len(counted) == row["changes"]
            assert counted[-1]["actor"] == row["actor"]

    @invariant()
    def files_are_bounded_and_of_applications(self) -> None:
        keys = {row["id"] for row in self.desk.rows.find(tables.APPLICATION)}
        rows = self.desk.rows.find(tables.DOCUMENT)
        assert {row["application"] for row in rows} <= keys
        for key in keys:
            blobs = [row["blob"] for row in rows if row["application"] == key]
            assert len(set(blobs)) == len(blobs) <= DOCUMENTS_MAX

    def teardown(self) -> None:
        """A rebuild from the acts gives the same rows."""
        rows = MemoryRows(register_tables())
        open_round(rows)
        for act in self.desk.acts:
            SERVICE.acts[act.name].apply(rows, act)
        for table in MINE:
            assert rows.tables[table] == self.desk.rows.tables[table], table


TestApplicationHistories = ApplicationHistories.TestCase
TestApplicationHistories.settings = settings(
    max_examples=max(40, settings().max_examples), stateful_step_count=50
)
