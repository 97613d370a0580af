"""The systemd journal, followed through journalctl, in a thread of its own."""

from __future__ import annotations

import os
import re
import select
import subprocess
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, cast

from kulla.watch.live.inbox import Inbox, Mark
from kulla.watch.sources import journald
from kulla.watch.sources.following import LINES_MAX, POLL_S
from kulla.watch.sources.lines import LINE_MAX, PAUSE

JOURNAL: Final = "systemd journal"
_AGAIN_S: Final = 5.0
_PIECE: Final = 256 << 10
_CURSOR: Final = re.compile(rb'"__CURSOR"\s*:\s*"([^"\\]+)"')


class Journal(threading.Thread):
    """Reads the journal from where it was left; without a place, all that it holds.

    Where journalctl ends it is started again, at the last entry that was handed on.
    """

    def __init__(
        self,
        inbox: Inbox,
        stop: threading.Event,
        before: Mapping[str, Any],
        *,
        once: bool = False,
        program: str = "journalctl",
    ) -> None:
        super().__init__(name=JOURNAL, daemon=True)
        self._inbox = inbox
        self._stop_event = stop
        self._once = once
        self._program = program
        self.cursor = str(before.get("cursor", ""))
        self.lines = int(before.get("lines", 0))
        self._marked: Mark | None = None

    def run(self) -> None:
        """See threading.Thread."""
        while not self._stop_event.is_set():
            undone = False
            try:
                why = self._read()
            except Exception as error:  # a log that nobody reads must not be silent
                why, undone = f"{type(error).__name__}: {error}", True
            if not self._once:
                why = why or "journalctl ended; it is started again"
            self.mark(caught_up=not why, trouble=why, undone=undone)
            if self._once:
                return
            self._stop_event.wait(_AGAIN_S)

    def _read(self) -> str:
        """Read until journalctl ends; gives what it complained of."""
        words = [self._program, "--output=json", "--no-pager", "--quiet"]
        words += ["--lines=all"] if self._once else ["--follow", "--no-tail"]
        words += [f"--after-cursor={self.cursor}"] if self.cursor else []
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own journalctl
                words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            return f"{self._program} can't be started: {error.strerror}"
        assert process.stdout is not None
        assert process.stderr is not None
        pipe = _Pipe(process.stdout.fileno(), self, self._stop_event)
        for item in journald.read(cast("BinaryIO", pipe), JOURNAL):
            self._inbox.put(JOURNAL, item)
        pipe.handed_on()
        process.terminate()
        complaint = process.stderr.read().decode("utf-8", "replace").strip()
        code = process.wait()
        stopped = self._stop_event.is_set() or (code == 0 and not complaint)
        return "" if stopped else complaint[:500] or f"journalctl ended with {code}"

    def mark(self, *, caught_up: bool, trouble: str = "", undone: bool = False) -> None:
        """Say up to where all was handed on."""
        mark = Mark({"cursor": self.cursor, "lines": self.lines}, caught_up, trouble, undone)
        if mark != self._marked:
            self._marked = mark
            self._inbox.put(JOURNAL, mark)


class _Pipe:
    """What journalctl writes, as lines; a PAUSE, then a mark, where nothing more is there."""

    def __init__(self, descriptor: int, journal: Journal, stop: threading.Event) -> None:
        self._descriptor = descriptor
        self._journal = journal
        self._stop = stop
        self._held = bytearray()
        self._since_mark = 0
        self._last = b""
        self._paused = False
        self.lines_before = journal.lines

    def readline(self, limit: int = LINE_MAX) -> bytes:
        """The next line; PAUSE where none is there; b'' at the end."""
        if self._paused:
            self._paused = False
            self.handed_on()
        while True:
            end = self._held.find(b"\n") + 1
            if not end and len(self._held) >= limit:
                end = limit
            if end and self._since_mark < LINES_MAX:
                return self._line(end)
            waits = self._since_mark and (end or not self._more(0.0))
            if waits:
                self._paused = True
                return PAUSE
            if self._stop.is_set():
                return b""
            if self._more(POLL_S):
                piece = os.read(self._descriptor, _PIECE)
                if not piece:
                    return self._line(len(self._held))
                self._held += piece
            else:
                self._journal.mark(caught_up=True)

    def _more(self, wait_s: float) -> bool:
        return bool(select.select([self._descriptor], [], [], wait_s)[0])

    def _line(self, end: int) -> bytes:
        line = bytes(self._held[:end])
        del self._held[:end]
        self._since_mark += bool(line)
        self._last = line or self._last
        return line

    def handed_on(self) -> None:
        """Mark that all lines so far are in the inbox."""
        self._journal.lines += self._since_mark
        self._since_mark = 0
        if (found := _CURSOR.search(self._last)) is not None:
            self._journal.cursor = found[1].decode("ascii", "replace")
        self._journal.mark(caught_up=not self._held and not self._more(0.0))
