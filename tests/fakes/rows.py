"""Rows in memory, for tests of policies and of `apply`.

Fault model: none. Nothing is lost, nothing is concurrent, there is no transaction to roll back;
`find` reads every row of its table. What it shares with the rows that run is tested by
tests/contracts/test_rows.py. Unlike those it also stops a caller who leaves out a column or puts a
cell of the wrong kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kulla.kernel.rows import Cell, Column, Row, Table

_KINDS = {"int": int, "text": str, "bytes": bytes}


class MemoryRows:
    """See kulla.kernel.rows.Rows. `tables` holds the rows by table and key, for tests to read."""

    def __init__(self, schema: Iterable[Table]) -> None:
        self.schema = {table.name: table for table in schema}
        self.tables: dict[str, dict[Cell, Row]] = {name: {} for name in self.schema}

    def get(self, table: str, key: Cell) -> Row | None:
        row = self.tables[table].get(key)
        return None if row is None else dict(row)

    def put(self, table: str, row: Mapping[str, Cell]) -> None:
        columns = self.schema[table].columns
        assert list(row) == [column.name for column in columns], (table, list(row))
        for column in columns:
            assert _fits(row[column.name], column), (table, column, row[column.name])
        self.tables[table][row[self.schema[table].key]] = dict(row)

    def drop(self, table: str, key: Cell) -> None:
        self.tables[table].pop(key, None)

    def find(self, table: str, limit: int = 1000, **equal: Cell) -> list[Row]:
        unknown = set(equal) - {column.name for column in self.schema[table].columns}
        assert not unknown, (table, unknown)
        rows = self.tables[table]
        found = (rows[key] for key in sorted(rows, key=_order))
        fitting = [row for row in found if all(row[name] == cell for name, cell in equal.items())]
        return [dict(row) for row in fitting[:limit]]

    def cells(self, table: str, column: str, **equal: Cell) -> list[Cell]:
        return [row[column] for row in self.find(table, len(self.tables[table]), **equal)]


def _order(key: Cell) -> bytes | int:
    """Put text in the order of its UTF-8 bytes, as databases with a binary collation do."""
    assert key is not None
    return key.encode() if isinstance(key, str) else key


def _fits(cell: Cell, column: Column) -> bool:
    if cell is None:
        return column.nullable
    return type(cell) is _KINDS[column.kind]
