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
from kulla.registers.sqlite import Statements

Cells = tuple[Cell, ...]

# One mark a key: with 20 million keys, one absent key in 14 is still looked for in the file.
_MARKS: Final = 2**28
_UNKNOWN: Final[Cells] = ("this tuple stands for no row",)


class BulkRows:
    """RowsByKey over SQLite with a write-back cache; one act can be taken back as a whole.

    Not for two threads. The file is as the last `flush` left it; until then changes are in memory.
    """

    def __init__(
        self, connection: sqlite3.Connection, tables: Iterable[Table], marks: int = _MARKS
    ) -> None:
        """`marks`, a power of two, is the room for keys; see `marks_for`."""
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
        for table, changed in self._changed.items():
            statements, written = self._statements[table], self._written[table]
            gone = [(key,) for key, cells in changed.items() if cells is None]
            kept = [cells for cells in changed.values() if cells is not None]
            if gone:
                self._executemany(statements.drop, gone)
            # In order of the key, so that neighbours are written to one page at once.
            kept.sort(key=_key_of)
            self._executemany(statements.put, kept)
            if written is not None:
                written.add(changed)
            changed.clear()
            self._read[table].clear()
        self.changed_count = 0


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

    def add(self, keys: Iterable[Cell]) -> None:
        """These keys were written."""
        marks, last = self._marks, self._last
        for key in keys:
            mark = hash(key) & last
            marks[mark >> 3] |= 1 << (mark & 7)

    def may_have(self, key: Cell) -> bool:
        """False where the key was certainly not written."""
        mark = hash(key) & self._last
        return self._marks[mark >> 3] >> (mark & 7) & 1 == 1
