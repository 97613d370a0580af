"""What a register looks like to the code that reads and changes it.

A register is a set of tables of plain rows. `apply` reaches them by key alone, so that a replay may
hold rows in memory and write them in bulk; `gather`, which runs only on the live path, may search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Cell = int | str | bytes | None
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its kind of cell, and whether a cell may be empty (None)."""

    name: str
    kind: Literal["int", "text", "bytes"]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a register: the first column is its key; `indexes` are searched by `find`."""

    name: str
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def key(self) -> str:
        """The name of the key column."""
        return self.columns[0].name


class RowsByKey(Protocol):
    """Rows by key, inside one transaction that the caller opened. Not for two threads at once."""

    def get(self, table: str, key: Cell) -> Row | None:
        """The row with this key as it stands in the transaction (a copy), or None."""
        ...

    def put(self, table: str, row: Mapping[str, Cell]) -> None:
        """Insert the row or replace the one with its key; every column must be there."""
        ...

    def drop(self, table: str, key: Cell) -> None:
        """Remove the row with this key; nothing happens where there is none."""
        ...


class Rows(RowsByKey, Protocol):
    """Rows by key and by search: what `gather` is given on the live path."""

    def find(self, table: str, limit: int = 1000, **equal: Cell) -> list[Row]:
        """At most `limit` rows whose columns have these values, in order of their key."""
        ...

    def cells(self, table: str, column: str, **equal: Cell) -> list[Cell]:
        """One column of all rows whose columns have these values, in order of their key.

        For a whole country's rows at once: it takes a tenth of the memory of `find`.
        """
        ...
