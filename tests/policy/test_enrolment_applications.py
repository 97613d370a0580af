"""Who may apply for whom, when, and for what; one application a child, whoever files it."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.desk import Desk
from fakes.enrolment import CLOSES_S, OPENS_S, ROUND, open_round, round_row, wish
from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row
from kulla.kernel.service import Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.applications import policy
from kulla.services.enrolment.applications.wishes import FILE_BYTES_MAX
from kulla.services.enrolment.service import SERVICE

MOTHER, FATHER, CLERK = "a" * 32, "b" * 32, "c" * 32
ERA, TEA = "e" * 32, "f" * 32
FILE: dict[str, Any] = {
    "round": ROUND,
    "kind": "claim",
    "name": b"n",
    "media_type": "application/pdf",
    "size": 1000,
    "blob": b"1" * 32,
}


class Family(Desk):
    """The desk of a round that has been open for a day, with Era's facts entered."""

    def family(self, name: str, /, *, by: str = MOTHER, child: str = ERA, **data: Any) -> Any:
        """What became of a guardian's command: the refusal's code, or the first act."""
        self.behalf = child
        answer = self.ask("citizen", by, name, **data)
        self.behalf = ""
        return answer.code if isinstance(answer, Refusal) else answer[0]

    def counter(self, name: str, /, *, child: str = ERA, by: str = CLERK, **data: Any) -> Any:
        """What became of a clerk's command."""
        answer = self.ask("clerk", by, name, child=child, **data)
        return answer.code if isinstance(answer, Refusal) else answer[0]

    def application(self, child: str = ERA) -> Row:
        row = self.rows.get(tables.APPLICATION, f"{ROUND}-{child}")
        assert row is not None
        return row


@pytest.fixture
def desk() -> Family:
    desk = Family(SERVICE, (OPENS_S + 86_400) * 1000)
    open_round(desk.rows)
    desk.family("enter_child", facts=b"sealed", source="register")
    return desk


def test_a_child_has_one_application_whoever_files_it(desk: Family) -> None:
    assert desk.family("apply", **wish()).data["by"] == "guardian"
    assert desk.family("apply", by=FATHER, **wish("sami-1", change=2)).data["change"] == 2
    row = desk.application()
    assert (row["choices"], row["actor"], row["changes"]) == ('["sami-1"]', FATHER, 2)
    assert desk.counter("apply", **wish("naim-1", change=3)).data["by"] == "counter"
    assert len(desk.rows.find(tables.APPLICATION)) == 1


def test_who_did_not_see_the_others_change_is_told_and_overwrites_nothing(desk: Family) -> None:
    desk.family("apply", **wish("naim-1"))
    desk.family("apply", by=FATHER, **wish("sami-1", change=2))
    assert desk.family("apply", **wish("kamez-1", change=2)) == "changed-meanwhile"
    desk.family("withdraw", by=FATHER, round=ROUND)
    assert desk.family("apply", **wish("kamez-1", change=3)) == "changed-meanwhile"
    assert desk.application()["state"] == "withdrawn"
    assert desk.family("apply", **wish("kamez-1", change=4)).name == "applied"
    assert desk.application()["state"] == "filed"


@pytest.mark.parametrize(
    ("at_s", "state", "said"),
    [
        (OPENS_S - 1, tables.PUBLISHED, "not-open"),
        (OPENS_S, tables.PUBLISHED, "applied"),
        (CLOSES_S - 1, tables.PUBLISHED, "applied"),
        (CLOSES_S, tables.PUBLISHED, "closed"),
        (OPENS_S, tables.PREPARED, "round-unknown"),
        (OPENS_S, tables.CLOSED, "closed"),
        (OPENS_S, tables.ENDED, "closed"),
    ],
)
def test_one_applies_between_the_two_days(desk: Family, at_s: int, state: str, said: str) -> None:
    desk.rows.put(tables.ROUND, round_row() | {"state": state})
    desk.now_ms = at_s * 1000
    answer = desk.family("apply", **wish())
    assert getattr(answer, "name", answer) == said


def test_after_the_deadline_nothing_of_an_application_changes(desk: Family) -> None:
    desk.family("apply", **wish())
    document = desk.family("add_document", **FILE).data["document"]
    desk.now_ms = CLOSES_S * 1000
    assert desk.family("withdraw", round=ROUND) == "closed"
    assert desk.family("add_document", **FILE) == "closed"
    assert desk.family("remove_document", round=ROUND, document=document) == "closed"
    assert desk.counter("apply", **wish(change=2)) == "closed"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"choices": ["naim-10"]}, "programme-unknown"),
        ({"choices": ["nowhere"]}, "programme-unknown"),
        ({"choices": ["naim-1", "naim-1"]}, "malformed"),
        ({"choices": []}, "malformed"),
        ({"choices": ["naim-1", "sami-1", "kamez-1", "vlore-1", "a", "b"]}, "too-many-choices"),
        ({"round": "2030"}, "round-unknown"),
        ({"change": 2}, "changed-meanwhile"),
        ({"change": 0}, "malformed"),
        ({"facts": b""}, "malformed"),
        ({"commitment": b"short"}, "malformed"),
        ({"undecided": [1, 1]}, "malformed"),
        ({"undecided": [20]}, "malformed"),
        ({"more": 1}, "malformed"),
    ],
)
def test_what_does_not_fit_is_refused(desk: Family, changed: dict[str, Any], code: str) -> None:
    assert desk.family("apply", **{**wish(), **changed}) == code
    assert desk.rows.find(tables.APPLICATION) == []


def test_a_family_names_no_child_but_the_one_they_act_for(desk: Family) -> None:
    desk.behalf = ERA
    data: dict[str, Any] = wish() | {"child": TEA}
    assert desk.refused("citizen", MOTHER, "apply", **data).code == "malformed"


def test_a_child_whose_facts_nobody_entered_does_not_apply(desk: Family) -> None:
    assert desk.family("apply", child=TEA, **wish()) == "child-unknown"


def test_a_counter_enters_a_child_whom_the_register_does_not_know(desk: Family) -> None:
    data = {"facts": b"s", "source": "counter"}
    assert desk.counter("enter_child", child=TEA, **data) == "malformed"
    assert desk.counter("enter_child", child=TEA, **data, document="passport").name
    assert desk.family("enter_child", child=TEA, **data, document="passport") == "malformed"
    assert desk.counter("apply", child=TEA, **wish()).data["child"] == TEA


def test_a_file_counts_with_the_blob_that_its_entry_names(desk: Family) -> None:
    assert desk.family("add_document", **FILE) == "application-unknown"
    desk.family("apply", **wish())
    assert desk.family("add_document", **FILE).name == "document_added"
    assert desk.family("add_document", **FILE) == "document-twice"
    assert desk.family("add_document", **FILE | {"size": FILE_BYTES_MAX + 1}) == "malformed"
    assert desk.family("add_document", **FILE | {"media_type": "text/html"}) == "malformed"
    for number in range(policy.DOCUMENTS_MAX - 1):
        desk.family("add_document", **FILE | {"blob": bytes([number]) * 32})
    assert desk.family("add_document", **FILE | {"blob": b"x" * 32}) == "too-many-documents"


def test_handing_in_and_removing_in_turns_does_not_go_on_for_ever(desk: Family) -> None:
    desk.family("apply", **wish())
    for number in range(policy.HANDED_IN_MAX):
        added = desk.family("add_document", **FILE | {"blob": bytes([number]) * 32})
        desk.family("remove_document", round=ROUND, document=added.data["document"])
    assert desk.family("add_document", **FILE | {"blob": b"x" * 32}) == "too-many-handed-in"
    assert desk.counter("add_document", **FILE | {"blob": b"x" * 32}) == "too-many-handed-in"


def test_nobody_removes_a_file_of_another_child(desk: Family) -> None:
    desk.family("apply", **wish())
    document = desk.family("add_document", **FILE).data["document"]
    desk.family("enter_child", child=TEA, facts=b"s", source="register")
    desk.family("apply", child=TEA, **wish())
    taken = {"round": ROUND, "document": document}
    assert desk.family("remove_document", child=TEA, **taken) == "document-unknown"
    assert desk.family("remove_document", **taken).name == "document_removed"
    assert desk.rows.find(tables.DOCUMENT) == []


def test_a_clerk_decides_claims_until_the_draw_and_never_their_own(desk: Family) -> None:
    decision = {"round": ROUND, "claim": 0, "change": 1, "verdict": "confirmed", "reason": b"r"}
    assert desk.counter("decide_claim", **decision) == "application-unknown"
    desk.family("apply", **wish())
    assert desk.counter("decide_claim", by=MOTHER, **decision) == "own-matter"
    assert desk.counter("decide_claim", **decision).data["verdict"] == "confirmed"
    assert desk.counter("decide_claim", **decision | {"verdict": "refused"}).name
    assert [row["state"] for row in desk.rows.find(tables.CLAIM)] == ["refused"]
    assert desk.family("decide_claim", **decision) == "not-allowed"
    desk.rows.put(tables.ROUND, round_row() | {"state": tables.CLOSED})
    assert desk.counter("decide_claim", **decision).name
    desk.rows.put(tables.ROUND, round_row() | {"state": tables.DRAWN})
    assert desk.counter("decide_claim", **decision) == "decided-by-now"


def test_a_decision_falls_where_the_claim_became_another(desk: Family) -> None:
    desk.family("apply", **wish())
    decision = {"round": ROUND, "change": 1, "verdict": "confirmed", "reason": b"r"}
    for claim in (0, 1):
        desk.counter("decide_claim", claim=claim, **decision)
    desk.family("apply", **wish("sami-1", change=2, undecided=[1]))
    assert [row["number"] for row in desk.rows.find(tables.CLAIM)] == [0]
    assert desk.counter("decide_claim", claim=1, **decision) == "changed-meanwhile"


def test_the_history_says_who_did_what(desk: Family) -> None:
    desk.family("apply", **wish())
    desk.counter("add_document", **FILE)
    desk.family("withdraw", by=FATHER, round=ROUND)
    told = [(row["what"], row["by"], row["actor"]) for row in desk.rows.find(tables.CHANGE)]
    assert told == [
        ("applied", "guardian", MOTHER),
        ("document_added", "counter", CLERK),
        ("withdrawn", "guardian", FATHER),
    ]


def test_an_act_that_skips_a_change_leaves_the_register_alone(desk: Family) -> None:
    desk.family("apply", **wish())
    applied = desk.acts[-1]
    before = desk.rows.tables[tables.APPLICATION].copy()
    with pytest.raises(UnfitAct, match="does not follow"):
        SERVICE.acts["applied"].apply(desk.rows, applied)
    assert desk.rows.tables[tables.APPLICATION] == before
