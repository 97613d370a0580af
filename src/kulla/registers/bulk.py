"""Rows for a replay: read once, changed in memory, written in bulk.

A replay of a long journal touches the same rows again and again; this keeps the ones it touched in
memory and writes them together. Most acts also ask for rows that are not there (is this id in use?
was this command accepted before?); a filter of the keys written so far answers most of those
without a look into the file. Memory is bounded: `flush` empties it, and the caller flushes at least
every so many changed rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, Final

from kulla.kernel.rows import Cell, Row, Table
from kulla.registers.fingerprint import Totals, is_counted
from kulla.registers.sqlite import Cells, Statements

# One mark a key: with 20 million keys, one absent key in 14 is still looked for in the file.
_MARKS: Final = 2**28
_ROWS_AT_ONCE: Final = 256
_UNKNOWN: Final[Cells] = ("this tuple stands for no row",)


class BulkRows:
    """RowsByKey over SQLite with a write-back cache; one act can be taken back as a whole.

    Not for two threads. The file is as the last `flush` left it; until then changes are in memory.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        tables: Iterable[Table],
        marks: int = _MARKS,
        totals: Totals | None = None,
    ) -> None:
        """`marks`, a power of two, is the room for keys; see `marks_for`.

        `totals` is told at each flush which rows changed.
        """
        self._totals = totals
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._statements = {table.name: Statements(table) for table in tables}
        self._names = {name: found.names for name, found in self._statements.items()}
        # One for all tables: where two use one key, that costs a look and nothing else.
        written = WrittenKeys(marks)
        self._written = {
            name: written if self._is_empty(name) else None for name in self._statements
        }
        # Rows as tuples of cells in the order of the columns; None is a row that is not there.
        self._read: dict[str, dict[Cell, Cells | None]] = {name: {} for name in self._statements}
        self._changed: dict[str, dict[Cell, Cells | None]] = {name: {} for name in self._statements}
        self._undo: list[tuple[dict[Cell, Cells | None], Cell, Cells | None]] = []
        self.changed_count = 0

    def _is_empty(self, table: str) -> bool:
        """Only then are all its keys written from here on."""
        return self._execute(f"{self._statements[table].select} LIMIT 1").fetchone() is None

    def get(self, table: str, key: Cell) -> Row | None:
        """See RowsByKey."""
        cells = self._changed[table].get(key, _UNKNOWN)
        if cells is _UNKNOWN:
            written = self._written[table]
            if written is not None and not written.may_have(key):
                return None
            cells = self._read[table].get(key, _UNKNOWN)
            if cells is _UNKNOWN:
                cells = self._execute(self._statements[table].get, (key,)).fetchone()
                self._read[table][key] = cells
        return None if cells is None else dict(zip(self._names[table], cells, strict=True))

    def put(self, table: str, row: Mapping[str, Cell]) -> None:
        """See RowsByKey."""
        names = self._names[table]
        in_order = tuple(row) == names
        cells = tuple(row.values()) if in_order else tuple([row[name] for name in names])
        self._change(table, cells[0], cells)

    def drop(self, table: str, key: Cell) -> None:
        """See RowsByKey."""
        self._change(table, key, None)

    def _change(self, table: str, key: Cell, cells: Cells | None) -> None:
        changed = self._changed[table]
        self._undo.append((changed, key, changed.get(key, _UNKNOWN)))
        changed[key] = cells
        self.changed_count += 1

    def keep(self) -> None:
        """The act at hand is applied: it can't be taken back any more."""
        self._undo.clear()

    def take_back(self) -> None:
        """Undo every change since the last `keep`: the act at hand could not be applied."""
        for changed, key, before in reversed(self._undo):
            if before is _UNKNOWN:
                del changed[key]
            else:
                changed[key] = before
        self._undo.clear()

    def forget(self) -> None:
        """Drop all that is not written: the caller rolled its transaction back."""
        self._undo.clear()
        for table, changed in self._changed.items():
            changed.clear()
            self._read[table].clear()
        self.changed_count = 0

    def flush(self) -> None:
        """Write what changed, inside the transaction that the caller opened, and forget it all.

        What is written can't be taken back any more.
        """
        self._undo.clear()
        totals = self._totals
        for table, changed in self._changed.items():
            if not changed:
                self._read[table].clear()
                continue
            written = self._written[table]
            known: Iterable[Cell] = changed if written is None else written.add(changed)
            if totals is not None and is_counted(table):
                totals.take(table, -1, self._before(table, known))
            self._write(table, changed, totals)
            self._read[table].clear()
            changed.clear()
        self.changed_count = 0

    def _before(self, table: str, keys: Iterable[Cell]) -> list[Cells]:
        """Those rows with these keys that the file has: as they were before they changed."""
        read, statement = self._read[table], self._statements[table].get
        found: list[Cells] = []
        for key in keys:
            cells = read.get(key, _UNKNOWN)
            if cells is _UNKNOWN:
                cells = self._execute(statement, (key,)).fetchone()
            if cells is not None:
                found.append(cells)
        return found

    def _write(
        self, table: str, changed: Mapping[Cell, Cells | None], totals: Totals | None
    ) -> None:
        statements = self._statements[table]
        kept = [cells for cells in changed.values() if cells is not None]
        if len(kept) < len(changed):
            gone = [(key,) for key, cells in changed.items() if cells is None]
            self._executemany(statements.drop, gone)
        # In order of the key, so that neighbours are written to one page at once.
        kept.sort(key=_key_of)
        if totals is None or not is_counted(table):
            self._executemany(statements.put, kept)
            return
        # A few at a time, so that each row is fetched from memory once for both.
        for start in range(0, len(kept), _ROWS_AT_ONCE):
            rows = kept[start : start + _ROWS_AT_ONCE]
            totals.take(table, 1, rows)
            self._executemany(statements.put, rows)


_key_of: Final[Callable[[Cells], Any]] = itemgetter(0)


def marks_for(acts: int) -> int:
    """How many marks a replay of so many acts needs: some twenty for each key that it may write.

    A short replay must not clear memory for a long one.
    """
    return min(_MARKS, max(2**12, 1 << (64 * acts).bit_length()))


class WrittenKeys:
    """Which keys were written: says 'perhaps' for each that was, and for most others 'no'.

    A filter after Bloom (1970) with one mark a key, of one size however many keys there are: a
    second mark would lie in memory that no cache holds, and costs more than it spares.
    """

    def __init__(self, marks: int = _MARKS) -> None:
        self._last = marks - 1
        assert marks & self._last == 0, "the number of marks is a power of two"
        self._marks = bytearray(marks // 8)

    def add(self, keys: Iterable[Cell]) -> list[Cell]:
        """These keys are written now; those of them that may have been written before."""
        marks, last = self._marks, self._last
        known = []
        for key in keys:
            mark = hash(key) & last
            at, bit = mark >> 3, 1 << (mark & 7)
            there = marks[at]
            if there & bit:
                known.append(key)
            else:
                marks[at] = there | bit
        return known

    def may_have(self, key: Cell) -> bool:
        """False where the key was certainly not written."""
        mark = hash(key) & self._last
        return self._marks[mark >> 3] >> (mark & 7) & 1 == 1
