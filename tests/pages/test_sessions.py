"""Signing in and out, and what a session in a file of its own withstands."""

from __future__ import annotations

import sqlite3

import pytest

from fakes.country import environment
from fakes.portal import CLOCK, Visitor, open_portal, words_of

HOUR_MS = 3_600_000


def _cookie(visitor: Visitor) -> str:
    return visitor.client.cookies["kulla"].value


def test_the_demo_country_lists_its_people_and_signs_one_in(country):
    visitor = Visitor()
    assert "Ana Prifti" in words_of(visitor.get("/sign-in"))
    assert "Besim Kodra" not in words_of(visitor.get("/sign-in?name=ana"))
    visitor.sign_in(country.citizens[0])
    assert "Signed in as <strong>Ana Prifti</strong>" in visitor.get("/").content.decode()


def test_nowhere_else_is_there_such_a_sign_in(country, tmp_path):
    form = Visitor().get("/check").content.decode()
    open_portal({**environment(tmp_path), "KULLA_DEMO": "0"})
    visitor = Visitor()
    page = visitor.get("/sign-in").content.decode()
    assert 'name="subject"' not in page
    assert "Ana Prifti" not in page
    answer = visitor.post("/sign-in", {"subject": country.citizens[0]}, form="/check")
    assert answer.status_code == 404
    assert "kulla" not in visitor.client.cookies
    assert "made up" not in visitor.get("/").content.decode()
    assert "made up" in form


def test_a_stranger_can_not_be_chosen(country):
    visitor = Visitor()
    assert visitor.post("/sign-in", {"subject": "f" * 32}).status_code == 404
    assert visitor.get("/appointments/mine").status_code == 302


@pytest.mark.parametrize("forged", ["", "x", "0" * 64, "é", "' OR 1=1 --", "a" * 5000])
def test_a_forged_cookie_signs_nobody_in(country, forged):
    visitor = Visitor()
    visitor.client.cookies["kulla"] = forged
    answer = visitor.get("/appointments/mine")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in")


def test_the_file_of_sessions_signs_nobody_in(country, ana, tmp_path):
    rows = sqlite3.connect(tmp_path / "sessions.sqlite").execute("SELECT * FROM session").fetchall()
    assert len(rows) == 1
    stored = rows[0][0]
    assert len(stored) == 32
    assert _cookie(ana) not in repr(rows)
    thief = Visitor()
    thief.client.cookies["kulla"] = stored.hex()
    assert thief.get("/appointments/mine").status_code == 302


def test_a_session_from_before_is_not_the_one_after_signing_in(country, ana):
    before = _cookie(ana)
    ana.sign_in(country.citizens[1])
    assert _cookie(ana) != before
    thief = Visitor()
    thief.client.cookies["kulla"] = before
    assert thief.get("/appointments/mine").status_code == 302


def test_signing_out_ends_the_session_on_the_server(country, ana):
    kept = _cookie(ana)
    ana.post("/sign-out", {}, form="/")
    thief = Visitor()
    thief.client.cookies["kulla"] = kept
    assert thief.get("/appointments/mine").status_code == 302


def test_a_link_signs_nobody_out(country, ana):
    ana.get("/sign-out")
    assert ana.get("/appointments/mine").status_code == 200


def test_sessions_of_a_person_can_be_ended_all_at_once(country, ana, besim):
    from kulla.portal.sessions import SessionStore

    second = Visitor().sign_in(country.citizens[0])
    assert SessionStore.end_all_of(country.citizens[0]) == 2
    assert ana.get("/appointments/mine").status_code == 302
    assert second.get("/appointments/mine").status_code == 302
    assert besim.get("/appointments/mine").status_code == 200


def test_a_session_ends_eight_hours_after_it_began(country, ana, tmp_path):
    CLOCK.at_ms += 8 * HOUR_MS - 1000
    assert ana.get("/appointments/mine").status_code == 200
    CLOCK.at_ms += 1000
    assert ana.get("/appointments/mine").status_code == 302
    Visitor().sign_in(country.citizens[1])
    file = sqlite3.connect(tmp_path / "sessions.sqlite")
    assert file.execute("SELECT subject FROM session").fetchall() == [(country.citizens[1],)]


def test_cookies_are_strict(country, ana):
    session, form = ana.client.cookies["kulla"], ana.client.cookies["kulla-form"]
    for cookie in (session, form):
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
    assert not session["expires"]
    assert not session["max-age"]


@pytest.mark.parametrize(
    ("broken", "form"),
    [
        ({"csrfmiddlewaretoken": ""}, "/sign-in"),
        ({"csrfmiddlewaretoken": "A" * 64}, "/sign-in"),
        ({"csrfmiddlewaretoken": "A"}, "/sign-in"),
    ],
)
def test_a_form_without_our_mark_does_nothing(country, broken, form):
    visitor = Visitor()
    answer = visitor.post(form, {"subject": country.citizens[0], **broken})
    assert answer.status_code == 403
    assert "We did not accept this form" in words_of(answer)
    assert "nothing was booked, changed or lost" in words_of(answer)
    assert "kulla" not in visitor.client.cookies


def test_a_form_from_another_site_books_nothing(country, ana):
    address = f"/appointments/slots/{country.slot()}"
    typed = {"phone": "069 123 4567"}
    for origin in ("https://evil.example", "null"):
        answer = ana.post(address, typed, HTTP_ORIGIN=origin)
        assert answer.status_code == 403
    assert "You have none" in words_of(ana.get("/appointments/mine"))


def test_one_persons_mark_is_no_good_without_their_cookie(country, ana, besim):
    token = besim.get("/check").content.decode().partition('name="csrfmiddlewaretoken" value="')[2]
    fields = {"csrfmiddlewaretoken": token[:64], "phone": "069 123 4567"}
    assert ana.post(f"/appointments/slots/{country.slot()}", fields).status_code == 403
