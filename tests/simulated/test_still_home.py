"""A start asks whether this still is home: what is signed counts, and one liar does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.home import HomeInProcess
from kulla.embassy.client import EmbassyClient
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.notes import KIND_ED25519, SigningKey
from kulla.journal.policy_file import Custodian, sign_policy, verify_policy_signatures
from kulla.tower.still_home import NotHome, TooFewAnswers, ask_whether_home


def sealed(health: Any) -> Any:
    """It says that it sealed every log."""
    return {**health, "logs": [{**known, "sealed": True} for known in health["logs"]]}


def newer(health: Any) -> Any:
    """It says that it is pinned to a policy of the future."""
    return {**health, "policy_version": 99}


def mute(health: Any) -> Any:
    """It leaves out what is asked for."""
    return {"name": health["name"]}


def listed(health: Any) -> Any:
    """It says something of another shape."""
    return [health]


def endless(health: Any) -> Any:
    """It says a number that is none."""
    return {**health, "policy_version": float("inf")}


LIES = [sealed, newer, mute, listed, endless]


@pytest.fixture
def home(tmp_path: Path) -> HomeInProcess:
    home = HomeInProcess(tmp_path)
    home.deliver()
    home.take(home.command(most=9), tokens="a")
    home.deliver()
    assert home.answers["a"].status == "accepted"
    return home


def ask(home: HomeInProcess, size: int | None = None, *, other_root: bool = False) -> None:
    def client(name: str, url: str) -> EmbassyClient:
        return home.embassies[name].client()

    def root_at(at: int) -> bytes:
        return EMPTY_ROOT if other_root else home.journal.root_at(at)

    size = home.journal.size if size is None else size
    ask_whether_home(home.tower.policy, size, root_at, client)


def lie(home: HomeInProcess, count: int, *lies: Callable[[Any], Any]) -> None:
    for embassy in list(home.embassies.values())[:count]:
        embassy.lies = {str(number): found for number, found in enumerate(lies)}


def test_where_all_know_it_as_home_it_may_serve(home: HomeInProcess) -> None:
    ask(home)


@pytest.mark.parametrize("what", LIES)
def test_one_liar_closes_no_door(home: HomeInProcess, what: Callable[[Any], Any]) -> None:
    lie(home, 1, what)
    ask(home)


@pytest.mark.parametrize("what", [sealed, newer])
def test_as_many_as_a_takeover_needs_are_believed(
    home: HomeInProcess, what: Callable[[Any], Any]
) -> None:
    lie(home, 2, what)
    with pytest.raises(NotHome):
        ask(home)


@pytest.mark.parametrize("what", LIES)
def test_a_claim_is_no_voice_for_home(home: HomeInProcess, what: Callable[[Any], Any]) -> None:
    lie(home, 1, what)
    for embassy in list(home.embassies.values())[2:]:
        embassy.down = True
    with pytest.raises(TooFewAnswers, match="1 of 4"):
        ask(home)


def test_one_that_shows_more_under_this_homes_key_proves_it(home: HomeInProcess) -> None:
    for embassy in list(home.embassies.values())[1:]:
        embassy.down = True
    with pytest.raises(NotHome, match="set back"):
        ask(home, home.journal.size - 1)


def test_another_history_under_this_homes_key_is_proof_too(home: HomeInProcess) -> None:
    with pytest.raises(NotHome, match="another history"):
        ask(home, other_root=True)


def test_a_policy_that_lists_our_custodians_and_is_signed_by_another_is_no_proof(
    home: HomeInProcess,
) -> None:
    policy = home.tower.policy
    liar = SigningKey("liar.example", KIND_ED25519, b"l" * 32)
    custodians = (*policy.custodians, Custodian("liar", liar.verifier))
    forged = replace(
        policy, version=99, custodians=custodians, custodian_threshold=1, signatures=()
    )
    forged = sign_policy(forged, liar)
    verify_policy_signatures(forged)  # it agrees with itself
    [first, *_] = home.embassies.values()
    first.lies = {"newer": newer}
    first.shown_policy = forged.render()
    ask(home)


def test_a_next_version_that_home_counts_by_already_is_nothing_against_it(
    home: HomeInProcess,
) -> None:
    """Home was restarted between the embassies' pinning it and its own putting it in place."""
    following = replace(home.tower.unsigned_policy, version=2, readers=())
    signed = home.tower.signed(following, ("arta", "besa"))
    for embassy in home.embassies.values():
        embassy.client().set_policy(signed.render())
    with pytest.raises(NotHome, match="kulla policy bring"):
        ask(home)
    ask_whether_home(
        home.tower.policy,
        home.journal.size,
        home.journal.root_at,
        lambda name, _: home.embassies[name].client(),
        taking_up=signed,
    )
    other = replace(following, custodian_threshold=3)
    with pytest.raises(NotHome):
        ask_whether_home(
            home.tower.policy,
            home.journal.size,
            home.journal.root_at,
            lambda name, _: home.embassies[name].client(),
            taking_up=home.tower.signed(other, home.tower.custodian_keys),
        )
