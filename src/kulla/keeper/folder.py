"""The keeper's folder at a home.

    master.key     32 bytes, mode 0600: wraps subjects' keys for daily use
    index.key      32 bytes, mode 0600: keys the tokens of indexes; the recovery kit has it too
    recovery.pub   the public half of the recovery key, to which each new key is wrapped
    keeper.sqlite  the wrapped keys
    openings.log   who had what opened, one JSON object a line; only ever appended to
    keeper.lock    held by the one keeper that runs on the folder
    waiting.sqlite, recovery.sealed   after a takeover, until all keys are adopted: see adoption.py

Whoever copies the whole folder can open what he has copied elsewhere: the master key lies beside
what it wraps. Custody (a key in hardware, or given by custodians at each start) will replace the
file; `MasterKey` is the place.
"""

from __future__ import annotations

import os
from pathlib import Path

from kulla.keeper.errors import KeeperFolderInvalid, RecoveryKeyInvalid
from kulla.keeper.sealing import KEY_BYTES, NONCE_BYTES
from kulla.keeper.wrapping import MasterKey, RecoveryPrivate, RecoveryPublic
from kulla.kernel.durable import sync_folder
from kulla.kernel.edges import Entropy

MASTER_KEY = "master.key"
INDEX_KEY = "index.key"
RECOVERY_PUBLIC = "recovery.pub"
RECOVERY_SEALED = "recovery.sealed"
KEYS = "keeper.sqlite"
OPENINGS = "openings.log"
LOCK = "keeper.lock"


def init(folder: Path, recovery_public: bytes, index_key: bytes, entropy: Entropy) -> None:
    """Make the folder of a new keeper, with a master key of its own; durable on return.

    `index_key` (32 bytes) is the country's: tokens of one home must be found again at the next.

    Raises RecoveryKeyInvalid, and KeeperFolderInvalid where there is a keeper already: a master
    key is never overwritten.
    """
    RecoveryPublic(recovery_public)
    if len(index_key) != KEY_BYTES:
        raise KeeperFolderInvalid(f"an index key has {KEY_BYTES} bytes.", place=INDEX_KEY)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    # The master key comes last: a folder that has one is whole.
    if (folder / MASTER_KEY).exists():
        raise KeeperFolderInvalid(
            "there is a keeper in this folder already.",
            place=str(folder),
            remedy="Use it, or move it away first.",
        )
    _write(folder / RECOVERY_PUBLIC, recovery_public)
    _write(folder / INDEX_KEY, index_key)
    _write(folder / MASTER_KEY, entropy.random_bytes(KEY_BYTES))
    sync_folder(folder.parent)


def let_adopt(folder: Path, recovery_private: bytes, entropy: Entropy) -> None:
    """Give the recovery key to the keeper of this folder for a time, sealed under its master key.

    It adopts the keys of waiting.sqlite when it runs, and removes the recovery key when that is
    done; see kulla.keeper.adoption. Durable on return; asked again, it changes nothing. Raises
    RecoveryKeyInvalid, KeeperFolderInvalid.
    """
    public = RecoveryPrivate(recovery_private).public
    if public != read(folder, RECOVERY_PUBLIC):
        raise RecoveryKeyInvalid(
            "this recovery key is not the one to which this country's keys are wrapped.",
            place=str(folder / RECOVERY_PUBLIC),
            remedy="Take recovery.key and recovery.pub from the same recovery kit.",
        )
    if not (folder / RECOVERY_SEALED).exists():
        locked = MasterKey(read(folder, MASTER_KEY)).lock_up(
            recovery_private, entropy.random_bytes(NONCE_BYTES)
        )
        _write(folder / RECOVERY_SEALED, locked)


def read(folder: Path, name: str) -> bytes:
    """A file of the folder. Raises KeeperFolderInvalid where it is missing."""
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise KeeperFolderInvalid(
            f"this file of the keeper can't be read ({error.strerror}).",
            place=str(folder / name),
            remedy="Make a keeper folder with `kulla init`, or adopt the keys at a new home.",
        ) from error


def _write(path: Path, data: bytes) -> None:
    """Put a small file in its place whole and durable, readable by its owner alone."""
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    half.rename(path)
    sync_folder(path.parent)
