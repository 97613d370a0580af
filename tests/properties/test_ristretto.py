"""The group ristretto255 against the vectors of RFC 9496 and against the cryptographic library."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from kulla.journal.notes import KIND_ED25519, SigningKey
from kulla.kernel.ristretto import (
    BASE,
    IDENTITY,
    ORDER,
    ElementInvalid,
    decoded,
    from_ed25519,
    from_hash,
    scalar_bytes,
    scalar_of,
)

# RFC 9496, appendix A.1: multiples of the generator.
MULTIPLES = {
    0: "00" * 32,
    1: "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    2: "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
}
# Appendix A.3: elements derived from hashes.
DERIVED = {
    "Ristretto is traditionally a short shot of espresso coffee": (
        "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"
    ),
}
# Of the kinds of appendix A.2: not canonical, negative, not square, of a wrong length.
REFUSED = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "2a2a",
]
SCALARS = st.integers(0, ORDER - 1)


@pytest.mark.parametrize(("number", "encoding"), MULTIPLES.items())
def test_multiples_of_the_generator_are_the_standards(number: int, encoding: str):
    assert BASE.times(number).encoded.hex() == encoding
    assert decoded(bytes.fromhex(encoding)) == BASE.times(number)


@pytest.mark.parametrize(("text", "encoding"), DERIVED.items())
def test_elements_of_hashes_are_the_standards(text: str, encoding: str):
    assert from_hash(hashlib.sha512(text.encode()).digest()).encoded.hex() == encoding


@pytest.mark.parametrize("encoding", REFUSED)
def test_what_is_no_element_is_refused(encoding: str):
    with pytest.raises(ElementInvalid):
        decoded(bytes.fromhex(encoding))


@given(st.binary(min_size=32, max_size=32))
def test_public_keys_are_their_numbers_times_the_base(seed: bytes):
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    key = SigningKey("key.example", KIND_ED25519, seed)
    assert key.verifier.public == public
    assert from_ed25519(public) == BASE.times(key.number)


@given(SCALARS, SCALARS)
def test_adding_is_adding_numbers_and_encodings_are_one_to_one(one: int, other: int):
    left, right = BASE.times(one), BASE.times(other)
    both = left + right
    assert both == BASE.times(one + other) == right + left
    assert decoded(both.encoded) == both
    assert (left == right) == (left.encoded == right.encoded) == (one == other)
    assert left + left == BASE.times(2 * one)
    assert left + IDENTITY == left
    assert left.times(ORDER).is_identity


def test_a_key_of_small_order_is_refused():
    for small in ("01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32):
        with pytest.raises(ElementInvalid):
            from_ed25519(bytes.fromhex(small))


def test_a_key_outside_the_prime_group_is_refused():
    """A good key plus the point of order two looks like a key, and nobody could open with it."""
    x, y = BASE.at[0], BASE.at[1]
    p = 2**255 - 19
    mixed = (p - y) | ((p - x & 1) << 255)
    with pytest.raises(ElementInvalid, match="prime order"):
        from_ed25519(mixed.to_bytes(32, "little"))


@given(SCALARS)
def test_numbers_read_back(number: int):
    assert scalar_of(scalar_bytes(number)) == number
    with pytest.raises(ElementInvalid):
        scalar_of((ORDER + number % 1000).to_bytes(32, "little"))
