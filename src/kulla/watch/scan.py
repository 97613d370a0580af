"""A scan: batches in, blocks to the engine, detections out, and an account of it all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from kulla.kernel.edges import Clock
from kulla.watch.correlate import Correlator
from kulla.watch.engine import Engine
from kulla.watch.event import at_us, fields_of, shown
from kulla.watch.findings import Account, Detection, Place, Sink, of_correlation
from kulla.watch.plan import Source
from kulla.watch.sigma.link import Correlation
from kulla.watch.sigma.load import RuleSet
from kulla.watch.sigma.rule import Rule
from kulla.watch.sources.batch import Batch, Reject, reject
from kulla.watch.sources.windows import NestedBatch

BLOCK_EVENTS: Final = 60_000
BLOCK_BYTES: Final = 96 << 20
Progress = Callable[[Account], None]


@dataclass(slots=True)
class _Block:
    """Events of one source that wait until there are enough of them."""

    batches: list[Batch] = field(default_factory=list)
    events: int = 0
    bytes: int = 0


class Memory(Protocol):
    """Keeps what correlations are about, and says which of them held."""

    def wants(self, rule: Rule) -> bool:
        """Whether some correlation speaks of the rule."""
        ...

    def add(
        self, rule: Rule, event: int, at_us: int | None, fields: Mapping[str, Any], place: Place
    ) -> None:
        """A rule matched an event. event: a number that no other event has."""
        ...

    def held(self) -> Iterator[Detection]:
        """Correlations that held and were not told before, but for silent ones."""
        ...


class WholeMemory:
    """The memory of a scan: all of it, until the end."""

    def __init__(self, correlations: Sequence[Correlation]) -> None:
        self._correlator = Correlator(correlations)
        self._places: dict[int, Place] = {}

    def wants(self, rule: Rule) -> bool:
        """See Memory."""
        return self._correlator.wants(rule)

    def add(
        self, rule: Rule, event: int, at_us: int | None, fields: Mapping[str, Any], place: Place
    ) -> None:
        """See Memory."""
        self._correlator.add(rule, event, at_us, fields)
        self._places[event] = place

    def held(self) -> Iterator[Detection]:
        """See Memory; to be asked once."""
        for fired in self._correlator.fired():
            if not fired.correlation.quiet:
                yield of_correlation(fired, self._places)


class Scan:
    """Asks rules of batches. engine: asks these very rules, and may have done so before.

    sinks: take detections; progress: is called after each block; memory: of what correlations are
    about, all of it where none is given; next_event: the number of the next event in it.

    Memory holds one block of each source, and what correlations are about.
    """

    def __init__(
        self,
        engine: Engine,
        rules: RuleSet,
        sinks: Sequence[Sink],
        clock: Clock,
        progress: Progress = lambda _: None,
        memory: Memory | None = None,
        next_event: int = 0,
    ) -> None:
        self._rules = rules
        self._engine = engine
        self._memory = memory or WholeMemory(rules.correlations)
        self._wanted = [self._memory.wants(rule) for rule in rules.rules]
        self._sinks = sinks
        self._clock = clock
        self._progress = progress
        self._blocks: dict[Source, _Block] = {}
        self.next_event = next_event
        self.account = Account(
            rules=len(rules.rules), correlations=len(rules.correlations), unfit=list(rules.unfit)
        )

    def run(self, items: Iterable[Batch | Reject]) -> Account:
        """All of it, to the end; gives the account, and the sinks are complete."""
        started_s = self._clock.monotonic_s()
        for item in items:
            self.account.seconds = self._clock.monotonic_s() - started_s
            self.take(item)
        self.ask()
        self.account.seconds = self._clock.monotonic_s() - started_s
        for sink in self._sinks:
            sink.end(self.account)
        return self.account

    def take(self, item: Batch | Reject) -> None:
        """Take in what a source gave; asks the rules where a block is full."""
        if isinstance(item, Reject):
            self.account.reject(item)
        else:
            self._add(item)

    def ask(self) -> None:
        """Ask the rules of all that waits, and the memory which correlations held."""
        for source in list(self._blocks):
            self._flush(source)
        for found in self._memory.held():
            self._out(found)

    def _add(self, batch: Batch) -> None:
        nested = isinstance(batch, NestedBatch)
        source = Source(batch.product, batch.category, batch.service, nested)
        block = self._blocks.setdefault(source, _Block())
        block.batches.append(batch)
        block.events += len(batch.lines)
        size = sum(map(len, batch.lines))
        block.bytes += size
        self.account.events += len(batch.lines)
        self.account.bytes += size
        self.account.files.add(batch.file)
        if block.events >= BLOCK_EVENTS or block.bytes >= BLOCK_BYTES:
            self._flush(source)

    def _flush(self, source: Source) -> None:
        block = self._blocks.pop(source)
        lines = [line for batch in block.batches for line in batch.lines]
        hits = self._engine.hits(source, lines)
        places = _Places(block.batches)
        for row in hits.blank.tolist():
            self._blank(places.of(row), lines[row])
        row_before, fields = -1, {}
        first_event, self.next_event = self.next_event, self.next_event + block.events
        for rule, row in zip(hits.rules.tolist(), hits.rows.tolist(), strict=True):
            if row != row_before:
                row_before, fields = row, fields_of(lines[row])
            place = places.of(row)
            if self._wanted[rule]:
                self._remember(rule, first_event + row, fields, place)
            one = self._rules.rules[rule]
            if not one.quiet:
                when = at_us(fields)
                self._out(Detection(one, when, when, place, shown(fields), (place,)))
        self._progress(self.account)

    def _remember(self, rule: int, event: int, fields: dict[str, object], place: Place) -> None:
        when = at_us(fields)
        self.account.untimed += when is None
        self._memory.add(self._rules.rules[rule], event, when, fields, place)

    def _blank(self, place: Place, line: bytes) -> None:
        """A Windows event that no rule could be asked of: broken, or without channel and number."""
        try:
            json.loads(line)
            reason = "a Windows event without channel and number"
        except (ValueError, RecursionError) as error:
            reason = f"not JSON: {error}"
        self.account.reject(reject(place.file, place.number, reason, line))

    def _out(self, found: Detection) -> None:
        self.account.count(found)
        for sink in self._sinks:
            sink.take(found)


class _Places:
    """From a row of a block to where the event stands."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches
        self._at = 0
        self._first = 0

    def of(self, row: int) -> Place:
        """The place of a row; rows mostly ascend, so it looks on from the last one."""
        if row < self._first:
            self._at = self._first = 0
        while row - self._first >= len(self._batches[self._at].lines):
            self._first += len(self._batches[self._at].lines)
            self._at += 1
        batch = self._batches[self._at]
        return Place(batch.file, batch.numbers[row - self._first])
