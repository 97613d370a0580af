"""Signing in with a code: the journey, and what those get who guess, watch or wait."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import pytest

from fakes.accounts import MAIL, open_account, register
from fakes.country import environment
from fakes.portal import CLOCK, Visitor, open_portal, token_of, words_of

STRANGE = "askush@shembull.al"


def _cookie(visitor: Visitor) -> str:
    return visitor.client.cookies["kulla"].value


def _letters() -> list[Any]:
    from kulla.portal import letters

    return letters.newest_for_demo(100)


def _newest_code() -> str:
    match = re.match(r"[\d ]+", _letters()[0].subject)
    assert match
    return match[0].strip()


def _ask(visitor: Visitor, address: str = MAIL, **fields: str) -> Any:
    CLOCK.at_ms += 1  # letters are told apart by when they were put
    return visitor.post("/sign-in", {"address": address, **fields})


def _type(visitor: Visitor, code: str, **fields: str) -> Any:
    return visitor.post("/sign-in/code", {"code": code, **fields})


@pytest.fixture
def known(country) -> str:
    """The subject of somebody with an account."""
    subject = country.citizens[0]
    register(country, subject, "Ana Prifti")
    open_account(country, subject)
    return subject


def test_a_code_lets_its_owner_in(country, known):
    visitor = Visitor()
    answer = _ask(visitor, "  Ana@Shembull.AL ", next="/appointments/mine")
    assert (answer.status_code, answer["Location"]) == (
        302,
        "/sign-in/code?next=%2Fappointments%2Fmine",
    )
    page = visitor.get("/sign-in/code")
    assert "A code of 6 digits is on its way to ana@shembull.al" in words_of(page)
    [letter] = _letters()
    assert (letter.channel, letter.address) == ("mail", MAIL)
    assert "don't tell it to anybody" in letter.body
    answer = _type(visitor, _newest_code(), next="/appointments/mine")
    assert (answer.status_code, answer["Location"]) == (302, "/appointments/mine")
    assert visitor.get("/appointments/mine").status_code == 200
    assert "Signed in as <strong>Ana Prifti</strong>" in visitor.get("/").content.decode()


def test_known_and_unknown_addresses_are_answered_alike(country, known):
    """Same status, same headers, same page, one letter each of the same words, no look-up."""
    seen = []
    for address in (MAIL, STRANGE):
        visitor, before = Visitor(), len(_letters())
        answer = _ask(visitor, address)
        page = visitor.get("/sign-in/code")
        assert len(_letters()) == before + 1
        letter = _letters()[0]
        said = letter.body.replace(_newest_code(), "CODE")
        shown = words_of(page).partition("Letters of the demo country")[0]
        seen.append(
            (
                answer.status_code,
                answer["Location"],
                sorted(answer.headers),
                len(answer.content),
                page.status_code,
                shown.replace(address, "ADDRESS"),
                said,
                _type(visitor, "000000").status_code,
            )
        )
    assert seen[0] == seen[1]


def test_asking_for_a_code_never_asks_whose_the_address_is(country, known, monkeypatch):
    from kulla.portal.sign_in import people

    def looked_up(*_: Any) -> str:
        raise AssertionError("the address was looked up before it was proven")

    monkeypatch.setattr(people, "owner_of", looked_up)
    visitor = Visitor()
    assert _ask(visitor).status_code == 302
    assert _type(visitor, "000000").status_code == 422


def test_a_code_counts_once(country, known):
    visitor = Visitor()
    _ask(visitor)
    code = _newest_code()
    page = visitor.get("/sign-in/code").content.decode()
    before = _cookie(visitor)
    assert _type(visitor, code).status_code == 302
    thief = Visitor()
    thief.client.cookies["kulla"] = before
    thief.client.cookies["kulla-form"] = visitor.client.cookies["kulla-form"].value
    fields = {"csrfmiddlewaretoken": token_of(page), "code": code}
    answer = thief.client.post("/sign-in/code", fields)
    assert answer.status_code in (403, 422)
    assert thief.get("/appointments/mine").status_code == 302


def test_a_code_ends_after_ten_minutes(country, known):
    visitor = Visitor()
    _ask(visitor)
    code = _newest_code()
    visitor.get("/sign-in/code")
    CLOCK.at_ms += 600_000
    answer = visitor.post("/sign-in/code", {"code": code}, form="/check")
    assert answer.status_code == 422
    assert "This code no longer counts" in words_of(answer)
    assert visitor.get("/appointments/mine").status_code == 302


def test_five_tries_and_no_more(country, known):
    visitor = Visitor()
    _ask(visitor)
    code = _newest_code()
    wrong = f"{(int(code.replace(' ', '')) + 1) % 10**6:06}"
    said = []
    for _ in range(5):
        answer = visitor.post("/sign-in/code", {"code": wrong}, form="/check")
        assert answer.status_code == 422
        said.append(words_of(answer))
    assert "You can try 4 more times" in said[0]
    assert "You can try 1 more time." in said[3]
    assert "This code no longer counts" in said[4]
    answer = visitor.post("/sign-in/code", {"code": code}, form="/check")
    assert answer.status_code == 422
    assert visitor.get("/appointments/mine").status_code == 302


def test_guesses_side_by_side_get_no_more_tries(country, known):
    from kulla.portal.sessions import SessionStore
    from kulla.portal.sign_in import codes
    from kulla.portal.sign_in.addresses import Address

    session = SessionStore()
    assert codes.send(session, Address("mail", MAIL)) == 0
    copies = [SessionStore(session.session_key) for _ in range(12)]
    found = [codes.check(copy, f"{number:06}") for number, copy in enumerate(copies)]
    assert [one.why for one in found] == ["wrong"] * 4 + ["gone"] * 8


def test_the_code_is_bound_to_the_browser_that_asked(country, known):
    asker, other = Visitor(), Visitor()
    _ask(asker)
    code = _newest_code()
    answer = other.post("/sign-in/code", {"code": code}, form="/check")
    assert answer.status_code == 422
    _ask(other)
    mine = _newest_code()
    assert mine != code
    assert _type(other, code).status_code == 422
    assert _type(asker, mine).status_code == 422
    assert _type(asker, code).status_code == 302


def test_a_new_code_ends_the_one_before(country, known):
    visitor = Visitor()
    _ask(visitor)
    first = _newest_code()
    CLOCK.at_ms += 1
    assert visitor.post("/sign-in/code", {"again": "1"}).status_code == 302
    second = _newest_code()
    assert first != second
    assert _type(visitor, first).status_code == 422
    assert _type(visitor, second).status_code == 302


def test_one_address_gets_so_many_letters_and_an_honest_wait(country, known):
    for address in (MAIL, STRANGE):
        before = len(_letters())
        answers = [_ask(Visitor(), address) for _ in range(6)]
        assert [one.status_code for one in answers] == [302] * 5 + [429]
        assert len(_letters()) == before + 5
        assert answers[-1]["Retry-After"] == "600"
        assert "Another can be sent in 10 minutes" in words_of(answers[-1])
        assert f'value="{address}"' in answers[-1].content.decode()
    CLOCK.at_ms += 600_000
    assert _ask(Visitor()).status_code == 302


def test_many_wrong_guesses_make_codes_longer_and_lock_nobody_out(country, known):
    for _ in range(4):
        guesser = Visitor()
        _ask(guesser)
        for guess in range(5):
            guesser.post("/sign-in/code", {"code": f"{guess:06}"}, form="/check")
    owner = Visitor()
    CLOCK.at_ms += 1
    _ask(owner)
    code = _newest_code()
    assert len(code.replace(" ", "")) == 10
    assert "A code of 10 digits" in words_of(owner.get("/sign-in/code"))
    assert _type(owner, code).status_code == 302


def test_a_short_code_from_before_the_guessing_no_longer_counts(country, known):
    early = Visitor()
    _ask(early)
    code = _newest_code()
    for _ in range(4):
        guesser = Visitor()
        _ask(guesser)
        for guess in range(5):
            guesser.post("/sign-in/code", {"code": f"{guess:06}"}, form="/check")
    answer = _type(early, code)
    assert answer.status_code == 422
    assert "it will be longer" in words_of(answer)


def test_signing_in_with_a_code_has_the_doors_limit_too(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "sign_in=6:2"})
    visitor = Visitor(address="192.0.2.40")
    codes = [_ask(visitor, f"x{number}@shembull.al").status_code for number in range(3)]
    assert codes == [302, 302, 429]


def test_one_network_address_asks_for_so_many_letters_whoever_they_are_for(country, tmp_path):
    open_portal({**environment(tmp_path), "KULLA_LIMITS": "sign_in=9000:9000,address=9000:9000"})
    asker = Visitor(address="192.0.2.41")
    codes = [_ask(asker, f"x{number}@shembull.al").status_code for number in range(61)]
    assert codes == [302] * 60 + [429]
    answer = asker.post("/sign-in/code", {"again": "1"})
    assert answer.status_code == 429
    assert "Please come back in 20 seconds" in words_of(answer)
    assert _ask(Visitor(address="192.0.2.42"), "x@shembull.al").status_code == 302


def test_a_session_of_nobody_ends_after_an_hour(country, tmp_path):
    visitor = Visitor()
    _ask(visitor)
    CLOCK.at_ms += 3_600_000
    _ask(Visitor())
    file = sqlite3.connect(tmp_path / "sessions.sqlite")
    assert file.execute("SELECT count(*) FROM session").fetchone() == (1,)
    assert file.execute("SELECT count(*) FROM sign_in_code").fetchone() == (1,)


def test_a_session_that_somebody_planted_is_not_the_one_that_gets_in(country, known):
    thief = Visitor()
    _ask(thief, STRANGE)
    planted = _cookie(thief)
    victim = Visitor()
    victim.client.cookies["kulla"] = planted
    _ask(victim)
    assert _cookie(victim) == planted
    assert _type(victim, _newest_code()).status_code == 302
    assert _cookie(victim) != planted
    assert thief.get("/appointments/mine").status_code == 302
    assert thief.get("/sign-up").status_code == 302


def test_a_made_up_cookie_becomes_no_session(country):
    visitor = Visitor()
    visitor.client.cookies["kulla"] = "a" * 64
    _ask(visitor)
    assert _cookie(visitor) != "a" * 64


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "x"],
)
def test_a_code_leads_nowhere_else(country, known, elsewhere):
    visitor = Visitor()
    assert _ask(visitor, next=elsewhere)["Location"] == "/sign-in/code"
    assert _type(visitor, _newest_code(), next=elsewhere)["Location"] == "/"
    assert (
        "evil"
        not in visitor.get(f"/sign-in?next={elsewhere}").content.decode().partition("<main")[2]
    )


@pytest.mark.parametrize(
    "typed",
    ["", "ana", "ana@", "@x.al", "ana@x", "a b@x.al", "ana@x.al\r\nBcc: b@x.al", "12", "069x"],
)
def test_what_is_no_address_is_said_so_and_kept(country, typed):
    answer = Visitor().post("/sign-in", {"address": typed})
    assert answer.status_code == 422
    assert "This is neither a mail address nor a telephone number" in words_of(answer)
    assert not _letters()


def test_the_file_of_sessions_tells_neither_code_nor_address(country, known, tmp_path):
    visitor = Visitor()
    _ask(visitor)
    code = _newest_code().replace(" ", "")
    file = sqlite3.connect(tmp_path / "sessions.sqlite")
    found = "".join(
        repr(file.execute(f"SELECT * FROM {table}").fetchall())
        for table in ("session", "sign_in_code", "sign_in_pace", "letter")
    )
    assert "ana@" not in found
    assert code not in found


def test_a_telephone_number_that_stands_in_the_account_does_as_well(country, known):
    from kulla.kernel.service import Actor

    number = "+355691234567"
    data = {
        "kind": "phone",
        "token": country.tower.token("phone", number),
        "sealed": country.tower.seal(known, {"phone": number})["phone"],
    }
    answer = country.ask(Actor("citizen", known), "accounts", "add_address", data)
    assert answer.status == "accepted"
    visitor = Visitor()
    assert _ask(visitor, "069 123 45 67").status_code == 302
    [letter] = _letters()
    assert (letter.channel, letter.address) == ("phone", number)
    assert _type(visitor, _newest_code()).status_code == 302
    assert visitor.get("/appointments/mine").status_code == 200


def test_a_telephone_number_that_nobody_has_opens_no_account(country):
    visitor = Visitor()
    _ask(visitor, "0699999999")
    answer = _type(visitor, _newest_code())
    assert answer["Location"] == "/sign-up"
    assert "No account has this telephone number" in words_of(visitor.get("/sign-up"))


def test_whoever_signs_in_by_mail_is_a_citizen_and_nothing_else(country, known):
    from fakes.accounts import found_staff
    from fakes.device import Device

    found_staff(
        country,
        (known, "operator", Device(1)),
        (country.citizens[1], "operator", Device(2)),
    )
    visitor = Visitor()
    _ask(visitor)
    assert _type(visitor, _newest_code())["Location"] == "/"
    assert visitor.get("/appointments/mine").status_code == 200
    assert visitor.get("/sign-in/role").status_code == 302


def test_people_who_come_to_the_demo_country_later_are_found(country):
    """The portal is open while the demo country is being made: its list of people grows."""
    from django.conf import settings

    path = settings.KULLA.demo_people
    assert "Late Comer-Demo" not in Visitor().get("/sign-in").content.decode()
    rows = json.loads(path.read_text("utf-8"))
    late = {"subject": "e" * 32, "name": "Late Comer-Demo", "role": "citizen", "town": "Fier"}
    path.write_text(json.dumps([*rows, late]), "utf-8")
    assert "Late Comer-Demo" in Visitor().get("/sign-in").content.decode()
