"""Whatever citizens and clerks ask, in whatever order: nobody is double booked, replays agree."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.desk import Desk
from kulla.kernel.rows import Row
from kulla.kernel.service import Refusal
from kulla.services.appointments import apply, zones
from kulla.services.appointments.service import SERVICE

TIRANA = "Europe/Tirane"
FIRST = date(2026, 3, 27)  # clocks change on the 29th
CITIZENS = [letter * 32 for letter in "abc"]
CLERK = "f" * 32
DOCTORS = ["hoxha", "leka"]

days = st.integers(0, 4).map(lambda number: FIRST + timedelta(days=number))
doctors = st.sampled_from(DOCTORS)
citizens = st.sampled_from(CITIZENS)
hours = st.lists(
    st.tuples(st.integers(0, 22), st.integers(1, 4), st.sampled_from([20, 30, 45])), max_size=2
)
picks = st.integers(0, 10**6)


class Histories(RuleBasedStateMachine):
    """Random commands at one clinic with two doctors and three citizens."""

    @initialize()
    def open(self) -> None:
        now = datetime(2026, 3, 27, 5, tzinfo=UTC)
        self.desk = Desk(SERVICE, int(now.timestamp()) * 1000)
        self.refusals: set[str] = set()
        place = {"name": "X", "town": "X", "county": "X", "address": "X"}
        self.desk.done("operator", "op", "open_clinic", clinic="x", **place)
        for doctor in DOCTORS:
            data = {"practitioner": doctor, "clinic": "x", "name": "X", "speciality": "X"}
            self.desk.done("operator", "op", "add_practitioner", **data)
            self.schedule(doctor, FIRST, [(7, 2, 30)])
            self.publish(doctor, FIRST, 1)

    def ask(self, *args: Any, **data: Any) -> None:
        answer = self.desk.ask(*args, **data)
        if isinstance(answer, Refusal):
            self.refusals.add(answer.code)
            assert answer.code not in ("malformed", "not-allowed"), answer

    @rule(doctor=doctors, day=days, periods=hours)
    def schedule(self, doctor: str, day: date, periods: list[tuple[int, int, int]]) -> None:
        weekly = [[on, *period] for on in range(1, 8) for period in _minutes(periods)]
        data = {"zone": TIRANA, "valid_from": day.isoformat(), "valid_to": "", "weekly": weekly}
        self.ask("clerk", CLERK, "set_schedule", practitioner=doctor, **data)

    @rule(doctor=doctors, day=days, length=st.integers(0, 3))
    def publish(self, doctor: str, day: date, length: int) -> None:
        last = day + timedelta(days=length)
        self.ask(
            "clerk",
            CLERK,
            "publish_slots",
            practitioner=doctor,
            zone=TIRANA,
            first_day=day.isoformat(),
            last_day=last.isoformat(),
            offsets=zones.offsets(TIRANA, day, last),
        )

    @rule(doctor=doctors, day=days, periods=hours)
    def exception(self, doctor: str, day: date, periods: list[tuple[int, int, int]]) -> None:
        data: dict[str, Any] = {"practitioner": doctor, "day": day.isoformat(), "kind": "closed"}
        if periods:
            data |= {"kind": "hours", "hours": _minutes(periods), "zone": TIRANA}
            data |= {"offsets": zones.offsets(TIRANA, day, day)}
        self.ask("clerk", CLERK, "set_exception", **data)

    @rule(hours=st.sampled_from([0, 0, 0, 1, 5]))
    def wait(self, hours: int) -> None:
        self.desk.now_ms += hours * 3_600_000

    def some(self, table: str, pick: int) -> Row:
        rows = self.desk.rows.find(table)
        return rows[pick % len(rows)]

    def some_slot(self, pick: int) -> str:
        """Mostly one that is free and still to come, else any."""
        free = self.desk.rows.find(apply.SLOT, state="free")
        coming = [row for row in free if int(str(row["starts_s"])) * 1000 > self.desk.now_ms]
        rows = coming if coming and pick % 4 else self.desk.rows.find(apply.SLOT)
        return str(rows[pick % len(rows)]["id"])

    @rule(citizen=citizens, pick=picks, on_behalf=st.booleans())
    def book(self, citizen: str, pick: int, on_behalf: bool) -> None:
        slot = self.some_slot(pick)
        if on_behalf:
            self.ask("clerk", CLERK, "book", slot=slot, citizen=citizen)
        else:
            self.ask("citizen", citizen, "book", slot=slot, reason=b"r")

    @precondition(lambda self: self.desk.rows.tables[apply.APPOINTMENT])
    @rule(citizen=citizens, pick=picks)
    def cancel(self, citizen: str, pick: int) -> None:
        key = self.some(apply.APPOINTMENT, pick)["id"]
        self.ask("citizen", citizen, "cancel", appointment=key)

    @precondition(lambda self: self.desk.rows.tables[apply.APPOINTMENT])
    @rule(pick=picks, slot_pick=picks, on_behalf=st.booleans())
    def reschedule(self, pick: int, slot_pick: int, on_behalf: bool) -> None:
        appointment = self.some(apply.APPOINTMENT, pick)
        wish: dict[str, Any] = {"appointment": appointment["id"]}
        wish["slot"] = self.some_slot(slot_pick)
        if on_behalf:
            self.ask("clerk", CLERK, "reschedule", citizen=appointment["citizen"], **wish)
        else:
            self.ask("citizen", appointment["citizen"], "reschedule", **wish)

    def booked_ahead(self) -> list[Row]:
        """The appointments that stand; who walked in took no slot and is seen between them."""
        rows = self.desk.rows.find(apply.APPOINTMENT, state="booked")
        return [row for row in rows if row["slot"]]

    @invariant()
    def nobody_is_double_booked(self) -> None:
        booked = self.booked_ahead()
        slots = [row["slot"] for row in booked]
        assert len(slots) == len(set(slots))
        for column in ("practitioner", "citizen"):
            for who in {row[column] for row in booked}:
                _assert_apart([row for row in booked if row[column] == who])

    @invariant()
    def slots_and_appointments_agree(self) -> None:
        appointments = self.desk.rows.tables[apply.APPOINTMENT]
        slots = self.desk.rows.tables[apply.SLOT]
        for slot in slots.values():
            if slot["appointment"]:
                assert slot["state"] in ("taken", "closed")
                at = appointments[slot["appointment"]]
                assert (at["state"], at["slot"]) == ("booked", slot["id"])
                assert (at["starts_s"], at["minutes"]) == (slot["starts_s"], slot["minutes"])
            else:
                assert slot["state"] in ("free", "closed")
        for row in self.booked_ahead():
            assert slots[row["slot"]]["appointment"] == row["id"]

    @invariant()
    def slots_that_are_open_or_occupied_never_overlap(self) -> None:
        rows = self.desk.rows.find(apply.SLOT)
        for doctor in DOCTORS:
            _assert_apart(
                [
                    row
                    for row in rows
                    if row["practitioner"] == doctor
                    and (row["state"] != "closed" or row["appointment"])
                ]
            )

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            assert self.desk.replayed().tables == self.desk.rows.tables


def _minutes(periods: list[tuple[int, int, int]]) -> list[list[int]]:
    """Periods of (hour, hours, minutes a slot) that do not overlap and stay within the day."""
    found: list[list[int]] = []
    ended = 0
    for hour, length, minutes in sorted(periods):
        begin, end = hour * 60, min(24, hour + length) * 60
        if begin >= ended:
            found.append([begin, end, minutes])
            ended = end
    return found


def _assert_apart(rows: list[Row]) -> None:
    ended_s = 0
    for row in sorted(rows, key=lambda row: int(str(row["starts_s"]))):
        starts_s, minutes = row["starts_s"], row["minutes"]
        assert isinstance(starts_s, int)
        assert isinstance(minutes, int)
        assert starts_s >= ended_s, rows
        ended_s = starts_s + minutes * 60


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=max(60, settings().max_examples), stateful_step_count=60
)
