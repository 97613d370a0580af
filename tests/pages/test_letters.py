"""Letters that wait in the sessions' file: once each, sealed, shown in the demo country alone."""

from __future__ import annotations

import sqlite3

import pytest

from fakes.country import environment
from fakes.portal import CLOCK, open_portal
from kulla.portal.letters import LIFE_S, Envelope, Letter, LetterUnfit, newest_for_demo, send_later


def _rows(folder) -> list[tuple[object, ...]]:
    return sqlite3.connect(folder / "sessions.sqlite").execute("SELECT * FROM letter").fetchall()


def test_a_letter_is_put_once_however_often_it_is_asked_for(country, tmp_path):
    for body in ("418 203", "418 203", "999 999"):
        send_later("mail", "ana@example.al", "Kodi juaj", body, once="sign-in 1")
    send_later("phone", "+355690000000", "", "555 555", once="sign-in 2")
    assert len(_rows(tmp_path)) == 2
    newest = newest_for_demo(5)
    assert {(letter.address, letter.body) for letter in newest} == {
        ("ana@example.al", "418 203"),
        ("+355690000000", "555 555"),
    }


def test_the_newest_comes_first_and_an_old_one_is_shown_no_more(country):
    send_later("mail", "a@example.al", "s", "first", once="1")
    CLOCK.at_ms += 1000
    send_later("mail", "b@example.al", "s", "second", once="2")
    assert [letter.body for letter in newest_for_demo(5)] == ["second", "first"]
    assert [letter.body for letter in newest_for_demo(1)] == ["second"]
    CLOCK.at_ms += LIFE_S * 1000 - 500
    assert [letter.body for letter in newest_for_demo(5)] == ["second"]


def test_a_copy_of_the_file_holds_neither_address_nor_code(country, tmp_path):
    send_later("mail", "ana.prifti@example.al", "Kodi juaj", "418203", once="ana.prifti@example.al")
    files = [path.read_bytes() for path in tmp_path.glob("sessions.sqlite*")]
    assert files
    for data in files:
        assert b"ana.prifti" not in data
        assert b"418203" not in data
        assert b"Kodi juaj" not in data


def test_a_real_country_shows_no_letters(country, tmp_path):
    send_later("mail", "ana@example.al", "s", "418203", once="1")
    open_portal({**environment(tmp_path), "KULLA_DEMO": "0"})
    assert newest_for_demo(5) == []


@pytest.mark.parametrize(
    ("address", "subject"),
    [("a@example.al\r\nBcc: b@example.al", "s"), ("a@example.al", "s\nX: y"), ("", "s")],
)
def test_a_line_break_never_becomes_a_header(country, tmp_path, address, subject):
    with pytest.raises(LetterUnfit):
        send_later("mail", address, subject, "b", once="1")
    assert _rows(tmp_path) == []


def test_another_secret_key_or_another_letter_s_place_opens_nothing():
    letter = Letter("mail", "a@example.al", "s", "b", 7)
    sealed = Envelope("one" * 20).seal(letter, b"1" * 32, b"n" * 12)
    assert Envelope("one" * 20).open(sealed, b"1" * 32, 7) == letter
    for envelope, once in ((Envelope("two" * 20), b"1" * 32), (Envelope("one" * 20), b"2" * 32)):
        with pytest.raises(LetterUnfit):
            envelope.open(sealed, once, 7)
    with pytest.raises(LetterUnfit):
        Envelope("one" * 20).open(b"", b"1" * 32, 7)
