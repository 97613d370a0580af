"""One log that is being written, read in a thread of its own; over rotation and restarts."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from kulla.kernel.edges import Clock
from kulla.watch.live.inbox import Inbox, Mark
from kulla.watch.sources.batch import Batch, Reject, Source, reject
from kulla.watch.sources.following import POLL_S, Following, Place
from kulla.watch.sources.lines import object_of, read_lines
from kulla.watch.sources.mapping import NO_MAPPING, Mapped
from kulla.watch.sources.recognise import HEAD_BYTES, WINDOWS_JSON, Read, Readers, recognise
from kulla.watch.sources.times import Assumed

AGAIN_S: Final = 5.0
_PRINT_BYTES: Final = 256
_UNREADABLE: Final = ("evtx", "windows-xml", "journald-export")


class AssumedNow(Assumed):
    """No record is later than a day from now: a reader may run for years."""

    def __init__(self, clock: Clock) -> None:
        object.__setattr__(self, "_now_ms", clock.now_ms)

    @property
    def newest_us(self) -> int:
        """See Assumed."""
        now_ms: Callable[[], int] = self.__dict__["_now_ms"]
        return now_ms() * 1000


class _Followed(Following):
    """A log that is followed; readers of Windows events look at how it begins."""

    def __init__(self, path: Path, wait: Callable[[float], bool], at: Place | None) -> None:
        super().__init__(path, wait, at)
        self._head = _head(path)

    def peek(self, size: int) -> bytes:
        """The first bytes of the log."""
        return self._head[:size]


class Tail(threading.Thread):
    """Follows the log at `path` and puts its batches into the inbox, with marks between.

    before: the place of the last mark that was kept, {} for none. once: end where nothing more is
    there. What was rotated away meanwhile is read first, where it lies beside under another name.
    """

    def __init__(
        self,
        path: Path,
        inbox: Inbox,
        readers: Readers,
        clock: Clock,
        stop: threading.Event,
        before: Mapping[str, Any],
        *,
        once: bool = False,
    ) -> None:
        super().__init__(name=f"tail {path}", daemon=True)
        self._path = path
        self._inbox = inbox
        self._readers = readers
        self._assumed = AssumedNow(clock)
        self._stop_event = stop
        self._before = dict(before)
        self._once = once
        self._marked: Mark | None = None
        self._following: _Followed | None = None

    def run(self) -> None:
        """See threading.Thread. What goes wrong is said in a mark, and tried again."""
        while True:
            try:
                at = self._begin()
                self._follow(self._path, at, drain=False)
            except Exception as error:  # a log that nobody reads must not be silent
                why = f"{type(error).__name__}: {error}"
                self._mark(Mark(self._before, trouble=why, undone=True))
                if not self._once and not self._stop_event.wait(AGAIN_S):
                    continue
            return

    def _begin(self) -> Place | None:
        """Where to go on in the log; what was rotated away since is read before."""
        if not self._before:
            return None
        known = Place(*(int(self._before[name]) for name in ("inode", "offset", "lines")))
        if is_same(self._path, self._before):
            return known
        moved = moved_to(self._path, self._before)
        if moved is not None:
            self._follow(moved, known, drain=True)
        elif known.inode:
            reason = "it was rotated away while nobody read it: what came after is not read here"
            self._inbox.put(str(self._path), reject(str(self._path), known.lines, reason))
        return None

    def _follow(self, path: Path, at: Place | None, *, drain: bool) -> None:
        read = self._reader(path, drain=drain)
        if read is None:
            return
        wait = partial(self._wait, drain=drain)
        following = self._following = _Followed(path, wait, at)
        try:
            for item in read(cast("BinaryIO", following), str(self._path)):
                self._inbox.put(str(self._path), item)
        finally:
            following.close()

    def _reader(self, path: Path, *, drain: bool) -> Read | None:
        """How to read it, once it says what it is; None where it is nothing that can be followed.

        A log that is empty, or too short to tell, is looked at again as it grows.
        """
        while True:
            head = _head(path)
            kind = recognise(head, self._readers.mappings) if head.count(b"\n") else ""
            if kind or len(head) >= HEAD_BYTES:
                break
            self._mark(Mark(self._before, not head, _why_not_yet(path, head)))
            if self._once or drain or self._stop_event.wait(POLL_S):
                return None
        read = _reader_of(kind, head, self._readers, self._assumed)
        if read is None:
            why = f"a log of kind {kind or 'unknown'} can't be followed; kulla watch scan reads it"
            self._mark(Mark(self._before, trouble=why))
            self._inbox.put(str(self._path), reject(str(self._path), 0, why, head))
            self._mark(Mark(self._before, True, why))
        return read

    def _wait(self, seconds: float, *, drain: bool) -> bool:
        """See Following: at this moment all up to its place was handed on."""
        assert self._following is not None
        place = self._following.place
        caught_up = seconds > 0
        if drain:
            self._mark(Mark(self._plain(place)))
            return not caught_up and not self._stop_event.is_set()
        self._mark(Mark(self._plain(place), caught_up))
        if caught_up and self._once:
            return False
        return not self._stop_event.wait(seconds)

    def _plain(self, place: Place) -> dict[str, Any]:
        assert self._following is not None
        head = self._following.beginning(min(_PRINT_BYTES, place.offset))
        return {
            "inode": place.inode, "offset": place.offset, "lines": place.lines,
            "print_bytes": len(head), "print": hashlib.sha256(head).hexdigest(),
        }  # fmt: skip

    def _mark(self, mark: Mark) -> None:
        self._before = dict(mark.place)
        if mark != self._marked:
            self._marked = mark
            self._inbox.put(str(self._path), mark)


def _why_not_yet(path: Path, head: bytes) -> str:
    if head:
        return "it is not clear yet what kind of log it is"
    return "" if path.exists() else "there is no such file yet"


def _reader_of(kind: str, head: bytes, readers: Readers, assumed: Assumed) -> Read | None:
    if kind in _UNREADABLE or (kind == WINDOWS_JSON and not _is_object(head)):
        return None
    for mapped in (*readers.mappings, NO_MAPPING):
        if kind == f"json:{mapped.name}":
            return partial(_by_lines, mapped=mapped, assumed=assumed) if _is_object(head) else None
    return readers.read(kind, assumed)


def _by_lines(
    stream: BinaryIO, file: str, mapped: Mapped, assumed: Assumed
) -> Iterator[Batch | Reject]:
    """JSON of which each line is an object; only so can it be followed."""

    def read(line: str) -> list[tuple[Source, dict[str, Any]]]:
        found = object_of(line)
        inside = found.get(mapped.records) if mapped.records else None
        records = inside if isinstance(inside, list) else [found]
        return [mapped.event(one, assumed) for one in records if isinstance(one, dict)]

    return read_lines(stream, file, read)


def _is_object(head: bytes) -> bool:
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return len(first) >= HEAD_BYTES // 2 and first.startswith(b"{")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as log:
            return log.read(HEAD_BYTES)
    except FileNotFoundError:
        return b""


def moved_to(path: Path, before: Mapping[str, Any]) -> Path | None:
    """Where the log that was read lies now, among the files beside; None where it is gone."""
    try:
        stem = path.name.partition(".")[0]
        beside = sorted(one for one in path.parent.iterdir() if one.name.startswith(stem))
    except OSError:
        return None
    return next((one for one in beside if is_same(one, before)), None)


def is_same(path: Path, before: Mapping[str, Any]) -> bool:
    """Whether the file is the one of a kept place: an inode alone may have been given anew."""
    try:
        state = path.stat()
        if state.st_ino != before["inode"] or state.st_size < int(before["offset"]):
            return False
        with path.open("rb") as log:
            head = log.read(int(before["print_bytes"]))
    except OSError:
        return False
    return hashlib.sha256(head).hexdigest() == str(before["print"])
