"""Reading beside: entries are fetched, verified, copied and opened in a process of their own.

It takes half of a rebuild's work, and a home that comes back has a second core. The process gets
its orders on its standard input and answers on its standard output, in canonical CBOR; it ends with
whoever started it. Where it can't be used (a short journal, sources that only this process knows)
the same is done here.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, cast

from kulla.journal.entries import JournalKey, OpenedEntry, Opener
from kulla.journal.errors import EntryInvalid, JournalError, StoreConflict, StoreFailed
from kulla.journal.filestore import FileTileStore
from kulla.journal.store import TileStore
from kulla.journal.tree import Tree
from kulla.kernel.canonical import Value, decode_own, encode
from kulla.kernel.errors import KullaError
from kulla.rebuild.reading import EpochPlan, OwnCopyDiffers, SourcesExhausted, read_verified
from kulla.rebuild.replay import Opens, names_of
from kulla.rebuild.sources import described, reopened

# A process of its own takes half a second to start.
ENTRIES_MIN: Final = 20_000
_WAITING_BYTES_MAX: Final = 64 * 2**20
_KINDS: Final[Mapping[str, type[KullaError]]] = {
    kind.__name__: kind for kind in (SourcesExhausted, OwnCopyDiffers, StoreFailed, StoreConflict)
}
_MODULE: Final = "kulla.rebuild.beside"

Entries = Iterator[tuple[int, Sequence[Any]]]


class ReaderEnded(KullaError):
    """The process that reads ended before its work was done."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """An entry that is in the journal and could not be opened, and the blobs that it names."""

    message: str
    names: tuple[bytes, ...]


class _Opened:
    """Takes what the other process opened (rebuild.replay.Opens)."""

    def open(self, entry: Any, *, place: str = "") -> OpenedEntry:
        """See Opens."""
        if isinstance(entry, Misfit):
            raise EntryInvalid(entry.message, place=place)
        return cast("OpenedEntry", entry)


@contextmanager
def opened_entries(
    plan: EpochPlan,
    keys: Mapping[bytes, JournalKey],
    start: int,
    own: TileStore | None,
    tree: Tree | None = None,
) -> Iterator[tuple[Entries, Opens]]:
    """Verified entries of `plan` from `start` on, bundle by bundle, and what opens them.

    With `own` they are durable in that store when they are yielded; it may be closed afterwards,
    and then `tree`, what it held before (see read_verified), has not grown.
    The entries raise what `reading.read_verified` raises, and ReaderEnded.
    """
    order = _order(plan, keys, start, own)
    if order is None:
        yield read_verified(plan, start, own, tree), Opener(plan.origin, keys)
        return
    if isinstance(own, FileTileStore):
        own.close()  # its one writer is the other process now
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", _MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with contextlib.suppress(BrokenPipeError):  # it ended already: _received says so
            process.stdin.write(order)
            process.stdin.close()
        line = Connection(os.dup(process.stdout.fileno()), writable=False)
        with line:
            yield _received(line, plan), _Opened()
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _order(
    plan: EpochPlan, keys: Mapping[bytes, JournalKey], start: int, own: TileStore | None
) -> bytes | None:
    """What the other process has to do; None where it can't or need not be asked."""
    sources = [described(store) for _, store in plan.sources]
    short = plan.size - start < ENTRIES_MIN
    if short or None in sources or not isinstance(own, FileTileStore | None):
        return None
    return encode(
        {
            "origin": plan.origin,
            "base": plan.base,
            "size": plan.size,
            "root": plan.root,
            "names": [name for name, _ in plan.sources],
            "sources": cast("list[Value]", sources),
            "keys": [key.secret for key in keys.values()],
            "start": start,
            "own": str(own.folder) if own is not None else "",
        }
    )


def _received(line: Connection, plan: EpochPlan) -> Entries:
    while True:
        try:
            said = cast("dict[str, Any]", decode_own(line.recv_bytes()))
        except (EOFError, OSError) as error:
            raise ReaderEnded(
                "the process that reads ended before its work was done.",
                place=plan.origin,
                remedy="What it wrote above says why; a rebuild goes on where it was.",
            ) from error
        if "end" in said:
            return
        if "error" in said:
            kind = _KINDS.get(said["error"], KullaError)
            raise kind(said["message"], place=said["place"], remedy=said["remedy"])
        named = {number: tuple(names) for number, names in said["named"]}
        misfits = dict(said["misfits"])
        yield (
            said["first"],
            [
                Misfit(misfits[number], named.get(number, ()))
                if number in misfits
                else OpenedEntry(plaintext, b"", named.get(number, ()), b"")
                for number, plaintext in enumerate(said["acts"])
            ],
        )


def _opened(first: int, entries: Sequence[bytes], opener: Opener) -> dict[str, Value]:
    """The message about one bundle."""
    acts: list[Value] = []
    named: list[Value] = []
    misfits: list[Value] = []
    for number, entry in enumerate(entries):
        try:
            opened = opener.open(entry)
        except JournalError as error:
            misfits.append([number, str(error)])
            acts.append(b"")
            names = names_of(entry)
        else:
            acts.append(opened.plaintext)
            names = opened.names
        if names:
            named.append([number, list(names)])
    return {"first": first, "acts": acts, "named": named, "misfits": misfits}


class _Outbox:
    """Sends messages from a thread of its own, so that reading goes on while rows are written."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._broken = False
        self._thread = threading.Thread(target=self._send, name="outbox", daemon=True)
        self._thread.start()

    def put(self, message: bytes) -> None:
        """Send it some time; waits while too much is waiting. Raises BrokenPipeError."""
        with self._changed:
            self._changed.wait_for(lambda: self._broken or self._bytes < _WAITING_BYTES_MAX)
            if self._broken:
                raise BrokenPipeError
            self._waiting.append(message)
            self._bytes += len(message)
            self._changed.notify()

    def close(self, last: bytes) -> None:
        """Send `last` after all that waits, and wait until it is gone."""
        self.put(last)
        self.put(b"")
        self._thread.join()

    def _send(self) -> None:
        while message := self._next():
            try:
                self._line.send_bytes(message)
            except OSError:
                with self._changed:
                    self._broken = True
                    self._changed.notify()
                return

    def _next(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting))
            message = self._waiting.popleft()
            self._bytes -= len(message)
            self._changed.notify()
            return message


def _work(order: Mapping[str, Any], outbox: _Outbox) -> None:
    stores = [reopened(source) for source in order["sources"]]
    sources = tuple(zip(order["names"], stores, strict=True))
    plan = EpochPlan(order["origin"], order["base"], order["size"], order["root"], sources)
    keys = [JournalKey(secret) for secret in order["keys"]]
    opener = Opener(plan.origin, {key.key_id: key for key in keys})
    own = FileTileStore(Path(order["own"]), create=True) if order["own"] else None
    try:
        for first, entries in read_verified(plan, order["start"], own):
            outbox.put(encode(_opened(first, entries, opener)))
    finally:
        if own is not None:
            own.close()


def main() -> None:
    """The process: what it prints by the way goes where errors go."""
    order = cast("dict[str, Any]", decode_own(sys.stdin.buffer.read()))
    outbox = _Outbox(Connection(os.dup(sys.stdout.fileno()), readable=False))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    last: dict[str, Value] = {"end": True}
    try:
        _work(order, outbox)
    except BrokenPipeError:
        return  # whoever asked is gone
    except KullaError as error:
        last = {"error": type(error).__name__, "message": error.message}
        last |= {"place": error.place, "remedy": error.remedy}
    with contextlib.suppress(BrokenPipeError):
        outbox.close(encode(last))


if __name__ == "__main__":
    main()
