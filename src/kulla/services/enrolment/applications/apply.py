"""How acts of this room change the registers. The same acts always give the same rows.

Rows are reached by key alone and every check comes before the first write, so that an act that does
not fit (UnfitAct) leaves the registers as they were.
"""

from __future__ import annotations

import json

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Act
from kulla.services.enrolment import tables


def child_entered(rows: RowsByKey, act: Act) -> None:
    """Keep what is known of the child; the newest stands."""
    data = act.data
    rows.put(
        tables.CHILD,
        {
            "subject": data["child"],
            "facts_sealed": data["facts"],
            "source": data["source"],
            "entered_ms": act.at_ms,
            "position": act.position,
        },
    )


def applied(rows: RowsByKey, act: Act) -> None:
    """File the application, or change it; decisions on claims that are others now fall.

    Raises UnfitAct where the round or the child is unknown, or a change before it is missing.
    """
    data = act.data
    _needed(rows, tables.ROUND, data["round"], act)
    _needed(rows, tables.CHILD, data["child"], act)
    key = data["application"]
    old = rows.get(tables.APPLICATION, key)
    changes = 0 if old is None else old["changes"]
    assert isinstance(changes, int)
    if data["change"] != changes + 1:
        raise _unfit(act, f"change {data['change']} does not follow {changes}")
    for number in data.get("undecided", ()):
        rows.drop(tables.CLAIM, f"{key}-{number}")
    rows.put(
        tables.APPLICATION,
        {
            "id": key,
            "round": data["round"],
            "child": data["child"],
            "state": tables.FILED,
            "grade": data["grade"],
            "choices": json.dumps(list(data["choices"]), separators=(",", ":")),
            "together": int(data["together"]),
            "facts_sealed": data["facts"],
            "salt_sealed": data["salt_sealed"],
            "commitment": data["commitment"],
            "by": data["by"],
            "actor": act.actor.subject,
            "filed_ms": act.at_ms if old is None else old["filed_ms"],
            "changed_ms": act.at_ms,
            "changes": data["change"],
            "position": act.position,
        },
    )
    _note(rows, act)


def withdrawn(rows: RowsByKey, act: Act) -> None:
    """The application stands no more. Raises UnfitAct where it is not filed."""
    row = _filed(rows, act)
    rows.put(
        tables.APPLICATION,
        row
        | {
            "state": tables.WITHDRAWN,
            "by": act.data["by"],
            "actor": act.actor.subject,
            "changed_ms": act.at_ms,
            "changes": act.data["change"],
            "position": act.position,
        },
    )
    _note(rows, act)


def document_added(rows: RowsByKey, act: Act) -> None:
    """Add the file to the application. Raises UnfitAct where its id is in use."""
    data = act.data
    _filed(rows, act)
    if rows.get(tables.DOCUMENT, data["document"]) is not None:
        raise _unfit(act, f"the document {data['document']} exists already")
    rows.put(
        tables.DOCUMENT,
        {
            "id": data["document"],
            "application": data["application"],
            "kind": data["kind"],
            "name_sealed": data["name"],
            "media_type": data["media_type"],
            "size_bytes": data["size"],
            "blob": data["blob"],
            "added_ms": act.at_ms,
            "position": act.position,
        },
    )
    _note(rows, act, data["kind"])


def document_removed(rows: RowsByKey, act: Act) -> None:
    """The file counts no more. Raises UnfitAct where the application has none such."""
    row = _needed(rows, tables.DOCUMENT, act.data["document"], act)
    if row["application"] != act.data["application"]:
        raise _unfit(act, f"the document {act.data['document']} is another application's")
    rows.drop(tables.DOCUMENT, row["id"])
    _note(rows, act, str(row["kind"]))


def claim_decided(rows: RowsByKey, act: Act) -> None:
    """Keep a clerk's decision on a claim; the newest stands."""
    data = act.data
    _filed(rows, act)
    rows.put(
        tables.CLAIM,
        {
            "id": f"{data['application']}-{data['claim']}",
            "application": data["application"],
            "number": data["claim"],
            "state": data["verdict"],
            "reason_sealed": data["reason"],
            "clerk": act.actor.subject,
            "decided_ms": act.at_ms,
            "position": act.position,
        },
    )
    _note(rows, act, str(data["claim"]))


def _note(rows: RowsByKey, act: Act, detail: str = "") -> None:
    """Note for the application's history what was done, by whom and when."""
    key = act.data["application"]
    rows.put(
        tables.CHANGE,
        {
            "id": f"{key}-{act.position:012d}",
            "application": key,
            "what": act.name,
            "detail": detail,
            "by": "counter" if act.actor.role == "clerk" else "guardian",
            "actor": act.actor.subject,
            "at_ms": act.at_ms,
            "position": act.position,
        },
    )


def _filed(rows: RowsByKey, act: Act) -> Row:
    row = _needed(rows, tables.APPLICATION, act.data["application"], act)
    if row["state"] != tables.FILED:
        raise _unfit(act, f"the application {row['id']!s} is not filed")
    return row


def _needed(rows: RowsByKey, table: str, key: str, act: Act) -> Row:
    row = rows.get(table, key)
    if row is None:
        raise _unfit(act, f"{table} has no row {key}")
    return row


def _unfit(act: Act, why: str) -> UnfitAct:
    return UnfitAct(
        f"{act.service}.{act.name} does not fit the register: {why}.",
        place=f"act {act.position}",
        remedy="Compare the acts before it with the register, or rebuild.",
    )
