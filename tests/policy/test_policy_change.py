"""Changes of the policy: what they come to, and which would lose acts on the day it matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.signers import MadeUpTower
from kulla.journal.errors import JournalError
from kulla.journal.notes import SigningKey
from kulla.journal.policy_file import Custodian, Embassy, Group, PolicyFile, Reader
from kulla.journal.proposals import Proposal
from kulla.tower.policies.next_version import Change, ChangeRefused, propose

TOWER = MadeUpTower()
NOW = TOWER.policy


def newcomer(name: str = "oslo") -> Embassy:
    def key(kind: str, number: int) -> SigningKey:
        return TOWER.key(f"{name}.example/{kind}", number)

    return Embassy(
        name, key("mirror", 4).verifier, f"https://{name}.example", key("st", 1).verifier
    )


def custodian(name: str) -> Custodian:
    return Custodian(name, TOWER.key(f"{name}.custodians.example").verifier)


def names(policy: PolicyFile) -> list[str]:
    return [embassy.name for embassy in policy.embassies]


def test_an_embassy_takes_another_s_place_and_nothing_else_changes() -> None:
    proposal = propose(NOW, Change(replaced={"embassy-2": newcomer()}))
    proposal.check()
    new = proposal.following
    assert names(new) == ["embassy-1", "oslo", "embassy-3", "embassy-4"]
    assert (new.version, new.quorum_k, new.n, new.logs) == (2, 3, 4, NOW.logs)
    assert new.custodians == NOW.custodians
    same_name = replace(newcomer(), name="embassy-2")
    assert names(propose(NOW, Change(replaced={"embassy-2": same_name})).following) == names(NOW)


def test_embassies_come_and_go_with_their_quorum() -> None:
    five = propose(NOW, Change(embassies_in=[newcomer()], quorum=4)).following
    assert (five.n, five.quorum_k) == (5, 4)
    signed = TOWER.signed(five, ("arta", "besa"))
    back = propose(signed, Change(embassies_out=["embassy-1"], quorum=3)).following
    assert names(back) == ["embassy-2", "embassy-3", "embassy-4", "oslo"]


def test_custodians_and_readers_come_and_go() -> None:
    change = Change(
        custodians_in=[custodian("nora")],
        custodians_out=["drita"],
        threshold=3,
        readers_in=[Reader("third", TOWER.key("third.example").verifier)],
        readers_out=["standby"],
    )
    proposal = propose(NOW, change)
    proposal.check()
    assert [who.name for who in proposal.following.custodians] == ["arta", "besa", "nora"]
    assert proposal.following.custodian_threshold == 3
    assert [reader.name for reader in proposal.following.readers] == ["third"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change(quorum=2), "two histories could each find"),
        (Change(embassies_in=[newcomer("oslo"), newcomer("bern")]), "two histories"),
        (Change(embassies_in=[newcomer()]), "no embassy could be lost"),
        (Change(embassies_out=["embassy-1"], quorum=2), "no embassy could be lost"),
        (
            Change(replaced={"embassy-1": newcomer("oslo"), "embassy-2": newcomer("bern")}),
            "only 2 of the embassies would stay",
        ),
        (Change(embassies_in=[replace(newcomer(), statement_key=None)], quorum=4), "seal nothing"),
        (Change(replaced={"lima": newcomer()}), "names no such embassy"),
        (Change(embassies_out=["lima"]), "names no such embassy"),
        (Change(custodians_out=["lima"]), "names no such custodian"),
        (Change(readers_out=["lima"]), "names no such reader"),
        (Change(embassies_in=[newcomer("embassy-1")], quorum=4), "of this name already"),
        (Change(custodians_in=[custodian("arta")]), "of this name already"),
        (Change(), "nothing would change"),
        (Change(quorum=3), "nothing would change"),
    ],
)
def test_what_would_not_be_safe_is_refused(change: Change, why: str) -> None:
    with pytest.raises((ChangeRefused, JournalError), match=why):
        propose(NOW, change)


@pytest.mark.parametrize("change", [Change(threshold=4), Change(quorum=5), Change(threshold=-1)])
def test_numbers_that_can_t_be_are_refused(change: Change) -> None:
    with pytest.raises((ChangeRefused, JournalError)):
        propose(NOW, change)


def test_one_key_can_t_come_twice() -> None:
    twice = replace(newcomer(), key=NOW.embassies[0].key)
    with pytest.raises(JournalError, match="stands already"):
        propose(NOW, Change(embassies_in=[twice], quorum=4))


def test_a_country_that_began_with_less_may_still_change_and_is_warned() -> None:
    groups = (Group("embassies", 3, (*names(NOW), "oslo")),)
    small = replace(NOW, embassies=(*NOW.embassies, newcomer()), groups=groups, signatures=())
    small = TOWER.signed(small, ("arta", "besa"))
    assert 2 * small.quorum_k == small.n + 1
    proposal = propose(small, Change(threshold=3))
    assert "WARNING: with this quorum no embassy may be lost" in proposal.render().decode()


def test_a_hand_made_proposal_without_a_quorum_is_signed_by_nobody() -> None:
    following = replace(NOW, version=2, groups=(Group("embassies", 2, tuple(names(NOW))),))
    with pytest.raises(JournalError, match="two histories"):
        Proposal(NOW, replace(following, signatures=())).check()
