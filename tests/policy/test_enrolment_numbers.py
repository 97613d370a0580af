"""A number is HMAC-SHA-256, nobody shares one, and every order is as likely as any other."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import subprocess
import sys
from fractions import Fraction
from math import factorial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fakes.enrolment_markets import RULES, commitment, seed_of
from kulla.services.enrolment.policy import lottery
from kulla.services.enrolment.policy.arrays import single_lots

numbers = st.binary(min_size=32, max_size=32)


def test_a_number_is_the_standard_librarys_hmac():
    seed, one = seed_of(1), commitment("Ana")
    expected = hmac.new(seed, one, hashlib.sha256).digest()
    assert lottery.number(seed, one) == expected
    assert next(lottery.numbers(seed, [one, commitment("Ben")])) == expected
    assert lottery.number(seed, one, "p1") == hmac.new(seed, one + b"p1", hashlib.sha256).digest()
    assert lottery.number_at(RULES, seed, one, "p1") == expected


def test_a_vector_that_others_can_compute():
    """printf '%064x' 1 | xxd -r -p | openssl dgst -sha256 -mac HMAC -macopt hexkey:000...0"""
    found = lottery.number(bytes(32), (1).to_bytes(32, "big"))
    assert found.hex() == "a0a80f255887a41a4e2483df3141f5f796a7de0bd3a64bac5d17ef5892365c0d"


def test_arrays_hold_the_same_order():
    seed = seed_of(7)
    names = sorted(commitment(str(at)) for at in range(500))
    order = [names[at] for at in np.argsort(single_lots(seed, names))]
    assert order == lottery.in_order(seed, names)


def test_siblings_stand_side_by_side_in_the_order_of_their_leads_number():
    seed = seed_of(7)
    names = sorted(commitment(str(at)) for at in range(300))
    lead = {at: at - at % 3 for at in range(150)}  # fifty families of three, then children alone
    leads = np.array([lead.get(at, -1) for at in range(300)])
    lots = single_lots(seed, names, leads)
    drawn = {
        at: lottery.number_at(RULES, seed, name, "p1", names[lead[at]] if at in lead else b"")
        for at, name in enumerate(names)
    }
    assert sorted(drawn, key=drawn.__getitem__) == np.argsort(lots).tolist()
    for first in range(0, 150, 3):
        places = sorted(lots[first : first + 3].tolist())
        assert places[2] - places[0] == 2
    whole = lottery.number(seed, names[0])
    assert drawn[0] == whole[:24] + whole[:8]
    assert drawn[1] == whole[:24] + lottery.number(seed, names[1])[:8]
    assert drawn[299] == lottery.number(seed, names[299])


def test_every_permutation_is_as_likely():
    """Chi-square over all 120 orders of five children; 1 % bound for 119 degrees: 157.8."""
    children = [commitment(name) for name in "abcde"]
    counts = dict.fromkeys(itertools.permutations(children), 0)
    draws = 12_000
    for at in range(draws):
        counts[tuple(lottery.in_order(seed_of(at), children))] += 1
    expected = draws / factorial(5)
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_square < 157.8


def test_every_place_is_as_likely_for_a_child_among_many():
    """Chi-square over ten tenths of the order; 1 % bound for 9 degrees: 21.7."""
    children = [commitment(str(at)) for at in range(200)]
    tenths = [0] * 10
    for at in range(4_000):
        drawn = sorted(lottery.numbers(seed_of(at), children))
        mine = lottery.number(seed_of(at), children[0])
        tenths[drawn.index(mine) // 20] += 1
    assert sum((count - 400) ** 2 / 400 for count in tenths) < 21.7


@given(numbers, numbers)
def test_a_decimal_lies_between_two_numbers(one, other):
    low, high = sorted((one, other))
    if low == high:
        return
    decimal = lottery.between(low, high)
    assert lottery.is_under(low, decimal)
    assert not lottery.is_under(high, decimal)
    low_edge, middle, high_edge = lottery.windows(decimal)
    below, above = (Fraction(int.from_bytes(one, "big"), 2**256) for one in (low, high))
    assert low_edge <= below < middle <= above < high_edge


def test_the_ends_of_the_scale():
    least, most = bytes(32), b"\xff" * 32
    assert lottery.between(most, None) == "1"
    assert lottery.is_under(most, "1")
    assert not lottery.is_under(least, "0")
    assert lottery.between(None, most) == "0.1"
    assert lottery.between(least, b"\x80" + bytes(31)) == "0.1"
    assert lottery.shown(most) == "0.999999"
    assert lottery.shown(b"\x80" + bytes(31), 3) == "0.500"


def test_who_allocates_nothing_does_not_load_numpy():
    """A portal's worker reads rules, reasons, transcripts; only the allocation needs arrays."""
    modules = "allocate check cutoffs families lottery market prose reasons rules rules_text "
    modules += "stability transcript transcript_in waiting csv_in"
    lines = [f"import kulla.services.enrolment.policy.{name}" for name in modules.split()]
    lines += ["import sys", "assert 'numpy' not in sys.modules, 'numpy was loaded'"]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
