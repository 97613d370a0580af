"""Finding a time: by place, kind of doctor, day and part of the day; a month at a glance."""

from __future__ import annotations

import re

import pytest

from fakes.portal import CLOCK, Visitor, words_of

EVERYWHERE = "/appointments/?place="


def _times(page) -> list[str]:
    found = re.findall(r"/appointments/slots/([a-z-]+)-(\d+)", page.content.decode())
    return [f"{who} {int(at) % 86400 // 3600:02}:{int(at) % 3600 // 60:02}" for who, at in found]


def test_each_doctor_is_shown_with_the_first_free_times(country):
    page = Visitor().get(f"{EVERYWHERE}Vlorë")
    assert _times(page) == ["leka-d 07:20", "leka-d 07:40", "leka-d 08:00"]
    assert "Monday 2 February 2026, 08:20" in words_of(page)
    country.book(country.citizens[0], f"leka-d-{CLOCK.at_ms // 1000 + 20 * 60}")
    assert _times(Visitor().get(f"{EVERYWHERE}Vlorë"))[0] == "leka-d 07:40"


def test_from_a_day_on_and_only_in_the_afternoon(country):
    page = Visitor().get(f"{EVERYWHERE}Vlorë&from=2026-02-04&part=afternoon")
    # Afternoons are on Tuesdays from 13:00, which is 12:00 UTC in winter.
    assert _times(page) == ["leka-d 12:00", "leka-d 12:30", "leka-d 13:00"]
    assert "Tuesday 10 February 2026, 13:00" in words_of(page)
    assert 'href="/appointments/doctors/leka-d?day=2026-02-10"' in page.content.decode()
    mornings = Visitor().get(f"{EVERYWHERE}Vlorë&from=2026-02-03&part=morning")
    assert _times(mornings)[0] == "leka-d 07:00"


@pytest.mark.parametrize("typed", ["4.2.2026", "04/02/2026", "2026-02-04"])
def test_a_day_can_be_written_as_people_write_it(country, typed):
    page = Visitor().get(f"{EVERYWHERE}Vlorë&from={typed}")
    assert "Wednesday 4 February 2026, 08:00" in words_of(page)


@pytest.mark.parametrize("odd", ["yesterday", "31.2.2026", "2026", "1.1.1", "٤.٢.٢٠٢٦", "9" * 99])
def test_a_day_that_is_none_is_said_and_the_rest_is_found(country, odd):
    page = Visitor().get(f"{EVERYWHERE}Vlorë&from={odd}")
    assert page.status_code == 200
    assert "Enter the day as day.month.year" in words_of(page)
    assert "One doctor found" in words_of(page)


def test_when_nothing_is_free_then_it_says_so(country):
    page = words_of(Visitor().get(f"{EVERYWHERE}&from=2027-01-01&part=morning"))
    assert "3 doctors found" in page
    assert page.count("No free times then") == 3


def test_who_can_see_me_soonest_comes_first(country):
    for minutes in (20, 40):
        country.book(country.citizens[0], f"hoxha-a-{CLOCK.at_ms // 1000 + minutes * 60}")
    page = Visitor().get(f"{EVERYWHERE}Tiranë")
    order = [name.split()[0] for name in _times(page)]
    assert order[0] == "gjoka-b"
    assert "Who can see you soonest comes first." in words_of(page)


def test_many_doctors_are_in_the_order_of_their_names(country, monkeypatch):
    from kulla.services.appointments import finding

    monkeypatch.setattr(finding, "SORTED_MAX", 1)
    page = words_of(Visitor().get(EVERYWHERE))
    assert "In the order of their names." in page
    assert page.index("Arta Hoxha") < page.index("Besnik Gjoka") < page.index("Drita Leka")


def test_a_time_whose_form_another_fills_in_is_not_offered(country, ana, besim):
    first = f"leka-d-{CLOCK.at_ms // 1000 + 20 * 60}"
    ana.get(f"/appointments/slots/{first}")
    assert first not in besim.get(f"{EVERYWHERE}Vlorë").content.decode()
    assert first in ana.get(f"{EVERYWHERE}Vlorë").content.decode()


def test_specialities_are_in_the_language_of_the_page(country):
    english = Visitor().get(f"{EVERYWHERE}&speciality=Kardiologji")
    assert "Cardiology" in words_of(english)
    assert 'value="Kardiologji" selected>Cardiology<' in english.content.decode()
    albanian = words_of(Visitor(language="sq").get(EVERYWHERE))
    assert "Kardiologji" in albanian
    assert "Cardiology" not in albanian


def test_a_speciality_that_nobody_translated_is_shown_as_it_is(country):
    from django.utils import translation

    from kulla.services.appointments.specialities import ENGLISH, in_words

    with translation.override("en"):
        assert in_words("Akupunkturë") == "Akupunkturë"
    with translation.override("sq"):
        assert all(in_words(name) == name for name in ENGLISH)


def test_pages_of_the_list_keep_the_whole_search(country, monkeypatch):
    from kulla.services.appointments import finding

    monkeypatch.setattr(finding, "_FOUND_A_PAGE", 1)
    page = Visitor().get(f"{EVERYWHERE}Tiranë&from=2026-02-04&part=morning").content.decode()
    wanted = "?place=Tiran%C3%AB&amp;from=2026-02-04&amp;part=morning&amp;page=2"
    assert f'href="{wanted}"' in page or f'href="{wanted.replace("&amp;", "&")}"' in page
    second = Visitor().get(wanted.replace("&amp;", "&").replace("?", "/appointments/?"))
    assert "Page 2 of 2" in words_of(second)


def test_a_month_fills_up_with_colour_and_says_it_in_numbers(country):
    day = "/appointments/doctors/hoxha-a?day=2026-02-04"
    for hour in (7, 8, 9, 10):
        for minute in (0, 20, 40):
            at = int(country.slot(days=2, hour=hour).rpartition("-")[2]) + minute * 60
            if (hour, minute) < (10, 20):
                who = country.citizens[minute // 20]
                _book_past_the_limit(country, who, f"hoxha-a-{at}")
    page = Visitor().get(day).content.decode()
    assert re.search(r'class="room1" href="\?day=2026-02-04#times" aria-current="date"', page)
    assert 'class="room4" href="?day=2026-02-05#times"' in page
    assert ">Wednesday 4 February 2026: </span>" in page
    assert ">2<span class=" in page


def test_a_full_day_is_told_from_one_without_hours(country):
    for number in range(12):
        at = int(country.slot(days=2, hour=7).rpartition("-")[2]) + number * 1200
        _book_past_the_limit(country, country.citizens[number % 3], f"hoxha-a-{at}")
    page = Visitor().get("/appointments/doctors/hoxha-a?month=2026-02").content.decode()
    assert '<span class="none full"><i>4</i><small>full</small></span>' in page
    assert '<span class="none">7</span>' in page, "a Saturday"


def test_times_of_a_day_stand_by_its_halves(country):
    page = words_of(Visitor().get("/appointments/doctors/hoxha-a?day=2026-02-03"))
    assert page.index("Morning") < page.index("09:00") < page.index("Afternoon")
    assert page.index("Afternoon") < page.index("13:00")
    assert "Afternoon" not in words_of(
        Visitor().get("/appointments/doctors/hoxha-a?day=2026-02-04")
    )


def test_staff_are_shown_times_without_a_form_that_is_not_theirs(country):
    clerk = Visitor().sign_in(country.clerk)
    for address in ("/appointments/doctors/hoxha-a?day=2026-02-03", f"{EVERYWHERE}Vlorë"):
        page = clerk.get(address)
        assert "/appointments/slots/" not in page.content.decode()
        assert "09:00" in words_of(page)


def _book_past_the_limit(country, citizen: str, slot: str) -> None:
    from kulla.kernel.service import Actor

    data = {"slot": slot, "citizen": citizen}
    answer = country.ask(Actor("clerk", country.clerk), "appointments", "book", data)
    assert answer.status == "accepted", answer
