"""Passkeys, with a made-up device: adding one, signing in, roles, and answers that don't hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fakes.accounts import add_passkey, found_staff, open_account, register
from fakes.country import environment
from fakes.device import Device, options_of
from fakes.portal import CLOCK, Visitor, open_portal, words_of
from kulla.kernel.service import Actor

DOOR = "/sign-in/passkey"


@pytest.fixture
def known(country) -> str:
    """The subject of somebody with an account."""
    subject = country.citizens[0]
    register(country, subject, "Ana Prifti")
    open_account(country, subject)
    return subject


@pytest.fixture
def device(country, known) -> Device:
    """The device with that person's passkey."""
    device = Device()
    add_passkey(country, known, device)
    return device


def _knock(visitor: Visitor, device: Device, **fields: str) -> Any:
    """Open the page for passkeys and send what the device answers."""
    answer = device.answer(options_of(visitor.get(DOOR)))
    # The page that gives the form's mark would ask for a new challenge.
    return visitor.post(DOOR, {"credential": answer, **fields}, form="/check")


def test_a_passkey_signs_its_owner_in(country, known, device):
    visitor = Visitor()
    answer = _knock(visitor, device, next="/appointments/mine")
    assert (answer.status_code, answer["Location"]) == (302, "/appointments/mine")
    assert visitor.get("/appointments/mine").status_code == 200
    assert "<strong>Ana Prifti</strong>" in visitor.get("/").content.decode()


def test_the_page_asks_for_any_passkey_of_this_country(country):
    page = Visitor().get(DOOR)
    options = options_of(page)
    assert options["rpId"] == "kulla.example"
    assert options["userVerification"] == "preferred"
    assert not options.get("allowCredentials")
    assert len(options["challenge"]) == 43
    body = page.content.decode()
    assert body.count("<script") == 1
    assert "script-src 'self';" in page["Content-Security-Policy"]
    assert "connect-src" not in page["Content-Security-Policy"]
    address = body.partition('<script src="')[2].partition('"')[0]
    script = Visitor().get(address)
    assert script["Content-Type"] == "text/javascript; charset=utf-8"
    assert script["Cache-Control"] == "public, max-age=31536000, immutable"
    assert len(script.content) < 4096
    assert Visitor().get("/script/0123456789abcdef.js").status_code == 404


def test_a_challenge_counts_once(country, device):
    visitor = Visitor()
    options = options_of(visitor.get(DOOR))
    answer = device.answer(options)
    wrong = visitor.post(DOOR, {"credential": "{}"}, form="/check")
    assert wrong.status_code == 422
    again = visitor.post(DOOR, {"credential": answer}, form="/check")
    assert again.status_code == 422
    assert visitor.get("/appointments/mine").status_code == 302


def test_a_challenge_is_the_sessions_own_and_ends(country, device):
    mine, other = Visitor(), Visitor()
    answer = device.answer(options_of(mine.get(DOOR)))
    other.get(DOOR)
    assert other.post(DOOR, {"credential": answer}, form="/check").status_code == 422
    assert mine.post(DOOR, {"credential": answer}, form="/check").status_code == 302
    late = Visitor()
    answer = device.answer(options_of(late.get(DOOR)))
    CLOCK.at_ms += 600_000
    assert late.post(DOOR, {"credential": answer}, form="/check").status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"site": "http://evil.localhost"},
        {"site": "https://localhost"},
        {"relying_party": "evil.example"},
        {"number": 2},
    ],
)
def test_an_answer_from_elsewhere_opens_nothing(country, device, change):
    visitor = Visitor()
    answer = _knock(visitor, replace(device, **change))
    assert answer.status_code == 422
    assert "This passkey did not open the door" in words_of(answer)
    assert visitor.get("/appointments/mine").status_code == 302


def test_another_keys_signature_under_a_known_id_opens_nothing(country, device):
    visitor = Visitor()
    forged = json.loads(Device(2).answer(options_of(visitor.get(DOOR))))
    forged |= {"id": device.credential, "rawId": device.credential}
    posted = {"credential": json.dumps(forged)}
    assert visitor.post(DOOR, posted, form="/check").status_code == 422


@pytest.mark.parametrize(
    "posted",
    ["", "null", "[]", "{}", '{"id": 1, "response": {}}', '{"response": []}', "x" * 20_000,
     '{"id": "é", "response": {"clientDataJSON": 1}}', "[" * 10_000],
)  # fmt: skip
def test_whatever_is_posted_is_a_no_and_never_a_fault(country, device, posted):
    visitor = Visitor()
    visitor.get(DOOR)
    assert visitor.post(DOOR, {"credential": posted}, form="/check").status_code == 422
    answer = json.loads(device.answer(options_of(visitor.get(DOOR))))
    for field in list(answer["response"]):
        for value in ("", "AA", 7, None):
            broken = {**answer, "response": {**answer["response"], field: value}}
            if field == "userHandle":
                continue
            visitor.get(DOOR)
            code = visitor.post(DOOR, {"credential": json.dumps(broken)}, form="/check").status_code
            assert code == 422


def test_the_public_address_alone_counts_where_the_tower_says_it(country, device, tmp_path):
    public = "https://sherbime.kulla.example"
    open_portal({**environment(tmp_path), "KULLA_PUBLIC_URL": f"{public}/"})
    assert _knock(Visitor(), device).status_code == 422
    assert _knock(Visitor(), replace(device, site=public)).status_code == 302


def test_a_removed_passkey_opens_nothing(country, known, device):
    me = Actor("citizen", known)
    data = {"credential": device.credential}
    assert country.ask(me, "accounts", "remove_passkey", data).status == "accepted"
    assert _knock(Visitor(), device).status_code == 422


def test_a_citizen_adds_a_passkey_and_signs_in_with_it(country, known):
    ana, device = Visitor().sign_in(known), Device(7)
    page = ana.get("/passkeys/add")
    options = options_of(page)
    assert options["user"]["name"] == "Ana Prifti – Kulla"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["rp"]["id"] == "kulla.example"
    assert options["attestation"] == "none"
    answer = _add(ana, device, page, label="  Telefoni   im ")
    assert answer.status_code == 303
    assert answer["Location"].startswith("/mine/keys?done=")
    assert device.handle.hex() == known
    listed = ana.get("/mine/keys")
    assert "Telefoni im" in words_of(listed)
    assert "added on Monday 2 February 2026" in words_of(listed)
    added = country.tower.submitted[-1]
    assert added.data["transports"] == "internal"
    assert "Telefoni" not in repr(added)
    assert _knock(Visitor(), device).status_code == 302
    known_ones = options_of(ana.get("/passkeys/add"))["excludeCredentials"]
    assert [one["id"] for one in known_ones] == [device.credential]


def _passkeys_of(subject: str) -> list[str]:
    from kulla.services.accounts.models import Passkey

    return list(Passkey.objects.filter(subject=subject).values_list("credential", flat=True))


def _add(visitor: Visitor, device: Device, page: Any, **fields: str) -> Any:
    from fakes.portal import command_of, token_of

    body = page.content.decode()
    posted = {
        "csrfmiddlewaretoken": token_of(body),
        "command": command_of(body),
        "credential": device.make(options_of(page)),
        **fields,
    }
    return visitor.client.post("/passkeys/add", posted)


@pytest.mark.parametrize(
    "change", [{"site": "http://evil.example"}, {"relying_party": "evil.example"}]
)
def test_a_passkey_made_elsewhere_is_not_added(country, known, change):
    ana = Visitor().sign_in(known)
    answer = _add(ana, replace(Device(7), **change), ana.get("/passkeys/add"))
    assert answer.status_code == 422
    assert "Nothing was added" in words_of(answer)
    assert not _passkeys_of(known)


def test_a_passkey_above_the_watermark_opens_nothing_yet(country, known):
    ana, device = Visitor().sign_in(known), Device(7)
    page = ana.get("/passkeys/add")
    country.tower.held = True
    assert _add(ana, device, page)["Location"] == "/mine/keys"
    assert _knock(Visitor(), device).status_code == 422
    country.tower.let_go()
    assert _knock(Visitor(), device).status_code == 302


def test_without_an_account_no_passkey_is_added(country):
    besim = Visitor().sign_in(country.citizens[1])
    answer = _add(besim, Device(7), besim.get("/passkeys/add"))
    assert answer.status_code == 422
    assert "You have no account here yet" in words_of(answer)


@pytest.fixture
def staff(country, known, device) -> tuple[str, Device]:
    """The same person, now an operator and a clerk too, with the key of the founding."""
    key = Device(9)
    other = country.citizens[1]
    found_staff(
        country,
        (known, "operator", key),
        (other, "operator", Device(10)),
        (country.citizens[2], "clerk", Device(11)),
    )
    return known, key


def test_who_has_a_role_chooses_as_whom_to_go_on(country, staff):
    _, key = staff
    visitor = Visitor()
    answer = _knock(visitor, key, next="/status")
    assert answer["Location"] == "/sign-in/role?next=%2Fstatus"
    assert visitor.get("/appointments/mine").status_code == 302
    page = visitor.get("/sign-in/role")
    assert "As an operator" in words_of(page)
    assert "For myself" in words_of(page)
    assert "As a clerk" not in words_of(page)
    before = visitor.client.cookies["kulla"].value
    answer = visitor.post("/sign-in/role", {"role": "operator", "next": "/status"})
    assert answer["Location"] == "/status"
    assert visitor.client.cookies["kulla"].value != before
    assert visitor.get("/appointments/mine").status_code == 403


def test_a_role_that_one_has_not_can_not_be_chosen(country, staff):
    _, key = staff
    visitor = Visitor()
    _knock(visitor, key)
    for role in ("clerk", "custodian", "", "king"):
        assert visitor.post("/sign-in/role", {"role": role}).status_code == 422
    assert visitor.post("/sign-in/role", {"role": "citizen"})["Location"] == "/"
    assert visitor.get("/appointments/mine").status_code == 200


def test_choosing_ends_after_ten_minutes_and_needs_a_passkey_first(country, staff):
    _, key = staff
    visitor = Visitor()
    _knock(visitor, key)
    CLOCK.at_ms += 601_000
    assert visitor.get("/sign-in/role")["Location"] == "/sign-in"
    stranger = Visitor()
    answer = stranger.post("/sign-in/role", {"role": "operator"}, form="/check")
    assert answer["Location"] == "/sign-in"


def test_without_a_finger_a_face_or_a_pin_nobody_is_staff(country, staff):
    _, key = staff
    visitor = Visitor()
    assert _knock(visitor, replace(key, verified=False))["Location"] == "/"
    assert visitor.get("/appointments/mine").status_code == 200


def test_staff_without_an_account_are_staff_alone(country, staff):
    visitor = Visitor()
    assert _knock(visitor, Device(11))["Location"] == "/"
    assert visitor.get("/appointments/mine").status_code == 403


def test_a_revoked_role_ends_its_sessions_at_once(country, staff):
    subject, key = staff
    visitor = Visitor()
    _knock(visitor, key)
    visitor.post("/sign-in/role", {"role": "operator"})
    assert visitor.get("/passkeys").status_code == 200
    country.tower.authority = None
    data = {"subject": subject, "role": "operator"}
    operator = Actor("operator", country.citizens[1])
    answer = country.ask(operator, "accounts", "revoke_role", data)
    assert answer.status == "accepted"
    assert visitor.get("/passkeys")["Location"].startswith("/sign-in")
    assert "Signed in as" not in words_of(visitor.get("/"))


def test_a_role_above_the_watermark_is_not_offered_yet(country, known, device):
    country.tower.held = True
    rows = [
        {
            "subject": subject,
            "role": "operator",
            "credential": Device(20 + number).credential,
            "public_key": Device(20 + number).public_key,
        }
        for number, subject in enumerate((known, country.citizens[1]))
    ]
    founder = Actor("custodian", "founding")
    assert country.ask(founder, "accounts", "found_staff", {"staff": rows}).status == "waiting"
    visitor = Visitor()
    assert _knock(visitor, device)["Location"] == "/"
    assert visitor.get("/appointments/mine").status_code == 200


def test_a_citizens_session_of_a_member_of_staff_adds_no_passkey(country, staff):
    subject, _ = staff
    ana = Visitor().sign_in(subject)
    answer = _add(ana, Device(30), ana.get("/passkeys/add"))
    assert answer.status_code == 422
    assert "has to be signed with one of them" in words_of(answer)
