"""At the desk: who came, who did not, who walked in, and a day closed with everyone moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from fakes.desk import Desk
from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row
from kulla.services.appointments import apply, zones
from kulla.services.appointments.desk import policy
from kulla.services.appointments.service import SERVICE

ANA, BEN, CEN, CLERK = "a" * 32, "b" * 32, "d" * 32, "c" * 32
TIRANA = "Europe/Tirane"
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
SUNDAY_MS = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1000
EIGHT_S = int(datetime(2026, 3, 2, 7, tzinfo=UTC).timestamp())  # 08:00 in Tirana, in winter
DAY_S = 86_400


@pytest.fixture
def desk() -> Desk:
    """Dr. Hoxha and Dr. Leka work on Mondays and Tuesdays from 8 to 10, in slots of 20 minutes."""
    desk = Desk(SERVICE, SUNDAY_MS)
    place = {"name": "X", "town": "X", "county": "X", "address": "X"}
    desk.done("operator", "op", "open_clinic", clinic="x", **place)
    span = {"first_day": "2026-03-02", "last_day": "2026-03-03", "zone": TIRANA}
    for doctor in ("hoxha", "leka"):
        who = {"practitioner": doctor}
        data = {"clinic": "x", "name": "X", "speciality": "X"}
        desk.done("clerk", CLERK, "add_practitioner", **who, **data)
        weekly = [[day, 480, 600, 20] for day in (1, 2)]
        hours = {"zone": TIRANA, "valid_from": "2026-01-01", "valid_to": ""}
        desk.done("clerk", CLERK, "set_schedule", **who, weekly=weekly, **hours)
        offsets = zones.offsets(TIRANA, MONDAY, TUESDAY)
        desk.done("clerk", CLERK, "publish_slots", **who, **span, offsets=offsets)
    return desk


def slot_id(number: int = 0, day: int = 0, doctor: str = "hoxha") -> str:
    return f"{doctor}-{EIGHT_S + day * DAY_S + number * 1200}"


def slot(desk: Desk, key: str) -> Row:
    row = desk.rows.get(apply.SLOT, key)
    assert row is not None
    return row


def appointment(desk: Desk, key: str) -> Row:
    row = desk.rows.get(apply.APPOINTMENT, key)
    assert row is not None
    return row


def book(desk: Desk, citizen: str = ANA, number: int = 0, doctor: str = "hoxha") -> str:
    act = desk.done("citizen", citizen, "book", slot=slot_id(number, doctor=doctor))
    return str(act.data["appointment"])


def notices(desk: Desk) -> list[tuple[Any, Any, Any]]:
    rows = desk.rows.find(apply.NOTICE)
    return [(row["kind"], row["citizen"], row["starts_s"]) for row in rows]


def clerk(desk: Desk, name: str, /, **data: Any) -> Any:
    """The refusal's code, or the first act's name."""
    answer = desk.ask("clerk", CLERK, name, **data)
    return answer[0].name if isinstance(answer, list) else answer.code


def test_an_arrival_is_noted_and_the_visit_ended(desk: Desk) -> None:
    key = book(desk)
    before = appointment(desk, key)
    desk.now_ms = (EIGHT_S - 600) * 1000
    assert clerk(desk, "note_arrival", appointment=key) == "arrived"
    row = appointment(desk, key)
    assert (row["visit"], row["visit_ms"]) == ("arrived", desk.now_ms)
    assert row["visit_position"] == desk.acts[-1].position
    assert row["position"] == before["position"], "when it is did not change"
    assert clerk(desk, "note_arrival", appointment=key) == "noted-already"
    assert clerk(desk, "end_visit", appointment=key) == "visit_ended"
    assert appointment(desk, key)["visit"] == "ended"
    assert clerk(desk, "end_visit", appointment=key) == "noted-already"
    assert clerk(desk, "note_missed", appointment=key) == "noted-already"
    assert clerk(desk, "note_arrival", appointment=key) == "noted-already"


def test_nobody_arrives_the_day_before_or_is_missed_before_their_time(desk: Desk) -> None:
    key = book(desk)
    first_ms = (EIGHT_S - policy.ARRIVES_BEFORE_MINUTES * 60) * 1000
    desk.now_ms = first_ms - 1
    assert clerk(desk, "note_arrival", appointment=key) == "too-early"
    desk.now_ms = EIGHT_S * 1000 - 1
    assert clerk(desk, "note_missed", appointment=key) == "not-begun"
    desk.now_ms += 1
    assert clerk(desk, "note_missed", appointment=key) == "missed"
    assert clerk(desk, "end_visit", appointment=key) == "not-arrived"
    assert clerk(desk, "note_arrival", appointment=key) == "arrived", "late, but here"


def test_what_was_noted_by_a_slip_is_taken_back_one_step_at_a_time(desk: Desk) -> None:
    key = book(desk)
    desk.now_ms = EIGHT_S * 1000
    assert clerk(desk, "take_back_visit", appointment=key) == "nothing-noted"
    for name in ("note_arrival", "end_visit", "take_back_visit"):
        assert isinstance(desk.ask("clerk", CLERK, name, appointment=key), list)
    assert appointment(desk, key)["visit"] == "arrived"
    assert clerk(desk, "take_back_visit", appointment=key) == "visit_taken_back"
    assert appointment(desk, key)["visit"] == ""
    assert appointment(desk, key)["state"] == "booked"


def test_a_visit_is_noted_only_of_an_appointment_that_stands(desk: Desk) -> None:
    key = book(desk)
    desk.done("citizen", ANA, "cancel", appointment=key)
    for name in ("note_arrival", "note_missed", "end_visit", "take_back_visit"):
        assert clerk(desk, name, appointment=key) == "already-cancelled"
        assert clerk(desk, name, appointment="0" * 32) == "appointment-unknown"


def test_once_somebody_came_nothing_is_moved_or_cancelled(desk: Desk) -> None:
    key = book(desk)
    desk.now_ms = (EIGHT_S - 7200) * 1000
    clerk(desk, "note_arrival", appointment=key)
    refusal = desk.refused("citizen", ANA, "cancel", appointment=key)
    assert refusal.code == "visit-noted"
    assert refusal.detail == {"appointment": key, "visit": "arrived"}
    data = {"appointment": key, "citizen": ANA, "slot": slot_id(1)}
    assert clerk(desk, "reschedule", **data) == "visit-noted"


WALK_IN = {"practitioner": "hoxha", "minutes": 15, "zone": TIRANA}


def test_who_walks_in_is_here_now_and_takes_no_slot(desk: Desk) -> None:
    book(desk, BEN)
    desk.now_ms = (EIGHT_S + 125) * 1000
    before = dict(desk.rows.tables[apply.SLOT])
    sealed = {"reason": b"r", "contact": b"c", "identity": "document"}
    act = desk.done("clerk", CLERK, "walk_in", citizen=ANA, **WALK_IN, **sealed)
    row = appointment(desk, act.data["appointment"])
    assert (row["starts_s"], row["minutes"]) == (EIGHT_S + 120, 15)
    assert (row["slot"], row["visit"], row["identity"]) == ("", "arrived", "document")
    assert (row["reason_sealed"], row["contact_sealed"]) == (b"r", b"c")
    assert desk.rows.tables[apply.SLOT] == before
    assert notices(desk) == [], "they stand at the counter"
    assert clerk(desk, "end_visit", appointment=row["id"]) == "visit_ended"


def test_a_walk_in_is_refused_where_the_person_is_expected_already(desk: Desk) -> None:
    key = book(desk)
    desk.now_ms = (EIGHT_S + 60) * 1000
    refusal = desk.refused("clerk", CLERK, "walk_in", citizen=ANA, **WALK_IN)
    assert refusal.code == "same-time"
    assert refusal.detail["appointment"] == key
    clerk(desk, "note_missed", appointment=key)
    assert clerk(desk, "walk_in", citizen=ANA, **WALK_IN) == "walked_in"
    assert clerk(desk, "walk_in", citizen=ANA, **WALK_IN) == "same-time"


def test_a_walk_in_needs_a_practitioner_and_their_zone(desk: Desk) -> None:
    data = WALK_IN | {"citizen": ANA}
    assert clerk(desk, "walk_in", **data | {"practitioner": "x"}) == "practitioner-unknown"
    assert clerk(desk, "walk_in", **data | {"zone": "Europe/Athens"}) == "other-zone"
    for minutes in (4, 241):
        assert clerk(desk, "walk_in", **data | {"minutes": minutes}) == "malformed"


def test_a_walk_in_by_a_slip_never_was(desk: Desk) -> None:
    act = desk.done("clerk", CLERK, "walk_in", citizen=ANA, **WALK_IN)
    key = act.data["appointment"]
    assert clerk(desk, "take_back_visit", appointment=key) == "visit_taken_back"
    assert appointment(desk, key)["state"] == "cancelled"
    assert clerk(desk, "take_back_visit", appointment=key) == "already-cancelled"


def test_the_desk_says_how_it_made_sure_who_it_is(desk: Desk) -> None:
    data = {"slot": slot_id(), "citizen": ANA, "identity": "call"}
    answer = desk.ask("clerk", CLERK, "book", **data)
    assert isinstance(answer, list)
    assert [act.name for act in answer] == ["booked", "identity_checked"]
    row = appointment(desk, answer[0].data["appointment"])
    assert row["identity"] == "call"
    assert row["position"] == row["booked_position"]
    refusal = desk.refused("citizen", ANA, "book", slot=slot_id(1), identity="call")
    assert refusal.detail == {"field": "identity"}


def test_people_are_told_of_what_the_desk_did_and_of_nothing_else(desk: Desk) -> None:
    own = book(desk, BEN, 5)
    desk.done("citizen", BEN, "reschedule", appointment=own, slot=slot_id(4))
    desk.done("citizen", BEN, "cancel", appointment=own)
    assert notices(desk) == []
    key = desk.done("clerk", CLERK, "book", slot=slot_id(), citizen=ANA).data["appointment"]
    mine = {"appointment": key, "citizen": ANA}
    desk.done("clerk", CLERK, "reschedule", slot=slot_id(1), **mine)
    assert desk.rows.find(apply.NOTICE)[-1]["old_starts_s"] == EIGHT_S
    desk.done("clerk", CLERK, "cancel", **mine)
    moved_s = EIGHT_S + 1200
    assert notices(desk) == [
        ("booked", ANA, EIGHT_S),
        ("moved", ANA, moved_s),
        ("cancelled", ANA, moved_s),
    ]
    positions = [row["position"] for row in desk.rows.find(apply.NOTICE)]
    assert positions == [act.position for act in desk.acts[-3:]]


def close(desk: Desk, moves: list[list[str]], **more: Any) -> Any:
    data = {"practitioner": "hoxha", "day": "2026-03-02", "moves": moves, **more}
    return desk.ask("clerk", CLERK, "close_day", **data)


def test_closing_a_day_moves_whom_a_time_was_found_for_and_keeps_the_rest_to_be_called(
    desk: Desk,
) -> None:
    moved, other, rest = book(desk, ANA, 0), book(desk, BEN, 1), book(desk, CEN, 2)
    made = close(desk, [[moved, slot_id(0, 1)], [other, slot_id(3, doctor="leka")]])
    assert [act.name for act in made] == ["rescheduled", "rescheduled", "exception_set"]
    assert len({act.command for act in made}) == 1
    assert appointment(desk, moved)["slot"] == slot_id(0, 1)
    assert appointment(desk, other)["practitioner"] == "leka"
    assert {slot(desk, slot_id(number))["state"] for number in range(6)} == {"closed"}
    assert [slot(desk, slot_id(number))["appointment"] for number in range(3)] == ["", "", rest]
    assert appointment(desk, rest)["state"] == "booked"
    assert appointment(desk, rest)["to_call_ms"] == desk.now_ms
    assert appointment(desk, moved)["to_call_ms"] == 0
    assert notices(desk) == [
        ("moved", ANA, EIGHT_S + DAY_S),
        ("moved", BEN, EIGHT_S + 3600),
        ("to-call", CEN, EIGHT_S + 2400),
    ]


def test_who_was_to_be_called_is_not_any_more_once_moved_or_once_the_day_opens(desk: Desk) -> None:
    first, second = book(desk, ANA, 0), book(desk, BEN, 1)
    close(desk, [])
    desk.done("citizen", ANA, "reschedule", appointment=first, slot=slot_id(0, 1))
    assert appointment(desk, first)["to_call_ms"] == 0
    usual = {"kind": "hours", "hours": [[480, 600, 20]], "zone": TIRANA}
    offsets = zones.offsets(TIRANA, MONDAY, MONDAY)
    day = {"practitioner": "hoxha", "day": "2026-03-02"}
    desk.done("clerk", CLERK, "set_exception", **day, **usual, offsets=offsets)
    assert appointment(desk, second)["to_call_ms"] == 0
    assert slot(desk, slot_id(1))["state"] == "taken"


def test_a_day_that_is_closed_already_is_closed_again_to_move_more_of_it(desk: Desk) -> None:
    first, second = book(desk, ANA, 0), book(desk, BEN, 1)
    close(desk, [])
    made = close(desk, [[second, slot_id(1, 1)]])
    assert [act.name for act in made] == ["rescheduled", "exception_set"]
    assert made[-1].data["closed"] == []
    assert slot(desk, slot_id(1))["state"] == "closed"
    assert slot(desk, slot_id(1))["appointment"] == ""
    assert appointment(desk, first)["to_call_ms"] > 0
    assert [kind for kind, _, _ in notices(desk)] == ["to-call", "to-call", "moved"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("unknown", "appointment-unknown"),
        ("elsewhere", "appointment-unknown"),
        ("cancelled", "appointment-unknown"),
        ("arrived", "visit-noted"),
        ("begun", "too-late-to-cancel"),
        ("taken", "slot-taken"),
        ("twice", "slot-taken"),
        ("unknown-slot", "slot-unknown"),
        ("past-slot", "slot-past"),
        ("same-day", "slot-closed"),
        ("same-time", "same-time"),
    ],
)
def test_one_move_that_can_not_be_refuses_all_and_changes_nothing(
    desk: Desk, wrong: str, why: str
) -> None:
    first, second = book(desk, ANA, 3), book(desk, BEN, 4)
    appointment_id, target = _wrong_move(desk, wrong, second)
    before = {name: dict(rows) for name, rows in desk.rows.tables.items()}
    refusal = close(desk, [[first, slot_id(0, 1)], [appointment_id, target]])
    assert refusal.code == "move-refused"
    assert refusal.detail == {"appointment": appointment_id, "slot": target, "why": why}
    assert desk.rows.tables == before


def _wrong_move(desk: Desk, wrong: str, second: str) -> tuple[str, str]:
    """The move of Ben's appointment that is wrong in this way."""
    free = slot_id(1, 1)
    if wrong == "unknown":
        return "0" * 32, free
    if wrong == "elsewhere":
        return book(desk, CEN, 0, "leka"), free
    if wrong == "cancelled":
        desk.done("citizen", BEN, "cancel", appointment=second)
    elif wrong == "arrived":
        desk.now_ms = (EIGHT_S - 600) * 1000
        desk.done("clerk", CLERK, "note_arrival", appointment=second)
    elif wrong == "begun":
        early = book(desk, CEN, 0)
        desk.now_ms = EIGHT_S * 1000
        return early, free
    elif wrong == "taken":
        desk.done("citizen", CEN, "book", slot=free)
    elif wrong == "past-slot":
        desk.now_ms = EIGHT_S * 1000
    elif wrong == "same-time":
        desk.done("citizen", BEN, "book", slot=slot_id(1, 1, "leka"))
    targets = {
        "twice": slot_id(0, 1),
        "unknown-slot": "hoxha-1",
        "past-slot": slot_id(0, 0, "leka"),
        "same-day": slot_id(5),
    }
    return second, targets.get(wrong, free)


def test_two_appointments_of_one_person_are_not_moved_into_each_other(desk: Desk) -> None:
    first, second = book(desk, ANA, 0), book(desk, ANA, 1)
    clash = [[first, slot_id(0, 1)], [second, slot_id(0, 1, "leka")]]
    refusal = close(desk, clash)
    assert refusal.detail["why"] == "same-time"
    leka = book(desk, BEN, 0, "leka")
    assert close(desk, [[first, slot_id(1, 0, "leka")], [second, slot_id(2, 1)]])
    assert appointment(desk, leka)["state"] == "booked"


def test_a_closing_has_bounds_and_a_practitioner(desk: Desk) -> None:
    assert close(desk, [], practitioner="x").code == "practitioner-unknown"
    many = [[f"{number:032x}", "hoxha-1"] for number in range(policy.MOVES_MAX + 1)]
    refusal = close(desk, many)
    assert (refusal.code, refusal.detail) == ("too-many-moves", {"max": policy.MOVES_MAX})
    twice = [["0" * 32, "hoxha-1"], ["0" * 32, "hoxha-2"]]
    assert close(desk, twice).detail == {"field": "moves"}


def test_closing_leaves_alone_what_has_begun(desk: Desk) -> None:
    early, late = book(desk, ANA, 0), book(desk, BEN, 5)
    desk.now_ms = (EIGHT_S + 60) * 1000
    close(desk, [[late, slot_id(5, 1)]])
    assert slot(desk, slot_id(0))["state"] == "taken"
    assert appointment(desk, early)["to_call_ms"] == 0


def test_acts_of_the_desk_that_do_not_fit_change_nothing(desk: Desk) -> None:
    key = book(desk)
    desk.now_ms = EIGHT_S * 1000
    for name in ("note_arrival", "end_visit", "take_back_visit"):
        desk.done("clerk", CLERK, name, appointment=key)
    walked = desk.done("clerk", CLERK, "walk_in", citizen=BEN, **WALK_IN)
    before = {name: dict(rows) for name, rows in desk.rows.tables.items()}
    arrived, _, taken_back = desk.acts[-4:-1]
    unfit = [arrived, taken_back, walked, replace(walked, name="identity_checked")]
    unfit[-1] = replace(unfit[-1], data={"appointment": "0" * 32, "identity": "call"})
    for act in unfit:
        with pytest.raises(UnfitAct, match=f"act {act.position}"):
            SERVICE.acts[act.name].apply(desk.rows, act)
    assert desk.rows.tables == before
    assert desk.replayed().tables == before
