"""Opens what is to be read as streams: files, folders, archives, standard input.

Nothing is held whole. Compression is recognised by content and may be nested (a .gz in a .zip):
gzip, xz, zstd, bzip2, zip.
A damaged archive is read up to the damage; the damage is a Reject.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from kulla.watch.sources.batch import Reject, reject
from kulla.watch.sources.recognise import HEAD_BYTES

STANDARD_INPUT: Final = "-"
NESTED_MAX: Final = 4
_GZIP, _XZ, _ZSTD, _BZIP2 = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_FULL_PIECE: Final = 4_096
"""A shorter piece means that a pipe has no more just now."""
_SPOOL_BYTES: Final = 64 << 20
_ENCRYPTED: Final = 0x1
"""The bit of a zip member's flags that says so (APPNOTE 4.4.4)."""
_BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, ValueError)


@dataclass(frozen=True, slots=True)
class Opened:
    """One log as a stream. file: its name in messages, with 'archive.zip!/member' for a member.

    head: its first bytes (up to 64 KiB), still to come from the stream too. modified_us: UTC
    microseconds of the file's date, None where there is none.
    """

    file: str
    stream: Stream
    head: bytes
    modified_us: int | None


class Stream(io.BufferedReader):
    """A stream that ends where its archive is damaged, and says so in `damage`."""

    def __init__(self, inner: BinaryIO) -> None:
        self.source = _Guarded(inner)
        super().__init__(self.source, 256 << 10)

    @property
    def damage(self) -> str:
        """Why the stream ended before its time; '' where it did not."""
        return self.source.damage


class _Guarded(io.RawIOBase):
    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self._read = getattr(inner, "read1", inner.read)
        self.head = b""
        self.damage = ""

    def readable(self) -> bool:
        return True

    def look(self, size: int) -> bytes:
        """The first bytes, `size` of them; of a pipe whatever is there, but at least a line."""
        while len(self.head) < size:
            piece = self._some(size - len(self.head))
            self.head += piece
            if not piece or (len(piece) < _FULL_PIECE and b"\n" in self.head):
                break
        return self.head

    def readinto(self, buffer: Any) -> int:
        piece = self.head[: len(buffer)]
        if piece:
            self.head = self.head[len(piece) :]
        else:
            piece = self._some(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _some(self, size: int) -> bytes:
        if self.damage:
            return b""
        try:
            piece: bytes = self._read(size)
        except _BROKEN as error:
            self.damage = f"damaged or cut off: {error or type(error).__name__}"
            return b""
        return piece

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


def open_all(
    paths: Iterable[Path | str], standard_input: BinaryIO | None = None
) -> Iterator[Opened | Reject]:
    """Every log under the paths, as a stream that is open until the next is asked for.

    Folders go in order of their names. '-' is `standard_input`. What can't be opened is a Reject.
    Links to folders are not followed, and nothing is read that is no file (sockets, devices).
    """
    for path in paths:
        if str(path) == STANDARD_INPUT:
            assert standard_input is not None, "the caller hands standard input in"
            yield from _unpacked("standard input", standard_input, None, 0)
            continue
        for file in _files(Path(path)):
            if isinstance(file, Reject):
                yield file
                continue
            try:
                modified_us = file.stat().st_mtime_ns // 1000
                with file.open("rb") as stream:
                    yield from _unpacked(str(file), stream, modified_us, 0)
            except OSError as error:
                yield reject(str(file), 0, f"can't be read: {error.strerror or error}")


def damage_of(opened: Opened, number: int = 0) -> Iterator[Reject]:
    """The Reject of a stream that ended at a damage; nothing where it did not."""
    if opened.stream.damage:
        yield reject(opened.file, number, opened.stream.damage)


def _files(path: Path) -> Iterator[Path | Reject]:
    try:
        if path.is_dir():
            for entry in sorted(path.iterdir()):
                if entry.is_dir() and entry.is_symlink():
                    continue
                if entry.is_dir() or entry.is_file():
                    yield from _files(entry)
        elif path.is_file() or path.is_fifo():
            yield path
        elif path.exists():
            yield reject(str(path), 0, "neither a file nor a folder")
        else:
            yield reject(str(path), 0, "there is no such file")
    except OSError as error:
        yield reject(str(path), 0, f"can't be read: {error.strerror or error}")


def _unpacked(
    name: str, inner: BinaryIO, modified_us: int | None, depth: int
) -> Iterator[Opened | Reject]:
    """The stream itself, or what is in it where it is an archive."""
    stream = Stream(inner)
    head = stream.source.look(HEAD_BYTES)
    if not head:
        if stream.damage:
            yield reject(name, 0, stream.damage)
        return
    if head.startswith((_GZIP, _XZ, _ZSTD, _BZIP2, *_ZIP)) and depth >= NESTED_MAX:
        yield reject(name, 0, f"archives in archives, more than {NESTED_MAX} deep")
    elif head.startswith(_ZIP) and depth == 0 and inner.seekable():
        inner.seek(0)
        yield from _members(name, inner, modified_us, depth)
    elif head.startswith(_ZIP):
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as kept:
            shutil.copyfileobj(stream, kept)
            if stream.damage:
                yield reject(name, 0, stream.damage)
            yield from _members(name, _as_binary(kept), modified_us, depth)
    elif (plain := _plain(head, stream)) is not None:
        if isinstance(plain, str):
            yield reject(name, 0, plain)
        else:
            yield from _unpacked(name, plain, modified_us, depth + 1)
    else:
        yield Opened(name, stream, head, modified_us)


def _plain(head: bytes, stream: Stream) -> BinaryIO | str | None:
    """The stream unpacked; None where it is not packed, a reason where it can't be."""
    packed: Any = stream
    if head.startswith(_GZIP):
        return _as_binary(gzip.GzipFile(fileobj=packed))
    if head.startswith(_XZ):
        return _as_binary(lzma.LZMAFile(packed))
    if head.startswith(_BZIP2) and head[4:10] in {b"1AY&SY", b"\x17rE8P\x90"}:
        return _as_binary(bz2.BZ2File(packed))
    if head.startswith(_ZSTD):
        try:
            arrow = importlib.import_module("pyarrow")
        except ImportError:
            return "zstd can't be unpacked here: pip install kulla[watch], or unpack it by hand"
        return _as_binary(_Zstd(arrow, stream))
    return None


def _as_binary(stream: Any) -> BinaryIO:
    found: BinaryIO = stream
    return found


class _Zstd:
    """Arrow's zstd (Python itself has it from 3.14 on), which is a library of the event store."""

    def __init__(self, arrow: Any, stream: Stream) -> None:
        self._inner = arrow.CompressedInputStream(arrow.PythonFile(stream, mode="r"), "zstd")

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; raises OSError where the archive is damaged."""
        found: bytes = self._inner.read(size)
        return found

    def close(self) -> None:
        """Let go of the stream."""
        self._inner.close()


def _members(
    name: str, file: BinaryIO, modified_us: int | None, depth: int
) -> Iterator[Opened | Reject]:
    """Each file in a zip, which must be one that can be sought in: its end says what is in it.

    So a zip on standard input or in another archive was put into a temporary file before.
    """
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        yield reject(name, 0, f"damaged zip: {error}")
        return
    for info in archive.infolist():
        if info.is_dir():
            continue
        member = f"{name}!/{info.filename}"
        if info.flag_bits & _ENCRYPTED:
            yield reject(member, 0, "it needs a password: unpack it by hand")
            continue
        try:
            inner = archive.open(info)
        except (*_BROKEN, NotImplementedError) as error:  # a compression that Python lacks
            yield reject(member, 0, f"can't be unpacked: {error}")
            continue
        yield from _unpacked(member, _as_binary(inner), modified_us, depth + 1)
