"""Rows hashed in another process add up to what they would here."""

from __future__ import annotations

import random

import pytest

from kulla.rebuild.hashing import HasherEnded, TotalsBeside
from kulla.registers.fingerprint import FingerprintKey, RowHashes
from kulla.registers.sqlite import Cells

pytestmark = pytest.mark.live

KEY = FingerprintKey(b"j" * 32)


def _rows(seed: int, count: int) -> list[Cells]:
    chance = random.Random(seed)
    return [
        (f"key {n}", chance.randrange(-(2**63), 2**63), chance.randbytes(40), None, "Çelësi")
        for n in range(count)
    ]


def test_the_other_process_comes_to_the_same_total() -> None:
    here, beside = RowHashes(KEY.secret), TotalsBeside(KEY)
    try:
        for seed, count in ((1, 0), (2, 700), (3, 3)):
            for totals in (here, beside):
                for start in range(0, count, 10):
                    totals.take("one", 1, _rows(seed, count)[start : start + 10])
                totals.take("two", -1, _rows(seed, 2))
            assert beside.total() == here.total()
    finally:
        beside.close()


def test_where_the_other_process_ended_it_is_said() -> None:
    beside = TotalsBeside(KEY)
    try:
        beside._process.kill()
        beside.take("one", 1, _rows(1, 5))
        with pytest.raises(HasherEnded, match="rebuild goes on"):
            beside.total()
    finally:
        beside.close()
