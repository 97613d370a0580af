"""Correlations over detections, with true sliding windows.

A window is looked at whenever an event of its group comes: it holds every event of the group from
`timespan` before up to that instant, both ends included. Events of one instant come together, and
only their times count, not the order in which files were read. The condition may hold at several
events one after another; that is one Fired. An event without a time, or without one of the
group-by fields, is in no window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kulla.watch.sigma.link import Correlation
from kulla.watch.sigma.measure import Seen, Window, window_for
from kulla.watch.sigma.rule import Rule


@dataclass(frozen=True, slots=True)
class Fired:
    """A correlation whose condition held from one instant to another.

    group: the values of group-by as the first event of the run spells them. at_us, until_us: the
    first and the last instant at which it held. events: all that stood in the windows meanwhile.
    here: those at the instants at which it held, which is what a correlation of it sees.
    """

    correlation: Correlation
    group: tuple[str, ...]
    at_us: int
    until_us: int
    events: frozenset[int]
    here: frozenset[int]


@dataclass(slots=True)
class _Kept:
    """What is kept of an event that a correlation may need: its time and the fields it may ask."""

    at_us: int
    fields: Mapping[str, str]


@dataclass(slots=True)
class Correlator:
    """Gathers what rules matched, and says at the end which correlations held.

    Memory grows with the events that rules of correlations matched, not with those that were read.
    """

    correlations: Sequence[Correlation]
    _wanted: set[str] = field(default_factory=set)
    _needed: set[str] = field(default_factory=set)
    _events: dict[int, _Kept] = field(default_factory=dict)
    _matched: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.correlations:
            self._wanted |= set(one.rules)
            self._needed |= set(one.group_by) | set(one.fields)
            for alias in one.aliases.values():
                self._needed |= set(alias.values())

    def wants(self, rule: Rule) -> bool:
        """Whether some correlation speaks of the rule."""
        return bool({rule.id, rule.name} & self._wanted)

    def add(self, rule: Rule, event: int, at_us: int | None, fields: Mapping[str, Any]) -> None:
        """Take in that a rule matched an event. event: a number that no other event has."""
        if at_us is not None:
            self.take((rule.id, rule.name), event, at_us, fields)

    def take(self, words: Iterable[str], event: int, at_us: int, fields: Mapping[str, Any]) -> None:
        """See add; words: under which correlations know the rule."""
        if event not in self._events:
            kept = {
                name: text
                for name in self._needed
                if (text := text_of(fields.get(name))) is not None
            }
            self._events[event] = _Kept(at_us, kept)
        for word in set(words) & self._wanted:
            self._matched.setdefault(word, []).append(event)

    def fired(self, since_us: Mapping[str, int] | None = None) -> list[Fired]:
        """All correlations that held, inner ones before those that are about them.

        since_us: for a correlation's id, the first instant that counts, since events before were
        let go of; none for all.
        """
        found: list[Fired] = []
        matched = {name: list(events) for name, events in self._matched.items()}
        for one in self.correlations:
            runs = list(self._runs(one, matched, (since_us or {}).get(one.id)))
            found += runs
            here = [event for run in runs for event in run.here]
            for word in {one.id, one.name} - {""}:
                matched[word] = here
        return found

    def _runs(
        self, one: Correlation, matched: Mapping[str, list[int]], since_us: int | None
    ) -> Iterator[Fired]:
        groups: dict[tuple[str, ...], list[Seen]] = {}
        for position, name in enumerate(one.rules):
            for event in matched.get(name, ()):
                group = self._group(one, name, event)
                if group is not None:
                    key = tuple(value.lower() for value in group)
                    seen = self._seen(one, event, position, group)
                    groups.setdefault(key, []).append(seen)
        runs = [
            run
            for key in sorted(groups)
            for run in _group_runs(one, sorted(groups[key], key=lambda seen: seen.at_us), since_us)
        ]
        yield from sorted(runs, key=lambda run: (run.at_us, run.group))

    def _group(self, one: Correlation, name: str, event: int) -> tuple[str, ...] | None:
        fields = self._events[event].fields
        group = []
        for asked in one.group_by:
            value = fields.get(self._field(one, asked, name))
            if value is None:
                return None
            group.append(value)
        return tuple(group)

    def _field(self, one: Correlation, asked: str, name: str) -> str:
        """The field that a name of group-by means in a rule's events, by the aliases."""
        return one.aliases.get(asked, {}).get(name, asked)

    def _seen(self, one: Correlation, event: int, position: int, group: tuple[str, ...]) -> Seen:
        kept = self._events[event]
        values = tuple(kept.fields.get(name) for name in one.fields)
        return Seen(kept.at_us, event, position, group, values)


def _group_runs(one: Correlation, seen: list[Seen], since_us: int | None) -> Iterator[Fired]:
    """The runs of instants at which the condition holds, in one group; seen by time."""
    window = window_for(one)
    going: Fired | None = None
    start = 0
    while start < len(seen):
        at_us = seen[start].at_us
        end = start
        while end < len(seen) and seen[end].at_us == at_us:
            window.enter(seen[end])
            end += 1
        window.leave_before(at_us - one.span_us)
        if (since_us is None or at_us >= since_us) and window.holds():
            here = frozenset(each.event for each in seen[start:end])
            going = _longer(one, going, window, at_us, here)
        elif going is not None:
            yield going
            going = None
        start = end
    if going is not None:
        yield going


def _longer(
    one: Correlation, going: Fired | None, window: Window, at_us: int, here: frozenset[int]
) -> Fired:
    inside = frozenset(each.event for each in window.inside)
    if going is None:
        return Fired(one, window.inside[0].group, at_us, at_us, inside, here)
    return Fired(one, going.group, going.at_us, at_us, going.events | inside, going.here | here)


def text_of(value: Any) -> str | None:
    """A value as correlations compare it: text; None where it is missing."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
