"""Looks at rounds of school enrolment: what waits for somebody, and what can't be done later."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from kulla.services.enrolment import tables
from kulla.tower.doctor.findings import Finding, Patient, broken, fine, warning

GRACE_S: Final = 3600
"""How long a step may be due before it is called late."""
NEAR_S: Final = 3 * 86_400
"""How long before it closes a round for which no embassy holds a secret is called broken."""
CHECK: Final = "enrolment"
_ROUNDS: Final = (
    f"SELECT r.*, (SELECT count(*) FROM {tables.SECRET} s WHERE s.round = r.id) AS secrets,"  # noqa: S608
    f" (SELECT asked_ms FROM {tables.RUN} u WHERE u.id = r.id) AS asked_ms"
    f" FROM {tables.ROUND} r WHERE r.state NOT IN ('{tables.PREPARED}', '{tables.ENDED}')"
    " ORDER BY r.closes_s, r.id"
)


def rounds(patient: Patient) -> Iterator[Finding]:
    """Each round that is under way: whether its next step is late, or will be impossible."""
    if not patient.home.registers.exists():
        return
    where = f"file:{patient.home.registers}?mode=ro"
    with closing(sqlite3.connect(where, uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            found = connection.execute(_ROUNDS).fetchall()
        except sqlite3.OperationalError:
            return  # registers of an older release
    now_s = patient.clock.now_ms() // 1000
    late = [finding for row in found if (finding := _late(patient, row, now_s)) is not None]
    yield from late
    if not late:
        waits = "no round waits for anybody" if found else "no round is under way"
        yield fine(CHECK, f"{waits}.")


def _late(patient: Patient, row: sqlite3.Row, now_s: int) -> Finding | None:
    """What is wrong with one round, or None."""
    state = row["state"]
    at_home = f"{row['id']} --home {patient.home.folder}"
    if state == tables.PUBLISHED:
        return _published(patient, row, now_s, at_home)
    if state == tables.CLOSED:
        return _closed(row, at_home)
    if state == tables.DRAWN:
        return _drawn(row, now_s, at_home)
    if state == tables.ALLOCATED and now_s >= row["results_s"]:
        says = f"{row['id']}: results are due, and families don't see them yet."
        return warning(CHECK, says, "The ministry opens them on its page of the round.")
    return None


def _published(patient: Patient, row: sqlite3.Row, now_s: int, at_home: str) -> Finding | None:
    """It needs embassies' commitments before it closes, and then to be closed."""
    key, closes_s = row["id"], row["closes_s"]
    wanted = sum(1 for each in patient.policy.embassies if each.statement_key is not None)
    if now_s >= closes_s + GRACE_S:
        says = f"{key}: families can't apply any more, and its list is not closed."
        return warning(CHECK, says, "The ministry closes it on its page of the round.")
    if row["secrets"] >= wanted:
        return None
    says = (
        f"{key}: {row['secrets']} of {wanted} embassies hold a secret for its lottery; what is"
        " missing when the list is closed can't be made up."
    )
    hopeless = not row["secrets"] and now_s > closes_s - NEAR_S
    finding = broken if hopeless else warning
    return finding(CHECK, says, f"kulla enrolment commit {at_home}")


def _closed(row: sqlite3.Row, at_home: str) -> Finding:
    """Its lottery is to be drawn, which takes a commitment from before it closed."""
    key = row["id"]
    if not row["secrets"]:
        says = f"{key}: its list is closed and no embassy had committed, so it can't be drawn."
        return broken(CHECK, says, "Tell the ministry: it has to prepare another round.")
    says = f"{key}: its list is closed, and its lottery is not drawn."
    return warning(CHECK, says, f"kulla enrolment draw {at_home}")


def _drawn(row: sqlite3.Row, now_s: int, at_home: str) -> Finding | None:
    """It is to be allocated before results are due."""
    key, by_hand = row["id"], f"kulla enrolment run {at_home}"
    if row["asked_ms"] and now_s > row["asked_ms"] // 1000 + GRACE_S:
        says = f"{key}: the ministry asked for the allocation, and it is not there."
        return warning(CHECK, says, by_hand)
    if not row["asked_ms"] and now_s >= row["results_s"]:
        return warning(CHECK, f"{key}: results are due, and it is not allocated.", by_hand)
    return None
