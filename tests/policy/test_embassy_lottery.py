"""An embassy keeps one secret a round, and tells it for one list that is closed for good."""

from __future__ import annotations

import json

import pytest

from fakes.signers import NOON_S, booked
from fakes.urns import CLOSES_S, ROOT, ROUND, Urns, closing_act
from kulla.embassy.errors import Refused
from kulla.journal.errors import LotteryInvalid, StoreFailed
from kulla.journal.lottery import (
    check_name,
    check_told,
    verify_commitment,
    verify_dealt,
    verify_reveal,
)
from kulla.journal.simulated import WriteFault
from kulla.kernel.canonical import encode

ME = "embassy-1"


@pytest.fixture
def urns(tmp_path) -> Urns:
    return Urns(tmp_path)


def reveal(urns: Urns, receipt: bytes, name: str = ME) -> bytes:
    return urns.embassies[name].client().reveal_secret(receipt)


def refused(urns: Urns, receipt: bytes, match: str, status: int = 403) -> None:
    with pytest.raises(Refused, match=match) as caught:
        reveal(urns, receipt)
    assert caught.value.status == status


def test_a_secret_is_made_once_and_fixed_by_what_is_signed(urns: Urns):
    statement, deal = urns.commit(ME)
    assert urns.commit(ME) == (statement, deal)
    urns.embassies[ME].crash()
    assert urns.commit(ME) == (statement, deal)
    said, dealt = urns.committed(ME)
    assert (said.round, said.embassy, said.size, said.closes_s) == (ROUND, ME, 3, CLOSES_S)
    assert dealt.threshold == urns.tower.policy.custodian_threshold
    assert urns.commit(ME, "second-2026")[1] != deal != urns.commit("embassy-2")[1]


@pytest.mark.parametrize("fault", list(WriteFault))
def test_a_power_loss_while_a_secret_is_made_gives_one_secret_in_the_end(
    urns: Urns, fault: WriteFault
):
    embassy = urns.embassies[ME]
    embassy.store("desk").fail_next(fault)
    with pytest.raises(StoreFailed):
        urns.commit(ME)
    embassy.crash()
    assert urns.commit(ME) == urns.commit(ME)


@pytest.mark.parametrize("fault", list(WriteFault))
def test_a_power_loss_while_it_is_told_changes_nothing(urns: Urns, fault: WriteFault):
    urns.commit(ME)
    receipt = urns.receipt(urns.grow([closing_act()]))
    urns.past_closing()
    embassy = urns.embassies[ME]
    embassy.store("desk").fail_next(fault)
    with pytest.raises(StoreFailed):
        reveal(urns, receipt)
    embassy.crash()
    assert reveal(urns, receipt) == reveal(urns, receipt)


def test_what_is_told_is_what_was_fixed(urns: Urns):
    _, deal = urns.committed(ME)
    index = urns.grow([closing_act(count=7)])
    urns.past_closing()
    key = urns.tower.statement_keys[ME].verifier
    told = verify_reveal(reveal(urns, urns.receipt(index)), key)
    check_told(told, deal, key)
    assert (told.closing.index, told.closing.root, told.closing.count) == (index, ROOT, 7)
    assert told.at_s >= CLOSES_S


def test_two_checkpoints_of_one_closing_get_one_answer(urns: Urns):
    urns.commit(ME)
    index = urns.grow([closing_act()])
    urns.past_closing()
    first = reveal(urns, urns.receipt(index))
    urns.grow([booked(9), booked(10)])
    assert reveal(urns, urns.receipt(index)) == first
    urns.embassies[ME].crash()
    assert reveal(urns, urns.receipt(index)) == first


def test_another_list_of_the_same_round_gets_nothing(urns: Urns):
    """Home closes twice, to see what the second list would give."""
    urns.commit(ME)
    first = urns.grow([closing_act()])
    second = urns.grow([closing_act(root=b"\x01" * 32)])
    urns.past_closing()
    reveal(urns, urns.receipt(first))
    refused(urns, urns.receipt(second), "for no other", 409)


def test_nothing_is_told_before_the_list_is_closed(urns: Urns):
    urns.commit(ME)
    urns.past_closing()
    refused(urns, urns.receipt(0), "not of the act that closed")
    refused(urns, b"not a receipt", "not a receipt")


def test_nothing_is_told_before_the_hour_by_the_embassys_own_clock(urns: Urns):
    urns.commit(ME)
    receipt = urns.receipt(urns.grow([closing_act()]))
    refused(urns, receipt, "not before")
    urns.past_closing()
    assert reveal(urns, receipt)


def test_nothing_is_told_without_a_quorum_that_cosigned(urns: Urns):
    urns.commit(ME)
    index = urns.grow([closing_act()])
    urns.past_closing()
    refused(urns, urns.receipt(index, cosigners=urns.names[:2]), "too few embassies")


def test_a_list_that_was_closed_before_the_secret_was_made_gets_nothing(urns: Urns):
    index = urns.grow([closing_act()])
    urns.commit(ME)
    urns.past_closing()
    refused(urns, urns.receipt(index), "before this secret was made")


def test_a_receipt_of_another_round_tells_nothing_of_this_one(urns: Urns):
    urns.commit(ME)
    index = urns.grow([closing_act("second-2026")])
    urns.past_closing()
    refused(urns, urns.receipt(index), "no secret for this round", 404)


def test_a_history_that_all_others_cosigned_is_not_this_embassys(urns: Urns):
    """Home and three dishonest embassies: another list, in another history."""
    urns.commit(ME)
    fork = urns.log.fork(urns.log.size)
    urns.grow([closing_act()], to=[ME])
    index = urns.grow([closing_act(root=b"\x02" * 32)], fork, to=["embassy-2"])
    urns.past_closing()
    receipt = urns.receipt(index, fork, ["embassy-2", "embassy-3", "embassy-4"])
    refused(urns, receipt, "another entry is at this place")


def test_an_embassy_that_lags_behind_tells_once_it_holds_the_act(urns: Urns):
    urns.commit(ME)
    index = urns.grow([closing_act()], to=["embassy-2", "embassy-3", "embassy-4"])
    urns.past_closing()
    receipt = urns.receipt(index, cosigners=["embassy-2", "embassy-3", "embassy-4"])
    refused(urns, receipt, "Ask again", 409)
    urns.bring(ME)
    assert reveal(urns, receipt)


def test_everybody_may_see_what_an_embassy_signed_and_nothing_else(urns: Urns):
    client = urns.embassies[ME].client()
    assert client.lottery(ROUND) is None
    statement, deal = urns.commit(ME)
    shown = json.loads(client.lottery(ROUND) or b"")
    assert (shown["commitment"], shown["deal"]) == (statement.decode(), deal.hex())
    assert shown["reveal"] == ""
    assert shown["statement_key"] == urns.key(ME)
    index = urns.grow([closing_act()])
    urns.past_closing()
    note = reveal(urns, urns.receipt(index))
    assert json.loads(client.lottery(ROUND) or b"")["reveal"] == note.decode()
    assert client.lottery("../policy") is None


@pytest.mark.parametrize("asked", [["Round", 1], ["a" * 33, 1], ["r", -1], ["r"], "r", ["r", "1"]])
def test_what_is_no_round_gets_no_secret(urns: Urns, asked):
    reply = urns.embassies[ME].mirror.urn.commit(urns.embassies[ME].mirror, encode(asked))
    assert reply.status == 400


def test_a_statement_of_another_embassy_or_with_another_deal_is_found_out(urns: Urns):
    statement, deal = urns.commit(ME)
    other_statement, other_deal = urns.commit("embassy-2")
    key = urns.tower.statement_keys[ME].verifier
    with pytest.raises(LotteryInvalid, match="no known key"):
        verify_commitment(other_statement, key)
    with pytest.raises(LotteryInvalid, match="not the deal"):
        verify_dealt(statement, other_deal, key)
    with pytest.raises(LotteryInvalid):
        verify_commitment(statement.replace(ROUND.encode(), b"other-2026"), key)
    with pytest.raises(LotteryInvalid, match="does not read as"):
        verify_reveal(statement, key)
    assert verify_dealt(statement, deal, key)[0].at_s >= NOON_S


def test_an_embassy_can_not_call_itself_by_anothers_name(urns: Urns):
    said, _ = urns.committed(ME)
    policies = [urns.tower.policy]
    check_name(said, urns.tower.statement_keys[ME].verifier, policies)
    with pytest.raises(LotteryInvalid, match="calls itself 'embassy-1'"):
        check_name(said, urns.tower.statement_keys["embassy-2"].verifier, policies)
    with pytest.raises(LotteryInvalid):
        check_name(said, urns.tower.key("stranger.example").verifier, policies)
