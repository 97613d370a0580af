"""What a watch that goes on must know after a restart, in one SQLite file.

One transaction keeps all of one round: places of logs, what correlations are about, what was told,
how long the file of detections is. So after kill -9 each event counts exactly once. When `keep`
returns, it is on the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from kulla.watch.errors import WatchFailed
from kulla.watch.findings import Place
from kulla.watch.live.inbox import Mark
from kulla.watch.live.sliding import Matched, Told
from kulla.watch.sources.batch import Reject

NAME: Final = "state.sqlite"
_REJECTS_KEPT: Final = 1_000
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS log (
  log TEXT PRIMARY KEY, place TEXT NOT NULL, caught_up_ms INTEGER, trouble TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS matched (
  event INTEGER NOT NULL, words TEXT NOT NULL, at_us INTEGER NOT NULL, fields TEXT NOT NULL,
  file TEXT NOT NULL, number INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS matched_event ON matched (event);
CREATE TABLE IF NOT EXISTS told (
  correlation TEXT NOT NULL, of_group TEXT NOT NULL, from_us INTEGER NOT NULL,
  until_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reject (
  file TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS known (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Keeping:
    """The file; for one process and one thread. Raises WatchFailed where it can't be used."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        try:
            self._base = sqlite3.connect(self._path, isolation_level=None)
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.executescript(_TABLES)
        except sqlite3.Error as error:
            raise WatchFailed(
                f"What the watch keeps can't be opened: {error}.",
                place=str(self._path),
                remedy="Free the disk, or begin anew in another folder: logs are read again.",
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def known(self) -> dict[str, Any]:
        """The numbers and words of the last round."""
        rows = self._base.execute("SELECT name, value FROM known")
        return {name: json.loads(value) for name, value in rows}

    def places(self) -> dict[str, dict[str, Any]]:
        """Where reading of each log goes on."""
        rows = self._base.execute("SELECT log, place FROM log")
        return {log: json.loads(place) for log, place in rows}

    def matched(self) -> list[Matched]:
        """What correlations are about."""
        rows = self._base.execute(
            "SELECT words, event, at_us, fields, file, number FROM matched ORDER BY event"
        )
        return [
            Matched(tuple(json.loads(words)), event, at, json.loads(fields), Place(file, number))
            for words, event, at, fields, file, number in rows
        ]

    def told(self) -> list[Told]:
        """Which runs of correlations were told."""
        rows = self._base.execute("SELECT correlation, of_group, from_us, until_us FROM told")
        return [Told(name, tuple(json.loads(of)), *times) for name, of, *times in rows]

    def keep(
        self,
        now_ms: int,
        marks: Mapping[str, Mark],
        fresh: Iterable[Matched],
        gone: Iterable[int],
        told: Iterable[Told],
        rejects: Iterable[Reject],
        known: Mapping[str, Any],
    ) -> None:
        """One round, whole or not at all. Raises WatchFailed where the disk refuses it."""
        try:
            self._base.execute("BEGIN IMMEDIATE")
            self._keep_logs(now_ms, marks)
            self._keep_matched(fresh, gone)
            self._base.execute("DELETE FROM told")
            self._base.executemany(
                "INSERT INTO told VALUES (?, ?, ?, ?)",
                [
                    (one.correlation, json.dumps(one.group), one.from_us, one.until_us)
                    for one in told
                ],
            )
            self._base.executemany(
                "INSERT INTO reject VALUES (?, ?, ?, ?)",
                [(one.file, one.number, one.reason, one.raw) for one in rejects],
            )
            self._base.execute(
                "DELETE FROM reject WHERE rowid <= (SELECT max(rowid) FROM reject) - ?",
                (_REJECTS_KEPT,),
            )
            self._base.executemany(
                "INSERT OR REPLACE INTO known VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in known.items()],
            )
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise WatchFailed(
                f"A round can't be kept: {error}.",
                place=str(self._path),
                remedy="Free the disk and start the watch again; it goes on where it was.",
            ) from error

    def _keep_logs(self, now_ms: int, marks: Mapping[str, Mark]) -> None:
        self._base.executemany(
            "INSERT INTO log VALUES (?1, ?2, ?3, ?4) ON CONFLICT (log) DO UPDATE SET"
            " place = ?2, caught_up_ms = coalesce(?3, caught_up_ms), trouble = ?4",
            [
                (log, json.dumps(dict(one.place)), now_ms if one.caught_up else None, one.trouble)
                for log, one in marks.items()
            ],
        )

    def _keep_matched(self, fresh: Iterable[Matched], gone: Iterable[int]) -> None:
        self._base.executemany(
            "INSERT INTO matched VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    one.event, json.dumps(one.words), one.at_us, json.dumps(dict(one.fields)),
                    one.place.file, one.place.number,
                )
                for one in fresh
            ],
        )  # fmt: skip
        self._base.executemany("DELETE FROM matched WHERE event = ?", [(one,) for one in gone])


def read_kept(folder: Path) -> tuple[dict[str, Any], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """For who only looks: what is known; (log, place, caught_up_ms, trouble); newest rejects.

    Raises WatchFailed where no watch was started with this folder.
    """
    path = folder / NAME
    try:
        if not path.is_file():
            raise sqlite3.OperationalError("there is no such file")
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            known = {n: json.loads(v) for n, v in base.execute("SELECT name, value FROM known")}
            logs = base.execute("SELECT log, place, caught_up_ms, trouble FROM log ORDER BY log")
            rejects = base.execute(
                "SELECT file, number, reason FROM reject ORDER BY rowid DESC LIMIT 20"
            )
            return known, logs.fetchall(), rejects.fetchall()
    except sqlite3.Error as error:
        raise WatchFailed(
            f"Nothing is kept here that can be read: {error}.",
            place=str(path),
            remedy="Name the folder that `kulla watch run` was started with.",
        ) from error
