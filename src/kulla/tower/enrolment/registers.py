"""Reads a round from the registers alone, so that a new home goes on where the old one was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kulla.kernel.rows import Row
from kulla.services.enrolment import tables

_SETTLED: Final = (tables.ALLOCATED, tables.OFFERED, tables.ENDED)


class RoundRows:
    """Reads the registers of a home, which another process writes. One thread.

    Every method reads at its own instant; who needs them together opens a `snapshot`.
    """

    def __init__(self, registers: Path) -> None:
        self._rows = sqlite3.connect(
            f"file:{registers}?mode=ro", uri=True, timeout=10, check_same_thread=False
        )
        self._rows.row_factory = sqlite3.Row
        self._rows.isolation_level = None
        self._rows.execute("PRAGMA query_only=1")

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def begin(self) -> None:
        """See one and the same state of the registers until `end`."""
        self._rows.execute("BEGIN")

    def end(self) -> None:
        """See what is newest again."""
        self._rows.execute("ROLLBACK")

    def round(self, key: str) -> Row | None:
        """The round with this id."""
        return next(self._all(tables.ROUND, "id = ?", key), None)

    def rules(self, key: str, version: int) -> Row | None:
        """A version of a round's rules."""
        return next(self._all(tables.RULES, "id = ?", f"{key}-{version}"), None)

    def programmes(self, key: str) -> list[Row]:
        """All programmes of a round."""
        return list(self._all(tables.PROGRAMME, "round = ?", key))

    def schools(self) -> dict[str, Row]:
        """All schools, by id."""
        return {str(row["id"]): row for row in self._all(tables.SCHOOL, "1")}

    def applications(self, key: str) -> Iterator[Row]:
        """The filed applications of a round, by id."""
        return self._all(
            tables.APPLICATION, "round = ? AND state = ? ORDER BY id", key, tables.FILED
        )

    def kept(self, key: str, kind: str = "") -> list[Row]:
        """The parts of a round's transcripts that the quorum holds as files, in their order."""
        rows = self._all(tables.TRANSCRIPT, "round = ? ORDER BY part", key)
        return [row for row in rows if kind in ("", row["kind"])]

    def results(self, key: str) -> Iterator[Row]:
        """All results of a round."""
        return self._all(tables.RESULT, "round = ?", key)

    def child(self, child: str) -> Row | None:
        """What was entered of a child."""
        return next(self._all(tables.CHILD, "subject = ?", child), None)

    def decided(self, key: str) -> dict[str, dict[int, str]]:
        """What clerks decided on the claims of a round: by application, by number of the claim."""
        sql = (
            f"SELECT c.application, c.number, c.state FROM {tables.CLAIM} c"  # noqa: S608
            f" JOIN {tables.APPLICATION} a ON a.id = c.application WHERE a.round = ?"
        )
        found: dict[str, dict[int, str]] = {}
        for application, number, state in self._rows.execute(sql, (key,)):
            found.setdefault(application, {})[number] = state
        return found

    def secrets(self, key: str) -> list[list[str]]:
        """What each embassy committed to and told: key, commitment and secret in hex, by whom."""
        found = []
        for row in self._all(tables.SECRET, "round = ? ORDER BY embassy", key):
            commitment, secret = row["commitment"], row["secret"] or b""
            assert isinstance(commitment, bytes)
            assert isinstance(secret, bytes)
            embassy, told_by = str(row["embassy"]), str(row["told_by"])
            found.append([embassy, commitment.hex(), secret.hex(), told_by])
        return found

    def asked(self) -> list[str]:
        """Rounds that the ministry wants allocated and that are not."""
        sql = (
            f"SELECT r.id FROM {tables.RUN} n JOIN {tables.ROUND} r ON r.id = n.id"  # noqa: S608
            " WHERE n.asked_ms > 0 AND r.state = ? ORDER BY n.asked_ms"
        )
        return [row[0] for row in self._rows.execute(sql, (tables.DRAWN,))]

    def rounds_in(self, *states: str) -> list[Row]:
        """The rounds in any of these states."""
        marks = ",".join("?" * len(states))
        return list(self._all(tables.ROUND, f"state IN ({marks})", *states))

    def allocated(self) -> list[Row]:
        """The rounds whose transcripts there should be."""
        return self.rounds_in(*_SETTLED)

    def lapsing(self, key: str, at_s: int, limit: int) -> list[Row]:
        """Results whose offer nobody answered until `at_s`, at most `limit`."""
        return list(
            self._all(
                tables.RESULT,
                "round = ? AND state = ? AND answer_by_s < ? LIMIT ?",
                key,
                tables.OPEN,
                at_s,
                limit,
            )
        )

    def waited_for(self, key: str) -> Iterator[tuple[Row, Row]]:
        """Programmes in whose list somebody waits: the programme, and how full it is."""
        programmes = {row["id"]: row for row in self._all(tables.PROGRAMME, "round = ?", key)}
        for filled in self._all(tables.FILLED, "round = ? AND waiting > 0", key):
            if filled["id"] in programmes:
                yield programmes[filled["id"]], filled

    def _all(self, table: str, where: str, *values: Any) -> Iterator[Row]:
        cursor = self._rows.execute(f"SELECT * FROM {table} WHERE {where}", values)  # noqa: S608
        for row in cursor:
            yield dict(row)
