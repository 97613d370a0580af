"""Waiting lists: who moves when seats become free, with all that follows from it. Pure.

A free seat goes to the first in the programme's list who may take it and wishes it more than what
they hold. What that child held becomes free in turn, and so on, until no free seat has anybody who
wants it. The outcome is the same in whatever order free seats are looked at (Blum, Roth and
Rothblum 1997), so nobody gains by being quick.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kulla.services.enrolment.policy.rules import Rules

Seat = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Waiter:
    """A child in a programme's list.

    `order`: the smaller comes first; `pools`: reserved pools to which the child has a claim here.
    """

    child: str
    order: int
    pools: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Move:
    """A child gets a seat; `left` is the one given up for it, None where there was none."""

    child: str
    programme: str
    pool: str
    left: Seat | None


def moves(
    rules: Rules,
    pools: Mapping[str, Sequence[str]],
    free: Mapping[Seat, int],
    lists: Mapping[str, Sequence[Waiter]],
    holds: Mapping[str, Seat],
    choices: Mapping[str, Sequence[str]],
) -> tuple[Move, ...]:
    """All moves, each child's last one alone, in the order of programme and list.

    `pools`: each programme's, in the order in which they are tried; `free`: how many seats of
    (programme, pool) nobody has; `lists`: who waits, by programme, without whoever left the list;
    `holds`: the seats that children keep while they wait; `choices`: by child, best first (with
    siblings moved up, as the grade was settled).
    """
    return _Moving(rules, pools, lists, holds, choices).run(free)


class _Moving:
    def __init__(
        self,
        rules: Rules,
        pools: Mapping[str, Sequence[str]],
        lists: Mapping[str, Sequence[Waiter]],
        holds: Mapping[str, Seat],
        choices: Mapping[str, Sequence[str]],
    ) -> None:
        self._pools = {pool.pool: pool for pool in rules.pools}
        self._tried = pools
        self._choices = choices
        self._first = dict(holds)
        self._holds = dict(holds)
        self._waiters = {
            programme: {waiter.child: waiter for waiter in waiters}
            for programme, waiters in lists.items()
        }
        self._queues: dict[Seat, list[tuple[bool, int, str]]] = {}

    def run(self, free: Mapping[Seat, int]) -> tuple[Move, ...]:
        """Fill free seats, and those that become free by it."""
        open_seats = [seat for seat in sorted(free) for _ in range(free[seat])]
        while open_seats:
            seat = open_seats.pop()
            child = self._next(seat)
            if child is None:
                continue
            if child in self._holds:
                open_seats.append(self._holds[child])
            self._holds[child] = seat
        return tuple(self._moved())

    def _next(self, seat: Seat) -> str | None:
        """The first who may have the seat and wants it; nobody is asked twice in vain."""
        queue = self._queue(seat)
        while queue:
            _, _, child = heapq.heappop(queue)
            if self._wants(child, seat):
                return child
        return None

    def _queue(self, seat: Seat) -> list[tuple[bool, int, str]]:
        if seat not in self._queues:
            programme, pool = seat
            self._queues[seat] = sorted(
                (self._lacks(pool, waiter), waiter.order, waiter.child)
                for waiter in self._waiters.get(programme, {}).values()
                if self._pools[pool].unfilled == "open" or not self._lacks(pool, waiter)
            )
        return self._queues[seat]

    def _lacks(self, pool: str, waiter: Waiter) -> bool:
        return bool(self._pools[pool].priority) and pool not in waiter.pools

    def _wants(self, child: str, seat: Seat) -> bool:
        """Whether the child tries this seat before the one that it holds.

        Of one programme's seats it tries the pools in their order, as the allocation does; so a
        child who may have a reserved seat leaves the open one to others.
        """
        if seat[0] not in self._choices[child]:
            return False
        held = self._holds.get(child)
        if held is None or held[0] not in self._choices[child]:
            return True
        return self._place(child, seat) < self._place(child, held)

    def _place(self, child: str, seat: Seat) -> tuple[int, int]:
        programme, pool = seat
        return self._choices[child].index(programme), self._tried[programme].index(pool)

    def _moved(self) -> Iterator[Move]:
        order = {
            (programme, child): waiter.order
            for programme, waiters in self._waiters.items()
            for child, waiter in waiters.items()
        }
        changed = [child for child, seat in self._holds.items() if self._first.get(child) != seat]
        for child in sorted(
            changed, key=lambda one: (self._holds[one][0], order[self._holds[one][0], one])
        ):
            programme, pool = self._holds[child]
            yield Move(child, programme, pool, self._first.get(child))
