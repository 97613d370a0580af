"""Letters about school enrolment: to guardians, once, behind the watermark, in bounded turns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.portal import CLOCK
from fakes.post import Home
from fakes.school_country import ANSWER_BY_S, CLOSES_S, DAY_S, RESULTS_S, ROUND, SchoolRound
from kulla.kernel.service import Actor
from kulla.services.enrolment import tables
from kulla.services.messages.apply import LOOKED
from kulla.tower.post import enrolment_letters, sources
from kulla.tower.post.registers import PostRegisters

RESULT = "The result of school enrolment is there"


class Families:
    """A home with a round: Ana and Besim are the guardians of one child, Ana alone of another."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        people = [subject for subject, _ in self.home.tower.enrol(2)]
        self.round = SchoolRound(self.home.country, CLOCK)
        self.ana, self.besim = self.home.account(0, "en"), self.home.account(1, "en")
        self.child, self.other = people
        self.round.relate(self.ana, self.child)
        self.round.relate(self.besim, self.child)
        self.round.relate(self.ana, self.other)

    def by_ana(self, child: str) -> Actor:
        """Ana, on a child's behalf."""
        return Actor("citizen", self.ana, child)

    def letters(self) -> list[tuple[str, str]]:
        """(address, subject) of what goes now, in order; what went before is forgotten."""
        self.home.mail.taken.clear()
        CLOCK.at_ms += 5_000
        self.home.turns()
        CLOCK.at_ms += 5_000  # what could not be recorded at once is asked again
        self.home.turns()
        return sorted((letter.address, letter.subject) for letter in self.home.mail.taken)

    def later(self, at_s: int) -> list[tuple[str, str]]:
        """The same at an instant."""
        self.round.at(at_s)
        return self.letters()


@pytest.fixture
def families(tmp_path: Path) -> Iterator[Families]:
    made = Families(tmp_path)
    yield made
    made.home.post.close()


def _both(subject: str) -> list[tuple[str, str]]:
    return [("person0@example.al", subject), ("person1@example.al", subject)]


def test_both_guardians_are_told_of_an_application_and_read_nothing_personal(
    families: Families,
) -> None:
    application = families.round.apply(families.child, by=families.by_ana(families.child))
    assert families.letters() == _both("The application for school is received")
    for letter in families.home.mail.taken:
        for word in ("naim", "sami", "Shkolla", "Klasa", families.child, ROUND, "Regjistrimi"):
            assert word not in letter.subject + letter.body
        assert "https://sherbime.example.al/enrolment/children" in letter.body
    rows = families.home.rows()
    assert {(row["kind"], row["about"]) for row in rows} == {("school-applied", application)}
    assert {reason for _, reason in families.home.tower.opened} == {"letter: school-applied"}
    assert families.letters() == []


def test_a_change_by_the_other_guardian_is_told_and_of_two_the_last(families: Families) -> None:
    families.round.apply(families.child, by=families.by_ana(families.child))
    families.letters()
    besim = Actor("citizen", families.besim, families.child)
    families.round.apply(families.child, "sami-1", by=besim, change=2)
    families.round.apply(families.child, "naim-1", by=besim, change=3)
    assert families.letters() == _both("The application for school was changed")
    families.round.ask(besim, "withdraw", round=ROUND)
    assert families.letters() == _both("The application for school was withdrawn")


def test_who_has_a_power_of_attorney_and_the_child_get_no_letter(families: Families) -> None:
    families.home.account(2)
    secret = b"second secret..."
    grant = {"secret_hash": hashlib.sha256(secret).digest(), "until_day": ""}
    families.home.ask(Actor("citizen", families.child), "accounts", "grant_attorney", **grant)
    friend = Actor("citizen", families.home.country.citizens[2])
    families.home.ask(friend, "accounts", "accept_attorney", secret=secret)
    families.round.apply(families.child)
    assert len(families.letters()) == 2


def test_nothing_is_told_ahead_of_the_watermark(families: Families) -> None:
    families.home.tower.held = True
    families.round.apply(families.child)
    assert families.letters() == []
    families.home.tower.let_go()
    assert len(families.letters()) == 2


def test_the_result_is_there_and_until_when_to_answer(families: Families) -> None:
    for child in (families.child, families.other):
        families.round.apply(child)
    families.letters()
    families.round.allocate(**{families.child: "naim-1", families.other: ""})
    assert families.letters() == [
        ("person0@example.al", RESULT),
        ("person0@example.al", RESULT),
        ("person1@example.al", RESULT),
    ]
    said = [letter.body for letter in families.home.mail.taken]
    assert all("https://sherbime.example.al/enrolment/results\n" in body for body in said)
    assert sum("Please answer by Tuesday 24 February 2026, 09:00" in body for body in said) == 2
    again = families.home.fresh()
    families.home.turns(again)
    again.close()
    assert len(families.home.mail.taken) == 3


def test_who_has_answered_before_the_letter_went_gets_none(families: Families) -> None:
    families.round.apply(families.child)
    families.letters()
    families.home.mail.script = ["down"] * 9
    families.round.allocate(**{families.child: "naim-1"})
    assert families.letters() == []
    ana = families.by_ana(families.child)
    families.round.ask(ana, "answer_offer", round=ROUND, answer="accepted")
    families.home.mail.script = []
    CLOCK.at_ms += 300_000
    assert families.letters() == []
    assert families.home.post.waiting() == 0


def test_a_reminder_goes_two_days_before_the_deadline_to_who_has_not_answered(
    families: Families,
) -> None:
    for child in (families.child, families.other):
        families.round.apply(child)
    families.letters()
    families.round.allocate(**{families.child: "naim-1", families.other: "sami-1"})
    families.letters()
    other = families.by_ana(families.other)
    families.round.ask(other, "answer_offer", round=ROUND, answer="accepted")
    assert families.later(ANSWER_BY_S - 2 * DAY_S - 60) == []
    reminder = "Reminder: a school offer waits for your answer"
    assert families.later(ANSWER_BY_S - 2 * DAY_S + 3601) == _both(reminder)
    assert families.later(ANSWER_BY_S - DAY_S) == []


def test_a_deadline_that_moved_is_reminded_of_when_it_is_near(families: Families) -> None:
    families.round.apply(families.child)
    families.letters()
    families.round.allocate(**{families.child: "naim-1"})
    families.letters()
    later_s = ANSWER_BY_S + 5 * DAY_S
    days = {"closes_s": CLOSES_S, "results_s": RESULTS_S, "answer_by_s": later_s}
    row = families.home.tower._rows.get(tables.ROUND, ROUND)
    assert row is not None
    families.round.clerk(
        "move_round", round=ROUND, opens_s=row["opens_s"], why="the line was down", **days
    )
    assert families.letters() == _both("Days of school enrolment were moved")
    assert "Sunday 1 March 2026" in families.home.mail.taken[0].body
    assert "Families may apply" not in families.home.mail.taken[0].body
    assert families.later(ANSWER_BY_S - DAY_S) == []
    assert len(families.later(later_s - DAY_S)) == 2


def test_a_waiting_list_that_moves_and_an_offer_that_lapses_are_told(families: Families) -> None:
    for child in (families.child, families.other):
        families.round.apply(child)
    families.letters()
    families.round.allocate(**{families.child: "sami-1", families.other: ""})
    families.letters()
    families.round.job("settle_list", round=ROUND, programme="naim-1")
    place = "A place at a school became free"
    assert families.letters() == [("person0@example.al", place), *_both(place)]
    [until] = {
        row["answer_by_s"] for row in families.home.tower._rows.find(tables.RESULT, state="open")
    }
    families.round.at(until + 60)
    children = [families.child, families.other]
    families.round.job("lapse_offers", round=ROUND, children=children)
    lapsed = "An offer of a place at a school has lapsed"
    assert families.letters() == [("person0@example.al", lapsed), *_both(lapsed)]


def test_a_decided_appeal_is_told_without_its_outcome(families: Families) -> None:
    families.round.apply(families.child)
    families.letters()
    families.round.allocate(**{families.child: ""})
    families.letters()
    families.round.ask(families.by_ana(families.child), "appeal", round=ROUND, text=b"t" * 30)
    [appeal] = families.home.tower._rows.find(tables.APPEAL)
    decided = {"appeal": appeal["id"], "verdict": "granted", "reason": b"r" * 30}
    families.round.clerk(
        "decide_appeal", round=ROUND, child=families.child, programme="naim-1", **decided
    )
    assert families.letters() == _both("Your appeal about school enrolment is decided")
    body = families.home.mail.taken[0].body
    assert "Please answer by" in body
    assert "granted" not in body


def test_results_of_a_whole_round_are_read_in_bounded_turns_and_go_on_after_a_crash(
    families: Families, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies in the middle leaves the note behind, and nobody is told twice."""
    home = families.home
    children = [subject for subject, _ in home.tower.enrol(30)][2:]
    for child in children:
        families.round.relate(families.besim, child)
        families.round.apply(child)
    families.letters()
    families.round.allocate(**dict.fromkeys(children, "sami-1"))
    home.mail.taken.clear()
    CLOCK.at_ms += 11 * 60_000
    monkeypatch.setattr(enrolment_letters, "AT_ONCE", 4)
    first = home.fresh()
    while not first.waiting():
        first.turn()
    assert 0 < first.waiting() <= 4
    CLOCK.at_ms += 11 * 60_000
    first.turn()
    noted = [row["up_to"] for row in home.tower._rows.find(LOOKED)]
    [opened] = home.tower._rows.find("enrolment_notice", kind="school-result")
    assert all(up_to <= opened["position"] for up_to in noted)
    home.turns(first)
    first.close()
    assert len(home.mail.taken) > 0
    home.post.close()
    home.post = home.fresh()
    for _ in range(30):
        CLOCK.at_ms += 5_000
        home.turns()
    assert len(home.mail.taken) == len(children) == 28
    assert len({letter.id for letter in home.mail.taken}) == 28
    CLOCK.at_ms += 11 * 60_000
    home.turns()
    [looked] = home.tower._rows.find(LOOKED)
    assert looked["up_to"] > opened["position"]
    assert sources.AT_ONCE == 500


def test_no_look_sorts_a_whole_round(families: Families) -> None:
    """Of a table of half a million rows, each look reads a stretch of an index and no more."""
    rows = PostRegisters(families.home.folder / "registers.sqlite")
    seen: list[str] = []
    for table in (tables.RESULT, tables.APPLICATION):
        asked = enrolment_letters.CHILDREN_AFTER.format(table=table)
        plan = rows.all(f"EXPLAIN QUERY PLAN {asked}", "a", "b", "c", 5)
        seen += [step["detail"] for step in plan]
    assert len(seen) == 2
    assert all(step.endswith("USING PRIMARY KEY (id>? AND id<?)") for step in seen), seen
    asked = enrolment_letters.UNANSWERED_AFTER
    plan = rows.all(f"EXPLAIN QUERY PLAN {asked}", "open", "offered", 0, "", 9, 5)
    first, second = (step["detail"] for step in plan)
    assert "enrolment_result_state_answer_by_s (state=? AND (answer_by_s,id)>(?,?)" in first
    assert second.startswith("SEARCH r ")
    rows.close()


def test_many_results_keep_no_booking_from_being_confirmed(
    families: Families, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kulla.tower.post import messages

    monkeypatch.setattr(messages, "A_TURN", 2)
    children = [subject for subject, _ in families.home.tower.enrol(12)][2:]
    for child in children:
        families.round.relate(families.besim, child)
        families.round.apply(child)
    families.letters()
    families.round.allocate(**dict.fromkeys(children, "sami-1"))
    families.home.mail.taken.clear()
    families.home.country.book(families.ana, families.home.country.slot(days=30))
    families.home.post.turn()
    subjects = sorted(letter.subject for letter in families.home.mail.taken)
    assert subjects == [RESULT, "Your appointment is confirmed"]
