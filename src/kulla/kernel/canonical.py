"""One value, one sequence of bytes: deterministic CBOR (RFC 8949, section 4.2.1).

Only the types that have exactly one encoding are taken: None, bool, int (64 bits), str, bytes,
list/tuple and dict with str keys. Floats, dates, tags and sets are refused, so that no library's
default ever decides what is hashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import cbor2

from kulla.kernel.errors import KullaError

Value = None | bool | int | str | bytes | Sequence["Value"] | Mapping[str, "Value"]

_INT_MIN, _INT_END = -(2**63), 2**64
_DEPTH_MAX = 16
# Values that stand for themselves. Exact types: what only derives from them is looked at closely.
_PLAIN: Final = frozenset((str, bytes, bool, type(None)))


class NotCanonical(KullaError):
    """Bytes that are not the one encoding of a value, or a value that has no such encoding."""


def encode(value: Value) -> bytes:
    """The bytes of `value`. Raises NotCanonical for a type or size without a single encoding."""
    data: bytes = cbor2.dumps(_ordered(value, _DEPTH_MAX))
    return data


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


def _ordered(value: Any, depth_left: int) -> Any:
    """The value with the keys of its maps in order; raises NotCanonical.

    Each command, act and answer passes here several times, so it does no more than it must; the
    CBOR library's own canonical mode takes three times as long.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return _ordered_map(value, depth_left)
    if kind is list or kind is tuple:
        if depth_left == 0:
            raise _too_deep()
        if all(type(item) in _PLAIN for item in value):
            return value
        return [_ordered(item, depth_left - 1) for item in value]
    if isinstance(value, int):
        if not _INT_MIN <= value < _INT_END:
            raise NotCanonical(f"the integer {value} does not fit in 64 bits.")
        return value
    if isinstance(value, Mapping):
        return _ordered_map(value, depth_left)
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, list | tuple):
        return _ordered([*value], depth_left)
    raise NotCanonical(f"a {kind.__name__} has no canonical encoding here.")


def _ordered_map(value: Mapping[Any, Any], depth_left: int) -> dict[str, Any]:
    if depth_left == 0:
        raise _too_deep()
    ordered = {}
    for key in _order(tuple(value)):
        item = value[key]
        ordered[key] = item if type(item) in _PLAIN else _ordered(item, depth_left - 1)
    return ordered


@lru_cache(maxsize=4096)
def _order(keys: tuple[Any, ...]) -> tuple[str, ...]:
    """The keys of a map in the order of their encodings: the shorter first, then by their bytes."""
    for key in keys:
        if not isinstance(key, str):
            raise NotCanonical(f"the key {key!r} of a map is not text.")
    return tuple(sorted(keys, key=lambda key: (len(key.encode()), key.encode())))


def _too_deep() -> NotCanonical:
    return NotCanonical(f"a value is nested deeper than {_DEPTH_MAX} levels.")
