"""Rows for a replay: read once, changed in memory, written in bulk.

A replay of a long journal touches the same rows again and again; this keeps the ones it touched in
memory and writes them together. Most acts also ask for rows that are not there (is this id in use?
was this command accepted before?); a filter of the keys written so far answers most of those
without a look into the file. Memory is bounded: `flush` empties it, and the caller flushes at least
every so many changed rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any, Final

from kulla.kernel.rows import Cell, Row, Table
from kulla.registers.sqlite import Statements

_Undo = list[tuple[str, Cell, Row | None, bool]]

# Two marks a key: with 20 million keys, one absent key in 50 is still looked for in the file.
_MARKS: Final = 2**28
_UNREAD: Final[Row] = {}


class BulkRows:
    """RowsByKey over SQLite with a write-back cache; one act can be taken back as a whole.

    Not for two threads. The file is as the last `flush` left it; until then changes are in memory.
    """

    def __init__(self, connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._statements = {table.name: Statements(table) for table in tables}
        self._keys = {name: found.table.key for name, found in self._statements.items()}
        self._cache: dict[str, dict[Cell, Row | None]] = {name: {} for name in self._statements}
        self._changed: dict[str, set[Cell]] = {name: set() for name in self._statements}
        # One for all tables: where two use one key, that costs a look and nothing else.
        written = WrittenKeys()
        self._written = {
            name: written if self._is_empty(name) else None for name in self._statements
        }
        self._undo: _Undo = []
        self.changed_count = 0

    def _is_empty(self, table: str) -> bool:
        """Only then are all its keys written from here on."""
        return self._execute(f"{self._statements[table].select} LIMIT 1").fetchone() is None

    def get(self, table: str, key: Cell) -> Row | None:
        """See RowsByKey."""
        row = self._cache[table].get(key, _UNREAD)
        if row is _UNREAD:
            row = self._look(table, key)
        return None if row is None else row.copy()

    def put(self, table: str, row: Mapping[str, Cell]) -> None:
        """See RowsByKey."""
        self._change(table, row[self._keys[table]], dict(row))

    def drop(self, table: str, key: Cell) -> None:
        """See RowsByKey."""
        self._change(table, key, None)

    def keep(self) -> None:
        """The act at hand is applied: it can't be taken back any more."""
        self._undo.clear()

    def take_back(self) -> None:
        """Undo every change since the last `keep`: the act at hand could not be applied."""
        for table, key, before, was_changed in reversed(self._undo):
            self._cache[table][key] = before
            if not was_changed:
                self._changed[table].discard(key)
        self._undo.clear()

    def flush(self) -> None:
        """Write what changed, inside the transaction that the caller opened, and forget it all."""
        for table, keys in self._changed.items():
            statements, cache = self._statements[table], self._cache[table]
            gone = [(key,) for key in keys if cache[key] is None]
            cells = itemgetter(*statements.names)
            kept: list[Any] = [cells(row) for key in keys if (row := cache[key]) is not None]
            if gone:
                self._executemany(statements.drop, gone)
            if kept:
                # In order of the key, so that neighbours are written to one page at once.
                kept.sort(key=itemgetter(statements.names.index(statements.table.key)))
                self._executemany(statements.put, kept)
            written = self._written[table]
            if written is not None:
                written.add(keys)
            keys.clear()
            cache.clear()
        self.changed_count = 0

    def _look(self, table: str, key: Cell) -> Row | None:
        written = self._written[table]
        row = None
        if written is None or written.may_have(key):
            statements = self._statements[table]
            found = self._execute(statements.get, (key,)).fetchone()
            row = None if found is None else dict(zip(statements.names, found, strict=True))
        self._cache[table][key] = row
        return row

    def _change(self, table: str, key: Cell, row: Row | None) -> None:
        cache, changed = self._cache[table], self._changed[table]
        before = cache.get(key, _UNREAD)
        if before is _UNREAD:
            # Only for an act that is taken back: then the row must be there as it was.
            before = self._look(table, key)
        self._undo.append((table, key, before, key in changed))
        cache[key] = row
        changed.add(key)
        self.changed_count += 1


class WrittenKeys:
    """Which keys were written: says 'perhaps' for each that was, and for most others 'no'.

    A filter after Bloom (1970) with two marks a key, of one size however many keys there are.
    """

    def __init__(self, marks: int = _MARKS) -> None:
        self._last = marks - 1
        assert marks & self._last == 0, "the number of marks is a power of two"
        self._marks = bytearray(marks // 8)

    def add(self, keys: Iterable[Cell]) -> None:
        """These keys were written."""
        marks, last = self._marks, self._last
        for key in keys:
            mixed = hash((key,))
            one, other = mixed & last, mixed >> 32 & last
            marks[one >> 3] |= 1 << (one & 7)
            marks[other >> 3] |= 1 << (other & 7)

    def may_have(self, key: Cell) -> bool:
        """False where the key was certainly not written."""
        mixed = hash((key,))
        one, other = mixed & self._last, mixed >> 32 & self._last
        marks = self._marks
        return bool(marks[one >> 3] >> (one & 7) & 1 and marks[other >> 3] >> (other & 7) & 1)
