"""The plan of an undo: what the registers would be without an intruder's acts, and who is affected.

The journal is replayed twice at once from the first undone act on: as it stands, and without those
acts. Both apply the same code to the same remaining acts; where the rows differ at the end, the
undo has to put them right. An act of somebody else that can't be applied any more becomes a case.
One that still can be stays, also where it read what an undone act had changed: whoever did it was
told that it counts, and nothing in the registers contradicts it. It is listed, so that custodians
and clerks may look at it (docs/decisions/022).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kulla.journal.annulment import (
    ANNULLED,
    ANNULLED_PART,
    Annulment,
    CaseAct,
    Item,
    RestingAct,
    RowChange,
    UndoneAct,
    digest_of,
    hash_of,
    items_of,
    parts_of,
    verify_annulment,
)
from kulla.journal.entries import JournalKey, parse_act
from kulla.journal.errors import AnnulmentInvalid, JournalError, PolicyMissing
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.canonical import encode
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Cell, Row, RowsByKey, Table
from kulla.kernel.service import POST, Act, Authority, Service
from kulla.rebuild.applying import Applying
from kulla.rebuild.beside import opened_entries
from kulla.rebuild.reading import EpochPlan
from kulla.rebuild.replay import ROWS_PER_TRANSACTION, EntryDoesNotFit
from kulla.registers.bulk import BulkRows
from kulla.registers.parties import parties_of
from kulla.registers.sqlite import LiveRows, create_tables
from kulla.registers.tower import NEVER_PUT_RIGHT, TOWER_NAME

_NAMED_MAX: Final = 6
"""So many undone acts are named at most for what rests on them: the newest."""

Place = tuple[str, Cell]


class NothingToUndo(KullaError):
    """No act in the journal fits the marks that were given."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which acts are an intruder's: those to which all that is given here applies.

    actors: subjects who did them, one of these. sessions: marks of sessions or tokens
    (Command.via), one of these. since_ms, until_ms: accepted at this instant or later, and before
    that one. Acts of the tower itself are never meant, nor are the notes of letters that went out,
    unless the post is named: a letter can't be called back.
    """

    actors: tuple[str, ...] = ()
    sessions: tuple[bytes, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, act: Act) -> bool:
        """Whether the act is meant."""
        if act.service == TOWER_NAME:
            return False
        if act.actor == POST and POST.subject not in self.actors:
            return False
        return (
            (not self.actors or act.actor.subject in self.actors)
            and (not self.sessions or act.via in self.sessions)
            and (self.since_ms is None or act.at_ms >= self.since_ms)
            and (self.until_ms is None or act.at_ms < self.until_ms)
        )

    def text(self) -> str:
        """One line that names it, for what custodians sign."""
        words = [f"actor={actor}" for actor in self.actors]
        words += [f"session={mark.hex()}" for mark in self.sessions]
        words += [f"since={self.since_ms}"] if self.since_ms is not None else []
        words += [f"until={self.until_ms}"] if self.until_ms is not None else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Stage:
    """What acts are replayed with: tables, services, who judges staff and undos of before.

    `folder` is for two scratch register files; `epoch` is the row of the first epoch.
    """

    folder: Path
    tables: Sequence[Table]
    services: Mapping[str, Service]
    authority: Authority | None
    policies: Sequence[PolicyFile]
    epoch: Mapping[str, Cell]


@dataclass(slots=True)
class Affected:
    """One person, and positions of acts that concern them: undone ones, and cases."""

    subject: str
    undone: list[int] = field(default_factory=list)
    cases: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What custodians are asked to sign, its parts, and whom it concerns."""

    annulment: Annulment
    parts: tuple[bytes, ...]
    people: tuple[Affected, ...]

    @property
    def items(self) -> list[Item]:
        """All that the parts hold, in order."""
        return [item for part in self.parts for item in items_of(part)]


def plan_undo(
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    selection: Selection,
    stage: Stage,
    reason: str,
    progress: Callable[[int], None] = lambda _: None,
) -> UndoPlan:
    """Plan to undo what `selection` takes of the journal that `plans` describe, oldest first.

    The same journal and selection give the same plan, so anyone with the journal can check one.
    Raises NothingToUndo, AnnulmentInvalid where it is too large or the reason too long,
    EntryDoesNotFit for an entry that can't be opened, and what reading raises.
    """
    chosen = _chosen(plans, keys, selection, stage.policies)
    if not chosen.undone:
        raise NothingToUndo(
            "no act fits these marks, or all that do are undone already.",
            place=selection.text(),
            remedy="Look at the marks: subjects are 32 hex digits, marks of sessions 16.",
        )
    tandem = _Tandem(stage, chosen)
    with closing(tandem):
        for act in _acts(plans, keys):
            tandem.take(act)
            if act.position % 4096 == 0:
                progress(act.position)
        items = tandem.items()
    return _stated(plans, stage.policies[0], selection, reason, items, tandem)


def _stated(
    plans: Sequence[EpochPlan],
    policy: PolicyFile,
    selection: Selection,
    reason: str,
    items: Sequence[Item],
    tandem: _Tandem,
) -> UndoPlan:
    parts = parts_of(items)
    last = plans[-1]

    def count(kind: type[Item]) -> int:
        return sum(isinstance(item, kind) for item in items)

    annulment = Annulment(
        tower=policy.tower,
        policy=policy.version,
        log=last.origin,
        size=last.size,
        root=last.root,
        position=last.base + last.size,
        undone=count(UndoneAct),
        cases=count(CaseAct),
        resting=count(RestingAct),
        rows=count(RowChange),
        parts=len(parts),
        digest=digest_of([hash_of(part) for part in parts]),
        selected=selection.text(),
        reason=reason,
    )
    annulment.text()
    people = sorted(tandem.people.values(), key=lambda one: one.subject)
    return UndoPlan(annulment, tuple(parts), tuple(people))


def _acts(plans: Sequence[EpochPlan], keys: Mapping[bytes, JournalKey]) -> Iterator[Act]:
    """All acts of the journal in order, verified. Raises EntryDoesNotFit."""
    for plan in plans:
        with opened_entries(plan, keys, 0, None) as (entries, opener):
            for first, bundle in entries:
                for number, entry in enumerate(bundle, first):
                    try:
                        yield parse_act(opener.open(entry).plaintext, plan.base + number)
                    except JournalError as error:
                        raise EntryDoesNotFit(
                            f"this entry can't be opened: {error}",
                            place=f"entry {number} (position {plan.base + number})",
                            remedy="Look at it with the custodians before an undo is planned.",
                        ) from error


@dataclass(slots=True)
class _Chosen:
    """Positions: what this undo takes, and what undos of before took (or made cases)."""

    undone: set[int] = field(default_factory=set)
    before: set[int] = field(default_factory=set)

    @property
    def first(self) -> int:
        return min(self.undone | self.before)


def _chosen(
    plans: Sequence[EpochPlan],
    keys: Mapping[bytes, JournalKey],
    selection: Selection,
    policies: Sequence[PolicyFile],
) -> _Chosen:
    found = _Chosen()
    signed: set[bytes] = set()
    for act in _acts(plans, keys):
        if selection.takes(act):
            found.undone.add(act.position)
        elif act.service == TOWER_NAME and act.name == ANNULLED:
            signed |= _signed_parts(act, policies)
        elif act.service == TOWER_NAME and act.name == ANNULLED_PART:
            part = act.data["items"]
            if hash_of(part) in signed:
                for item in items_of(part):
                    if isinstance(item, UndoneAct | CaseAct):
                        found.before.add(item.position)
    found.undone -= found.before
    return found


def _signed_parts(act: Act, policies: Sequence[PolicyFile]) -> set[bytes]:
    """The hashes of the parts of an undo of before; none where custodians did not sign it."""
    hashes = act.data["parts"]
    try:
        verify_annulment(act.data["note"], hashes, policies)
    except PolicyMissing:
        raise
    except AnnulmentInvalid:
        return set()
    return set(hashes)


class _Seen:
    """Rows that remember what was read and which keys were written (kernel.rows.RowsByKey)."""

    def __init__(self, rows: RowsByKey, keys: Mapping[str, str]) -> None:
        self._rows = rows
        self._keys = keys
        self.read: dict[Place, Row | None] = {}
        self.written: set[Place] = set()

    def get(self, table: str, key: Cell) -> Row | None:
        """See RowsByKey."""
        row = self._rows.get(table, key)
        if (table, key) not in self.written:
            self.read.setdefault((table, key), None if row is None else dict(row))
        return row

    def put(self, table: str, row: Mapping[str, Cell]) -> None:
        """See RowsByKey."""
        self.written.add((table, row[self._keys[table]]))
        self._rows.put(table, row)

    def drop(self, table: str, key: Cell) -> None:
        """See RowsByKey."""
        self.written.add((table, key))
        self._rows.drop(table, key)


class _Branch:
    """One course of history in a scratch register file."""

    def __init__(self, stage: Stage, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536"):
            self.connection.execute(f"PRAGMA {setting}")
        create_tables(self.connection, stage.tables, indexes=False)
        live = LiveRows(self.connection, stage.tables)
        if live.get("kulla_epoch", stage.epoch["number"]) is None:
            live.put("kulla_epoch", stage.epoch)
        self.rows = BulkRows(self.connection, stage.tables)
        self._applying = Applying(stage.services, self.rows, stage.authority, stage.policies)

    def take(self, act: Act, seen: _Seen | None = None) -> Exception | None:
        """Apply the act; why it could not be applied, or None."""
        fault = self._applying.fault_of(act, seen)
        self.rows.keep()
        if self.rows.changed_count >= ROWS_PER_TRANSACTION and not self._applying.more:
            self.flush()
        return fault

    def flush(self) -> None:
        """Write what is in memory."""
        self.connection.execute("BEGIN")
        self.rows.flush()
        self.connection.execute("COMMIT")


class _Tandem:
    """The journal as it stands and the journal without some acts, replayed side by side."""

    def __init__(self, stage: Stage, chosen: _Chosen) -> None:
        self._stage = stage
        self._chosen = chosen
        self._first = chosen.first
        self._keys = {table.name: table.key for table in stage.tables}
        self._stands = _Branch(stage, stage.folder / "stands.sqlite")
        self._without: _Branch | None = None
        self._origin: dict[Place, tuple[int, ...]] = {}
        self._touched: set[Place] = set()
        self._undone: list[UndoneAct] = []
        self._cases: list[CaseAct] = []
        self._resting: list[RestingAct] = []
        self.people: dict[str, Affected] = {}

    def close(self) -> None:
        """Let go of the scratch files."""
        self._stands.connection.close()
        if self._without is not None:
            self._without.connection.close()

    def take(self, act: Act) -> None:
        """The next act of the journal."""
        if act.position < self._first:
            self._stands.take(act)
            return
        without = self._without = self._without or self._parted()
        seen = _Seen(self._stands.rows, self._keys)
        fault = self._stands.take(act, seen)
        self._touched |= seen.written
        if act.position in self._chosen.undone:
            self._undone.append(UndoneAct(act.position, act.command))
            for subject in parties_of(act):
                self._person(subject).undone.append(act.position)
        if self._is_left_out(act):
            for place in seen.written:
                self._origin[place] = (act.position,)
            return
        others = _Seen(without.rows, self._keys)
        fault_without = without.take(act, others)
        self._touched |= others.written
        self._compare(act, (seen, others), (fault, fault_without))

    def _parted(self) -> _Branch:
        """The second file, as the first one stands before the first act that is left out."""
        self._stands.flush()
        path = self._stage.folder / "without.sqlite"
        with closing(sqlite3.connect(path)) as copy:
            self._stands.connection.backup(copy)
        return _Branch(self._stage, path)

    def _is_left_out(self, act: Act) -> bool:
        """Undone now or before, a case of before, or an undo of before: it has nothing to undo."""
        position = act.position
        if position in self._chosen.undone or position in self._chosen.before:
            return True
        return act.service == TOWER_NAME and act.name in (ANNULLED, ANNULLED_PART)

    def _compare(
        self,
        act: Act,
        seen: tuple[_Seen, _Seen],
        faults: tuple[Exception | None, Exception | None],
    ) -> None:
        """Whether an act of somebody else still fits, and on which undone acts it rested."""
        stands, without = seen
        differs = any(
            place in without.read and without.read[place] != row
            for place, row in stands.read.items()
        )
        fault, fault_without = faults
        if not differs and (fault is None) == (fault_without is None):
            return
        places = [*stands.read, *stands.written, *without.read]
        rests_on = _newest(at for place in places for at in self._origin.get(place, ()))
        for place in stands.written | without.written:
            self._origin[place] = rests_on
        if fault is None and fault_without is not None:
            self._case(act, fault_without, rests_on)
        elif fault_without is None and self._chosen.undone.intersection(rests_on):
            self._resting.append(RestingAct(act.position, act.service, act.name, rests_on))

    def _case(self, act: Act, fault: Exception, rests_on: tuple[int, ...]) -> None:
        # Only a KullaError's words hold no data of anybody.
        reason = fault.message if isinstance(fault, KullaError) else type(fault).__name__
        self._cases.append(
            CaseAct(
                act.position,
                act.command,
                act.service,
                act.name,
                act.at_ms,
                act.actor.subject,
                reason,
                rests_on,
            )
        )
        for subject in parties_of(act):
            self._person(subject).cases.append(act.position)

    def _person(self, subject: str) -> Affected:
        return self.people.setdefault(subject, Affected(subject))

    def items(self) -> list[Item]:
        """What is undone, what it makes of others' acts, and the rows that differ at the end."""
        assert self._without is not None
        rows: list[Item] = []
        for table, key in sorted(self._touched, key=lambda place: (place[0], encode(place[1]))):
            if table in NEVER_PUT_RIGHT:
                continue
            before = self._stands.rows.get(table, key)
            after = self._without.rows.get(table, key)
            if before != after:
                about = max(self._origin.get((table, key), (self._first,)))
                rows.append(RowChange(table, key, before, after, about))
        return [*self._undone, *self._cases, *self._resting, *rows]


def _newest(positions: Iterator[int]) -> tuple[int, ...]:
    return tuple(sorted(set(positions))[-_NAMED_MAX:])
