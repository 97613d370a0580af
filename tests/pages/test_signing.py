"""Staff sign each command: what is shown, what is signed, and who can't sign for whom."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fakes.accounts import found_staff, register
from fakes.authenticator import data_of
from fakes.country import environment
from fakes.device import Device, options_of
from fakes.portal import CLOCK, Visitor, command_of, open_portal, token_of, words_of
from kulla.services.accounts.demo_passkey import DemoPasskey

KEY, OTHER = Device(1), Device(2)


@pytest.fixture
def operators(country) -> tuple[str, str]:
    """Two operators of a founded staff."""
    first, second = country.citizens[:2]
    register(country, first, "Ana Prifti")
    found_staff(country, (first, "operator", KEY), (second, "operator", OTHER))
    return first, second


@pytest.fixture
def operator(operators) -> Visitor:
    """The first of them, signed in with their passkey."""
    return _signed_in(KEY)


def _signed_in(key: Device) -> Visitor:
    visitor = Visitor()
    answer = key.answer(options_of(visitor.get("/sign-in/passkey")))
    assert visitor.post("/sign-in/passkey", {"credential": answer}, form="/check")["Location"] == (
        "/"
    )
    return visitor


def _begin(visitor: Visitor, device: Device, label: str = "Çelësi i zyrës") -> str:
    """Ask for a new passkey, as staff; gives the address where that is signed."""
    page = visitor.get("/passkeys/add")
    body = page.content.decode()
    posted = {
        "csrfmiddlewaretoken": token_of(body),
        "command": command_of(body),
        "credential": device.make(options_of(page)),
        "label": label,
    }
    answer = visitor.client.post("/passkeys/add", posted)
    assert answer.status_code == 302, words_of(answer)
    assert answer["Location"].startswith("/sign/")
    return answer["Location"]


def _sign(visitor: Visitor, address: str, key: Device = KEY) -> Any:
    options = options_of(visitor.get(address))
    return visitor.post(address, {"credential": key.answer(options)}, form=address)


def test_what_will_be_signed_is_shown_in_words_and_its_hash_is_the_challenge(country, operator):
    address = _begin(operator, Device(5))
    page = operator.get(address)
    assert "What Add a passkey to my account Passkey Çelësi i zyrës Fingerprint" in words_of(page)
    options = options_of(page)
    assert options["userVerification"] == "required"
    assert [one["id"] for one in options["allowCredentials"]] == [KEY.credential]
    answer = _sign(operator, address)
    assert (answer.status_code, answer["Location"]) == (303, "/passkeys")
    command = country.tower.submitted[-1]
    assert command.key() == data_of(options["challenge"])
    assert command.actor.role == "operator"
    assert command.assertion


def test_the_answer_waits_once(country, operator):
    address = _begin(operator, Device(5))
    _sign(operator, address)
    assert "It is done and confirmed" in words_of(operator.get("/passkeys"))
    assert "It is done and confirmed" not in words_of(operator.get("/passkeys"))
    assert "Çelësi i zyrës" in words_of(operator.get("/passkeys"))


def test_a_refusal_waits_on_the_page_one_came_from(country, operator):
    first, second = _begin(operator, Device(5)), _begin(operator, Device(5))
    assert _sign(operator, first).status_code == 303
    operator.get("/passkeys")
    assert _sign(operator, second)["Location"] == "/passkeys"
    assert "This passkey is in use already" in words_of(operator.get("/passkeys"))


def test_a_command_is_signed_and_done_once(country, operator):
    address = _begin(operator, Device(5))
    page = operator.get(address)
    _sign(operator, address)
    before = len(country.tower.submitted)
    assert operator.get(address).status_code == 404
    fields = {"credential": KEY.answer(options_of(page))}
    assert operator.post(address, fields, form="/check").status_code == 404
    assert len(country.tower.submitted) == before


def test_nobody_else_and_no_other_session_sees_or_signs_it(country, operators, operator):
    address = _begin(operator, Device(5))
    other, second = _signed_in(OTHER), _signed_in(KEY)
    citizen = Visitor().sign_in(country.citizens[2])
    for visitor, status in ((other, 404), (second, 404), (citizen, 403), (Visitor(), 302)):
        assert visitor.get(address).status_code == status
    assert operator.get(address).status_code == 200
    assert operator.get("/sign/xyz").status_code == 404
    assert operator.get(f"/sign/{'0' * 32}").status_code == 404


@pytest.mark.parametrize(
    "key",
    [OTHER, replace(KEY, verified=False), replace(KEY, site="http://evil.example"), Device(99)],
)
def test_a_signature_that_does_not_hold_does_nothing_and_may_be_made_anew(country, operator, key):
    address = _begin(operator, Device(5))
    answer = _sign(operator, address, key)
    assert answer.status_code == 422
    assert "The signature was not accepted, and nothing was done" in words_of(answer)
    assert "Çelësi i zyrës" not in words_of(operator.get("/passkeys"))
    assert _sign(operator, address).status_code == 303


def test_the_signature_of_another_command_is_worth_nothing(country, operator):
    first, second = _begin(operator, Device(5)), _begin(operator, Device(6))
    signature = KEY.answer(options_of(operator.get(first)))
    answer = operator.post(second, {"credential": signature}, form=second)
    assert answer.status_code == 422


@pytest.mark.parametrize("posted", ["", "null", "{}", json.dumps({"id": "a", "response": {}})])
def test_what_is_no_signature_is_a_no(country, operator, posted):
    address = _begin(operator, Device(5))
    before = len(country.tower.submitted)
    assert operator.post(address, {"credential": posted}, form=address).status_code == 422
    assert len(country.tower.submitted) == before


def test_a_command_waits_ten_minutes_for_its_signature(country, operator):
    address = _begin(operator, Device(5))
    CLOCK.at_ms += 600_000
    assert operator.get(address).status_code == 404


def test_what_is_not_confirmed_yet_is_asked_about_again_and_not_signed_again(country, operator):
    address = _begin(operator, Device(5))
    options = options_of(operator.get(address))
    country.tower.held = True
    answer = operator.post(address, {"credential": KEY.answer(options)}, form=address)
    assert answer.status_code == 202
    assert "Signed, and being confirmed" in words_of(answer)
    assert answer["Refresh"] == f"2; url={address}"
    assert operator.get(address).status_code == 202
    country.tower.let_go()
    assert operator.get(address)["Location"] == "/passkeys"
    assert "It is done and confirmed" in words_of(operator.get("/passkeys"))
    assert len({command.key() for command in country.tower.submitted[-3:]}) == 1


def test_without_a_quorum_the_signature_is_kept(country, operator):
    address = _begin(operator, Device(5))
    country.tower.quorum = False
    answer = _sign(operator, address)
    assert answer.status_code == 503
    assert "nothing has to be signed twice" in words_of(answer)
    country.tower.quorum = True
    assert operator.get(address).status_code == 303


def test_a_lost_answer_is_asked_for_again(country, operator):
    address = _begin(operator, Device(5))
    options = options_of(operator.get(address))
    country.tower.lost_answers = 1
    answer = operator.post(address, {"credential": KEY.answer(options)}, form=address)
    assert answer.status_code == 503
    assert operator.get(address)["Location"] == "/passkeys"
    assert "It is done and confirmed" in words_of(operator.get("/passkeys"))


def test_the_file_of_sessions_tells_nothing_of_what_waits(country, operator, tmp_path):
    import sqlite3

    _begin(operator, Device(5))
    rows = sqlite3.connect(tmp_path / "sessions.sqlite").execute("SELECT * FROM sign_pending")
    found = repr(rows.fetchall())
    assert "sign" not in found
    assert "zyr" not in found
    assert "add_passkey" not in found


def test_staff_see_their_own_passkeys_and_what_is_being_confirmed(country, operator):
    assert "Passkey without a name" in words_of(operator.get("/passkeys"))
    address = _begin(operator, Device(5))
    options = options_of(operator.get(address))
    country.tower.held = True
    operator.post(address, {"credential": KEY.answer(options)}, form=address)
    assert "being confirmed" in words_of(operator.get("/passkeys"))
    country.tower.let_go()
    assert "being confirmed" not in words_of(operator.get("/passkeys"))
    assert operator.get(f"/passkeys/{OTHER.credential}/remove").status_code == 404


def test_removing_the_last_key_of_a_member_of_staff_is_refused_after_signing(country, operator):
    answer = operator.post(f"/passkeys/{KEY.credential}/remove", {})
    assert answer["Location"].startswith("/sign/")
    assert _sign(operator, answer["Location"]).status_code == 303
    assert "This is the last way into your account" in words_of(operator.get("/passkeys"))


@pytest.fixture
def made_up(country, tmp_path) -> str:
    """A made-up operator whose key the portal of the demo country holds."""
    subject, second = country.citizens[2], country.citizens[1]
    key = DemoPasskey(KEY.credential, bytes(range(32)))
    row = {"subject": subject, "name": "Arta Operatorja", "role": "operator"}
    path = tmp_path / "people.json"
    people = [one for one in json.loads(path.read_text()) if one["subject"] != subject]
    path.write_text(json.dumps([*people, {**row, "passkey": key.fields()}]))
    found_staff(country, (second, "operator", OTHER), (subject, "operator", key))
    open_portal(environment(tmp_path))
    return subject


def test_the_demos_staff_sign_with_one_press(country, made_up):
    visitor = Visitor().sign_in(made_up)
    address = _begin(visitor, Device(5))
    page = visitor.get(address)
    assert "Sign with the demo key" in words_of(page)
    assert "data-passkey" not in page.content.decode()
    answer = visitor.post(address, {"demo": "1"})
    assert (answer.status_code, answer["Location"]) == (303, "/passkeys")
    assert "It is done and confirmed" in words_of(visitor.get("/passkeys"))


def test_outside_the_demo_country_the_portal_signs_for_nobody(country, made_up, tmp_path):
    visitor = Visitor().sign_in(made_up)
    address = _begin(visitor, Device(5))
    open_portal({**environment(tmp_path), "KULLA_DEMO": "0"})
    page = visitor.get(address)
    assert "demo key" not in words_of(page)
    assert visitor.post(address, {"demo": "1"}, form="/check").status_code == 422


def test_one_persons_demo_key_signs_nothing_of_anothers(country, operators, tmp_path):
    """Who is no made-up person has no key here, whatever the form says."""
    visitor = _signed_in(KEY)
    address = _begin(visitor, Device(5))
    assert visitor.post(address, {"demo": "1"}, form=address).status_code == 422
