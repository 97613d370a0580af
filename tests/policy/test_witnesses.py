"""While a home takes up the next policy an act counts once a quorum of both versions holds it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from fakes.signers import MadeUpTower
from kulla.journal.merkle import EMPTY_ROOT
from kulla.journal.policy_file import Embassy, PolicyFile
from kulla.tower.policies.next_version import Change, propose
from kulla.tower.policies.witnesses import Witnesses

TOWER, OTHER = MadeUpTower(), MadeUpTower(seed=5)
NOW = TOWER.policy


def replaced(name: str = "oslo") -> PolicyFile:
    new = Embassy(
        name, OTHER.mirror_keys["embassy-1"].verifier, "https://oslo.example",
        OTHER.statement_keys["embassy-1"].verifier,
    )  # fmt: skip
    return propose(NOW, Change(replaced={"embassy-1": new})).following


def test_alone_a_policy_counts_as_it_says() -> None:
    alone = Witnesses.of([NOW])
    assert list(alone.embassies) == [embassy.name for embassy in NOW.embassies]
    for count in range(5):
        for names in combinations(alone.embassies, count):
            assert alone.is_quorum(names) == (count >= 3)


def test_two_policies_count_together() -> None:
    both = Witnesses.of([NOW, replaced()])
    assert list(both.embassies) == ["embassy-1", "embassy-2", "embassy-3", "embassy-4", "oslo"]
    assert both.is_quorum({"embassy-2", "embassy-3", "embassy-4"})
    assert not both.is_quorum({"embassy-1", "embassy-3", "embassy-4"}), "two of the new policy"
    assert not both.is_quorum({"oslo", "embassy-3", "embassy-4"}), "two of the old policy"
    assert both.is_quorum({"oslo", "embassy-1", "embassy-3", "embassy-4"})
    assert not both.is_quorum({"stranger", "embassy-3", "embassy-4"})


def test_whatever_is_a_quorum_of_both_is_found_under_either_with_one_more_lost() -> None:
    both = Witnesses.of([NOW, replaced()])
    for count in range(6):
        for names in combinations(both.embassies, count):
            if not both.is_quorum(names):
                continue
            keys = {both.embassies[name].key for name in names}
            for policy in both.policies:
                for lost in policy.embassies:
                    left = [e for e in policy.embassies if e != lost]
                    holders = sum(e.key in keys for e in left)
                    assert holders >= policy.n - policy.quorum_k + 1


def test_another_key_under_the_same_name_is_another_embassy() -> None:
    both = Witnesses.of([NOW, replaced("embassy-1")])
    assert "embassy-1 (new)" in both.embassies
    assert not both.is_quorum({"embassy-1", "embassy-3", "embassy-4"})
    assert both.is_quorum({"embassy-1", "embassy-1 (new)", "embassy-3", "embassy-4"})


def test_of_one_key_the_newest_address_counts() -> None:
    moved = replace(NOW.embassies[0], url="https://moved.example")
    following = propose(NOW, Change(replaced={"embassy-1": moved})).following
    both = Witnesses.of([NOW, following])
    assert len(both.embassies) == 4
    assert both.embassies["embassy-1"].url == "https://moved.example"
    assert both.is_quorum({"embassy-1", "embassy-3", "embassy-4"})


def test_a_kept_checkpoint_counts_where_it_has_a_quorum_of_both() -> None:
    both = Witnesses.of([NOW, replaced()])
    old = TOWER.checkpoint_note(7, EMPTY_ROOT, ["embassy-1", "embassy-2", "embassy-3"])
    stay = TOWER.checkpoint_note(7, EMPTY_ROOT, ["embassy-2", "embassy-3", "embassy-4"])
    assert Witnesses.of([NOW]).cosigned_size(old, place="") == 7
    assert both.cosigned_size(old, place="") == -1
    assert both.cosigned_size(stay, place="") == 7
