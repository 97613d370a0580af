"""The recovery key in shares: any k of n custodians together have it, fewer know nothing of it.

Shamir's scheme (Communications of the ACM 22, 1979) over the field of 256 elements, each byte by
itself: the secret is a polynomial's value at 0, a share its value at the share's number. Fewer than
k shares fit every secret equally well. A share says which key it is of, so that the shares of two
keys are never mixed, and what comes out is compared with that.

    kulla recovery share v1
    holder <name>
    key <id of the recovery key, hex>
    number <1 to n> of <n>, <k> needed
    share <base64>
    check <the first eight hex digits of the SHA-256 of the lines above>
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import Final

from kulla.keeper.errors import RecoveryKeyInvalid, ShareInvalid
from kulla.keeper.wrapping import RecoveryPrivate
from kulla.kernel.edges import Entropy

SHARES_MAX: Final = 255
_FIRST: Final = "kulla recovery share v1"
_NUMBERS: Final = re.compile(r"(\d{1,3}) of (\d{1,3}), (\d{1,3}) needed")
_POLYNOMIAL: Final = 0x11B  # x^8 + x^4 + x^3 + x + 1, as in AES (FIPS 197, section 4.2)
_GENERATOR: Final = 3
_TRIES_MAX: Final = 10_000


def _tables() -> tuple[bytes, bytes]:
    """Powers of the generator, and logarithms, of the field's 255 elements other than 0."""
    powers, logarithms = bytearray(510), bytearray(256)
    element = 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = element
        logarithms[element] = exponent
        element ^= element << 1  # times the generator, 3 = x + 1
        if element > 255:
            element ^= _POLYNOMIAL
    return bytes(powers), bytes(logarithms)


_POWERS, _LOGARITHMS = _tables()


def _times(one: int, other: int) -> int:
    if one == 0 or other == 0:
        return 0
    return _POWERS[_LOGARITHMS[one] + _LOGARITHMS[other]]


def _over(one: int, other: int) -> int:
    """One divided by the other, which is not 0."""
    return 0 if one == 0 else _POWERS[_LOGARITHMS[one] + 255 - _LOGARITHMS[other]]


def split(secret: bytes, needed: int, count: int, entropy: Entropy) -> list[bytes]:
    """The shares 1 to `count` of a secret, each as long as it; any `needed` of them give it again.

    Raises ShareInvalid where 1 <= needed <= count <= 255 does not hold.
    """
    if not 1 <= needed <= count <= SHARES_MAX:
        raise ShareInvalid(f"{needed} of {count} shares can't be asked for.")
    rows = [secret, *(entropy.random_bytes(len(secret)) for _ in range(needed - 1))]
    shares = []
    for number in range(1, count + 1):
        value = bytearray(len(secret))
        for row in reversed(rows):  # Horner's rule, all bytes at once
            value = bytearray(
                _times(old, number) ^ new for old, new in zip(value, row, strict=True)
            )
        shares.append(bytes(value))
    return shares


def join(shares: Sequence[tuple[int, bytes]]) -> bytes:
    """The secret of exactly as many shares (number, bytes) as are needed. See `split`.

    Of shares that are false or too few some other bytes come out. Raises ShareInvalid where numbers
    repeat or lengths differ.
    """
    numbers = [number for number, _ in shares]
    if len(set(numbers)) != len(numbers) or len({len(data) for _, data in shares}) != 1:
        raise ShareInvalid("these are not different shares of one secret.")
    secret = bytearray(len(shares[0][1]))
    for number, data in shares:
        weight = 1  # Lagrange's polynomial of this share, at 0
        for other in numbers:
            if other != number:
                weight = _times(weight, _over(other, other ^ number))
        secret = bytearray(
            old ^ _times(byte, weight) for old, byte in zip(secret, data, strict=True)
        )
    return bytes(secret)


@dataclass(frozen=True, slots=True)
class Share:
    """One custodian's share of a recovery key. Its repr does not show it."""

    holder: str
    key_id: bytes
    number: int
    count: int
    needed: int
    data: bytes = field(repr=False)

    def text(self) -> str:
        """The lines of a share's file, which is a secret."""
        encoded = base64.b64encode(self.data).decode()
        lines = [
            _FIRST,
            f"holder {self.holder}",
            f"key {self.key_id.hex()}",
            f"number {self.number} of {self.count}, {self.needed} needed",
            f"share {encoded}",
        ]
        return "".join(f"{line}\n" for line in [*lines, f"check {_check(lines)}"])

    @classmethod
    def parse(cls, text: str, *, place: str = "") -> Share:
        """Read `text`. Raises ShareInvalid, whose message never shows the share."""
        lines = [line.rstrip() for line in text.strip().splitlines()]
        words = [line.partition(" ") for line in lines[1:]]
        named = [name for name, _, _ in words]
        if lines[:1] != [_FIRST] or named != ["holder", "key", "number", "share", "check"]:
            raise ShareInvalid("this is not a share of a recovery key.", place=place)
        holder, key, number, share, check = (value for _, _, value in words)
        if check != _check(lines[:-1]):
            raise ShareInvalid(
                "this share is damaged: its check does not fit.",
                place=place,
                remedy="Take it from another copy, or from its printed page.",
            )
        numbers = _NUMBERS.fullmatch(number)
        try:
            assert numbers is not None
            at, count, needed = (int(digits) for digits in numbers.groups())
            data = binascii.a2b_base64(share, strict_mode=True)
            return cls(holder, bytes.fromhex(key), at, count, needed, data)
        except (AssertionError, ValueError) as error:
            raise ShareInvalid("this share is malformed.", place=place) from error


def _check(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


def share_recovery_key(
    private: bytes, holders: Sequence[str], needed: int, entropy: Entropy
) -> list[Share]:
    """A share for each of the holders. Raises ShareInvalid, RecoveryKeyInvalid."""
    key_id = RecoveryPrivate(private).key_id
    parts = split(private, needed, len(holders), entropy)
    return [
        Share(holder, key_id, number, len(holders), needed, data)
        for number, (holder, data) in enumerate(zip(holders, parts, strict=True), 1)
    ]


def recovery_key_of(shares: Iterable[Share]) -> bytes:
    """The private half of the recovery key that these are shares of; they may be more than needed.

    Where some are false, others are tried, and what comes out is what their key's id says. Raises
    ShareInvalid where they are too few, or of several keys, or no selection fits.
    """
    found = {share.number: share for share in shares}
    if not found:
        raise ShareInvalid("no share of the recovery key is here.")
    if len({(share.key_id, share.needed, share.count) for share in found.values()}) != 1:
        raise ShareInvalid(
            "these are shares of different recovery keys.",
            place=", ".join(sorted(share.holder for share in found.values())),
            remedy="Ask the custodians for their newest ones.",
        )
    some = next(iter(found.values()))
    if len(found) < some.needed:
        raise ShareInvalid(
            f"{len(found)} of the {some.needed} shares that are needed are here "
            f"({', '.join(share.holder for share in found.values())}).",
            remedy=f"Ask {some.needed - len(found)} more custodians for their share.",
        )
    for chosen in islice(combinations(found.values(), some.needed), _TRIES_MAX):
        private = join([(share.number, share.data) for share in chosen])
        if _is_of(private, some.key_id):
            return private
    raise ShareInvalid(
        "these shares give no recovery key: at least one of them is false.",
        place=", ".join(share.holder for share in found.values()),
        remedy="Ask another custodian for theirs.",
    )


def _is_of(private: bytes, key_id: bytes) -> bool:
    try:
        return RecoveryPrivate(private).key_id == key_id
    except RecoveryKeyInvalid:
        return False
