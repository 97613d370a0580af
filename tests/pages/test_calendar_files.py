"""iCalendar files: an event keeps its UID through moves and cancellations (RFC 5545)."""

from __future__ import annotations

import pytest

from fakes.portal import CLOCK, Visitor


def _lines(answer) -> list[str]:
    """The unfolded lines of a file that keeps the rules of RFC 5545, section 3.1."""
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8; method=PUBLISH"
    data: bytes = answer.content
    assert data.endswith(b"\r\n")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    return data.decode().replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


def _value(lines: list[str], name: str) -> str:
    found = [line for line in lines if line.split(":")[0].split(";")[0] == name]
    assert len(found) == 1, (name, found)
    return found[0].partition(":")[2]


@pytest.fixture
def booked(country, ana) -> str:
    return ana.book(country.slot())["Location"]


def test_an_appointment_goes_into_a_calendar(country, ana, booked):
    lines = _lines(ana.get(f"{booked}.ics"))
    assert lines[0] == "BEGIN:VCALENDAR"
    assert _value(lines, "VERSION") == "2.0"
    assert _value(lines, "METHOD") == "PUBLISH"
    assert _value(lines, "UID").startswith(booked.rpartition("/")[2])
    assert _value(lines, "DTSTART") == "20260203T090000Z"
    assert _value(lines, "DTEND") == "20260203T092000Z"
    assert _value(lines, "STATUS") == "CONFIRMED"
    assert _value(lines, "SEQUENCE") == "0"
    assert _value(lines, "URL") == f"http://localhost{booked}"
    assert "Poliklinika nr. 8" in _value(lines, "LOCATION")
    assert "Tuesday 3 February 2026\\, 10:00 (Tirana time\\, UTC+1)" in "".join(lines)
    assert [line for line in lines if line.startswith("TRIGGER")] == [
        "TRIGGER:-P1D",
        "TRIGGER:-PT2H",
    ]
    assert "Dhimbje koke" not in "".join(lines), "a calendar is no place for the reason"


def test_a_move_replaces_the_event_and_a_cancellation_ends_it(country, ana, booked):
    uid = _value(_lines(ana.get(f"{booked}.ics")), "UID")
    assert ana.post(f"{booked}/move/{country.slot(days=2, hour=10)}", {}).status_code == 303
    moved = _lines(ana.get(f"{booked}.ics"))
    assert _value(moved, "UID") == uid
    assert _value(moved, "DTSTART") == "20260204T100000Z"
    assert int(_value(moved, "SEQUENCE")) > 0
    assert ana.post(f"{booked}/cancel", {}).status_code == 303
    cancelled = _lines(ana.get(f"{booked}.ics"))
    assert _value(cancelled, "UID") == uid
    assert _value(cancelled, "STATUS") == "CANCELLED"
    assert int(_value(cancelled, "SEQUENCE")) > int(_value(moved, "SEQUENCE"))
    assert "BEGIN:VALARM" not in cancelled


def test_what_is_not_witnessed_yet_is_tentative(country, ana, booked):
    country.tower.held = True
    ana.post(f"{booked}/cancel", {})
    assert _value(_lines(ana.get(f"{booked}.ics")), "STATUS") == "TENTATIVE"
    country.tower.let_go()
    assert _value(_lines(ana.get(f"{booked}.ics")), "STATUS") == "CANCELLED"


def test_all_that_is_to_come_in_one_file(country, ana, booked):
    ana.book(country.slot(days=3))
    country.book(country.citizens[1], country.slot(days=4))
    lines = _lines(ana.get("/appointments/mine.ics"))
    assert lines.count("BEGIN:VEVENT") == 2
    assert lines.index("DTSTART:20260203T090000Z") < lines.index("DTSTART:20260205T090000Z")
    CLOCK.at_ms += 2 * 24 * 3_600_000
    later = _lines(ana.sign_in(country.citizens[0]).get("/appointments/mine.ics"))
    assert later.count("BEGIN:VEVENT") == 1


def test_anothers_appointment_is_not_there(country, besim, booked):
    assert besim.get(f"{booked}.ics").status_code == 404


def test_the_file_speaks_the_language_of_the_page(country, booked):
    albanian = Visitor(language="sq").sign_in(country.citizens[0])
    assert "SUMMARY:Takim te mjeku" in _lines(albanian.get(f"{booked}.ics"))
