"""Registers in a SQLite file: opening, schema, and rows that are written as they change.

Durability: `synchronous=FULL` in WAL mode, so a transaction is on the disk when COMMIT returns.
Readers in other processes see only whole transactions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kulla.kernel.durable import sync_folder
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Cell, Column, Row, Table

_SQL_TYPES = {"int": "INTEGER", "text": "TEXT", "bytes": "BLOB"}
_CELL_KINDS = frozenset((int, str, bytes, type(None)))

Cells = tuple[Cell, ...]
"""A row as its cells, in the order of its table's columns."""

_UNKNOWN: Cells = ("this tuple stands for no row",)


class RegistersBroken(KullaError):
    """A register file that can't be opened or has another schema than this release expects."""


def open_registers(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open a register file for its one writer; makes it where `create` says so.

    Raises RegistersBroken where the file is missing or is not a database.
    """
    if not create and not path.exists():
        raise RegistersBroken(
            "there is no register file here.",
            place=str(path),
            remedy="Rebuild it from the embassies: kulla rebuild.",
        )
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        # Pages that change again and again are copied into the file once in 16 MiB of log, not once
        # in 4: a fifth less work for each act, and the copying itself takes hardly longer.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA busy_timeout=10000")
        connection.execute("PRAGMA cache_size=-65536")
    except sqlite3.DatabaseError as error:
        raise RegistersBroken(
            f"this is not a usable register file ({error}).",
            place=str(path),
            remedy="Move it away and rebuild: kulla rebuild.",
        ) from error
    if create:
        sync_folder(path.parent)
    return connection


def create_tables(
    connection: sqlite3.Connection, tables: Iterable[Table], *, indexes: bool = True
) -> None:
    """Make those of `tables` that are not there yet, with their indexes.

    A replay of a long journal needs no index: it makes them afterwards (`create_indexes`), when all
    rows can be sorted at once.
    """
    made = list(tables)
    for table in made:
        columns = ", ".join(_column_sql(column, table) for column in table.columns)
        connection.execute(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({columns}) WITHOUT ROWID')
    if indexes:
        create_indexes(connection, made)


def check_tables(connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
    """Raise RegistersBroken where a table is not as this release would have made it."""
    for table in tables:
        found = connection.execute(f'PRAGMA table_info("{table.name}")').fetchall()
        if [row[1] for row in found] != [column.name for column in table.columns]:
            raise RegistersBroken(
                "another release made these registers: this table has other columns.",
                place=table.name,
                remedy="Move the file away and rebuild: kulla takeover run.",
            )


def create_indexes(connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
    """Make those indexes of `tables` that are not there yet."""
    for table in tables:
        for columns_of_index in table.indexes:
            name = f"{table.name}_{'_'.join(columns_of_index)}"
            listed = ", ".join(f'"{column}"' for column in columns_of_index)
            connection.execute(f'CREATE INDEX IF NOT EXISTS "{name}" ON "{table.name}" ({listed})')


def _column_sql(column: Column, table: Table) -> str:
    key = " PRIMARY KEY" if column.name == table.key else ""
    null = "" if column.nullable else " NOT NULL"
    return f'"{column.name}" {_SQL_TYPES[column.kind]}{null}{key}'


class Statements:
    """The SQL of one table, made once."""

    def __init__(self, table: Table) -> None:
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        marks = ", ".join("?" for _ in table.columns)
        self.table = table
        self.names = tuple(column.name for column in table.columns)
        self.select = f'SELECT {columns} FROM "{table.name}"'  # noqa: S608 (names are ours)
        self.get = f'{self.select} WHERE "{table.key}" = ?'
        self.put = f'INSERT OR REPLACE INTO "{table.name}" ({columns}) VALUES ({marks})'  # noqa: S608
        self.drop = f'DELETE FROM "{table.name}" WHERE "{table.key}" = ?'  # noqa: S608


class UnfitCell(KullaError):
    """A cell that is no integer, text or bytes: it would not come back from the file as it went."""


class LiveRows:
    """Rows that are written through to SQLite at once, in the transaction the caller opened.

    See kulla.kernel.rows.Rows for what each method promises. Between `watch` and `changes` it also
    notes what the rows that change were before; then nobody else may write.
    """

    def __init__(self, connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
        self._execute = connection.execute
        self.tables = tuple(tables)
        self._statements = {table.name: Statements(table) for table in self.tables}
        self._watching = False
        # While it watches: rows as they stand, and those that changed as they stood at first.
        self._now: dict[str, dict[Cell, Cells | None]] = {}
        self._before: dict[str, dict[Cell, Cells | None]] = {}

    def get(self, table: str, key: Cell) -> Row | None:
        """See RowsByKey."""
        found = self._cells(table, key)
        if found is None:
            return None
        return dict(zip(self._statements[table].names, found, strict=True))

    def put(self, table: str, row: Mapping[str, Cell]) -> None:
        """See RowsByKey. Raises UnfitCell, while it watches, for a cell of another kind."""
        statements = self._statements[table]
        cells = tuple([row[name] for name in statements.names])
        if self._watching:
            self._note(table, cells[0], cells)
        self._execute(statements.put, cells)

    def drop(self, table: str, key: Cell) -> None:
        """See RowsByKey."""
        if self._watching:
            self._note(table, key, None)
        self._execute(self._statements[table].drop, (key,))

    def find(self, table: str, limit: int = 1000, **equal: Cell) -> list[Row]:
        """See Rows."""
        statements = self._statements[table]
        wanted = " AND ".join(f'"{name}" IS ?' for name in equal) or "1"
        sql = f'{statements.select} WHERE {wanted} ORDER BY "{statements.table.key}" LIMIT ?'
        rows = self._execute(sql, (*equal.values(), limit))
        return [dict(zip(statements.names, row, strict=True)) for row in rows]

    def cells(self, table: str, column: str, **equal: Cell) -> list[Cell]:
        """See Rows."""
        statements = self._statements[table]
        assert column in statements.names, column
        wanted = " AND ".join(f'"{name}" IS ?' for name in equal) or "1"
        sql = (
            f'SELECT "{column}" FROM "{table}" WHERE {wanted} '  # noqa: S608 - names are ours
            f'ORDER BY "{statements.table.key}"'
        )
        return [cell for (cell,) in self._execute(sql, tuple(equal.values()))]

    def watch(self) -> None:
        """Note from here on which rows change, and what they were."""
        self._watching = True
        self._now = {name: {} for name in self._statements}
        self._before = {name: {} for name in self._statements}

    def look_again(self) -> None:
        """Part of the transaction was taken back: rows may stand otherwise than was noted."""
        if self._watching:
            self._now = {name: {} for name in self._statements}

    def changes(self) -> Iterator[tuple[str, list[Cells], list[Cells]]]:
        """(table, rows as they were, rows as they are) since `watch`; watches no more.

        A row that is new was not, and one that is gone is not; the lists are not in one order.
        """
        for table, before in self._before.items():
            if before:
                old = [cells for cells in before.values() if cells is not None]
                new = [cells for key in before if (cells := self._cells(table, key)) is not None]
                yield table, old, new
        self.forget()

    def forget(self) -> None:
        """Watch no more: the transaction was taken back, or nobody asks."""
        self._watching = False
        self._now, self._before = {}, {}

    def _cells(self, table: str, key: Cell) -> Cells | None:
        now = self._now.get(table)
        if now is not None:
            cells = now.get(key, _UNKNOWN)
            if cells is not _UNKNOWN:
                return cells
        found: Cells | None = self._execute(self._statements[table].get, (key,)).fetchone()
        if now is not None:
            now[key] = found
        return found

    def _note(self, table: str, key: Cell, cells: Cells | None) -> None:
        if cells is not None and not _CELL_KINDS.issuperset(map(type, cells)):
            raise UnfitCell(
                "a row has a cell that is no integer, text or bytes.",
                place=table,
                remedy="Mend the service's `apply`: True is 1, and there are no floats.",
            )
        before = self._before[table]
        if key not in before:
            before[key] = self._cells(table, key)
        self._now[table][key] = cells


def dump(connection: sqlite3.Connection, table: Table) -> list[tuple[Cell, ...]]:
    """Every row of a table in order of its key: what 'equal, row by row' compares."""
    statements = Statements(table)
    return connection.execute(f'{statements.select} ORDER BY "{table.key}"').fetchall()
