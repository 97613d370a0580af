"""Wrapped keys that wait to be adopted: who follows a journal keeps them, in the journal's order.

`keeper/waiting.sqlite` of a home to be. A blob does not show whose key it holds, so what the acts
say of it stands beside it: the subject that an act enrols with this blob ('' where an act names a
blob and does not say for whom). That is a claim and no proof; whoever unwraps the blob compares.
Nothing in the file is secret to an embassy: it holds what they hold.

Durability: SQLite with `synchronous=FULL`; what was noted is on the disk when `settle` returns, a
blob when `put` returns.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kulla.keeper.errors import KeeperFolderInvalid

WAITING = "waiting.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS named (
    number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, subject TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS named_subject ON named (subject) WHERE subject <> '';
CREATE TABLE IF NOT EXISTS missing (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS wrapped (number INTEGER PRIMARY KEY, blob BLOB NOT NULL);
"""
_NAMES_AT_ONCE = 500
_ALL = "SELECT named.number, name, subject, blob FROM wrapped JOIN named USING (number)"


class Waiting(NamedTuple):
    """A blob that is here: its number in the journal's order, its name, the claim, its bytes."""

    number: int
    name: bytes
    subject: str
    blob: bytes


class WaitingKeys:
    """The file. Safe to call from any thread; one process writes it at a time."""

    def __init__(self, path: Path, *, create: bool = False, read_only: bool = False) -> None:
        """Raises KeeperFolderInvalid where it is missing (without `create`) or no database."""
        try:
            if read_only:
                self._db = sqlite3.connect(
                    f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
                )
                self._db.execute("SELECT 1 FROM named LIMIT 1")
            else:
                self._db = _opened(path, create)
        except (sqlite3.DatabaseError, OSError) as error:
            raise KeeperFolderInvalid(
                f"the file of waiting keys can't be opened ({error}).",
                place=str(path),
                remedy="A standby or a takeover makes it: see docs/OPERATE.md.",
            ) from error
        self._lock = threading.Lock()
        self._named = self._count("named")
        self._missing = self._count("missing")

    def note(self, named: Sequence[tuple[bytes, str]]) -> None:
        """Entries name these blobs, in this order: (name, the subject claimed or '').

        A name that was noted before keeps its place. Durable after `settle` or `put`.
        """
        if not named:
            return
        with self._lock:
            self._begin()
            for name, subject in named:
                found = self._db.execute(
                    "INSERT OR IGNORE INTO named (name, subject) VALUES (?, ?)", (name, subject)
                )
                if found.rowcount:
                    self._named += 1
                    self._missing += 1
                    self._db.execute("INSERT INTO missing VALUES (?)", (found.lastrowid,))
                elif subject:
                    self._db.execute(
                        "UPDATE named SET subject = ? WHERE name = ? AND subject = ''",
                        (subject, name),
                    )

    def settle(self) -> None:
        """Make durable what was noted."""
        with self._lock:
            self._commit()

    def missing(self, limit: int, after: int = 0) -> list[tuple[int, bytes]]:
        """(number, name) of at most `limit` blobs that nobody has given yet, from `after` on."""
        with self._lock:
            return self._db.execute(
                "SELECT number, name FROM missing JOIN named USING (number) "
                "WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()

    def put(self, blobs: Mapping[bytes, bytes]) -> None:
        """Keep blobs by their names, which the caller has checked; names not noted are ignored."""
        with self._lock:
            self._begin()
            for name, blob in blobs.items():
                row = self._db.execute(
                    "SELECT number FROM named WHERE name = ?", (name,)
                ).fetchone()
                if row is not None:
                    self._db.execute("INSERT OR IGNORE INTO wrapped VALUES (?, ?)", (*row, blob))
                    gone = self._db.execute("DELETE FROM missing WHERE number = ?", row)
                    self._missing -= gone.rowcount
            self._commit()

    def of_subject(self, subject: str) -> list[Waiting]:
        """The blobs that acts claim for a subject, the first one first."""
        with self._lock:
            rows = self._db.execute(
                f"{_ALL} WHERE subject = ? AND subject <> '' ORDER BY number", (subject,)
            ).fetchall()
        return [Waiting(*row) for row in rows]

    def after(self, number: int, limit: int, *, claimed: bool) -> list[Waiting]:
        """At most `limit` blobs behind `number`, in order: with a claim, or those without."""
        sign = "<>" if claimed else "="
        with self._lock:
            rows = self._db.execute(
                f"{_ALL} WHERE wrapped.number > ? AND subject {sign} '' "
                "ORDER BY wrapped.number LIMIT ?",
                (number, limit),
            ).fetchall()
        return [Waiting(*row) for row in rows]

    def numbered(self, numbers: Iterable[int]) -> list[Waiting]:
        """Those of the blobs with these numbers that are here."""
        with self._lock:
            found = [
                self._db.execute(f"{_ALL} WHERE wrapped.number = ?", (number,)).fetchone()
                for number in numbers
            ]
        return [Waiting(*row) for row in found if row is not None]

    def blobs(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Those of the named blobs that are here."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(names), _NAMES_AT_ONCE):
            part = names[start : start + _NAMES_AT_ONCE]
            marks = ", ".join("?" for _ in part)
            with self._lock:
                rows = self._db.execute(
                    "SELECT name, blob FROM named JOIN wrapped USING (number) "  # noqa: S608
                    f"WHERE name IN ({marks})",
                    part,
                )
                found.update(rows.fetchall())
        return found

    def counts(self) -> tuple[int, int]:
        """(how many blobs were named, how many of them are missing)."""
        with self._lock:
            return self._named, self._missing

    def forget_given(self) -> int:
        """Drop the blobs that are here, because they were adopted; how many are still missing."""
        with self._lock:
            self._begin()
            self._db.execute("DELETE FROM named WHERE number IN (SELECT number FROM wrapped)")
            self._db.execute("DELETE FROM wrapped")
            self._commit()
            self._named = self._missing
            return self._missing

    def close(self) -> None:
        """Close the file; what was noted and not settled is gone."""
        with self._lock:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.close()

    def _count(self, table: str) -> int:
        sql = f"SELECT count(*) FROM {table}"  # noqa: S608 - names are ours
        return int(self._db.execute(sql).fetchone()[0])

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        if self._db.in_transaction:
            self._db.execute("COMMIT")


def _opened(path: Path, create: bool) -> sqlite3.Connection:
    if create:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    elif not path.exists():
        raise FileNotFoundError("there is none")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=10000")
    connection.executescript(_SCHEMA)
    return connection
