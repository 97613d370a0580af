"""The clerk's desk through its pages: hours, days that differ, and a day that is closed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fakes.country import MONDAY_MS
from fakes.portal import CLOCK, words_of

HOURS = "/appointments/desk/doctors/hoxha-a/hours"
CLOSE = "/appointments/desk/doctors/hoxha-a/close?day=2026-02-03"


def slots_of(country: Any, day: str, doctor: str = "hoxha-a") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = country.tower._rows.find(
        "appointments_slot", practitioner=doctor, day=day
    )
    return found


def appointment_of(country: Any, key: str) -> dict[str, Any]:
    row = country.tower._rows.get("appointments_appointment", key)
    assert row is not None
    return dict(row)


def test_the_hours_that_hold_are_shown_in_words(clerk):
    said = words_of(clerk.get(HOURS))
    assert "Citizens can book until Friday 3 April 2026" in said
    assert "From Monday 2 February 2026 on" in said
    assert "Tuesday 08:00–12:00, 20 minutes each; 13:00–15:00, 30 minutes each" in said
    page = clerk.get(HOURS).content.decode()
    assert 'name="d1-from" id="d1-from" value="08:00"' in page
    assert 'name="d6-from" id="d6-from" value=""' in page
    assert 'id="d2-minutes" value="20, 30"' in page


def test_the_hours_as_they_are_shown_are_the_hours_as_they_are(country, clerk):
    """Sending the form back as it came changes nothing but the day from which it holds."""
    page = clerk.get(HOURS)
    body = page.content.decode()
    form = body.partition("/hours/weekly")[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="([^"]+)"[^>]*? value="([^"]*)"', form))
    clerk.sign(clerk.send(page, f"{HOURS}/weekly", fields))
    first, second = country.tower._rows.find("appointments_schedule", practitioner="hoxha-a")
    assert first["rule"] == second["rule"]


WEEK = {
    **{"d1-from": "9", "d1-to": "11:00", "d1-minutes": "30"},
    **{"d3-from": "08.00", "d3-to": "10:00", "d3-from2": "13:00", "d3-to2": "14:00"},
    **{"d3-minutes": "20", "first": "2026-04-01", "last": ""},
}


def test_new_weekly_hours_are_signed_and_then_published(country, clerk):
    answer = clerk.send(clerk.get(HOURS), f"{HOURS}/weekly", WEEK)
    assert "Monday 09:00–11:00, 30 minutes each" in clerk.summary(answer)
    assert "Done" in words_of(clerk.sign(answer))
    rule = country.tower.submitted[-1].data["weekly"]
    assert rule == [[1, 540, 660, 30], [3, 480, 600, 20], [3, 780, 840, 20]]
    span = {"first": "2026-04-04", "last": "2026-04-10"}
    page = clerk.do(HOURS, span, action=f"{HOURS}/publish")
    assert "Citizens can book until Friday 10 April 2026" in words_of(page)
    assert [row["minutes"] for row in slots_of(country, "2026-04-06")] == [30] * 4
    assert len(slots_of(country, "2026-04-08")) == 9
    again = clerk.do(HOURS, span, action=f"{HOURS}/publish")
    assert "no new times" in words_of(again)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"d1-to": "8"}, "the earlier one first"),
        ({"d1-to": ""}, "the earlier one first"),
        ({"d1-from": "25"}, "the earlier one first"),
        ({"d1-from": "9:77"}, "the earlier one first"),
        ({"d1-minutes": "4"}, "minutes as a number"),
        ({"d1-minutes": "20, x"}, "minutes as a number"),
        ({"d1-minutes": "20, 30, 40"}, "minutes as a number"),
        ({"d3-from2": "9:30"}, "the earlier one first"),
        ({"first": "2026-02-30"}, "as the calendar has it"),
        ({"last": "2026-03-01"}, "comes before the first"),
    ],
)
def test_hours_that_are_none_are_said_by_their_day_and_kept(country, clerk, typed, said):
    before = len(country.tower.submitted)
    answer = clerk.send(clerk.get(HOURS), f"{HOURS}/weekly", {**WEEK, **typed})
    assert answer.status_code == 422
    assert said in words_of(answer)
    assert 'value="08.00"' in answer.content.decode()
    assert len(country.tower.submitted) == before


def test_other_hours_on_one_day(country, clerk):
    typed = {"day": "2026-02-03", "x-from": "08:00", "x-to": "09:00", "x-minutes": "20"}
    page = clerk.do(HOURS, typed, action=f"{HOURS}/day")
    assert "Tuesday 3 February 2026 08:00–09:00, 20 minutes each" in words_of(page)
    open_ones = [row for row in slots_of(country, "2026-02-03") if row["state"] == "free"]
    assert len(open_ones) == 3
    for wrong in ({"day": "x"}, {"x-from": "", "x-to": "", "x-minutes": ""}):
        answer = clerk.send(clerk.get(HOURS), f"{HOURS}/day", {**typed, **wrong})
        assert answer.status_code == 422
    assert clerk.get(f"{HOURS}/day").status_code == 200


def test_closing_a_day_proposes_a_time_for_everybody_and_moves_them_at_once(country, clerk):
    booked = [
        country.book(citizen, country.slot(hour=hour))
        for citizen, hour in zip(country.citizens, (8, 9, 10), strict=True)
    ]
    page = clerk.get(CLOSE)
    said = words_of(page)
    assert "Close Tuesday 3 February 2026" in said
    for name in ("Ana Prifti", "Besim Kodra", "Çlirim Duka"):
        assert name in said
    chosen = _chosen(page.content.decode())
    assert set(chosen) == {f"to-{key}" for key in booked}
    assert len(set(chosen.values())) == 3, "each has a time of their own"
    soonest = min(int(slot.rpartition("-")[2]) for slot in chosen.values())
    assert soonest >= MONDAY_MS // 1000 + 24 * 3600, "a day to hear of it"
    rest = f"to-{booked[2]}"
    answer = clerk.send(page, CLOSE, {**chosen, rest: ""})
    assert "Moved to another time 2 To be called 1" in clerk.summary(answer)
    listed = clerk.sign(answer)
    assert clerk.ended == "/appointments/desk/clinics/poliklinika-8/to-call"
    assert "Çlirim Duka" in words_of(listed)
    assert "069 123 4567" in words_of(listed)
    assert "Ana Prifti" not in words_of(listed)
    for key in booked[:2]:
        row = appointment_of(country, key)
        assert row["slot"] == chosen[f"to-{key}"]
        assert row["state"] == "booked"
    assert appointment_of(country, booked[2])["to_call_ms"] > 0
    assert {row["state"] for row in slots_of(country, "2026-02-03")} == {"closed"}
    glance = words_of(clerk.get("/appointments/desk/clinics/poliklinika-8?day=2026-02-03"))
    assert "One person to call" in glance
    assert "to be called ! 11:00" in glance
    moved = clerk.do(
        f"/appointments/desk/appointments/{booked[2]}/move", {"slot": country.slot(days=3)}
    )
    assert "Done" in words_of(moved)
    empty = clerk.get("/appointments/desk/clinics/poliklinika-8/to-call")
    assert "Nobody has to be called" in words_of(empty)


def test_a_move_that_fails_moves_nobody_and_shows_whom_it_is_about(country, clerk):
    first, second = (
        country.book(citizen, country.slot(hour=hour))
        for citizen, hour in zip(country.citizens[:2], (8, 9), strict=True)
    )
    page = clerk.get(CLOSE)
    chosen = _chosen(page.content.decode())
    answer = clerk.send(page, CLOSE, chosen)
    country.book(country.citizens[2], chosen[f"to-{second}"])
    back = clerk.sign(answer)
    assert clerk.ended == f"{CLOSE}&again=1"
    assert "Somebody was quicker" in words_of(back)
    assert appointment_of(country, first)["slot"] == country.slot(hour=8)
    again = _chosen(back.content.decode())
    assert again[f"to-{first}"] == chosen[f"to-{first}"], "what the clerk chose is still there"
    assert again[f"to-{second}"] != chosen[f"to-{second}"]


def test_the_same_time_for_two_people_is_said_before_anything_is_signed(country, clerk):
    for citizen, hour in zip(country.citizens[:2], (8, 9), strict=True):
        country.book(citizen, country.slot(hour=hour))
    page = clerk.get(CLOSE)
    chosen = _chosen(page.content.decode())
    same = dict.fromkeys(chosen, next(iter(chosen.values())))
    answer = clerk.send(page, CLOSE, same)
    assert answer.status_code == 422
    assert "Two people would get this time" in words_of(answer)


def test_what_has_begun_is_not_moved_and_an_empty_day_is_closed(country, clerk):
    country.book(country.citizens[0], country.slot(days=0, hour=8))
    CLOCK.at_ms = MONDAY_MS + 65 * 60_000
    clerk.sign_in(country.clerk)
    page = clerk.get(CLOSE.replace("-03", "-02"))
    assert "Nobody has an appointment that is still to come" in words_of(page)
    assert "have begun stay as they are" in words_of(page)
    done = clerk.sign(clerk.send(page, CLOSE.replace("-03", "-02"), {}))
    assert "Done" in words_of(done)
    assert "Monday 2 February 2026 closed" in words_of(clerk.get(HOURS))
    states = {row["state"] for row in slots_of(country, "2026-02-02")}
    assert states == {"free", "taken", "closed"}


def test_a_full_day_fits_its_page(country, clerk):
    """One booking for each of the day's times: the biggest close page of this country."""
    from kulla.kernel.service import Actor

    many = {"day": "2026-02-03", "x-from": "08:00", "x-to": "13:20", "x-minutes": "5"}
    clerk.do(HOURS, many, action=f"{HOURS}/day")
    free = [row for row in slots_of(country, "2026-02-03") if row["state"] == "free"]
    assert len(free) == 64
    people = [subject for subject, _ in country.tower.enrol(64)]
    for subject, slot in zip(people, free, strict=True):
        actor = Actor("citizen", subject)
        answer = country.ask(actor, "appointments", "book", {"slot": slot["id"]})
        assert answer.status == "accepted"
    page = clerk.get(CLOSE)
    assert len(page.content) < 60_000
    chosen = _chosen(page.content.decode())
    assert len(chosen) == len(set(chosen.values())) == 64
    clerk.sign(clerk.send(page, CLOSE, chosen))
    booked = country.tower._rows.find("appointments_appointment", state="booked")
    assert len({row["slot"] for row in booked}) == 64
    assert not [row for row in booked if row["to_call_ms"]]


def _chosen(page: str) -> dict[str, str]:
    """What the page proposes: the selected option of each select."""
    found = {}
    for name, options in re.findall(r'<select id="[^"]+" name="([^"]+)"[^>]*>(.*?)</select>', page):
        selected = re.search(r'<option value="([^"]*)" selected>', options)
        assert selected, name
        found[name] = selected[1]
    return found


def test_whose_time_was_closed_is_told_on_their_own_page_and_can_choose_another(
    country, clerk, ana
):
    key = country.book(country.citizens[0], country.slot())
    page = clerk.get(CLOSE)
    own = f"/appointments/{key}"
    assert "Your appointment is confirmed" in words_of(ana.get(own))
    clerk.sign(clerk.send(page, CLOSE, {f"to-{key}": ""}))
    said = words_of(ana.get(own))
    assert "The clinic has closed this time" in said
    assert "confirmed" not in said.partition("Receipts")[0]
    assert "time closed by the clinic" in words_of(ana.get("/appointments/mine"))
    assert ana.post(f"{own}/move/{country.slot(days=2)}", {}).status_code == 303
    assert "Your appointment is confirmed" in words_of(ana.get(own))
