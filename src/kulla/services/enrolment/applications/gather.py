"""What each command's policy has to know of the registers. Live path only: it may search.

Fields are not checked yet when they are looked up: what can't be a key finds nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kulla.kernel.rows import Row, Rows
from kulla.kernel.service import Asked
from kulla.services.enrolment import acts, tables
from kulla.services.enrolment.applications import policy, wishes
from kulla.services.enrolment.policy.rules import Rules
from kulla.services.enrolment.policy.rules_text import rules_from_json

_ALL: Final = 100_000
"""More changes than an application has: `find` takes a bound."""


def for_child(_rows: Rows, _asked: Asked) -> policy.Known:
    """Nothing: a child may be entered again and again."""
    return policy.Known()


def for_application(rows: Rows, asked: Asked) -> policy.Known:
    """Look up the round with its rules, the child, the application and its documents."""
    round_id = wishes.key_of(asked.data, "round")
    child = asked.actor.whom
    if asked.actor.role == "clerk":
        child = wishes.key_of(asked.data, "child")
    round_row = rows.get(tables.ROUND, round_id)
    key = policy.application_id(round_id, child)
    programmes: dict[str, Row] = {}
    for programme in wishes.choices_meant(asked.data):
        row = rows.get(tables.PROGRAMME, f"{round_id}-{programme}")
        if row is not None:
            programmes[programme] = row
    return policy.Known(
        child=rows.get(tables.CHILD, child),
        round=round_row,
        rules=_rules(rows, round_row),
        application=rows.get(tables.APPLICATION, key),
        programmes=programmes,
        documents=rows.find(tables.DOCUMENT, application=key),
    )


def for_document(rows: Rows, asked: Asked) -> policy.Known:
    """Look up what for_application does, and how many files were ever handed in."""
    known = for_application(rows, asked)
    if known.application is None:
        return known
    told = rows.find(tables.CHANGE, limit=_ALL, application=known.application["id"])
    return replace(known, handed_in=sum(row["what"] == acts.DOCUMENT_ADDED for row in told))


def _rules(rows: Rows, round_row: Row | None) -> Rules | None:
    if round_row is None:
        return None
    found = rows.get(tables.RULES, f"{round_row['id']!s}-{round_row['rules_version']!s}")
    return None if found is None else rules_from_json(str(found["text"]))
