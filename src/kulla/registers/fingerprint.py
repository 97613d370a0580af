"""Fingerprints: 32 bytes that stand for all rows of the registers, kept as rows change.

A multiset hash after Clarke et al. (MSet-Add-Hash, 2003): the keyed BLAKE2b hashes (RFC 7693) of
all rows, added up modulo 2^256. A row that changes takes its old hash off and adds its new one, so
nobody reads the registers again; in which order rows came makes no difference. A row's hash is of
its table's name and its cells in the order of the columns, each in canonical CBOR.

The key follows from the journal key, so every home of a country comes to the same fingerprint. It
finds what chance, a fault or a wrong release did to registers. It is no proof against who holds the
journal key (docs/decisions/021).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from itertools import combinations
from typing import Any, Final, Protocol

import cbor2

from kulla.kernel.canonical import Value, encode
from kulla.kernel.errors import KullaError
from kulla.kernel.rows import Table
from kulla.registers.sqlite import Cells, Statements

FINGERPRINT: Final = "fingerprint"
"""The act of the tower that holds one: it covers all acts before its own position."""

EVERY_ACTS: Final = 4096
"""So many acts after the last fingerprint, the scribe journals another one."""

HASH_BYTES: Final = 32
_MODULUS: Final = 1 << (8 * HASH_BYTES)

LEFT_OUT: Final = frozenset(("kulla_applied", "kulla_case", "kulla_epoch"))
"""Tables that do not follow from acts alone: how far a replay came, what this release could not
apply, and the first epoch, which the policy file names."""

_STATE_SQL: Final = (
    "CREATE TABLE IF NOT EXISTS kulla_fingerprint (one INTEGER PRIMARY KEY, value BLOB NOT NULL,"
    " schema BLOB NOT NULL, key BLOB NOT NULL, since INTEGER NOT NULL, difference BLOB NOT NULL)"
)


class FingerprintMalformed(KullaError):
    """The act of a fingerprint does not hold one."""


class FingerprintMisfit(KullaError):
    """The registers that a replay came to are not those that the journal's fingerprint is of."""


class FingerprintKey:
    """The secret that rows are hashed under. Its repr hides it. Safe to use from any thread."""

    def __init__(self, journal_secret: bytes) -> None:
        """`journal_secret` is the 32 bytes of the journal key (journal.entries.JournalKey)."""
        self.secret = blake2b(b"kulla fingerprint v1", key=journal_secret, digest_size=32).digest()
        self.key_id = blake2b(b"key id", key=self.secret, digest_size=8).digest()

    def __repr__(self) -> str:
        return f"FingerprintKey({self.key_id.hex()})"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an act says: the hash, of which tables and columns, and under which key."""

    value: int
    schema: bytes
    key_id: bytes

    def data(self) -> dict[str, Value]:
        """The data of the act `tower.fingerprint`."""
        return {"hash": _bytes_of(self.value), "schema": self.schema, "key": self.key_id}

    @classmethod
    def parse(cls, data: Mapping[str, Any], *, place: str = "") -> Fingerprint:
        """The inverse of `data`. Raises FingerprintMalformed."""
        match data:
            case {"hash": bytes(value), "schema": bytes(schema), "key": bytes(key), **more} if (
                len(value) == HASH_BYTES and not more
            ):
                return cls(int.from_bytes(value, "big"), schema, key)
        raise FingerprintMalformed("this act holds no fingerprint.", place=place)


def schema_of(tables: Iterable[Table]) -> bytes:
    """32 bytes that name the tables and columns that are counted: another release's may differ."""
    named: list[Value] = [
        [table.name, *([column.name, column.kind, column.nullable] for column in table.columns)]
        for table in sorted(tables, key=lambda table: table.name)
        if table.name not in LEFT_OUT
    ]
    return sha256(encode(named)).digest()


def is_counted(table: str) -> bool:
    """Whether a table's rows are part of the fingerprint."""
    return table not in LEFT_OUT


class Totals(Protocol):
    """Adds up the hashes of rows. One thread at a time."""

    def take(self, table: str, sign: int, rows: list[Cells]) -> None:
        """These rows of a table have come (`sign` 1) or are gone (-1); may be added up later."""
        ...

    def total(self) -> int:
        """What all that was taken since the last call adds up to, modulo 2^256."""
        ...


class RowHashes:
    """The hashes of rows under one key's secret, added up here and now (see Totals)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._started: dict[str, Any] = {}
        self._total = 0

    def of(self, table: str, rows: Iterable[Cells]) -> int:
        """The sum of the hashes of these rows, not yet reduced."""
        start = self._started.get(table)
        if start is None:
            start = blake2b(encode(table), key=self._secret, digest_size=HASH_BYTES)
            self._started[table] = start
        # Only integers, text, bytes and None stand in a row, and each has one shortest encoding:
        # the library writes what `canonical.encode` would, in half the time.
        dumps, from_bytes, copy = cbor2.dumps, int.from_bytes, start.copy
        total = 0
        for cells in rows:
            hasher = copy()
            hasher.update(dumps(cells))
            total += from_bytes(hasher.digest(), "big")
        return total

    def take(self, table: str, sign: int, rows: list[Cells]) -> None:
        """See Totals."""
        self._total += sign * self.of(table, rows)

    def total(self) -> int:
        """See Totals."""
        total, self._total = self._total % _MODULUS, 0
        return total


class RunningFingerprint:
    """The fingerprint of one register file, kept in the file itself, in the caller's transactions.

    `value` counts what `move` was told; `save` makes it durable with the rows that it is of. Where
    the file has none, or one of other tables or another key, all rows are added up anew. `since` is
    the position behind the last fingerprint that was journalled.
    """

    def __init__(
        self, connection: sqlite3.Connection, key: FingerprintKey, tables: Iterable[Table]
    ) -> None:
        self._connection = connection
        self._tables = tuple(tables)
        self._key = key
        self.schema = schema_of(self._tables)
        self.value, self.since, self._difference = 0, 0, 0
        self._without: dict[bytes, list[Table]] | None = None
        connection.execute(_STATE_SQL)
        found = connection.execute(
            "SELECT value, since, difference FROM kulla_fingerprint WHERE schema = ? AND key = ?",
            (self.schema, key.key_id),
        ).fetchone()
        if found is None:
            self.value = self.counted()
        else:
            self.value, self.since = int.from_bytes(found[0], "big"), found[1]
            self._difference = int.from_bytes(found[2], "big")

    @property
    def standing(self) -> tuple[int, int]:
        """`value` and `since`, for `go_back`."""
        return self.value, self.since

    def go_back(self, stood: tuple[int, int]) -> None:
        """A transaction was taken back: stand as `standing` said before it."""
        self.value, self.since = stood

    def counted(self) -> int:
        """The fingerprint of the rows that stand in the file now, each of them read."""
        hashes = RowHashes(self._key.secret)
        total = 0
        for table in self._tables:
            if is_counted(table.name):
                total += hashes.of(table.name, self._connection.execute(Statements(table).select))
        return total % _MODULUS

    def move(self, delta: int) -> None:
        """Rows changed by so much (Totals.total)."""
        self.value = (self.value + delta) % _MODULUS

    def save(self) -> None:
        """Write it into the file, in the transaction that the caller opened."""
        self._connection.execute(
            "INSERT OR REPLACE INTO kulla_fingerprint VALUES (1, ?, ?, ?, ?, ?)",
            (
                _bytes_of(self.value),
                self.schema,
                self._key.key_id,
                self.since,
                _bytes_of(self._difference),
            ),
        )

    def now(self) -> Fingerprint:
        """What an act would say now."""
        return Fingerprint(self.value, self.schema, self._key.key_id)

    def misfit(self, found: Fingerprint) -> bool:
        """Whether the journal's fingerprint is of other rows than these.

        One of other tables or of another key says nothing; one of a release that lacked whole
        services does, while those have no rows. What differed before and still differs by the same
        is no news: each misfit is told once. The rows must be written (see counted).
        """
        if found.key_id != self._key.key_id or not self._covers(found.schema):
            return False
        before, self._difference = self._difference, (found.value - self.value) % _MODULUS
        return self._difference not in (0, before)

    def _covers(self, schema: bytes) -> bool:
        """Whether a sum over the tables of `schema` is one over these: the others are empty."""
        if schema == self.schema:
            return True
        if self._without is None:
            self._without = dict(_without_services(self._tables))
        lacking = self._without.get(schema)
        return lacking is not None and not any(self._has_rows(table) for table in lacking)

    def _has_rows(self, table: Table) -> bool:
        return (
            self._connection.execute(f"{Statements(table).select} LIMIT 1").fetchone() is not None
        )


def _without_services(tables: Sequence[Table]) -> Iterator[tuple[bytes, list[Table]]]:
    """The schema of each release that lacked some of the services, and their tables.

    A table's service is its name up to the first '_'. There are few services, so few schemas.
    """
    services = sorted({table.name.partition("_")[0] for table in tables} - {"kulla"})
    for count in range(1, len(services) + 1):
        for lacking in combinations(services, count):
            gone = [table for table in tables if table.name.partition("_")[0] in lacking]
            yield schema_of(table for table in tables if table not in gone), gone


def _bytes_of(value: int) -> bytes:
    return value.to_bytes(HASH_BYTES, "big")
