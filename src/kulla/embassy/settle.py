"""Which history was acknowledged, when home is lost and embassies differ.

An act is acknowledged once k of n embassies hold it. So whatever reaches more than n-k of them is
the acknowledged branch: a thief with home's key who feeds fewer embassies another history is
outvoted. This is a pure function of what the reachable embassies hold; custodians act on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from kulla.embassy.errors import NotSettled
from kulla.journal.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True)
class View:
    """What one embassy holds of an epoch's log.

    checkpoint: its mirror checkpoint, both signatures verified; size 0 where it has none.
    root_at:    the root of its own tree at a smaller size, computed over its tiles, with the
                consistency between the two proven by the caller. Raises where tiles are missing.
    """

    embassy: str
    checkpoint: Checkpoint
    root_at: Callable[[int], bytes]

    def holds(self, size: int, root: bytes) -> bool:
        """Whether this embassy's history has this root at `size`."""
        return size <= self.checkpoint.size and self.root(size) == root

    def root(self, size: int) -> bytes:
        """The root of this history at a size up to its own."""
        return self.checkpoint.root if size == self.checkpoint.size else self.root_at(size)

    def shared_with(self, other: View) -> int:
        """How many entries, from the first on, both histories have in common."""
        low, high = 0, min(self.checkpoint.size, other.checkpoint.size)
        if self.root(high) == other.root(high):
            return high
        while high - low > 1:
            middle = (low + high) // 2
            if self.root(middle) == other.root(middle):
                low = middle
            else:
                high = middle
        return low


@dataclass(frozen=True, slots=True)
class Tail:
    """Entries [adopted size, `size`) that an embassy holds beyond what is adopted: evidence."""

    embassy: str
    size: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was settled.

    checkpoint: the adopted size and root; more than n-k embassies hold it.
    holders:    the embassies whose history goes at least so far, the longest first.
    behind:     those on the same branch with less, and how much they hold.
    tails:      who holds more on the same branch.
    forked:     the embassies with another history, and how far each goes.
    certain:    whether so many answered that nothing acknowledged can lie beyond the adopted size,
                even if one that did not answer held it: 2(n-k)+1 of n. Where not, look at `tails`.
    """

    checkpoint: Checkpoint
    holders: tuple[str, ...]
    behind: tuple[Tail, ...]
    tails: tuple[Tail, ...]
    forked: tuple[Tail, ...]
    certain: bool


def settle(views: Sequence[View], n: int, k: int) -> Settlement:
    """The longest history that more than n-k of the embassies in `views` hold.

    An embassy holds what is acknowledged also where a thief went on from there with another
    history than home: so what two histories share before they part counts for both, where so
    many answered that the result is certain.

    `views` are of one origin, one a reachable embassy; n embassies are in the policy, k are a
    quorum. Raises NotSettled where fewer than n-k+1 answered, where no history is held by so many,
    or where two that exclude each other are; then custodians decide with citizens' receipts.
    """
    need = n - k + 1
    if not 0 < k <= n:
        raise NotSettled(f"a quorum of {k} of {n} can't be.", place="policy file")
    if len({view.embassy for view in views}) != len(views) or len(views) > n:
        raise NotSettled(f"{len(views)} views of {n} embassies, or two of the same one.")
    if len({view.checkpoint.origin for view in views}) > 1:
        raise NotSettled("the views are not all of one log.")
    if len(views) < need:
        raise NotSettled(
            f"{len(views)} of {n} embassies answered; {need} are needed.",
            remedy="Reach more embassies, by network or by their folders, then try again.",
        )
    adopted: tuple[Checkpoint, list[View]] | None = None
    certain = len(views) >= 2 * (n - k) + 1
    for goal in _candidates(views, parted=certain):
        holders = [view for view in views if view.holds(goal.size, goal.root)]
        if len(holders) < need:
            continue
        if adopted is None:
            adopted = goal, holders
        elif not any(view.holds(goal.size, goal.root) for view in adopted[1]):
            raise _split(views, adopted[1][0], holders[0])
    if adopted is None:
        raise NotSettled(
            f"no history is held by {need} of the {len(views)} embassies that answered: "
            + _described(views),
            remedy="Reach more embassies; else custodians decide with citizens' receipts.",
        )
    return _settlement(views, *adopted, certain=certain)


def _candidates(views: Sequence[View], *, parted: bool) -> list[Checkpoint]:
    """The ends of all histories, and with `parted` where two of them part, the longest first."""
    found = {view.checkpoint: None for view in views}
    for one, other in combinations(views if parted else (), 2):
        size = one.shared_with(other)
        if 0 < size < min(one.checkpoint.size, other.checkpoint.size):
            found[Checkpoint(one.checkpoint.origin, size, one.root(size))] = None
    return sorted(found, key=lambda checkpoint: checkpoint.size, reverse=True)


def _settlement(
    views: Sequence[View], goal: Checkpoint, holders: Sequence[View], *, certain: bool
) -> Settlement:
    best = holders[0]
    longest_first = sorted(holders, key=lambda view: view.checkpoint.size, reverse=True)
    others = [view for view in views if view not in holders]
    behind = [
        view
        for view in others
        if view.checkpoint.size <= goal.size
        and best.holds(view.checkpoint.size, view.checkpoint.root)
    ]
    return Settlement(
        checkpoint=goal,
        holders=tuple(view.embassy for view in longest_first),
        behind=_tails(behind),
        tails=_tails([view for view in longest_first if view.checkpoint.size > goal.size]),
        forked=_tails([view for view in others if view not in behind]),
        certain=certain,
    )


def _tails(views: Sequence[View]) -> tuple[Tail, ...]:
    return tuple(Tail(view.embassy, view.checkpoint.size) for view in views)


def _split(views: Sequence[View], one: View, other: View) -> NotSettled:
    return NotSettled(
        f"two histories that exclude each other are held by enough embassies, that of "
        f"'{one.embassy}' and that of '{other.embassy}': {_described(views)}",
        remedy="Custodians decide with citizens' receipts; keep all folders as they are.",
    )


def _described(views: Sequence[View]) -> str:
    return "; ".join(
        f"{view.embassy} size {view.checkpoint.size} root {view.checkpoint.root.hex()[:12]}"
        for view in views
    )
