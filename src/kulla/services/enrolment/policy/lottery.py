"""The lottery: from a seed and the list of commitments to every child's number. Pure.

A child's number is HMAC-SHA-256 (RFC 2104, FIPS 198-1) under the 32-byte seed over the child's
commitment, and with a multiple tie-break over the commitment and the programme's id. Read as a
fraction of 2^256 it lies from 0 to 1, and the smaller one comes first. Two children can't have the
same: commitments differ, and equal digests (nobody has ever seen two) fall back on them. Whoever
has the seed and one commitment computes that child's number and nobody else's.

Siblings who ask to be together share a number, so that one draw decides for the family (Chile's
rule, Correa et al. 2022): its first 24 bytes are those of the family's *lead*, the smallest of
their commitments; its last 8 are the first 8 of the child's own, so that twins stand in an order.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

from kulla.services.enrolment.policy.rules import Rules

SEED_BYTES: Final = 32
BITS: Final = 256
SHARED_BYTES: Final = 24
"""Of a number that siblings share; what is left, under 2^-192, puts them in an order."""

_SHOWN: Final = 6


def number(seed: bytes, commitment: bytes, programme: str = "") -> bytes:
    """A child's number, 32 bytes; with a programme's id, the child's number at that programme."""
    assert len(seed) == SEED_BYTES
    return hmac.digest(seed, commitment + programme.encode(), "sha256")


def number_at(
    rules: Rules, seed: bytes, commitment: bytes, programme: str, lead: bytes = b""
) -> bytes:
    """The number that counts at a programme: the one for all, or its own, as the rules say.

    `lead`: of the child's family, b"" where the child shares a number with nobody.
    """
    where = programme if rules.tie_break == "multiple" else ""
    own = number(seed, commitment, where)
    return shared(number(seed, lead, where), own) if lead else own


def shared(leads: bytes, own: bytes) -> bytes:
    """A sibling's number, from the numbers of the family's lead and of the child alone."""
    return leads[:SHARED_BYTES] + own[: SEED_BYTES - SHARED_BYTES]


def numbers(seed: bytes, commitments: Iterable[bytes]) -> Iterator[bytes]:
    """The number of each commitment in turn, three times as fast as one by one for a country.

    The two hashes of HMAC over the seed's block are begun once and copied.
    """
    block = seed.ljust(64, b"\0")
    begun_inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    begun_outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
    for commitment in commitments:
        inner = begun_inner.copy()
        inner.update(commitment)
        outer = begun_outer.copy()
        outer.update(inner.digest())
        yield outer.digest()


def in_order(seed: bytes, commitments: Iterable[bytes], programme: str = "") -> list[bytes]:
    """The commitments in the order of their numbers: a permutation that the seed decides."""
    return sorted(commitments, key=lambda one: (number(seed, one, programme), one))


def shown(drawn: bytes, digits: int = _SHOWN) -> str:
    """A number as a decimal fraction, cut off (never rounded up) after so many digits."""
    value = int.from_bytes(drawn, "big")
    return f"0.{value * 10**digits >> BITS:0{digits}d}"


def between(below: bytes | None, above: bytes | None) -> str:
    """The shortest decimal t with below < t <= above: who has a number under t is on one side.

    It tells of neither number more than its first digits, so that nobody is known by it. None
    below: t is more than 0. None above: t is '1', which is over every number.
    """
    if above is None:
        return "1"
    low = int.from_bytes(below, "big") if below is not None else 0
    high = int.from_bytes(above, "big")
    assert low < high
    for digits in range(1, BITS):
        scale: int = 10**digits
        least = (low * scale >> BITS) + 1
        if least << BITS <= high * scale:
            return f"0.{least:0{digits}d}"
    raise AssertionError("two different numbers have a decimal between them")


def windows(threshold: str) -> tuple[Fraction, Fraction, Fraction]:
    """What `between` gives away by giving this decimal: (a, t, b).

    The number below lies from a to t, the number above from t to b, and neither is known nearer.
    """
    middle = Fraction(threshold)
    digits = len(threshold.partition(".")[2])
    low = middle - Fraction(1, 10**digits)
    coarse = 10 ** (digits - 1)
    return low, middle, Fraction(math.floor(low * coarse) + 1, coarse)


def is_under(drawn: bytes, threshold: str) -> bool:
    """Whether a number is smaller than a decimal that `between` gave."""
    whole, _, fraction = threshold.partition(".")
    if whole == "1":
        return True
    scale: int = 10 ** len(fraction)
    return int.from_bytes(drawn, "big") * scale < int(fraction or "0") << BITS
