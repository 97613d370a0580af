"""What every source of letters reads: who is told, where, and what was dealt with already."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kulla.services.accounts import apply as accounts
from kulla.services.messages import apply as messages
from kulla.tower.post.sources import Recipient

_ANY_KIND: Final = (accounts.CHILD, accounts.ATTORNEY)


class PostRegisters:
    """Reads the registers of a home, which another process writes. One thread."""

    def __init__(self, registers: Path) -> None:
        self._rows = sqlite3.connect(
            f"file:{registers}?mode=ro", uri=True, timeout=10, check_same_thread=False
        )
        self._rows.row_factory = sqlite3.Row
        self._rows.execute("PRAGMA query_only=1")

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def looked_up_to(self) -> int:
        """The position below which all letters were dealt with."""
        found = self.one(f"SELECT up_to FROM {messages.LOOKED} WHERE post = ?", "post")  # noqa: S608
        return int(found["up_to"]) if found else 0

    def recorded(self, message: str) -> bool:
        """Whether this letter was sent or failed for good."""
        sql = f"SELECT 1 FROM {messages.MESSAGE} WHERE id = ?"  # noqa: S608
        return self.one(sql, message) is not None

    def with_who_acts(self, subject: str, now_ms: int, below: int) -> list[Recipient]:
        """A person, and who acts for them now: those of them who have an account."""
        acting = self._acting_for(subject, _ANY_KIND, now_ms, below)
        return self._recipients(dict.fromkeys([subject, *acting]), subject, below)

    def guardians(self, child: str, now_ms: int, below: int) -> list[Recipient]:
        """A child's guardians who have an account; neither the child nor who has an attorney."""
        acting = self._acting_for(child, (accounts.CHILD,), now_ms, below)
        return self._recipients(dict.fromkeys(acting), child, below)

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found: sqlite3.Row | None = self._rows.execute(sql, values).fetchone()
        return found

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query, which says itself how many that may be."""
        return self._rows.execute(sql, values).fetchall()

    def _acting_for(
        self, ward: str, kinds: tuple[str, ...], now_ms: int, below: int
    ) -> Iterable[str]:
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
        rows = self.all(
            f"SELECT guardian, kind FROM {accounts.RELATION}"  # noqa: S608
            " WHERE ward = ? AND state = ? AND (until_day = '' OR until_day >= ?)"
            " AND position < ? ORDER BY id",
            ward,
            accounts.STANDS,
            today,
            below,
        )
        return [row["guardian"] for row in rows if row["kind"] in kinds]

    def _recipients(self, people: Iterable[str], concerned: str, below: int) -> list[Recipient]:
        found = (self._recipient(one, below, ward=one != concerned) for one in people)
        return [person for person in found if person is not None]

    def _recipient(self, subject: str, below: int, *, ward: bool) -> Recipient | None:
        account = self.one(
            f"SELECT language, reminders FROM {accounts.ACCOUNT} WHERE subject = ?",  # noqa: S608
            subject,
        )
        if account is None:
            return None
        rows = self.all(
            f"SELECT kind, sealed FROM {accounts.ADDRESS} WHERE subject = ?"  # noqa: S608
            " AND position < ? ORDER BY kind, position, token",
            subject,
            below,
        )
        return Recipient(
            subject,
            account["language"],
            account["reminders"] != "none",
            ward,
            tuple((row["kind"], bytes(row["sealed"])) for row in rows),
        )
