"""A tile store that makes many small writes durable with one fdatasync each.

An embassy writes the right edge of a log again with every round: some ten files and folders to
sync, all superseded by the next round. So objects go first into a *write log*: one file of fixed
length, filled with zeros when it is made, to which each write adds one record and waits for
fdatasync. When it is full, or the store is settled or closed, what is still wanted of it is put
into files, each fsynced and its folder too (`FileTileStore`), and the log begins again under the
next number.

    block 0      header: mark, number of this filling, CRC-32
    block 1...   records, each from a new block of 4,096 bytes on, so that no block that was
                 promised is ever written again:
                 mark, filling, place in the filling, length, CRC-32, body
    body         canonical CBOR {"put": {path: bytes}, "swap": {name: bytes}, "drop": [paths]}

Opening reads the records of the current filling up to the first that is not whole: that one was
never promised. A whole record behind a broken one means that a promised one was damaged, which
ends the opening. What can still fail is what can fail in `filestore`.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, cast

from kulla.journal.errors import StoreConflict, StoreFailed, TileMissing
from kulla.journal.filestore import FileTileStore
from kulla.journal.store import TileStore, check_path
from kulla.kernel.canonical import NotCanonical, decode, encode

LOG_BYTES: Final = 16 * 2**20
LOG_NAME: Final = ".write-log"

_BLOCK: Final = 4096
_HEADER: Final = struct.Struct(">8sQI")
_RECORD: Final = struct.Struct(">4sQIII")
_HEADER_MARK: Final = b"kullawl1"
_RECORD_MARK: Final = b"KWLr"
# Larger puts go into files at once: they are whole tiles, and would push the log over its end.
_DIRECT_BYTES: Final = 2**20
_READS_MAX: Final = 10


class CommittingStore(TileStore, Protocol):
    """A store that can put objects and swap one in a single durable step."""

    def settle(self) -> None:
        """Put into files what was made durable elsewhere. Raises StoreFailed."""
        ...

    def commit(self, items: Mapping[str, bytes], name: str, old: bytes | None, new: bytes) -> None:
        """Like `put(items)` and then `swap(name, old, new)`, for the price of one.

        After a crash the swapped object is never there without all of `items`.
        """
        ...


def settle(store: TileStore | CommittingStore) -> None:
    """Let a store that has a write log put it into files."""
    settled = getattr(store, "settle", None)
    if settled:
        settled()


def put_and_swap(
    store: TileStore | CommittingStore,
    items: Mapping[str, bytes],
    name: str,
    old: bytes | None,
    new: bytes,
) -> None:
    """`put`, then `swap`: in one step where the store can."""
    commit = getattr(store, "commit", None)
    if commit:
        commit(items, name, old, new)
    else:
        store.put(items)
        store.swap(name, old, new)


class LoggedTileStore:
    """A TileStore in `folder`, with a write log before its files.

    Opening it for writing takes the folder's lock; closing it leaves plain files and an empty log.
    With `read_only` it reads what a stopped or killed writer left, and a write raises StoreFailed.
    Raises StoreConflict where another writer has the folder, StoreFailed where it can't be opened.
    """

    def __init__(
        self,
        folder: Path,
        *,
        create: bool = False,
        read_only: bool = False,
        log_bytes: int = LOG_BYTES,
    ) -> None:
        self._files = FileTileStore(folder, create=create, read_only=read_only)
        self._path = folder / LOG_NAME
        self._log_bytes = log_bytes
        self._read_only = read_only
        self._writing = threading.Lock()
        self._failure = "the store was opened for reading only" if read_only else ""
        self._fd = -1
        self._filling = 1
        self._records = 0
        self._end = _BLOCK
        self._fresh: dict[str, bytes] = {}
        self._changing: set[str] = set()
        self._dropped: list[str] = []
        try:
            self._open_log()
        except BaseException:
            self._let_go()
            raise

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return self._path.parent

    @property
    def read_only(self) -> bool:
        """Whether it was opened for reading only."""
        return self._read_only

    def __enter__(self) -> LoggedTileStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Put into files what the log holds, and give the lock back; later writes are refused."""
        with self._writing:
            try:
                if self._fd >= 0 and not self._failure:
                    self._empty_log()
            finally:
                self._failure = self._failure or "the store was closed"
                self._let_go()

    def put(self, items: Mapping[str, bytes]) -> None:
        """See TileStore. One fdatasync, or as FileTileStore does from 1 MiB on."""
        for path in items:
            check_path(path)
        with self._writing:
            self._check_writable()
            self._add(self._new_of(items), {})

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """See TileStore. One fdatasync."""
        self.commit({}, name, old, new)

    def commit(self, items: Mapping[str, bytes], name: str, old: bytes | None, new: bytes) -> None:
        """See CommittingStore. One fdatasync for all of it."""
        for path in (*items, name):
            check_path(path)
        with self._writing:
            self._check_writable()
            fresh = self._new_of(items)
            if self._now(name) != old:
                raise StoreConflict(
                    "the object is not what it was when this change was made.",
                    place=f"{self._path.parent}/{name}",
                    remedy="Another process may have changed it. Read it again, then decide.",
                )
            self._add(fresh, {name: new})

    def settle(self) -> None:
        """Put into files what the log holds, so that the folder is one of plain tiles."""
        with self._writing:
            self._check_writable()
            if self._records:
                self._empty_log()

    def get(self, path: str) -> bytes:
        """See TileStore."""
        check_path(path)
        data = self._fresh.get(path)
        return self._files.get(path) if data is None else data

    def drop(self, paths: Iterable[str]) -> None:
        """See TileStore. What is dropped before the log was full never becomes a file."""
        wanted = list(paths)
        for path in wanted:
            check_path(path)
        with self._writing:
            self._check_writable()
            logged = [path for path in wanted if path in self._fresh]
            for path in logged:
                del self._fresh[path]
                self._changing.discard(path)
            self._dropped += logged
            self._files.drop(wanted)

    def names(self, prefix: str) -> list[str]:
        """See TileStore."""
        found = set(self._files.names(prefix))
        found.update(path for path in list(self._fresh) if path.startswith(prefix))
        return sorted(found)

    def _file(self, path: str) -> bytes | None:
        try:
            return self._files.get(path)
        except TileMissing:
            return None

    def _now(self, path: str) -> bytes | None:
        try:
            return self.get(path)
        except TileMissing:
            return None

    def _new_of(self, items: Mapping[str, bytes]) -> dict[str, bytes]:
        """Those of `items` that are not there yet. Raises StoreConflict for other bytes."""
        fresh: dict[str, bytes] = {}
        for path, data in items.items():
            now = self._now(path)
            if now is None:
                fresh[path] = data
            elif now != data:
                raise StoreConflict(
                    "the store holds other bytes under this path.",
                    place=f"{self._path.parent}/{path}",
                    remedy="Bytes of the journal never change: find out who wrote them.",
                )
        return fresh

    def _check_writable(self) -> None:
        if self._failure:
            raise StoreFailed(
                f"the store takes no more writes ({self._failure}).",
                place=str(self._path.parent),
                remedy="End this process; what is there is checked when it starts again.",
            )

    def _add(self, put: dict[str, bytes], swap: dict[str, bytes]) -> None:
        """Make one write durable, then visible."""
        if sum(map(len, put.values())) >= _DIRECT_BYTES:
            if self._dropped:
                # Else a replay would bring back what may have stood under these paths.
                self._append({}, {})
            self._files.put(put)
            put = {}
        if put or swap:
            self._append(put, swap)
            self._fresh.update(put)
            self._fresh.update(swap)
            self._changing.update(swap)

    def _append(self, put: dict[str, bytes], swap: dict[str, bytes]) -> None:
        body = encode({"put": put, "swap": swap, "drop": self._dropped})
        if _BLOCK + _blocks(len(body)) > self._log_bytes:
            raise StoreFailed("an object is too large to change.", place=str(self._path))
        if self._end + _blocks(len(body)) > self._log_bytes:
            self._empty_log()
            body = encode({"put": put, "swap": swap, "drop": []})
        head = _record_head(self._filling, self._records, body)
        try:
            _write_at(self._fd, head + body, self._end)
            os.fdatasync(self._fd)
        except OSError as error:
            raise self._broken(error) from error
        self._records += 1
        self._end += _blocks(len(body))
        self._dropped = []

    def _empty_log(self) -> None:
        """Put what the log holds into files, all of it durable, then begin the next filling."""
        try:
            self._files.put({p: d for p, d in self._fresh.items() if p not in self._changing})
            for name in sorted(self._changing):
                old = self._file(name)
                if old != self._fresh[name]:
                    self._files.swap(name, old, self._fresh[name])
            self._begin_filling(self._filling + 1)
        except StoreFailed as error:
            self._failure = error.message
            raise
        except OSError as error:
            raise self._broken(error) from error
        self._fresh, self._changing, self._dropped = {}, set(), []

    def _begin_filling(self, number: int) -> None:
        _write_at(self._fd, _header(number), 0)
        os.fdatasync(self._fd)
        self._filling, self._records, self._end = number, 0, _BLOCK

    def _open_log(self) -> None:
        try:
            if not self._path.exists():
                if self._read_only:
                    return
                self._make_log()
            flags = os.O_RDONLY if self._read_only else os.O_RDWR
            self._fd = os.open(self._path, flags | os.O_CLOEXEC)
            data = self._whole_log()
        except OSError as error:
            raise self._broken(error) from error
        self._read_log(data)
        if not self._read_only:
            # A killed writer's last record may be seen here and yet not be on the disk: putting
            # everything into files makes what is seen stay.
            self._log_bytes = len(data)
            self._empty_log()

    def _whole_log(self) -> bytes:
        """The bytes of the log; read again where a running writer began anew meanwhile."""
        for _ in range(_READS_MAX):
            data = self._path.read_bytes()
            if not self._read_only or os.pread(self._fd, _HEADER.size, 0) == data[: _HEADER.size]:
                return data
        raise OSError(errno.EBUSY, "a running writer changes it all the time")

    def _make_log(self) -> None:
        temp = self._path.with_name(f"{LOG_NAME}.tmp")
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_at(fd, _header(1) + bytes(self._log_bytes - _HEADER.size), 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        temp.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read_log(self, data: bytes) -> None:
        self._filling = int.from_bytes(data[8:16], "big")
        if data[: _HEADER.size] != _header(self._filling):
            raise self._damaged("its header is damaged")
        for body in self._whole_records(data):
            try:
                record = cast("dict[str, dict[str, bytes]]", decode(body))
                self._replay(record["put"], record["swap"], list(record["drop"]))
            except (NotCanonical, KeyError, TypeError) as error:
                raise self._damaged("a record can't be read") from error

    def _replay(self, put: dict[str, bytes], swap: dict[str, bytes], dropped: list[str]) -> None:
        for path in dropped:
            self._fresh.pop(path, None)
            self._changing.discard(path)
        self._fresh.update(put)
        self._fresh.update(swap)
        self._changing.update(swap)

    def _whole_records(self, data: bytes) -> Iterator[bytes]:
        at, number = _BLOCK, 0
        while (body := _record_at(data, at, self._filling, number)) is not None:
            yield body
            at += _blocks(len(body))
            number += 1
        for later in range(at + _BLOCK, len(data), _BLOCK):
            if data[later : later + 4] == _RECORD_MARK and _is_later(
                data, later, self._filling, number
            ):
                raise self._damaged(f"record {number} is damaged, and later ones are whole")

    def _damaged(self, how: str) -> StoreFailed:
        return StoreFailed(
            f"the write log can't be trusted: {how}.",
            place=str(self._path),
            remedy="Keep the folder as it is; the other copies of the journal are whole.",
        )

    def _broken(self, error: OSError) -> StoreFailed:
        self._failure = f"{error.strerror or error}"
        return StoreFailed(
            f"could not write: {self._failure}.",
            place=str(self._path),
            remedy="Look at the disk and the system log before starting again.",
        )

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._files.close()


def _header(filling: int) -> bytes:
    check = zlib.crc32(_HEADER_MARK + filling.to_bytes(8, "big"))
    return _HEADER.pack(_HEADER_MARK, filling, check)


def _record_head(filling: int, number: int, body: bytes) -> bytes:
    place = struct.pack(">QII", filling, number, len(body))
    return _RECORD.pack(
        _RECORD_MARK, filling, number, len(body), zlib.crc32(body, zlib.crc32(place))
    )


def _record_at(data: bytes, at: int, filling: int, number: int) -> bytes | None:
    """The body of the record that stands whole at `at`, or None."""
    start = at + _RECORD.size
    if start > len(data):
        return None
    length = int.from_bytes(data[at + 16 : at + 20], "big")
    body = data[start : start + length]
    whole = len(body) == length and data[at:start] == _record_head(filling, number, body)
    return body if whole else None


def _is_later(data: bytes, at: int, filling: int, number: int) -> bool:
    """Whether a whole record of this filling with a higher number than `number` stands at `at`."""
    found = int.from_bytes(data[at + 12 : at + 16], "big")
    return found > number and _record_at(data, at, filling, found) is not None


def _blocks(body_length: int) -> int:
    """The bytes that a record takes, rounded up to whole blocks."""
    return -(-(_RECORD.size + body_length) // _BLOCK) * _BLOCK


def _write_at(fd: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        count = os.pwrite(fd, rest, at)
        if count <= 0:
            raise OSError(errno.EIO, "the system wrote nothing")
        rest, at = rest[count:], at + count
