"""What the allocation leaves in home's folder: transcripts, and each child's reasons, sealed.

All of it follows from registers, keeper and seed: what is lost is computed again, and has to be the
same bytes that the act `allocated` names.

enrolment/<round>/public.json, audit.json    the two transcripts
enrolment/<round>/reasons.sqlite             by child: why not a higher choice, sealed for the child
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from kulla.kernel.durable import sync_folder
from kulla.services.enrolment.results.kept import AUDIT_FILE, PUBLIC_FILE, REASONS_FILE, folder_of

_SEEN: dict[Path, tuple[int, bytes, bytes]] = {}
"""By folder, what it was found to hold, and when it last changed."""


_FILES: Final = {"public": PUBLIC_FILE, "audit": AUDIT_FILE}


class RoundFolder:
    """The folder of one round's files; for one writer."""

    def __init__(self, home: Path, key: str) -> None:
        self.folder = folder_of(home, key)

    def holds(self, public: bytes, audit: bytes) -> bool:
        """Whether both transcripts are there with these SHA-256, and the reasons beside them."""
        return (
            self._hash(PUBLIC_FILE) == public
            and self._hash(AUDIT_FILE) == audit
            and (self.folder / REASONS_FILE).exists()
        )

    def holds_quickly(self, public: bytes, audit: bytes) -> bool:
        """As `holds`, without reading the transcripts again while their folder is as it was."""
        try:
            seen = (self.folder.stat().st_mtime_ns, public, audit)
        except FileNotFoundError:
            return False
        if _SEEN.get(self.folder) != seen:
            if not self.holds(public, audit):
                return False
            _SEEN[self.folder] = seen
        return True

    def has(self, kind: str, meant: object) -> bool:
        """Whether the transcript of this kind is there with this SHA-256."""
        return self._hash(_FILES[kind]) == meant

    def write_one(self, kind: str, data: bytes) -> None:
        """Put one transcript there, whole or not at all; durable on return."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write(_FILES[kind], data)
        sync_folder(self.folder)

    def write(self, public: bytes, audit: bytes, reasons: Iterable[tuple[str, bytes]]) -> None:
        """Put everything there, each file whole or not at all; durable on return."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write(PUBLIC_FILE, public)
        self._write(AUDIT_FILE, audit)
        self._write_reasons(reasons)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    def _write(self, name: str, data: bytes) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / name)

    def _write_reasons(self, reasons: Iterable[tuple[str, bytes]]) -> None:
        fresh = self.folder / f"{REASONS_FILE}.new"
        fresh.unlink(missing_ok=True)
        with closing(sqlite3.connect(fresh)) as rows:
            rows.execute("CREATE TABLE reasons (child TEXT PRIMARY KEY, sealed BLOB) WITHOUT ROWID")
            rows.executemany("INSERT INTO reasons VALUES (?, ?)", reasons)
            rows.commit()
        fresh.chmod(0o600)
        fresh.replace(self.folder / REASONS_FILE)

    def _hash(self, name: str) -> bytes:
        try:
            with (self.folder / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
        except FileNotFoundError:
            return b""
