"""Drafts: what people write over days, in a table of the sessions' file (services.pages.Drafts).

They may be lost with home, as sessions may. What a service hands over is sealed already, so that
who copies the file reads nothing; here a draft is found by its person and name alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from django.db import connections

from kulla.kernel.canonical import NotCanonical, Value, decode, encode
from kulla.kernel.edges import Clock
from kulla.services.pages import DRAFT_DAYS

TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS draft (key BLOB PRIMARY KEY NOT NULL, content BLOB NOT NULL,"
    " ends_s INTEGER NOT NULL) WITHOUT ROWID"
)
INDEX: Final = "CREATE INDEX IF NOT EXISTS draft_ends ON draft (ends_s)"
_SESSIONS: Final = "sessions"


class KeptDrafts:
    """See services.pages.Drafts: those of one person, '' for nobody. Safe from any thread."""

    def __init__(self, clock: Clock, subject: str) -> None:
        self._clock = clock
        self._subject = subject

    def keep(self, name: str, content: Mapping[str, bytes]) -> None:
        """See Drafts."""
        if not self._subject:
            return
        ends_s = self._now_s() + DRAFT_DAYS * 86_400
        plain: dict[str, Value] = dict(content)
        with connections[_SESSIONS].cursor() as cursor:
            cursor.execute("DELETE FROM draft WHERE ends_s <= %s", [self._now_s()])
            cursor.execute(
                "INSERT INTO draft (key, content, ends_s) VALUES (%s, %s, %s) ON CONFLICT (key)"
                " DO UPDATE SET content = excluded.content, ends_s = excluded.ends_s",
                [self._key(name), encode(plain), ends_s],
            )

    def kept(self, name: str) -> Mapping[str, bytes]:
        """See Drafts."""
        with connections[_SESSIONS].cursor() as cursor:
            cursor.execute(
                "SELECT content FROM draft WHERE key = %s AND ends_s > %s",
                [self._key(name), self._now_s()],
            )
            row = cursor.fetchone()
        try:
            held: Any = decode(bytes(row[0])) if row else {}
        except NotCanonical:
            return {}
        return held if isinstance(held, dict) else {}

    def forget(self, name: str) -> None:
        """See Drafts."""
        with connections[_SESSIONS].cursor() as cursor:
            cursor.execute("DELETE FROM draft WHERE key = %s", [self._key(name)])

    def _key(self, name: str) -> bytes:
        return hashlib.sha256(f"{self._subject} {name}".encode()).digest()

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000
