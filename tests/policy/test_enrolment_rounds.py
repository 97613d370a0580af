"""A round from its first day to its last: what the ministry may do, and what stands when."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import ministry
from fakes.desk import Desk
from fakes.ministry import DAY_S, DAYS, MINISTRY, PROGRAMMES, ROUND, RULES, ask
from kulla.journal.merkle import EMPTY_ROOT, leaf_hash, node_hash
from kulla.kernel.errors import UnfitAct
from kulla.kernel.service import Act, Actor, Refusal
from kulla.services.enrolment import tables
from kulla.services.enrolment.rounds import apply, rules_text, wishes


@pytest.fixture
def desk() -> Desk:
    return ministry.ministry()


def refused(desk: Desk, name: str, **data: Any) -> Refusal:
    answer = desk.ask("clerk", MINISTRY, name, **data)
    assert isinstance(answer, Refusal), answer
    return answer


def the_round(desk: Desk, round_: str = ROUND) -> Any:
    row = desk.rows.get(tables.ROUND, round_)
    assert row is not None
    return row


def test_a_round_goes_from_prepared_to_closed(desk):
    ministry.prepare(desk)
    assert the_round(desk)["state"] == "prepared"
    assert the_round(desk)["rules_version"] == 1
    ask(desk, "publish_round", round=ROUND)
    assert the_round(desk)["state"] == "published"
    desk.now_ms = DAYS["closes_s"] * 1000
    (act,) = ask(desk, "close_round", round=ROUND)
    assert (act.data["count"], act.data["root"]) == (0, EMPTY_ROOT)
    row = the_round(desk)
    assert (row["state"], row["list_count"], row["list_root"]) == ("closed", 0, EMPTY_ROOT)
    assert desk.replayed().tables == desk.rows.tables


def test_the_closed_list_has_the_root_over_commitments_in_the_order_of_their_bytes(desk):
    ministry.publish(desk)
    for number, (commitment, state) in enumerate(
        [(b"\x02" * 32, "filed"), (b"\x01" * 32, "filed"), (b"\x00" * 32, "withdrawn")]
    ):
        child = f"{number:032x}"
        desk.rows.put(tables.APPLICATION, an_application(child, commitment, state))
    desk.now_ms = DAYS["closes_s"] * 1000
    (act,) = ask(desk, "close_round", round=ROUND)
    assert act.data["count"] == 2
    assert act.data["root"] == node_hash(leaf_hash(b"\x01" * 32), leaf_hash(b"\x02" * 32))


def an_application(child: str, commitment: bytes, state: str) -> dict[str, Any]:
    named = {"id": f"{ROUND}-{child}", "round": ROUND, "child": child, "state": state}
    said = {"grade": "grade-1", "choices": "[]", "together": 0}
    sealed = {"facts_sealed": b"f", "salt_sealed": b"s", "commitment": commitment}
    who = {"by": "guardian", "actor": "a" * 32}
    counted = {"filed_ms": 0, "changed_ms": 0, "changes": 1, "position": 0}
    return {**named, **said, **sealed, **who, **counted}


def test_nobody_closes_a_list_while_families_may_apply(desk):
    ministry.publish(desk)
    desk.now_ms = DAYS["closes_s"] * 1000 - 1
    refusal = refused(desk, "close_round", round=ROUND)
    assert (refusal.code, refusal.detail["closes_s"]) == ("too-early", DAYS["closes_s"])


def test_what_is_published_stands(desk):
    ministry.publish(desk)
    text = rules_text.text_of(RULES)
    for name, data in {
        "change_round": ministry.prepared(),
        "set_rules": {"round": ROUND, "rules": text},
        "set_programmes": {"round": ROUND, "programmes": PROGRAMMES},
        "remove_programme": {"round": ROUND, "programme": "naim-1"},
        "publish_round": {"round": ROUND},
    }.items():
        assert refused(desk, name, **data).code == "stands", name


def test_a_round_that_is_not_published_can_still_change(desk):
    ministry.prepare(desk)
    later = DAYS["answer_by_s"] + DAY_S
    ask(desk, "change_round", **ministry.prepared(title="Another", answer_by_s=later))
    row = the_round(desk)
    assert (row["title"], row["answer_by_s"], row["rules_version"]) == ("Another", later, 1)
    ask(desk, "remove_programme", round=ROUND, programme="naim-6")
    assert desk.rows.get(tables.PROGRAMME, f"{ROUND}-naim-6") is None
    assert refused(desk, "remove_programme", round=ROUND, programme="naim-6").code == (
        "programme-unknown"
    )
    assert refused(desk, "prepare_round", **ministry.prepared()).code == "round-exists"


def test_each_day_is_later_than_the_one_before(desk):
    for before, after in zip(wishes.DAYS, wishes.DAYS[1:], strict=False):
        wrong = ministry.prepared(**{after: DAYS[before]})
        refusal = refused(desk, "prepare_round", **wrong)
        assert (refusal.code, refusal.detail) == ("days-not-in-order", {"field": after})


def test_publishing_says_all_that_is_missing(desk):
    ask(desk, "prepare_round", **ministry.prepared())
    missing = refused(desk, "publish_round", round=ROUND).detail["missing"]
    assert missing == [["no-rules", ROUND, ""], ["no-programmes", ROUND, ""]]
    ask(desk, "set_rules", round=ROUND, rules=rules_text.text_of(RULES))
    ask(desk, "enter_schools", schools=ministry.SCHOOLS)
    rows = [
        ["a", "naim", "grade-1", "A", [["sport", 3], ["open", 3]]],
        ["b", "naim", "grade-7", "B", [["open", 3]]],
    ]
    ask(desk, "set_programmes", round=ROUND, programmes=rows)
    desk.now_ms = DAYS["closes_s"] * 1000
    assert refused(desk, "publish_round", round=ROUND).detail["missing"] == [
        ["closes-past", ROUND, ""],
        ["pool-unknown", "a", "sport"],
        ["grade-unknown", "b", "grade-7"],
        ["grade-empty", "grade-6", ""],
    ]


def test_programmes_go_in_all_or_none(desk):
    ministry.prepare(desk)
    before = dict(desk.rows.tables[tables.PROGRAMME])
    unknown = [*PROGRAMMES, ["x", "nowhere", "grade-1", "X", [["open", 1]]]]
    refusal = refused(desk, "set_programmes", round=ROUND, programmes=unknown)
    assert (refusal.code, refusal.detail) == ("school-unknown", {"school": "nowhere"})
    empty = [["x", "naim", "grade-1", "X", [["open", 0]]]]
    assert refused(desk, "set_programmes", round=ROUND, programmes=empty).code == "no-seats"
    assert desk.rows.tables[tables.PROGRAMME] == before


def test_a_programme_that_is_set_again_is_replaced(desk):
    ministry.prepare(desk)
    again = dict(zip(wishes.PROGRAMME_FIELDS, PROGRAMMES[0], strict=True))
    ask(desk, "set_programme", round=ROUND, **again | {"pools": [["open", 30]]})
    row = desk.rows.get(tables.PROGRAMME, f"{ROUND}-naim-1")
    assert row is not None
    assert row["pools"] == '[["open",30]]'


def test_a_school_can_be_put_right_at_any_time(desk):
    ministry.publish(desk)
    ask(desk, "enter_school", school="naim", name="Naim", town="T", county="T", address="A")
    row = desk.rows.get(tables.SCHOOL, "naim")
    assert row is not None
    assert row["name"] == "Naim"


def test_rules_get_versions_and_the_last_one_is_published(desk):
    ministry.prepare(desk)
    ask(desk, "set_rules", round=ROUND, rules=rules_text.text_of(RULES))
    (act,) = ask(desk, "publish_round", round=ROUND)
    assert act.data["rules_version"] == 2
    assert desk.rows.get(tables.RULES, f"{ROUND}-1") is not None


def move(desk: Desk, why: str = "The site was down.", **days: int) -> Any:
    row = the_round(desk)
    now = {name: row[name] for name in wishes.DAYS}
    return desk.ask("clerk", MINISTRY, "move_round", round=ROUND, why=why, **now | days)


def test_days_move_to_later_only_and_the_reason_is_kept(desk):
    ministry.publish(desk)
    assert move(desk, closes_s=DAYS["closes_s"] - 1).code == "moved-earlier"
    assert move(desk).code == "not-moved"
    assert move(desk, closes_s=DAYS["results_s"]).code == "days-not-in-order"
    assert move(desk, why="", closes_s=DAYS["closes_s"] + DAY_S).code == "malformed"
    move(desk, closes_s=DAYS["closes_s"] + DAY_S)
    assert the_round(desk)["closes_s"] == DAYS["closes_s"] + DAY_S
    (kept,) = desk.rows.find(tables.MOVE, round=ROUND)
    assert (kept["why"], kept["was_closes_s"]) == ("The site was down.", DAYS["closes_s"])
    assert kept["moved_ms"] == desk.now_ms


def test_what_has_begun_does_not_move(desk):
    ministry.publish(desk)
    desk.now_ms = DAYS["opens_s"] * 1000
    refusal = move(desk, opens_s=DAYS["opens_s"] + 60)
    assert (refusal.code, refusal.detail) == ("day-past", {"field": "opens_s"})


def test_a_deadline_that_is_past_moves_until_the_list_is_closed(desk):
    ministry.publish(desk)
    desk.now_ms = (DAYS["closes_s"] + 60) * 1000
    assert not isinstance(move(desk, closes_s=DAYS["closes_s"] + DAY_S), Refusal)
    assert refused(desk, "close_round", round=ROUND).code == "too-early"
    desk.now_ms += DAY_S * 1000
    ask(desk, "close_round", round=ROUND)
    again = move(desk, closes_s=DAYS["closes_s"] + 2 * DAY_S)
    assert (again.code, again.detail) == ("day-past", {"field": "closes_s"})
    assert not isinstance(move(desk, results_s=DAYS["results_s"] + DAY_S), Refusal)


def test_a_round_that_is_not_published_does_not_move(desk):
    ministry.prepare(desk)
    assert move(desk, closes_s=DAYS["closes_s"] + 1).code == "not-published"


def test_a_round_ends_once_families_have_answered(desk):
    ministry.publish(desk)
    assert refused(desk, "end_round", round=ROUND).code == "not-offered"
    desk.rows.put(tables.ROUND, the_round(desk) | {"state": tables.OFFERED})
    refusal = refused(desk, "end_round", round=ROUND)
    assert refusal.detail["answer_by_s"] == DAYS["answer_by_s"]
    assert refusal.code == "answers-open"
    desk.now_ms = DAYS["answer_by_s"] * 1000
    ask(desk, "end_round", round=ROUND)
    assert the_round(desk)["state"] == "ended"


def test_a_complementary_round_follows_a_main_round_whose_results_are_out(desk):
    ministry.publish(desk)
    second = {"round": "second-2026", "parent": ROUND}
    wrong = ministry.prepared(round_="second-2026", parent="nothing")
    assert refused(desk, "prepare_round", **wrong).code == "parent-unknown"
    itself = ministry.prepared(round_="second-2026", parent="second-2026")
    ministry.prepare(desk, "second-2026")
    assert refused(desk, "change_round", **itself).code == "parent-unknown"
    ask(desk, "change_round", **ministry.prepared(round_="second-2026", parent=ROUND))
    third = ministry.prepared(round_="third", parent="second-2026")
    assert refused(desk, "prepare_round", **third).code == "parent-unknown"
    missing = refused(desk, "publish_round", round="second-2026").detail["missing"]
    assert missing == [["parent-not-offered", ROUND, ""]]
    desk.rows.put(tables.ROUND, the_round(desk) | {"state": tables.OFFERED})
    ask(desk, "publish_round", round=second["round"])


@pytest.mark.parametrize("role", ["citizen", "analyst", "custodian"])
def test_other_roles_prepare_nothing(desk, role):
    for name in desk.service.commands.keys() & ROOM:
        refusal = desk.ask(role, "a" * 32, name)
        assert refusal.code == "not-allowed", name


ROOM = {
    "prepare_round", "change_round", "set_rules", "enter_school", "enter_schools",
    "set_programme", "set_programmes", "remove_programme", "publish_round", "move_round",
    "close_round", "end_round",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ROOM))
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"round": 7, "school": [], "programmes": "x", "schools": [[1]], "rules": b"x"},
        {"round": "UP", "school": "x" * 40, "programmes": [[]], "schools": [], "rules": ""},
        {"round": ROUND, "extra": 1},
    ],
    ids=["empty", "kinds", "shapes", "extra"],
)
def test_misshapen_commands_are_refused(desk, name, data):
    refusal = desk.ask("clerk", MINISTRY, name, **data)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "malformed"


def wrong_rules(change: Any) -> str:
    return rules_text.text_of(RULES).replace(*change, 1)


@pytest.mark.parametrize(
    ("change", "place", "why"),
    [
        (('"kind":"staff"', '"kind":"sibling"'), "priorities[3].kind", "misshapen"),
        (('"where":"area"', '"where":"here"'), "priorities[2].where", "misshapen"),
        (('"priority":"special-need"', '"priority":"x"'), "pools[0].priority", "priority-unknown"),
        (('{"pool":"open","title":"Open seats"}', '{"pool":"all","priority":"staff","title":"A"}'),
         "pools", "no-open-pool"),
        (("2015-12-31", "2014-12-31"), "ages[1]", "misshapen"),
        (("2015-12-31", "2015-02-30"), "ages[1]", "misshapen"),
        (("grade-6", "grade-1"), "ages[1]", "twice"),
        (('"choices_max":5', '"choices_max":-1'), "choices_max", "misshapen"),
        (('"choices_max":5', '"choices_max":101'), "choices_max", "misshapen"),
        (('"choices_max":5', '"choices_max":5,"more":1'), "more", "misshapen"),
        (('"choices_max":5', '"choices_max":5,"titles":[["grade-9","IX"]]'), "titles[0]",
         "misshapen"),
        (("{", "["), "rules", "misshapen"),
        (("{", "[" * 15000), "rules", "misshapen"),
    ],
)  # fmt: skip
def test_rules_that_can_not_be_obeyed_are_refused_by_their_place(desk, change, place, why):
    ministry.prepare(desk)
    refusal = refused(desk, "set_rules", round=ROUND, rules=wrong_rules(change))
    assert (refusal.code, refusal.detail) == ("rules-wrong", {"place": place, "why": why})


def test_rules_have_one_text(desk):
    text = rules_text.text_of(RULES)
    assert rules_text.rules_of(text) == RULES
    ministry.prepare(desk)
    (act,) = ask(desk, "set_rules", round=ROUND, rules=text.replace(":", ": "))
    assert act.data["rules"] == text


@pytest.mark.parametrize("name", sorted(set(vars(apply)) & {
    "rules_set", "programme_set", "programme_removed", "round_published", "round_moved",
    "round_closed", "round_ended",
}))  # fmt: skip
def test_an_act_on_a_round_that_there_is_not_changes_nothing(desk, name):
    data = {"round": "nothing", "version": 1, "rules": "", "programme": "x", "school": "x"}
    act = Act(0, "enrolment", name, 1, 0, Actor("clerk", MINISTRY), b"", data)
    with pytest.raises(UnfitAct, match="there is no round"):
        getattr(apply, name)(desk.rows, act)
    assert not any(desk.rows.tables.values())
