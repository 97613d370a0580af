"""What entries name: small blobs (wrapped keys, files) under their SHA-256, put if absent."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from kulla.embassy.errors import BlobDamaged, BlobMissing, BlobsFailed
from kulla.kernel.durable import sync_folder

NAME_BYTES: Final = 32
_ASK_AT_ONCE: Final = 500


def blob_name(content: bytes) -> bytes:
    """The name of a blob: the SHA-256 of its bytes."""
    return hashlib.sha256(content).digest()


class BlobStore(Protocol):
    """Blobs by the hash of their content. Safe to call from any thread."""

    def put(self, blobs: Sequence[bytes]) -> list[bytes]:
        """Keep all of `blobs`, or none; the names, in order.

        When it returns all of them are durable; one that is there already is left as it is.
        Raises BlobsFailed where the disk refused: then the process must end.
        """
        ...

    def missing(self, names: Iterable[bytes]) -> list[bytes]:
        """Those of `names` that are not there, each once, in order."""
        ...

    def get(self, name: bytes) -> bytes:
        """The blob of this name. Raises BlobMissing, or BlobDamaged where its hash is another."""
        ...

    def names(self, after: bytes = b"", limit: int = 1000) -> list[bytes]:
        """At most `limit` names greater than `after`, sorted: one page of the list of all."""
        ...

    def usage(self) -> tuple[int, int]:
        """How many blobs there are, and how many bytes they have together."""
        ...


class SqliteBlobs:
    """Blobs in one SQLite file: WAL, an fsync for each `put`, and what is deleted overwritten.

    The file and its name in the folder are durable once the object is made. One connection writes,
    another reads, so that a reader does not wait for an fsync. With `read_only` a rebuild reads
    what a stopped embassy left, and `put` raises BlobsFailed.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        fresh = not path.exists()
        try:
            if not read_only:
                self._writer = _connect(path)
                for setting in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                    self._writer.execute(f"PRAGMA {setting}")
                self._writer.execute(
                    "CREATE TABLE IF NOT EXISTS blobs"
                    " (name BLOB PRIMARY KEY NOT NULL, content BLOB NOT NULL)"
                )
            if fresh and not read_only:
                path.chmod(0o600)
                sync_folder(path.parent)
            self._reader = _connect(path, "?mode=ro")
            if read_only:
                self._writer = self._reader
        except (sqlite3.Error, OSError) as error:
            raise BlobsFailed(f"can't open the blobs ({error}).", place=str(path)) from error
        self._path = path
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def put(self, blobs: Sequence[bytes]) -> list[bytes]:
        """See BlobStore."""
        names = [blob_name(content) for content in blobs]
        absent = set(self.missing(names))
        rows = {name: content for name, content in zip(names, blobs, strict=True) if name in absent}
        if rows:
            with self._writing:
                try:
                    self._write(rows)
                except sqlite3.Error as error:
                    raise BlobsFailed(
                        f"can't keep blobs ({error}).", place=str(self._path)
                    ) from error
        return names

    def _write(self, rows: dict[bytes, bytes]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        self._writer.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", rows.items())
        self._writer.execute("COMMIT")

    def missing(self, names: Iterable[bytes]) -> list[bytes]:
        """See BlobStore."""
        asked = list(dict.fromkeys(names))
        held: set[bytes] = set()
        for first in range(0, len(asked), _ASK_AT_ONCE):
            some = asked[first : first + _ASK_AT_ONCE]
            marks = ",".join("?" * len(some))
            sql = f"SELECT name FROM blobs WHERE name IN ({marks})"  # noqa: S608 -- only marks
            held.update(row[0] for row in self._read(sql, some))
        return [name for name in asked if name not in held]

    def get(self, name: bytes) -> bytes:
        """See BlobStore."""
        rows = self._read("SELECT content FROM blobs WHERE name = ?", [name])
        if not rows:
            raise BlobMissing("this embassy does not hold the blob.", place=name.hex())
        content = bytes(rows[0][0])
        if blob_name(content) != name:
            raise BlobDamaged(
                "the stored blob no longer has its hash.",
                place=name.hex(),
                remedy="Fetch it from another embassy, and check this one's disk.",
            )
        return content

    def names(self, after: bytes = b"", limit: int = 1000) -> list[bytes]:
        """See BlobStore."""
        sql = "SELECT name FROM blobs WHERE name > ? ORDER BY name LIMIT ?"
        return [row[0] for row in self._read(sql, [after, limit])]

    def usage(self) -> tuple[int, int]:
        """See BlobStore."""
        sql = "SELECT count(*), coalesce(sum(length(content)), 0) FROM blobs"
        count, size = self._read(sql, [])[0]
        return int(count), int(size)

    def close(self) -> None:
        """Fold the WAL into the file and let go of it."""
        with self._writing, self._reading, closing(self._writer), closing(self._reader):
            # The reader goes first: the last to close folds the WAL, and a reader can't.
            pass

    def _read(self, sql: str, values: Sequence[bytes | int]) -> list[tuple[Any, ...]]:
        with self._reading:
            try:
                return self._reader.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise BlobsFailed(f"can't read blobs ({error}).", place=str(self._path)) from error


def _connect(path: Path, mode: str = "") -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}{mode}"
    return sqlite3.connect(
        uri, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False
    )
