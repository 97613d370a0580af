"""How often one thing may happen, counted in the sessions file and so by all workers together.

The doors' own buckets (portal/limits) live in each worker's memory and guard its time. These guard
people: the letters that one address gets, and the guesses that are made at its codes.
"""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from kulla.portal.databases import SESSIONS
from kulla.portal.edge import installed

_FORGET_AFTER_S: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Pace:
    """A token bucket: `burst` at once, then one every `each_s` seconds."""

    name: str
    burst: int
    each_s: int


def take(pace: Pace, whom: bytes) -> int:
    """Take one of `whom`'s: 0 where there was one, else the whole seconds until there is."""
    now_s = installed().clock.now_ms() // 1000
    key = _key(pace, whom)
    with transaction.atomic(using=SESSIONS), connections[SESSIONS].cursor() as cursor:
        level = _level(cursor, pace, key, now_s)
        if level < 1:
            return max(1, math.ceil((1 - level) * pace.each_s))
        cursor.execute(
            "INSERT OR REPLACE INTO sign_in_pace (name, level, at_s) VALUES (%s, %s, %s)",
            [key, level - 1, now_s],
        )
        return 0


def left(pace: Pace, whom: bytes) -> int:
    """How many of `whom`'s are left now."""
    now_s = installed().clock.now_ms() // 1000
    with connections[SESSIONS].cursor() as cursor:
        return int(_level(cursor, pace, _key(pace, whom), now_s))


def forget_old() -> None:
    """Remove what has long filled up again."""
    since_s = installed().clock.now_ms() // 1000 - _FORGET_AFTER_S
    with connections[SESSIONS].cursor() as cursor:
        cursor.execute("DELETE FROM sign_in_pace WHERE at_s < %s", [since_s])


def _key(pace: Pace, whom: bytes) -> bytes:
    # Keyed, since a network's address is found by trying all there are.
    return hmac.digest(settings.SECRET_KEY.encode(), pace.name.encode() + b"\0" + whom, "sha256")


def _level(cursor: CursorWrapper, pace: Pace, key: bytes, now_s: int) -> float:
    cursor.execute("SELECT level, at_s FROM sign_in_pace WHERE name = %s", [key])
    found: tuple[float, int] | None = cursor.fetchone()
    if found is None:
        return float(pace.burst)
    # A clock that jumped back gives nothing and takes nothing.
    passed_s = max(0, now_s - found[1])
    return min(float(pace.burst), found[0] + passed_s / pace.each_s)
