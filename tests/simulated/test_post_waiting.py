"""Letters that wait say how things stand when they go; what can't go keeps no other from going."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from fakes.country import MONDAY_MS, ZONE
from fakes.portal import CLOCK
from fakes.post import HOUR_MS, Home
from kulla.kernel.service import Actor
from kulla.services.appointments.zones import offsets
from kulla.services.messages.apply import LOOKED
from kulla.tower.post import messages


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.post.close()


def _down(home: Home) -> None:
    """The mail server is down when the letters that are due now are tried."""
    home.mail.script = ["down"]
    home.turns()
    assert home.mail.taken == []
    assert home.post.waiting() > 0


def _up(home: Home) -> list[tuple[str, str]]:
    """It is up again: (address, subject) of what goes, after which nothing waits."""
    CLOCK.at_ms += 5 * 60_000
    home.turns()
    CLOCK.at_ms += 5_000  # what could not be recorded while it was down is asked again
    home.turns()
    assert home.post.waiting() == 0
    return [(letter.address, letter.subject) for letter in home.mail.taken]


def test_a_booking_that_was_cancelled_meanwhile_is_not_confirmed(home: Home) -> None:
    ana = home.account(0)
    appointment = home.country.book(ana, home.country.slot(days=3))
    _down(home)
    home.ask(Actor("citizen", ana), "appointments", "cancel", appointment=appointment)
    assert _up(home) == []
    assert (home.rows(), home.tower.opened[1:]) == ([], [])


def test_a_booking_that_was_moved_meanwhile_is_confirmed_for_its_new_time(home: Home) -> None:
    ana = home.account(0)
    appointment = home.country.book(ana, home.country.slot(days=3))
    _down(home)
    data = {"appointment": appointment, "slot": home.country.slot(days=4)}
    home.ask(Actor("citizen", ana), "appointments", "reschedule", **data)
    assert len(_up(home)) == 1
    assert "e premte, 6 shkurt 2026" in home.mail.taken[0].body


def test_a_change_that_is_not_witnessed_yet_holds_the_letter_up(home: Home) -> None:
    ana = home.account(0)
    appointment = home.country.book(ana, home.country.slot(days=3))
    _down(home)
    home.tower.held = True
    data = {"appointment": appointment, "slot": home.country.slot(days=4)}
    home.ask(Actor("citizen", ana), "appointments", "reschedule", **data)
    CLOCK.at_ms += 5 * 60_000
    home.turns()
    assert (home.mail.taken, home.post.waiting()) == ([], 1)
    home.tower.let_go()
    assert len(_up(home)) == 1


def test_nothing_goes_to_an_address_that_was_removed_meanwhile(home: Home) -> None:
    ana = home.account(0)
    home.add_address(ana, "mail", "re@example.al")
    home.country.book(ana, home.country.slot(days=3))
    _down(home)
    token = home.tower.token("mail", "person0@example.al")
    home.ask(Actor("citizen", ana), "accounts", "remove_address", token=token)
    assert _up(home) == [("re@example.al", "Takimi juaj është konfirmuar")]


def test_who_does_not_act_for_somebody_any_more_gets_no_letter(home: Home) -> None:
    mother, child = home.account(0), home.account(1)
    clerk = Actor("clerk", home.country.clerk)
    home.ask(clerk, "accounts", "relate", guardian=mother, ward=child, kind="child", until_day="")
    home.country.book(child, home.country.slot(days=3))
    _down(home)
    [relation] = home.tower._rows.find("accounts_relation")
    home.ask(clerk, "accounts", "end_relation", relation=relation["id"])
    assert _up(home) == [("person1@example.al", "Takimi juaj është konfirmuar")]
    assert [row["subject"] for row in home.rows()] == [child]


def test_a_reminder_that_nobody_wants_any_more_or_of_another_time_is_dropped(home: Home) -> None:
    ana, besim = home.account(0), home.account(1)
    home.country.book(ana, home.country.slot(days=3))
    moved = home.country.book(besim, home.country.slot(days=3, hour=8))
    home.turns()
    home.mail.taken.clear()
    CLOCK.at_ms = int(datetime(2026, 2, 4, 7, 1, tzinfo=UTC).timestamp() * 1000)
    _down(home)
    home.ask(Actor("citizen", ana), "accounts", "set_preferences", language="sq", reminders="none")
    data = {"appointment": moved, "slot": home.country.slot(days=8)}
    home.ask(Actor("citizen", besim), "appointments", "reschedule", **data)
    assert _up(home) == []


def test_of_a_move_and_a_cancellation_meanwhile_only_the_last_is_told(home: Home) -> None:
    ana, clerk = home.account(0), Actor("clerk", home.country.clerk)
    appointment = home.country.book(ana, home.country.slot(days=3))
    home.turns()
    home.mail.taken.clear()
    mine = {"appointment": appointment, "citizen": ana}
    home.ask(clerk, "appointments", "reschedule", slot=home.country.slot(days=4), **mine)
    _down(home)
    home.ask(clerk, "appointments", "cancel", **mine)
    assert _up(home) == [("person0@example.al", "Klinika e anuloi takimin tuaj")]


@pytest.mark.parametrize("meanwhile", ["arrived", "opened", "nothing"])
def test_who_has_come_or_has_their_time_back_is_not_told_of_a_call(
    home: Home, meanwhile: str
) -> None:
    ana, clerk = home.account(0, "en"), Actor("clerk", home.country.clerk)
    appointment = home.country.book(ana, home.country.slot(days=1))
    home.turns()
    CLOCK.at_ms = MONDAY_MS + 25 * HOUR_MS
    home.turns()
    home.mail.taken.clear()
    day = {"practitioner": "hoxha-a", "day": "2026-02-03"}
    home.ask(clerk, "appointments", "set_exception", kind="closed", **day)
    _down(home)
    if meanwhile == "arrived":
        home.ask(clerk, "appointments", "note_arrival", appointment=appointment)
    elif meanwhile == "opened":
        spans = [list(pair) for pair in offsets(ZONE, date(2026, 2, 3), date(2026, 2, 3))]
        usual = {"kind": "hours", "hours": [[480, 720, 20]], "zone": ZONE, "offsets": spans}
        home.ask(clerk, "appointments", "set_exception", **day, **usual)
    told = [("person0@example.al", "The clinic is closed at the time of your appointment")]
    assert _up(home) == (told if meanwhile == "nothing" else [])


def test_without_a_quorum_at_the_moment_of_sending_nothing_goes(home: Home) -> None:
    for number in range(2):
        home.country.book(home.account(number), home.country.slot(days=3, hour=8 + number))
    home.post._after_carry = lambda: setattr(home.tower, "quorum", False)
    home.post.turn()
    assert len(home.mail.taken) == 1
    home.tower.quorum, home.post._after_carry = True, lambda: None
    assert len(_up(home)) == 2


def test_a_home_without_mail_uses_no_letter_up(home: Home) -> None:
    home.country.book(home.account(0), home.country.slot(days=3))
    mute = home.fresh(mail=False)
    for _ in range(3):
        home.turns(mute)
        CLOCK.at_ms += 11 * 60_000
    home.turns(mute)
    mute.close()
    assert home.tower._rows.find(LOOKED) == []
    home.post.close()
    home.post = home.fresh()
    assert _up(home) == [("person0@example.al", "Takimi juaj është konfirmuar")]


def test_a_letter_that_can_not_be_composed_is_noted_and_the_others_go(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = LogCapture()
    log = structlog.wrap_logger(None, processors=[said], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr(messages, "log", log)
    ana, besim = home.account(0), home.account(1)
    _work_in(home, "Europe/Nowhere")
    slot = f"kodra-e-{int(datetime(2026, 2, 5, 8, tzinfo=UTC).timestamp())}"
    unfit = home.country.book(ana, slot)
    home.country.book(besim, home.country.slot(days=3))
    home.turns()
    assert [letter.address for letter in home.mail.taken] == ["person1@example.al"]
    [row] = [row for row in home.rows() if row["about"] == unfit]
    assert (row["state"], row["why"], row["subject"]) == ("failed", "unfit", ana)
    assert [subject for subject, _ in home.tower.opened] == [besim]
    [alarm] = [line for line in said.entries if "can't be composed" in line["event"]]
    assert (alarm["log_level"], alarm["message"]) == ("critical", row["id"])
    again = home.fresh()
    home.turns(again)
    again.close()
    assert (home.mail.attempts, len(home.rows())) == (1, 2)


def _work_in(home: Home, zone: str) -> None:
    """A practitioner whose hours are by a time zone of this name: only its shape is judged."""
    operator = Actor("operator", "arkitekti")
    first, last = date(2026, 2, 2), date(2026, 2, 20)
    who = {"practitioner": "kodra-e"}
    joins = {"clinic": "poliklinika-8", "name": "Dr. E. Kodra", "speciality": "Kardiologji"}
    home.ask(operator, "appointments", "add_practitioner", **who, **joins)
    holds = {"weekly": [[4, 480, 720, 20]], "valid_from": str(first), "valid_to": ""}
    home.ask(operator, "appointments", "set_schedule", **who, **holds, zone=zone)
    spans = [list(pair) for pair in offsets(ZONE, first, last)]
    days = {"first_day": str(first), "last_day": str(last), "offsets": spans}
    home.ask(operator, "appointments", "publish_slots", **who, **days, zone=zone)
