"""One value, one sequence of bytes: deterministic CBOR (RFC 8949, section 4.2.1).

Only the types that have exactly one encoding are taken: None, bool, int (64 bits), str, bytes,
list/tuple and dict with str keys. Floats, dates, tags and sets are refused, so that no library's
default ever decides what is hashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cbor2

from kulla.kernel.errors import KullaError

Value = None | bool | int | str | bytes | Sequence["Value"] | Mapping[str, "Value"]

_INT_MIN, _INT_END = -(2**63), 2**64
_DEPTH_MAX = 16


class NotCanonical(KullaError):
    """Bytes that are not the one encoding of a value, or a value that has no such encoding."""


def encode(value: Value) -> bytes:
    """The bytes of `value`. Raises NotCanonical for a type or size without a single encoding."""
    _check(value, _DEPTH_MAX)
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, place: str = "") -> Value:
    """The value of `data`, which must be its canonical encoding to the last byte.

    Raises NotCanonical where `data` is cut short, has bytes left over, or encodes its value in any
    way but the canonical one; `place` names the source in the message.
    """
    value = decode_own(data, place=place)
    if encode(value) != data:
        raise NotCanonical("this CBOR is not in its canonical form.", place=place)
    return value


def decode_own(data: bytes, *, place: str = "") -> Value:
    """Like `decode`, for bytes whose hash was verified: it is not encoded again."""
    try:
        value: Value = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError) as error:
        raise NotCanonical(f"these bytes are not CBOR ({error}).", place=place) from error
    return value


def _check(value: Value, depth_left: int) -> None:
    if value is None or isinstance(value, bool | str | bytes):
        return
    if isinstance(value, int):
        if not _INT_MIN <= value < _INT_END:
            raise NotCanonical(f"the integer {value} does not fit in 64 bits.")
        return
    if depth_left == 0:
        raise NotCanonical(f"a value is nested deeper than {_DEPTH_MAX} levels.")
    if isinstance(value, list | tuple):
        for item in value:
            _check(item, depth_left - 1)
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotCanonical(f"the key {key!r} of a map is not text.")
            _check(item, depth_left - 1)
        return
    raise NotCanonical(f"a {type(value).__name__} has no canonical encoding here.")
