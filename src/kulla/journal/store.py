"""The port of a tile store: what holds tiles, bundles, checkpoints, and what it promises."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from kulla.journal.errors import PathInvalid

PATH_MAX_CHARACTERS = 255
_PATH = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")


class TileStore(Protocol):
    """Objects under paths such as 'tile/0/x001/234' or 'checkpoint'.

    One writer at a time (a second is refused with StoreConflict); `get` and `names` may be called
    from any thread at any time. A path that `check_path` refuses raises PathInvalid. Once a write
    has raised StoreFailed, nothing is known about what of it was kept: every later write raises
    StoreFailed too, and the process must end. Who opens the store next sees some of that write's
    objects or none, each whole, and what he sees stays.
    """

    def put(self, items: Mapping[str, bytes]) -> None:
        """Add objects that never change.

        On return all of them, and the folder entries that lead to them, are durable. The same
        bytes under the same path again: nothing happens (but they are durable on return). Other
        bytes: StoreConflict, and none of `items` is added. A disk or service that refuses:
        StoreFailed; then any part of `items` may have been added, but no object in part.
        """
        ...

    def get(self, path: str) -> bytes:
        """The whole object.

        Raises TileMissing where there is none, StoreFailed where the disk can't give it.
        """
        ...

    def swap(self, name: str, old: bytes | None, new: bytes) -> None:
        """Replace a small object that changes, such as a checkpoint, if it still is `old`.

        `old` None means: if there is none. Readers see the old bytes or the new ones, nothing
        between; on return the new ones are durable. StoreConflict where it is not `old`;
        StoreFailed as in `put`.
        """
        ...

    def drop(self, paths: Iterable[str]) -> None:
        """Remove objects that others have superseded; a path that is not there is skipped.

        Nothing is promised: after a crash they may be back.
        """
        ...

    def names(self, prefix: str) -> list[str]:
        """The paths that begin with `prefix` (which need not end at a '/'), sorted."""
        ...


def check_path(path: str) -> None:
    """Raise PathInvalid for what is not an object's path.

    A path has small letters, digits, '.', '_' and '-' between single slashes, no part that begins
    with a dot or dash, and at most 255 characters.
    """
    if len(path) > PATH_MAX_CHARACTERS or not _PATH.fullmatch(path):
        raise PathInvalid(f"{path[:80]!r} is not the path of an object in a store.")


def check_prefix(prefix: str) -> None:
    """Raise PathInvalid where the folder that a prefix leads to is not an object's path."""
    folder = prefix.rpartition("/")[0]
    if folder:
        check_path(folder)
