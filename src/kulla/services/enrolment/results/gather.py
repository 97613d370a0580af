"""What the policies of results have to know, looked up in the registers. Live path only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kulla.kernel.rows import Cell, Row, Rows
from kulla.kernel.service import Asked
from kulla.services.enrolment import tables
from kulla.services.enrolment.results import wishes
from kulla.services.enrolment.results.known import (
    ChildKnown,
    FreeKnown,
    KeepKnown,
    LapseKnown,
    LateKnown,
    ListKnown,
    PostKnown,
    RoundKnown,
    free_seats,
    number_in,
)
from kulla.services.enrolment.results.list_policy import MOVES_MAX

LIST_MAX: Final = 200_000
"""More children wait nowhere; a list is read whole, since its order is not that of its keys."""

PROGRAMMES_MAX: Final = 100_000


def for_round(rows: Rows, asked: Asked) -> RoundKnown:
    """Look up the round and its run."""
    key = wishes.key_of(asked.data, "round")
    return RoundKnown(rows.get(tables.ROUND, key), rows.get(tables.RUN, key))


def for_keeping(rows: Rows, asked: Asked) -> KeepKnown:
    """Look up the round, and which parts of its transcripts are kept."""
    key = wishes.key_of(asked.data, "round")
    kept = rows.find(tables.TRANSCRIPT, 2 * wishes.FILES_MAX, round=key)
    return KeepKnown(rows.get(tables.ROUND, key), kept)


def for_posting(rows: Rows, asked: Asked) -> PostKnown:
    """Look up the round, and what the register says of the part's children and programmes."""
    key = wishes.key_of(asked.data, "round")
    children = set(wishes.first_cells(asked.data, "rows", 0))
    names = set(wishes.first_cells(asked.data, "rows", 1)) - {""}
    return PostKnown(
        round=rows.get(tables.ROUND, key),
        applications=_each(rows, tables.APPLICATION, key, children),
        results=_each(rows, tables.RESULT, key, children),
        programmes=_each(rows, tables.PROGRAMME, key, names),
        filled=_each(rows, tables.FILLED, key, names),
    )


def for_child(rows: Rows, asked: Asked) -> ChildKnown:
    """Look up the child whom the command is about: their result, places and appeals."""
    key = wishes.key_of(asked.data, "round")
    child = asked.actor.whom
    if asked.actor.role == "clerk":
        child = wishes.key_of(asked.data, "child")
    programme = wishes.key_of(asked.data, "programme")
    return ChildKnown(
        round=rows.get(tables.ROUND, key),
        result=rows.get(tables.RESULT, f"{key}-{child}"),
        places=rows.find(tables.PLACE, round=key, child=child),
        appeals=[row for row in rows.find(tables.APPEAL, child=child) if row["round"] == key],
        programme=rows.get(tables.PROGRAMME, f"{key}-{programme}") if programme else None,
    )


def for_list(rows: Rows, asked: Asked) -> ListKnown:
    """Look up a programme's list, and its first children as far as there are seats."""
    key, name = wishes.key_of(asked.data, "round"), wishes.key_of(asked.data, "programme")
    programme = rows.get(tables.PROGRAMME, f"{key}-{name}")
    filled = rows.get(tables.FILLED, f"{key}-{name}")
    free = free_seats(programme, filled) if programme is not None else 0
    places: list[Row] = []
    if free > 0:
        waiting = rows.find(tables.PLACE, LIST_MAX, round=key, programme=name, state=tables.IN_LIST)
        places = sorted(waiting, key=lambda row: (number_in(row, "order"), str(row["id"])))
        places = places[: min(free, MOVES_MAX)]
    children = [str(place["child"]) for place in places]
    return ListKnown(
        round=rows.get(tables.ROUND, key),
        programme=programme,
        filled=filled,
        places=places,
        results=_each(rows, tables.RESULT, key, children),
        places_of={child: rows.find(tables.PLACE, round=key, child=child) for child in children},
    )


def for_lapsing(rows: Rows, asked: Asked) -> LapseKnown:
    """Look up the children's results and places."""
    key = wishes.key_of(asked.data, "round")
    children = wishes.keys_of(asked.data, "children", wishes.LAPSE_MAX)
    return LapseKnown(
        round=rows.get(tables.ROUND, key),
        results=_each(rows, tables.RESULT, key, children),
        places_of={child: rows.find(tables.PLACE, round=key, child=child) for child in children},
    )


def for_late(rows: Rows, asked: Asked) -> LateKnown:
    """Look up the late child, and the programmes that are wished for."""
    key, child = wishes.key_of(asked.data, "round"), wishes.key_of(asked.data, "child")
    names = wishes.keys_of(asked.data, "programmes", wishes.CHOICES_MAX)
    return LateKnown(
        round=rows.get(tables.ROUND, key),
        child=rows.get(tables.CHILD, child),
        result=rows.get(tables.RESULT, f"{key}-{child}"),
        places=rows.find(tables.PLACE, round=key, child=child),
        programmes=_each(rows, tables.PROGRAMME, key, names),
        filled=_each(rows, tables.FILLED, key, names),
    )


def for_free_seats(rows: Rows, asked: Asked) -> FreeKnown:
    """Look up the round that has ended: its rules, programmes and how full they are."""
    key, parent = wishes.key_of(asked.data, "round"), wishes.key_of(asked.data, "parent")
    row = rows.get(tables.ROUND, parent)
    rules = rows.get(tables.RULES, f"{parent}-{row['rules_version']!s}") if row else None
    programmes = rows.find(tables.PROGRAMME, PROGRAMMES_MAX, round=parent)
    filled = rows.find(tables.FILLED, PROGRAMMES_MAX, round=parent)
    return FreeKnown(
        round=row,
        taken=rows.get(tables.ROUND, key),
        rules=str(rules["text"]) if rules is not None else "",
        programmes=programmes,
        filled={str(row["programme"]): row for row in filled},
    )


def _each(rows: Rows, table: str, round_key: str, ids: Iterable[str]) -> dict[str, Row]:
    """The rows '<round>-<id>' that there are, by id."""
    found: dict[str, Row] = {}
    for one in ids:
        key: Cell = f"{round_key}-{one}"
        row = rows.get(table, key)
        if row is not None:
            found[one] = row
    return found
