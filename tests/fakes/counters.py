"""A made-up service for tests of the scribe and of rebuilds: counters that anyone may raise.

Fault model: `fault` raises where it is told to: in its policy or in its apply; `blob` names a file.
"""

from __future__ import annotations

from typing import Any

from kulla.kernel.rows import Column, Rows, RowsByKey, Table
from kulla.kernel.service import (
    Act,
    ActType,
    Asked,
    CommandType,
    Decision,
    NewAct,
    Refusal,
    Service,
)

COUNTER = Table(
    "counter",
    (
        Column("name", "text"),
        Column("value", "int"),
        Column("by", "text"),
        Column("position", "int"),
    ),
    (("by",),),
)


def _known(rows: Rows, asked: Asked) -> Any:
    return rows.get(COUNTER.name, asked.data["counter"])


def _raise(asked: Asked, row: Any) -> Decision:
    most = asked.data.get("most", 1000)
    if row is not None and row["value"] >= most:
        return Refusal("full", {"most": most})
    act = NewAct("raised", {"counter": asked.data["counter"]})
    return (act,) * asked.data.get("times", 1)


def _fault(asked: Asked, _: Any) -> Decision:
    if asked.data["where"] == "policy":
        raise ZeroDivisionError
    return (NewAct("broken", {"counter": asked.data["counter"]}),)


def _blob(asked: Asked, _: Any) -> Decision:
    data = {"counter": asked.data["counter"]}
    return (NewAct("raised", data, (asked.data["blob"],)),)


def _raised(rows: RowsByKey, act: Act) -> None:
    row = rows.get(COUNTER.name, act.data["counter"])
    value = 0 if row is None else row["value"]
    assert isinstance(value, int)
    rows.put(
        COUNTER.name,
        {
            "name": act.data["counter"],
            "value": value + 1,
            "by": act.actor.subject,
            "position": act.position,
        },
    )


def _broken(rows: RowsByKey, act: Act) -> None:
    _raised(rows, act)
    raise ZeroDivisionError


def counters(name: str = "counters", **settings: Any) -> Service:
    """The service, under this name."""
    return Service(
        name,
        {
            "raise": CommandType(_known, _raise),
            "fault": CommandType(_known, _fault),
            "blob": CommandType(_known, _blob),
        },
        {"raised": ActType(_raised), "broken": ActType(_broken)},
        **settings,
    )
