"""Decides conditions from where anchors were found, by sets of events instead of one by one.

What the anchors leave open comes out as undecided, never as false.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from kulla.watch.plan import Compiled, Group, Ints, Reverse, Unsure

Mask: TypeAlias = npt.NDArray[np.bool_]
Answer: TypeAlias = tuple[Mask | bool, Mask | bool]
"""Where it may be true, and where it surely is; one bool where all events are alike."""


class Found:
    """Where each anchor was found in a block.

    anchors, rows: one pair for each find; rows ascend. count: how many anchors there are;
    everything: all rows, ascending.
    """

    def __init__(self, anchors: Ints, rows: Ints, count: int, everything: Ints) -> None:
        order = np.argsort(
            anchors.astype(np.uint16 if count < 1 << 16 else np.int64), kind="stable"
        )
        self._rows = rows[order]
        self.counts: Ints = np.bincount(anchors, minlength=count).astype(np.int64)
        self._starts = np.concatenate(([0], np.cumsum(self.counts)))
        self.everything = everything

    def rows_of(self, anchor: int) -> Ints:
        """The rows in which the anchor stands, ascending."""
        return self._rows[self._starts[anchor] : self._starts[anchor + 1]]

    def within(self, anchor: int, rows: Ints) -> Mask:
        """For each of the rows (ascending), whether the anchor stands there."""
        there = self.rows_of(anchor)
        place = np.searchsorted(there, rows)
        place[place == len(there)] = 0
        mask: Mask = there[place] == rows
        return mask


def decided(compiled: Compiled, found: Found) -> tuple[Ints, Ints]:
    """Rows in which the condition is true, and rows in which only its exact SQL can say."""
    rows = _where(compiled, found)
    if not len(rows):
        return rows, rows
    may, must = _answer(compiled, found, rows)
    sure = _chosen(rows, must)
    if must is may:
        return sure, rows[:0]
    return sure, _chosen(rows, _and(may, _not(must)))


def _chosen(rows: Ints, mask: Mask | bool) -> Ints:
    if isinstance(mask, bool):
        return rows if mask else rows[:0]
    return rows[mask]


def _most(compiled: Compiled, found: Found) -> int:
    """No more rows than this can be true."""
    everything = len(found.everything)
    if isinstance(compiled, Reverse):
        return everything
    if isinstance(compiled, Unsure):
        return everything if compiled.bound is None else _most(compiled.bound, found)
    counts = found.counts[compiled.anchors]
    if compiled.every:
        least = int(counts.min()) if len(counts) else everything
        for part in compiled.parts:
            if not least:
                return 0
            least = min(least, _most(part, found))
        return least
    total = int(counts.sum())
    for part in compiled.parts:
        if total >= everything:
            break
        total += _most(part, found)
    return min(total, everything)


def _where(compiled: Compiled, found: Found) -> Ints:
    """Rows outside of which it can't be true: by the rarest thing that must be there."""
    if isinstance(compiled, Reverse):
        return found.everything
    if isinstance(compiled, Unsure):
        return found.everything if compiled.bound is None else _where(compiled.bound, found)
    if compiled.every:
        return _where_every(compiled, found)
    if _most(compiled, found) >= len(found.everything):
        return found.everything
    present = compiled.anchors[found.counts[compiled.anchors] > 0].tolist()
    parts = [found.rows_of(anchor) for anchor in present]
    parts.extend(_where(part, found) for part in compiled.parts)
    if not parts:
        return found.everything[:0]
    return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))


def _where_every(compiled: Group, found: Found) -> Ints:
    counts = found.counts[compiled.anchors]
    least = int(counts.min()) if len(counts) else len(found.everything)
    best: Compiled | None = None
    for part in compiled.parts:
        if not least:
            break
        most = _most(part, found)
        if most < least:
            least, best = most, part
    if not least:
        return found.everything[:0]
    if best is not None:
        return _where(best, found)
    if not len(counts):
        return found.everything
    return found.rows_of(int(compiled.anchors[int(counts.argmin())]))


def _answer(compiled: Compiled, found: Found, rows: Ints) -> Answer:
    if isinstance(compiled, Reverse):
        may, must = _answer(compiled.part, found, rows)
        if must is may:
            turned = _not(may)
            return turned, turned
        return _not(must), _not(may)
    if isinstance(compiled, Unsure):
        if compiled.bound is None:
            return True, False
        return _answer(compiled.bound, found, rows)[0], False
    return _every(compiled, found, rows) if compiled.every else _either(compiled, found, rows)


def _every(compiled: Group, found: Found, rows: Ints) -> Answer:
    if len(compiled.anchors) and not found.counts[compiled.anchors].all():
        return False, False
    sure: Mask | bool = True
    for anchor in compiled.anchors.tolist():
        sure = _and(sure, found.within(anchor, rows))
    may, must = sure, sure
    for part in compiled.parts:
        if may is False or (not isinstance(may, bool) and not may.any()):
            return False, False
        part_may, part_must = _answer(part, found, rows)
        same = must is may and part_must is part_may
        may = _and(may, part_may)
        must = may if same else _and(must, part_must)
    return may, must


def _either(compiled: Group, found: Found, rows: Ints) -> Answer:
    sure: Mask | bool = False
    for anchor in compiled.anchors[found.counts[compiled.anchors] > 0].tolist():
        sure = _or(sure, found.within(anchor, rows))
    may, must = sure, sure
    for part in compiled.parts:
        part_may, part_must = _answer(part, found, rows)
        same = must is may and part_must is part_may
        may = _or(may, part_may)
        must = may if same else _or(must, part_must)
    return may, must


def _and(one: Mask | bool, two: Mask | bool) -> Mask | bool:
    if isinstance(one, bool):
        return two if one else False
    if isinstance(two, bool):
        return one if two else False
    return one & two


def _or(one: Mask | bool, two: Mask | bool) -> Mask | bool:
    if isinstance(one, bool):
        return True if one else two
    if isinstance(two, bool):
        return True if two else one
    return one | two


def _not(one: Mask | bool) -> Mask | bool:
    return not one if isinstance(one, bool) else ~one
