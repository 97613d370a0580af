"""Rebuild: the chain of epochs, from whichever embassies still hold it, into fresh registers.

Entries are read from one source and verified against the settled root; where a source fails (a tile
is missing or false, a line breaks), the next one goes on from the same entry. What is verified is
also written to the new home's own journal, so that it can prove old acts and help laggards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

from kulla.journal.entries import JournalKey, Opener
from kulla.journal.epochs import EPOCH_OPENED, SERVICE, EpochOpened, parse_epoch_opened
from kulla.journal.policy_file import PolicyFile
from kulla.journal.store import TileStore
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Table
from kulla.kernel.service import Authority, Service
from kulla.rebuild.beside import opened_entries
from kulla.rebuild.hashing import TotalsBeside
from kulla.rebuild.reading import EpochPlan, SourcesExhausted, read_verified
from kulla.rebuild.replay import LONG_ACTS, NamesShelf, Replay, Replayed
from kulla.registers.fingerprint import FingerprintKey

__all__ = ["EpochPlan", "RegistersAhead", "SourcesExhausted", "read_opening", "rebuild_registers"]


class RegistersAhead(KullaError):
    """The registers hold acts that the history to be replayed does not have."""


def read_opening(plan: EpochPlan, keys: Mapping[bytes, JournalKey]) -> EpochOpened | None:
    """What the first act of an epoch says of the epoch before; None for an empty log.

    Raises JournalError where the first entry is not such an act.
    """
    from kulla.journal.entries import parse_act

    for _, entries in read_verified(plan, 0):
        opened = Opener(plan.origin, keys).open(entries[0], place="entry 0")
        act = parse_act(opened.plaintext, plan.base)
        if (act.service, act.name) != (SERVICE, EPOCH_OPENED):
            raise KullaError(
                "the first act of a later epoch must say what it adopted; this one does not.",
                place=f"{plan.origin} entry 0",
                remedy="Keep all folders as they are and ask the custodians.",
            )
        return parse_epoch_opened(act.data, place="entry 0")
    return None


def rebuild_registers(
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    connection: sqlite3.Connection,
    tables: Iterable[Table],
    services: Mapping[str, Service],
    *,
    own_store: Callable[[str], TileStore] | None = None,
    shelf: NamesShelf | None = None,
    progress: Callable[[int], None] = lambda _: None,
    go_on: bool = False,
    authority: Authority | None = None,
    fingerprint_key: FingerprintKey | None = None,
    policies: Sequence[PolicyFile] = (),
) -> Replayed:
    """Replay the epochs of `plans`, oldest first, into the registers behind `connection`.

    `own_store` gives the new home's own tile store of an origin, to which verified entries are
    copied. `shelf` is told the blobs that entries name, as they come. `progress` is told positions.
    With `fingerprint_key` the journal's fingerprints are compared. `policies` are trusted versions,
    whose custodians may have undone acts. A rebuild that was stopped goes on where it was. Raises
    SourcesExhausted, EntryDoesNotFit, PolicyMissing, RegistersAhead, or what a store raises.
    """
    acts = sum(plan.size for plan in plans)
    with ExitStack() as stack:
        totals = None
        if fingerprint_key is not None and acts >= LONG_ACTS:
            totals = TotalsBeside(fingerprint_key)
            stack.callback(totals.close)
        replay = Replay(
            connection,
            tables,
            services,
            go_on=go_on,
            authority=authority,
            acts=acts,
            fingerprint_key=fingerprint_key,
            totals=totals,
            policies=policies,
        )
        return _replayed(replay, plans, keys, own_store, shelf, progress)


def _replayed(
    replay: Replay,
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    own_store: Callable[[str], TileStore] | None,
    shelf: NamesShelf | None,
    progress: Callable[[int], None],
) -> Replayed:
    end = max((plan.base + plan.size for plan in plans), default=0)
    if replay.position > end:
        raise RegistersAhead(
            f"these registers hold {replay.position} acts, and {end} are to be replayed.",
            remedy="They are of another try that adopted more: begin again with an empty file.",
        )
    for plan in plans:
        start = max(0, replay.position - plan.base)
        if start >= plan.size > 0 and own_store is None:
            continue
        own = own_store(plan.origin) if own_store is not None else None
        with opened_entries(plan, keys, start, own) as (entries, opener):
            replay.run(entries, opener, plan.base, progress, shelf)
    return replay.report
