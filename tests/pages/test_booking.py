"""Booking, moving and cancelling through the pages, and every way in which it can be refused."""

from __future__ import annotations

import pytest

from fakes.portal import CLOCK, Visitor, command_of, token_of, words_of

MINUTE_MS = 60_000


def test_a_booking_is_confirmed_with_its_receipt(country, ana):
    answer = ana.book(country.slot())
    assert answer.status_code == 303
    page = ana.get(answer["Location"])
    assert "Your appointment is confirmed" in words_of(page)
    assert "Tuesday 3 February 2026, 10:00 (Tirana time, UTC+1)" in words_of(page)
    assert "receipt of the booking" in words_of(page)
    assert "Refresh" not in page


def test_what_was_typed_leaves_the_page_sealed_only(country, ana):
    ana.book(country.slot(), reason="nobody else's business", phone="+355 69 765 4321")
    data = country.tower.submitted[-1].data
    assert set(data) == {"slot", "reason", "contact"}
    assert b"business" not in data["reason"]
    assert b"765" not in data["contact"]


def test_an_empty_reason_is_not_sent(country, ana):
    assert ana.book(country.slot(), reason="  ").status_code == 303
    assert set(country.tower.submitted[-1].data) == {"slot", "contact"}


def test_the_citizen_reads_what_they_wrote_and_the_keeper_notes_it(country, ana):
    address = ana.book(country.slot(), reason="Dhimbje & ethe")["Location"]
    assert "Dhimbje & ethe" in words_of(ana.get(f"{address}/said"))
    assert country.tower.opened == [(country.citizens[0], "the citizen reads what they wrote")]


def test_a_double_click_books_once_and_ends_at_the_same_appointment(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    page = ana.get(address).content.decode()
    typed = {
        "csrfmiddlewaretoken": token_of(page),
        "command": command_of(page),
        "phone": "069 123 4567",
    }
    first, second = (ana.client.post(address, typed) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first["Location"] == second["Location"]
    assert words_of(ana.get("/appointments/mine")).count("receipt of the booking") == 1


def test_a_lost_answer_is_asked_for_again_and_books_once(country, ana):
    country.tower.lost_answers = 1
    answer = ana.book(country.slot(), reason="E shkruar një herë")
    assert answer.status_code == 503
    assert "What you typed is kept on this page" in words_of(answer)
    page = answer.content.decode()
    assert "E shkruar një herë" in page
    typed = {
        "csrfmiddlewaretoken": token_of(page),
        "command": command_of(page),
        "phone": "069 123 4567",
        "reason": "E shkruar një herë",
    }
    again = ana.client.post(f"/appointments/slots/{country.slot()}", typed)
    assert again.status_code == 303
    assert "is confirmed" in words_of(ana.get(again["Location"]))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"phone": ""}, "Enter a telephone number"),
        ({"phone": "call me"}, "digits only"),
        ({"phone": "12"}, "digits only"),
        ({"phone": "+(  )-/. "}, "digits only"),
        ({"reason": "x" * 501}, "Shorten the reason"),
        ({"command": "zz" * 16}, "incomplete"),
        ({"command": ""}, "incomplete"),
        ({"command": "00" * 15}, "incomplete"),
    ],
)
def test_a_form_that_is_not_right_says_so_and_keeps_what_was_typed(country, ana, typed, said):
    answer = ana.book(country.slot(), **{"reason": "E ruajtur", **typed})
    assert answer.status_code == 422
    assert said in words_of(answer)
    assert typed.get("reason", "E ruajtur") in answer.content.decode()
    assert not [one for one in country.tower.submitted if one.name == "book"]


def test_a_form_that_is_sent_again_after_a_problem_is_the_same_command(country, ana):
    first = ana.book(country.slot(), phone="", command="ab" * 16)
    assert command_of(first.content.decode()) == "ab" * 16


def test_a_taken_time_is_refused_in_words_and_keeps_what_was_typed(country, ana):
    form = ana.get(f"/appointments/slots/{country.slot()}").content.decode()
    country.book(country.citizens[1], country.slot())
    typed = {
        "csrfmiddlewaretoken": token_of(form),
        "command": command_of(form),
        "phone": "069 123 4567",
        "reason": "E shkruar",
    }
    answer = ana.client.post(f"/appointments/slots/{country.slot()}", typed)
    assert answer.status_code == 409
    assert "Somebody was quicker" in words_of(answer)
    assert "E shkruar" in answer.content.decode()
    assert "See other times" in words_of(answer)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("past", "begun already"),
        ("overlap", "another appointment at this time"),
        ("many", "10 appointments are to come already"),
    ],
)
def test_each_refusal_of_a_booking_has_its_sentence(country, ana, prepare, said):
    citizen, slot = country.citizens[0], country.slot(days=3)
    page = ana.get(f"/appointments/slots/{slot}").content.decode()
    typed = {
        "csrfmiddlewaretoken": token_of(page),
        "command": command_of(page),
        "phone": "069 123 4567",
    }
    if prepare == "past":
        CLOCK.at_ms += 3 * 24 * 60 * MINUTE_MS + 3 * 60 * MINUTE_MS
        Visitor.sign_in(ana, citizen)  # the first session has ended meanwhile
        typed["csrfmiddlewaretoken"] = token_of(ana.get("/check").content.decode())
    elif prepare == "overlap":
        country.book(citizen, country.slot("gjoka-b", days=3))
    else:
        for hour in (7, 8):
            for day in (1, 2, 7, 8, 9):
                country.book(citizen, country.slot(days=day, hour=hour))
    answer = ana.client.post(f"/appointments/slots/{slot}", typed)
    assert answer.status_code == 409
    assert said in words_of(answer)


def test_without_a_quorum_nothing_is_booked_and_the_page_says_when_to_come_back(country, ana):
    country.tower.quorum = False
    answer = ana.book(country.slot(), reason="E ruajtur")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"
    assert "Too few embassies answer" in words_of(answer)
    assert "E ruajtur" in answer.content.decode()
    country.tower.quorum = True
    assert "You have none" in words_of(ana.get("/appointments/mine"))


def test_a_citizen_without_a_key_is_told_that_it_can_not_be_done_now(country, ana):
    country.tower.keyless.add(country.citizens[0])
    answer = ana.book(country.slot())
    assert answer.status_code == 503
    assert "can't be done at the moment" in words_of(answer)


def test_what_is_not_witnessed_is_being_confirmed_and_never_settled(country, ana, besim):
    country.tower.held = True
    answer = ana.book(country.slot())
    page = ana.get(answer["Location"])
    assert "Your booking is being confirmed" in words_of(page)
    assert "is confirmed." not in words_of(page)
    assert page["Refresh"] == f"4; url={answer['Location']}?again=1"
    assert "/receipts/" not in page.content.decode()
    again = ana.get(f"{answer['Location']}?again=1")
    assert "Refresh" not in again
    assert "Look again" in words_of(again)
    assert "being confirmed" in words_of(ana.get("/appointments/mine"))
    other = words_of(besim.get(f"/appointments/slots/{country.slot()}"))
    assert "is being confirmed at this moment" in other
    assert "taken" not in other
    month = besim.get("/appointments/doctors/hoxha-a?day=2026-02-03").content.decode()
    assert f'href="/appointments/slots/{country.slot()}"' not in month
    country.tower.let_go()
    assert "Your appointment is confirmed" in words_of(ana.get(answer["Location"]))


def test_a_refusal_that_rests_on_unwitnessed_acts_is_not_told(country, besim):
    form = besim.get(f"/appointments/slots/{country.slot()}").content.decode()
    country.tower.held = True
    country.book(country.citizens[0], country.slot())
    typed = {
        "csrfmiddlewaretoken": token_of(form),
        "command": command_of(form),
        "phone": "069 123 4567",
        "reason": "E ruajtur",
    }
    answer = besim.client.post(f"/appointments/slots/{country.slot()}", typed)
    assert answer.status_code == 202
    assert "not confirmed yet" in words_of(answer)
    page = answer.content.decode()
    assert "E ruajtur" in page
    assert command_of(page) == typed["command"]


def test_cancelling_asks_first_and_frees_the_time(country, ana, besim):
    address = ana.book(country.slot())["Location"]
    assert "Cancel this appointment?" in words_of(ana.get(f"{address}/cancel"))
    assert ana.post(f"{address}/cancel", {}).status_code == 303
    assert "Your appointment is cancelled" in words_of(ana.get(address))
    assert besim.book(country.slot()).status_code == 303


def test_cancelling_twice_ends_at_the_cancelled_appointment(country, ana):
    address = ana.book(country.slot())["Location"]
    page = ana.get(f"{address}/cancel").content.decode()
    for command in (command_of(page), command_of(page), "cd" * 16):
        typed = {"csrfmiddlewaretoken": token_of(page), "command": command}
        answer = ana.client.post(f"{address}/cancel", typed)
        assert answer.status_code == 303
        assert answer["Location"] == address


def test_a_cancellation_without_its_command_id_is_asked_again(country, ana):
    address = ana.book(country.slot())["Location"]
    assert ana.post(f"{address}/cancel", {"command": "x"}).status_code == 422
    assert "is confirmed" in words_of(ana.get(address))


def test_too_late_to_cancel_is_said_with_the_number_of_minutes(country, ana):
    address = ana.book(country.slot(days=0, hour=8))["Location"]
    CLOCK.at_ms += 30 * MINUTE_MS
    answer = ana.post(f"{address}/cancel", {})
    assert answer.status_code == 409
    assert "until 60 minutes before it begins" in words_of(answer)


def test_moving_keeps_the_old_time_until_the_new_one_is_confirmed(country, ana):
    address = ana.book(country.slot())["Location"]
    assert "Choose another time" in words_of(ana.get(f"{address}/move"))
    new = country.slot(days=2, hour=10)
    question = words_of(ana.get(f"{address}/move/{new}"))
    assert "Wednesday 4 February 2026, 11:00" in question
    assert "you keep the old one, Tuesday 3 February 2026, 10:00" in question
    assert ana.post(f"{address}/move/{new}", {}).status_code == 303
    page = words_of(ana.get(address))
    assert "Wednesday 4 February 2026, 11:00" in page
    assert "receipt of the move" in page


def test_moving_to_a_taken_time_is_refused(country, ana):
    address = ana.book(country.slot())["Location"]
    new = country.slot(days=2)
    form = ana.get(f"{address}/move/{new}").content.decode()
    country.book(country.citizens[1], new)
    typed = {"csrfmiddlewaretoken": token_of(form), "command": command_of(form)}
    answer = ana.client.post(f"{address}/move/{new}", typed)
    assert answer.status_code == 409
    assert "Somebody was quicker" in words_of(answer)


def test_a_month_shows_where_there_is_room(country, ana):
    country.book(country.citizens[1], country.slot())
    page = ana.get("/appointments/doctors/hoxha-a").content.decode()
    assert "Tuesday 3 February 2026: " in page
    assert ">15<" in page.replace('<span class="more"> free</span>', "")
    assert "January" not in page
    later = ana.get("/appointments/doctors/hoxha-a?month=2026-03")
    assert "March 2026" in words_of(later)


@pytest.mark.parametrize("query", ["day=x", "day=2026-02-31", "month=9999-99", "day=0001-01-01"])
def test_a_day_that_is_none_shows_the_first_month_with_room(country, ana, query):
    page = ana.get(f"/appointments/doctors/hoxha-a?{query}")
    assert page.status_code == 200
    assert "February 2026" in words_of(page)


def test_finding_by_place_and_speciality(country):
    visitor = Visitor()
    both = words_of(visitor.get("/appointments/?place=Tiranë&speciality="))
    assert "2 doctors found" in both
    assert "Dr. Arta Hoxha" in both
    town = words_of(visitor.get("/appointments/?place=Tiranë/Kamëz"))
    assert "One doctor found" in town
    none = words_of(visitor.get("/appointments/?place=Vlorë&speciality=Mjekësi familjeje"))
    assert "Nobody fits both choices" in none
    for odd in ("page=9", "page=x", "page=-1", "page=" + "9" * 5000):
        assert visitor.get(f"/appointments/?place=&{odd}").status_code == 200


def test_a_booking_asks_for_session_and_hold_once_and_no_register(country, ana):
    from django.db import connections

    asked = []

    def count(execute, sql, params, many, context):
        asked.append((context["connection"].alias, sql))
        return execute(sql, params, many, context)

    address = f"/appointments/slots/{country.slot()}"
    page = ana.get(address).content.decode()
    typed = {
        "csrfmiddlewaretoken": token_of(page),
        "command": command_of(page),
        "phone": "069 123 4567",
    }
    with (
        connections["default"].execute_wrapper(count),
        connections["sessions"].execute_wrapper(count),
    ):
        assert ana.client.post(address, typed).status_code == 303
    assert [alias for alias, _ in asked] == ["sessions", "sessions"]
    assert all(sql.startswith("SELECT") for _, sql in asked)
