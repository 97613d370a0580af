"""Booking for a child, or for who gave one a power of attorney: chosen in the form."""

from __future__ import annotations

import pytest

from fakes.portal import CLOCK, Visitor, words_of
from kulla.kernel.service import Actor
from kulla.services.accounts.apply import ENDED, RELATION, STANDS


def _relate(country, guardian: str, ward: str, state: str = STANDS) -> None:
    """Put a relation into the register as its act does; whose acts make it is tested elsewhere."""
    row = {
        "id": "ab" * 16,
        "guardian": guardian,
        "ward": ward,
        "kind": "child",
        "until_day": "",
        "state": state,
        "since_ms": CLOCK.at_ms,
        "position": 0,
    }
    country.tower._rows.put(RELATION, row)


@pytest.fixture
def child(country) -> str:
    """The third citizen, for whom the first may act."""
    _relate(country, country.citizens[0], country.citizens[2])
    return country.citizens[2]


def test_the_form_asks_for_whom_only_those_who_act_for_somebody(country, ana, besim, child):
    page = words_of(ana.get(f"/appointments/slots/{country.slot()}"))
    assert "Who is to see the doctor? I myself Çlirim Duka" in page
    other = words_of(besim.get(f"/appointments/slots/{country.slot(days=2)}"))
    assert "Who is to see the doctor?" not in other


def test_an_appointment_for_a_child_is_the_childs(country, ana, child):
    answer = ana.book(country.slot(), for_whom=child, reason="Ethe")
    assert answer.status_code == 303
    command = country.tower.submitted[-1]
    assert command.actor == Actor("citizen", country.citizens[0], child)
    page = ana.get(answer["Location"])
    assert "Your appointment is confirmed" in words_of(page)
    assert "For whom Çlirim Duka" in words_of(page)
    assert "Ethe" in words_of(ana.get(f"{answer['Location']}/said"))
    assert country.tower.opened[-1][0] == child, "sealed with the child's own key"
    themself = Visitor().sign_in(child)
    assert "Your appointment is confirmed" in words_of(themself.get(answer["Location"]))


def test_the_list_names_whom_each_appointment_is_for(country, ana, child):
    ana.book(country.slot(), for_whom=child)
    ana.book(country.slot(days=2))
    page = words_of(ana.get("/appointments/mine"))
    assert page.count("for Çlirim Duka") == 1
    assert page.count("confirmed") >= 2


def test_it_is_moved_and_cancelled_for_the_child(country, ana, child):
    booked = ana.book(country.slot(), for_whom=child)["Location"]
    assert ana.post(f"{booked}/move/{country.slot(days=2)}", {}).status_code == 303
    assert country.tower.submitted[-1].actor.behalf == child
    assert ana.post(f"{booked}/cancel", {}).status_code == 303
    assert "Your appointment is cancelled" in words_of(ana.get(booked))


def test_two_appointments_at_once_are_fine_for_two_people(country, ana, child):
    ana.book(country.slot())
    at = country.slot(practitioner="gjoka-b")
    assert ana.book(at).status_code == 409
    assert ana.book(at, for_whom=child).status_code == 303


@pytest.mark.parametrize("whom", ["another", "ab" * 16, "x", "' OR 1=1"])
def test_for_others_nothing_is_booked(country, ana, child, whom):
    wanted = country.citizens[1] if whom == "another" else whom
    before = len(country.tower.submitted)
    answer = ana.book(country.slot(), for_whom=wanted)
    assert answer.status_code == 422
    assert "Choose for whom the appointment is." in words_of(answer)
    assert "069 123 4567" in answer.content.decode()
    assert len(country.tower.submitted) == before


def test_once_it_has_ended_the_childs_pages_are_not_found(country, ana, child):
    booked = ana.book(country.slot(), for_whom=child)["Location"]
    _relate(country, country.citizens[0], child, ENDED)
    assert ana.get(booked).status_code == 404
    assert ana.get(f"{booked}.ics").status_code == 404
    assert "Çlirim" not in words_of(ana.get("/appointments/mine"))


def test_booking_for_oneself_looks_at_no_relation(country, ana, child):
    from django.db import connections

    from fakes.portal import command_of, token_of

    address = f"/appointments/slots/{country.slot()}"
    form = ana.get(address).content.decode()
    fields = {"csrfmiddlewaretoken": token_of(form), "command": command_of(form)}
    asked = []

    def count(execute, sql, params, many, context):
        asked.append(sql)
        return execute(sql, params, many, context)

    with connections["default"].execute_wrapper(count):
        sent = ana.client.post(address, {**fields, "phone": "069 123 4567", "for_whom": ""})
    assert sent.status_code == 303
    assert asked == []
