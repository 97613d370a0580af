"""Whatever the desk does: no slot taken twice, nobody lost in a closed day, replays agree."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from kulla.kernel.rows import Row
from kulla.kernel.service import Refusal
from kulla.services.appointments import apply
from properties.test_appointment_histories import (
    CITIZENS,
    CLERK,
    TIRANA,
    Histories,
    citizens,
    doctors,
    picks,
)

slips = st.booleans()
NOTES = ("note_arrival", "note_missed", "end_visit", "take_back_visit")


class DeskHistories(Histories):
    """The clinic of the other histories, with a desk."""

    @precondition(lambda self: self.desk.rows.tables[apply.APPOINTMENT])
    @rule(pick=picks, name=st.sampled_from(NOTES))
    def note(self, pick: int, name: str) -> None:
        key = self.some(apply.APPOINTMENT, pick)["id"]
        self.ask("clerk", CLERK, name, appointment=key)

    @rule(doctor=doctors, citizen=citizens, minutes=st.sampled_from([5, 20, 60]), slip=slips)
    def walk_in(self, doctor: str, citizen: str, minutes: int, slip: bool) -> None:
        data = {"practitioner": doctor, "citizen": citizen, "minutes": minutes, "zone": TIRANA}
        answer = self.desk.ask("clerk", CLERK, "walk_in", **data)
        if isinstance(answer, list) and slip:
            key = answer[0].data["appointment"]
            self.desk.done("clerk", CLERK, "take_back_visit", appointment=key)

    @rule(numbers=st.lists(picks, min_size=3, max_size=3))
    def crowd(self, numbers: list[int]) -> None:
        """Everybody books, so that days have several people."""
        for citizen, number in zip(CITIZENS, numbers, strict=True):
            self.ask("citizen", citizen, "book", slot=self.some_slot(number))

    @precondition(lambda self: self.booked_ahead())
    @rule(pick=picks, shift=st.integers(0, 50), few=st.integers(0, 4))
    def close(self, pick: int, shift: int, few: int) -> None:
        """Close a day that has people, moving some of them to slots that are mostly free."""
        ahead = self.booked_ahead()
        meant = self.desk.rows.get(apply.SLOT, ahead[pick % len(ahead)]["slot"])
        assert meant is not None
        doctor, day = str(meant["practitioner"]), date.fromisoformat(str(meant["day"]))
        expected = self._expected(doctor, day)
        # Neighbours in the list of free times: some on the day itself, now and then one twice.
        moves = [
            [row["id"], self.some_slot(4 * (shift + number // (1 + shift % 2)) + 1)]
            for number, row in enumerate(expected[:few])
        ]
        data: dict[str, Any] = {"practitioner": doctor, "day": day.isoformat(), "moves": moves}
        before = {name: dict(rows) for name, rows in self.desk.rows.tables.items()}
        answer = self.desk.ask("clerk", CLERK, "close_day", **data)
        if isinstance(answer, Refusal):
            assert answer.code == "move-refused", answer
            assert self.desk.rows.tables == before, "all of it or nothing"
            return
        moved = dict(moves)
        for old in expected:
            now = self.desk.rows.get(apply.APPOINTMENT, old["id"])
            assert now is not None
            assert now["state"] == "booked"
            assert now["slot"] == moved.get(old["id"], old["slot"])
            assert (int(str(now["to_call_ms"])) > 0) == (old["id"] not in moved)
        left = self._expected(doctor, day)
        assert {row["id"] for row in left} == {row["id"] for row in expected} - set(moved)
        for slot in self.desk.rows.find(apply.SLOT, practitioner=doctor, day=day.isoformat()):
            if int(str(slot["starts_s"])) * 1000 > self.desk.now_ms:
                assert slot["state"] == "closed"

    def _expected(self, doctor: str, day: date) -> list[Row]:
        """Who still has a time to come on this day, of whom nothing is noted."""
        found = []
        for slot in self.desk.rows.find(apply.SLOT, practitioner=doctor, day=day.isoformat()):
            row = self.desk.rows.get(apply.APPOINTMENT, slot["appointment"])
            coming = int(str(slot["starts_s"])) * 1000 > self.desk.now_ms
            if row is not None and coming and not row["visit"]:
                found.append(row)
        return found

    @invariant()
    def who_is_to_be_called_is_who_has_a_closed_time(self) -> None:
        slots = self.desk.rows.tables[apply.SLOT]
        for row in self.desk.rows.tables[apply.APPOINTMENT].values():
            closed = (
                row["state"] == "booked"
                and row["slot"] != ""
                and slots[row["slot"]]["state"] == "closed"
            )
            assert (int(str(row["to_call_ms"])) > 0) == closed, row

    @invariant()
    def a_visit_is_noted_of_what_stands_and_a_walk_in_of_who_is_here(self) -> None:
        for row in self.desk.rows.tables[apply.APPOINTMENT].values():
            if row["state"] == "cancelled":
                assert row["visit"] == ""
            elif row["slot"] == "":
                assert row["visit"] in ("arrived", "ended")

    @invariant()
    def nobody_is_ever_lost(self) -> None:
        """Each appointment that was ever made stands, or an act of its own ended it."""
        ended = {
            act.data["appointment"]
            for act in self.desk.acts
            if act.name == "cancelled"
            or (act.name == "visit_taken_back" and act.data["state"] == "cancelled")
        }
        made = {
            act.data["appointment"] for act in self.desk.acts if act.name in ("booked", "walked_in")
        }
        rows = self.desk.rows.tables[apply.APPOINTMENT]
        assert set(rows) == made
        assert {key for key, row in rows.items() if row["state"] == "cancelled"} == ended

    @invariant()
    def each_thing_that_the_desk_did_has_its_notice(self) -> None:
        told = {
            act.position
            for act in self.desk.acts
            if act.actor.role == "clerk" and act.name in ("booked", "cancelled", "rescheduled")
        }
        rows = self.desk.rows.tables[apply.NOTICE].values()
        assert {row["position"] for row in rows if row["kind"] != "to-call"} == told


TestDeskHistories = DeskHistories.TestCase
TestDeskHistories.settings = settings(
    max_examples=max(40, settings().max_examples), stateful_step_count=60
)
