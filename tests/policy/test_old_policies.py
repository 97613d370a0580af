"""Earlier versions of the policy count where the later one's custodians signed them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fakes.signers import MadeUpTower
from kulla.journal.policy_file import Custodian, PolicyFile, sign_policy, verify_successor
from kulla.tower.policies.earlier import older_policies

TOWER = MadeUpTower()
FIRST = TOWER.policy


def following(policy: PolicyFile, **fields: object) -> PolicyFile:
    new = replace(policy, version=policy.version + 1, signatures=(), **fields)  # type: ignore[arg-type]
    return TOWER.signed(new, ("arta", "besa"))


def shown(*offered: bytes) -> Callable[[int], list[bytes]]:
    """Those who are asked show everything that they have, whatever is asked for."""
    return lambda _: list(offered)


def test_the_chain_is_found_in_any_order_and_ends_where_one_is_missing() -> None:
    second = following(FIRST, readers=())
    third = following(second, custodian_threshold=1)
    offered = shown(FIRST.render(), b"junk", third.render(), second.render())
    assert older_policies(third, offered) == [second, FIRST]
    assert older_policies(third, shown(FIRST.render())) == []
    assert older_policies(FIRST, offered) == []


def test_a_forged_past_is_no_past() -> None:
    """One embassy that lies could else name custodians of then, who undo, and embassies of then."""
    newest = following(FIRST, readers=())
    thief = TOWER.key("thief.example")
    custodians = (Custodian("thief", thief.verifier), *FIRST.custodians[:1])
    forged = replace(FIRST, custodians=custodians, custodian_threshold=1, signatures=())
    signed = sign_policy(forged, thief)
    verify_successor(signed, newest)  # arta, whom it names, signed what followed
    for false in (forged, signed):
        assert older_policies(newest, shown(false.render())) == []
        assert older_policies(newest, shown(false.render(), FIRST.render())) == [FIRST]
