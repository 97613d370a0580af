"""A sealed value opens as it was, for whom and what it was sealed; or it does not open."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import assume, given
from hypothesis import strategies as st

from kulla.keeper.errors import BlobBroken, SealBroken
from kulla.keeper.sealing import open_value, seal_value
from kulla.keeper.wrapping import (
    MasterKey,
    RecoveryPrivate,
    RecoveryPublic,
    new_recovery_key,
)
from kulla.kernel.edges import SystemEntropy

ENTROPY = SystemEntropy()
KEY = b"k" * 32
CIPHER = AESGCMSIV(KEY)
ANA = "a" * 32
PRIVATE, PUBLIC = new_recovery_key(ENTROPY)

texts = st.text(st.characters(codec="utf-8"), max_size=300)
nonces = st.binary(min_size=12, max_size=12)
names = st.text(st.characters(codec="utf-8"), max_size=20)
subjects = st.binary(min_size=16, max_size=16).map(bytes.hex)
keys = st.binary(min_size=32, max_size=32)


@given(value=texts, nonce=nonces, subject=names, purpose=names, field=names)
def test_a_value_comes_back_as_it_was(
    value: str, nonce: bytes, subject: str, purpose: str, field: str
) -> None:
    about = {"subject": subject, "purpose": purpose, "field": field}
    sealed = seal_value(CIPHER, nonce, value, **about)
    assert open_value(CIPHER, sealed, **about) == value
    if len(value) > 3:
        assert value.encode() not in sealed


@given(value=texts, nonce=nonces, sealed_for=st.tuples(names, names, names), data=st.data())
def test_it_opens_for_nothing_else(
    value: str, nonce: bytes, sealed_for: tuple[str, str, str], data: st.DataObject
) -> None:
    shifted = ("".join(sealed_for), "", "")
    other = data.draw(st.one_of(st.just(shifted), st.permutations(sealed_for).map(tuple)))
    assume(other != sealed_for)
    about = dict(zip(("subject", "purpose", "field"), sealed_for, strict=True))
    sealed = seal_value(CIPHER, nonce, value, **about)
    elsewhere = dict(zip(("subject", "purpose", "field"), other, strict=True))
    with pytest.raises(SealBroken):
        open_value(CIPHER, sealed, **elsewhere)


@given(value=texts, nonce=nonces, key=keys)
def test_another_key_does_not_open_it(value: str, nonce: bytes, key: bytes) -> None:
    assume(key != KEY)
    about = {"subject": ANA, "purpose": "p", "field": "f"}
    sealed = seal_value(CIPHER, nonce, value, **about)
    with pytest.raises(SealBroken):
        open_value(AESGCMSIV(key), sealed, **about)


@pytest.mark.parametrize("value", ["", "Ana", "x" * 64])
def test_no_flipped_bit_opens(value: str) -> None:
    about = {"subject": ANA, "purpose": "p", "field": "f"}
    sealed = seal_value(CIPHER, b"n" * 12, value, **about)
    for bit in range(len(sealed) * 8):
        broken = bytearray(sealed)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            open_value(CIPHER, bytes(broken), **about)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            open_value(CIPHER, sealed[:length], **about)
    with pytest.raises(SealBroken):
        open_value(CIPHER, sealed + b"\0", **about)


@given(length=st.integers(0, 4095))
def test_lengths_come_in_few_sizes(length: int) -> None:
    about = {"subject": ANA, "purpose": "p", "field": "f"}
    sealed = seal_value(CIPHER, b"n" * 12, "x" * length, **about)
    padded = len(sealed) - 1 - 12 - 16
    assert padded in (64, 128, 256, 512, 1024, 2048, 4096)
    assert padded == 64 or padded < 2 * length + 2


@given(subject=subjects, key=keys, nonce=nonces)
def test_a_key_comes_back_from_either_wrapping(subject: str, key: bytes, nonce: bytes) -> None:
    blob = RecoveryPublic(PUBLIC).wrap(subject, key)
    assert RecoveryPrivate(PRIVATE).unwrap(blob) == (subject, key)
    assert RecoveryPublic(PUBLIC).wrap(subject, key) != blob
    assert key not in blob
    master = MasterKey(b"m" * 32)
    assert master.unwrap(subject, master.wrap(subject, key, nonce)) == key


def test_no_flipped_bit_unwraps() -> None:
    blob = RecoveryPublic(PUBLIC).wrap(ANA, KEY)
    private = RecoveryPrivate(PRIVATE)
    for at in range(len(blob)):
        broken = bytearray(blob)
        broken[at] ^= 1 << at % 8
        with pytest.raises(BlobBroken):
            private.unwrap(bytes(broken))


@given(blob=st.one_of(st.binary(max_size=100), st.just(RecoveryPublic(PUBLIC).wrap("x", b""))))
def test_whatever_else_it_is_given_it_says_so(blob: bytes) -> None:
    with pytest.raises(BlobBroken):
        RecoveryPrivate(PRIVATE).unwrap(blob)


def test_a_recovery_key_is_the_same_for_the_same_entropy() -> None:
    class Counting:
        def random_bytes(self, count: int) -> bytes:
            return bytes(range(count))

    private, public = new_recovery_key(Counting())
    assert (len(private), len(public)) == (97, 1217)
    assert new_recovery_key(Counting()) == (private, public)
    assert RecoveryPrivate(private).public == public
