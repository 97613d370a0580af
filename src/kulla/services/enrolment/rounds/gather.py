"""What the policy of each of the ministry's commands has to know of the registers. Live path only.

Fields are not checked yet when they are looked up: what can't be a key finds nothing.
"""

from __future__ import annotations

from typing import Final

from kulla.journal.merkle import leaf_hashes, root_of
from kulla.kernel.rows import Row, Rows
from kulla.kernel.service import Asked
from kulla.services.enrolment import tables
from kulla.services.enrolment.rounds import policy, wishes

_ALL: Final = 10_000_000
"""More rows than a round can have: `find` takes a bound."""


def for_round(rows: Rows, asked: Asked) -> policy.RoundKnown:
    """Look up the round, and the one that it follows."""
    return policy.RoundKnown(
        _named_row(rows, tables.ROUND, asked, "round"),
        _named_row(rows, tables.ROUND, asked, "parent"),
    )


def for_school(_rows: Rows, _asked: Asked) -> None:
    """A school is entered whatever there is."""


def for_programme(rows: Rows, asked: Asked) -> policy.ProgrammesKnown:
    """Look up the round, the school and the programme."""
    round_ = wishes.key_of(asked.data, "round")
    programme = wishes.key_of(asked.data, "programme")
    school = _named_row(rows, tables.SCHOOL, asked, "school")
    return policy.ProgrammesKnown(
        _named_row(rows, tables.ROUND, asked, "round"),
        frozenset() if school is None else frozenset({str(school["id"])}),
        rows.get(tables.PROGRAMME, f"{round_}-{programme}"),
    )


def for_programmes(rows: Rows, asked: Asked) -> policy.ProgrammesKnown:
    """Look up the round and the schools of all rows."""
    place = wishes.PROGRAMME_FIELDS.index("school")
    named = set(wishes.keys_in(asked.data, "programmes", place))
    return policy.ProgrammesKnown(
        _named_row(rows, tables.ROUND, asked, "round"),
        frozenset(key for key in named if rows.get(tables.SCHOOL, key) is not None),
    )


def for_publishing(rows: Rows, asked: Asked) -> policy.CompleteKnown:
    """Look up all that a round has."""
    row = _named_row(rows, tables.ROUND, asked, "round")
    if row is None:
        return policy.CompleteKnown(None, None, "", ())
    rules = rows.get(tables.RULES, f"{row['id']!s}-{row['rules_version']!s}")
    return policy.CompleteKnown(
        row,
        rows.get(tables.ROUND, row["parent"]) if row["parent"] else None,
        str(rules["text"]) if rules is not None else "",
        rows.find(tables.PROGRAMME, limit=_ALL, round=row["id"]),
    )


def for_closing(rows: Rows, asked: Asked) -> policy.ClosingKnown:
    """Count the filed applications and compute the root, but only where the round may close."""
    row = _named_row(rows, tables.ROUND, asked, "round")
    if row is None or not policy.may_close(row, asked.at_ms):
        return policy.ClosingKnown(row)
    filed = rows.cells(tables.APPLICATION, "commitment", round=row["id"], state=tables.FILED)
    commitments = sorted(cell for cell in filed if isinstance(cell, bytes))
    assert len(commitments) == len(filed), "a filed application has a commitment"
    return policy.ClosingKnown(row, len(filed), root_of(leaf_hashes(commitments)))


def _named_row(rows: Rows, table: str, asked: Asked, field: str) -> Row | None:
    key = wishes.key_of(asked.data, field)
    return rows.get(table, key) if key else None
