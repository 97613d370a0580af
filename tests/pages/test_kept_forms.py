"""What a person typed is never lost: not when a time is refused, not when a session ends."""

from __future__ import annotations

import re

import pytest

from fakes.portal import CLOCK, Visitor, command_of, token_of, words_of

HOUR_MS = 3_600_000
REASON = "Dhimbje koke prej një jave & <frikë>"
AGAIN = "What you typed before is here again. It was not sent yet."


def _filled(visitor: Visitor, address: str) -> dict[str, str]:
    form = visitor.get(address).content.decode()
    kept = re.search(r'name="kept" value="([^"]+)"', form)
    assert kept
    return {
        "csrfmiddlewaretoken": token_of(form),
        "command": command_of(form),
        "kept": kept[1],
        "phone": "069 123 4567",
        "reason": REASON,
    }


def _typed_in(page) -> tuple[str, str]:
    import html

    text = page.content.decode()
    phone = re.search(r'id="phone"[^>]*? value="([^"]*)"', text)
    reason = re.search(r"<textarea[^>]*>(.*?)</textarea>", text, re.DOTALL)
    assert phone
    assert reason
    return phone[1], html.unescape(reason[1])


def test_words_for_a_time_that_was_taken_stand_in_the_form_of_the_next(country, ana):
    fields = _filled(ana, f"/appointments/slots/{country.slot()}")
    country.book(country.citizens[1], country.slot())
    answer = ana.client.post(f"/appointments/slots/{country.slot()}", fields)
    assert answer.status_code == 409
    assert "What you typed is kept, and stands in the form of the next time" in words_of(answer)
    following = ana.get(f"/appointments/slots/{country.slot(days=2)}")
    assert AGAIN in words_of(following)
    assert _typed_in(following) == ("069 123 4567", REASON)
    fields = _filled(ana, f"/appointments/slots/{country.slot(days=2)}")
    assert ana.client.post(f"/appointments/slots/{country.slot(days=2)}", fields).status_code == 303
    assert AGAIN not in words_of(ana.get(f"/appointments/slots/{country.slot(days=3)}"))


def test_what_waits_to_be_confirmed_does_not_come_back_as_if_it_was_not_sent(country, ana):
    fields = _filled(ana, f"/appointments/slots/{country.slot()}")
    country.book(country.citizens[1], country.slot())
    country.tower.held = True
    assert ana.client.post(f"/appointments/slots/{country.slot()}", fields).status_code == 202
    assert AGAIN not in words_of(ana.get(f"/appointments/slots/{country.slot(days=2)}"))


def test_words_outlive_the_session_that_ended_meanwhile(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    fields = _filled(ana, address)
    CLOCK.at_ms += 9 * HOUR_MS
    answer = ana.client.post(address, fields)
    assert answer.status_code == 403
    assert "You are not signed in any more" in words_of(answer)
    assert "What you typed is kept, sealed, on this device" in words_of(answer)
    assert f'href="/sign-in?next=%2Fappointments%2Fslots%2F{country.slot()}"' in (
        answer.content.decode()
    )
    ana.sign_in(country.citizens[0])
    again = ana.get(f"/appointments/slots/{country.slot(days=2)}")
    assert AGAIN in words_of(again)
    assert _typed_in(again) == ("069 123 4567", REASON)


def test_words_outlive_a_sign_in_in_another_window(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    fields = _filled(ana, address)
    ana.sign_in(country.citizens[0])
    answer = ana.client.post(address, fields)
    assert answer.status_code == 403
    assert "Open the form again: what you typed is kept for you" in words_of(answer)
    assert _typed_in(ana.get(address)) == ("069 123 4567", REASON)


def test_the_next_person_at_the_same_computer_does_not_see_them(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    fields = _filled(ana, address)
    CLOCK.at_ms += 9 * HOUR_MS
    assert ana.client.post(address, fields).status_code == 403
    ana.sign_in(country.citizens[1])
    page = ana.get(address)
    assert AGAIN not in words_of(page)
    assert _typed_in(page) == ("", "")


def test_they_are_kept_sealed_for_an_hour_and_out_of_reach_of_scripts(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    fields = _filled(ana, address)
    country.book(country.citizens[1], country.slot())
    answer = ana.client.post(address, fields)
    cookie = answer.cookies["kulla-kept"]
    assert cookie["httponly"]
    assert cookie["path"] == "/appointments/"
    assert cookie["max-age"] == 3600
    assert b"Dhimbje" not in cookie.OutputString().encode()
    CLOCK.at_ms += HOUR_MS
    assert AGAIN not in words_of(ana.get(f"/appointments/slots/{country.slot(days=2)}"))


@pytest.mark.parametrize("odd", ["", "x", "é", "QUJD" * 20, "=" * 8])
def test_a_cookie_that_is_none_of_ours_is_passed_over(country, ana, odd):
    ana.client.cookies["kulla-kept"] = odd
    page = ana.get(f"/appointments/slots/{country.slot()}")
    assert page.status_code == 200
    assert AGAIN not in words_of(page)


@pytest.mark.parametrize("odd", ["", "book", "book.x", "../x." + "a" * 32, "b" * 5000])
def test_a_form_that_is_none_of_ours_is_not_kept(country, odd):
    visitor = Visitor()
    fields = {"csrfmiddlewaretoken": token_of(visitor.get("/check").content.decode())}
    answer = visitor.client.post("/appointments/slots/x-1", {**fields, "kept": odd, "a": "b"})
    assert answer.status_code == 403
    assert "kulla-kept" not in answer.cookies


def test_a_form_that_is_too_long_for_a_browser_to_keep_is_not_cut(country):
    visitor = Visitor()
    fields = {"csrfmiddlewaretoken": token_of(visitor.get("/check").content.decode())}
    fields |= {"kept": "book." + "a" * 32, "reason": "ë" * 3000}
    answer = visitor.client.post("/appointments/slots/x-1", fields)
    assert "kulla-kept" not in answer.cookies
    assert "What you typed is kept" not in words_of(answer)
