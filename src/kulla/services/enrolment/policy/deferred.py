"""Applicant-proposing deferred acceptance over arrays. Pure.

Gale and Shapley (1962), in the order of McVitie and Wilson: whatever the order of proposals, the
outcome is the one stable assignment that every child likes best. So the masses may propose at once,
in rounds over whole arrays, and the tail one by one.

All proposals of a slot lie side by side in the order in which the slot ranks them, so that a
proposal *is* its position, a slot's cut-off is the position of the last one that it holds, and what
it holds are marks in one array of bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kulla.services.enrolment.policy.arrays import Flags, Ints, Marks, Small

_TAIL = 0.01


@dataclass(slots=True)
class Contest:
    """One market without siblings.

    `offsets` (n+1) by child; by proposal `slot` and `position`; by position `owner`; by slot
    `starts` (s+1) and `capacity`.
    """

    offsets: Ints
    slot: Small
    position: Small
    owner: Small
    starts: Small
    capacity: Small


def contest(offsets: Ints, owner: Small, slot: Small, key: Ints, capacity: Small) -> Contest:
    """Sort each slot's proposals by `key` (unique within a slot, smaller is stronger).

    `slot` may be any numbers; `capacity` is by those numbers.
    """
    order = np.argsort(key)
    sorted_slots = slot[order]
    position = np.empty(len(order), dtype=np.int32)
    position[order] = np.arange(len(order), dtype=np.int32)
    begins = np.flatnonzero(np.diff(sorted_slots, prepend=-1))
    starts = np.append(begins, len(order)).astype(np.int32)
    local_by_position = np.repeat(np.arange(len(begins), dtype=np.int32), np.diff(starts))
    return Contest(
        offsets=offsets,
        slot=local_by_position[position],
        position=position,
        owner=owner[order],
        starts=starts,
        capacity=capacity[sorted_slots[begins]],
    )


def settle(one: Contest) -> Ints:
    """The proposal that each child ends with, -1 for none (n)."""
    count, proposals = len(one.offsets) - 1, len(one.slot)
    upcoming = one.offsets[:-1].copy()
    held = np.zeros(proposals, dtype=np.uint8)
    # A slot takes whatever comes up to its cut-off: without seats nothing, with free ones all.
    cutoff = np.where(one.capacity > 0, one.starts[1:], one.starts[:-1]) - 1
    free = np.flatnonzero(upcoming < one.offsets[1:])
    slot_at = np.repeat(np.arange(len(one.capacity), dtype=np.int32), np.diff(one.starts))
    while len(free) > max(64, int(count * _TAIL)):
        free = _round(one, free, upcoming, held, cutoff, slot_at)
    _tail(one, free, upcoming, held, cutoff)
    result = np.full(count, -1, dtype=np.int64)
    owners = one.owner[np.flatnonzero(held)]
    result[owners] = upcoming[owners] - 1
    return result


def _round(
    one: Contest,
    free: Ints,
    upcoming: Ints,
    held: Marks,
    cutoff: Small,
    slot_at: Small,
) -> Ints:
    """All free children propose at once; who is free after it, and has a proposal left."""
    now = upcoming[free]
    upcoming[free] = now + 1
    position = one.position[now]
    taken: Flags = position <= cutoff[one.slot[now]]
    held[position[taken]] = 1
    # How many are held up to each position: the capacity-th of a slot is its new cut-off.
    running = np.cumsum(held, dtype=np.int32)
    before = np.concatenate((np.zeros(1, np.int32), running))[one.starts]
    full = np.flatnonzero(np.diff(before) >= one.capacity)
    full = full[one.capacity[full] > 0]
    cutoff[full] = np.searchsorted(running, before[full] + one.capacity[full])
    marked = np.flatnonzero(held)
    pushed_out = marked[marked > cutoff[slot_at[marked]]]
    held[pushed_out] = 0
    again: Ints = np.concatenate((free[~taken], one.owner[pushed_out]))
    waits: Flags = upcoming[again] < one.offsets[again + 1]
    return again[waits]


def _tail(
    one: Contest,
    free: Ints,
    upcoming: Ints,
    held: Marks,
    cutoff: Small,
) -> None:
    """The last ones propose one by one; each pushes out at most one, who goes on at once."""
    offsets, slots, positions, owners = map(_view, (one.offsets, one.slot, one.position, one.owner))
    starts, cutoffs, nexts = map(_view, (one.starts, cutoff, upcoming))
    bytes_held = bytearray(held.tobytes())
    running = np.concatenate((np.zeros(1, np.int64), np.cumsum(held, dtype=np.int64)))
    room = (one.capacity - np.diff(running[one.starts])).tolist()
    for first in free.tolist():
        child = first
        while (proposal := nexts[child]) < offsets[child + 1]:
            nexts[child] = proposal + 1
            slot, position = slots[proposal], positions[proposal]
            if position > cutoffs[slot]:
                continue
            bytes_held[position] = 1
            if room[slot] > 0:
                room[slot] -= 1
                if room[slot] == 0:
                    cutoffs[slot] = bytes_held.rfind(1, starts[slot], starts[slot + 1])
                break
            last = cutoffs[slot]
            bytes_held[last] = 0
            cutoffs[slot] = bytes_held.rfind(1, starts[slot], last)
            child = owners[last]
    held[:] = np.frombuffer(bytes_held, dtype=np.uint8)


def _view(array: Any) -> memoryview:
    """An array's cells as Python's own numbers, without the cost of numpy's for each."""
    return memoryview(array)
