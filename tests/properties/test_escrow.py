"""A dealt secret: any threshold of openers find it, whoever lies is found out by anybody."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.signers import MadeUpTower, SeededEntropy
from kulla.kernel.escrow import (
    Deal,
    EscrowInvalid,
    check_deal,
    check_secret,
    check_share,
    joined,
    make_deal,
    open_share,
    parse_deal,
    prove_secret,
)
from kulla.kernel.ristretto import BASE

TOWER = MadeUpTower()
KEYS = [TOWER.key(f"custodian-{number}.example") for number in range(5)]
PUBLIC = [key.verifier.public for key in KEYS]
WHAT, LIST = b"of one round", b"for one list"


def dealt(threshold: int = 3, seed: int = 1, keys: list[bytes] | None = None) -> tuple[int, Deal]:
    return make_deal(WHAT, keys or PUBLIC, threshold, SeededEntropy(seed))


def test_every_threshold_of_openers_finds_the_secret_that_its_owner_tells():
    number, deal = dealt()
    secret, proof = prove_secret(number, WHAT)
    check_deal(deal, WHAT)
    check_secret(deal.commitment, secret, proof, WHAT)
    opened = {}
    for key in KEYS:
        share, found, share_proof = open_share(deal, key.number, LIST)
        check_share(deal, share, found, share_proof, LIST)
        opened[share] = found
    for chosen in combinations(opened, 3):
        assert joined(deal, {number: opened[number] for number in chosen}) == secret
    with pytest.raises(EscrowInvalid, match="2 of the 3 shares"):
        joined(deal, {1: opened[1], 2: opened[2]})


@given(st.integers(0, 10**6), st.integers(1, 4), st.data())
def test_a_deal_reads_back_and_any_change_of_it_is_found(seed: int, count: int, data):
    threshold = data.draw(st.integers(1, count))
    _, deal = dealt(threshold, seed, PUBLIC[:count])
    assert parse_deal(deal.render()) == deal
    rendered = bytearray(deal.render())
    at = data.draw(st.integers(0, len(rendered) - 1))
    rendered[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(EscrowInvalid):
        check_deal(parse_deal(bytes(rendered)), WHAT)


@pytest.mark.parametrize("name", [field.name for field in fields(Deal)])
def test_no_part_of_another_deal_fits(name: str):
    deal, other = dealt(seed=1)[1], dealt(seed=2, keys=PUBLIC[::-1])[1]
    mixed = replace(deal, **{name: getattr(other, name)})
    with pytest.raises(EscrowInvalid):
        check_deal(mixed, WHAT)


def test_a_deal_of_something_else_does_not_count_here():
    with pytest.raises(EscrowInvalid):
        check_deal(dealt()[1], b"of another round")


def test_a_dealer_can_not_give_one_opener_rubbish():
    """What would let an embassy keep its secret to itself: the escrow is checked before."""
    deal = dealt()[1]
    shares = list(deal.shares)
    shares[2] = BASE.times(12345).encoded
    with pytest.raises(EscrowInvalid, match="not those of its secret"):
        check_deal(replace(deal, shares=tuple(shares)), WHAT)


def test_an_owner_can_tell_nothing_but_the_committed_secret():
    number, deal = dealt()
    for lie in (number + 1, 1):
        secret, proof = prove_secret(lie, WHAT)
        with pytest.raises(EscrowInvalid):
            check_secret(deal.commitment, secret, proof, WHAT)
    secret, proof = prove_secret(number, WHAT)
    with pytest.raises(EscrowInvalid):
        check_secret(deal.commitment, secret, proof, b"of another round")
    with pytest.raises(EscrowInvalid):
        check_secret(deal.commitment, BASE.encoded, proof, WHAT)


def test_an_opener_can_not_lie_and_a_proof_is_good_for_one_list():
    deal = dealt()[1]
    share, found, proof = open_share(deal, KEYS[1].number, LIST)
    with pytest.raises(EscrowInvalid):
        check_share(deal, share, found, proof, b"for another list")
    with pytest.raises(EscrowInvalid):
        check_share(deal, share, BASE.encoded, proof, LIST)
    with pytest.raises(EscrowInvalid):
        check_share(deal, share + 1, found, proof, LIST)
    with pytest.raises(EscrowInvalid):
        check_share(deal, 99, found, proof, LIST)


def test_whom_nothing_was_dealt_to_opens_nothing():
    with pytest.raises(EscrowInvalid, match="not dealt to this key"):
        open_share(dealt()[1], TOWER.key("stranger.example").number, LIST)


def test_one_opener_alone_learns_nothing_of_the_secret():
    """With two of three missing, every secret fits: the same two shares, another secret."""
    keys = PUBLIC[:3]
    _, deal = dealt(3, 7, keys)
    opened = [open_share(deal, key.number, LIST)[1] for key in KEYS[:3]]
    whole = joined(deal, dict(enumerate(opened, 1)))
    other = joined(deal, {1: opened[0], 2: opened[1], 3: BASE.times(5).encoded})
    assert whole != other


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_deal_or_refused(data: bytes):
    try:
        parse_deal(data)
    except EscrowInvalid:
        return
    raise AssertionError("random bytes made a deal")
