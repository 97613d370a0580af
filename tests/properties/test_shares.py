"""Shares of the recovery key: k of them give it again, fewer say nothing, a false one is found."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.signers import SeededEntropy
from kulla.keeper.errors import ShareInvalid
from kulla.keeper.shares import Share, join, recovery_key_of, share_recovery_key, split
from kulla.keeper.wrapping import RecoveryPublic, new_recovery_key

PRIVATE, PUBLIC = new_recovery_key(SeededEntropy(1))
HOLDERS = ("arta", "besa", "drita", "ela", "fatos")


@st.composite
def splits(draw: st.DrawFn) -> tuple[bytes, int, int, int]:
    secret = draw(st.binary(min_size=1, max_size=40))
    count = draw(st.integers(1, 9))
    return secret, draw(st.integers(1, count)), count, draw(st.integers(0, 2**32))


@given(splits(), st.randoms(use_true_random=False))
def test_any_k_shares_give_the_secret(case: tuple[bytes, int, int, int], chance: object) -> None:
    secret, needed, count, seed = case
    shares = list(enumerate(split(secret, needed, count, SeededEntropy(seed)), 1))
    for chosen in list(combinations(shares, needed))[:40]:
        mixed = list(chosen)
        chance.shuffle(mixed)  # type: ignore[attr-defined]
        assert join(mixed) == secret


@given(st.binary(min_size=2, max_size=2), st.integers(2, 4))
def test_fewer_fit_every_secret(secret: bytes, needed: int) -> None:
    """For k-1 shares and any other secret there is a k-th share that leads to it: nothing is told.

    Checked by counting: as the last share runs through all values of a byte, so does the secret.
    """
    shares = list(enumerate(split(secret, needed, needed, SeededEntropy(7)), 1))
    known = shares[: needed - 1]
    found = {join([*known, (needed, bytes([value, 0]))])[0] for value in range(256)}
    assert len(found) == 256


@given(splits())
def test_shares_of_two_splits_differ_and_don_t_mix(case: tuple[bytes, int, int, int]) -> None:
    secret, _, _, seed = case
    secret = secret.ljust(16, b"x")
    one = split(secret, 2, 3, SeededEntropy(seed))
    other = split(secret, 2, 3, SeededEntropy(seed + 1))
    assert one != other
    assert join([(1, one[0]), (2, other[1])]) != secret


@pytest.mark.parametrize(("needed", "count"), [(0, 3), (4, 3), (1, 256), (-1, 2)])
def test_numbers_that_can_t_be_are_refused(needed: int, count: int) -> None:
    with pytest.raises(ShareInvalid):
        split(b"secret", needed, count, SeededEntropy(1))


def test_the_recovery_key_comes_back_and_opens_what_was_wrapped() -> None:
    shares = share_recovery_key(PRIVATE, HOLDERS, 3, SeededEntropy(2))
    for chosen in combinations(shares, 3):
        assert recovery_key_of(chosen) == PRIVATE
    assert recovery_key_of(shares) == PRIVATE
    with pytest.raises(ShareInvalid, match="2 of the 3 shares"):
        recovery_key_of(shares[:2])
    with pytest.raises(ShareInvalid, match="no share"):
        recovery_key_of([])
    with pytest.raises(ShareInvalid, match="1 of the 3"):
        recovery_key_of([shares[0], shares[0]])


def test_false_shares_are_passed_over_where_enough_good_ones_are_there() -> None:
    shares = share_recovery_key(PRIVATE, HOLDERS, 3, SeededEntropy(2))
    false = [replace(share, data=b"\x00" * 97) for share in shares[:2]]
    assert recovery_key_of([*false, *shares[2:]]) == PRIVATE
    with pytest.raises(ShareInvalid, match="false"):
        recovery_key_of([*false, *shares[2:4]])
    other, _ = new_recovery_key(SeededEntropy(5))
    strange = share_recovery_key(other, HOLDERS, 3, SeededEntropy(2))
    with pytest.raises(ShareInvalid, match="different recovery keys"):
        recovery_key_of([*shares[:2], strange[2]])


def test_a_share_s_file_reads_back_and_every_damage_is_found() -> None:
    share = share_recovery_key(PRIVATE, HOLDERS, 3, SeededEntropy(2))[1]
    text = share.text()
    assert Share.parse(text) == share
    assert Share.parse(text.replace("\n", "\r\n")) == share
    for at, letter in enumerate(text.rstrip("\n")):
        damaged = text[:at] + ("x" if letter != "x" else "y") + text[at + 1 :]
        with pytest.raises(ShareInvalid) as caught:
            Share.parse(damaged, place="stick")
        assert share.data.hex() not in str(caught.value)
    assert "data" not in repr(share)


def test_what_is_sealed_to_a_new_home_opens_there_alone() -> None:
    from kulla.keeper.errors import BlobBroken
    from kulla.keeper.wrapping import RecoveryPrivate

    sealed = RecoveryPublic(PUBLIC).seal(b"a share", "share")
    assert RecoveryPrivate(PRIVATE).open(sealed, "share") == b"a share"
    for key, purpose in ((PRIVATE, "other"), (new_recovery_key(SeededEntropy(8))[0], "share")):
        with pytest.raises(BlobBroken):
            RecoveryPrivate(key).open(sealed, purpose)
