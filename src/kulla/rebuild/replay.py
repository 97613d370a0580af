"""Replay: verified entries are opened and applied, in bulk, resumably, in bounded memory.

The registers that come out equal those of the live path, row by row. After a stop or a crash the
replay goes on where its last transaction ended.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from kulla.journal.entries import OpenedEntry, parse_act, parse_entry
from kulla.journal.errors import JournalError
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Table
from kulla.kernel.service import Act, Actor, Authority, Service, needs_authority
from kulla.registers.apply import apply_act, list_case
from kulla.registers.bulk import BulkRows, marks_for
from kulla.registers.own import TOWER, applied, note_applied

ROWS_PER_TRANSACTION = 200_000


class EntryDoesNotFit(KullaError):
    """An entry is in the journal, but what it holds can't be opened or read."""


class NotAllowed(KullaError):
    """An act of somebody who was not allowed it: only a scribe with another will writes one."""


class Opens(Protocol):
    """Opens entries (journal.entries.Opener)."""

    def open(self, entry: Any, *, place: str = "") -> OpenedEntry:
        """The plaintext, its commitment checked; raises EntryInvalid."""
        ...


class NamesShelf(Protocol):
    """Hears which blobs entries name, in the journal's order, once or more often."""

    def note(self, named: Sequence[tuple[bytes, str]]) -> None:
        """(name, the subject whose wrapped key it is by what the act says, or '') of some blobs."""
        ...

    def settle(self) -> None:
        """Make durable what was noted: the registers are about to commit their acts."""
        ...


@dataclass(slots=True)
class Replayed:
    """What a replay did. `cases` holds at most 100 (position, reason) of those it counted."""

    acts: int = 0
    case_count: int = 0
    cases: list[tuple[int, str]] = field(default_factory=list)

    def note(self, position: int, reason: str) -> None:
        """Count a case."""
        self.case_count += 1
        if len(self.cases) < 100:
            self.cases.append((position, reason))


class Replay:
    """Applies acts to one register file. The only writer of the file while it runs."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        tables: Iterable[Table],
        services: Mapping[str, Service],
        *,
        go_on: bool = False,
        authority: Authority | None = None,
        acts: int | None = None,
    ) -> None:
        """`acts` is how many there will be, where that is known."""
        self._authority = authority
        self._origin: tuple[bytes, Actor, str] | None = None
        self._more = 0
        self._collects = False
        self._connection = connection
        marks = {} if acts is None else {"marks": marks_for(acts)}
        self._rows = BulkRows(connection, tables, **marks)
        self._services = {**services, TOWER.name: TOWER}
        self._go_on = go_on
        self.report = Replayed()

    @property
    def position(self) -> int:
        """The position of the next act to apply, as the last transaction left it."""
        return applied(self._rows)

    def run(
        self,
        bundles: Iterable[tuple[int, Sequence[Any]]],
        opener: Opens,
        base: int,
        progress: Callable[[int], None] = lambda _: None,
        shelf: NamesShelf | None = None,
    ) -> None:
        """Apply the entries of one epoch whose first act has position `base`.

        `bundles` gives (index of the first entry, entries), verified, in order, from the entry
        that `position` names. `progress` is told the next position now and then, `shelf` the
        blobs that entries name, bundle by bundle.

        Where this raises, the registers are as the last transaction left them, and it may be called
        again from there. Raises EntryDoesNotFit, with the entry's index, for an entry that can't be
        opened, unless `go_on`: then it is listed as a case, as an act that can't be applied always
        is.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        with _garbage_after_each_commit() as self._collects:
            self._run(bundles, opener, base, progress, shelf)

    def _run(
        self,
        bundles: Iterable[tuple[int, Sequence[Any]]],
        opener: Opens,
        base: int,
        progress: Callable[[int], None],
        shelf: NamesShelf | None,
    ) -> None:
        try:
            position = self.position
            for first, entries in bundles:
                if base + first > position:
                    raise EntryDoesNotFit(
                        f"entries from {position - base} on are missing.", place=f"entry {first}"
                    )
                named: list[tuple[bytes, str]] = []
                for index, entry in enumerate(entries[position - base - first :], position - base):
                    named += self._one(entry, opener, index, base)
                    position += 1
                if named and shelf is not None:
                    shelf.note(named)
                # Not among the acts of one command: only its first one says that they belong to it.
                if self._rows.changed_count >= ROWS_PER_TRANSACTION and not self._more:
                    self._commit(position, shelf)
                    self._connection.execute("BEGIN IMMEDIATE")
                    progress(position)
            self._commit(position, shelf)
            progress(position)
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._rows.forget()
            self._origin, self._more = None, 0
            raise

    def _one(self, entry: Any, opener: Opens, index: int, base: int) -> list[tuple[bytes, str]]:
        """Apply one entry, or list it as a case; the blobs that it names, with their subjects."""
        position = base + index
        try:
            opened = opener.open(entry, place="")
            act = parse_act(opened.plaintext, position)
        except JournalError as error:
            if not self._go_on:
                raise EntryDoesNotFit(
                    f"this entry can't be opened: {error}",
                    place=f"entry {index} (position {position})",
                    remedy="Look at it with the custodians; --go-on lists it as a case instead.",
                ) from error
            unknown = Act(position, "", "", 0, 0, Actor("operator", ""), b"", {})
            list_case(self._rows, unknown, error)
            self.report.note(position, str(error))
            self._rows.keep()
            self.report.acts += 1
            return [(name, "") for name in names_of(entry)]
        try:
            self._see_authority(act)
            apply_act(self._services, self._rows, act)
        except (sqlite3.Error, MemoryError, OSError):
            raise  # no fault of the act: the rebuild is tried again from its last transaction
        except Exception as error:
            self._rows.take_back()
            list_case(self._rows, act, error)
            self.report.note(position, str(error))
        self._rows.keep()
        self.report.acts += 1
        return [(name, _enrolled_by(act, name)) for name in opened.names]

    def _see_authority(self, act: Act) -> None:
        """Raise NotAllowed for an act that should never have been accepted.

        What staff signed stands in the first act of a command, and how many acts it came to: so
        many by the same actor in the same service belong to it, and what else borrows the command's
        key is asked about. The tower's own acts are signed for in another way.
        """
        origin = (act.command, act.actor, act.service)
        if self._more and origin == self._origin:
            self._more -= 1
            return
        self._more = 0
        if self._authority is None or not needs_authority(act.actor) or act.service == TOWER.name:
            return
        doubt = self._authority.doubt(self._rows, act)
        if doubt:
            raise NotAllowed(doubt, place=f"position {act.position}")
        self._origin, self._more = origin, act.together - 1

    def _commit(self, position: int, shelf: NamesShelf | None) -> None:
        if shelf is not None:
            shelf.settle()
        note_applied(self._rows, position)
        self._rows.flush()
        self._connection.execute("COMMIT")
        if self._collects:
            gc.collect()


@contextmanager
def _garbage_after_each_commit() -> Iterator[bool]:
    """Look for cyclic garbage when rows were written, and not again and again among rows.

    False where the process keeps the collector off and looks when it likes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield was_enabled
    finally:
        if was_enabled:
            gc.enable()


def _enrolled_by(act: Act, name: bytes) -> str:
    """The subject whose wrapped key an act says the blob to be: its `subject` and `key`; or ''."""
    subject = act.data.get("subject")
    return subject if act.data.get("key") == name and isinstance(subject, str) else ""


def names_of(entry: Any) -> tuple[bytes, ...]:
    """The blobs that an entry names which could not be opened here or, before, elsewhere."""
    if not isinstance(entry, bytes):
        found: tuple[bytes, ...] = entry.names
        return found
    try:
        return parse_entry(entry).names
    except JournalError:
        return ()
