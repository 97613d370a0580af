"""Times that are kept while their forms are filled in: a table in the sessions' file.

They may be lost with home, as sessions may: a form that was open then is sent all the same, and the
scribe decides. What stands here keeps two people from typing for the same time, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from django.db import connections

from kulla.kernel.edges import Clock
from kulla.portal.marks import mark
from kulla.services.pages import Hold

HOLD_S: Final = 600
HELD_AT_ONCE_MAX: Final = 3
"""How many times one person keeps at once; who opens another form lets go of the first."""

_log = structlog.get_logger("kulla.portal")

TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS slot_hold (slot TEXT PRIMARY KEY, subject TEXT NOT NULL,"
    " ends_s INTEGER NOT NULL) WITHOUT ROWID"
)
INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS slot_hold_subject ON slot_hold (subject, ends_s)",
    "CREATE INDEX IF NOT EXISTS slot_hold_ends ON slot_hold (ends_s)",
)
_ASKED_AT_ONCE_MAX: Final = 500
_SESSIONS: Final = "sessions"


class SlotHolds:
    """See kulla.services.pages.Holds. Safe to call from any thread and from several workers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def take(self, slot: str, subject: str) -> Hold | None:
        """See Holds. A form that is looked at again costs a read, a new hold one small write."""
        now_s = self._now_s()
        held = self._held(slot, now_s)
        if held is None:
            self._write(slot, subject, now_s)
            held = self._held(slot, now_s)  # another worker may have been quicker
            if held is not None and held[0] == subject:
                # A mark: how many different ones is the question, not whose doctor.
                _log.info("time held", subject=subject, slot=mark("slot", slot.encode()))
        if held is None or held[0] != subject:
            return None
        return Hold(slot, held[1])

    def held_by_others(self, slots: Sequence[str], subject: str) -> frozenset[str]:
        """See Holds. One read; of more than 500 times the first 500 are looked up."""
        asked = list(slots[:_ASKED_AT_ONCE_MAX])
        if not asked:
            return frozenset()
        marks = ", ".join(["%s"] * len(asked))
        with connections[_SESSIONS].cursor() as cursor:
            cursor.execute(
                f"SELECT slot FROM slot_hold WHERE slot IN ({marks})"  # noqa: S608 - marks alone
                " AND ends_s > %s AND subject <> %s",
                [*asked, self._now_s(), subject],
            )
            return frozenset(slot for (slot,) in cursor.fetchall())

    def let_go(self, slot: str, subject: str) -> None:
        """See Holds."""
        with connections[_SESSIONS].cursor() as cursor:
            cursor.execute(
                "DELETE FROM slot_hold WHERE slot = %s AND subject = %s", [slot, subject]
            )

    def _held(self, slot: str, now_s: int) -> tuple[str, int] | None:
        with connections[_SESSIONS].cursor() as cursor:
            cursor.execute(
                "SELECT subject, ends_s FROM slot_hold WHERE slot = %s AND ends_s > %s",
                [slot, now_s],
            )
            row: tuple[str, int] | None = cursor.fetchone()
        return row

    def _write(self, slot: str, subject: str, now_s: int) -> None:
        with connections[_SESSIONS].cursor() as cursor:
            # Whoever comes sweeps, so that the table stays as small as the country's open forms.
            cursor.execute("DELETE FROM slot_hold WHERE ends_s <= %s", [now_s])
            cursor.execute(
                "INSERT INTO slot_hold (slot, subject, ends_s) VALUES (%s, %s, %s)"
                " ON CONFLICT (slot) DO NOTHING",
                [slot, subject, now_s + HOLD_S],
            )
            cursor.execute(
                "DELETE FROM slot_hold WHERE subject = %s AND slot NOT IN (SELECT slot FROM"
                " slot_hold WHERE subject = %s ORDER BY ends_s DESC, slot = %s DESC LIMIT %s)",
                [subject, subject, slot, HELD_AT_ONCE_MAX],
            )

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000
