"""What a correlation measures in a window that slides over one group's events."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from kulla.watch.errors import RuleUnfit
from kulla.watch.sigma.link import Correlation

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "gt": lambda measured, limit: measured > limit,
    "gte": lambda measured, limit: measured >= limit,
    "lt": lambda measured, limit: measured < limit,
    "lte": lambda measured, limit: measured <= limit,
    "eq": lambda measured, limit: measured == limit,
    "neq": lambda measured, limit: measured != limit,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as one of a correlation's rules matched it.

    rule: the rule's place in the correlation. group: its values of group-by as they read. values:
    of the fields that are counted or measured; None where missing.
    """

    at_us: int
    event: int
    rule: int
    group: tuple[str, ...]
    values: tuple[str | None, ...]


class Window:
    """The events of a group that the window holds now. An event of two rules is one event."""

    def __init__(self, correlation: Correlation) -> None:
        self.inside: deque[Seen] = deque()
        self._correlation = correlation
        self._times: Counter[int] = Counter()

    def enter(self, seen: Seen) -> None:
        """Take in the next event by time."""
        self.inside.append(seen)
        self._times[seen.event] += 1
        if self._times[seen.event] == 1:
            self._take(seen)

    def leave_before(self, at_us: int) -> None:
        """Let go of all that is older than this."""
        while self.inside and self.inside[0].at_us < at_us:
            seen = self.inside.popleft()
            self._times[seen.event] -= 1
            if not self._times[seen.event]:
                del self._times[seen.event]
                self._drop(seen)

    def holds(self) -> bool:
        """Whether the condition is fulfilled now."""
        measured = self._measured()
        if measured is None:
            return False
        return all(_COMPARE[name](measured, limit) for name, limit in self._correlation.limits)

    def _take(self, seen: Seen) -> None:
        """A new event came in."""

    def _drop(self, seen: Seen) -> None:
        """An event left for good."""

    def _measured(self) -> Any:
        """What the limits compare with; None where there is nothing to measure."""
        return len(self._times)


class _ValueCount(Window):
    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._values: Counter[tuple[str, ...]] = Counter()

    def _take(self, seen: Seen) -> None:
        if (key := _key(seen)) is not None:
            self._values[key] += 1

    def _drop(self, seen: Seen) -> None:
        if (key := _key(seen)) is not None:
            self._values[key] -= 1
            if not self._values[key]:
                del self._values[key]

    def _measured(self) -> Any:
        return len(self._values)


def _key(seen: Seen) -> tuple[str, ...] | None:
    whole = tuple(value.lower() for value in seen.values if value is not None)
    return whole if len(whole) == len(seen.values) else None


class _Numbers(Window):
    """Sum, average, median and percentile of exact numbers, kept in order."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._numbers: list[Fraction] = []
        self._sum = Fraction(0)

    def _take(self, seen: Seen) -> None:
        if (number := number_of(seen.values[0])) is not None:
            insort(self._numbers, number)
            self._sum += number

    def _drop(self, seen: Seen) -> None:
        if (number := number_of(seen.values[0])) is not None:
            del self._numbers[bisect_left(self._numbers, number)]
            self._sum -= number

    def _measured(self) -> Any:
        if not self._numbers:
            return None
        kind = self._correlation.kind
        if kind == "value_sum":
            return self._sum
        if kind == "value_avg":
            return self._sum / len(self._numbers)
        place = Fraction(self._correlation.percentile, 100) * (len(self._numbers) - 1)
        below, above = math.floor(place), math.ceil(place)
        low, high = self._numbers[below], self._numbers[above]
        return low + (high - low) * (place - below)


def number_of(text: str | None) -> Fraction | None:
    """The number that a text is, exactly: a sum of floats would depend on the events' order."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    return Fraction(text)


class _Temporal(Window):
    def _rules(self) -> set[int]:
        return {seen.rule for seen in self.inside}

    def _measured(self) -> Any:
        return len(self._rules())

    def holds(self) -> bool:
        """As Window has it; a condition of names asks which rules are there."""
        words = self._correlation.expression
        if not words:
            return super().holds()
        names = self._correlation.rules
        there = {names[place] for place in self._rules()}
        return _Expression(words, there).value()


class _Ordered(Window):
    """How many rules can be picked in order, each with its own event, none before the last."""

    def _measured(self) -> Any:
        rules = len(self._correlation.rules)
        by_rule: list[list[Seen]] = [[] for _ in range(rules)]
        for seen in self.inside:
            by_rule[seen.rule].append(seen)
        return _picked(by_rule, 0, -(1 << 62), frozenset())


def _picked(by_rule: list[list[Seen]], rule: int, at_us: int, used: frozenset[int]) -> int:
    if rule == len(by_rule):
        return 0
    most = 0
    # An earlier event never leaves fewer to choose from; only another rule's pick can be in the
    # way, and there are no more of those than rules.
    choices = [s for s in by_rule[rule] if s.at_us >= at_us and s.event not in used]
    for seen in choices[: len(by_rule)]:
        found = 1 + _picked(by_rule, rule + 1, seen.at_us, used | {seen.event})
        most = max(most, found)
        if most == len(by_rule) - rule:
            return most
    return max(most, _picked(by_rule, rule + 1, at_us, used))


class _Expression:
    """A condition of rules' names: and, or, not, brackets; not before and before or."""

    def __init__(self, words: tuple[str, ...], there: set[str]) -> None:
        self._words = words
        self._there = there
        self._at = 0

    def value(self) -> bool:
        """Whether it is fulfilled. Raises RuleUnfit where it is not one."""
        found = self._or()
        if self._at != len(self._words):
            raise RuleUnfit(f"The condition {' '.join(self._words)!r} is not one.")
        return found

    def _next(self, word: str) -> bool:
        if self._at < len(self._words) and self._words[self._at] == word:
            self._at += 1
            return True
        return False

    def _or(self) -> bool:
        found = self._and()
        while self._next("or"):
            found = self._and() or found
        return found

    def _and(self) -> bool:
        found = self._one()
        while self._next("and"):
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._next("not"):
            return not self._one()
        if self._next("("):
            found = self._or()
            if not self._next(")"):
                raise RuleUnfit(f"A bracket of {' '.join(self._words)!r} stays open.")
            return found
        if self._at >= len(self._words) or self._words[self._at] in ("and", "or", ")"):
            raise RuleUnfit(f"The condition {' '.join(self._words)!r} is not one.")
        self._at += 1
        return self._words[self._at - 1] in self._there


def check_expression(words: tuple[str, ...]) -> None:
    """Raise RuleUnfit where the words are no condition of rules' names."""
    _Expression(words, set()).value()


def window_for(correlation: Correlation) -> Window:
    """An empty window that measures what the correlation is about."""
    if correlation.kind == "event_count":
        return Window(correlation)
    if correlation.kind == "value_count":
        return _ValueCount(correlation)
    if correlation.kind == "temporal":
        return _Temporal(correlation)
    if correlation.kind == "temporal_ordered":
        return _Ordered(correlation)
    return _Numbers(correlation)
