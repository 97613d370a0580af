"""The keeper in one process, over its folder."""

from __future__ import annotations

import fcntl
import hmac
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from kulla.keeper import folder as files
from kulla.keeper.adoption import resumed
from kulla.keeper.errors import (
    AskMalformed,
    BlobBroken,
    KeeperFolderInvalid,
    OpeningNotLogged,
    SealBroken,
    UnknownSubject,
    ValueTooLong,
)
from kulla.keeper.port import ENROL_MAX, FIELDS_MAX, NAMES_MAX, Adopted, Enrolled
from kulla.keeper.sealing import KEY_BYTES, NONCE_BYTES, nonce_once, open_value, seal_value
from kulla.keeper.store import KeyRow, KeyStore
from kulla.keeper.wrapping import MasterKey, RecoveryPrivate, RecoveryPublic, blob_name
from kulla.kernel.edges import Clock, Entropy

log = structlog.get_logger()

REASON_MAX = 200
TOKEN_CHARS_MAX = 1000
_SUBJECT_BYTES = 16
_UNWRAPPED_MAX = 20_000
_ADOPT_AT_ONCE = 1000


class LocalKeeper:
    """See kulla.keeper.port.Keeper. The only keeper on its folder, as long as it is open.

    Keys that were used lately stay unwrapped in memory (20,000 of them): whoever can read this
    process's memory has them.
    """

    def __init__(self, folder: Path, clock: Clock, entropy: Entropy) -> None:
        """Raises KeeperFolderInvalid where the folder is not whole or another keeper runs on it."""
        master = files.read(folder, files.MASTER_KEY)
        if len(master) != KEY_BYTES:
            raise KeeperFolderInvalid(
                f"a master key has {KEY_BYTES} bytes.", place=str(folder / files.MASTER_KEY)
            )
        self._lock = _locked(folder)
        self._clock = clock
        self._entropy = entropy
        self._master = MasterKey(master)
        self._recovery = RecoveryPublic(files.read(folder, files.RECOVERY_PUBLIC))
        self._index_key = files.read(folder, files.INDEX_KEY)
        self._store = KeyStore(folder / files.KEYS)
        self._openings = os.open(
            folder / files.OPENINGS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        self._cipher = lru_cache(maxsize=_UNWRAPPED_MAX)(self._unwrapped)
        self._adoption = resumed(folder, self._master, self._store, self._row)

    def close(self) -> None:
        """Let go of the folder."""
        self._cipher.cache_clear()
        if self._adoption is not None:
            self._adoption.close()
        self._store.close()
        os.close(self._openings)
        os.close(self._lock)

    def enrol(self, count: int) -> list[Enrolled]:
        """See Keeper."""
        if not 1 <= count <= ENROL_MAX:
            raise AskMalformed(f"at most {ENROL_MAX} subjects are made at once, and at least 1.")
        rows = []
        for _ in range(count):
            subject = self._entropy.random_bytes(_SUBJECT_BYTES).hex()
            key = self._entropy.random_bytes(KEY_BYTES)
            rows.append(self._row(subject, key, self._recovery.wrap(subject, key)))
        self._store.add(rows)
        return [Enrolled(row.subject, row.name, row.blob) for row in rows]

    def seal(
        self, subject: str, fields: Mapping[str, str], purpose: str, once: bytes = b""
    ) -> dict[str, bytes]:
        """See Keeper."""
        _check_count(fields)
        cipher = self._cipher(subject)
        sealed: dict[str, bytes] = {}
        for field, value in fields.items():
            place = {"subject": subject, "purpose": purpose, "field": field}
            if once:
                nonce = nonce_once(cipher, once, value, **place)
            else:
                nonce = self._entropy.random_bytes(NONCE_BYTES)
            sealed[field] = seal_value(cipher, nonce, value, **place)
        return sealed

    def open(
        self, subject: str, sealed: Mapping[str, bytes], purpose: str, asker: str, reason: str
    ) -> dict[str, str]:
        """See Keeper."""
        _check_count(sealed)
        if not 0 < len(reason) <= REASON_MAX or not 0 < len(asker) <= REASON_MAX:
            raise AskMalformed(
                f"an opening says who asks and why, each in 1 to {REASON_MAX} characters."
            )
        cipher = self._cipher(subject)
        about = {"subject": subject, "purpose": purpose, "asker": asker, "reason": reason}
        try:
            opened = {
                field: open_value(cipher, value, subject=subject, purpose=purpose, field=field)
                for field, value in sealed.items()
            }
        except SealBroken as error:
            log.warning("sealed field does not open", field=error.place, **about)
            raise
        self._note_opening({**about, "fields": sorted(sealed), "at_ms": self._clock.now_ms()})
        log.info("opened", **about)
        return opened

    def token(self, column: str, value: str) -> bytes:
        """See Keeper."""
        if not column or not value:
            raise AskMalformed("a token is made of a column and a value.", place="token")
        if len(value) > TOKEN_CHARS_MAX:
            raise ValueTooLong(f"a value has at most {TOKEN_CHARS_MAX} characters.", place=column)
        key = hmac.digest(self._index_key, b"kulla index v1\0" + column.encode(), "sha256")
        return hmac.digest(key, value.encode(), "sha256")

    def wrapped(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """See Keeper."""
        if len(names) > NAMES_MAX:
            raise AskMalformed(f"at most {NAMES_MAX} blobs are given at once.")
        found = self._store.blobs(names)
        if self._adoption is not None and len(found) < len(names):
            found.update(self._adoption.blobs([name for name in names if name not in found]))
        return found

    def go_on_adopting(self) -> bool:
        """Adopt some of the keys that wait since a takeover, durably; False when none is left."""
        return self._adoption is not None and self._adoption.go_on()

    def adopt(self, recovery_private: bytes, blobs: Iterable[bytes]) -> Adopted:
        """See Keeper."""
        recovery = RecoveryPrivate(recovery_private)
        refused: list[bytes] = []
        waiting = iter(blobs)
        while some := list(islice(waiting, _ADOPT_AT_ONCE)):
            refused += self._adopt_some(recovery, some)
        if refused:
            log.warning("wrapped keys refused", count=len(refused))
        return Adopted(self._store.count(), tuple(refused))

    def _adopt_some(self, recovery: RecoveryPrivate, blobs: Sequence[bytes]) -> list[bytes]:
        refused: list[bytes] = []
        by_name = {blob_name(blob): blob for blob in blobs}
        known = self._store.blobs(list(by_name))
        fresh: dict[str, KeyRow] = {}
        for name, blob in by_name.items():
            if name in known:
                continue
            try:
                subject, key = recovery.unwrap(blob)
            except BlobBroken:
                refused.append(name)
                continue
            if subject in fresh or self._store.at_home(subject) is not None:
                refused.append(name)
                continue
            fresh[subject] = self._row(subject, key, blob)
        self._store.add(fresh.values())
        return refused

    def _row(self, subject: str, key: bytes, blob: bytes) -> KeyRow:
        at_home = self._master.wrap(subject, key, self._entropy.random_bytes(NONCE_BYTES))
        return KeyRow(subject, at_home, blob_name(blob), blob)

    def _unwrapped(self, subject: str) -> AESGCMSIV:
        wrapped = self._store.at_home(subject)
        if wrapped is None and self._adoption is not None:
            key = self._adoption.key_of(subject)
            if key is not None:
                return AESGCMSIV(key)
            wrapped = self._store.at_home(subject)  # it may have been adopted just now
        if wrapped is None:
            raise UnknownSubject(
                "the keeper holds no key for this subject.",
                place=subject,
                remedy="Enrol the person again, or adopt their key from the embassies.",
            )
        return AESGCMSIV(self._master.unwrap(subject, wrapped))

    def _note_opening(self, about: Mapping[str, object]) -> None:
        """Append one line. It survives this process; a power cut may take the last seconds."""
        line = json.dumps(about, sort_keys=True).encode() + b"\n"
        try:
            written = os.write(self._openings, line)
        except OSError as error:
            raise _not_logged(error.strerror or "") from error
        if written != len(line):
            raise _not_logged("the disk is full")


def _not_logged(why: str) -> OpeningNotLogged:
    return OpeningNotLogged(
        f"the opening could not be logged ({why}), so nothing was opened.",
        place=files.OPENINGS,
        remedy="Free space on the keeper's disk.",
    )


def _check_count(fields: Mapping[str, object]) -> None:
    if len(fields) > FIELDS_MAX:
        raise AskMalformed(f"at most {FIELDS_MAX} fields are sealed or opened at once.")


def _locked(folder: Path) -> int:
    descriptor = os.open(folder / files.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise KeeperFolderInvalid(
            "another keeper runs on this folder.",
            place=str(folder),
            remedy="Stop it first: `kulla status` shows what runs.",
        ) from error
    return descriptor
