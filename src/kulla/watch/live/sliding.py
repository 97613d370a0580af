"""Correlations while events come: told once each, kept over a restart, forgotten in time.

What is kept of a rule's events reaches back far enough for every window that may still be judged: a
window ends at most LATE_US before the newest event, and chains of correlations add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kulla.kernel.edges import Clock
from kulla.watch.correlate import Correlator, Fired, text_of
from kulla.watch.findings import Detection, Place, of_correlation
from kulla.watch.sigma.link import Correlation
from kulla.watch.sigma.rule import Rule

LATE_US: Final = 600 * 1_000_000
"""An event may come so much later than others, and still be in each of its windows."""


@dataclass(frozen=True, slots=True)
class Matched:
    """A rule matched an event: its words, the event's number, time, fields that count, place."""

    words: tuple[str, ...]
    event: int
    at_us: int
    fields: Mapping[str, str]
    place: Place


@dataclass(frozen=True, slots=True)
class Told:
    """A run of a correlation that was told: from when to when it held."""

    correlation: str
    group: tuple[str, ...]
    from_us: int
    until_us: int


class Sliding:
    """The memory of a watch that goes on; see scan.Memory.

    matched, told: what was kept before; newest_us: of the newest event then. clock: no event counts
    as newer than now, whatever it says, or one false clock would make all others late.
    """

    def __init__(
        self,
        correlations: Sequence[Correlation],
        clock: Clock,
        matched: Iterable[Matched] = (),
        told: Iterable[Told] = (),
        newest_us: int | None = None,
    ) -> None:
        self._correlations = correlations
        self._clock = clock
        self._correlator = Correlator(correlations)
        self._needed = _fields_of(correlations)
        self._depth = _depths(correlations)
        self._keep = _keeps(correlations, self._depth)
        self._matched = list(matched)
        self._told: dict[tuple[str, tuple[str, ...]], list[Told]] = {}
        for one in told:
            self._told.setdefault((one.correlation, one.group), []).append(one)
        self._floor_us = newest_us
        self.newest_us = newest_us
        self._fresh: list[Matched] = []
        self.late = 0

    def wants(self, rule: Rule) -> bool:
        """See scan.Memory."""
        return self._correlator.wants(rule)

    def add(
        self, rule: Rule, event: int, at_us: int | None, fields: Mapping[str, Any], place: Place
    ) -> None:
        """See scan.Memory. One without a time is in no window; a late one is counted."""
        if at_us is None:
            return
        if self._floor_us is not None and at_us < self._floor_us - LATE_US:
            self.late += 1
        kept = {
            name: text for name in self._needed if (text := text_of(fields.get(name))) is not None
        }
        words = tuple(word for word in (rule.id, rule.name) if word)
        one = Matched(words, event, at_us, kept, place)
        self._matched.append(one)
        self._fresh.append(one)
        newest_us = min(at_us, self._clock.now_ms() * 1000)
        self.newest_us = newest_us if self.newest_us is None else max(newest_us, self.newest_us)

    def held(self) -> Iterator[Detection]:
        """See scan.Memory: runs that began since the last time, each once."""
        if not self._fresh:
            return
        # What is new changes no instant before it; earlier ones stand as they were told.
        first_us = min(one.at_us for one in self._fresh)
        near = [one for one in self._matched if one.at_us >= first_us - self._kept_us(one.words)]
        correlator = Correlator(self._correlations)
        for one in near:
            correlator.take(one.words, one.event, one.at_us, one.fields)
        places = {one.event: one.place for one in near}
        for fired in correlator.fired(self._since(first_us)):
            if not self._known(fired) and not fired.correlation.quiet:
                yield of_correlation(fired, places)

    def _since(self, first_us: int) -> dict[str, int]:
        """For each correlation the first instant whose window is whole, and may be new."""
        begin_us = first_us if self._floor_us is None else max(first_us, self._floor_us)
        return {one.id: begin_us - LATE_US - self._depth[one.id] for one in self._correlations}

    def _known(self, fired: Fired) -> bool:
        """Whether a run was told; it is noted that it was, and up to when it goes now."""
        name = fired.correlation.id
        group = tuple(value.lower() for value in fired.group)
        from_us, until_us = fired.at_us, fired.until_us
        runs = self._told.setdefault((name, group), [])
        same = [one for one in runs if one.from_us <= until_us and from_us <= one.until_us]
        for one in same:
            runs.remove(one)
            from_us, until_us = min(from_us, one.from_us), max(until_us, one.until_us)
        runs.append(Told(name, group, from_us, until_us))
        return bool(same)

    def take_fresh(self) -> list[Matched]:
        """What was added since this was called last; to be kept with the places of the logs."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def told(self) -> list[Told]:
        """All runs that were told and may still go on."""
        return [one for runs in self._told.values() for one in runs]

    def let_go(self) -> list[int]:
        """Forget what no window needs any more; gives the numbers of those events.

        To be called where every log was read to its end, or what is behind would come too late.
        """
        self._floor_us = self.newest_us
        if self._floor_us is None:
            return []
        gone = {
            one.event
            for one in self._matched
            if one.at_us < self._floor_us - self._kept_us(one.words)
        }
        if gone:
            self._matched = [one for one in self._matched if one.event not in gone]
        for key, runs in list(self._told.items()):
            oldest_us = self._floor_us - LATE_US - 2 * self._depth.get(key[0], 0)
            self._told[key] = [one for one in runs if one.until_us >= oldest_us]
            if not self._told[key]:
                del self._told[key]
        return sorted(gone)

    def _kept_us(self, words: tuple[str, ...]) -> int:
        return max((self._keep.get(word, 0) for word in words), default=0)


def _fields_of(correlations: Sequence[Correlation]) -> set[str]:
    needed: set[str] = set()
    for one in correlations:
        needed |= {*one.group_by, *one.fields}
        needed |= {name for alias in one.aliases.values() for name in alias.values()}
    return needed


def _depths(correlations: Sequence[Correlation]) -> dict[str, int]:
    """How far back a correlation looks, with all that it is about; inner ones come first."""
    known: dict[str, int] = {}
    for one in correlations:
        depth = one.span_us + max((known.get(name, 0) for name in one.rules), default=0)
        known |= {word: depth for word in (one.id, one.name) if word}
    return known


def _keeps(correlations: Sequence[Correlation], depths: Mapping[str, int]) -> dict[str, int]:
    """How long the events of each rule are kept, by its words."""
    keep: dict[str, int] = {}
    for one in reversed(correlations):
        outer = max((keep.get(word, 0) for word in (one.id, one.name)), default=0)
        mine = max(2 * depths[one.id] + LATE_US, outer)
        for name in one.rules:
            keep[name] = max(keep.get(name, 0), mine)
    return keep
