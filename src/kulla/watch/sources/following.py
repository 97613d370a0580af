"""A log that is still being written, as a stream: it grows, is renamed, cut off, and begun anew.

The stream gives whole lines. Where nothing more is there it gives a Pause, so that sources hand on
what they have, and then waits. A line whose end is not written yet waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from kulla.watch.sources.lines import LINE_MAX, PAUSE

POLL_S: Final = 0.25
LINES_MAX: Final = 10_000
"""A busy log pauses after so many lines too, so that its place can be kept now and then."""
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a log was read: the file's inode, a byte in it, and the lines before that byte.

    To go on after a restart: hand it to Following again. What is gathered in a source is behind it,
    but for one moment: when Following calls `wait`, all up to its place has been handed on.
    """

    inode: int = 0
    offset: int = 0
    lines: int = 0


class Following:
    """See above; has what sources use of a stream: `readline` and `lines_before`. For one thread.

    Lines that begin with # at the start of the file are given first, also where reading begins in
    the middle: they say what the columns of Zeek's and IIS's logs are.
    """

    def __init__(self, path: Path, wait: Callable[[float], bool], at: Place | None = None) -> None:
        """Raises OSError where the file can't be opened.

        wait: waits for so many seconds (0 where more is there already), then True to read on or
        False to end the stream; keep the place in it. at: where to begin; None for the start. A
        place in another file, or behind this one's end, means that the log was begun anew since,
        and reading begins at the start.
        """
        self._path = path
        self._wait = wait
        self._file: BinaryIO = path.open("rb")
        self._half = b""
        self._paused = False
        self._lines = 0
        header: list[bytes] = []
        state = os.fstat(self._file.fileno())
        known = at is not None and at.inode == state.st_ino and at.offset <= state.st_size
        self._place = at if known and at is not None else Place(state.st_ino)
        if self._place.offset:
            header = self._header()
            self._file.seek(self._place.offset)
        self._first = header
        self.lines_before = self._place.lines - len(header)

    @property
    def place(self) -> Place:
        """Up to where lines were handed out."""
        return self._place

    def beginning(self, size: int) -> bytes:
        """The first bytes of the file that is read now, whatever its name is by now."""
        return os.pread(self._file.fileno(), size, 0)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def readline(self, limit: int = LINE_MAX) -> bytes:
        """The next line; PAUSE where none is there yet, once, and then it waits; b'' at the end."""
        if self._first:
            return self._first.pop(0)
        if self._lines >= LINES_MAX:
            if not self._paused:
                self._paused = True
                return PAUSE
            self._lines = 0
            if not self._wait(0.0):
                return b""
        while True:
            line = self._file.readline(limit - len(self._half))
            self._half += line
            if self._half.endswith(b"\n") or len(self._half) >= limit:
                return self._handed(self._half)
            if line:
                continue
            if self._begun_anew():
                if self._half:  # the old file ended without an end of line
                    return self._handed(self._half, over=True)
                continue
            if not self._paused:
                self._paused = True
                return PAUSE
            if not self._wait(POLL_S):
                return b""

    def _handed(self, line: bytes, *, over: bool = False) -> bytes:
        self._half = b""
        self._paused = False
        self._lines += 1
        if not over:
            place = self._place
            lines = place.lines + line.endswith(b"\n")
            self._place = Place(place.inode, place.offset + len(line), lines)
        return line

    def _begun_anew(self) -> bool:
        """Whether the path is another file now, or this one was cut off; if so it is opened."""
        try:
            state = self._path.stat()
        except OSError:
            return False  # renamed away, and the new one is not there yet
        mine = os.fstat(self._file.fileno())
        if state.st_ino == mine.st_ino and mine.st_size >= self._file.tell():
            return False
        if state.st_ino != mine.st_ino and mine.st_size > self._file.tell():
            return False  # the old file has got another line: that first
        try:
            fresh = self._path.open("rb")
        except OSError:
            return False
        self._file.close()
        self._file = fresh
        self._place = Place(os.fstat(fresh.fileno()).st_ino)
        return True

    def _header(self) -> list[bytes]:
        found = []
        while (line := self._file.readline(_PIECE)).startswith(b"#"):
            found.append(line)
        return found
