"""Transcripts as files that the quorum holds: cut into parts, sealed under a key of their own.

So they outlive home, and the release that computed them. All parts of a round have one key, which
no person has; home's keeper opens it, and each opening is logged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kulla.kernel.canonical import Value, encode
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Row
from kulla.kernel.tower import TowerEdge
from kulla.services.enrolment.results.posting import keep_command
from kulla.tower.enrolment.folder import RoundFolder
from kulla.tower.enrolment.registers import RoundRows
from kulla.tower.enrolment.submitting import submit

PART_BYTES: Final = 4 * 2**20
REASON: Final = "a transcript comes back to home"


def deposit(
    rows: RoundRows,
    tower: TowerEdge,
    key: str,
    transcripts: Mapping[str, bytes],
    sleep: Callable[[float], object],
) -> int:
    """Have the quorum hold what it does not hold yet; how many parts. Raises PostingStopped.

    `transcripts`: by kind ('public', 'audit') the bytes that the journal names.
    """
    kept = rows.kept(key)
    have = {(row["kind"], row["part"]) for row in kept}
    subject, wrapped = (str(kept[0]["subject"]), b"") if kept else tower.enrol(1)[0]
    done = 0
    for kind, text in sorted(transcripts.items(), reverse=True):
        cuts = [text[at : at + PART_BYTES] for at in range(0, len(text), PART_BYTES)]
        for part, cut in enumerate(cuts, 1):
            if (kind, part) in have:
                continue
            once = hashlib.sha256(encode([key, kind, part])).digest()[:16]
            blob = tower.keep_file(subject, cut, once)
            data: dict[str, Value] = {"round": key, "kind": kind, "part": part}
            data |= {"parts": len(cuts), "subject": subject, "key": wrapped, "blob": blob}
            answer = submit(tower, keep_command(data), sleep)
            if answer.status == "refused":
                return done  # another run was quicker: what it keeps is the same
            wrapped, done = b"", done + 1
    return done


def bring_back(rows: RoundRows, tower: TowerEdge, home: Path, row: Row) -> list[str]:
    """Write the transcripts of a round that the quorum holds into home's folder; their kinds.

    What does not come back whole, or is not what the journal names, is left out.
    """
    key, found = str(row["id"]), []
    folder = RoundFolder(home, key)
    for kind in ("public", "audit"):
        meant = row[f"{kind}_transcript"]
        parts = rows.kept(key, kind)
        if not parts or len(parts) != parts[0]["parts"] or folder.has(kind, meant):
            continue
        try:
            text = b"".join(
                tower.read_file(str(one["subject"]), _blob(one), REASON) for one in parts
            )
        except KullaError:
            continue
        if hashlib.sha256(text).digest() == meant:
            folder.write_one(kind, text)
            found.append(kind)
    return found


def _blob(row: Row) -> bytes:
    blob = row["blob"]
    assert isinstance(blob, bytes)
    return blob
