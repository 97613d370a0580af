"""The group ristretto255 (RFC 9496): 32 bytes an element, prime order, nothing but whole numbers.

What lotteries prove needs points to be added and multiplied, which the cryptographic library does
not offer. This is plain Python: it takes some milliseconds a product, and how long it takes depends
on the numbers. So it is for what is done a few times a round, never for a secret that somebody may
measure again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from kulla.kernel.errors import KullaError

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""How many elements the group has: a prime."""

ELEMENT_BYTES: Final = 32
SCALAR_BYTES: Final = 32

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1: Final = pow(2, (_P - 1) // 4, _P)
_WINDOW_BITS: Final = 4

Coordinates = tuple[int, int, int, int]


class ElementInvalid(KullaError):
    """Bytes that are no element of the group, or no number below its order."""


def _is_negative(number: int) -> bool:
    return number % _P & 1 == 1


def _absolute(number: int) -> int:
    number %= _P
    return _P - number if number & 1 else number


def _sqrt_ratio(above: int, below: int) -> tuple[bool, int]:
    """Whether above/below is a square, and the root of it or of its product with sqrt(-1)."""
    cubed = below * below * below % _P
    seventh = cubed * cubed * below % _P
    root = above * cubed * pow(above * seventh, (_P - 5) // 8, _P) % _P
    check = below * root * root % _P
    flipped = check == -above % _P
    if flipped or check == -above * _SQRT_M1 % _P:
        root = root * _SQRT_M1 % _P
    return check == above % _P or flipped, _absolute(root)


_INVSQRT_A_MINUS_D: Final = _sqrt_ratio(1, -1 - _D)[1]
# RFC 9496 names the other root of these two than the even one.
_SQRT_AD_MINUS_ONE: Final = _P - _sqrt_ratio(-_D - 1, 1)[1]


@dataclass(frozen=True, slots=False, eq=False)
class Element:
    """An element of the group. Compare with ==, add with +, multiply with `times`."""

    at: Coordinates

    def __add__(self, other: Element) -> Element:
        return Element(_add(self.at, other.at))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        x1, y1, _, _ = self.at
        x2, y2, _, _ = other.at
        return (x1 * y2 - y1 * x2) % _P == 0 or (y1 * y2 - x1 * x2) % _P == 0

    def __hash__(self) -> int:
        return hash(self.encoded)

    def times(self, scalar: int) -> Element:
        """The element added to itself, `scalar` times (taken modulo the order)."""
        return Element(_multiply(self._multiples, scalar % ORDER))

    @property
    def is_identity(self) -> bool:
        """Whether this is the group's zero."""
        return self == IDENTITY

    @cached_property
    def _multiples(self) -> list[Coordinates]:
        found = [IDENTITY.at]
        for _ in range((1 << _WINDOW_BITS) - 1):
            found.append(_add(found[-1], self.at))
        return found

    @cached_property
    def encoded(self) -> bytes:
        """The element's one encoding, of 32 bytes (RFC 9496, section 4.3.2)."""
        x0, y0, z0, t0 = self.at
        u1 = (z0 + y0) * (z0 - y0) % _P
        u2 = x0 * y0 % _P
        _, root = _sqrt_ratio(1, u1 * u2 * u2)
        den1, den2 = root * u1 % _P, root * u2 % _P
        z_inverse = den1 * den2 * t0 % _P
        x, y, den = x0, y0, den2
        if _is_negative(t0 * z_inverse):
            x, y = y0 * _SQRT_M1 % _P, x0 * _SQRT_M1 % _P
            den = den1 * _INVSQRT_A_MINUS_D % _P
        if _is_negative(x * z_inverse):
            y = -y
        return _absolute(den * (z0 - y)).to_bytes(ELEMENT_BYTES, "little")


def decoded(data: bytes) -> Element:
    """The element with this encoding (RFC 9496, section 4.3.1). Raises ElementInvalid."""
    s = int.from_bytes(data, "little")
    if len(data) != ELEMENT_BYTES or s >= _P or s & 1:
        raise ElementInvalid("these bytes are no element of ristretto255.")
    ss = s * s % _P
    u1, u2 = 1 - ss, 1 + ss
    v = (-_D * u1 * u1 - u2 * u2) % _P
    is_square, root = _sqrt_ratio(1, v * u2 * u2)
    den_x = root * u2 % _P
    den_y = root * den_x * v % _P
    x, y = _absolute(2 * s * den_x), u1 * den_y % _P
    t = x * y % _P
    if not is_square or _is_negative(t) or y == 0:
        raise ElementInvalid("these bytes are no element of ristretto255.")
    return Element((x, y, 1, t))


def from_hash(digest: bytes) -> Element:
    """The element derived from 64 bytes (RFC 9496, section 4.3.4); nobody knows its logarithm."""
    assert len(digest) == 64
    halves = (int.from_bytes(digest[at : at + 32], "little") % 2**255 for at in (0, 32))
    one, other = (_mapped(half % _P) for half in halves)
    return Element(_add(one, other))


def from_ed25519(public: bytes) -> Element:
    """An Ed25519 public key (RFC 8032, section 5.1.3) as an element. Raises ElementInvalid.

    A key that is no multiple of the base point is refused: nobody could use it.
    """
    number = int.from_bytes(public, "little")
    sign, y = number >> 255, number % 2**255
    if len(public) != 32 or y >= _P:
        raise ElementInvalid("these bytes are no Ed25519 public key.")
    is_square, x = _sqrt_ratio(y * y - 1, _D * y * y + 1)
    if not is_square or (x == 0 and sign):
        raise ElementInvalid("these bytes are no Ed25519 public key.")
    if x & 1 != sign:
        x = _P - x
    found: Coordinates = (x, y, 1, x * y % _P)
    element = Element(found)
    whole = _multiply(element._multiples, ORDER)
    if whole[0] % _P or (whole[1] - whole[2]) % _P or element.is_identity:
        raise ElementInvalid("this Ed25519 public key is not in the group of prime order.")
    return element


def scalar_of(data: bytes) -> int:
    """The number of 32 bytes, little-endian, below the order. Raises ElementInvalid."""
    number = int.from_bytes(data, "little")
    if len(data) != SCALAR_BYTES or number >= ORDER:
        raise ElementInvalid("these bytes are no number below the group's order.")
    return number


def scalar_bytes(scalar: int) -> bytes:
    """The 32 bytes of a number below the order."""
    return scalar.to_bytes(SCALAR_BYTES, "little")


def _add(one: Coordinates, other: Coordinates) -> Coordinates:
    """RFC 8032, section 5.1.4; complete, so it doubles too."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a = (y1 - x1) * (y2 - x2) % _P
    b = (y1 + x1) * (y2 + x2) % _P
    c = 2 * t1 * t2 * _D % _P
    d = 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(at: Coordinates) -> Coordinates:
    x, y, z, _ = at
    a, b, c = x * x % _P, y * y % _P, 2 * z * z % _P
    h = a + b
    e = h - (x + y) * (x + y) % _P
    g = a - b
    f = c + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(multiples: list[Coordinates], scalar: int) -> Coordinates:
    """The product, four bits of `scalar` at a time; `multiples` are 0 to 15 times the point."""
    found = multiples[0]
    for shift in range(scalar.bit_length() // _WINDOW_BITS * _WINDOW_BITS, -1, -_WINDOW_BITS):
        for _ in range(_WINDOW_BITS):
            found = _double(found)
        digit = scalar >> shift & (1 << _WINDOW_BITS) - 1
        if digit:
            found = _add(found, multiples[digit])
    return found


def _mapped(t: int) -> Coordinates:
    """RFC 9496's MAP: a field element to a point."""
    r = _SQRT_M1 * t * t % _P
    u = (r + 1) * (1 - _D * _D) % _P
    v = (-1 - r * _D) * (r + _D) % _P
    is_square, s = _sqrt_ratio(u, v)
    c = -1
    if not is_square:
        s, c = -_absolute(s * t), r
    n = (c * (r - 1) * (_D - 1) * (_D - 1) - v) % _P
    w0, w1 = 2 * s * v % _P, n * _SQRT_AD_MINUS_ONE % _P
    w2, w3 = 1 - s * s, 1 + s * s
    return w0 * w3 % _P, w2 * w1 % _P, w1 * w3 % _P, w0 * w2 % _P


IDENTITY: Final = Element((0, 1, 1, 0))

_BASE_Y: Final = 4 * pow(5, -1, _P) % _P
_BASE_X: Final = _sqrt_ratio(_BASE_Y * _BASE_Y - 1, _D * _BASE_Y * _BASE_Y + 1)[1]
BASE: Final = Element((_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P))
"""Ed25519's base point: a public key is the secret number times this."""
