"""What the tower itself journals: epochs, fingerprints, undos. It takes no commands.

Custodians sign for what changes rows here: a succession lets an epoch open, an annulment lets an
undo take effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kulla.journal.annulment import (
    ANNULLED,
    ANNULLED_PART,
    CaseAct,
    RowChange,
    UndoneAct,
    hash_of,
    items_of,
    verify_annulment,
)
from kulla.journal.epochs import EPOCH_OPENED, SERVICE, parse_epoch_opened, parse_succession
from kulla.journal.errors import AnnulmentInvalid
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.errors import KullaError, UnfitAct
from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Act, ActType, Service
from kulla.registers.fingerprint import FINGERPRINT
from kulla.registers.own import ANNULLED_COMMAND, ANNULMENT, APPLIED, CASE, EPOCH

TOWER_NAME: Final = SERVICE
HASH_BYTES: Final = 32

NEVER_PUT_RIGHT: Final = frozenset(
    table.name for table in (ANNULLED_COMMAND, ANNULMENT, APPLIED, CASE, EPOCH)
)
"""Tables whose rows no undo changes: they say how the journal stands, undos and all."""

_MOVED: Final = (
    "the undo could not put a row of {table} right: it changed after the undo was planned"
)


def tower_service(policies: Sequence[PolicyFile] = ()) -> Service:
    """The tower's own acts. `policies`: the trusted versions, whose custodians may undo acts.

    Without any, no undo counts.
    """

    def annulled(rows: RowsByKey, act: Act) -> None:
        _begin_annulment(rows, act, policies)

    return Service(
        name=TOWER_NAME,
        commands={},
        acts={
            EPOCH_OPENED: ActType(apply=_open_epoch),
            FINGERPRINT: ActType(apply=_state_fingerprint, noted=False, repeats=False),
            ANNULLED: ActType(apply=annulled, noted=False, repeats=False),
            ANNULLED_PART: ActType(apply=_annul_part, noted=False, repeats=False),
        },
    )


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


def _begin_annulment(rows: RowsByKey, act: Act, policies: Sequence[PolicyFile]) -> None:
    """Note an undo that custodians signed; its parts follow. Raises AnnulmentInvalid, UnfitAct."""
    place = f"position {act.position}"
    match act.data:
        case {"note": bytes(note), "parts": list(hashes), **more} if not more and all(
            isinstance(one, bytes) and len(one) == HASH_BYTES for one in hashes
        ):
            annulment = verify_annulment(note, hashes, policies, place=place)
        case _:
            raise AnnulmentInvalid("this act holds no undo.", place=place)
    if rows.get(ANNULMENT.name, annulment.digest) is not None:
        raise UnfitAct("this undo took effect before.", place=place)
    if annulment.position > act.position:
        raise UnfitAct("this undo was planned on acts that are yet to come.", place=place)
    rows.put(
        ANNULMENT.name,
        {
            "digest": annulment.digest,
            "position": act.position,
            "at_ms": act.at_ms,
            "note": note,
            "parts": b"".join(hashes),
            "done": 0,
            "moved": 0,
        },
    )


def _annul_part(rows: RowsByKey, act: Act) -> None:
    """Let one part of an undo take effect. Raises AnnulmentInvalid, UnfitAct."""
    place = f"position {act.position}"
    match act.data:
        case {"annulment": bytes(digest), "number": int(number), "items": bytes(part), **more} if (
            not more
        ):
            annulment = _next_part(rows, digest, number, part, place)
        case _:
            raise AnnulmentInvalid("this act holds no part of an undo.", place=place)
    moved = 0
    for item in items_of(part, place=place):
        if isinstance(item, RowChange):
            moved += not _put_right(rows, act, item)
        elif isinstance(item, UndoneAct):
            _close_command(rows, act, item.command, item.position, "undone")
        elif isinstance(item, CaseAct):
            _close_command(rows, act, item.command, item.position, "case")
            _list_case(rows, act, item)
    known = annulment["moved"]
    assert isinstance(known, int)
    rows.put(ANNULMENT.name, annulment | {"done": number + 1, "moved": known + moved})


def _next_part(rows: RowsByKey, digest: bytes, number: int, part: bytes, place: str) -> Row:
    """The row of the undo whose next part this is."""
    annulment = rows.get(ANNULMENT.name, digest)
    if annulment is None or annulment["done"] != number:
        raise UnfitAct("this part is of no undo that waits for it.", place=place)
    hashes = annulment["parts"]
    assert isinstance(hashes, bytes)
    start = HASH_BYTES * number
    if hash_of(part) != hashes[start : start + HASH_BYTES]:
        raise UnfitAct("this is not the part that custodians signed.", place=place)
    return annulment


def _put_right(rows: RowsByKey, act: Act, change: RowChange) -> bool:
    """Put the row as it shall be; False where it stands otherwise than was planned.

    That is then a case of the act that it was to be put right for, if there is none yet.
    """
    if change.table in NEVER_PUT_RIGHT:
        raise UnfitAct(
            f"no undo changes the table {change.table}.", place=f"position {act.position}"
        )
    if rows.get(change.table, change.key) != change.before:
        if rows.get(CASE.name, change.about) is None:
            reason = _MOVED.format(table=change.table)
            moved = CaseAct(
                change.about, b"", TOWER_NAME, ANNULLED, act.at_ms, act.actor.subject, reason, ()
            )
            _list_case(rows, act, moved)
        return False
    if change.after is None:
        rows.drop(change.table, change.key)
    else:
        rows.put(change.table, change.after)
    return True


def _close_command(rows: RowsByKey, act: Act, command: bytes, position: int, kind: str) -> None:
    if rows.get(ANNULLED_COMMAND.name, command) is None:
        rows.put(
            ANNULLED_COMMAND.name,
            {"command": command, "position": position, "kind": kind, "listed": act.position},
        )


def _list_case(rows: RowsByKey, act: Act, case: CaseAct) -> None:
    rows.put(
        CASE.name,
        {
            "position": case.position,
            "service": case.service,
            "act": case.act,
            "subject": case.subject,
            "at_ms": case.at_ms,
            "reason": case.reason,
            "listed": act.position,
        },
    )
