"""Every address of the site, and who may open it: a table that has to name them all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.portal import Visitor, words_of
from pages import (
    desk_addresses,
    enrolment_application_addresses,
    enrolment_result_addresses,
    enrolment_round_addresses,
    home_addresses,
    program_addresses,
    staff_addresses,
)

# What each may expect at an address: 'page', 'sign-in', 'forbidden' (403) or 'nothing' (404).
EVERYBODY = ("page", "page", "page", "page")
OWN = ("sign-in", "forbidden", "page", "nothing")
CITIZENS = ("sign-in", "forbidden", "page", "page")
WITH_RECEIPT = ("sign-in", "nothing", "page", "nothing")
SIGNED_IN = ("sign-in", "page", "page", "page")
STAFF = ("sign-in", "page", "forbidden", "forbidden")
STAFFS_OWN = ("sign-in", "nothing", "forbidden", "forbidden")

#                          nobody, clerk, the citizen, another citizen
TABLE = {
    "home": EVERYBODY,
    "status": EVERYBODY,
    "healthz": EVERYBODY,
    "empty": EVERYBODY,
    "check": EVERYBODY,
    "sign-in": EVERYBODY,
    "sign-in-code": EVERYBODY,
    "sign-in-role": EVERYBODY,
    "sign-in-passkey": EVERYBODY,
    "sign-up": EVERYBODY,
    "passkeys": STAFF,
    "passkey-add": SIGNED_IN,
    "passkey-remove": STAFFS_OWN,
    "sign": STAFFS_OWN,
    "style": EVERYBODY,
    "script": EVERYBODY,
    "icon": EVERYBODY,
    "robots": EVERYBODY,
    "sign-out": EVERYBODY,
    "appointments:find": EVERYBODY,
    "appointments:doctor": EVERYBODY,
    "appointments:book": CITIZENS,
    "appointments:mine": CITIZENS,
    "appointments:appointment": OWN,
    "appointments:said": OWN,
    "appointments:calendar": OWN,
    "appointments:calendar-of-mine": CITIZENS,
    "appointments:cancel": OWN,
    "appointments:move": OWN,
    "appointments:move-to": OWN,
    **desk_addresses.TABLE,
    **home_addresses.TABLE,
    **staff_addresses.TABLE,
    **program_addresses.TABLE,
    **enrolment_round_addresses.TABLE,
    **enrolment_result_addresses.TABLE,
    **enrolment_application_addresses.TABLE,
    "receipt": WITH_RECEIPT,
    "receipt-file": WITH_RECEIPT,
    "receipt-qr": WITH_RECEIPT,
}
POSTED = ("appointments:book", "appointments:cancel", "appointments:move-to")
POSTED += program_addresses.POSTED + enrolment_round_addresses.POSTED
POSTED += enrolment_result_addresses.POSTED + enrolment_application_addresses.POSTED
POSTED += desk_addresses.POSTED + home_addresses.POSTED + staff_addresses.POSTED


def _names() -> Iterator[str]:
    from django.urls import get_resolver

    for pattern in get_resolver().url_patterns:
        inner = getattr(pattern, "url_patterns", None)
        if inner is None:
            yield pattern.name
        elif pattern.app_name != "api":  # its calls know tokens and no roles: test_every_role
            yield from (f"{pattern.app_name}:{one.name}" for one in inner)


def test_the_table_names_every_address(country):
    assert set(_names()) == set(TABLE)


def _address(name: str, country, appointment: str) -> str:
    from django.urls import reverse

    from kulla.portal.look import script_address, style_address

    if name in home_addresses.TABLE:
        return reverse(name, kwargs=home_addresses.KWARGS.get(name))
    if name in enrolment_round_addresses.TABLE:
        return reverse(name, kwargs=enrolment_round_addresses.KWARGS[name])
    if name in enrolment_application_addresses.TABLE:
        return reverse(name, kwargs=enrolment_application_addresses.KWARGS[name])
    if name in enrolment_result_addresses.TABLE:
        return reverse(name, kwargs=enrolment_result_addresses.KWARGS[name])
    if name in program_addresses.TABLE:
        return reverse(name, kwargs=program_addresses.KWARGS.get(name))
    if name in staff_addresses.TABLE:
        return reverse(name, kwargs=staff_addresses.KWARGS[name])
    file = script_address() if name == "script" else style_address()
    places = {
        "slot": country.slot(days=2),
        "practitioner": "hoxha-a",
        "appointment": appointment,
        "position": country.tower.witnessing().size - 1,
        "name": file.rpartition("/")[2].partition(".")[0],
        "clinic": "poliklinika-8",
        "person": country.citizens[0],
        "pending_id": "0" * 32,
        "credential": "AAAA",
    }
    wanted = {
        "appointments:book": ("slot",),
        "appointments:doctor": ("practitioner",),
        "appointments:move-to": ("appointment", "slot"),
        "style": ("name",),
        "script": ("name",),
        "sign": ("pending_id",),
        "passkey-remove": ("credential",),
    }.get(name, ())
    if name.rsplit(":", maxsplit=1)[-1] in ("appointment", "calendar", "said", "cancel", "move"):
        wanted = ("appointment",)
    if name.startswith("receipt"):
        wanted = ("position",)
    wanted = desk_addresses.WANTED.get(name.removeprefix("appointments:"), wanted)
    return reverse(name, kwargs={one: places[one] for one in wanted})


@pytest.mark.parametrize("name", TABLE)
def test_who_may_open_it(country, name):
    citizen, other = country.citizens[:2]
    appointment = country.book(citizen, country.slot())
    address = _address(name, country, appointment)
    people = (None, country.clerk, citizen, other)
    for subject, expected in zip(people, TABLE[name], strict=True):
        visitor = Visitor().sign_in(subject) if subject else Visitor()
        answer = visitor.get(address)
        assert _kind(answer) == expected, (subject, answer.status_code, answer.get("Location"))
        if name in POSTED and expected != "page":
            typed = {"command": "ab" * 16, "phone": "069 123 4567"}
            answer = visitor.post(address, typed, form="/check")
            assert _kind(answer) == expected, (subject, answer.status_code)
    assert not [one for one in country.tower.submitted[13:] if one.actor.subject != citizen]


def _kind(answer) -> str:
    if answer.status_code in (301, 302) and answer["Location"].startswith("/sign-in?next="):
        return "sign-in"
    if answer.status_code == 403:
        assert "This page is not open to you" in words_of(answer)
        return "forbidden"
    if answer.status_code == 404:
        assert "There is nothing here" in words_of(answer)
        return "nothing"
    assert answer.status_code in (200, 302), answer.status_code
    return "page"


def test_another_persons_appointment_looks_like_none_at_all(country, besim):
    appointment = country.book(country.citizens[0], country.slot())
    theirs = besim.get(f"/appointments/{appointment}")
    none = besim.get(f"/appointments/{'0' * 32}")
    assert theirs.status_code == none.status_code == 404
    assert words_of(theirs) == words_of(none)


def test_after_signing_in_one_stands_where_one_wanted_to_go(country):
    visitor = Visitor()
    answer = visitor.get("/appointments/mine?lang=en")
    assert answer["Location"] == "/sign-in?next=%2Fappointments%2Fmine%3Flang%3Den"
    fields = {"subject": country.citizens[0], "next": "/appointments/mine"}
    assert visitor.post("/sign-in", fields)["Location"] == "/appointments/mine"


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "x"],
)
def test_signing_in_leads_nowhere_else(country, elsewhere):
    fields = {"subject": country.citizens[0], "next": elsewhere}
    assert Visitor().post("/sign-in", fields)["Location"] == "/"


def test_a_page_that_does_not_say_who_may_open_it_is_not_served(country):
    from kulla.portal.doors import DoorMissing, DoorsMiddleware

    def forgotten(request):
        raise AssertionError("it was served")

    with pytest.raises(DoorMissing, match="open_to"):
        DoorsMiddleware(forgotten).process_view(None, forgotten, (), {})
