"""A tile store in a folder of files, each durable before the store says so.

How a write becomes durable: every object is written to a temporary file beside its place, fsynced,
renamed, and then each folder that got a name is fsynced, as are the parents of new folders. Objects
are never written in place, so none is ever seen in part. What a killed writer left (temporary
files, names that no fsync covered) is cleared or made durable when the folder is opened again.

What can still fail: a disk that says 'durable' and isn't; a file system that reports a failed
write only once, after which a restarted process reads from memory what the disk does not hold. The
first is why there are embassies; for the second, every tile is covered by a hash.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from kulla.journal.errors import StoreConflict, StoreFailed, TileMissing
from kulla.journal.store import check_path, check_prefix
from kulla.kernel.durable import sync_folder

_LOCK_NAME = ".lock"
_TEMP_END = ".tmp"
_READ_BYTES = 1 << 20
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


class FileTileStore:
    """A TileStore in `folder`; opening it for writing takes the folder's lock until `close`.

    With `create` the folder is made where it is missing. With `read_only` there is no lock, any
    number may read while one writes, and a write raises StoreFailed. Raises StoreConflict where
    another writer has the folder, StoreFailed where it can't be opened. Writes may come from any
    thread; they are done one after another.
    """

    def __init__(self, folder: Path, *, create: bool = False, read_only: bool = False) -> None:
        self._folder = folder.absolute()
        self._root = str(self._folder)
        self._read_only = read_only
        self._writer = threading.Lock()
        self._failure = ""
        self._lock_fd = -1
        self._known_folders: set[str] = set()
        try:
            if create and not read_only:
                self._make_folder(self._root)
            if not self._folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, "no such folder", self._root)
            if not read_only:
                self._lock()
                self._clear_and_settle()
        except OSError as error:
            self.close()
            raise _failed("open the store", self._root, error) from error

    @property
    def folder(self) -> Path:
        """Where the files are, as an absolute path."""
        return self._folder

    def close(self) -> None:
        """Give the folder's lock back; later writes raise StoreFailed."""
        with self._writer:
            self._failure = self._failure or "the store was closed."
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1

    def __enter__(self) -> FileTileStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def put(self, items: Mapping[str, bytes]) -> None:
        """See TileStore. Costs an fsync an object and one for each folder that they go to."""
        for path in items:
            check_path(path)
        with self._writing("put objects"):
            self._write_all({p: data for p, data in items.items() if not self._holds(p, data)})
            # Also for objects that were there: a writer that was killed may have renamed them and
            # not come to the fsync of their folder.
            for parent in {self._parent(path) for path in items}:
                sync_folder(parent)

    def get(self, path: str) -> bytes:
        """See TileStore."""
        check_path(path)
        place = f"{self._root}/{path}"
        try:
            return _read_file(place)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise TileMissing("the store does not hold this object.", place=place) from None
        except OSError as error:
            raise _failed("read an object", place, error) from error

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """See TileStore. Costs two fsyncs."""
        check_path(name)
        with self._writing("replace an object"):
            try:
                now: bytes | None = self.get(name)
            except TileMissing:
                now = None
            if now != old:
                raise StoreConflict(
                    "the object is not what it was when this change was made.",
                    place=f"{self._root}/{name}",
                    remedy="Another process may have changed it. Read it again, then decide.",
                )
            self._write_all({name: new})
            sync_folder(self._parent(name))

    def drop(self, paths: Iterable[str]) -> None:
        """See TileStore. Also removes a folder of partial tiles that is left empty."""
        wanted = list(paths)
        for path in wanted:
            check_path(path)
        with self._writing("drop objects"):
            for path in wanted:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    Path(self._root, path).unlink()
            for parent in {self._parent(path) for path in wanted}:
                if parent.endswith(".p"):
                    self._remove_if_empty(parent)

    def names(self, prefix: str) -> list[str]:
        """See TileStore. Reads only the folders that the prefix leads to."""
        check_prefix(prefix)
        found: list[str] = []
        try:
            for folder, _, names in os.walk(self._parent(prefix), onerror=_raise_unless_gone):
                lead = f"{folder}/"[len(self._root) + 1 :]
                found += [lead + name for name in names if not name.startswith(".")]
        except OSError as error:
            raise _failed("list objects", self._root, error) from error
        return sorted(path for path in found if path.startswith(prefix))

    def _parent(self, path: str) -> str:
        inner = path.rpartition("/")[0]
        return f"{self._root}/{inner}" if inner else self._root

    @contextlib.contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        """Hold the right to write; a write that does not come to its end is the last one."""
        with self._writer:
            self._check_writable()
            self._failure = "a write was cut short."
            try:
                yield
            except StoreConflict:
                # Found before anything was written.
                self._failure = ""
                raise
            except OSError as error:
                failure = _failed(doing, self._root, error)
                self._failure = failure.message
                raise failure from error
            self._failure = ""

    def _check_writable(self) -> None:
        if self._read_only:
            raise StoreFailed(
                "the store was opened for reading only.",
                place=self._root,
                remedy="Only the process that holds the store's lock writes.",
            )
        if self._failure:
            raise StoreFailed(
                f"the store takes no more writes: {self._failure}",
                place=self._root,
                remedy="End this process; what is there is checked when it starts again.",
            )

    def _holds(self, path: str, data: bytes) -> bool:
        """Whether the object is there already; StoreConflict where it is there with other bytes."""
        try:
            kept = self.get(path)
        except TileMissing:
            return False
        if kept != data:
            raise StoreConflict(
                "the store holds other bytes under this path.",
                place=f"{self._root}/{path}",
                remedy="Bytes of the journal never change: find out who wrote them.",
            )
        return True

    def _write_all(self, items: Mapping[str, bytes]) -> None:
        """Write each object to a temporary file, fsync it, then give all of them their names."""
        written: list[tuple[str, str]] = []
        try:
            for path, data in items.items():
                parent, name = self._parent(path), path.rpartition("/")[2]
                if parent not in self._known_folders:
                    self._make_folder(parent)
                temp = f"{parent}/.{name}{_TEMP_END}"
                written.append((temp, f"{self._root}/{path}"))
                _write_file(temp, data)
            for temp, final in written:
                os.rename(temp, final)  # noqa: PTH104 (on the path of every round)
        except OSError:
            for temp, _ in written:
                with contextlib.suppress(OSError):
                    os.unlink(temp)  # noqa: PTH108
            raise

    def _make_folder(self, folder: str) -> None:
        """Make a folder and its missing parents, each durable in the folder above it."""
        missing: list[Path] = []
        path = Path(folder)
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for path in reversed(missing):
            path.mkdir(_FOLDER_MODE)
            sync_folder(str(path.parent))
            self._known_folders.add(str(path))
        self._known_folders.add(folder)

    def _remove_if_empty(self, folder: str) -> None:
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            return
        self._known_folders.discard(folder)

    def _lock(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(f"{self._root}/{_LOCK_NAME}", flags, _FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise StoreConflict(
                "another process writes to this store.",
                place=self._root,
                remedy="Stop it first; two writers would make two journals.",
            ) from error
        self._lock_fd = fd

    def _clear_and_settle(self) -> None:
        """Remove temporary files; make durable what a killed writer renamed and did not sync.

        Without the second, this process could build on a name that a power cut still takes away.
        """
        for folder, _, names in os.walk(self._root, onerror=_raise):
            for name in names:
                if name.startswith(".") and name.endswith(_TEMP_END):
                    Path(folder, name).unlink()
            sync_folder(folder)
            self._known_folders.add(folder)


def _failed(doing: str, place: str, error: OSError) -> StoreFailed:
    remedies = {
        errno.ENOSPC: "The disk is full: free space, then start again.",
        errno.EDQUOT: "The disk quota is used up: raise it, then start again.",
        errno.ENOENT: "Make the folder or correct its path in the settings.",
        errno.EACCES: "Give this process's user the right to use the folder.",
        errno.EROFS: "The file system is read-only, often after a disk error: look at its log.",
    }
    code = error.errno or 0
    remedy = remedies.get(code, "Look at the disk and the system log before starting again.")
    reason = errno.errorcode.get(code, "") or type(error).__name__
    return StoreFailed(
        f"could not {doing}: {error.strerror} ({reason}).", place=place, remedy=remedy
    )


def _raise(error: OSError) -> None:
    raise error


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _write_file(path: str, data: bytes) -> None:
    """Write a new file, whole, and fsync it. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    fd = os.open(path, flags, _FILE_MODE)
    try:
        rest = memoryview(data)
        while rest:
            count = os.write(fd, rest)
            if count <= 0:
                raise OSError(errno.EIO, "the system wrote nothing", path)
            rest = rest[count:]
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_file(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(fd, _READ_BYTES)]
        while len(parts[-1]) == _READ_BYTES:
            parts.append(os.read(fd, _READ_BYTES))
    finally:
        os.close(fd)
    return b"".join(parts)
