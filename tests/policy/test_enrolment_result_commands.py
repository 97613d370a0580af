"""Results, answers, waiting lists, late arrivals and appeals: what each command comes to."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.school_round import (
    ANSWER_BY_S,
    CLERK,
    CLOSES_S,
    DAY_S,
    RESULTS_S,
    ROUND,
    SEALED,
    apply_for,
    draw,
    enter,
    offer,
    open_round,
    post,
    result_of,
    settle,
)
from kulla.kernel.service import ALLOCATOR, Refusal
from kulla.services.enrolment import tables

JOB = (ALLOCATOR.role, ALLOCATOR.subject)


class Day:
    """Five children, two schools with two seats and one: Ana and Ben at oak, Cen at elm."""

    def __init__(self, *, offered: bool = True) -> None:
        self.desk = open_round({"oak": 2, "elm": 1})
        both = {
            "ana": "oak elm",
            "ben": "oak elm",
            "cen": "oak elm",
            "dan": "oak elm",
            "eda": "elm",
        }
        self.ids = {name: apply_for(self.desk, name, to.split()) for name, to in both.items()}
        draw(self.desk)
        self.rows = self.results(ana="oak 1", ben="oak 1", cen="elm 2", dan="", eda="")
        self.places = self.lists(oak="cen dan", elm="dan eda")
        if offered:
            post(self.desk, self.rows, self.places)
            offer(self.desk)

    def results(self, **what: str) -> list[Any]:
        rows = []
        for name, text in what.items():
            programme, choice = text.split() if text else ("", "0")
            rows.append([self.ids[name], programme, "open" if text else "", int(choice)])
        return rows

    def lists(self, **what: str) -> list[Any]:
        return [
            [programme, self.ids[name], order, 2 if (programme, name) == ("elm", "dan") else 1]
            for programme, names in what.items()
            for order, name in enumerate(names.split(), 1)
        ]

    def ask(self, who: str, name: str, **data: Any) -> Any:
        return self.desk.ask("citizen", self.ids[who], name, round=ROUND, **data)

    def answer(self, who: str, what: str) -> Any:
        return self.ask(who, "answer_offer", answer=what)

    def of(self, who: str) -> tuple[str, str]:
        return result_of(self.desk, self.ids[who])

    def filled(self, programme: str) -> tuple[Any, Any]:
        row = self.desk.rows.get(tables.FILLED, f"{ROUND}-{programme}")
        assert row is not None
        return row["held"], row["waiting"]


def code(answer: Any) -> str:
    return answer.code if isinstance(answer, Refusal) else "done"


@pytest.fixture
def day() -> Day:
    return Day()


def post_part(day: Day, rows: Any = None, places: Any = None, **more: Any) -> Any:
    data = {"round": ROUND, "part": 1, "parts": 1, **more}
    rows = day.rows if rows is None else rows
    places = day.places if places is None else places
    return day.desk.ask(*JOB, "post_results", rows=rows, places=places, **data)


def test_only_the_job_posts_and_settles(day: Day) -> None:
    for role, subject in (("operator", "op"), ("clerk", CLERK), ("citizen", day.ids["ana"])):
        for name in ("post_results", "finish_allocation", "settle_list", "lapse_offers"):
            assert day.desk.refused(role, subject, name, round=ROUND).code == "not-allowed"
    for name in ("open_offers", "ask_allocation", "open_audit", "decide_appeal", "place_late"):
        assert day.desk.refused(*JOB, name, round=ROUND).code == "not-allowed"
        assert day.ask("ana", name).code == "not-allowed"


def test_results_must_be_what_families_asked_for_and_fit() -> None:
    day = Day(offered=False)
    stranger = [["9" * 32, "oak", "open", 1]]
    assert code(post_part(day, [*day.rows, *stranger])) == "application-unknown"
    elsewhere = day.results(ana="oak 1", eda="oak 1")
    assert code(post_part(day, elsewhere, [])) == "not-a-choice"
    assert code(post_part(day, day.results(ana="oak 3"), [])) == "not-a-choice"
    full = day.results(ana="oak 1", ben="oak 1", cen="oak 1")
    assert code(post_part(day, full, [])) == "over-capacity"
    below = [["elm", day.ids["ana"], 1, 2]]
    assert code(post_part(day, places=below)) == "not-a-choice", "a list below one's seat"
    assert code(post_part(day, part=2, parts=2)) == "part-out-of-order"
    assert code(post_part(day, [[day.ids["ana"], "oak", "open", 0]])) == "malformed"
    assert code(post_part(day)) == "done"
    assert code(post_part(day, part=2, parts=2)) == "posted-already"
    done = {"round": ROUND, "public": bytes(32), "audit": bytes(32), "placed": 3, "kept": []}
    ask = day.desk.ask
    assert code(ask(*JOB, "finish_allocation", parts=2, count=5, **done)) == "parts-missing"
    assert code(ask(*JOB, "finish_allocation", parts=1, count=4, **done)) == "count-differs"
    assert day.of("ana") == ("oak", "open")
    assert day.answer("ana", "accepted").code == "round-state", "nobody answers before it is opened"
    assert code(ask(*JOB, "finish_allocation", parts=1, count=5, **done)) == "done"


def test_transcripts_are_kept_part_by_part_under_one_key() -> None:
    day = Day(offered=False)
    subject, wrapped = "7" * 32, bytes([7]) * 32

    def keep(kind: str, part: int, key: bytes = b"", **more: Any) -> Any:
        data = {"round": ROUND, "kind": kind, "part": part, "parts": 2, "subject": subject}
        data |= {"key": key, "blob": bytes([part]) * 32}
        return day.desk.ask(*JOB, "keep_transcript", **data, **more)

    assert code(keep("public", 1, wrapped)) == "round-state", "not before there is one"
    post(day.desk, day.rows, day.places)
    assert code(day.desk.ask("clerk", CLERK, "keep_transcript", round=ROUND)) == "not-allowed"
    assert code(keep("public", 1)) == "malformed", "the first brings the key"
    assert code(keep("public", 1, wrapped)) == "done"
    assert code(keep("public", 1, wrapped)) == "kept-already"
    assert code(keep("public", 2, wrapped)) == "malformed", "and no other does"
    assert code(keep("audit", 1)) == "done"
    assert code(keep("secret", 1)) == "malformed"


def test_the_ministry_asks_once_and_only_for_a_drawn_round() -> None:
    day = Day(offered=False)
    assert code(day.desk.ask("clerk", CLERK, "ask_allocation", round=ROUND)) == "done"
    assert code(day.desk.ask("clerk", CLERK, "ask_allocation", round=ROUND)) == "asked-already"
    assert code(day.desk.ask("clerk", CLERK, "open_offers", round=ROUND)) == "round-state"
    assert code(day.desk.ask("clerk", CLERK, "ask_allocation", round="no")) == "round-unknown"


def test_accepting_leaves_lists_and_declining_moves_them_in_chains(day: Day) -> None:
    assert settle(day.desk, "oak") == [], "no seat is free"
    assert code(day.answer("ana", "accepted")) == "done"
    assert code(day.answer("ana", "accepted")) == "same-answer"
    assert code(day.answer("ben", "declined")) == "done"
    assert code(day.answer("ben", "accepted")) == "no-offer", "it is the next child's now"
    assert day.filled("oak") == (1, 2)
    assert len(settle(day.desk, "oak")) == 1
    assert day.of("cen") == ("oak", "open"), "who did not answer yet is asked again"
    assert day.filled("elm") == (0, 2), "and leaves the seat held so far"
    assert len(settle(day.desk, "elm")) == 1
    assert day.of("dan") == ("elm", "open")
    assert day.filled("oak") == (2, 1), "dan still waits for oak"
    assert settle(day.desk, "elm") == settle(day.desk, "oak") == []


def test_who_keeps_a_seat_while_waiting_moves_up_by_themself(day: Day) -> None:
    assert code(day.answer("ana", "waiting")) == "no-list", "there is nothing higher"
    assert code(day.answer("cen", "waiting")) == "done"
    day.desk.now_ms = (ANSWER_BY_S + 10) * 1000
    lapse = {"round": ROUND, "children": [day.ids["cen"], day.ids["ben"]]}
    [act] = day.desk.ask(*JOB, "lapse_offers", **lapse)
    assert act.data["rows"] == [[day.ids["ben"], "oak"]], "who said 'waiting' has answered"
    settle(day.desk, "oak")
    assert day.of("cen") == ("oak", "accepted"), "the first choice: nothing to ask any more"
    assert code(day.answer("ben", "accepted")) == "no-offer"
    settle(day.desk, "elm")
    assert day.of("dan") == ("elm", "open")
    row = day.desk.rows.get(tables.RESULT, f"{ROUND}-{day.ids['dan']}")
    assert row is not None
    assert row["answer_by_s"] == ANSWER_BY_S + 10 + 7 * DAY_S, "as long as the first offers had"


def test_after_the_deadline_no_first_answer_counts_but_a_seat_can_be_given_up(day: Day) -> None:
    day.answer("ana", "accepted")
    early = day.desk.ask(*JOB, "lapse_offers", round=ROUND, children=[day.ids["ben"]])
    assert code(early) == "nothing-lapsed"
    day.desk.now_ms = (ANSWER_BY_S + 1) * 1000
    assert code(day.answer("ben", "accepted")) == "deadline-passed"
    assert code(day.answer("ana", "declined")) == "done"


def test_moving_the_rounds_days_gives_every_offer_its_time(day: Day) -> None:
    days = {"opens_s": CLOSES_S - 10 * DAY_S, "closes_s": CLOSES_S, "results_s": RESULTS_S}
    later = ANSWER_BY_S + 3 * DAY_S
    moved = {**days, "answer_by_s": later, "why": "snow"}
    day.desk.done("clerk", CLERK, "move_round", round=ROUND, **moved)
    day.desk.now_ms = (ANSWER_BY_S + 1) * 1000
    assert code(day.answer("ben", "accepted")) == "done"


def test_lists_can_be_left(day: Day) -> None:
    assert code(day.ask("eda", "leave_lists", programmes=["oak"])) == "not-in-list"
    assert code(day.ask("eda", "leave_lists", programmes=["elm"])) == "done"
    assert code(day.ask("eda", "leave_lists", programmes=["elm"])) == "not-in-list"
    assert day.filled("elm") == (1, 1)


def test_a_counter_answers_for_a_family_and_a_stranger_does_not(day: Day) -> None:
    data = {"round": ROUND, "answer": "accepted"}
    assert code(day.desk.ask("citizen", "9" * 32, "answer_offer", **data)) == "no-result"
    named = day.desk.ask("citizen", "9" * 32, "answer_offer", child=day.ids["ana"], **data)
    assert code(named) == "malformed", "nobody names another's child"
    assert code(day.desk.ask("clerk", CLERK, "answer_offer", **data)) == "malformed"
    by_counter = day.desk.ask("clerk", CLERK, "answer_offer", child=day.ids["ana"], **data)
    assert code(by_counter) == "done"


def test_late_children_come_last_and_get_what_nobody_waits_for(day: Day) -> None:
    fay = enter(day.desk, "fay")

    def late(*programmes: str, child: str = fay) -> Any:
        data = {"round": ROUND, "child": child, "programmes": list(programmes)}
        return day.desk.ask("clerk", CLERK, "place_late", **data)

    assert code(late("oak", child="9" * 32)) == "child-unknown"
    assert code(late("no")) == "programme-unknown"
    assert code(late("oak", child=day.ids["ana"])) == "placed-already"
    assert code(late("oak", "elm")) == "done"
    assert code(late("oak")) == "listed-already"
    day.answer("cen", "accepted")
    day.answer("ana", "declined")
    settle(day.desk, "oak")
    assert day.of("dan") == ("oak", "open"), "who was in time comes first"
    day.answer("ben", "declined")
    settle(day.desk, "oak")
    assert result_of(day.desk, fay) == ("oak", "open")
    assert day.filled("elm") == (1, 1), "fay waits for elm no more, dan neither"


def test_an_appeal_gives_a_seat_beyond_capacity(day: Day) -> None:
    [made] = day.ask("dan", "appeal", text=SEALED)
    assert code(day.ask("dan", "appeal", text=SEALED)) == "appeal-open"
    decision = {"round": ROUND, "child": day.ids["dan"], "appeal": made.data["appeal"]}

    def decide(verdict: str, programme: str = "", **more: Any) -> Any:
        data = {**decision, "verdict": verdict, "programme": programme, **more}
        return day.desk.ask("clerk", CLERK, "decide_appeal", reason=SEALED, **data)

    assert code(decide("rejected", "oak")) == "malformed"
    assert code(decide("granted", "no")) == "programme-unknown"
    assert code(decide("granted", "oak", appeal="9" * 32)) == "appeal-unknown"
    assert code(decide("granted", "oak")) == "done"
    assert code(decide("rejected")) == "appeal-decided"
    assert day.of("dan") == ("oak", "open")
    assert day.filled("oak") == (2, 1), "beyond the seats that the lists give"
    assert code(day.answer("dan", "declined")) == "done"
    assert settle(day.desk, "oak") == [], "a seat beyond capacity does not go on"


def test_reserved_seats_that_stay_are_given_by_no_list() -> None:
    day = Day(offered=False)
    post(
        day.desk,
        day.results(ana="oak 1", ben="", cen="elm 2", dan="", eda=""),
        day.lists(oak="ben dan cen"),
        [["oak", 1]],
    )
    offer(day.desk)
    assert settle(day.desk, "oak") == []
    day.answer("ana", "declined")
    settle(day.desk, "oak")
    assert day.of("ben") == ("oak", "open")


def test_free_seats_make_a_complementary_round(day: Day) -> None:
    day.answer("ana", "accepted")
    after = {"opens_s": ANSWER_BY_S + DAY_S, "closes_s": ANSWER_BY_S + 2 * DAY_S}
    later = {"results_s": ANSWER_BY_S + 3 * DAY_S, "answer_by_s": ANSWER_BY_S + 4 * DAY_S}
    wish = {"round": "r26b", "parent": ROUND, "title": "Second round", **after, **later}
    assert code(day.desk.ask("clerk", CLERK, "prepare_complementary", **wish)) == "round-state"
    day.answer("ben", "declined")
    day.answer("cen", "declined")
    for name in ("dan", "eda", "cen"):
        day.ask(name, "leave_lists", programmes=["elm" if name == "eda" else "oak"])
    day.desk.now_ms = (ANSWER_BY_S + 1) * 1000
    day.desk.done("clerk", CLERK, "end_round", round=ROUND)
    acts = day.desk.ask("clerk", CLERK, "prepare_complementary", **wish)
    assert [act.name for act in acts] == ["round_prepared", "rules_set", *["programme_set"] * 2]
    seats = {act.data["programme"]: act.data["pools"] for act in acts[2:]}
    assert seats == {"oak": [["open", 1]], "elm": [["open", 1]]}
    assert code(day.desk.ask("clerk", CLERK, "prepare_complementary", **wish)) == "round-exists"
    assert code(day.desk.ask("clerk", CLERK, "publish_round", round="r26b")) == "done"
    assert code(day.answer("ana", "declined")) == "round-state", "the round has ended"
