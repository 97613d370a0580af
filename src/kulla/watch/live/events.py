"""Events kept for who asks later, in ClickHouse on the disk, by age and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from kulla.watch.sources.batch import Batch
from kulla.watch.store import Store

FOLDER: Final = "events"
_HOUR_MS: Final = 3_600_000
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS event (
  came DateTime('UTC'), round UInt64, product LowCardinality(String),
  category LowCardinality(String), service LowCardinality(String), file LowCardinality(String),
  number UInt64, line String CODEC(ZSTD(3)))
ENGINE = MergeTree PARTITION BY toStartOfHour(came) ORDER BY (product, service, came)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
_COLUMNS: Final = "round, product, category, service, file, number, line"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long events are kept: hours since they came, and MiB on the disk; None for no bound."""

    hours: int | None = None
    mib: int | None = None


class Events:
    """Keeps what came, round by round. round_kept: the last that counts; later ones are undone.

    Whole hours go at a time, the oldest first; the hour that is going on is never thrown away.
    """

    def __init__(self, store: Store, retention: Retention, round_kept: int) -> None:
        self._store = store
        self._retention = retention
        self._waiting: list[Batch] = []
        store.run(_TABLE)
        store.run(f"DELETE FROM event WHERE round > {round_kept}")

    def take(self, batch: Batch) -> None:
        """A batch of the round that is going on."""
        self._waiting.append(batch)

    def keep(self, number: int, now_ms: int) -> None:
        """Write the round; when this returns it is on the disk. Old hours go."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            incoming = _table_of(waiting, number)
            self._store.take(
                f"INSERT INTO event SELECT toDateTime({now_ms // 1000}, 'UTC'), {_COLUMNS}"
                " FROM Python(incoming)",
                incoming,
            )
            self._let_go(now_ms)

    def _let_go(self, now_ms: int) -> None:
        hours = self._store.rows(
            "SELECT partition_id AS hour, sum(bytes_on_disk) AS bytes,"
            " toUnixTimestamp(max(max_time)) AS newest_s FROM system.parts"
            " WHERE active AND table = 'event' GROUP BY hour ORDER BY newest_s"
        ).to_pylist()
        total = sum(int(one["bytes"]) for one in hours)
        for one in hours[:-1]:
            old = self._retention.hours is not None and (
                int(one["newest_s"]) * 1000 < now_ms - self._retention.hours * _HOUR_MS
            )
            large = self._retention.mib is not None and total > self._retention.mib << 20
            if old or large:
                name = one["hour"]
                hour = name.decode() if isinstance(name, bytes) else str(name)
                self._store.run(f"ALTER TABLE event DROP PARTITION ID '{hour}'")
                total -= int(one["bytes"])


def folder_of(watch: Path) -> Path:
    """Where a watch with this folder keeps its events."""
    return watch / FOLDER


def _table_of(batches: list[Batch], number: int) -> pa.Table:
    rows = [
        (number, one.product, one.category, one.service, one.file, place, line)
        for one in batches
        for place, line in zip(one.numbers, one.lines, strict=True)
    ]
    columns = list(zip(*rows, strict=True))
    kinds = (pa.uint64(), pa.string(), pa.string(), pa.string(), pa.string(), pa.uint64(),
             pa.large_binary())  # fmt: skip
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)],
        names=_COLUMNS.split(", "),
    )
