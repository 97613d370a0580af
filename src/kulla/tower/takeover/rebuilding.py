"""Registers, journal and wrapped keys of a home to be: as a standby left them, or from none.

There is one path: a takeover that finds nothing replays all, one that finds a standby's folder
replays what is new.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

import kulla.keeper.folder as keeper_folder
from kulla.embassy.errors import EmbassyError
from kulla.journal.entries import JournalKey
from kulla.journal.errors import StoreConflict
from kulla.journal.filestore import FileTileStore
from kulla.journal.policy_file import PolicyFile
from kulla.keeper.waiting import WAITING, WaitingKeys
from kulla.kernel.edges import SystemEntropy
from kulla.rebuild.chain import EpochPlan, RegistersAhead, rebuild_registers
from kulla.rebuild.reading import OwnCopyDiffers
from kulla.rebuild.replay import Replayed
from kulla.rebuild.sources import Source
from kulla.registers.fingerprint import FingerprintKey
from kulla.registers.sqlite import LiveRows, create_tables, open_registers
from kulla.services.accounts.authority import Authority
from kulla.tower.home import Home
from kulla.tower.services import SERVICES, register_tables
from kulla.tower.standby.folder import StandbyFolder

KEYS_AT_ONCE: Final = 4000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeysBrought:
    """How many wrapped keys lie at the new home, and how many no embassy gave."""

    keys: int
    missing: int


def rebuild_home(
    home: Home,
    policies: Sequence[PolicyFile],
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    progress: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Bring a home's registers, its own copy of the journal and its waiting keys up to `plans`.

    `policies` are the trusted versions, the newest first.
    What a standby replayed and these plans do not have is forgotten, and all is replayed. Raises
    what `rebuild_registers` raises.
    """
    standby = StandbyFolder(home.folder)
    if standby.exists:
        standby.finish_forgetting()
    try:
        return _rebuild_home(home, policies, plans, keys, progress)
    except (RegistersAhead, OwnCopyDiffers, StoreConflict) as error:
        if not standby.exists:
            raise
        log.error("what the standby replayed does not count: all is replayed", error=str(error))
        standby.forget_replayed()
        return _rebuild_home(home, policies, plans, keys, progress)


def _rebuild_home(
    home: Home,
    policies: Sequence[PolicyFile],
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    progress: Callable[[int], None],
) -> Replayed:
    stores: list[FileTileStore] = []

    def own_store(origin: str) -> FileTileStore:
        store = FileTileStore(home.journal(origin), create=True)
        stores.append(store)
        return store

    with _waiting(home) as shelf:
        try:
            return rebuild_file(
                home.registers,
                policies[0],
                plans,
                keys,
                policies=policies,
                own_store=own_store,
                shelf=shelf,
                progress=progress,
            )
        finally:
            for store in stores:
                store.close()


def rebuild_file(
    path: Path,
    policy: PolicyFile,
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    **how: Any,
) -> Replayed:
    """Replay `plans` into the register file at `path`, made where it is missing.

    `how` as `rebuild_registers` takes it. Raises what that raises.
    """
    connection = open_registers(path, create=True)
    try:
        begin_registers(connection, policy.logs[0].key.name)
        how["authority"] = Authority(policy.relying_party, ())
        if keys:
            [key] = keys.values()
            how["fingerprint_key"] = FingerprintKey(key.secret)
        return rebuild_registers(plans, keys, connection, register_tables(), SERVICES, **how)
    finally:
        connection.close()


def begin_registers(connection: sqlite3.Connection, first_origin: str) -> None:
    """Make the tables that are not there, and note the first epoch."""
    tables = register_tables()
    create_tables(connection, tables)
    rows = LiveRows(connection, tables)
    if rows.get("kulla_epoch", 1) is None:
        rows.put(
            "kulla_epoch", {"number": 1, "origin": first_origin, "base": 0, "root_before": None}
        )


def bring_keys(
    home: Home,
    sources: Sequence[Source],
    recovery_private: bytes | None,
    progress: Callable[[str, int, int], None],
) -> KeysBrought:
    """Fetch the wrapped keys that are not here yet, and let the home's keeper adopt all of them.

    It does that when it runs, with the recovery key that is given to it for a time (None: it was
    given already). A key that no source holds leaves its subject's personal fields closed, and
    nothing else.
    """
    with _waiting(home) as shelf:
        at, (_, wanted) = 0, shelf.counts()
        done = 0
        while lot := shelf.missing(KEYS_AT_ONCE, at):
            shelf.put(_blobs_of(sources, [name for _, name in lot]))
            at = lot[-1][0]
            done += len(lot)
            progress("personal keys", done, wanted)
        named, missing = shelf.counts()
    if recovery_private is not None:
        keeper_folder.let_adopt(home.keeper, recovery_private, SystemEntropy())
    return KeysBrought(named - missing, missing)


def _blobs_of(sources: Sequence[Source], names: Sequence[bytes]) -> dict[bytes, bytes]:
    """Those of the named blobs that any source gives."""
    found: dict[bytes, bytes] = {}
    for source in sources:
        missing = [name for name in names if name not in found]
        if not missing:
            break
        try:
            found.update((name, blob) for name, blob in source.blobs(missing) if blob is not None)
        except EmbassyError as error:
            log.warning("source failed", source=source.name, error=str(error))
    return found


@contextmanager
def _waiting(home: Home) -> Iterator[WaitingKeys]:
    shelf = WaitingKeys(home.keeper / WAITING, create=True)
    try:
        yield shelf
    finally:
        shelf.close()
