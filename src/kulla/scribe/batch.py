"""Steps 2 and 3 of an act's life: a batch of commands becomes acts in one transaction.

For each command, in order: what is known is gathered, the policy decides, its acts are sealed into
entries and applied. Registers and pending entries commit together; either all of a batch is on the
disk when `write` returns, or none of it.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import structlog

from kulla.journal.annulment import (
    ANNULLED,
    ANNULLED_PART,
    annulled_data,
    digest_of,
    hash_of,
    part_data,
)
from kulla.journal.entries import act_plaintext
from kulla.journal.errors import EntryInvalid
from kulla.journal.policy_file import PolicyFile
from kulla.kernel.canonical import NotCanonical, Value
from kulla.kernel.edges import Clock
from kulla.kernel.errors import KullaError, UnfitAct
from kulla.kernel.service import (
    Act,
    Actor,
    Asked,
    Authority,
    Command,
    CommandType,
    Decision,
    NewAct,
    Refusal,
    Service,
    needs_authority,
)
from kulla.registers.apply import apply_act
from kulla.registers.fingerprint import (
    EVERY_ACTS,
    FINGERPRINT,
    FingerprintKey,
    RowHashes,
    RunningFingerprint,
    is_counted,
)
from kulla.registers.own import ANNULLED_COMMAND, ANNULMENT, note_applied
from kulla.registers.sqlite import LiveRows
from kulla.registers.tower import TOWER_NAME, tower_service

log = structlog.get_logger()

_PENDING_SQL = (
    "CREATE TABLE IF NOT EXISTS scribe_pending (idx INTEGER PRIMARY KEY, entry BLOB NOT NULL)"
)


CUSTODIANS: Final = Actor("custodian", "custodians")
SCRIBE: Final = Actor("operator", "scribe")
"""Whom the tower's own acts are of: the custodians who signed, or the scribe by itself."""


class Seals(Protocol):
    """Turns the plaintext of an act into the bytes of a journal entry (journal.entries.Sealer)."""

    def seal(self, plaintext: bytes, names: Sequence[bytes] = ()) -> bytes:
        """The entry; raises EntryInvalid where the act is too large."""
        ...


class NoRoom(KullaError):
    """The disk is full; the batch was taken back as a whole and nothing of it counts."""


class UnnamedBlob(KullaError):
    """A command would let an act name a blob that it did not bring, so that nobody checked it."""


# What is wrong with one command alone: its sender hears of it, and the service goes on.
_OWN_FAULTS: Final[Mapping[type[Exception], str]] = {
    UnnamedBlob: "malformed",
    EntryInvalid: "too-large",
    NotCanonical: "malformed",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to, and the position up to which the answer rests on the journal.

    The answer may go out once the watermark is at least `rests_on`.
    """

    status: Literal["accepted", "refused", "unavailable"]
    rests_on: int
    positions: tuple[int, ...] = ()
    code: str = ""
    detail: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A batch that is on the disk: an outcome for each command, and the new entries in order."""

    outcomes: list[Outcome]
    entries: list[bytes]
    names: tuple[bytes, ...]


class BatchWriter:
    """Writes batches into one register file. The only writer there is; not for two threads.

    `size` counts the entries of this epoch's log, `base` the positions before the epoch. Without an
    `authority` every actor is believed to be who they say. With a `fingerprint_key` the file keeps
    a fingerprint of its rows, and every so many acts one is journalled. `policies`: the version in
    force, whose custodians may undo acts.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        rows: LiveRows,
        services: Mapping[str, Service],
        seals: Seals,
        clock: Clock,
        *,
        base: int,
        size: int,
        authority: Authority | None = None,
        fingerprint_key: FingerprintKey | None = None,
        fingerprint_every: int = EVERY_ACTS,
        policies: Sequence[PolicyFile] = (),
    ) -> None:
        connection.execute(_PENDING_SQL)
        self._fingerprint: RunningFingerprint | None = None
        if fingerprint_key is not None:
            self._hashes = RowHashes(fingerprint_key.secret)
            self._fingerprint = RunningFingerprint(connection, fingerprint_key, rows.tables)
        self._fingerprint_every = fingerprint_every
        self._connection = connection
        self._rows = rows
        self._services = {**services, TOWER_NAME: tower_service(policies)}
        self._seals = seals
        self._clock = clock
        self._authority = authority
        self.base = base
        self.size = size
        self.set_aside: dict[str, str] = {}
        self._tiled_size = size
        self._any_annulled = bool(rows.find(ANNULMENT.name, 1))

    @property
    def end(self) -> int:
        """The position that the next act will have."""
        return self.base + self.size

    def write(
        self, commands: Sequence[Command], unavailable: Mapping[str, str] | None = None
    ) -> Written:
        """Decide `commands` in order and commit what they came to; see Outcome and Written.

        Commands of a service named in `unavailable` are answered with that code and nothing is
        done. Raises NoRoom where the disk is full: then nothing of the batch counts.
        """
        fresh: list[tuple[bytes, tuple[bytes, ...]]] = []
        with self._transaction(fresh):
            outcomes = [self._one(command, unavailable or {}, fresh) for command in commands]
        names = tuple(dict.fromkeys(name for _, named in fresh for name in named))
        return Written(outcomes, [entry for entry, _ in fresh], names)

    def write_own(self, *acts: NewAct) -> Written:
        """Journal acts of the tower itself, signed for by custodians, and a fingerprint after them.

        All of them or none. Raises NoRoom, and what applying them raises.
        """
        fresh: list[tuple[bytes, tuple[bytes, ...]]] = []
        with self._transaction(fresh, state_fingerprint=True):
            for act in acts:
                fresh.append((self._accept_own(act, CUSTODIANS), ()))
        return Written([], [entry for entry, _ in fresh], ())

    def annul(self, note: bytes, parts: Sequence[bytes]) -> tuple[Outcome, Written]:
        """Journal an undo that custodians signed, whole; see journal.annulment.

        An undo that took effect before gets the same answer, and nothing is written. Raises
        AnnulmentInvalid, PolicyMissing or UnfitAct where it does not count, and NoRoom.
        """
        hashes = [hash_of(part) for part in parts]
        digest = digest_of(hashes)
        known = self._rows.get(ANNULMENT.name, digest)
        if known is not None:
            first, written = known["position"], Written([], [], ())
            assert isinstance(first, int)
        else:
            first = self.end
            acts = [NewAct(ANNULLED, annulled_data(note, hashes))]
            for number, part in enumerate(parts):
                acts.append(NewAct(ANNULLED_PART, part_data(digest, number, part)))
            try:
                written = self.write_own(*acts)
            except KeyError as error:
                raise UnfitAct(f"this undo is of other registers: {error}.") from error
            self._any_annulled = True
        positions = tuple(range(first, first + 1 + len(parts)))
        return Outcome("accepted", positions[-1] + 1, positions), written

    @contextmanager
    def _transaction(
        self, fresh: list[tuple[bytes, tuple[bytes, ...]]], *, state_fingerprint: bool = False
    ) -> Iterator[None]:
        """One transaction: what is put into `fresh` meanwhile waits in it to join the journal."""
        size_before = self.size
        running = self._fingerprint
        stood = running.standing if running is not None else (0, 0)
        self._connection.execute("BEGIN IMMEDIATE")
        if running is not None:
            self._rows.watch()
        try:
            yield
            self._keep_fingerprint(fresh, state_fingerprint)
            self._keep_pending([entry for entry, _ in fresh], size_before)
            self._connection.execute("COMMIT")
        except BaseException as error:
            self.size = size_before
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if running is not None:
                self._rows.forget()
                self._hashes.total()
                running.go_back(stood)
            if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                raise NoRoom(
                    "the disk that holds the registers is full.",
                    remedy="Free space; nothing was lost, and new acts are taken again at once.",
                ) from error
            raise

    def _keep_fingerprint(
        self, fresh: list[tuple[bytes, tuple[bytes, ...]]], state_it: bool
    ) -> None:
        """Count what changed into the fingerprint; journal it where that is due or asked for."""
        running = self._fingerprint
        if running is None:
            return
        for table, old, new in self._rows.changes():
            if is_counted(table):
                self._hashes.take(table, -1, old)
                self._hashes.take(table, 1, new)
        running.move(self._hashes.total())
        if fresh and (state_it or self.end - running.since >= self._fingerprint_every):
            act = NewAct(FINGERPRINT, running.now().data())
            fresh.append((self._accept_own(act, SCRIBE), ()))
            running.since = self.end
        if fresh:
            running.save()

    def _accept_own(self, act: NewAct, actor: Actor) -> bytes:
        """The entry of an act of the tower itself."""
        command = Command(TOWER_NAME, act.name, b"\0" * 16, actor, act.data)
        return self._accept(command, command.key(), act, self._clock.now_ms())

    def tiles_are_durable(self, size: int) -> None:
        """Entries below `size` are in the journal's tiles; the next batch drops them from here."""
        self._tiled_size = size

    def _one(
        self,
        command: Command,
        unavailable: Mapping[str, str],
        fresh: list[tuple[bytes, tuple[bytes, ...]]],
    ) -> Outcome:
        try:
            key = command.key()
        except NotCanonical:
            return Outcome("refused", 0, code="malformed")
        repeated = self._repeated(key)
        if repeated is not None:
            return repeated
        code = unavailable.get(command.service) or (
            "set-aside" if command.service in self.set_aside else ""
        )
        if code:
            return Outcome("unavailable", 0, code=code)
        service = self._services.get(command.service)
        kind = service.commands.get(command.name) if service else None
        if service is None or kind is None:
            return Outcome("refused", 0, code="unknown-command")
        at_ms = self._clock.now_ms()
        size_before, count_before = self.size, len(fresh)
        self._connection.execute("SAVEPOINT command")
        try:
            decision = self._decided(command, kind, key, at_ms)
            if isinstance(decision, Refusal):
                outcome = Outcome("refused", self.end, code=decision.code, detail=decision.detail)
            else:
                first = self.end
                for act in decision:
                    if not set(act.names) <= set(command.names):
                        raise UnnamedBlob("an act names a blob that its command did not bring.")
                    entry = self._accept(command, key, act, at_ms, len(decision))
                    fresh.append((entry, act.names))
                positions = tuple(range(first, self.end))
                outcome = Outcome("accepted", self.end, positions)
        except sqlite3.Error:
            raise
        except Exception as error:
            self._connection.execute("ROLLBACK TO command")
            self._rows.look_again()
            self.size = size_before
            del fresh[count_before:]
            fault = _OWN_FAULTS.get(type(error))
            if fault:
                outcome = Outcome("refused", self.end, code=fault)
            else:
                self._set_aside(command, error)
                outcome = Outcome("unavailable", 0, code="set-aside")
        self._connection.execute("RELEASE command")
        return outcome

    def _decided(self, command: Command, kind: CommandType, key: bytes, at_ms: int) -> Decision:
        asked = Asked(command.name, command.actor, command.data, at_ms, key, command.assertion)
        if self._authority is not None and needs_authority(command.actor):
            refusal = self._authority.refuse(self._rows, asked, command.service)
            if refusal is not None:
                return refusal
        return kind.decide(asked, kind.gather(self._rows, asked))

    def _accept(
        self,
        command: Command,
        key: bytes,
        act: NewAct,
        at_ms: int,
        together: int = 1,
    ) -> bytes:
        kind = self._services[command.service].acts[act.name]
        is_signed = command.actor.role != "citizen" and bool(command.assertion)
        signed = is_signed and self._rows.get("kulla_command", key) is None
        accepted = Act(
            self.end,
            command.service,
            act.name,
            kind.version,
            at_ms,
            command.actor,
            key,
            act.data,
            command.assertion if signed else b"",
            command.wish() if signed else b"",
            together if signed else 1,
            command.via,
        )
        plaintext = act_plaintext(
            accepted.service,
            accepted.name,
            accepted.version,
            accepted.at_ms,
            accepted.actor.role,
            accepted.actor.subject,
            accepted.command,
            accepted.data,
            behalf=accepted.actor.behalf,
            assertion=accepted.assertion,
            wish=accepted.wish,
            together=accepted.together,
            via=accepted.via,
        )
        entry = self._seals.seal(plaintext, act.names)
        apply_act(self._services, self._rows, accepted)
        self.size += 1
        return entry

    def known(self, key: bytes) -> Outcome | None:
        """What a command with this key is answered unseen, because it came before; or None."""
        return self._repeated(key)

    def _repeated(self, key: bytes) -> Outcome | None:
        if self._any_annulled:
            annulled = self._rows.get(ANNULLED_COMMAND.name, key)
            if annulled is not None:
                listed = annulled["listed"]
                assert isinstance(listed, int)
                # What custodians undid is not done again by whoever sends it once more.
                return Outcome("refused", listed + 1, code="annulled")
        noted = self._rows.get("kulla_command", key)
        if noted is None:
            return None
        first, count = noted["position"], noted["count"]
        assert isinstance(first, int)
        assert isinstance(count, int)
        return Outcome("accepted", first + count, tuple(range(first, first + count)))

    def _keep_pending(self, entries: Sequence[bytes], first: int) -> None:
        self._connection.execute("DELETE FROM scribe_pending WHERE idx < ?", (self._tiled_size,))
        note_applied(self._rows, self.end)
        self._connection.executemany(
            "INSERT INTO scribe_pending VALUES (?, ?)", list(enumerate(entries, first))
        )

    def _set_aside(self, command: Command, error: Exception) -> None:
        self.set_aside[command.service] = type(error).__name__
        log.critical(
            "service set aside",
            service=command.service,
            command=command.name,
            error=type(error).__name__,
            at=_place_of(error),
            remedy="Mend the service, then restart the scribe; other services go on.",
        )


def _place_of(error: Exception) -> str:
    """File and line where an error arose: the log says where, never what the data was."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def pending_entries(connection: sqlite3.Connection) -> tuple[int | None, list[bytes]]:
    """(index of the first pending entry or None, the entries), as the last commit left them."""
    connection.execute(_PENDING_SQL)
    rows = connection.execute("SELECT idx, entry FROM scribe_pending ORDER BY idx").fetchall()
    if not rows:
        return None, []
    first = rows[0][0]
    assert [idx for idx, _ in rows] == list(range(first, first + len(rows)))
    return first, [entry for _, entry in rows]
