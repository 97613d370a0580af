"""The correlations of the Sigma oracle: true sliding windows, one event after another.

What the specification leaves open, and what is taken here:

- A window is looked at whenever an event of the group comes: it holds every event of the group from
  `timespan` before it up to it, both ends included. Events of one instant come together. The order
  in which events are handed in does not matter, only their times do. An event without a time is in
  no window, and so is one without one of the group-by fields.
- Groups and counted values compare as text without case, as everything in Sigma does.
- The condition may hold at many events one after another; that is one Fired, from the first to the
  last of them. As soon as it does not hold at an event of the group, the next one is another.
- A correlation is itself a rule, which matches the events at which its condition holds: that is
  what one that refers to it sees. So a chain looks at the moment when the inner one was fulfilled.
- temporal: each rule has an event in the window, or as many of them as the condition says. One
  event may be of several rules. temporal_ordered: different events, in the rules' order; those of
  one instant count as ordered, since nobody knows.
- value_count counts different values, or tuples of them where `field` is a list; a missing one does
  not count. Sum, average, percentile and median look at numbers alone, and hold for none. A
  percentile lies between two values where it falls between them; `percentile` must be given.
- `lt`, `lte`, `eq` and `neq` are looked at in the same way, so a group without events never fires.
- A rule that a correlation refers to gives nothing of its own unless a `generate: true` says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda count, limit: count > limit,
    "gte": lambda count, limit: count >= limit,
    "lt": lambda count, limit: count < limit,
    "lte": lambda count, limit: count <= limit,
    "eq": lambda count, limit: count == limit,
    "neq": lambda count, limit: count != limit,
}
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?")
ORDERED, TEMPORAL = "temporal_ordered", "temporal"


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that matched an event, or a correlation whose condition held.

    rule: its name, else its id, else its title. group: the values of group-by, in their order, as
    the first event of the run spells them. at_us, until_us: the first and last instant at which it
    held. events: all that stood in the windows of the run, by index.
    """

    rule: str
    group: tuple[str, ...]
    at_us: int | None
    until_us: int | None
    events: frozenset[int]


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as one of a correlation's rules: when, which, its group as it compares and reads."""

    at_us: int
    event: int
    rule: int
    key: tuple[str, ...]
    group: tuple[str, ...]


def fired(
    documents: list[Mapping[str, Any]],
    found: Mapping[int, set[int]],
    events: list[dict[str, Any]],
) -> list[Fired]:
    """All that is to be reported, in the order of the documents and then of time.

    found: which events each plain rule matches, by the number of its document.
    """
    held: dict[int, list[tuple[Fired, list[Seen]]]] = {}
    matched = {number: set(indices) for number, indices in found.items()}
    waiting = [number for number, document in enumerate(documents) if "correlation" in document]
    while waiting:
        ready = [n for n in waiting if all(r in matched for r in _referred(documents, n))]
        assert ready, "correlations that refer to one another"
        for number in ready:
            held[number] = _correlate(documents, number, matched, events)
            matched[number] = {seen.event for _, run in held[number] for seen in run}
            waiting.remove(number)
    silent = _silent(documents)
    result = []
    for number, document in enumerate(documents):
        if number in silent:
            continue
        if number in held:
            result += [one for one, _ in held[number]]
        else:
            name = _name(document)
            for index in sorted(found.get(number, ())):
                at_us = events[index].get("_at_us")
                result.append(Fired(name, (), at_us, at_us, frozenset([index])))
    return result


def _name(document: Mapping[str, Any]) -> str:
    return str(document.get("name") or document.get("id") or document.get("title"))


def _referred(documents: list[Mapping[str, Any]], number: int) -> list[int]:
    rules = documents[number]["correlation"]["rules"]
    names = [rules] if isinstance(rules, str) else rules
    return [
        next(n for n, one in enumerate(documents) if name in (one.get("name"), one.get("id")))
        for name in names
    ]


def _silent(documents: list[Mapping[str, Any]]) -> set[int]:
    """Rules that some correlation refers to and none lets speak for themselves."""
    speaking: set[int] = set()
    silent: set[int] = set()
    for number, document in enumerate(documents):
        if "correlation" in document:
            generate = document["correlation"].get("generate", document.get("generate", False))
            (speaking if generate else silent).update(_referred(documents, number))
    return silent - speaking


def _correlate(
    documents: list[Mapping[str, Any]],
    number: int,
    matched: Mapping[int, set[int]],
    events: list[dict[str, Any]],
) -> list[tuple[Fired, list[Seen]]]:
    correlation = documents[number]["correlation"]
    referred = _referred(documents, number)
    seen = [
        one
        for position, rule in enumerate(referred)
        for index in matched[rule]
        if (one := _seen(correlation, documents[rule], position, index, events[index]))
    ]
    span_us = _span_us(correlation["timespan"])
    holds = _holds(correlation, len(referred), events)
    result = []
    for key in sorted({one.key for one in seen}):
        group = sorted((one for one in seen if one.key == key), key=lambda one: one.at_us)
        result += _runs(_name(documents[number]), group, span_us, holds)
    return sorted(result, key=lambda run: (run[0].at_us, run[0].group))


def _seen(
    correlation: Mapping[str, Any],
    rule: Mapping[str, Any],
    position: int,
    index: int,
    event: Mapping[str, Any],
) -> Seen | None:
    group = []
    for name in correlation.get("group-by") or []:
        alias = (correlation.get("aliases") or {}).get(name)
        theirs = alias or {}
        field = theirs.get(rule.get("name"), theirs.get(rule.get("id"), name))
        if (value := _value(event, field)) is None:
            return None
        group.append(value)
    if event.get("_at_us") is None:
        return None
    key = tuple(value.lower() for value in group)
    return Seen(event["_at_us"], index, position, key, tuple(group))


def _value(event: Mapping[str, Any], name: str) -> str | None:
    value = event.get(name)
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _span_us(text: str) -> int:
    count, unit = re.fullmatch(r"(\d+)([smhd])", text).groups()
    return int(count) * SECONDS[unit] * 1_000_000


def _runs(
    name: str, group: list[Seen], span_us: int, holds: Callable[[list[Seen]], bool]
) -> list[tuple[Fired, list[Seen]]]:
    """The runs of instants at which the condition holds, with the events at those instants."""
    runs: list[tuple[Fired, list[Seen]]] = []
    going = False
    for at_us in sorted({one.at_us for one in group}):
        window = [one for one in group if at_us - span_us <= one.at_us <= at_us]
        if not holds(window):
            going = False
            continue
        here = [one for one in window if one.at_us == at_us]
        inside = frozenset(one.event for one in window)
        if going:
            last, before = runs[-1]
            both = Fired(name, last.group, last.at_us, at_us, last.events | inside)
            runs[-1] = (both, before + here)
        else:
            runs.append((Fired(name, window[0].group, at_us, at_us, inside), here))
        going = True
    return runs


def _holds(
    correlation: Mapping[str, Any], rules: int, events: list[dict[str, Any]]
) -> Callable[[list[Seen]], bool]:
    """Whether a window fulfils the condition."""
    kind = correlation["type"]
    condition = correlation.get("condition") or {}
    limits = [(OPERATORS[name], value) for name, value in condition.items() if name in OPERATORS]
    if kind in (TEMPORAL, ORDERED) and not limits:
        limits = [(OPERATORS["gte"], rules)]
    assert limits, "a condition needs an operator"

    def holds(window: list[Seen]) -> bool:
        count = _measured(kind, condition, window, events)
        return count is not None and all(says(count, limit) for says, limit in limits)

    return holds


def _measured(
    kind: str, condition: Mapping[str, Any], window: list[Seen], events: list[dict[str, Any]]
) -> Any:
    """The number that the condition is about; None where there is none."""
    different = {one.event: events[one.event] for one in window}
    if kind == "event_count":
        return len(different)
    if kind == TEMPORAL:
        return len({one.rule for one in window})
    if kind == ORDERED:
        return _longest(window)
    if kind == "value_count":
        fields = condition["field"]
        fields = [fields] if isinstance(fields, str) else fields
        tuples = {tuple(_value(event, name) for name in fields) for event in different.values()}
        whole = {tuple(text.lower() for text in one) for one in tuples if None not in one}
        return len(whole)
    numbers = sorted(
        number
        for event in different.values()
        if (number := number_of(event.get(condition["field"]))) is not None
    )
    if not numbers:
        return None
    if kind == "value_sum":
        return sum(numbers)
    if kind == "value_avg":
        return sum(numbers) / len(numbers)
    return _percentile(numbers, 50 if kind == "value_median" else condition["percentile"])


def number_of(value: Any) -> Fraction | None:
    """The number that a value is, exactly: a sum of floats would depend on their order."""
    if value is None or isinstance(value, bool) or not NUMBER.fullmatch(str(value)):
        return None
    return Fraction(str(value))


def _percentile(numbers: list[Fraction], percent: int) -> Fraction:
    place = Fraction(percent, 100) * (len(numbers) - 1)
    below, above = math.floor(place), math.ceil(place)
    return numbers[below] + (numbers[above] - numbers[below]) * (place - below)


def _longest(window: list[Seen]) -> int:
    """How many rules can be picked in order, each with its own event, none before the last."""
    most = 0

    def pick(rule: int, at_us: int, used: frozenset[int], count: int) -> None:
        nonlocal most
        most = max(most, count)
        for one in window:
            if one.rule >= rule and one.at_us >= at_us and one.event not in used:
                pick(one.rule + 1, one.at_us, used | {one.event}, count + 1)

    pick(0, min(one.at_us for one in window), frozenset(), 0)
    return most
