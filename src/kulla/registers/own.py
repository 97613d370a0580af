"""The tables that every tower has, whatever its services: what replay and the scribe must remember.

They are registers like the others: derived from the journal, the same after every rebuild.
"""

from __future__ import annotations

from kulla.kernel.rows import Column, RowsByKey, Table
from kulla.registers.parties import PARTY

COMMAND = Table(
    "kulla_command",
    (Column("key", "bytes"), Column("position", "int"), Column("count", "int")),
)
"""Accepted commands: their key, the position of their first act and how many acts they became."""

CASE = Table(
    "kulla_case",
    (
        Column("position", "int"),
        Column("service", "text"),
        Column("act", "text"),
        Column("subject", "text"),
        Column("at_ms", "int"),
        Column("reason", "text"),
        Column("listed", "int"),
    ),
)
"""Acts that a register could not take: kept in the journal, listed here for a person to look at.

`subject` did the act, at `at_ms`; `listed` is the position of the act that made it a case: its own,
or the one of an undo.
"""

ANNULMENT = Table(
    "kulla_annulment",
    (
        Column("digest", "bytes"),
        Column("position", "int"),
        Column("at_ms", "int"),
        Column("note", "bytes"),
        Column("parts", "bytes"),
        Column("done", "int"),
        Column("moved", "int"),
    ),
)
"""Undos by their digest: where the first act of each stands, what custodians signed, the hashes of
its parts, how many of them were applied, and how many rows could not be put right."""

ANNULLED_COMMAND = Table(
    "kulla_annulled",
    (
        Column("command", "bytes"),
        Column("position", "int"),
        Column("kind", "text"),
        Column("listed", "int"),
    ),
)
"""Commands whose acts count no more ('undone', 'case'), with the first such act and the undo's
position: a repeat of one is told so, and never accepted anew."""

EPOCH = Table(
    "kulla_epoch",
    (
        Column("number", "int"),
        Column("origin", "text"),
        Column("base", "int"),
        Column("root_before", "bytes", nullable=True),
    ),
)
"""Epochs, oldest first: the origin of each one's log and the position of its first act."""

APPLIED = Table("kulla_applied", (Column("journal", "text"), Column("position", "int")))
"""One row: the position of the next act to apply. Changes with the acts, in their transaction."""

OWN_TABLES = (COMMAND, CASE, EPOCH, APPLIED, PARTY, ANNULMENT, ANNULLED_COMMAND)


def note_applied(rows: RowsByKey, position: int) -> None:
    """All acts below `position` are in the registers."""
    rows.put(APPLIED.name, {"journal": "all", "position": position})


def applied(rows: RowsByKey) -> int:
    """The position of the next act to apply; 0 where none was yet."""
    row = rows.get(APPLIED.name, "all")
    position = row["position"] if row else 0
    assert isinstance(position, int)
    return position
