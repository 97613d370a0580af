"""The clerk's desk through its pages: book for somebody, walk-ins, who came, move and cancel."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from fakes.clinic_desk import NUMBERS, furnish, staff_of
from fakes.country import MONDAY_MS
from fakes.portal import CLOCK, Visitor, token_of, words_of
from kulla.kernel.service import Actor
from kulla.services.appointments.zones import offsets
from pages import desk_addresses

DESK = "/appointments/desk"
MINUTE_MS = 60_000


def row_of(country: Any, appointment: str) -> dict[str, Any]:
    row = country.tower._rows.get("appointments_appointment", appointment)
    assert row is not None
    return dict(row)


def test_the_way_from_the_clinic_to_a_time(country, clerk):
    page = clerk.get(f"{DESK}/")
    assert "At which clinic are you?" in words_of(page)
    assert "Poliklinika nr. 8" in words_of(page)
    country.book(country.citizens[0], country.slot())
    day = clerk.get(f"{DESK}/clinics/poliklinika-8?day=2026-02-03")
    said = words_of(day)
    assert "Tuesday 3 February 2026" in said
    assert "15 free, 1 taken" in said
    assert "booked ● 10:00" in said
    assert "Ana Prifti" not in said, "a glance opens no names"
    week = words_of(clerk.get(f"{DESK}/doctors/hoxha-a/week?day=2026-02-03"))
    assert "week of Monday 2 February 2026" in week
    assert "Ana Prifti" not in week


def test_a_days_list_shows_names_and_the_keeper_knows_who_asked(country, clerk):
    country.book(country.citizens[0], country.slot())
    country.tower.opened.clear()
    page = clerk.get(f"{DESK}/doctors/hoxha-a?day=2026-02-03")
    assert "Ana Prifti" in words_of(page)
    assert country.tower.opened == [
        (country.citizens[0], f"clerk {country.clerk}: the list of a practitioner's day")
    ]


def test_booking_for_a_caller_who_is_found_by_number(country, clerk):
    slot = country.slot()
    asked = clerk.get(f"{DESK}/slots/{slot}")
    assert (asked.status_code, asked["Location"]) == (302, f"{DESK}/people?slot={slot}")
    page = clerk.get(asked["Location"])
    found = clerk.send(page, asked["Location"], {"number": " j50101001a "})
    assert found.status_code == 303
    form = found["Location"]
    assert NUMBERS[0] not in form
    typed = {"phone": "069 123 4567", "reason": "Dhimbje koke", "identity": "call"}
    answer = clerk.send(clerk.get(form), form, typed)
    assert clerk.summary(answer) == (
        "Person Ana Prifti Appointment Tuesday 3 February 2026, 10:00 (Tirana time, UTC+1) "
        "With Dr. Arta Hoxha Identity The caller answered what only they know"
    )
    done = clerk.sign(answer)
    assert "Done, signed and confirmed" in words_of(done)
    assert "Ana Prifti" in words_of(done)
    row = row_of(country, done.wsgi_request.path.rpartition("/")[2])
    assert (row["citizen"], row["slot"], row["identity"]) == (country.citizens[0], slot, "call")
    command = country.tower.submitted[-1]
    assert command.assertion
    assert b"Dhimbje" not in command.data["reason"]
    notices = country.tower._rows.find("appointments_notice")
    assert [(one["kind"], one["citizen"]) for one in notices] == [("booked", country.citizens[0])]
    opened = words_of(clerk.get(f"{done.wsgi_request.path}?open=1"))
    assert "069 123 4567" in opened
    assert "Dhimbje koke" in opened


def test_a_refused_booking_says_why_and_keeps_what_was_typed_for_that_person_alone(country, clerk):
    slot, other = country.slot(), country.slot(days=2)
    form = f"{DESK}/slots/{slot}?person={country.citizens[0]}"
    typed = {"phone": "069 123 4567", "reason": "E shkruar", "identity": "document"}
    answer = clerk.send(clerk.get(form), form, typed)
    country.book(country.citizens[1], slot)
    back = clerk.sign(answer)
    assert clerk.ended == form
    assert "Somebody was quicker" in words_of(back)
    assert "no longer free" in words_of(back)
    assert "kept for this person" in words_of(back)
    somebody_else = clerk.get(f"{DESK}/slots/{other}?person={country.citizens[1]}")
    assert "E shkruar" not in somebody_else.content.decode()
    address = f"{DESK}/slots/{other}?person={country.citizens[0]}"
    same = clerk.get(address)
    assert "E shkruar" in same.content.decode()
    done = clerk.sign(clerk.send(same, address, typed))
    assert "Done" in words_of(done)
    later = clerk.get(f"{DESK}/slots/{country.slot(days=3)}?person={country.citizens[0]}")
    assert "E shkruar" not in later.content.decode()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"phone": "call me"}, "digits only"),
        ({"reason": "x" * 501}, "Shorten the reason"),
        ({"identity": ""}, "how you made sure"),
        ({"identity": "trust"}, "how you made sure"),
    ],
)
def test_what_is_not_right_is_said_and_nothing_is_sent(country, clerk, typed, said):
    form = f"{DESK}/slots/{country.slot()}?person={country.citizens[0]}"
    before = len(country.tower.submitted)
    fields = {"reason": "E ruajtur", "identity": "call", **typed}
    answer = clerk.send(clerk.get(form), form, fields)
    assert answer.status_code == 422
    assert said in words_of(answer)
    assert fields["reason"] in answer.content.decode()
    assert len(country.tower.submitted) == before


def test_a_number_that_nobody_has_and_one_that_is_none(country, clerk):
    address = f"{DESK}/people"
    answer = clerk.send(clerk.get(address), address, {"number": "X99999999X"})
    assert "Nobody in the register has this number" in words_of(answer)
    wrong = clerk.send(clerk.get(address), address, {"number": "?"})
    assert wrong.status_code == 422
    found = clerk.send(clerk.get(address), address, {"number": NUMBERS[1]})
    assert found["Location"] == f"{DESK}/people/{country.citizens[1]}"
    assert "Besim Kodra" in words_of(clerk.get(found["Location"]))


def test_a_new_person_is_registered_in_two_signatures_and_found_from_then_on(country, clerk):
    slot = country.slot()
    page = clerk.get(f"{DESK}/people/new?slot={slot}")
    fields = {"name": "Drita Nuri", "number": "M 80404004 D"}
    first = clerk.send(page, f"{DESK}/people/new?slot={slot}", fields)
    assert clerk.summary(first) == "A new person Drita Nuri"
    second_page = clerk.sign(first)
    assert "M 80404004 D" in second_page.content.decode()
    address = clerk.ended
    second = clerk.send(second_page, address, {"number": "M 80404004 D", "document": "passport"})
    assert "Drita Nuri" in clerk.summary(second)
    assert "Passport" in clerk.summary(second)
    form = clerk.sign(second)
    assert "Book for Drita Nuri" in words_of(form)
    assert clerk.ended.startswith(f"{DESK}/slots/{slot}?person=")
    find = f"{DESK}/people"
    found = clerk.send(clerk.get(find), find, {"number": "m80404004d"})
    assert found["Location"].startswith(f"{DESK}/people/")
    commands = [one.name for one in country.tower.submitted[-2:]]
    assert commands == ["register", "identify"]
    assert country.tower.submitted[-2].names, "the new key has to be held by a quorum"
    fresh = clerk.get(f"{DESK}/people/new").content.decode()
    assert "Drita" not in fresh


def test_who_has_a_number_is_not_registered_again(country, clerk):
    address = f"{DESK}/people/new"
    before = len(country.tower.submitted)
    fields = {"name": "Ana Tjetër", "number": NUMBERS[0]}
    answer = clerk.send(clerk.get(address), address, fields)
    assert answer.status_code == 422
    assert "it belongs to Ana Prifti" in words_of(answer)
    for wrong in ({"name": "Ana"}, {"number": "1"}):
        typed = {"name": "Ana Tjetër", "number": "Z12345678Z", **wrong}
        assert clerk.send(clerk.get(address), address, typed).status_code == 422
    assert len(country.tower.submitted) == before


def test_somebody_walks_in_is_here_and_is_seen(country, clerk):
    CLOCK.at_ms = MONDAY_MS + 125 * MINUTE_MS
    form = f"{DESK}/doctors/hoxha-a/walk-in?person={country.citizens[0]}"
    typed = {"minutes": "20", "identity": "document"}
    done = clerk.do(form, typed)
    assert "Done" in words_of(done)
    assert "arrived" in words_of(done)
    assert "walk-in" in words_of(done)
    day = f"{DESK}/doctors/hoxha-a?day=2026-02-02"
    listed = clerk.get(day)
    assert "Ana Prifti ✓ arrived walk-in" in words_of(listed)
    key = done.wsgi_request.path.rpartition("/")[2]
    ended = clerk.sign(clerk.send(listed, f"{DESK}/visits", {"note": f"ended:{key}"}))
    assert "Ana Prifti – ended walk-in" in words_of(ended)
    wrong = clerk.send(clerk.get(form), form, {"minutes": "x", "identity": "call"})
    assert wrong.status_code == 422
    assert "minutes as a number" in words_of(wrong)


def test_who_came_and_who_did_not(country, clerk):
    came = country.book(country.citizens[0], country.slot(days=0, hour=9))
    absent = country.book(country.citizens[1], country.slot(days=0, hour=8))
    CLOCK.at_ms = MONDAY_MS + 100 * MINUTE_MS  # 08:40 UTC
    day = f"{DESK}/doctors/hoxha-a?day=2026-02-02"
    page = clerk.get(day)
    assert "Did not come : Besim Kodra 09:00" in words_of(page)
    assert "Did not come : Ana Prifti" not in words_of(page), "it is not her time yet"
    answer = clerk.send(page, f"{DESK}/visits", {"note": f"arrived:{came}"})
    assert "Arrived Person Ana Prifti" in clerk.summary(answer)
    page = clerk.sign(answer)
    assert clerk.ended == f"{day}#at-{row_of(country, came)['starts_s']}"
    assert "Ana Prifti ✓ arrived" in words_of(page)
    page = clerk.sign(clerk.send(page, f"{DESK}/visits", {"note": f"missed:{absent}"}))
    assert "Besim Kodra ✗ did not come" in words_of(page)
    page = clerk.sign(clerk.send(page, f"{DESK}/visits", {"note": f"back:{absent}"}))
    assert row_of(country, absent)["visit"] == ""
    glance = words_of(clerk.get(f"{DESK}/clinics/poliklinika-8?day=2026-02-02"))
    assert "One person has arrived" in glance


@pytest.mark.parametrize("note", ["", "arrived", "came:{}", "arrived:" + "0" * 32])
def test_a_note_of_nothing_is_not_found(country, clerk, note):
    page = clerk.get(f"{DESK}/people")
    answer = clerk.send(page, f"{DESK}/visits", {"note": note, "command": "ab" * 16})
    assert answer.status_code == 404


def test_moving_and_cancelling_for_somebody_who_calls(country, clerk):
    booked = country.book(country.citizens[0], country.slot())
    page = clerk.get(f"{DESK}/appointments/{booked}/move")
    assert "Ana Prifti is expected by Dr. Arta Hoxha on Tuesday 3 February 2026" in words_of(page)
    target = country.slot(days=2, hour=10)
    answer = clerk.send(page, page.wsgi_request.path, {"slot": target})
    assert "To Wednesday 4 February 2026, 11:00" in clerk.summary(answer)
    assert "Done" in words_of(clerk.sign(answer))
    assert row_of(country, booked)["slot"] == target
    one_day = clerk.get(f"{DESK}/appointments/{booked}/move?day=2026-02-06")
    assert "Friday 6 February 2026" in words_of(one_day)
    assert "Thursday 5 February" not in words_of(one_day)
    done = clerk.do(f"{DESK}/appointments/{booked}/cancel", {})
    assert "cancelled" in words_of(done)
    assert row_of(country, booked)["state"] == "cancelled"
    kinds = [one["kind"] for one in country.tower._rows.find("appointments_notice")]
    assert kinds == ["moved", "cancelled"]


def test_what_is_not_witnessed_is_being_confirmed_at_the_desk_too(country, clerk):
    country.tower.held = True
    key = country.book(country.citizens[0], country.slot())
    page = clerk.get(f"{DESK}/doctors/hoxha-a?day=2026-02-03")
    assert "Ana Prifti being confirmed" in words_of(page)
    assert f"arrived:{key}" not in page.content.decode()
    country.tower.let_go()
    again = clerk.get(page.wsgi_request.get_full_path())
    assert "being confirmed" not in words_of(again)
    assert f"arrived:{key}" not in again.content.decode(), "nobody arrives on the day before"
    CLOCK.at_ms += 24 * 3600 * 1000
    clerk.sign_in(country.clerk)
    assert f"arrived:{key}" in clerk.get(page.wsgi_request.get_full_path()).content.decode()


def test_a_time_is_looked_for_with_a_person_in_mind(country, clerk):
    person = country.citizens[0]
    page = clerk.get(f"{DESK}/clinics/poliklinika-8?person={person}&day=2026-02-03")
    assert "You are looking for a time for Ana Prifti" in words_of(page)
    slot = country.slot()
    assert f'href="{DESK}/slots/{slot}?person={person}"' in page.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        *("clinics/x", "clinics/x/to-call", "doctors/x", "doctors/x/week", "doctors/x/hours"),
        *("slots/x-1", "people/x", "people/new/number", "appointments/x", "appointments/x/move"),
    ],
)
def test_what_is_not_there_is_not_found(clerk, address):
    assert clerk.get(f"{DESK}/{address}").status_code == 404


@pytest.mark.parametrize("role", ["citizen", "operator", "analyst", "nobody"])
def test_the_desk_is_for_clerks_alone(country, tmp_path, role):
    """Each page and each form of the desk, for every other role there is."""
    people = furnish(country, tmp_path)
    key = country.book(country.citizens[0], country.slot())
    places = {"clinic": "poliklinika-8", "practitioner": "hoxha-a", "slot": country.slot(days=2)}
    places |= {"person": country.citizens[0], "appointment": key}
    visitor = Visitor()
    if role != "nobody":
        visitor.sign_in(people.get(role, country.citizens[1]))
    before = len(country.tower.submitted)
    country.tower.opened.clear()
    mark = token_of(visitor.get("/check").content.decode())
    for name, wanted in desk_addresses.WANTED.items():
        parts = {one: places[one] for one in wanted}
        address = reverse(f"appointments:{name}", kwargs=parts)
        posted = {"csrfmiddlewaretoken": mark, "command": "ab" * 16, "note": f"arrived:{key}"}
        for answer in (visitor.get(address), visitor.client.post(address, posted)):
            if role == "nobody":
                assert answer["Location"].startswith("/sign-in?next="), name
            else:
                assert answer.status_code == 403, name
    assert len(country.tower.submitted) == before
    assert country.tower.opened == []


def test_a_clerk_whose_role_was_taken_away_is_out_at_once(country, tmp_path, clerk):
    assert clerk.get(f"{DESK}/").status_code == 200
    operator = Actor("operator", staff_of(tmp_path, "operator"))
    country.tower.authority = None
    data = {"subject": country.clerk, "role": "clerk"}
    assert country.ask(operator, "accounts", "revoke_role", data).status == "accepted"
    assert clerk.get(f"{DESK}/")["Location"].startswith("/sign-in?next=")


def test_a_big_clinic_comes_in_pages_that_stay_small(country, clerk):
    country.tower.authority = None
    operator = Actor("operator", "op")
    for number in range(20):
        about = {"clinic": "poliklinika-8", "name": f"Dr. {number:02d}", "speciality": "X"}
        who = {"practitioner": f"doktor-{number}"}
        week = [[day, 480, 960, 15] for day in range(1, 6)]
        span = {"valid_from": "2026-02-02", "valid_to": "", "zone": "Europe/Tirane"}
        days = {"first_day": "2026-02-03", "last_day": "2026-02-03", "zone": "Europe/Tirane"}
        at = offsets("Europe/Tirane", date(2026, 2, 3), date(2026, 2, 3))
        for name, data in (
            ("add_practitioner", {**who, **about}),
            ("set_schedule", {**who, **span, "weekly": week}),
            ("publish_slots", {**who, **days, "offsets": [list(pair) for pair in at]}),
        ):
            assert country.ask(operator, "appointments", name, data).status == "accepted"
    address = f"{DESK}/clinics/poliklinika-8?day=2026-02-03"
    for number in (1, 2, 3):
        page = clerk.get(f"{address}&page={number}")
        assert len(page.content) < 60_000
        assert f"Page {number} of 3" in words_of(page)
