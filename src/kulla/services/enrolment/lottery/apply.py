"""How acts of the lottery change the registers. The same acts always give the same rows.

Rows are reached by key alone and every check comes before the first write. Nothing is verified
here: who doubts a draw checks its evidence, which stands in the registers as it stood in the acts.
"""

from __future__ import annotations

from kulla.kernel.errors import UnfitAct
from kulla.kernel.rows import Row, RowsByKey
from kulla.kernel.service import Act
from kulla.services.enrolment import tables


def secret_committed(rows: RowsByKey, act: Act) -> None:
    """Note the commitment. Raises UnfitAct where the round is not open, or it committed before."""
    data = act.data
    _round_in(rows, act, tables.PUBLISHED)
    key = f"{data['round']}-{data['embassy']}"
    if rows.get(tables.SECRET, key) is not None:
        raise _unfit(act, f"{data['embassy']} committed before")
    rows.put(
        tables.SECRET,
        {
            "id": key,
            "round": data["round"],
            "embassy": data["embassy"],
            "commitment": data["commitment"],
            "escrow": data["escrow"],
            "statement": data["statement"],
            "secret": None,
            "told_by": "",
            "evidence": None,
            "committed": act.position,
            "position": act.position,
        },
    )


def seed_drawn(rows: RowsByKey, act: Act) -> None:
    """Note the secrets and the seed. Raises UnfitAct where the list is not closed."""
    data = act.data
    row = _round_in(rows, act, tables.CLOSED)
    told = []
    for embassy, secret, by, evidence in data["secrets"]:
        kept = rows.get(tables.SECRET, f"{data['round']}-{embassy}")
        if kept is None:
            raise _unfit(act, f"{embassy} did not commit")
        told.append(kept | {"secret": secret, "told_by": by, "evidence": evidence})
    for kept in told:
        rows.put(tables.SECRET, kept | {"position": act.position})
    rows.put(
        tables.DRAW,
        {
            "round": data["round"],
            "closed": data["closed"],
            "size": data["size"],
            "root": data["root"],
            "seed": data["seed"],
            "drawn_ms": act.at_ms,
            "position": act.position,
        },
    )
    drawn = {"state": tables.DRAWN, "seed": data["seed"], "position": act.position}
    rows.put(tables.ROUND, row | drawn)


def _round_in(rows: RowsByKey, act: Act, state: str) -> Row:
    row = rows.get(tables.ROUND, act.data["round"])
    if row is None:
        raise _unfit(act, f"there is no round {act.data['round']}")
    if row["state"] != state:
        raise _unfit(act, f"the round {row['id']!s} is {row['state']!s}, not {state}")
    return row


def _unfit(act: Act, why: str) -> UnfitAct:
    return UnfitAct(
        f"{act.service}.{act.name} does not fit the register: {why}.",
        place=f"act {act.position}",
        remedy="Compare the acts before it with the register, or rebuild.",
    )
