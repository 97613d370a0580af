"""Filling an embassy's closed epochs from others: a new one's, or one's that was away.

What is copied is verified in three ways: the policy names the log and its key signed the
checkpoint; a quorum of embassies cosigned that checkpoint, or more than n-k of them hold that
history, closed, which is what a takeover adopts; and every entry is proven to be in it. Our own
mirror key signs nothing: the embassy shows the checkpoint of the others as what it was filled with.
What it holds already must be of the same history, or nothing is done.

The newest epoch is home's to bring: its couriers do, from the first entry on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from kulla.embassy.client import BLOB_BYTES_AT_ONCE
from kulla.embassy.errors import EmbassyError, NotSettled, Refused
from kulla.embassy.mirror import Mirror
from kulla.embassy.mirrored_log import MirroredLog
from kulla.embassy.signed import SignedCheckpoint
from kulla.embassy.upload import names_of
from kulla.journal.checkpoints import add_signatures, verify_signed
from kulla.journal.errors import JournalError
from kulla.journal.merkle import verify_consistency
from kulla.journal.notes import VerifierKey, parse_note
from kulla.journal.policy_file import PolicyFile, parse_policy
from kulla.journal.tiles import WIDTH
from kulla.journal.tree import Tree
from kulla.kernel.errors import KullaError
from kulla.rebuild.history import settle_log
from kulla.rebuild.reading import EpochPlan, read_verified
from kulla.rebuild.sources import FillableSource, Source, tiles_of
from kulla.tower.policies.earlier import older_policies

log = structlog.get_logger("kulla.embassy")

BUNDLES_AT_ONCE = 32
BLOBS_AT_ONCE = 1000

Progress = Callable[[str, int, int], None]


class NothingVouches(KullaError):
    """No source shows a checkpoint of a closed log that enough embassies stand for."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of one closed log: entries held before and now, and blobs that no source had."""

    origin: str
    before: int
    size: int
    blobs: int
    blobs_missing: int


def bring_policies(mirror: Mirror, sources: Sequence[FillableSource]) -> int:
    """Move the embassy on, version by version, to the newest policy that sources show; its number.

    Each version must follow the pinned one as custodians signed it.
    """
    while True:
        wanted = mirror.policy.version + 1
        for source in sources:
            data = _version(source, wanted)
            if data is not None and mirror.set_policy(data).status == 200:
                break
        else:
            return mirror.policy.version


def _version(source: FillableSource, version: int) -> bytes | None:
    try:
        newest = source.policy()
        if newest is None or parse_policy(newest).version < version:
            return None
        return newest if parse_policy(newest).version == version else source.policy(version)
    except KullaError as error:
        log.warning("source shows no policy", source=source.name, error=str(error))
        return None


def fill_closed(
    mirror: Mirror, sources: Sequence[FillableSource], progress: Progress = lambda *_: None
) -> list[Filled]:
    """Fill every closed log of the pinned policy, as far as sources vouch for it.

    Raises NothingVouches where no source has one that is not empty here, ForkRefused where what is
    held here contradicts the others, SourcesExhausted, or what the stores raise.
    """
    versions = trusted_versions(mirror.policy, sources)
    mirror.keep_policies(versions[1:])
    filled = []
    for known in mirror.policy.logs[:-1]:
        held = mirror.log(known.key.name)
        assert held is not None
        shown = notes_shown(sources, known.key)
        have = max(held.mirrored_size, held.filled_size)
        if max((size for size, _ in shown), default=0) <= have:
            if have:
                filled.append(Filled(known.key.name, have, have, 0, 0))
            continue
        goal = vouched(shown, sources, versions, known.key)
        filled.append(_fill(mirror, held, goal, sources, progress))
    return filled


def trusted_versions(policy: PolicyFile, sources: Iterable[FillableSource]) -> list[PolicyFile]:
    """The pinned policy and those before it, as far back as each is vouched for by the one after.

    An earlier version counts where enough custodians of the one after it signed it: so embassies
    that have gone since still vouch for what they cosigned.
    """
    shown = list(sources)

    def show(version: int) -> Iterator[bytes]:
        for source in shown:
            try:
                data = source.policy(version)
            except KullaError as error:
                log.warning("source can't say", source=source.name, error=str(error))
                continue
            if data:
                yield data

    return [policy, *older_policies(policy, show)]


def notes_shown(
    sources: Sequence[FillableSource], key: VerifierKey
) -> dict[tuple[int, bytes], bytes]:
    """What sources show of a log, by size and root, each with all signatures that were found.

    The log's own signature is verified, the others are not yet.
    """
    shown: dict[tuple[int, bytes], bytes] = {}
    for source in sources:
        try:
            for note in (source.checkpoint(key.name), source.filled(key.name)):
                checkpoint = verify_signed(note, key, place=source.name) if note else None
                if note and checkpoint and checkpoint.size:
                    at = (checkpoint.size, checkpoint.root)
                    more = list(parse_note(note).signatures)
                    shown[at] = add_signatures(shown[at], more) if at in shown else note
        except (EmbassyError, JournalError) as error:
            log.warning("source can't say", source=source.name, error=str(error))
    return shown


def vouched(
    shown: Mapping[tuple[int, bytes], bytes],
    sources: Sequence[Source],
    versions: Sequence[PolicyFile],
    key: VerifierKey,
) -> SignedCheckpoint:
    """The longest of the checkpoints shown that counts. Raises NothingVouches where none does."""
    counting = [at for at, note in shown.items() if _quorum_signed(note, versions)]
    settled = _settled(sources, versions[0], key.name)
    if settled:
        # A history that more than n-k hold: of it the longest that the log's key signed.
        counting += [
            at for at in shown if at[0] <= settled[0] and _leads_to(sources, key.name, at, settled)
        ]
    if not counting:
        raise NothingVouches(
            "too few embassies vouch for what is shown of this closed epoch: "
            + ", ".join(f"{size} entries" for size, _ in sorted(shown)),
            place=key.name,
            remedy="Name more sources, by URL or as folders.",
        )
    best = max(counting)
    note = shown[best]
    return SignedCheckpoint(verify_signed(note, key, place=key.name), note)


def _quorum_signed(note: bytes, versions: Iterable[PolicyFile]) -> bool:
    for policy in versions:
        try:
            policy.check_checkpoint(note)
        except JournalError:
            continue
        return True
    return False


def _settled(
    sources: Sequence[Source], policy: PolicyFile, origin: str
) -> tuple[int, bytes] | None:
    try:
        found = settle_log(sources, policy, origin).checkpoint
    except NotSettled as error:
        log.info("not settled by those that hold it", origin=origin, why=error.message)
        return None
    return found.size, found.root


def _leads_to(
    sources: Sequence[Source], origin: str, at: tuple[int, bytes], goal: tuple[int, bytes]
) -> bool:
    """Whether the log of size and root `at` is the beginning of the one of `goal`: proven.

    Any source's tiles may give the proof.
    """
    if at[0] == 0 or at == goal:
        return True
    if at[0] >= goal[0]:
        return False
    for source in sources:
        try:
            tree = Tree.load(tiles_of(source, origin), goal[0])
            proof = tree.consistency_proof(at[0], goal[0])
            verify_consistency(at[0], at[1], goal[0], goal[1], proof)
        except KullaError:
            continue
        return True
    return False


def _fill(
    mirror: Mirror,
    held: MirroredLog,
    goal: SignedCheckpoint,
    sources: Sequence[FillableSource],
    progress: Progress,
) -> Filled:
    target = goal.checkpoint
    with held.lock:
        held.check_fill(goal)
        start, root = held.tree.size, held.tree.root()
        if target.size <= max(held.mirrored_size, held.filled_size):
            return Filled(target.origin, start, start, 0, 0)
    if start < target.size and not _leads_to(
        sources, target.origin, (start, root), (target.size, target.root)
    ):
        raise NothingVouches(
            f"what is held here, {start} entries, is not proven to be of the same history as the "
            f"{target.size} that others hold.",
            place=target.origin,
            remedy="Keep this folder as it is, name more sources, and tell the custodians.",
        )
    stores = [(source.name, tiles_of(source, target.origin)) for source in sources]
    plan = EpochPlan(target.origin, 0, target.size, target.root, stores)
    waiting: list[bytes] = []
    blobs = missing = 0
    at = start
    for first, entries in read_verified(plan, min(start, target.size)):
        waiting.extend(entries)
        at = first + len(entries)
        last = at >= target.size
        if last or len(waiting) >= BUNDLES_AT_ONCE * WIDTH:
            brought, lost = _bring_blobs(mirror, waiting, sources)
            blobs, missing = blobs + brought, missing + lost
            with held.lock:
                held.fill(waiting, last=last)
            waiting = []
            progress(f"epoch {target.origin}", at, target.size)
    with held.lock:
        held.note_filled(goal)
    if at > start:
        log.info("closed log filled", origin=target.origin, before=start, size=target.size)
    return Filled(target.origin, start, max(start, target.size), blobs, missing)


def _bring_blobs(
    mirror: Mirror, entries: Sequence[bytes], sources: Sequence[Source]
) -> tuple[int, int]:
    """Bring what these entries name and is not here; how many came, and how many nobody has."""
    wanted = mirror.blobs.missing(names_of(entries))
    brought = 0
    for source in sources:
        for start in range(0, len(wanted), BLOBS_AT_ONCE):
            some = wanted[start : start + BLOBS_AT_ONCE]
            try:
                brought += _put(mirror, source.blobs(some))
            except (EmbassyError, Refused) as error:
                log.warning("source gives no blobs", source=source.name, error=str(error))
                break
        wanted = mirror.blobs.missing(wanted)
        if not wanted:
            break
    return brought, len(wanted)


def _put(mirror: Mirror, found: Iterable[tuple[bytes, bytes | None]]) -> int:
    """Keep the blobs that a source gave, lot by lot, since files may be among them; how many."""
    lot: list[bytes] = []
    size = count = 0
    for _, blob in found:
        if blob is None:
            continue
        lot.append(blob)
        size += len(blob)
        count += 1
        if size >= BLOB_BYTES_AT_ONCE:
            mirror.blobs.put(lot)
            lot, size = [], 0
    if lot:
        mirror.blobs.put(lot)
    return count
