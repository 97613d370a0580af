"""What a scan found, and what it did: detections one by one, and the count of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from kulla.watch.correlate import Fired
from kulla.watch.sigma.link import Correlation
from kulla.watch.sigma.rule import Rule, Unfit
from kulla.watch.sources.batch import Reject

LEVELS: Final = ("informational", "low", "medium", "high", "critical")
REJECTS_KEPT: Final = 10_000
AnyRule: TypeAlias = Rule | Correlation


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: the file, and the number of its line or record, from 1."""

    file: str
    number: int


@dataclass(frozen=True, slots=True)
class Detection:
    """A rule that matched an event, or a correlation that held.

    at_us: UTC microseconds of the event, or of the first instant at which the correlation held;
    None where the record did not say. fields: the event's; for a correlation its group.
    events: the places of the events that a correlation is about (at most EVENTS_SHOWN), else the
    one; count: how many there are.
    """

    rule: AnyRule
    at_us: int | None
    until_us: int | None
    place: Place
    fields: Mapping[str, Any]
    events: tuple[Place, ...]
    count: int = 1


EVENTS_SHOWN: Final = 100


@dataclass(slots=True)
class Tally:
    """What one rule found: how often, from when to when, and in how many files."""

    rule: AnyRule
    count: int = 0
    first_us: int | None = None
    last_us: int | None = None
    files: set[str] = field(default_factory=set)

    def add(self, found: Detection) -> None:
        """Count one more."""
        self.count += 1
        self.files.add(found.place.file)
        for at_us in (found.at_us, found.until_us):
            if at_us is not None:
                self.first_us = at_us if self.first_us is None else min(self.first_us, at_us)
                self.last_us = at_us if self.last_us is None else max(self.last_us, at_us)


@dataclass(slots=True)
class Account:
    """All that a scan did. rejects: the first of them; rejected counts all.

    unfit: rules that could not run; unreached: those that ran, but for events that nothing gives.
    """

    rules: int = 0
    correlations: int = 0
    own_only: bool = False
    unfit: list[Unfit] = field(default_factory=list)
    unreached: list[Unfit] = field(default_factory=list)
    events: int = 0
    bytes: int = 0
    files: set[str] = field(default_factory=set)
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    detections: int = 0
    untimed: int = 0
    seconds: float = 0.0

    def reject(self, one: Reject) -> None:
        """Count what could not be read, and keep the first of it."""
        self.rejected += 1
        if len(self.rejects) < REJECTS_KEPT:
            self.rejects.append(Reject(one.file, one.number, one.reason, one.raw[:200]))

    def count(self, found: Detection) -> None:
        """Count a detection."""
        self.detections += 1
        self.tallies.setdefault(found.rule.id, Tally(found.rule)).add(found)

    def in_order(self) -> list[Tally]:
        """The rules that found something: the gravest first, then the most frequent."""
        return sorted(
            self.tallies.values(),
            key=lambda one: (-grade(one.rule.level), -one.count, one.rule.title),
        )


class Sink(Protocol):
    """Takes detections one by one; one thread at a time."""

    def take(self, found: Detection) -> None:
        """One detection, in no particular order."""
        ...

    def end(self, account: Account) -> None:
        """Nothing more comes; after this the output is complete."""
        ...


def grade(level: str) -> int:
    """The place of a level among the five, 0 for the least; an unknown one counts as medium."""
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("medium")


def techniques(rule: AnyRule) -> list[str]:
    """The ATT&CK techniques of a rule's tags, as T1059.001."""
    names = (tag.removeprefix("attack.") for tag in rule.tags if tag.startswith("attack.t"))
    return [name.upper() for name in names if name[1:2].isdigit()]


def tactics(rule: AnyRule) -> list[str]:
    """The ATT&CK tactics of a rule's tags, as 'credential-access'."""
    names = (tag.removeprefix("attack.") for tag in rule.tags if tag.startswith("attack."))
    return [name for name in names if not (name[:1] in "tgs" and name[1:2].isdigit())]


def of_correlation(fired: Fired, places: Mapping[int, Place]) -> Detection:
    """A correlation that held, as a detection. places: of the events that it is about."""
    events = sorted(fired.events)
    shown = tuple(places[event] for event in events[:EVENTS_SHOWN])
    group = dict(zip(fired.correlation.group_by, fired.group, strict=True))
    return Detection(
        fired.correlation, fired.at_us, fired.until_us, shown[0], group, shown, len(events)
    )
