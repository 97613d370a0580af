"""Adoption: a new home's keeper takes over the keys of all people, beside its work.

To unwrap one takes a tenth of a millisecond; those of a million people at once would keep the doors
shut for minutes. So the keeper has the recovery key for a time: a key that somebody needs is
unwrapped at once, the others in lots, in the journal's order, and when the last one is done the
recovery key is removed. A keeper that is killed goes on where its own file of keys says it was: the
recovery key lies in its folder meanwhile, sealed under the master key (docs/THREATS.md says what
that costs).

Whose key a blob holds shows only when it is unwrapped, and anybody who knows the public recovery
key can make one. So of the blobs that acts claim for a subject, the first one that holds a key of
that very subject counts; on demand and in the background the same. A blob for which no act says
whose it is comes after all others.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from kulla.keeper.errors import BlobBroken
from kulla.keeper.folder import RECOVERY_SEALED
from kulla.keeper.store import KeyRow, KeyStore
from kulla.keeper.waiting import WAITING, Waiting, WaitingKeys
from kulla.keeper.wrapping import MasterKey, RecoveryPrivate
from kulla.kernel.durable import sync_folder
from kulla.kernel.errors import KullaError

log = structlog.get_logger()

LOT = 50
AFTER_S = 10.0
"""After a start people wait at the doors; those whose keys they need are unwrapped at once."""
_AFTER_FAULT_S = 10.0


class Adoption:
    """The keys that wait in one keeper's folder. Safe to call from any thread."""

    def __init__(
        self,
        folder: Path,
        recovery: RecoveryPrivate,
        store: KeyStore,
        row: Callable[[str, bytes, bytes], KeyRow],
    ) -> None:
        """`row` wraps (subject, key, blob) for the store. See `resumed`."""
        self._folder = folder
        self._recovery: RecoveryPrivate | None = recovery
        self._store = store
        self._row = row
        self._waiting = WaitingKeys(folder / WAITING)
        self._lock = threading.Lock()
        self._at, self._claimed = 0, True
        self._refused = 0

    def key_of(self, subject: str) -> bytes | None:
        """The subject's key, unwrapped now; None where no blob that waits here holds it."""
        with self._lock:
            if self._recovery is None:
                return None
            for waiting in self._waiting.of_subject(subject):
                found = self._unwrapped(self._recovery, waiting)
                if found is not None:
                    return found[1]
        return None

    def blobs(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Those of the named blobs that wait here: embassies may still ask for them."""
        with self._lock:
            return {} if self._recovery is None else self._waiting.blobs(names)

    def go_on(self, count: int = LOT) -> bool:
        """Adopt the next `count` keys, durably; False when all are done and the key is removed."""
        with self._lock:
            if self._recovery is None:
                return False
            lot = self._waiting.after(self._at, count, claimed=self._claimed)
            if lot:
                self._adopt(self._recovery, lot)
                self._at = lot[-1].number
            elif self._claimed:
                self._at, self._claimed = 0, False
            else:
                self._finish()
            return self._recovery is not None

    def close(self) -> None:
        """Let go of the file; what is left goes on with the next start."""
        with self._lock:
            if self._recovery is not None:
                self._recovery = None
                self._waiting.close()

    def _adopt(self, recovery: RecoveryPrivate, lot: Sequence[Waiting]) -> None:
        fresh: dict[str, KeyRow] = {}
        for waiting in lot:
            if waiting.subject and self._has(waiting.subject, fresh):
                continue
            found = self._unwrapped(recovery, waiting)
            if found is not None and not self._has(found[0], fresh):
                fresh[found[0]] = self._row(*found, waiting.blob)
        self._store.add(fresh.values())

    def _has(self, subject: str, fresh: dict[str, KeyRow]) -> bool:
        return subject in fresh or self._store.at_home(subject) is not None

    def _unwrapped(self, recovery: RecoveryPrivate, waiting: Waiting) -> tuple[str, bytes] | None:
        """The subject and key of a blob, where it holds what is claimed of it."""
        try:
            subject, key = recovery.unwrap(waiting.blob)
        except BlobBroken:
            self._refused += 1
            return None
        if waiting.subject in ("", subject):
            return subject, key
        self._refused += 1
        return None

    def _finish(self) -> None:
        """Forget the recovery key first, then the blobs, which are in the store now."""
        _shred(self._folder / RECOVERY_SEALED)
        self._recovery = None
        missing = self._waiting.forget_given()
        self._waiting.close()
        if not missing:
            for end in ("", "-wal", "-shm"):
                (self._folder / f"{WAITING}{end}").unlink(missing_ok=True)
            sync_folder(self._folder)
        log.info(
            "keys adopted", subjects=self._store.count(), refused=self._refused, missing=missing
        )


def resumed(
    folder: Path, master: MasterKey, store: KeyStore, row: Callable[[str, bytes, bytes], KeyRow]
) -> Adoption | None:
    """The adoption that is under way in a keeper's folder, or None.

    Raises KeeperFolderInvalid, RecoveryKeyInvalid where what lies there is damaged.
    """
    sealed = folder / RECOVERY_SEALED
    if not sealed.exists():
        return None
    if not (folder / WAITING).exists():
        # The last adoption was cut off between its last two steps.
        _shred(sealed)
        return None
    recovery = RecoveryPrivate(master.take_out(sealed.read_bytes()))
    return Adoption(folder, recovery, store, row)


def adopt_all(
    go_on: Callable[[], bool],
    stopping: threading.Event,
    pause_s: float = 0.03,
    after_s: float = AFTER_S,
) -> None:
    """Adopt in lots until all is done or `stopping`; most of the time is left to whoever asks."""
    stopping.wait(after_s)
    more = True
    while more and not stopping.wait(pause_s):
        try:
            more = go_on()
        except (KullaError, sqlite3.Error, OSError) as error:
            # Keys that somebody needs are unwrapped all the same.
            log.warning("keys are not adopted just now", error=str(error))
            stopping.wait(_AFTER_FAULT_S)


def _shred(path: Path) -> None:
    """Overwrite a small file and remove it, durably. A disk may keep old blocks all the same."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    sync_folder(path.parent)
