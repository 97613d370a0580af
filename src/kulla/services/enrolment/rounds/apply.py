"""How the ministry's acts change the registers of enrolment. The same acts give the same rows.

Rows are reached by key alone and every check comes before the first write, so that an act that
does not fit (UnfitAct) leaves the registers as they were.
"""

from __future__ import annotations

import json
from typing import Final

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Act
from kulla.services.enrolment import tables

_DAYS: Final = ("opens_s", "closes_s", "results_s", "answer_by_s")
_MOVABLE: Final = (
    tables.PUBLISHED,
    tables.CLOSED,
    tables.DRAWN,
    tables.ALLOCATED,
    tables.OFFERED,
)


def round_prepared(rows: RowsByKey, act: Act) -> None:
    """Add the round, or change one that is not published yet; its rules stay."""
    data = act.data
    old = rows.get(tables.ROUND, data["round"])
    if old is not None and old["state"] != tables.PREPARED:
        raise _unfit(act, f"the round {data['round']} is {old['state']!s}")
    said: Row = {name: data[name] for name in ("title", "school_year", "zone", *_DAYS, "parent")}
    fresh: Row = {
        "id": data["round"],
        **said,
        "state": tables.PREPARED,
        "rules_version": 0,
        "list_root": None,
        "list_count": 0,
        "closed_position": -1,
        "seed": None,
        "public_transcript": None,
        "audit_transcript": None,
        "parts_posted": 0,
        "position": act.position,
    }
    kept: Row = {} if old is None else {"rules_version": old["rules_version"]}
    rows.put(tables.ROUND, fresh | kept)


def rules_set(rows: RowsByKey, act: Act) -> None:
    """Add the round's next version of rules."""
    data = act.data
    row = _round_in(rows, act, tables.PREPARED)
    if row["rules_version"] != data["version"] - 1:
        raise _unfit(act, f"version {data['version']} does not follow {row['rules_version']!s}")
    rows.put(
        tables.RULES,
        {
            "id": f"{data['round']}-{data['version']}",
            "round": data["round"],
            "version": data["version"],
            "text": data["rules"],
            "set_ms": act.at_ms,
            "position": act.position,
        },
    )
    rows.put(tables.ROUND, row | {"rules_version": data["version"], "position": act.position})


def school_entered(rows: RowsByKey, act: Act) -> None:
    """Add the school, or put its name and place right."""
    data = act.data
    said: Row = {name: data[name] for name in ("name", "town", "county", "address")}
    rows.put(tables.SCHOOL, {"id": data["school"], **said, "position": act.position})


def programme_set(rows: RowsByKey, act: Act) -> None:
    """Add the programme to a round that is not published yet, or replace it."""
    data = act.data
    _round_in(rows, act, tables.PREPARED)
    if rows.get(tables.SCHOOL, data["school"]) is None:
        raise _unfit(act, f"there is no school {data['school']}")
    said: Row = {name: data[name] for name in ("round", "programme", "school", "grade", "name")}
    pools = json.dumps([[pool, seats] for pool, seats in data["pools"]], separators=(",", ":"))
    rows.put(
        tables.PROGRAMME,
        {
            "id": f"{data['round']}-{data['programme']}",
            **said,
            "pools": pools,
            "position": act.position,
        },
    )


def programme_removed(rows: RowsByKey, act: Act) -> None:
    """Take the programme out of a round that is not published yet."""
    data = act.data
    _round_in(rows, act, tables.PREPARED)
    key = f"{data['round']}-{data['programme']}"
    if rows.get(tables.PROGRAMME, key) is None:
        raise _unfit(act, f"there is no programme {key}")
    rows.drop(tables.PROGRAMME, key)


def round_published(rows: RowsByKey, act: Act) -> None:
    """From here on everybody sees the round, and its rules and seats stand."""
    row = _round_in(rows, act, tables.PREPARED)
    if row["rules_version"] != act.data["rules_version"]:
        raise _unfit(act, f"its rules are version {row['rules_version']!s}")
    _put_round(rows, act, row, state=tables.PUBLISHED)


def round_moved(rows: RowsByKey, act: Act) -> None:
    """Move the round's days, and keep for everybody to read what they were and why they moved."""
    data = act.data
    row = _round_in(rows, act, *_MOVABLE)
    days: Row = {name: data[name] for name in _DAYS}
    were: Row = {f"was_{name}": row[name] for name in _DAYS}
    rows.put(
        tables.MOVE,
        {
            "id": f"{data['round']}-{act.position:012d}",
            "round": data["round"],
            "why": data["why"],
            **were,
            **days,
            "moved_ms": act.at_ms,
            "position": act.position,
        },
    )
    rows.put(tables.ROUND, row | days | {"position": act.position})


def round_closed(rows: RowsByKey, act: Act) -> None:
    """The list of applications stands, by its count and root."""
    row = _round_in(rows, act, tables.PUBLISHED)
    _put_round(
        rows,
        act,
        row,
        state=tables.CLOSED,
        list_count=act.data["count"],
        closed_position=act.position,
        list_root=act.data["root"],
    )


def round_ended(rows: RowsByKey, act: Act) -> None:
    """Nothing in the round changes any more."""
    row = _round_in(rows, act, tables.OFFERED)
    _put_round(rows, act, row, state=tables.ENDED)


def _put_round(rows: RowsByKey, act: Act, row: Row, **changed: int | str | bytes) -> None:
    rows.put(tables.ROUND, row | changed | {"position": act.position})


def _round_in(rows: RowsByKey, act: Act, *states: str) -> Row:
    """The round of an act, in one of these states. Raises UnfitAct."""
    row = rows.get(tables.ROUND, act.data["round"])
    if row is None:
        raise _unfit(act, f"there is no round {act.data['round']}")
    if row["state"] not in states:
        raise _unfit(act, f"the round {act.data['round']} is {row['state']!s}")
    return row


def _unfit(act: Act, why: str) -> UnfitAct:
    return UnfitAct(
        f"{act.service}.{act.name} does not fit the register: {why}.",
        place=f"act {act.position}",
        remedy="Compare the acts before it with the register, or rebuild.",
    )
