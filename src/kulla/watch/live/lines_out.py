"""Detections as lines of JSON at the end of a file, each exactly once, and on a stream."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from kulla.watch.errors import WatchFailed
from kulla.watch.findings import Account, Detection
from kulla.watch.outputs.plain import detection


class LinesOut:
    """A sink. What is behind the length that was kept came from a round that died: it is cut off.

    kept: what `settled` gave in the last round that was kept, {} for none. A file that was renamed
    (rotated) since is left as it is, and a fresh one begun. say: takes each line too.
    """

    def __init__(self, path: Path, kept: dict[str, Any], say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self._waiting: list[str] = []
        self._file = self._opened()
        state = os.fstat(self._file.fileno())
        if kept.get("inode") == state.st_ino and state.st_size > kept["size"]:
            self._file.truncate(kept["size"])

    def take(self, found: Detection) -> None:
        """See Sink."""
        self._waiting.append(json.dumps(detection(found), ensure_ascii=False))

    def end(self, account: Account) -> None:
        """See Sink."""

    def settled(self) -> dict[str, Any]:
        """Write all that waits; when this returns it is on the disk. Raises WatchFailed."""
        waiting, self._waiting = self._waiting, []
        try:
            if not self._is_there():
                self._file.close()
                self._file = self._opened()
            self._file.write("".join(f"{line}\n" for line in waiting).encode("utf-8", "replace"))
            self._file.flush()
            os.fsync(self._file.fileno())
            state = os.fstat(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        for line in waiting:
            self._say(line)
        return {"path": str(self._path), "inode": state.st_ino, "size": state.st_size}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _opened(self) -> BinaryIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return self._path.open("ab")
        except OSError as error:
            raise self._failed(error) from error

    def _is_there(self) -> bool:
        try:
            return self._path.stat().st_ino == os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False

    def _failed(self, error: OSError) -> WatchFailed:
        return WatchFailed(
            f"Detections can't be written: {error.strerror}.",
            place=str(self._path),
            remedy="Make it writable and start the watch again; nothing of it is lost.",
        )
