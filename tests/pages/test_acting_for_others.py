"""Powers of attorney from one account to another, children, and for whom one acts."""

from __future__ import annotations

import re

import pytest

from fakes.accounts import open_account, register
from fakes.portal import CLOCK, Visitor, words_of
from kulla.kernel.service import Actor

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def two(country, ana, besim) -> tuple[Visitor, Visitor]:
    """Two citizens with accounts."""
    for number, name in enumerate(("Ana Prifti", "Besim Kodra")):
        open_account(country, country.citizens[number], f"{number}@shembull.al")
        register(country, country.citizens[number], name)
    return ana, besim


def _offered(visitor: Visitor, lasts: str = "month") -> str:
    answer = visitor.post("/mine/people/grant", {"lasts": lasts}, form="/mine/people")
    assert answer.status_code == 200, words_of(answer)
    return re.search(r'class="big-code">([0-9A-Z-]{19})<', answer.content.decode())[1]


def _relate(country, guardian: str, ward: str, until_day: str = "") -> None:
    data = {"guardian": guardian, "ward": ward, "kind": "child", "until_day": until_day}
    assert country.ask(Actor("clerk", country.clerk), "accounts", "relate", data).positions


def test_a_power_of_attorney_goes_from_one_to_the_other_by_a_code(country, two):
    ana, besim = two
    code = _offered(ana)
    assert "Codes that wait" in words_of(ana.get("/mine/people"))
    answer = besim.post(
        "/mine/people/accept", {"code": code.lower().replace("-", " ")}, form="/mine/people"
    )
    assert answer.status_code == 303, words_of(answer)
    said = words_of(besim.get(answer["Location"]))
    assert "It is done and confirmed" in said
    assert "Act for Ana Prifti" in said
    assert "until Thursday 5 March 2026" in said
    said = words_of(ana.get("/mine/people"))
    assert "Besim Kodra has your power of attorney" in said
    assert "Codes that wait" not in said
    again = Visitor(address="192.0.2.3").sign_in(country.citizens[2])
    answer = again.post("/mine/people/accept", {"code": code}, form="/mine/people")
    assert answer.status_code == 409
    assert "No code like this is waiting" in words_of(answer)


def test_who_acts_for_another_sees_it_on_every_page_until_they_stop(country, two):
    ana, besim = two
    code = _offered(ana)
    besim.post("/mine/people/accept", {"code": code}, form="/mine/people")
    fields = {"whom": country.citizens[0], "next": "/acts"}
    answer = besim.post("/acting", fields, form="/mine/people")
    assert answer["Location"] == "/acts"
    page = besim.get("/acts")
    assert "You act for <strong>Ana Prifti</strong>" in page.content.decode()
    assert "Acts of Ana Prifti" in words_of(page)
    assert "A power of attorney was offered" in words_of(page)
    for position in re.findall(r"/receipts/(\d+)", page.content.decode()):
        assert besim.get(f"/receipts/{position}").status_code == 200
    besim.post("/acting", {"whom": ""}, form="/acts")
    assert "You act for" not in besim.get("/acts").content.decode()


def test_what_was_ended_counts_no_more_at_once(country, two):
    ana, besim = two
    besim.post("/mine/people/accept", {"code": _offered(ana)}, form="/mine/people")
    besim.post("/acting", {"whom": country.citizens[0]}, form="/mine/people")
    address = re.search(r"/mine/people/[0-9a-f]{32}/end", ana.get("/mine/people").content.decode())
    assert "Besim Kodra" in words_of(ana.get(address[0]))
    assert ana.post(address[0], {}).status_code == 303
    assert "You act for" not in besim.get("/").content.decode()
    assert besim.post(address[0], {}, form="/mine/people").status_code == 409


def test_a_relation_that_is_not_witnessed_counts_not_yet(country, two):
    ana, besim = two
    code = _offered(ana)
    country.tower.held = True
    answer = besim.post("/mine/people/accept", {"code": code}, form="/mine/people")
    assert answer.status_code == 202
    fields = {"whom": country.citizens[0]}
    assert besim.post("/acting", fields, form="/mine/people").status_code == 404
    country.tower.let_go()
    assert besim.post("/acting", fields, form="/mine/people").status_code == 302


def test_nobody_acts_for_a_stranger(country, two):
    ana, _besim = two
    for whom in (country.citizens[1], "f" * 32, "x"):
        assert ana.post("/acting", {"whom": whom}, form="/mine/people").status_code == 404
    assert "You act for" not in ana.get("/").content.decode()


def test_a_child_is_seen_on_the_home_page_until_its_last_day(country, two):
    ana, _besim = two
    child = country.citizens[2]
    register(country, child, "Çlirim Duka")
    _relate(country, country.citizens[0], child, "2026-02-03")
    country.book(child, country.slot(days=2))
    said = words_of(ana.get("/"))
    assert "People I act for" in said
    assert "Act for Çlirim Duka" in said
    assert "Wednesday 4 February 2026" in said
    assert "your child" in words_of(ana.get("/mine/people"))
    CLOCK.at_ms += 2 * DAY_MS
    ana.sign_in(country.citizens[0])
    assert "People I act for" not in words_of(ana.get("/"))


def test_choosing_leads_nowhere_else(country, two):
    ana, _besim = two
    for where in ("https://evil.example/", "//evil.example", "x"):
        answer = ana.post("/acting", {"whom": "", "next": where}, form="/mine/people")
        assert answer["Location"] == "/"


def test_an_offer_is_withdrawn_and_its_code_is_nothing(country, two):
    ana, besim = two
    code = _offered(ana)
    page = ana.get("/mine/people").content.decode()
    address = re.search(r"/mine/offers/[0-9a-f]{64}/withdraw", page)[0]
    assert besim.get(address).status_code == 404
    assert ana.post(address, {}).status_code == 303
    answer = besim.post("/mine/people/accept", {"code": code}, form="/mine/people")
    assert answer.status_code == 409


def test_ones_own_code_and_what_is_no_code_are_told_apart(country, two):
    ana, besim = two
    code = _offered(ana)
    answer = ana.post("/mine/people/accept", {"code": code}, form="/mine/people")
    assert "give it to the other person" in words_of(answer)
    answer = besim.post("/mine/people/accept", {"code": code[:-1]}, form="/mine/people")
    assert answer.status_code == 422
    assert f'value="{code[:-1]}"' in answer.content.decode()


def test_a_form_that_is_sent_twice_shows_one_code(country, two):
    ana, _besim = two
    page = ana.get("/mine/people").content.decode()
    fields = {
        name: re.search(f'name="{name}" value="([^"]+)"', page)[1]
        for name in ("csrfmiddlewaretoken", "command")
    }
    pages = [
        ana.client.post("/mine/people/grant", {**fields, "lasts": "open"}).content.decode()
        for _ in range(2)
    ]
    codes = {re.search(r'class="big-code">([^<]+)<', one)[1] for one in pages}
    assert len(codes) == 1
    assert ana.get("/mine/people").content.decode().count("/withdraw") == 1


def test_codes_are_read_however_they_are_written(country):
    from kulla.portal.mine.people import grouped, offer_code, read_code

    code = offer_code("ab" * 16, b"c" * 16)
    assert len(code) == 16
    assert read_code(grouped(code)) == code
    assert read_code("oiL1 0000-0000-0000") == "0111000000000000"
    assert read_code("U" * 16) == read_code("A" * 15) == read_code("") == ""
    assert offer_code("ab" * 16, b"d" * 16) != code
