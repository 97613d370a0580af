"""How far the journal is confirmed, by what the embassies themselves show.

An act is confirmed once a quorum holds it: the standby replays that much and no more, since it can
never be taken back while the rules hold. (A takeover adopts what more than n-k of the reachable
embassies hold, which is at least that.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kulla.embassy.errors import EmbassyError
from kulla.embassy.settle import View
from kulla.journal.checkpoints import Checkpoint
from kulla.journal.errors import JournalError


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a look at the embassies' checkpoints found.

    checkpoint: the largest size and root that a quorum holds, or None.
    holders:    the embassies whose history goes at least so far, those that stand there first.
    ahead_size: how far the longest of them goes.
    forked:     (embassy, its checkpoint) of those with another history.
    mute:       embassies that can't prove what they say, with the reason.
    """

    checkpoint: Checkpoint | None
    holders: tuple[View, ...] = ()
    ahead_size: int = 0
    forked: tuple[View, ...] = ()
    mute: dict[str, str] = field(default_factory=dict)


def look(
    views: Sequence[View],
    is_quorum: Callable[[Iterable[str]], bool],
    own_root: Callable[[int], bytes | None] = lambda _: None,
) -> Confirmed:
    """How far the log of `views` (one a reachable embassy) is confirmed, and who differs.

    `own_root` gives roots of the history that was confirmed before, where they are at hand: a
    laggard is then compared without asking anybody.
    """
    seeing = _Seeing(own_root)
    for goal in sorted({view.checkpoint for view in views}, key=lambda one: -one.size):
        able = [view for view in views if view.checkpoint.size >= goal.size]
        if goal.size == 0 or not is_quorum(view.embassy for view in able):
            continue
        holders = [view for view in able if seeing.root(view, goal.size) == goal.root]
        if is_quorum(view.embassy for view in holders):
            return _found(goal, holders, views, seeing)
    return Confirmed(None, mute=seeing.mute)


class _Seeing:
    """Roots as embassies prove them; who can't is mute."""

    def __init__(self, own_root: Callable[[int], bytes | None]) -> None:
        self._own_root = own_root
        self.mute: dict[str, str] = {}

    def root(self, view: View, size: int) -> bytes | None:
        """The root of this embassy's history at `size`; None where it can't prove one."""
        if view.embassy in self.mute:
            return None
        try:
            return view.root(size)
        except (EmbassyError, JournalError) as error:
            self.mute[view.embassy] = str(error)
            return None

    def confirmed_root(self, holders: Sequence[View], size: int) -> bytes | None:
        """The root of the confirmed history at a size below the confirmed one."""
        own = self._own_root(size)
        if own is not None:
            return own
        roots = (self.root(view, size) for view in holders)
        return next((root for root in roots if root is not None), None)


def _found(
    goal: Checkpoint, holders: Sequence[View], views: Sequence[View], seeing: _Seeing
) -> Confirmed:
    forked = []
    for view in views:
        if view in holders or view.embassy in seeing.mute:
            continue
        size = view.checkpoint.size
        if size >= goal.size:
            forked.append(view)
            continue
        confirmed = seeing.confirmed_root(holders, size) if size else None
        if confirmed is not None and confirmed != view.checkpoint.root:
            forked.append(view)
    nearest = sorted(holders, key=lambda view: view.checkpoint.size)
    ahead_size = nearest[-1].checkpoint.size
    return Confirmed(goal, tuple(nearest), ahead_size, tuple(forked), seeing.mute)
