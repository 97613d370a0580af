"""One log as an embassy mirrors it: what is pending, what is saved, what it signed for good.

The order of what becomes durable, which every restart relies on:

1. `pending`: a signed checkpoint, proven consistent with the one before it. Only then
2. tiles and bundles of entries, each proven to be in a checkpoint that is or was pending, and whose
   blobs are durable already. Only then
3. `checkpoint`: the log's signature and ours; from here on the answer may go out.

So all entries that are ever saved belong to one history, and saved entries beyond the mirror
checkpoint need no journal of their own: `progress` only says how many there are.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from kulla.embassy.errors import (
    Conflict,
    ForkRefused,
    LogSealed,
    MirrorBroken,
    Refused,
    SealedForAnother,
    SizeConflict,
)
from kulla.embassy.packages import Header, Package
from kulla.embassy.signed import (
    MirrorCheckpoint,
    SignedCheckpoint,
    read_mirror_checkpoint,
    read_signed,
)
from kulla.embassy.tickets import Tickets
from kulla.embassy.write_log import put_and_swap, settle
from kulla.journal import merkle
from kulla.journal.checkpoints import add_signatures, cosign, parse_decimal
from kulla.journal.epochs import Succession, parse_succession
from kulla.journal.errors import JournalError, ProofInvalid, TileMissing
from kulla.journal.merkle import EMPTY_ROOT, node_hash
from kulla.journal.notes import NoteSignature, SigningKey, VerifierKey
from kulla.journal.recent import Recent
from kulla.journal.store import TileStore
from kulla.journal.tiles import ENTRIES, WIDTH, encode_bundle, right_edge, tile_path
from kulla.journal.tree import Tree

PENDING_KEPT: Final = 64
EXCESS_ENTRIES_MAX: Final = 2 * WIDTH
SETTLE_S: Final = 10.0
COSIGN_AGAIN_S: Final = 60
"""A repeated upload is answered with the stored signature; after this long, with a new time."""


class MirroredLog:
    """The state of one log.

    Every method needs `lock`, which callers take; single attributes may be read without it.
    """

    def __init__(
        self, key: VerifierKey, store: TileStore, signer: SigningKey, tickets: Tickets
    ) -> None:
        """Load what `store` holds. Raises MirrorBroken where it contradicts itself."""
        self.key = key
        self.origin = key.name
        self.lock = threading.Lock()
        self.store = store
        self._signer = signer
        self._tickets = tickets
        self._known: Recent[int, SignedCheckpoint] = Recent(PENDING_KEPT)
        self.superseded = False
        self._seen_state: object = None
        self._settled_state: object = None
        self._settled_s = 0.0
        try:
            self.pending = self._load_pending()
            self.mirrored = self._load_mirrored()
            self._progress = _get(store, "progress")
            self.sealed = _get(store, "sealed")
            self.filled = self._load_filled()
            self.tree = self._load_tree()
        except JournalError as error:
            raise MirrorBroken(
                f"what is stored of the log '{self.origin}' can't be used: {error}",
                place=error.place,
                remedy="Keep the folder as it is, and fill a new embassy from the others.",
            ) from error

    def _load_pending(self) -> SignedCheckpoint | None:
        note = _get(self.store, "pending")
        if note is None:
            return None
        signed = read_signed(note, self.key, place="pending")
        self._known.keep(signed.checkpoint.size, signed)
        return signed

    def _load_mirrored(self) -> MirrorCheckpoint | None:
        note = _get(self.store, "checkpoint")
        if note is None:
            return None
        return read_mirror_checkpoint(note, self.key, self._signer.verifier, place="checkpoint")

    def _load_filled(self) -> SignedCheckpoint | None:
        note = _get(self.store, "filled")
        return read_signed(note, self.key, place="filled") if note else None

    def _load_tree(self) -> Tree:
        size = self.mirrored.checkpoint.size if self.mirrored else 0
        saved = parse_decimal(self._progress.decode("ascii", "replace")) if self._progress else 0
        pending = self.pending.checkpoint if self.pending else None
        if pending is None and (self.mirrored or saved):
            raise ProofInvalid("entries without a pending checkpoint.", place="pending")
        filled = self.filled.checkpoint if self.filled else None
        tree = Tree.load(self.store, max(size, saved, filled.size if filled else 0))
        _check_edge(tree)
        if pending and pending.size < max(size, saved):
            raise ProofInvalid("more entries than the pending checkpoint has.", place="pending")
        for known in (pending, self.mirrored and self.mirrored.checkpoint, filled):
            if known and known.size <= tree.size and tree.root_at(known.size) != known.root:
                raise ProofInvalid("tiles and checkpoint do not fit.", place=f"size {known.size}")
        return tree

    @property
    def next_entry(self) -> int:
        """The index of the first entry that is not saved."""
        return self.tree.size

    @property
    def mirrored_size(self) -> int:
        """The size of the mirror checkpoint, 0 before there is one."""
        return self.mirrored.checkpoint.size if self.mirrored else 0

    @property
    def filled_size(self) -> int:
        """How far others filled this log after it was closed; 0 where they did not."""
        return self.filled.checkpoint.size if self.filled else 0

    @property
    def shown(self) -> bytes | None:
        """The checkpoint that readers are shown: ours, or where there is none what was filled."""
        found = self.mirrored or self.filled
        return found.note if found else None

    # add-checkpoint

    def take_checkpoint(
        self, old_size: int, proof: Sequence[bytes], signed: SignedCheckpoint
    ) -> None:
        """Make `signed`, whose signature was verified, the pending checkpoint; durable on return.

        Raises Refused and its children as C2SP tlog-witness says, in its order of checks.
        """
        new = signed.checkpoint
        now = self.pending.checkpoint if self.pending else None
        size, root = (now.size, now.root) if now else (0, EMPTY_ROOT)
        if old_size > new.size:
            raise Refused(400, f"the old size {old_size} is above the new size {new.size}.")
        if old_size != size:
            raise SizeConflict(size)
        if new.size == 0 and new.root != EMPTY_ROOT:
            raise Refused(422, "a log of size 0 has the root of the empty tree.")
        if now and size == new.size and root != new.root:
            raise Refused(422, "this size has another root here.")
        if size in (0, new.size):
            if proof:
                raise Refused(422, f"there is nothing to prove from {size} to {new.size}.")
        else:
            try:
                merkle.verify_consistency(size, root, new.size, new.root, proof)
            except ProofInvalid as error:
                raise Refused(422, f"the log does not grow from {size} so: {error}") from error
        if self.pending is None or self.pending.note != signed.note:
            before = self.pending.note if self.pending else None
            self.store.swap("pending", before, signed.note)
            self.pending = signed
        self._known.keep(new.size, signed)

    def contradiction(self, signed: SignedCheckpoint) -> SignedCheckpoint | None:
        """A checkpoint of ours that can't be of the same history as `signed`, or None.

        It compares with the pending checkpoints that are remembered and with the entries saved.
        """
        new = signed.checkpoint
        same_size = self._known.get(new.size)
        if same_size and same_size.checkpoint.root != new.root:
            return same_size
        if self.pending and new.size <= self.tree.size and self.tree.root_at(new.size) != new.root:
            return self.pending
        return None

    # add-entries

    def begin_upload(self, header: Header) -> SignedCheckpoint:
        """The checkpoint that an upload goes up to. Raises Refused, Conflict or LogSealed."""
        self.check_open()
        if self.pending is None:
            raise Refused(422, "this log has no pending checkpoint: send add-checkpoint first.")
        target = self._find(header)
        if target is None or header.end < self.mirrored_size:
            raise self.conflict(self.pending)
        if header.start > self.next_entry:
            raise self.conflict(target)
        if min(header.end, self.next_entry) - header.start > EXCESS_ENTRIES_MAX:
            raise self.conflict(target)
        return target

    def _find(self, header: Header) -> SignedCheckpoint | None:
        known = self._known.get(header.end)
        if known:
            return known
        if self.mirrored and header.end == self.mirrored_size:
            return SignedCheckpoint(self.mirrored.checkpoint, self.mirrored.note)
        ticket = self._tickets.open(self.origin, header.ticket) if header.ticket else None
        if not ticket or not self.pending or ticket.checkpoint.size != header.end:
            return None
        if ticket.checkpoint.size > self.pending.checkpoint.size:
            return None  # a ticket from a later state than ours: this folder was put back in time
        self._known.keep(header.end, ticket)
        return ticket

    def conflict(self, target: SignedCheckpoint) -> Conflict:
        """The 409 that tells a client to go on from here up to `target`."""
        return Conflict(target.checkpoint.size, self.next_entry, self._tickets.issue(target))

    def authenticate(self, package: Package, target: SignedCheckpoint) -> None:
        """Check by its proof that the package is part of `target`. Raises Refused (422)."""
        span, goal = package.span, target.checkpoint
        leaves = merkle.leaf_hashes(package.entries)
        root = self._subtree_root(span.tile_start, span.start, leaves)
        try:
            merkle.verify_subtree_consistency(
                span.tile_start, span.end, goal.size, root, goal.root, package.proof
            )
        except ProofInvalid as error:
            raise Refused(
                422, f"the entries [{span.start}, {span.end}) are not in the checkpoint: {error}"
            ) from error

    def _subtree_root(self, tile_start: int, start: int, leaves: list[bytes]) -> bytes:
        """The root over our own entries [tile_start, start) and `leaves` behind them."""
        if tile_start == start:
            return merkle.root_of(leaves)
        peaks: list[bytes] = []
        at = tile_start
        while at < start:
            step = 1 << ((start - at).bit_length() - 1)
            peaks.append(self.tree.mth(at, at + step))
            at += step
        for index, leaf in enumerate(leaves, start - tile_start):
            node, bits = leaf, index
            while bits & 1:
                node = node_hash(peaks.pop(), node)
                bits >>= 1
            peaks.append(node)
        root = peaks.pop()
        while peaks:
            root = node_hash(peaks.pop(), root)
        return root

    def save(self, entries: Sequence[bytes]) -> None:
        """Append entries that were authenticated, from `next_entry` on; durable on return."""
        if entries:
            self.store.put(self.tree.grow(entries))

    def note_progress(self) -> None:
        """Remember durably how many entries are saved beyond the mirror checkpoint."""
        new = str(self.next_entry).encode()
        if new != self._progress and self.next_entry > self.mirrored_size:
            self.store.swap("progress", self._progress, new)
            self._progress = new

    def commit(
        self, target: SignedCheckpoint, now_s: int, entries: Sequence[bytes] = ()
    ) -> NoteSignature:
        """Save the last authenticated `entries`, and cosign `target`, which they make complete.

        Entries and mirror checkpoint are durable on return. Raises Conflict where the mirror
        checkpoint is past `target` already, LogSealed, or MirrorBroken where the entries do not
        have the signed root.
        """
        self.check_open()
        goal, before = target.checkpoint, self.mirrored
        if goal.size < self.mirrored_size:
            raise self.conflict(self.pending or target)
        if before and goal.size == self.mirrored_size and now_s < before.at_s + COSIGN_AGAIN_S:
            return before.cosignature
        objects = dict(self.tree.grow(entries))
        if goal.size > self.next_entry or self.tree.root_at(goal.size) != goal.root:
            raise MirrorBroken(
                "the saved entries do not have the root of a checkpoint that was proven.",
                place=f"log '{self.origin}', size {goal.size}",
                remedy="Memory or disk is damaged: fill a new embassy from the others.",
            )
        if goal.size < self.next_entry:
            objects.update(self._edge_of(goal.size))
        # A clock that went back must not make an older size look newer than a larger one.
        at_s = max(now_s, before.at_s if before else 0)
        cosignature = cosign(goal, self._signer, at_s)
        note = add_signatures(target.note, [cosignature])
        put_and_swap(self.store, objects, "checkpoint", before.note if before else None, note)
        self.mirrored = MirrorCheckpoint(goal, note, cosignature, at_s)
        old_size = before.checkpoint.size if before else 0
        if old_size // WIDTH < goal.size // WIDTH:
            self.store.drop(self.tree.superseded(old_size, goal.size))
        return cosignature

    def _edge_of(self, size: int) -> dict[str, bytes]:
        """The partial tiles of a size below `next_entry`, where their full ones are not here."""
        objects: dict[str, bytes] = {}
        for level, index, width in right_edge(size):
            if index < self.next_entry >> (8 * (level + 1)):
                continue
            step = WIDTH**level
            starts = range(index * WIDTH * step, (index * WIDTH + width) * step, step)
            hashes = [self.tree.mth(start, start + step) for start in starts]
            objects[tile_path(level, index, width)] = b"".join(hashes)
            if level == 0:
                entries = self.tree.entries(index * WIDTH, size)
                objects[tile_path(ENTRIES, index, width)] = encode_bundle(entries)
        return objects

    def settle(self, now_s: float) -> None:
        """Let the store put its write log into files; `now_s` is a clock that never goes back."""
        state = (self.pending, self.mirrored, self._progress, self.sealed, self.filled)
        quiet = state == self._seen_state
        self._seen_state = state
        if state != self._settled_state and (quiet or now_s - self._settled_s >= SETTLE_S):
            settle(self.store)
            self._settled_state, self._settled_s = state, now_s

    # the end of an epoch

    def check_open(self) -> None:
        """Raise LogSealed, or Refused (403), where this log's epoch is over for good.

        It is once custodians sealed the log, or signed a policy that names a later one.
        """
        if self.sealed is not None:
            raise LogSealed(self.sealed, place=self.origin)
        if self.superseded:
            raise Refused(403, "the policy names a later log.", place=self.origin)

    def check_seal(self, succession: Succession) -> None:
        """Raise SealedForAnother where the log is sealed for another succession that still counts.

        `succession` was verified against the pinned policy.
        """
        if self.sealed is None or self.superseded:
            return  # where the policy lists the next log, only that log's succession verifies
        digest = parse_succession(self.sealed).digest()
        if digest not in (succession.digest(), *succession.instead):
            raise SealedForAnother(self.sealed, place=self.origin)

    # a closed log that is filled from others

    def check_fill(self, signed: SignedCheckpoint) -> None:
        """Raise Refused unless this log is closed and may be filled up to `signed`.

        What is saved here already must be of the same history.
        """
        if self.sealed is None and not self.superseded:
            raise Refused(409, "this log is open: home brings it.", place=self.origin)
        held = self.contradiction(signed)
        if held:
            raise ForkRefused(409, held.note, place=self.origin)

    def fill(self, entries: Sequence[bytes], *, last: bool) -> None:
        """Append entries of a closed log that were verified against a checkpoint; durable."""
        objects = self.tree.grow(entries)
        if not last:  # partial tiles of sizes that no checkpoint has
            objects = {path: data for path, data in objects.items() if ".p/" not in path}
        self.store.put(objects)

    def note_filled(self, signed: SignedCheckpoint) -> None:
        """Show `signed` as what this log holds from now on; our own key signs nothing. Durable.

        Raises MirrorBroken where the entries do not have its root.
        """
        goal = signed.checkpoint
        if goal.size > self.tree.size or self.tree.root_at(goal.size) != goal.root:
            raise MirrorBroken("what was filled does not have the signed root.", place=self.origin)
        before = self.filled.checkpoint.size if self.filled else self.mirrored_size
        if before < goal.size:
            self.store.swap("filled", self.filled.note if self.filled else None, signed.note)
            self.filled = signed

    def seal(self, statement: bytes) -> None:
        """Refuse the log's key from now on, whatever happens; durable on return."""
        if self.sealed != statement:
            self.store.swap("sealed", self.sealed, statement)
            self.sealed = statement


def fork_refused(status: int, held: SignedCheckpoint) -> ForkRefused:
    """The refusal that shows a client what contradicts him."""
    return ForkRefused(status, held.note, place=held.checkpoint.origin)


def _check_edge(tree: Tree) -> None:
    """The last bundle is written again with every growth: see that it is whole."""
    start = tree.size - tree.size % WIDTH
    leaves = merkle.leaf_hashes(tree.entries(start, tree.size))
    if merkle.root_of(leaves) != tree.mth(start, tree.size):
        raise ProofInvalid("bundle and tile do not fit.", place=f"entries from {start}")


def _get(store: TileStore, name: str) -> bytes | None:
    try:
        return store.get(name)
    except TileMissing:
        return None
