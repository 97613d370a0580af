"""The tables that every tower has, whatever its services: what replay and the scribe must remember.

They are registers like the others: derived from the journal, the same after every rebuild.
"""

from __future__ import annotations

from kulla.journal.epochs import parse_epoch_opened, parse_succession
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Column, RowsByKey, Table
from kulla.kernel.service import Act, ActType, Service
from kulla.registers.fingerprint import FINGERPRINT
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
        Column("reason", "text"),
    ),
)
"""Acts that a register could not take: kept in the journal, listed here for a person to look at."""

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

OWN_TABLES = (COMMAND, CASE, EPOCH, APPLIED, PARTY)


def _open_epoch(rows: RowsByKey, act: Act) -> None:
    opened = parse_epoch_opened(act.data, place=f"position {act.position}")
    succession = parse_succession(opened.succession)
    if rows.get(EPOCH.name, succession.number) is not None:
        raise KullaError(
            f"epoch {succession.number} was opened before.",
            place=f"position {act.position}",
            remedy="Two takeovers under one number: ask the custodians which one they signed.",
        )
    rows.put(
        EPOCH.name,
        {
            "number": succession.number,
            "origin": succession.new_log.name,
            "base": act.position,
            "root_before": opened.adopted_root,
        },
    )


def _state_fingerprint(rows: RowsByKey, act: Act) -> None:
    """Nothing changes: a replay compares it with the rows that it came to (rebuild.replay)."""


TOWER = Service(
    name="tower",
    commands={},
    acts={
        "epoch_opened": ActType(apply=_open_epoch),
        FINGERPRINT: ActType(apply=_state_fingerprint, noted=False, repeats=False),
    },
)
"""What the tower itself journals. It takes no commands: custodians act through a takeover."""


def note_applied(rows: RowsByKey, position: int) -> None:
    """All acts below `position` are in the registers."""
    rows.put(APPLIED.name, {"journal": "all", "position": position})


def applied(rows: RowsByKey) -> int:
    """The position of the next act to apply; 0 where none was yet."""
    row = rows.get(APPLIED.name, "all")
    position = row["position"] if row else 0
    assert isinstance(position, int)
    return position
