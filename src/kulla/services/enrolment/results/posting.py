"""From an allocation to the parts in which it is posted. Pure: the same allocation, the same parts.

Each part fits into one journal entry. Its command's id follows from round and number, so a job that
was killed anywhere and runs again posts the same commands, and those that stand are found again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from kulla.kernel.canonical import Value, encode
from kulla.kernel.service import ALLOCATOR, Command
from kulla.services.enrolment import acts
from kulla.services.enrolment.policy.allocate import Allocation
from kulla.services.enrolment.policy.market import pool_of, told_pool
from kulla.services.enrolment.results.policy import TRANSCRIPTS

PART_BYTES_MAX: Final = 56_000
"""Of rows and places; an entry holds 65,535 bytes with its head."""

_HEAD_BYTES: Final = 16

Row = list[Value]


def part_commands(key: str, allocation: Allocation) -> list[Command]:
    """The commands post_results of the round `key`, in their order; none where nobody applied."""
    parts = list(_parts(allocation))
    return [
        _command(
            "post_results",
            key,
            number,
            {"round": key, "part": number, "parts": len(parts), "rows": rows, "places": places},
        )
        for number, (rows, places) in enumerate(parts, 1)
    ]


def finish_command(
    key: str, allocation: Allocation, parts: int, public: bytes, audit: bytes
) -> Command:
    """The command finish_allocation, with the SHA-256 of the two transcripts."""
    seats: list[Value] = [[name, count] for name, count in sorted(kept(allocation).items())]
    data: dict[str, Value] = {
        "round": key,
        "parts": parts,
        "public": hashlib.sha256(public).digest(),
        "audit": hashlib.sha256(audit).digest(),
        "count": len(allocation.market.applicants),
        "placed": allocation.placed,
        "kept": seats,
    }
    return _command("finish_allocation", key, 0, data)


def keep_command(data: dict[str, Value]) -> Command:
    """The command keep_transcript, which brings the file and, with the first, its key."""
    number = (TRANSCRIPTS.index(str(data["kind"])) << 20) + int(str(data["part"]))
    command = _command("keep_transcript", str(data["round"]), number, data)
    names = tuple(one for one in (data["key"], data["blob"]) if isinstance(one, bytes) and one)
    return replace(command, names=names)


def settle_command(name: str, key: str, number: int, data: dict[str, Value]) -> Command:
    """A command of the job that moves lists; `number`: what it saw, so a repeat is the same."""
    return _command(name, key, number, data)


def kept(allocation: Allocation) -> dict[str, int]:
    """By programme the seats that nobody took and that stay with their pool; none: left out."""
    market = allocation.market
    taken = Counter((one.programme, one.pool) for one in allocation.placements.values())
    found: dict[str, int] = {}
    for programme in market.programmes:
        left = sum(
            seats - taken[programme.programme, pool]
            for pool, seats in programme.pools
            if pool_of(market.rules, pool).unfilled == "stay"
        )
        if left > 0:
            found[programme.programme] = left
    return found


def _parts(allocation: Allocation) -> Iterator[tuple[list[Value], list[Value]]]:
    """Results with the places of the same children, as many as fit."""
    rows: list[Value] = []
    places: list[Value] = []
    size = 0
    for row, own in _children(allocation):
        more = len(encode(row)) + sum(len(encode(place)) for place in own)
        if rows and size + more > PART_BYTES_MAX:
            yield rows, places
            rows, places, size = [], [], 0
        rows.append(row)
        places += own
        size += more + _HEAD_BYTES
    if rows:
        yield rows, places


def _children(allocation: Allocation) -> Iterator[tuple[Row, list[Row]]]:
    """Each child's row and places, in the order of commitments.

    A choice counts in the order in which it was tried: the siblings' rule may have moved one up.
    """
    rules = allocation.market.rules
    orders = {
        (programme, child): order
        for programme, waiting in allocation.waiting.items()
        for order, child in enumerate(waiting, 1)
    }
    for applicant in allocation.market.applicants:
        child = applicant.applicant
        placed, wishes = allocation.placements[child], allocation.wishes[child]
        tried = {wish.programme: place for place, wish in enumerate(wishes, 1)}
        choice = tried[placed.programme] if placed.programme else 0
        pool = told_pool(rules, placed.pool) if placed.pool else ""
        own: list[Row] = [
            [wish.programme, child, orders[wish.programme, child], tried[wish.programme]]
            for wish in wishes
            if (wish.programme, child) in orders
        ]
        yield [child, placed.programme, pool, choice], own


def _command(name: str, key: str, number: int, data: dict[str, Value]) -> Command:
    marked = encode(["kulla enrolment", name, key, number])
    return Command(acts.SERVICE_NAME, name, hashlib.sha256(marked).digest()[:16], ALLOCATOR, data)
