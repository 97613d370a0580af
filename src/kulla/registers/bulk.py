"""Rows for a replay: read once, changed in memory, written in bulk.

A replay of a long journal touches the same rows again and again; this keeps the ones it touched in
memory and writes them together. Memory is bounded: `flush` empties it, and the caller flushes at
least every `rows_max` changed rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from kulla.kernel.rows import Cell, Row, Table
from kulla.registers.sqlite import Statements

_Undo = list[tuple[str, Cell, Row | None, bool]]


class BulkRows:
    """RowsByKey over SQLite with a write-back cache; one act can be taken back as a whole.

    Not for two threads. The file is as the last `flush` left it; until then changes are in memory.
    """

    def __init__(self, connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
        self._connection = connection
        self._statements = {table.name: Statements(table) for table in tables}
        self._cache: dict[str, dict[Cell, Row | None]] = {name: {} for name in self._statements}
        self._changed: dict[str, set[Cell]] = {name: set() for name in self._statements}
        self._undo: _Undo = []
        self.changed_count = 0

    def get(self, table: str, key: Cell) -> Row | None:
        """See RowsByKey."""
        row = self._look(table, key)
        return None if row is None else row.copy()

    def put(self, table: str, row: Mapping[str, Cell]) -> None:
        """See RowsByKey."""
        self._change(table, row[self._statements[table].table.key], dict(row))

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
            names = statements.names
            kept = [[row[name] for name in names] for key in keys if (row := cache[key])]
            if gone:
                self._connection.executemany(statements.drop, gone)
            if kept:
                key_at = names.index(statements.table.key)
                kept.sort(key=lambda row: row[key_at])  # type: ignore[arg-type,return-value]
                self._connection.executemany(statements.put, kept)
            keys.clear()
            cache.clear()
        self.changed_count = 0

    def _look(self, table: str, key: Cell) -> Row | None:
        cache = self._cache[table]
        if key in cache:
            return cache[key]
        statements = self._statements[table]
        found = self._connection.execute(statements.get, (key,)).fetchone()
        row = None if found is None else dict(zip(statements.names, found, strict=True))
        cache[key] = row
        return row

    def _change(self, table: str, key: Cell, row: Row | None) -> None:
        cache, changed = self._cache[table], self._changed[table]
        # An unread key needs no read before it is written, unless the act is taken back: then it
        # must not stand in the cache as absent, so it is looked up here, where it is still true.
        self._undo.append((table, key, self._look(table, key), key in changed))
        cache[key] = row
        changed.add(key)
        self.changed_count += 1
