"""Which history to rebuild, epoch by epoch.

The newest epoch counts as embassies hold it, each one before it as the next one's first act
adopted it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from kulla.embassy.errors import EmbassyError
from kulla.embassy.settle import Settlement, View, settle
from kulla.journal.checkpoints import Checkpoint, verified_cosigners, verify_signed
from kulla.journal.entries import JournalKey
from kulla.journal.epochs import EpochOpened
from kulla.journal.errors import JournalError, SignatureInvalid
from kulla.journal.merkle import EMPTY_ROOT, verify_consistency
from kulla.journal.policy_file import PolicyFile
from kulla.journal.store import TileStore
from kulla.journal.tree import Tree
from kulla.kernel.errors import KullaError
from kulla.rebuild.chain import EpochPlan, read_opening
from kulla.rebuild.sources import Source, tiles_of

log = structlog.get_logger()


class HistoryUnclear(KullaError):
    """The epochs that embassies hold do not make one chain."""


def view_of(source: Source, policy: PolicyFile, origin: str) -> View:
    """What one embassy holds of a log: its checkpoint with both signatures verified.

    Raises EmbassyError or JournalError where it does not answer or what it says does not verify.
    """
    note = source.checkpoint(origin)
    if note is None:
        return View(source.name, Checkpoint(origin, 0, EMPTY_ROOT), lambda _: EMPTY_ROOT)
    embassy = policy.embassy(source.name)
    known = next((known for known in policy.logs if known.key.name == origin), None)
    if embassy is None or known is None:
        raise HistoryUnclear(f"the policy names no '{source.name}' or no log '{origin}'.")
    checkpoint = verify_signed(note, known.key, place=source.name)
    if not verified_cosigners(note, [embassy.key], place=source.name):
        raise SignatureInvalid("the embassy did not cosign what it shows.", place=source.name)
    return View(source.name, checkpoint, _root_at(source.tiles(origin), checkpoint))


def _root_at(store: TileStore, checkpoint: Checkpoint) -> Callable[[int], bytes]:
    """Roots at smaller sizes, computed over the embassy's tiles and proven to lead to its root."""
    tree: list[Tree] = []

    def root_at(size: int) -> bytes:
        if not tree:
            tree.append(Tree.load(store, checkpoint.size))
        if size == 0:
            return EMPTY_ROOT
        root = tree[0].root_at(size)
        proof = tree[0].consistency_proof(size, checkpoint.size)
        verify_consistency(size, root, checkpoint.size, checkpoint.root, proof)
        return root

    return root_at


def settle_log(
    sources: Sequence[Source], policy: PolicyFile, origin: str, only: Sequence[str] | None = None
) -> Settlement:
    """Settle one epoch's log over the sources that can say; see embassy.settle.

    `only` names the sources whose word counts (those that sealed). Raises NotSettled.
    """
    views: dict[str, View] = {}
    for source in sources:
        if only is not None and source.name not in only:
            continue
        try:
            views[source.name] = _asked_by_name(view_of(source, policy, origin))
        except (EmbassyError, JournalError, HistoryUnclear) as error:
            log.warning("source can't say", source=source.name, origin=origin, error=str(error))
    while True:
        try:
            return settle(list(views.values()), policy.n, policy.quorum_k)
        except _CantSay as error:
            # Its tiles are damaged or false, or it went silent: it must not keep the others from
            # settling. What remains may be too little, and then that is said.
            log.warning("source can't say", source=error.place, origin=origin, error=error.message)
            del views[error.place]


class _CantSay(KullaError):
    """The embassy at `place` does not show what it says it holds."""


def _asked_by_name(view: View) -> View:
    """The view, whose failures say whose they are."""

    def root_at(size: int) -> bytes:
        try:
            return view.root_at(size)
        except (EmbassyError, JournalError) as error:
            raise _CantSay(str(error), place=view.embassy) from error

    return View(view.embassy, view.checkpoint, root_at)


def plan_history(
    sources: Sequence[Source],
    policy: PolicyFile,
    keys: Mapping[bytes, JournalKey],
    newest: Settlement,
    settle_older: Callable[[str], Settlement] | None = None,
) -> list[EpochPlan]:
    """The plan to replay all epochs up to `newest`, oldest first.

    `newest` is the settlement of the newest epoch that counts. An epoch that was left empty says
    nothing of the one before it: there the next epoch's first act counts, and where none is open
    yet, what the embassies hold, as `settle_older` says for an origin; without it, as `sources` do
    where so many answer that nothing acknowledged can lie beyond. Raises HistoryUnclear,
    NotSettled, or what opening an epoch's first entry raises.
    """
    origins = [known.key.name for known in policy.logs]
    number = origins.index(newest.checkpoint.origin)
    ends: list[tuple[str, int, bytes]] = []
    size, root = newest.checkpoint.size, newest.checkpoint.root
    adopted: dict[str, tuple[int, bytes]] = {}
    for at in range(number, -1, -1):
        origin = origins[at]
        ends.append((origin, size, root))
        if at == 0:
            break
        stores = [(source.name, tiles_of(source, origin)) for source in sources]
        opening = read_opening(EpochPlan(origin, 0, size, root, stores), keys) if size else None
        if opening is None and origins[at - 1] in adopted:
            size, root = adopted[origins[at - 1]]
        elif opening is None:
            older = settle_older or partial(_settle_for_certain, sources, policy)
            settled = older(origins[at - 1]).checkpoint
            size, root = settled.size, settled.root
        elif opening.old_origin != origins[at - 1]:
            raise HistoryUnclear(
                f"its first act adopts '{opening.old_origin}', the policy lists "
                f"'{origins[at - 1]}' before it.",
                place=origin,
                remedy="Keep all folders as they are and ask the custodians.",
            )
        else:
            adopted = opening.adopted
            size, root = opening.adopted_size, opening.adopted_root
    plans: list[EpochPlan] = []
    base = 0
    for origin, size, root in reversed(ends):
        stores = [(source.name, tiles_of(source, origin)) for source in sources]
        plans.append(EpochPlan(origin, base, size, root, stores))
        base += size
    return plans


def _settle_for_certain(sources: Sequence[Source], policy: PolicyFile, origin: str) -> Settlement:
    """Settle a log that nobody asked about, so nobody looks at whether it is certain either."""
    settlement = settle_log(sources, policy, origin)
    if not settlement.certain:
        raise HistoryUnclear(
            "the epoch after it was left empty, and too few embassies say how far this one went.",
            place=origin,
            remedy="Reach more embassies, by network or by their folders, then try again.",
        )
    return settlement


def opening_of(plans: Sequence[EpochPlan], succession: bytes) -> EpochOpened:
    """What the first act of a new epoch says that stands on all of `plans`, oldest first.

    `succession` is the custodians' note.
    """
    *earlier, old = plans
    before: list[tuple[str, int, bytes]] = []
    empty = old.size == 0
    for plan in reversed(earlier):
        if not empty:
            break
        before.append((plan.origin, plan.size, plan.root))
        empty = plan.size == 0
    return EpochOpened(old.origin, old.size, old.root, succession, tuple(before))
