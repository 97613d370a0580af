"""Who may issue and take back tokens of the API, for what, and how many."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.desk import Desk
from kulla.kernel.service import Refusal
from kulla.services.accounts import acts, apply
from kulla.services.accounts.api_tokens import TOKENS_MAX
from kulla.services.accounts.service import SERVICE

ANA, BEN = "a" * 32, "b" * 32
HASH = b"h" * 32


@pytest.fixture
def desk() -> Desk:
    return Desk(SERVICE, 1_772_000_000_123)


def by_operator(**other: Any) -> dict[str, Any]:
    return {"name": "Qendra", "token_hash": HASH, "scopes": ["slots:read"]} | other


def by_citizen(**other: Any) -> dict[str, Any]:
    return {"label": b"sealed", "token_hash": HASH, "scopes": ["appointments:read"]} | other


def code_of(answer: object) -> str:
    assert isinstance(answer, Refusal), answer
    return answer.code


def test_an_operators_token_has_a_name_and_no_holder(desk):
    scopes = ["slots:read", "catalogue:read"]
    made = desk.ask("operator", "op", "issue_api_token", **by_operator(scopes=scopes))
    assert [act.name for act in made] == [acts.API_TOKEN_ISSUED]
    row = desk.rows.get(apply.API_TOKEN, HASH)
    assert (row["holder"], row["name"], row["label_sealed"]) == ("", "Qendra", None)
    assert (row["scopes"], row["state"]) == ("catalogue:read slots:read", "active")


def test_a_citizens_token_is_theirs_and_its_name_is_sealed(desk):
    desk.ask("citizen", ANA, "issue_api_token", **by_citizen())
    row = desk.rows.get(apply.API_TOKEN, HASH)
    assert (row["holder"], row["name"], row["label_sealed"]) == (ANA, "", b"sealed")


@pytest.mark.parametrize("role", ["clerk", "analyst", "custodian"])
def test_other_roles_issue_and_revoke_nothing(desk, role):
    assert code_of(desk.ask(role, "x", "issue_api_token", **by_operator())) == "not-allowed"
    assert code_of(desk.ask(role, "x", "revoke_api_token", token_hash=HASH)) == "not-allowed"


@pytest.mark.parametrize(
    ("role", "data", "field"),
    [
        ("operator", by_operator(name=""), "name"),
        ("operator", by_operator(label=b"sealed"), "label"),
        ("operator", by_operator(token_hash=b"short"), "token_hash"),
        ("operator", by_operator(scopes=[]), "scopes"),
        ("operator", by_operator(holder=ANA), "holder"),
        ("citizen", by_citizen(name="Kalendari im"), "name"),
        ("citizen", by_citizen(label="in clear"), "label"),
        ("citizen", by_citizen(scopes=["a", "a"]), "scopes"),
    ],
)
def test_what_is_misshapen_names_the_field(desk, role, data, field):
    answer = desk.ask(role, ANA, "issue_api_token", **data)
    assert (code_of(answer), answer.detail) == ("malformed", {"field": field})


def test_a_token_is_issued_once(desk):
    desk.ask("citizen", ANA, "issue_api_token", **by_citizen())
    assert code_of(desk.ask("citizen", BEN, "issue_api_token", **by_citizen())) == "taken"


def test_a_citizen_has_so_many_tokens_at_once(desk):
    for number in range(TOKENS_MAX):
        hashed = number.to_bytes(32, "big")
        assert desk.ask("citizen", ANA, "issue_api_token", **by_citizen(token_hash=hashed))
    refused = desk.ask("citizen", ANA, "issue_api_token", **by_citizen())
    assert (code_of(refused), refused.detail) == ("too-many-tokens", {"max": TOKENS_MAX})
    desk.ask("citizen", ANA, "revoke_api_token", token_hash=bytes(32))
    assert not isinstance(desk.ask("citizen", ANA, "issue_api_token", **by_citizen()), Refusal)
    assert not isinstance(
        desk.ask("citizen", BEN, "issue_api_token", **by_citizen(token_hash=b"b" * 32)), Refusal
    )


def test_a_citizen_takes_back_their_own_and_an_operator_any(desk):
    desk.ask("citizen", ANA, "issue_api_token", **by_citizen())
    assert code_of(desk.ask("citizen", BEN, "revoke_api_token", token_hash=HASH)) == "token-unknown"
    assert desk.rows.get(apply.API_TOKEN, HASH)["state"] == "active"
    desk.ask("operator", "op", "revoke_api_token", token_hash=HASH)
    assert desk.rows.get(apply.API_TOKEN, HASH)["state"] == "revoked"
    again = desk.ask("citizen", ANA, "revoke_api_token", token_hash=HASH)
    assert code_of(again) == "already-revoked"
    unknown = desk.ask("operator", "op", "revoke_api_token", token_hash=b"n" * 32)
    assert code_of(unknown) == "token-unknown"


def test_nobody_makes_tokens_for_another(desk):
    desk.behalf = BEN
    assert code_of(desk.ask("citizen", ANA, "issue_api_token", **by_citizen())) == "not-for-another"
