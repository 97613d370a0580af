"""The first page: to a citizen what comes next and what was done; to others what can be done."""

from __future__ import annotations

import re

import pytest

from fakes.accounts import open_account
from fakes.portal import Visitor, words_of
from kulla.kernel.service import Act, Actor
from kulla.portal.act_names import ACT_NAMES
from kulla.registers.parties import PARTY, parties_of, party_key
from kulla.tower.services import SERVICES

SUBJECT = "ab" * 16


def _ask(country, subject, service, name, **data):
    answer = country.ask(Actor("citizen", subject), service, name, data)
    assert answer.status in ("accepted", "waiting"), answer
    return answer


def test_signed_out_it_says_what_can_be_done(country):
    said = words_of(Visitor().get("/"))
    assert "Public services that stay open" in said
    assert "Book an appointment with a doctor" in said
    assert "What do you want to do?" in said
    assert "What comes next" not in said


def test_a_clerk_sees_no_citizens_home(country):
    said = words_of(Visitor().sign_in(country.clerk).get("/"))
    assert "Public services that stay open" in said


def test_it_shows_what_comes_next_the_first_one_first(country, ana, besim):
    assert "No appointment is waiting for you" in words_of(ana.get("/"))
    for days in (9, 2, 4, 3):
        country.book(country.citizens[0], country.slot(days=days))
    page = ana.get("/").content.decode()
    shown = re.findall(r'<h2><a href="(/appointments/[0-9a-f]{32})">([^<]+)', page)
    assert [when.split(",")[0] for _, when in shown] == [
        "Wednesday 4 February 2026",
        "Thursday 5 February 2026",
        "Friday 6 February 2026",
    ]
    assert "All my appointments" in page
    assert ana.get(shown[0][0]).status_code == 200
    assert "No appointment is waiting for you" in words_of(besim.get("/"))


def test_what_is_over_or_cancelled_does_not_come_next(country, ana):
    cancelled = country.book(country.citizens[0], country.slot(days=2))
    _ask(country, country.citizens[0], "appointments", "cancel", appointment=cancelled)
    assert "No appointment is waiting for you" in words_of(ana.get("/"))


def test_what_is_not_witnessed_is_not_called_confirmed(country, ana):
    country.tower.held = True
    country.book(country.citizens[0], country.slot(days=2))
    page = ana.get("/").content.decode()
    assert page.count("being confirmed") == 2  # the appointment, and its act
    assert "/receipts/" not in page
    country.tower.let_go()
    page = ana.get("/").content.decode()
    assert "being confirmed" not in page
    assert len(re.findall(r"/receipts/\d+", page)) == 1


def test_every_act_of_a_person_is_listed_once_newest_first_with_its_receipt(country, ana):
    subject = country.citizens[0]
    booked = country.book(subject, country.slot(days=1))
    for days in (2, 3):
        slot = country.slot(days=days)
        _ask(country, subject, "appointments", "reschedule", appointment=booked, slot=slot)
    open_account(country, subject)
    _ask(country, subject, "appointments", "cancel", appointment=booked)
    country.book(country.citizens[1], country.slot(days=4))
    page = ana.get("/acts").content.decode()
    assert re.findall(r"<li><span>([^<]+)", page) == [
        "An appointment was cancelled",
        "An account was opened",
        "An appointment was moved",
        "An appointment was moved",
        "An appointment was booked",
    ]
    positions = [int(number) for number in re.findall(r"/receipts/(\d+)", page)]
    assert positions == sorted(positions, reverse=True)
    assert len(set(positions)) == 5
    for position in positions:
        assert ana.get(f"/receipts/{position}").status_code == 200
    assert "An account was opened" in words_of(ana.get("/"))


def test_many_acts_come_a_page_at_a_time_and_none_is_left_out(country, ana):
    subject = country.citizens[0]
    open_account(country, subject)
    for number in range(33):
        language = ("sq", "en")[number % 2]
        _ask(country, subject, "accounts", "set_preferences", language=language, reminders="none")
        if number % 3 == 0:
            booked = country.book(subject, country.slot(days=1 + number % 4))
            _ask(country, subject, "appointments", "cancel", appointment=booked)
    seen, address, pages = [], "/acts", 0
    while address:
        page = ana.get(address).content.decode()
        seen += [int(number) for number in re.findall(r"/receipts/(\d+)", page)]
        older = re.search(r'href="(/acts\?before=\d+)"', page)
        address, pages = (older[1] if older else ""), pages + 1
        assert pages < 9
    assert len(seen) == len(set(seen)) == 33 + 2 * 11 + 1
    assert seen == sorted(seen, reverse=True)
    assert pages == 3


@pytest.mark.parametrize("odd", ["x", "-1", "", "9" * 40, "1e3"])
def test_an_odd_page_of_acts_is_the_first(country, ana, odd):
    country.book(country.citizens[0], country.slot())
    assert "An appointment was booked" in words_of(ana.get(f"/acts?before={odd}"))


def test_letters_are_listed_without_their_words(country, ana, besim):
    booked = country.book(country.citizens[0], country.slot())
    post = Actor("operator", "post")
    for number, (name, kind) in enumerate((("record_sent", "booked"), ("record_failed", "moved"))):
        data = {
            "message": f"{number:032x}",
            "subject": country.citizens[0],
            "kind": kind,
            "about": booked,
            "channel": "mail",
        }
        more = {"why": "given-up"} if name == "record_failed" else {}
        assert country.ask(post, "messages", name, data | more).status == "accepted"
    for address in ("/", "/messages"):
        said = words_of(ana.get(address))
        assert "Your appointment is booked" in said
        assert "by mail" in said
        assert "could not be sent" in said
        assert f'href="/appointments/{booked}"' in ana.get(address).content.decode()
    assert "No letter was sent to you yet" in words_of(besim.get("/messages"))


def test_without_a_quorum_it_says_so_and_still_shows_what_stands(country, ana):
    country.book(country.citizens[0], country.slot(days=2))
    country.tower.quorum = False
    said = words_of(ana.get("/"))
    assert "Nothing new can be confirmed right now" in said
    assert "Dr. Arta Hoxha" in said


def _about(data: dict[str, object], actor: Actor) -> Act:
    return Act(7, "s", "done", 1, 5, actor, b"k", data)


def test_whom_an_act_concerns():
    clerk, ana = Actor("clerk", "c"), Actor("citizen", "a")
    assert parties_of(_about({"citizen": "b"}, clerk)) == ("b",)
    assert parties_of(_about({"citizen": "a"}, ana)) == ("a",)
    assert parties_of(_about({}, Actor("citizen", "a", "child"))) == ("a", "child")
    assert parties_of(_about({"guardian": "a", "ward": "b"}, ana)) == ("a", "b")
    assert parties_of(_about({"subject": b"not text"}, clerk)) == ()


def test_keys_of_a_persons_acts_sort_as_positions_do():
    positions = [0, 7, 10, 99, 100, 10**11]
    assert sorted(party_key(SUBJECT, one) for one in positions) == [
        party_key(SUBJECT, one) for one in positions
    ]


def test_what_is_not_noted_stands_in_its_services_rows(country):
    """Acts with `noted=False` leave no row of their own; each must be listed from elsewhere."""
    quiet = {
        f"{service.name}.{name}"
        for service in SERVICES.values()
        for name, kind in service.acts.items()
        if not kind.noted
    }
    listed = {"appointments.booked", "citizens.registered"}
    about_letters = {name for name in quiet if name.startswith("messages.")}
    assert quiet == listed | about_letters
    country.book(country.citizens[0], country.slot())
    assert country.tower._rows.find(PARTY.name) == []


def test_every_act_that_can_be_a_citizens_has_words():
    staffs = {"clinic_opened", "practitioner_joined", "schedule_set", "exception_set"}
    staffs |= {"slots_published", "role_proposal_withdrawn", "api_token_issued"}
    staffs |= {"api_token_revoked"}
    # A round's acts are about everybody and so about nobody; a part of results, or of offers that
    # lapsed, is about many, so it is no act of any of them.
    staffs |= {"round_prepared", "rules_set", "school_entered", "programme_set"}
    staffs |= {"programme_removed", "round_published", "round_moved", "round_closed"}
    staffs |= {"round_ended", "secret_committed", "seed_drawn", "allocation_asked"}
    staffs |= {"results_posted", "allocated", "offers_opened", "offer_lapsed", "audit_opened"}
    staffs |= {"transcript_kept"}  # its subject is a key of its own, and no person
    missing = {
        f"{service.name}.{name}"
        for service in SERVICES.values()
        for name in service.acts
        if service.name != "messages" and name not in staffs
    } - set(ACT_NAMES)
    assert not missing
