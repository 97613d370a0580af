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
from kulla.journal.errors import JournalError, PolicyMissing
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Table
from kulla.kernel.service import Act, Actor, Authority, Service
from kulla.rebuild.applying import Applying
from kulla.registers.apply import list_case
from kulla.registers.bulk import BulkRows, marks_for
from kulla.registers.fingerprint import (
    EVERY_ACTS,
    FINGERPRINT,
    Fingerprint,
    FingerprintKey,
    FingerprintMalformed,
    FingerprintMisfit,
    RowHashes,
    RunningFingerprint,
    Totals,
)
from kulla.registers.own import applied, note_applied
from kulla.registers.tower import TOWER_NAME

ROWS_PER_TRANSACTION = 200_000

# Rows have to be settled before they can be compared. In a long journal that is done for one
# fingerprint in a dozen, when they are to be written anyway; and for each of the last ones.
LONG_ACTS = 20_000
_SETTLED_ROWS = 180_000
_SETTLED_ACTS = 16 * EVERY_ACTS
_LAST_ACTS = 2 * EVERY_ACTS


class EntryDoesNotFit(KullaError):
    """An entry is in the journal, but what it holds can't be opened or read."""


class Opens(Protocol):
    """Opens entries (journal.entries.Opener)."""

    def open(self, entry: Any, *, place: str = "") -> OpenedEntry:
        """The plaintext, its commitment checked; raises EntryInvalid."""
        ...


FILE_FIELDS = ("blob", "escrow")
"""Fields of an act's data that hold the name of a blob which is no wrapped key."""


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
    """What a replay did. `cases` holds at most 100 (position, reason) of those it counted.

    `fingerprints` were compared with the rows; those that did not fit are cases too, and `misfits`
    holds their positions.
    """

    acts: int = 0
    case_count: int = 0
    cases: list[tuple[int, str]] = field(default_factory=list)
    fingerprints: int = 0
    misfits: list[int] = field(default_factory=list)

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
        fingerprint_key: FingerprintKey | None = None,
        totals: Totals | None = None,
        policies: Sequence[PolicyFile] = (),
    ) -> None:
        """`acts` is how many there will be, where that is known; `policies` are trusted versions.

        With `fingerprint_key` the journal's fingerprints are compared with what it comes to, and
        the file gets a fingerprint of its own; `totals` adds up its rows, here where none is given.
        """
        self._collects = False
        self._connection = connection
        self._fingerprint: RunningFingerprint | None = None
        self._totals = totals
        tables = tuple(tables)
        if fingerprint_key is not None:
            self._totals = totals or RowHashes(fingerprint_key.secret)
            self._fingerprint = RunningFingerprint(connection, fingerprint_key, tables)
        self._end = acts or 0
        self._settled = 0
        self._rows_in_transaction = 0
        marks = {} if acts is None else {"marks": marks_for(acts)}
        self._rows = BulkRows(connection, tables, totals=self._totals, **marks)
        self._applying = Applying(services, self._rows, authority, policies)
        self._go_on = go_on
        self.report = Replayed()

    @property
    def position(self) -> int:
        """The position of the next act to apply, as the last transaction left it."""
        return applied(self._rows)

    def trust(self, policies: Sequence[PolicyFile]) -> None:
        """From now on these are the trusted versions, whose custodians may have undone acts."""
        self._applying.trust(policies)

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
                if self._rows_waiting >= ROWS_PER_TRANSACTION and not self._applying.more:
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
        fault = self._applying.fault_of(act)
        if fault is None and act.service == TOWER_NAME and act.name == FINGERPRINT:
            fault = self._misfit(act)
        if isinstance(fault, PolicyMissing) and not self._go_on:
            raise fault
        if fault is not None:
            list_case(self._rows, act, fault)
            self.report.note(position, str(fault))
        self._rows.keep()
        self.report.acts += 1
        files = files_of(act)
        return [(name, _enrolled_by(act, name)) for name in opened.names if name not in files]

    @property
    def _rows_waiting(self) -> int:
        """How many changed rows the open transaction has, written or not."""
        return self._rows_in_transaction + self._rows.changed_count

    def _misfit(self, act: Act) -> KullaError | None:
        """What is wrong where the journal's fingerprint is of other rows than these."""
        running = self._fingerprint
        if running is None:
            return None
        place = f"position {act.position}"
        try:
            found = Fingerprint.parse(act.data, place=place)
        except FingerprintMalformed as error:
            return error
        running.since = act.position + 1
        is_last = act.position >= self._end - _LAST_ACTS
        since = act.position - self._settled
        many = self._rows.changed_count >= _SETTLED_ROWS or since >= _SETTLED_ACTS
        if not (many or is_last):
            return None
        self._settle()
        before, self._settled = self._settled, act.position
        self.report.fingerprints += 1
        if not running.misfit(found):
            return None
        self.report.misfits.append(act.position)
        return FingerprintMisfit(
            "the registers are not those that this fingerprint is of.",
            place=place,
            remedy=f"Look at the acts from {before} on with the custodians; others go on.",
        )

    def _settle(self) -> None:
        """Write the rows that changed, and count them into the fingerprint."""
        self._rows_in_transaction += self._rows.changed_count
        self._rows.flush()
        if self._fingerprint is not None and self._totals is not None:
            self._fingerprint.move(self._totals.total())

    def _commit(self, position: int, shelf: NamesShelf | None) -> None:
        if shelf is not None:
            shelf.settle()
        note_applied(self._rows, position)
        self._settle()
        if self._fingerprint is not None:
            self._fingerprint.save()
        self._connection.execute("COMMIT")
        self._rows_in_transaction = 0
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


def files_of(act: Act) -> tuple[bytes, ...]:
    """The names of files that an act brings: they are no keys, and are fetched when asked for.

    An act names them in a field of its data that is called as FILE_FIELDS say.
    """
    found = (act.data.get(field) for field in FILE_FIELDS)
    return tuple(name for name in found if isinstance(name, bytes))


def names_of(entry: Any) -> tuple[bytes, ...]:
    """The blobs that an entry names which could not be opened here or, before, elsewhere."""
    if not isinstance(entry, bytes):
        found: tuple[bytes, ...] = entry.names
        return found
    try:
        return parse_entry(entry).names
    except JournalError:
        return ()
