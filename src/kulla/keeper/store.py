"""Where wrapped keys lie at home: keeper.sqlite, written by one thread, read by any.

Durability: WAL with `synchronous=FULL`: when `add` returns, the keys are on the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kulla.keeper.errors import KeeperFolderInvalid

_SCHEMA = """
CREATE TABLE IF NOT EXISTS subject_key (
    subject TEXT PRIMARY KEY NOT NULL,
    at_home BLOB NOT NULL,
    name BLOB NOT NULL UNIQUE,
    blob BLOB NOT NULL
)
"""
_NAMES_AT_ONCE = 500


class KeyRow(NamedTuple):
    """A subject's key: wrapped under the master key, and the blob with its name."""

    subject: str
    at_home: bytes
    name: bytes
    blob: bytes


class KeyStore:
    """The keys of one home, all of them wrapped. Safe to call from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises KeeperFolderInvalid where it is no database."""
        try:
            path.touch(mode=0o600, exist_ok=True)
            self._writer = _open(path)
            self._writer.execute(_SCHEMA)
            self._reader = _open(path)
        except (sqlite3.DatabaseError, OSError) as error:
            raise KeeperFolderInvalid(
                f"the file of keys can't be opened ({error}).",
                place=str(path),
                remedy="Move the keeper's folder away and adopt the keys from the embassies.",
            ) from error
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def add(self, rows: Iterable[KeyRow]) -> None:
        """Add subjects that are new, all of them or, where anything fails, none."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.executemany("INSERT INTO subject_key VALUES (?, ?, ?, ?)", rows)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def at_home(self, subject: str) -> bytes | None:
        """The subject's key wrapped under the master key, or None."""
        with self._reading:
            row = self._reader.execute(
                "SELECT at_home FROM subject_key WHERE subject = ?", (subject,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def blobs(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Those of the blobs with these names that are here."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(names), _NAMES_AT_ONCE):
            part = names[start : start + _NAMES_AT_ONCE]
            marks = ", ".join("?" for _ in part)
            sql = f"SELECT name, blob FROM subject_key WHERE name IN ({marks})"  # noqa: S608
            with self._reading:
                found.update(self._reader.execute(sql, part).fetchall())
        return found

    def count(self) -> int:
        """How many subjects have keys here."""
        with self._reading:
            return int(self._reader.execute("SELECT count(*) FROM subject_key").fetchone()[0])

    def close(self) -> None:
        """Close the file; nothing may be asked afterwards."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA secure_delete=ON")
    return connection
