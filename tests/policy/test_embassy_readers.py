"""Who may read at an embassy: a signature for each request, of a key in the policy file."""

from __future__ import annotations

import pytest

from fakes.signers import NOON_S, MadeUpTower
from kulla.embassy.access import authorization, check_authorization
from kulla.embassy.errors import AccessDenied

TOWER = MadeUpTower()
STANDBY = TOWER.key("standby.example")
READERS = [reader.key for reader in TOWER.policy.readers]
ASKED = {"method": "POST", "path": "/blobs?after=1", "embassy": "embassy-1", "body": b"body"}


def header(**changed: object) -> str:
    asked = {"at_s": NOON_S, "key": STANDBY, **ASKED, **changed}
    return authorization(**asked)


def check(text: str, now_s: int = NOON_S, **changed: object) -> str:
    return check_authorization(text, READERS, now_s=now_s, **{**ASKED, **changed})


def test_a_reader_of_the_policy_is_let_in():
    assert check(header()) == "standby.example"
    assert check(header(), NOON_S + 300) == check(header(), NOON_S - 300) == "standby.example"


@pytest.mark.parametrize("seconds", [-301, 301, 10**9])
def test_a_request_of_another_time_is_not(seconds: int):
    with pytest.raises(AccessDenied, match="clock"):
        check(header(), NOON_S + seconds)


@pytest.mark.parametrize(
    "changed",
    [{"method": "GET"}, {"path": "/blobs"}, {"embassy": "embassy-2"}, {"body": b"other"}],
)
def test_a_signature_is_good_for_its_own_request_only(changed: dict[str, object]):
    with pytest.raises(AccessDenied, match="does not fit"):
        check(header(), **changed)


def test_a_key_that_is_not_in_the_policy_is_not_let_in():
    with pytest.raises(AccessDenied, match="no such reader"):
        check(header(key=TOWER.key("thief.example")))
    with pytest.raises(AccessDenied, match="no such reader"):
        check(header(key=TOWER.custodian_keys["arta"]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic abc",
        "Kulla-Ed25519",
        "Kulla-Ed25519 standby.example 12 ",
        "Kulla-Ed25519 standby.example -5 AAAA",
        "Kulla-Ed25519 standby.example ١٢ AAAA",
        f"Kulla-Ed25519 standby.example {NOON_S} AAAA",
        f"Kulla-Ed25519 standby.example {NOON_S} %%%",
        f"Kulla-Ed25519 standby.example {'9' * 5000} AAAA",
        f"Kulla-Ed25519 standby.example {NOON_S} AAAA more",
    ],
)
def test_a_malformed_header_is_refused(text: str):
    with pytest.raises(AccessDenied):
        check(text)
