"""Where home keeps what an allocation left: transcripts, and each child's reasons, sealed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

FOLDER: Final = "enrolment"
PUBLIC_FILE: Final = "public.json"
AUDIT_FILE: Final = "audit.json"
REASONS_FILE: Final = "reasons.sqlite"
REASONS_FIELD: Final = "result"
"""The name under which a child's reasons are sealed."""


def folder_of(home: Path, key: str) -> Path:
    """The folder of a round's files in a home's folder."""
    return home / FOLDER / key


def sealed_reasons(home: Path, key: str, child: str) -> bytes | None:
    """A child's reasons, sealed; None where this home has not computed them (again) yet."""
    path = folder_of(home, key) / REASONS_FILE
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as rows:
        found = rows.execute("SELECT sealed FROM reasons WHERE child = ?", (child,)).fetchone()
    return bytes(found[0]) if found is not None else None
