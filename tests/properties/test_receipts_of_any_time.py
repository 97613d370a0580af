"""A receipt stays good when embassies come and go: the policy of its time vouches for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.signers import MadeUpTower, receipt_of
from kulla.journal.errors import ReceiptInclusionWrong, ReceiptUnwitnessed
from kulla.journal.policy_file import Embassy, PolicyFile
from kulla.journal.receipts import parse_receipt, verify_receipt_of_any_time
from kulla.tower.policies.next_version import Change, propose

TOWER, OTHER = MadeUpTower(), MadeUpTower(seed=5)
OLD = TOWER.policy
COSIGNERS = ["embassy-1", "embassy-2", "embassy-3"]


def after(policy: PolicyFile, gone: str) -> PolicyFile:
    """The version after it, in which another embassy took this one's place."""
    mirror, statement = OTHER.mirror_keys[gone].verifier, OTHER.statement_keys[gone].verifier
    new = Embassy(f"new-{gone}", mirror, "https://new.example", statement)
    following = propose(policy, Change(replaced={gone: new})).following
    return TOWER.signed(following, ("arta", "besa"))


def test_an_embassy_that_was_replaced_still_vouches_for_what_it_cosigned() -> None:
    receipt = receipt_of(TOWER, COSIGNERS)
    new = after(OLD, "embassy-1")
    newest = after(new, "embassy-2")
    with pytest.raises(ReceiptUnwitnessed, match="need 3 of 4, have 2"):
        verify_receipt_of_any_time(receipt, [new])
    with pytest.raises(ReceiptUnwitnessed, match="have 1"):
        verify_receipt_of_any_time(receipt, [newest, new])
    assert verify_receipt_of_any_time(receipt, [newest, new, OLD]).cosigners == tuple(COSIGNERS)
    assert verify_receipt_of_any_time(receipt_of(TOWER, COSIGNERS), iter([OLD])).index == 1


def test_what_is_wrong_otherwise_is_wrong_under_every_policy() -> None:
    receipt = parse_receipt(receipt_of(TOWER, COSIGNERS))
    other = replace(receipt, proof=tuple(reversed(receipt.proof)))
    with pytest.raises(ReceiptInclusionWrong):
        verify_receipt_of_any_time(other, [after(OLD, "embassy-1"), OLD])
    few = receipt_of(TOWER, COSIGNERS[:2])
    with pytest.raises(ReceiptUnwitnessed, match="have 1"):
        verify_receipt_of_any_time(few, [after(OLD, "embassy-1"), OLD])
