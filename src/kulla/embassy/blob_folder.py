"""Blobs as files of a folder: for those that are too big for a row, as what people hand in.

    <folder>/<first two digits>/<SHA-256 in hex>

Durability: a file is written beside its place, synced, renamed, and its folder is synced. What a
crash left half written has another ending, is never read, and is written over by the next try.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from kulla.embassy.blobs import NAME_BYTES, blob_name
from kulla.embassy.errors import BlobDamaged, BlobMissing, BlobsFailed
from kulla.kernel.durable import sync_folder

_HALF: Final = ".half"


class FolderBlobs:
    """See embassy.blobs.BlobStore. Several processes may use one folder at once.

    Of several blobs that are put at once some may be there after a crash, each of them whole.
    """

    def __init__(self, folder: Path) -> None:
        """The folder is made with the first blob."""
        self._folder = folder

    def put(self, blobs: Sequence[bytes]) -> list[bytes]:
        """See BlobStore."""
        names = [blob_name(content) for content in blobs]
        absent = set(self.missing(names))
        try:
            for name, content in zip(names, blobs, strict=True):
                if name in absent:
                    self._write(name, content)
        except OSError as error:
            raise BlobsFailed(
                f"can't keep blobs ({error.strerror}).", place=str(self._folder)
            ) from error
        return names

    def _write(self, name: bytes, content: bytes) -> None:
        place = self._place(name)
        if not place.parent.exists():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._folder)
            sync_folder(self._folder.parent)
        half = place.with_name(f"{name.hex()}.{os.getpid()}-{threading.get_ident()}{_HALF}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(half, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.rename(place)
        sync_folder(place.parent)

    def missing(self, names: Iterable[bytes]) -> list[bytes]:
        """See BlobStore."""
        return [name for name in dict.fromkeys(names) if not self._place(name).exists()]

    def get(self, name: bytes) -> bytes:
        """See BlobStore."""
        try:
            content = self._place(name).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissing("this folder does not hold the blob.", place=name.hex()) from error
        except OSError as error:
            raise BlobsFailed(
                f"can't read blobs ({error.strerror}).", place=str(self._folder)
            ) from error
        if blob_name(content) != name:
            raise BlobDamaged(
                "the stored blob no longer has its hash.",
                place=name.hex(),
                remedy="It is fetched from an embassy; check this disk.",
            )
        return content

    def mend(self, content: bytes) -> None:
        """Put a blob in the place of a damaged one; durable on return. Raises BlobsFailed."""
        try:
            self._write(blob_name(content), content)
        except OSError as error:
            raise BlobsFailed(
                f"can't keep blobs ({error.strerror}).", place=str(self._folder)
            ) from error

    def drop(self, name: bytes) -> None:
        """Remove a blob; nothing happens where there is none. A power loss may bring it back."""
        self._place(name).unlink(missing_ok=True)

    def names(self, after: bytes = b"", limit: int = 1000) -> list[bytes]:
        """See BlobStore."""
        return sorted(name for name in map(_name_of, self._paths()) if name > after)[:limit]

    def usage(self) -> tuple[int, int]:
        """See BlobStore."""
        sizes = [path.stat().st_size for path in self._paths()]
        return len(sizes), sum(sizes)

    def _paths(self) -> list[Path]:
        return [path for path in self._folder.glob("??/*") if len(path.name) == 2 * NAME_BYTES]

    def _place(self, name: bytes) -> Path:
        digits = name.hex()
        return self._folder / digits[:2] / digits


def _name_of(path: Path) -> bytes:
    return bytes.fromhex(path.name)
