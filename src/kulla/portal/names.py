"""The names of people on their own pages: opened by the keeper, kept for minutes in memory alone.

A name stands at the head of every page. Opening it each time would ask the keeper, and write a line
into its log of openings, for every page; so a worker remembers what it opened for a few minutes.
Nothing of it is on a disk.
"""

from __future__ import annotations

import threading
from typing import Final

from django.conf import settings
from django.db import connection

from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError
from kulla.kernel.tower import TowerEdge
from kulla.portal.demo import name_of as made_up_name
from kulla.services.citizens.apply import CITIZEN

KEEP_S: Final = 300
_KEPT_MAX: Final = 10_000
_SEALED: Final = f'SELECT name_sealed FROM "{CITIZEN}" WHERE subject = %s'  # noqa: S608


class Names:
    """Names by subject, as this worker opened them lately. Safe to call from any thread."""

    def __init__(self, clock: Clock, keep_s: int = KEEP_S) -> None:
        self._now_s = clock.monotonic_s
        self._keep_s = keep_s
        self._known: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def of(self, tower: TowerEdge, subject: str, reason: str) -> str:
        """The person's name; '' where they have none here or the keeper can't open it now."""
        if settings.KULLA.demo and (made_up := made_up_name(subject)):
            return made_up
        now_s = self._now_s()
        with self._lock:
            ends_s, name = self._known.get(subject, (0.0, ""))
        if name and now_s < ends_s:
            return name
        name = _opened(tower, subject, reason)
        with self._lock:
            self._known.pop(subject, None)
            if name:
                self._known[subject] = (now_s + self._keep_s, name)
            if len(self._known) > _KEPT_MAX:
                del self._known[next(iter(self._known))]
        return name


def _opened(tower: TowerEdge, subject: str, reason: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_SEALED, [subject])
        row = cursor.fetchone()
    if row is None:
        return ""
    try:
        return tower.open(subject, {"name": bytes(row[0])}, reason)["name"]
    except KullaError:
        # A page without a name is better than no page: the keeper may be away, or a name erased.
        return ""
