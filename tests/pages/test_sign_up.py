"""Opening an account with an address that nobody has, whatever gets lost on the way."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fakes.accounts import MAIL, open_account
from fakes.portal import CLOCK, Visitor, words_of

NAME = "Çlirim Duka"


def _proven(address: str = MAIL, *, visitor: Visitor | None = None, where: str = "/") -> Visitor:
    """A visitor who typed in the code that was sent to `address`."""
    from kulla.portal import letters

    visitor = visitor or Visitor()
    CLOCK.at_ms += 1
    visitor.post("/sign-in", {"address": address, "next": where})
    match = re.match(r"[\d ]+", letters.newest_for_demo(1)[0].subject)
    assert match
    answer = visitor.post("/sign-in/code", {"code": match[0], "next": where})
    assert answer["Location"].startswith("/sign-up")
    return visitor


def _join(visitor: Visitor, name: str = NAME, **fields: str) -> Any:
    return visitor.post("/sign-up", {"name": name, **fields})


def _made(country) -> list[str]:
    return [f"{one.service}.{one.name}" for one in country.tower.submitted[12:]]


def test_a_new_address_and_a_name_open_an_account(country):
    visitor = _proven(where="/appointments/mine")
    page = visitor.get("/sign-up?next=/appointments/mine")
    assert "Nobody has an account with ana@shembull.al yet" in words_of(page)
    answer = _join(visitor, "  Çlirim   Duka ", next="/appointments/mine")
    assert (answer.status_code, answer["Location"]) == (302, "/appointments/mine")
    assert "<strong>Çlirim Duka</strong>" in visitor.get("/").content.decode()
    register, opening = country.tower.submitted[-2:]
    assert (register.service, register.name) == ("citizens", "register")
    assert (opening.service, opening.name) == ("accounts", "open")
    assert register.actor == opening.actor
    assert register.actor.role == "citizen"
    assert register.names == (register.data["key"],)
    assert opening.data["language"] == "en"
    assert opening.data["mail_token"] == country.tower.token("mail", MAIL)
    for command in (register, opening):
        assert NAME.encode() not in repr(command).encode()
        assert MAIL not in repr(command)


def test_the_account_is_there_for_the_next_time(country):
    _join(_proven())
    from kulla.portal import letters

    again = Visitor()
    CLOCK.at_ms += 1
    again.post("/sign-in", {"address": MAIL})
    match = re.match(r"[\d ]+", letters.newest_for_demo(1)[0].subject)
    assert again.post("/sign-in/code", {"code": match[0]})["Location"] == "/"
    assert len(_made(country)) == 2


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "Ana\u202ePrifti"])
def test_a_name_that_can_not_be_is_said_so(country, name):
    visitor = _proven()
    answer = _join(visitor, name)
    assert answer.status_code == 422
    assert "Write your full name" in words_of(answer)
    assert not _made(country)


def test_nobody_signs_up_without_proving_an_address(country):
    visitor = Visitor()
    assert visitor.get("/sign-up")["Location"] == "/sign-in"
    answer = visitor.post("/sign-up", {"name": NAME}, form="/check")
    assert answer["Location"] == "/sign-in"
    assert not _made(country)


def test_what_was_proven_is_forgotten_after_ten_minutes(country):
    visitor = _proven()
    CLOCK.at_ms += 601_000
    assert visitor.get("/sign-up")["Location"] == "/sign-in"


def test_what_was_proven_stays_with_its_browser(country):
    asker = Visitor()
    asker.post("/sign-in", {"address": "x@shembull.al"})
    planted = asker.client.cookies["kulla"].value
    victim = Visitor()
    victim.client.cookies["kulla"] = planted
    _proven(visitor=victim)
    assert asker.get("/sign-up")["Location"] == "/sign-in"


def test_an_account_that_is_being_confirmed_is_waited_for(country):
    visitor = _proven()
    country.tower.held = True
    answer = _join(visitor, next="/status")
    assert answer.status_code == 202
    assert "Your account is being confirmed" in words_of(answer)
    assert answer["Refresh"] == "2; url=/sign-up?next=%2Fstatus"
    assert visitor.get("/appointments/mine").status_code == 302
    assert visitor.get("/sign-up").status_code == 202
    country.tower.let_go()
    assert visitor.get("/sign-up?next=/status")["Location"] == "/status"
    keys = {command.key() for command in country.tower.submitted[12:]}
    assert len(keys) == 2


@pytest.mark.parametrize("lost", [1, 2])
def test_lost_answers_make_no_second_account(country, lost):
    visitor = _proven()
    country.tower.lost_answers = lost
    codes = [_join(visitor).status_code]
    while codes[-1] == 503:
        codes.append(visitor.get("/sign-up").status_code)
    assert codes == [503] * lost + [302]
    assert len({command.actor.subject for command in country.tower.submitted[12:]}) == 1
    assert visitor.get("/appointments/mine").status_code == 200


def test_without_a_quorum_nothing_typed_is_lost(country):
    visitor = _proven()
    country.tower.quorum = False
    answer = _join(visitor)
    assert answer.status_code == 503
    assert "Too few embassies answer" in words_of(answer)
    country.tower.quorum = True
    assert visitor.get("/sign-up")["Location"] == "/"


def test_who_opened_the_account_meanwhile_in_another_browser_is_let_in(country):
    visitor = _proven()
    open_account(country, country.citizens[0])
    assert visitor.get("/sign-up")["Location"] == "/"
    assert visitor.get("/appointments/mine").status_code == 200


def test_two_browsers_of_one_person_make_one_account(country):
    first, second = _proven(), _proven()
    country.tower.held = True
    assert _join(first).status_code == 202
    assert _join(second).status_code == 202
    country.tower.let_go()
    assert first.get("/sign-up")["Location"] == "/"
    assert second.get("/sign-up")["Location"] == "/"
    from kulla.services.accounts.models import Account

    assert Account.objects.count() == 1
