"""Operators give roles by two and take them by one, on pages that say whom they mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes.accounts import add_passkey, open_account
from fakes.clinic_desk import Clerk, furnish
from fakes.country import Country
from fakes.device import Device
from fakes.portal import CLOCK, Visitor, words_of
from kulla.services.accounts.assertions import fingerprint

MAIL = "ana@shembull.al"
STAFF = "/operator/staff"
DAY_MS = 24 * 3600 * 1000
DEVICE = Device(5)


@pytest.fixture
def operators(country: Country, tmp_path: Path) -> tuple[Clerk, Clerk]:
    """Olsi Leka and Oriana Toska, signed in; Ana Prifti has an account with a passkey."""
    furnish(country, tmp_path)
    open_account(country, country.citizens[0], MAIL)
    add_passkey(country, country.citizens[0], DEVICE)
    people = json.loads((tmp_path / "people.json").read_text())
    found = []
    for number, row in enumerate(row for row in people if row["role"] == "operator"):
        visitor = Clerk(address=f"192.0.2.{40 + number}")
        visitor.sign_in(row["subject"])
        found.append(visitor)
    return found[0], found[1]


def propose(operator: Clerk, country: Country, role: str = "clerk") -> Any:
    """Find Ana by her address, see that it is her, sign the proposal."""
    page = operator.send(operator.get(STAFF), STAFF, {"mail": " Ana@Shembull.AL ", "role": role})
    assert "Ana Prifti" in words_of(page)
    assert fingerprint(DEVICE.public_key) in words_of(page)
    ana = country.citizens[0]
    return operator.sign(operator.send(page, f"{STAFF}/{ana}/{role}/propose", {}))


def proposal_of(page: Any) -> str:
    """The address of the proposal that a page names first."""
    return f"{STAFF}/proposals/" + page.content.decode().partition("/proposals/")[2][:32]


def roles_of(country: Country, subject: str) -> set[str]:
    return {str(row["role"]) for row in country.tower._rows.find("accounts_role", subject=subject)}


def test_one_proposes_another_approves_one_takes(
    country: Country, operators: tuple[Clerk, Clerk]
) -> None:
    first, second = operators
    ana = country.citizens[0]
    page = propose(first, country)
    assert "It is done and confirmed" in words_of(page)
    assert "is to get the role: clerk" in words_of(page)
    address = proposal_of(page)
    mine = words_of(first.get(address))
    assert "another operator must approve" in mine
    assert "Approve, and go on" not in mine

    page = second.get(address)
    assert fingerprint(DEVICE.public_key) in words_of(page)
    answer = second.send(page, address, {"approve": "1"})
    summary = second.summary(answer)
    for told in ("Give this person a role", "Ana Prifti", "clerk", fingerprint(DEVICE.public_key)):
        assert told in summary
    page = second.sign(answer)
    assert "It is done and confirmed" in words_of(page)
    assert "Waits for another operator" not in words_of(page)
    assert roles_of(country, ana) == {"clerk"}
    assert second.get(address).status_code == 404

    take = f"{STAFF}/{ana}/clerk/take"
    assert "Ana Prifti" in words_of(second.get(take))
    assert "It is done" in words_of(second.do(take, {}))
    assert roles_of(country, ana) == set()
    assert second.get(take).status_code == 404


def test_who_proposed_can_only_withdraw(country: Country, operators: tuple[Clerk, Clerk]) -> None:
    first, _ = operators
    address = proposal_of(propose(first, country))
    page = first.do(address, {"approve": "1"})
    assert "You proposed this yourself" in words_of(page)
    page = first.do(address, {"withdraw": "1"})
    assert "It is done" in words_of(page)
    assert roles_of(country, country.citizens[0]) == set()


def test_a_second_proposal_says_that_there_is_one(
    country: Country, operators: tuple[Clerk, Clerk]
) -> None:
    first, second = operators
    propose(first, country)
    assert "proposed already" in words_of(propose(second, country))


def test_an_old_proposal_is_shown_no_more(country: Country, operators: tuple[Clerk, Clerk]) -> None:
    first, second = operators
    address = proposal_of(propose(first, country))
    before = CLOCK.at_ms
    try:
        CLOCK.at_ms += 14 * DAY_MS
        second.sign_in(_approver(country))  # sessions ended long ago
        assert "/proposals/" not in second.get(STAFF).content.decode()
        assert "too old" in words_of(second.do(address, {"approve": "1"}))
    finally:
        CLOCK.at_ms = before


def _approver(country: Country) -> str:
    rows = country.tower._rows.find("accounts_role", role="operator")
    proposer = country.tower._rows.find("accounts_proposal")[0]["proposed_by"]
    return str(next(row["subject"] for row in rows if row["subject"] != proposer))


def test_without_a_passkey_nothing_can_be_proposed(
    country: Country, operators: tuple[Clerk, Clerk]
) -> None:
    first, _ = operators
    open_account(country, country.citizens[1], "besim@shembull.al")
    page = first.send(first.get(STAFF), STAFF, {"mail": "besim@shembull.al", "role": "analyst"})
    assert "no passkey yet" in words_of(page)
    address = f"{STAFF}/{country.citizens[1]}/analyst/propose"
    assert "no passkey yet" in words_of(first.sign(first.send(page, address, {})))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"mail": "nobody@shembull.al", "role": "clerk"}, "No account has this mail address"),
        ({"mail": "no mail", "role": "clerk"}, "No account has this mail address"),
        ({"mail": "x" * 9000, "role": "clerk"}, "No account has this mail address"),
        ({"mail": MAIL, "role": "custodian"}, "Choose a role"),
        ({"mail": MAIL}, "Choose a role"),
    ],
)
def test_what_is_missing_is_said_beside_the_field(
    operators: tuple[Clerk, Clerk], typed: dict[str, str], said: str
) -> None:
    first, _ = operators
    page = first.send(first.get(STAFF), STAFF, typed)
    assert page.status_code == 422
    assert said in words_of(page)
    assert "aria-invalid" in page.content.decode() or said == "Choose a role"


def test_the_last_operator_is_not_taken(country: Country, operators: tuple[Clerk, Clerk]) -> None:
    first, _ = operators
    page = first.get(STAFF).content.decode()
    own, other = (
        part[:32] for part in page.split(f"{STAFF}/")[1:] if part[32:].startswith("/operator/take")
    )
    mine = first.client.session["subject"]
    other = own if other == mine else other
    assert "It is done" in words_of(first.do(f"{STAFF}/{other}/operator/take", {}))
    page = first.do(f"{STAFF}/{mine}/operator/take", {})
    assert "The last operator stays" in words_of(page)


def test_what_is_not_there_is_not_found(country: Country, operators: tuple[Clerk, Clerk]) -> None:
    first, _ = operators
    nobody, ana = "9" * 32, country.citizens[0]
    for address in (
        f"{STAFF}/proposals/{nobody}",
        f"{STAFF}/{nobody}/clerk/propose",
        f"{STAFF}/{ana}/custodian/propose",
        f"{STAFF}/{ana}/clerk/take",
        f"{STAFF}/{nobody}/operator/take",
    ):
        assert first.get(address).status_code == 404, address


def test_nobody_but_operators_sees_these_pages(
    country: Country, operators: tuple[Clerk, Clerk], ana: Visitor
) -> None:
    first, _ = operators
    addresses = [
        STAFF,
        proposal_of(propose(first, country)),
        f"{STAFF}/{country.citizens[0]}/clerk/propose",
        f"{STAFF}/{country.clerk}/clerk/take",
    ]
    clerk = Visitor(address="192.0.2.60").sign_in(country.clerk)
    for address in addresses:
        assert first.get(address).status_code == 200, address
        assert ana.get(address).status_code == 403
        assert clerk.get(address).status_code == 403
        assert Visitor().get(address)["Location"].startswith("/sign-in")


def test_the_pages_speak_albanian(country: Country, operators: tuple[Clerk, Clerk]) -> None:
    first, _ = operators
    page = first.get(f"{STAFF}?lang=sq")
    assert "Kush ka cilin rol" in words_of(page)
    assert "Punonjësit dhe rolet" in page.content.decode()
