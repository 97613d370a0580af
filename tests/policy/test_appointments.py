"""Booking, cancelling, moving; opening hours and days off: what citizens and clerks rely on."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from fakes.desk import Desk
from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row
from kulla.services.appointments import apply, policy, zones
from kulla.services.appointments.service import SERVICE

ANA, BEN, CLERK = "a" * 32, "b" * 32, "c" * 32
TIRANA = "Europe/Tirane"
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
NOW_MS = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1000
EIGHT_S = int(datetime(2026, 3, 2, 7, tzinfo=UTC).timestamp())  # 08:00 in Tirana, in winter


@pytest.fixture
def desk() -> Desk:
    """Dr. Hoxha works on Mondays and Tuesdays from 8 to 10, in slots of 20 minutes."""
    desk = Desk(SERVICE, NOW_MS)
    place = {"name": "Qendra 4", "town": "Tirana", "county": "Tirana", "address": "Rruga 4"}
    desk.done("operator", "op", "open_clinic", clinic="qendra-4", **place)
    doctor = {"name": "Dr. Hoxha", "speciality": "family medicine"}
    desk.done("clerk", CLERK, "add_practitioner", practitioner="hoxha", clinic="qendra-4", **doctor)
    weekly = [[1, 480, 600, 20], [2, 480, 600, 20]]
    hours = {"zone": TIRANA, "valid_from": "2026-01-01", "valid_to": ""}
    desk.done("clerk", CLERK, "set_schedule", practitioner="hoxha", weekly=weekly, **hours)
    publish(desk, MONDAY, TUESDAY)
    return desk


def publish(desk: Desk, first: date, last: date, practitioner: str = "hoxha") -> Any:
    return desk.ask("clerk", CLERK, "publish_slots", **span(first, last, practitioner))


def span(first: date, last: date, practitioner: str = "hoxha") -> dict[str, Any]:
    return {
        "practitioner": practitioner,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "zone": TIRANA,
        "offsets": zones.offsets(TIRANA, first, last),
    }


def slot(desk: Desk, number: int = 0, day_s: int = 0) -> Row:
    row = desk.rows.get(apply.SLOT, slot_id(number, day_s))
    assert row is not None
    return row


def slot_id(number: int = 0, day_s: int = 0) -> str:
    return f"hoxha-{EIGHT_S + day_s + number * 1200}"


def appointment(desk: Desk, key: str) -> Row:
    row = desk.rows.get(apply.APPOINTMENT, key)
    assert row is not None
    return row


def book(desk: Desk, citizen: str = ANA, number: int = 0) -> str:
    act = desk.done("citizen", citizen, "book", slot=slot_id(number), reason=b"r", contact=b"c")
    return str(act.data["appointment"])


def test_published_slots_fill_the_hours_of_each_day(desk: Desk) -> None:
    found = desk.rows.find(apply.SLOT, practitioner="hoxha")
    assert [row["starts_s"] for row in found] == [
        EIGHT_S + day * 86400 + number * 1200 for day in (0, 1) for number in range(6)
    ]
    assert {row["state"] for row in found} == {"free"}
    assert [row["day"] for row in found] == ["2026-03-02"] * 6 + ["2026-03-03"] * 6


def test_a_booking_takes_the_slot_and_keeps_what_was_sealed(desk: Desk) -> None:
    key = book(desk)
    assert slot(desk)["state"] == "taken"
    assert slot(desk)["appointment"] == key
    row = appointment(desk, key)
    assert row["citizen"] == ANA
    assert row["starts_s"] == EIGHT_S
    assert (row["reason_sealed"], row["contact_sealed"]) == (b"r", b"c")
    assert row["position"] == row["booked_position"] == desk.acts[-1].position
    assert row["booked_ms"] == NOW_MS


def test_a_booking_needs_neither_reason_nor_contact(desk: Desk) -> None:
    act = desk.done("citizen", ANA, "book", slot=slot_id())
    row = appointment(desk, act.data["appointment"])
    assert row["reason_sealed"] is None
    assert row["contact_sealed"] is None


def test_a_taken_slot_is_not_booked_again(desk: Desk) -> None:
    book(desk, ANA)
    refusal = desk.refused("citizen", BEN, "book", slot=slot_id())
    assert refusal.code == "slot-taken"
    assert refusal.detail == {"slot": slot_id(), "starts_s": EIGHT_S, "zone": TIRANA}


def test_a_slot_that_nobody_published_is_unknown(desk: Desk) -> None:
    assert desk.refused("citizen", ANA, "book", slot="hoxha-1").code == "slot-unknown"


def test_a_slot_can_be_booked_until_it_begins(desk: Desk) -> None:
    desk.now_ms = EIGHT_S * 1000
    assert desk.refused("citizen", ANA, "book", slot=slot_id()).code == "slot-past"
    desk.now_ms -= 1
    book(desk)


def test_a_citizen_is_not_in_two_places_at_once(desk: Desk) -> None:
    place = {"practitioner": "leka", "clinic": "qendra-4", "name": "Dr. Leka"}
    desk.done("operator", "op", "add_practitioner", speciality="dentist", **place)
    weekly = [[1, 470, 600, 30]]
    hours = {"zone": TIRANA, "valid_from": "2026-01-01", "valid_to": ""}
    desk.done("operator", "op", "set_schedule", practitioner="leka", weekly=weekly, **hours)
    publish(desk, MONDAY, MONDAY, "leka")
    key = book(desk)
    overlapping, after = f"leka-{EIGHT_S - 600}", f"leka-{EIGHT_S + 1200}"
    refusal = desk.refused("citizen", ANA, "book", slot=overlapping)
    assert refusal.code == "same-time"
    assert refusal.detail == {"appointment": key, "starts_s": EIGHT_S, "zone": TIRANA}
    desk.done("citizen", ANA, "book", slot=after)
    desk.done("citizen", BEN, "book", slot=overlapping)


def test_a_citizen_has_so_many_appointments_to_come_and_a_clerk_may_add_more(desk: Desk) -> None:
    for number in range(policy.UPCOMING_MAX):
        day, place = divmod(number, 6)
        desk.done("citizen", ANA, "book", slot=slot_id(place, day * 86400))
    more = slot_id(5, 86400)
    refusal = desk.refused("citizen", ANA, "book", slot=more)
    assert refusal.code == "too-many-upcoming"
    assert refusal.detail == {"max": policy.UPCOMING_MAX}
    desk.done("clerk", CLERK, "book", slot=more, citizen=ANA)


def test_appointments_that_are_over_do_not_count(desk: Desk) -> None:
    for number in range(6):
        book(desk, ANA, number)
    desk.now_ms = (EIGHT_S + 7200) * 1000
    for number in range(6):
        desk.done("citizen", ANA, "book", slot=slot_id(number, 86400))


def test_cancelling_frees_the_slot_for_somebody_else(desk: Desk) -> None:
    key = book(desk, ANA)
    desk.done("citizen", ANA, "cancel", appointment=key)
    assert appointment(desk, key)["state"] == "cancelled"
    assert slot(desk)["state"] == "free"
    book(desk, BEN)


def test_a_cancelled_appointment_is_not_cancelled_again(desk: Desk) -> None:
    key = book(desk)
    desk.done("citizen", ANA, "cancel", appointment=key)
    book(desk, BEN)
    assert desk.refused("citizen", ANA, "cancel", appointment=key).code == "already-cancelled"
    refusal = desk.refused("citizen", ANA, "reschedule", appointment=key, slot=slot_id(1))
    assert refusal.code == "already-cancelled"
    assert slot(desk)["state"] == "taken"


def test_nobody_touches_another_s_appointment(desk: Desk) -> None:
    key = book(desk, ANA)
    assert desk.refused("citizen", BEN, "cancel", appointment=key).code == "not-yours"
    refusal = desk.refused("citizen", BEN, "reschedule", appointment=key, slot=slot_id(1))
    assert refusal.code == "not-yours"
    assert (
        desk.refused("citizen", ANA, "cancel", appointment="0" * 32).code == "appointment-unknown"
    )


def test_a_citizen_cancels_until_an_hour_before_and_a_clerk_until_it_begins(desk: Desk) -> None:
    key = book(desk)
    desk.now_ms = (EIGHT_S - 3600) * 1000
    refusal = desk.refused("citizen", ANA, "cancel", appointment=key)
    assert refusal.code == "too-late-to-cancel"
    assert refusal.detail["minutes"] == 60
    desk.now_ms = EIGHT_S * 1000
    data = {"appointment": key, "citizen": ANA}
    assert desk.refused("clerk", CLERK, "cancel", **data).code == "too-late-to-cancel"
    desk.now_ms -= 1
    desk.done("clerk", CLERK, "cancel", **data)


def test_moving_takes_the_new_slot_and_frees_the_old(desk: Desk) -> None:
    key = book(desk)
    booked = appointment(desk, key)
    desk.done("citizen", ANA, "reschedule", appointment=key, slot=slot_id(3))
    assert slot(desk, 0)["state"] == "free"
    assert slot(desk, 3)["appointment"] == key
    row = appointment(desk, key)
    assert row["starts_s"] == EIGHT_S + 3600
    assert row["position"] == desk.acts[-1].position
    assert row["booked_position"] == booked["booked_position"]
    assert row["reason_sealed"] == b"r"


def test_moving_is_refused_as_booking_would_be(desk: Desk) -> None:
    key = book(desk, ANA, 0)
    book(desk, BEN, 1)
    for number, code in ((0, "same-slot"), (1, "slot-taken"), (99, "slot-unknown")):
        slot = slot_id(number)
        assert desk.refused("citizen", ANA, "reschedule", appointment=key, slot=slot).code == code


def test_an_appointment_does_not_stand_in_its_own_way(desk: Desk) -> None:
    for number in range(policy.UPCOMING_MAX):
        day, place = divmod(number, 6)
        act = desk.done("citizen", ANA, "book", slot=slot_id(place, day * 86400))
    key = act.data["appointment"]
    desk.done("citizen", ANA, "reschedule", appointment=key, slot=slot_id(5, 86400))


def test_a_clerk_acts_for_a_citizen_and_says_for_whom(desk: Desk) -> None:
    act = desk.done("clerk", CLERK, "book", slot=slot_id(), citizen=ANA)
    key = act.data["appointment"]
    assert appointment(desk, key)["citizen"] == ANA
    assert desk.refused("clerk", CLERK, "cancel", appointment=key).detail == {"field": "citizen"}
    refusal = desk.refused("clerk", CLERK, "cancel", appointment=key, citizen=BEN)
    assert refusal.code == "not-yours"
    desk.done("citizen", ANA, "cancel", appointment=key)


def test_a_citizen_does_not_book_for_another(desk: Desk) -> None:
    refusal = desk.refused("citizen", ANA, "book", slot=slot_id(), citizen=BEN)
    assert refusal.code == "malformed"
    assert refusal.detail == {"field": "citizen"}


def test_ids_of_clinics_and_practitioners_are_used_once(desk: Desk) -> None:
    place = {"name": "X", "town": "X", "county": "X", "address": "X"}
    refusal = desk.refused("operator", "op", "open_clinic", clinic="qendra-4", **place)
    assert refusal.code == "clinic-exists"
    doctor = {"name": "X", "speciality": "X"}
    for practitioner, clinic, code in (
        ("hoxha", "qendra-4", "practitioner-exists"),
        ("new", "nowhere", "clinic-unknown"),
    ):
        data = {"practitioner": practitioner, "clinic": clinic, **doctor}
        assert desk.refused("operator", "op", "add_practitioner", **data).code == code


def test_publishing_again_adds_only_days_without_slots(desk: Desk) -> None:
    refusal = publish(desk, MONDAY, TUESDAY)
    assert refusal.code == "nothing-to-publish"
    act = publish(desk, MONDAY, date(2026, 3, 9))[0]
    assert [day for day, _ in act.data["days"]] == ["2026-03-09"]


def test_publishing_has_bounds(desk: Desk) -> None:
    assert publish(desk, MONDAY, date(2026, 7, 1)).code == "too-many-days"
    data = {"zone": TIRANA, "valid_from": "2026-03-01", "valid_to": ""}
    weekly = [[day, 0, 1440, 5] for day in range(1, 8)]
    desk.done("clerk", CLERK, "set_schedule", practitioner="hoxha", weekly=weekly, **data)
    assert publish(desk, date(2026, 3, 4), date(2026, 4, 4)).code == "too-many-slots"
    assert publish(desk, date(2026, 3, 4), date(2026, 3, 20))


def test_publishing_in_another_zone_than_the_schedule_s_is_refused(desk: Desk) -> None:
    data = span(date(2026, 3, 9), date(2026, 3, 9)) | {"zone": "Europe/Athens"}
    refusal = desk.refused("clerk", CLERK, "publish_slots", **data)
    assert refusal.code == "other-zone"
    assert refusal.detail == {"zone": "Europe/Athens", "schedule_zone": TIRANA}


def test_the_schedule_that_began_last_holds_until_its_end(desk: Desk) -> None:
    data = {"zone": TIRANA, "valid_from": "2026-03-09", "valid_to": "2026-03-15"}
    weekly = [[1, 600, 660, 60]]
    desk.done("clerk", CLERK, "set_schedule", practitioner="hoxha", weekly=weekly, **data)
    act = publish(desk, date(2026, 3, 4), date(2026, 3, 31))[0]
    assert [(day, len(starts)) for day, starts in act.data["days"]] == [("2026-03-09", 1)]


def test_a_closed_day_is_not_published(desk: Desk) -> None:
    day = {"practitioner": "hoxha", "day": "2026-03-09", "kind": "closed"}
    desk.done("clerk", CLERK, "set_exception", **day)
    act = publish(desk, date(2026, 3, 9), date(2026, 3, 10))[0]
    assert [day for day, _ in act.data["days"]] == ["2026-03-10"]


def test_other_hours_are_published_in_place_of_the_weekly_ones(desk: Desk) -> None:
    other_hours(desk, date(2026, 3, 9), [[900, 960, 30]])
    act = publish(desk, date(2026, 3, 9), date(2026, 3, 9))[0]
    assert act.data["days"] == [["2026-03-09", [[1773064800, 30], [1773066600, 30]]]]


def other_hours(desk: Desk, day: date, hours: list[list[int]]) -> Any:
    data = {
        "practitioner": "hoxha",
        "day": day.isoformat(),
        "kind": "hours",
        "hours": hours,
        "zone": TIRANA,
        "offsets": zones.offsets(TIRANA, day, day),
    }
    return desk.done("clerk", CLERK, "set_exception", **data)


def test_closing_a_published_day_closes_its_slots_and_shows_whom_to_move(desk: Desk) -> None:
    key = book(desk, ANA, 2)
    day = {"practitioner": "hoxha", "day": "2026-03-02", "kind": "closed"}
    desk.done("clerk", CLERK, "set_exception", **day)
    assert {slot(desk, number)["state"] for number in range(6)} == {"closed"}
    assert slot(desk, 2)["appointment"] == key
    assert appointment(desk, key)["state"] == "booked"
    assert desk.refused("citizen", BEN, "book", slot=slot_id(0)).code == "slot-closed"
    desk.done("citizen", ANA, "reschedule", appointment=key, slot=slot_id(0, 86400))
    assert slot(desk, 2)["state"] == "closed"
    assert slot(desk, 2)["appointment"] == ""


def test_cancelling_on_a_closed_day_opens_nothing(desk: Desk) -> None:
    key = book(desk)
    day = {"practitioner": "hoxha", "day": "2026-03-02", "kind": "closed"}
    desk.done("clerk", CLERK, "set_exception", **day)
    desk.done("citizen", ANA, "cancel", appointment=key)
    assert slot(desk)["state"] == "closed"


def test_shorter_hours_close_what_lies_outside_and_usual_hours_open_it_again(desk: Desk) -> None:
    key = book(desk, ANA, 5)
    other_hours(desk, MONDAY, [[480, 520, 20]])
    assert [slot(desk, number)["state"] for number in range(6)] == ["free"] * 2 + ["closed"] * 4
    other_hours(desk, MONDAY, [[480, 600, 20]])
    assert [slot(desk, number)["state"] for number in range(6)] == ["free"] * 5 + ["taken"]
    assert slot(desk, 5)["appointment"] == key


def test_new_hours_never_overlap_an_appointment_that_stays(desk: Desk) -> None:
    book(desk, ANA, 1)  # 08:20 to 08:40
    other_hours(desk, MONDAY, [[480, 600, 30]])
    open_at = [
        (row["starts_s"], row["minutes"], row["state"])
        for row in desk.rows.find(apply.SLOT, practitioner="hoxha", day="2026-03-02")
        if row["state"] != "closed" or row["appointment"]
    ]
    assert open_at == [
        (EIGHT_S + 1200, 20, "closed"),
        (EIGHT_S + 3600, 30, "free"),
        (EIGHT_S + 5400, 30, "free"),
    ]


def test_an_exception_on_a_day_off_that_is_published_opens_slots_at_once(desk: Desk) -> None:
    publish(desk, date(2026, 3, 4), date(2026, 3, 9))
    act = other_hours(desk, date(2026, 3, 7), [[600, 660, 20]])
    assert len(act.data["opened"]) == 3
    act = other_hours(desk, date(2026, 3, 14), [[600, 660, 20]])
    assert act.data["opened"] == []


def test_a_replay_of_the_acts_gives_the_same_rows(desk: Desk) -> None:
    key = book(desk, ANA, 0)
    other = book(desk, BEN, 1)
    desk.done("citizen", ANA, "reschedule", appointment=key, slot=slot_id(4))
    desk.done("citizen", BEN, "cancel", appointment=other)
    other_hours(desk, MONDAY, [[480, 520, 20]])
    assert desk.replayed().tables == desk.rows.tables


def test_an_act_that_does_not_fit_changes_nothing(desk: Desk) -> None:
    key = book(desk)
    desk.done("citizen", ANA, "cancel", appointment=key)
    book(desk, BEN)
    before = {name: dict(rows) for name, rows in desk.rows.tables.items()}
    for act in desk.acts:
        if act.name == "schedule_set":  # setting the same schedule again is the same schedule
            continue
        with pytest.raises(UnfitAct, match=f"act {act.position}"):
            SERVICE.acts[act.name].apply(desk.rows, act)
    unknown = replace(desk.acts[-1], data=desk.acts[-1].data | {"slot": "hoxha-1"})
    with pytest.raises(UnfitAct):
        SERVICE.acts["booked"].apply(desk.rows, unknown)
    assert desk.rows.tables == before


def test_applying_a_booking_costs_a_rebuild_little(desk: Desk) -> None:
    """Eight microseconds on the reference machine; the bound leaves room for a slower one."""

    class DictRows:
        def __init__(self) -> None:
            self.tables: dict[str, dict[Any, Any]] = {apply.SLOT: {}, apply.APPOINTMENT: {}}

        def get(self, table: str, key: Any) -> Any:
            row = self.tables[table].get(key)
            return None if row is None else row.copy()

        def put(self, table: str, row: Any) -> None:
            self.tables[table][row["id"]] = dict(row)

        def drop(self, table: str, key: Any) -> None:
            self.tables[table].pop(key, None)

    act = desk.done("citizen", ANA, "book", slot=slot_id(), reason=b"r" * 100, contact=None)
    rows, count = DictRows(), 5000
    free = slot(desk) | {"state": "free", "appointment": ""}
    acts = []
    for number in range(count):
        rows.put(apply.SLOT, free | {"id": f"s{number}"})
        named = {"slot": f"s{number}", "appointment": f"{number:032}"}
        acts.append(replace(act, data=act.data | named))
    began = time.process_time()
    for act in acts:
        apply.booked(rows, act)
    assert (time.process_time() - began) / count < 40e-6
    assert len(rows.tables[apply.APPOINTMENT]) == count
