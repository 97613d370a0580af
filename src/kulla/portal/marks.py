"""Marks of values that logs may hold where the values themselves may not."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

from django.conf import settings

_MARK_BYTES: Final = 8


def mark(kind: str, value: bytes) -> str:
    """A mark of a value, 16 hex digits, for one kind of thing.

    The same value always gives the same one, and only who has the home's secret key can make it.
    """
    return _mark(str(settings.SECRET_KEY).encode(), kind, value)


@lru_cache(maxsize=4096)
def _mark(key: bytes, kind: str, value: bytes) -> str:
    said = b"kulla noted " + kind.encode() + b"\0" + value
    return hmac.digest(key, said, "sha256")[:_MARK_BYTES].hex()
