"""What people set for themselves: addresses, keys, sessions, and what is stored of them."""

from __future__ import annotations

import re

import pytest

from fakes.accounts import MAIL, add_passkey, open_account, register
from fakes.device import Device
from fakes.portal import Visitor, words_of
from kulla.kernel.service import Actor


@pytest.fixture
def own(country, ana) -> Visitor:
    """The first citizen, signed in, with an account of her own."""
    open_account(country, country.citizens[0])
    return ana


def _code(visitor: Visitor, address: str) -> str:
    return re.search(r"(\d{3} \d{3}) is your code", words_of(visitor.get(address)))[1]


def test_language_and_reminders_are_acts_and_the_page_speaks_it_at_once(country, own):
    answer = own.post("/mine/preferences", {"language": "sq", "reminders": "none"}, form="/mine")
    assert answer.status_code == 303
    page = own.get(answer["Location"])
    assert page["Content-Language"] == "sq"
    assert re.search(r'/receipts/\d+">Dëshmi', page.content.decode())
    assert '<input type="radio" name="reminders" value="none" checked>' in page.content.decode()
    assert "U ndryshuan gjuha ose kujtesat" in words_of(own.get("/acts"))


@pytest.mark.parametrize("fields", [{"language": "xx"}, {"reminders": "pigeon"}, {"language": ""}])
def test_what_no_form_of_ours_sends_changes_nothing(country, own, fields):
    typed = {"language": "en", "reminders": "mail", **fields}
    before = len(country.tower.submitted)
    assert own.post("/mine/preferences", typed, form="/mine").status_code == 200
    assert len(country.tower.submitted) == before


def test_a_setting_that_waits_or_finds_no_quorum_says_so_and_keeps_the_choice(country, own):
    typed = {"language": "en", "reminders": "none"}
    country.tower.held = True
    answer = own.post("/mine/preferences", typed, form="/mine")
    assert answer.status_code == 202
    assert "nothing is done twice" in words_of(answer)
    country.tower.let_go()
    again = own.client.post("/mine/preferences", _form_of(answer) | typed)
    assert again.status_code == 303
    country.tower.quorum = False
    answer = own.post("/mine/preferences", typed, form="/mine")
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert "Too few embassies answer" in words_of(answer)
    assert '<input type="radio" name="reminders" value="none" checked>' in answer.content.decode()


def _form_of(answer) -> dict[str, str]:
    page = answer.content.decode()
    names = ("csrfmiddlewaretoken", "command")
    return {name: re.search(f'name="{name}" value="([^"]+)"', page)[1] for name in names}


def test_an_address_is_added_with_the_code_that_came_there(country, own):
    assert MAIL in words_of(own.get("/mine/addresses"))
    answer = own.post("/mine/addresses", {"address": " Ana.Dy@Shembull.AL "})
    assert answer["Location"] == "/mine/addresses/code"
    code = _code(own, "/mine/addresses/code")
    wrong = own.post("/mine/addresses/code", {"code": "000 000" if code != "000 000" else "1"})
    assert wrong.status_code == 422
    assert "This is not the code" in words_of(wrong)
    answer = own.post("/mine/addresses/code", {"code": code})
    assert answer.status_code == 303, words_of(answer)
    said = words_of(own.get(answer["Location"]))
    assert "It is done and confirmed" in said
    assert "ana.dy@shembull.al" in said


def test_a_code_that_was_taken_is_not_asked_again_where_the_answer_was_lost(country, own):
    own.post("/mine/addresses", {"address": "069 765 4321"})
    code = _code(own, "/mine/addresses/code")
    country.tower.held = True
    answer = own.post("/mine/addresses/code", {"code": code})
    assert answer.status_code == 202
    country.tower.let_go()
    again = own.client.post("/mine/addresses/code", _form_of(answer))
    assert again.status_code == 303
    assert "+355697654321" in words_of(own.get("/mine/addresses"))


def test_the_address_of_another_is_not_taken(country, own):
    open_account(country, country.citizens[1], "besim@shembull.al")
    own.post("/mine/addresses", {"address": "besim@shembull.al"})
    answer = own.post("/mine/addresses/code", {"code": _code(own, "/mine/addresses/code")})
    assert answer.status_code == 409
    assert "Another account has this already" in words_of(answer)


def test_an_address_goes_only_where_another_way_in_is_left(country, own):
    token = country.tower.token("mail", MAIL).hex()
    page = own.get(f"/mine/addresses/{token}/remove")
    assert MAIL in words_of(page)
    answer = own.post(f"/mine/addresses/{token}/remove", {})
    assert answer.status_code == 409
    assert "Without it you could not sign in any more" in words_of(answer)
    add_passkey(country, country.citizens[0], Device())
    assert own.post(f"/mine/addresses/{token}/remove", {}).status_code == 303
    assert "You have none." in words_of(own.get("/mine/addresses"))


def test_what_belongs_to_another_is_not_there(country, own, besim):
    open_account(country, country.citizens[1], "besim@shembull.al")
    device = Device()
    add_passkey(country, country.citizens[0], device)
    token = country.tower.token("mail", MAIL).hex()
    for address in (
        f"/mine/addresses/{token}/remove",
        f"/mine/keys/{device.credential}/remove",
        "/mine/e-id/zz/unlink",
        "/mine/offers/zz/withdraw",
    ):
        assert besim.get(address).status_code == 404
    assert own.get(f"/mine/keys/{device.credential}/remove").status_code == 200


def test_a_passkey_is_listed_and_removed(country, own):
    device = Device()
    add_passkey(country, country.citizens[0], device)
    assert "One passkey" in words_of(own.get("/mine"))
    assert f"/mine/keys/{device.credential}/remove" in own.get("/mine/keys").content.decode()
    assert own.post(f"/mine/keys/{device.credential}/remove", {}).status_code == 303
    assert "A passkey was removed" in words_of(own.get("/acts"))
    assert own.get(f"/mine/keys/{device.credential}/remove").status_code == 404


def test_an_e_id_is_unlinked(country, own):
    token = country.tower.token("oidc", "https://e-id.example 7")
    data = {"issuer": "https://e-id.example", "token": token}
    actor = Actor("citizen", country.citizens[0])
    assert country.ask(actor, "accounts", "link_identity", data).status == "accepted"
    assert "e-id.example" in words_of(own.get("/mine/keys"))
    assert own.post(f"/mine/e-id/{token.hex()}/unlink", {}).status_code == 303
    assert "None is linked" in words_of(own.get("/mine/keys"))


def test_sessions_are_listed_and_ended_one_by_one_or_all_but_this(country, ana, besim):
    others = [Visitor(address=f"192.0.2.{n}").sign_in(country.citizens[0]) for n in (11, 12, 13)]
    page = ana.get("/mine/keys").content.decode()
    names = re.findall(r'name="session" value="([0-9a-f]{64})"', page)
    assert len(names) == 4
    assert words_of(ana.get("/mine/keys")).count("here") >= 1
    besim.post("/mine/sessions/end", {"session": names[0]}, form="/mine/keys")
    assert len(re.findall(r'value="[0-9a-f]{64}"', ana.get("/mine/keys").content.decode())) == 4
    ana.post("/mine/sessions/end", {"session": "others"}, form="/mine/keys")
    assert ana.get("/acts").status_code == 200
    assert [one.get("/acts").status_code for one in others] == [302, 302, 302]
    ana.get("/mine/sessions/end")
    assert ana.get("/acts").status_code == 200
    [last] = re.findall(r'value="([0-9a-f]{64})"', ana.get("/mine/keys").content.decode())
    ana.post("/mine/sessions/end", {"session": last}, form="/mine/keys")
    assert ana.get("/acts").status_code == 302


def test_what_is_stored_is_opened_only_when_asked_and_only_ones_own(country, own, besim):
    subject = country.citizens[0]
    register(country, subject, "Ana Prifti")
    own.book(country.slot(), reason="Dhimbje koke", phone="069 111 2222")
    before = len(country.tower.opened)
    said = words_of(own.get("/mine/stored"))
    assert "Dhimbje koke" not in said
    assert "sealed" in said
    assert len(country.tower.opened) == before
    answer = own.client.post("/mine/stored", {"csrfmiddlewaretoken": _token(own, "/mine/stored")})
    said = words_of(answer)
    for text in ("Ana Prifti", MAIL, "Dhimbje koke", "069 111 2222", subject):
        assert text in said
    assert {whose for whose, _ in country.tower.opened[before:]} == {subject}
    theirs = words_of(
        besim.client.post("/mine/stored", {"csrfmiddlewaretoken": _token(besim, "/mine/stored")})
    )
    assert "Dhimbje koke" not in theirs
    assert answer["Cache-Control"] == "private, no-store"


def _token(visitor: Visitor, address: str) -> str:
    page = visitor.get(address).content.decode()
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]


def test_who_has_no_account_sees_the_settings_and_is_told_so(country, besim):
    assert "There is no account of yours yet" in words_of(besim.get("/mine"))
    besim.post("/mine/addresses", {"address": "besim@shembull.al"})
    answer = besim.post("/mine/addresses/code", {"code": _code(besim, "/mine/addresses/code")})
    assert answer.status_code == 409
    assert "There is no account of yours yet" in words_of(answer)
