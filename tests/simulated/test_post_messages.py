"""Letters that follow from acts: to the right people, once, never ahead of the watermark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.country import MONDAY_MS
from fakes.portal import CLOCK
from fakes.post import HOUR_MS, SITE, Home
from kulla.kernel.service import Actor
from kulla.services.messages.apply import LOOKED
from kulla.tower.post.appointments_letters import reminder_ms


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.post.close()


def test_a_booking_is_confirmed_by_a_letter_that_says_nothing_of_health(home: Home) -> None:
    ana = home.account(0)
    appointment = home.country.book(ana, home.country.slot(days=3))
    home.turns()
    [letter] = home.mail.taken
    assert (letter.address, letter.language) == ("person0@example.al", "sq")
    assert letter.subject == "Takimi juaj është konfirmuar"
    assert "Keni një takim e enjte, 5 shkurt 2026, ora 10:00 (ora e Tiranës, UTC+1)." in letter.body
    assert "Poliklinika nr. 8, Rruga e Kavajës 114, Tiranë" in letter.body
    assert f"{SITE}/appointments/{appointment}" in letter.body
    position = home.tower._rows.get("appointments_appointment", appointment)["booked_position"]  # type: ignore[index]
    assert f"{SITE}/receipts/{position}" in letter.body
    for word in ("Kontroll", "Hoxha", "familjeje", "069", "Ana"):
        assert word not in letter.subject + letter.body
    [row] = home.rows()
    assert (row["subject"], row["kind"], row["about"]) == (ana, "booked", appointment)
    assert (row["channel"], row["state"], row["id"]) == ("mail", "sent", letter.id)
    assert [reason for _, reason in home.tower.opened] == ["letter: booked"]


def test_letters_are_in_the_person_s_language(home: Home) -> None:
    besim = home.account(1, language="en")
    home.country.book(besim, home.country.slot(days=3))
    home.turns()
    [letter] = home.mail.taken
    assert letter.subject == "Your appointment is confirmed"
    assert "You have an appointment on Thursday 5 February 2026, 10:00" in letter.body


def test_who_has_no_account_gets_no_letter_and_no_key_is_opened(home: Home) -> None:
    home.country.book(home.country.citizens[0], home.country.slot(days=3))
    home.turns()
    assert home.mail.attempts == 0
    assert home.tower.opened == []
    assert home.rows() == []


def test_nothing_is_told_ahead_of_the_watermark(home: Home) -> None:
    ana = home.account(0)
    home.tower.held = True
    home.country.book(ana, home.country.slot(days=3))
    home.turns()
    assert home.mail.attempts == 0
    home.tower.let_go()
    home.turns()
    assert len(home.mail.taken) == 1


def test_a_booking_that_was_changed_above_the_watermark_waits_for_it(home: Home) -> None:
    ana = home.account(0)
    appointment = home.country.book(ana, home.country.slot(days=3))
    home.tower.held = True
    home.ask(Actor("citizen", ana), "appointments", "cancel", appointment=appointment)
    home.turns()
    assert home.mail.attempts == 0
    home.tower.let_go()
    home.turns()
    assert home.mail.attempts == 0, "a cancelled booking needs no confirmation"


def test_a_new_time_above_the_watermark_is_told_to_nobody_yet(home: Home) -> None:
    ana = home.account(0)
    appointment = home.country.book(ana, home.country.slot(days=3))
    home.tower.held = True
    later = home.country.slot(days=4)
    citizen = Actor("citizen", ana)
    home.ask(citizen, "appointments", "reschedule", appointment=appointment, slot=later)
    home.turns()
    assert home.mail.attempts == 0
    home.tower.let_go()
    home.turns()
    [letter] = home.mail.taken
    assert "e premte, 6 shkurt 2026" in letter.body


def test_an_address_above_the_watermark_is_not_written_to(home: Home) -> None:
    home.country.book(home.country.citizens[0], home.country.slot(days=3))
    home.tower.held = True
    home.account(0)
    home.turns()
    assert home.mail.attempts == 0


def test_without_a_quorum_nothing_leaves(home: Home) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.tower.quorum = False
    home.turns()
    assert home.mail.attempts == 0
    home.tower.quorum = True
    home.turns()
    assert len(home.mail.taken) == 1


def test_nothing_is_sent_twice_by_a_new_process_or_a_new_home(home: Home) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.turns()
    again = home.fresh()
    home.turns(again)
    again.close()
    assert len(home.mail.taken) == 1
    CLOCK.at_ms += 11 * 60_000
    home.turns()
    [looked] = home.tower._rows.find(LOOKED)
    assert looked["up_to"] == home.tower.witnessing().watermark - 1
    CLOCK.at_ms += 11 * 60_000
    home.turns()
    assert home.tower._rows.find(LOOKED) == [looked], "a note alone is nothing to note"


def test_a_crash_before_the_record_repeats_the_letter_under_its_id(home: Home) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.tower.lost_answers = 0
    post = home.fresh()
    post._record = lambda: None  # type: ignore[method-assign] # died before it could record
    post.turn()
    post.close()
    assert len(home.mail.taken) == 1
    home.turns()
    first, second = home.mail.taken
    assert (first.id, first.address, first.body) == (second.id, second.address, second.body)
    assert len(home.rows()) == 1


def test_a_record_whose_answer_was_lost_is_asked_for_again_and_the_letter_is_not(
    home: Home,
) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.tower.lost_answers = 1
    home.turns()
    CLOCK.at_ms += 2000
    home.turns()
    assert (len(home.mail.taken), len(home.rows()), home.post.waiting()) == (1, 1, 0)


def test_not_now_is_tried_again_after_a_growing_pause(home: Home) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.mail.script = ["not-now"] * 6
    pauses = []
    for attempts in range(1, 7):
        start_ms = CLOCK.at_ms
        while home.mail.attempts < attempts:
            home.turns()
            CLOCK.at_ms += 250
        pauses.append(CLOCK.at_ms - start_ms)
    assert 8_000 < sum(pauses) < 150_000
    assert pauses[5] > pauses[2] > 1000
    CLOCK.at_ms += 200_000
    home.turns()
    assert len(home.mail.taken) == 1


def test_a_carrier_that_is_down_is_not_asked_for_each_letter(home: Home) -> None:
    for number in range(3):
        subject = home.account(number)
        home.country.book(subject, home.country.slot(days=3, hour=8 + number))
    home.mail.script = ["down"]
    home.turns()
    assert (home.mail.attempts, home.post.trouble) == (1, "down-450")
    CLOCK.at_ms += 5000
    home.turns()
    assert (len(home.mail.taken), home.post.trouble) == (3, "")


def test_a_refusal_for_good_is_noted_and_the_next_address_is_tried(home: Home) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.mail.script = ["never"]
    home.turns()
    [row] = home.rows()
    assert (row["state"], row["why"]) == ("failed", "never-450")
    besim = home.account(1)
    home.add_address(besim, "phone", "+355691234567")
    home.country.book(besim, home.country.slot(days=4))
    home.mail.script = ["never"]
    home.turns()
    [text] = home.phone.taken
    assert text.address == "+355691234567"
    assert len(text.body) <= 300
    assert {row["state"] for row in home.rows()} == {"failed", "sent"}


def test_what_could_not_go_in_time_is_given_up_and_noted(home: Home) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.mail.script = ["not-now"] * 1000
    home.turns()
    CLOCK.at_ms += 25 * HOUR_MS
    home.turns()
    rows = [row for row in home.rows() if row["kind"] == "booked"]
    assert [(row["state"], row["why"]) for row in rows] == [("failed", "given-up")]


def test_a_reminder_goes_the_day_before_at_eight(home: Home) -> None:
    ana = home.account(0)
    home.country.book(ana, home.country.slot(days=3))
    home.turns()
    home.mail.taken.clear()
    at_ms = int(datetime(2026, 2, 4, 7, 0, tzinfo=UTC).timestamp() * 1000)
    CLOCK.at_ms = at_ms - 6 * 60_000
    home.turns()
    assert home.mail.taken == []
    CLOCK.at_ms = at_ms + 1000
    home.turns()
    [letter] = home.mail.taken
    assert letter.subject == "Kujtesë: takimi juaj po afron"
    for minutes in (1, 10, 60, 23 * 60):
        CLOCK.at_ms = at_ms + minutes * 60_000
        home.turns()
        home.turns(home.fresh())
    assert len(home.mail.taken) == 1


def test_a_reminder_of_a_moved_appointment_is_for_its_new_time(home: Home) -> None:
    ana = home.account(0)
    appointment = home.country.book(ana, home.country.slot(days=3))
    later = home.country.slot(days=8)
    home.ask(
        Actor("citizen", ana), "appointments", "reschedule", appointment=appointment, slot=later
    )
    home.turns()
    home.mail.taken.clear()
    for day in range(1, 10):
        CLOCK.at_ms = MONDAY_MS + day * 24 * HOUR_MS
        home.turns()
    [letter] = home.mail.taken
    assert "e martë, 10 shkurt 2026" in letter.body


def test_no_reminder_where_none_is_wanted_or_the_booking_is_fresh(home: Home) -> None:
    ana, besim = home.account(0), home.account(1)
    home.ask(Actor("citizen", ana), "accounts", "set_preferences", language="en", reminders="none")
    home.country.book(ana, home.country.slot(days=3))
    CLOCK.at_ms = MONDAY_MS + 50 * HOUR_MS
    home.country.book(besim, home.country.slot(days=3, hour=8))
    home.turns()
    CLOCK.at_ms = MONDAY_MS + 60 * HOUR_MS
    home.turns()
    assert {letter.subject for letter in home.mail.taken} == {"Takimi juaj është konfirmuar"}


def test_what_the_clinic_did_is_told_also_to_who_wants_no_reminders(home: Home) -> None:
    ana = home.account(0, language="en")
    citizen, clerk = Actor("citizen", ana), Actor("clerk", home.country.clerk)
    home.ask(citizen, "accounts", "set_preferences", language="en", reminders="none")
    appointment = home.country.book(ana, home.country.slot(days=3))
    other = home.country.slot(days=4)
    home.turns()
    home.ask(clerk, "appointments", "reschedule", appointment=appointment, slot=other, citizen=ana)
    home.turns()
    home.ask(clerk, "appointments", "cancel", appointment=appointment, citizen=ana)
    home.turns()
    subjects = [letter.subject for letter in home.mail.taken]
    assert subjects == [
        "Your appointment is confirmed",
        "The clinic moved your appointment",
        "The clinic cancelled your appointment",
    ]
    assert "Friday 6 February 2026" in home.mail.taken[1].body


def test_of_two_moves_only_the_last_is_told(home: Home) -> None:
    ana = home.account(0)
    clerk = Actor("clerk", home.country.clerk)
    appointment = home.country.book(ana, home.country.slot(days=3))
    home.turns()
    home.mail.taken.clear()
    for days in (4, 7):
        slot = home.country.slot(days=days)
        data = {"appointment": appointment, "slot": slot, "citizen": ana}
        home.ask(clerk, "appointments", "reschedule", **data)
    home.turns()
    [letter] = home.mail.taken
    assert "e hënë, 9 shkurt 2026" in letter.body


def test_who_acts_for_a_child_is_told_and_reads_that_it_is_not_their_own(home: Home) -> None:
    mother, child = home.account(0), home.country.citizens[1]
    clerk = Actor("clerk", home.country.clerk)
    home.ask(clerk, "accounts", "relate", guardian=mother, ward=child, kind="child", until_day="")
    home.country.book(child, home.country.slot(days=3))
    home.turns()
    [letter] = home.mail.taken
    assert letter.address == "person0@example.al"
    assert letter.body.startswith("Kjo ka të bëjë me dikë për të cilin veproni ju.")
    assert home.rows()[0]["subject"] == mother


def test_many_letters_go_in_turns_and_each_once(home: Home) -> None:
    people = [home.account(number) for number in range(3)]
    for number in range(30):
        hour, day = divmod(number // 3, 5)
        slot = home.country.slot(days=7 + day, hour=8 + hour)
        if number % 3 == 0:
            home.country.book(people[number // 10 % 3], slot)
    home.turns()
    assert len({letter.id for letter in home.mail.taken}) == len(home.mail.taken) == 10


def test_the_hour_of_a_reminder_is_the_clock_on_the_wall() -> None:
    # Clocks go forward in the night to Sunday 29 March 2026: eight o'clock is an hour earlier.
    sunday = int(datetime(2026, 3, 29, 12, 0, tzinfo=UTC).timestamp())
    monday = int(datetime(2026, 3, 30, 12, 0, tzinfo=UTC).timestamp())
    assert reminder_ms(sunday) == int(datetime(2026, 3, 28, 7, tzinfo=UTC).timestamp()) * 1000
    assert reminder_ms(monday) == int(datetime(2026, 3, 29, 6, tzinfo=UTC).timestamp()) * 1000
