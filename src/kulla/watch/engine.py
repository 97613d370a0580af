"""Asks all rules of a block of events: one pass for the anchors, then the exact conditions.

Three steps for each kind of events in the block: fields become columns; one multi-pattern search a
field finds which anchors stand where; a rule's exact condition is asked where one of its anchors
was found, and everywhere for the few rules that have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from kulla.watch.fields import kind_of, searching, selection
from kulla.watch.plan import Family, Ints, Question, Route, Source
from kulla.watch.settle import Settled
from kulla.watch.sigma.rule import Rule
from kulla.watch.sigma.sql import VALUES, quoted
from kulla.watch.store import Store
from kulla.watch.truth import Found, decided

ALONE_MIN: Final = 2_000
"""Events of one kind, from which on they are searched by themselves and not with the others."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Which rule is true of which event: two arrays of the same length, ordered by event.

    rules: places in the list of rules; rows: places in the block. blank: rows of Windows events
    that say neither channel nor number, so no rule could be asked of them; broken JSON is so.
    """

    rules: Ints
    rows: Ints
    blank: Ints


class Engine:
    """Asks rules of blocks of events. plain: each rule of each event, to compare with."""

    def __init__(self, store: Store, rules: Sequence[Rule], *, plain: bool = False) -> None:
        self._store = store
        self._rules = rules
        self._plain = plain
        self._families: dict[Source, Family] = {}
        self._settled = Settled(store)

    def family(self, source: Source) -> Family:
        """All that can be asked of events of this source."""
        known = self._families.get(source)
        if known is None:
            known = self._families[source] = Family(source, self._rules)
        return known

    def hits(self, source: Source, lines: Sequence[bytes]) -> Hits:
        """Ask all rules that fit the source of these events (one JSON object each, valid UTF-8)."""
        family = self.family(source)
        found: list[tuple[Ints, Ints]] = []
        if family.questions and lines:
            self._fill(source, lines)
            for route, where in self._routes(family):
                if route.asked:
                    found.extend(self._route(route, where))
            return _as_hits(found, self._blank(source))
        return _as_hits(found, np.zeros(0, np.int64))

    def _blank(self, source: Source) -> Ints:
        if source.product != "windows":
            return np.zeros(0, np.int64)
        return _array(self._store.rows("SELECT n FROM raw WHERE kind = ' '"), "n")

    def _fill(self, source: Source, lines: Sequence[bytes]) -> None:
        begin = "CREATE OR REPLACE TABLE raw ENGINE = Memory AS SELECT n, "
        if source.product == "windows":
            chosen = f"line, {kind_of(source)} FROM Python(incoming))"
        else:
            chosen = "assumeNotNull(line) AS line FROM Python(incoming)"
        self._store.take(begin + chosen, _table_of(lines))

    def _routes(self, family: Family) -> Iterator[tuple[Route, str]]:
        """The kinds of events in the block, each with the condition that finds them in `raw`.

        Rare kinds go together: a search costs some milliseconds however few events there are.
        """
        if family.source.product != "windows":
            yield family.route([("", "")]), "1"
            return
        kinds = self._kinds()
        alone = [kind for kind, count in kinds if count >= ALONE_MIN]
        rest = [kind for kind, count in kinds if count < ALONE_MIN]
        for kind in alone:
            where = "1" if len(kinds) == 1 else f"kind = {quoted(_kind_text(kind))}"
            yield family.route([kind]), where
        if rest:
            known = ", ".join(quoted(_kind_text(kind)) for kind in alone)
            yield family.route(rest), f"kind NOT IN ({known})" if alone else "1"

    def _kinds(self) -> list[tuple[tuple[str, str], int]]:
        """Channel and number of the events in `raw`, with their count."""
        found = self._store.rows(
            "SELECT toString(kind) AS kind, count() AS c FROM raw GROUP BY kind ORDER BY kind"
        )
        kinds = []
        for row in found.to_pylist():
            event, _, channel = _text(row["kind"]).partition(" ")
            kinds.append(((channel, event), int(row["c"])))
        return kinds

    def _route(self, route: Route, where: str) -> Iterator[tuple[Ints, Ints]]:
        if self._plain:
            everything = _array(self._store.rows(f"SELECT n FROM raw WHERE {where}"), "n")
            yield from self._exact(route.family, [(one, everything) for one in route.asked])
            return
        found = self._search(route, where)
        undecided: list[tuple[Question, Ints]] = []
        for one in route.asked:
            sure, rest = decided(one.compiled, found)
            if len(sure):
                yield np.full(len(sure), one.rule, np.int64), sure
            if len(rest):
                undecided.append((one, rest))
        yield from self._exact(route.family, undecided)

    def _search(self, route: Route, where: str) -> Found:
        """One multi-pattern search for each field that has anchors, in one pass."""
        searches = self._settled.settle(route.searches)
        table = self._store.rows(searching(route.family.source, searches, where))
        everything = _array(table, "n")
        rows, anchors = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for place, one in enumerate(searches):
            there, numbers = _unrolled(table.column(f"h{place}"), everything)
            rows.append(there)
            anchors.append(one.numbers[numbers - 1])
        count = route.family.anchors
        return Found(np.concatenate(anchors), np.concatenate(rows), count, everything)

    def _exact(
        self, family: Family, questions: list[tuple[Question, Ints]]
    ) -> Iterator[tuple[Ints, Ints]]:
        """Ask ClickHouse what the anchors left open: each question of its own rows."""
        for some in _together(questions):
            self._columns(family.source, some)
            asked = [
                f"SELECT toUInt32({place}) AS q, n FROM asked WHERE {_among(rows)} AND ({one.sql})"
                for place, (one, rows) in enumerate(some)
            ]
            table = self._store.rows(" UNION ALL ".join(asked))
            if len(table):
                rule_of = np.array([one.rule for one, _ in some], np.int64)
                yield rule_of[_array(table, "q")], _array(table, "n")

    def _columns(self, source: Source, questions: list[tuple[Question, Ints]]) -> None:
        """Make `asked`: the fields that these questions read, of the rows that they are about."""
        plain = set[str]().union(*(one.plain for one, _ in questions))
        low = set[str]().union(*(one.low for one, _ in questions))
        asked = set[str]().union(*(one.asked for one, _ in questions))
        rows = np.unique(np.concatenate([rows for _, rows in questions]))
        sql = selection(source, plain, low, asked, "n IN (SELECT n FROM Python(incoming))")
        begin = "CREATE OR REPLACE TABLE asked ENGINE = Memory AS "
        self._store.take(begin + sql, pa.table({"n": pa.array(rows.astype(np.uint32))}))


_TOGETHER_MAX: Final = 50


def _together(
    questions: list[tuple[Question, Ints]],
) -> Iterator[list[tuple[Question, Ints]]]:
    """Questions that are asked in one query, of one table of their fields and rows.

    Those of few events and those of many stand apart, and so do keywords, which need all values:
    else every field of every event would be made for one question's sake.
    """
    kinds: dict[tuple[bool, bool], list[tuple[Question, Ints]]] = {}
    for one, rows in questions:
        kind = (len(rows) > _LISTED_MAX, VALUES in one.plain | one.low)
        kinds.setdefault(kind, []).append((one, rows))
    for some in kinds.values():
        for begin in range(0, len(some), _TOGETHER_MAX):
            yield some[begin : begin + _TOGETHER_MAX]


def _among(rows: Ints) -> str:
    # A list of many numbers costs more to read than the condition to ask of every event.
    if len(rows) > _LISTED_MAX:
        return "1"
    return f"n IN ({', '.join(map(str, rows.tolist()))})"


_LISTED_MAX: Final = 5_000


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _kind_text(kind: tuple[str, str]) -> str:
    channel, event = kind
    return f"{event} {channel}"


def _table_of(lines: Sequence[bytes]) -> pa.Table:
    count = len(lines)
    return pa.table(
        {
            "n": pa.array(np.arange(count, dtype=np.uint32)),
            "line": pa.array(lines, pa.large_binary()),
        }
    )


def _array(table: pa.Table, name: str) -> Ints:
    found: Ints = (
        table.column(name).combine_chunks().to_numpy(zero_copy_only=False).astype(np.int64)
    )
    return found


def _unrolled(column: pa.ChunkedArray, numbers: Ints) -> tuple[Ints, Ints]:
    """A column of lists as two arrays: the number of the row, and each member."""
    lists = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.chunk(0)
    counts = np.diff(lists.offsets.to_numpy().astype(np.int64))
    return np.repeat(numbers, counts), lists.flatten().to_numpy().astype(np.int64)


def _as_hits(found: list[tuple[Ints, Ints]], blank: Ints) -> Hits:
    """Several ways of one rule come down to one hit an event."""
    if not found:
        return Hits(np.zeros(0, np.int64), np.zeros(0, np.int64), blank)
    rules = np.concatenate([one for one, _ in found])
    rows = np.concatenate([two for _, two in found])
    most = int(rules.max()) + 1 if len(rules) else 1
    both = np.unique(rows * most + rules)
    return Hits(both % most, both // most, blank)
