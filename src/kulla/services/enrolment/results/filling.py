"""How full programmes are, kept as acts of results change it: one row a programme, by key."""

from __future__ import annotations

from kulla.kernel.rows import Cell, Row, RowsByKey
from kulla.kernel.service import Act
from kulla.services.enrolment import tables


class Filling:
    """The counts of the programmes that one act touches; nothing is written before `write`."""

    def __init__(self, rows: RowsByKey, act: Act) -> None:
        self._rows = rows
        self._act = act
        self._round = str(act.data["round"])
        self._changed: dict[str, Row] = {}

    def take(self, programme: str, pool: str) -> None:
        """A child holds a seat there from now on ('': none); one by an appeal is beyond them."""
        if programme and pool != tables.APPEAL_POOL:
            self._add(programme, "held", 1)

    def free(self, programme: str, pool: str) -> None:
        """A child's seat there is free again."""
        if pool != tables.APPEAL_POOL:
            self._add(programme, "held", -1)

    def enter(self, programme: str, order: Cell) -> None:
        """A child waits there, at this place."""
        self._add(programme, "waiting", 1)
        row = self._row(programme)
        row["last_order"] = max(_number(row["last_order"]), _number(order))

    def leave(self, programme: str) -> None:
        """A child waits there no more."""
        self._add(programme, "waiting", -1)

    def keep(self, programme: str, seats: int) -> None:
        """So many free seats stay with their pool."""
        self._add(programme, "kept", seats)

    def write(self) -> None:
        """Put all rows that changed."""
        for row in self._changed.values():
            self._rows.put(tables.FILLED, row | {"position": self._act.position})

    def _add(self, programme: str, column: str, more: int) -> None:
        row = self._row(programme)
        row[column] = _number(row[column]) + more

    def _row(self, programme: str) -> Row:
        if programme not in self._changed:
            key = f"{self._round}-{programme}"
            self._changed[programme] = self._rows.get(tables.FILLED, key) or {
                "id": key,
                "round": self._round,
                "programme": programme,
                "held": 0,
                "kept": 0,
                "waiting": 0,
                "last_order": 0,
                "position": 0,
            }
        return self._changed[programme]


def _number(cell: Cell) -> int:
    assert isinstance(cell, int)
    return cell
