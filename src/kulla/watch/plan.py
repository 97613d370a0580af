"""Which rules are asked of which events: routes, the searches that are shared, and compiled trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from kulla.watch.sigma.anchors import Anchor, anchor_of, needed, vectorscan
from kulla.watch.sigma.routes import CHANNEL, EVENT, insisted
from kulla.watch.sigma.rule import Rule
from kulla.watch.sigma.sql import columns, expression, quoted
from kulla.watch.sigma.tree import All, Either, Node, Not, Test

Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Source:
    """Sigma's words for where events come from, and whether they are nested as EVTX readers do."""

    product: str
    category: str
    service: str
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A compiled 'all' (every) or 'either': anchors by their numbers, and parts of other kinds."""

    every: bool
    anchors: Ints
    parts: tuple[Compiled, ...]


@dataclass(frozen=True, slots=True)
class Reverse:
    """A compiled 'not'."""

    part: Compiled


@dataclass(frozen=True, slots=True)
class Unsure:
    """A test that only ClickHouse can decide; it is false where `bound` is."""

    bound: Compiled | None


Compiled: TypeAlias = Group | Reverse | Unsure


@dataclass(slots=True)
class Question:
    """One way of one rule to be true of an event.

    rule: its place in the list of rules. channels, events: what it insists on in lower case; None
    where on nothing. plain, low: the fields that its exact condition and its anchors read.
    """

    rule: int
    node: Node
    compiled: Compiled
    channels: frozenset[str] | None
    events: frozenset[str] | None
    plain: set[str]
    low: set[str]
    _sql: str = field(default="")

    @property
    def sql(self) -> str:
        """Its exact condition; made when it is first needed."""
        if not self._sql:
            self._sql = expression(self.node)
        return self._sql


class Family:
    """All questions that events of one source can be asked, and the searches that they share.

    The searches are the same for every route of the family, so ClickHouse compiles each once.
    Anchors are numbered field by field: the first of a field has the number `first[field]`.
    """

    def __init__(self, source: Source, rules: Sequence[Rule]) -> None:
        self.source = source
        fitting = [
            (position, variant.node)
            for position, rule in enumerate(rules)
            for variant in rule.variants
            if _fits(source, variant.product, variant.category, variant.service)
        ]
        numbers = _Numbers()
        for _, node in fitting:
            numbers.note(node)
        self.first = numbers.freeze()
        self.anchors = len(numbers.by_anchor)
        self.questions = [_question(position, node, numbers) for position, node in fitting]
        self.patterns = {
            name: "[" + ", ".join(quoted(vectorscan(one)) for one in known) + "]"
            for name, known in numbers.by_field.items()
        }
        self._routes: dict[tuple[tuple[str, str], ...], Route] = {}

    def route(self, kinds: Sequence[tuple[str, str]]) -> Route:
        """What to ask of events of these channels and numbers (lower case; empty where unknown)."""
        key = tuple(sorted(kinds))
        known = self._routes.get(key)
        if known is None:
            if len(self._routes) >= _ROUTES_KEPT:
                self._routes.clear()
            asked = [
                one
                for one in self.questions
                if any(_can(one, channel, event) for channel, event in key)
            ]
            known = self._routes[key] = Route(self, asked)
        return known


_ROUTES_KEPT: Final = 200


class Route:
    """The questions for some kinds of events, and the fields that they read."""

    def __init__(self, family: Family, asked: list[Question]) -> None:
        self.family = family
        self.asked = asked
        self.plain: set[str] = set()
        self.low: set[str] = set()
        for one in asked:
            self.plain |= one.plain
            self.low |= one.low
        self.searched = sorted(self.low & set(family.patterns))


class _Numbers:
    """Gives every anchor its number; those of one field stand together."""

    def __init__(self) -> None:
        self.by_field: dict[str, dict[Anchor, int]] = {}
        self.by_anchor: dict[Anchor, int] = {}

    def note(self, node: Node) -> None:
        """Take in all anchors of a tree."""
        if isinstance(node, Test):
            anchor = anchor_of(node)
            if anchor is not None:
                known = self.by_field.setdefault(anchor.field, {})
                known.setdefault(anchor, len(known))
            else:
                self.note(needed(node))
        elif isinstance(node, Not):
            self.note(node.part)
        else:
            for part in node.parts:
                self.note(part)

    def freeze(self) -> dict[str, int]:
        """Number all; gives the first number of each field."""
        first = {}
        for name, known in self.by_field.items():
            first[name] = len(self.by_anchor)
            for anchor in known:
                self.by_anchor[anchor] = len(self.by_anchor)
        return first


def _question(position: int, node: Node, numbers: _Numbers) -> Question:
    plain, low = columns(node)
    low = set(low)
    _searched(node, low)
    return Question(
        position,
        node,
        _compiled(node, numbers),
        insisted(node, CHANNEL),
        insisted(node, EVENT),
        plain,
        low,
    )


def _searched(node: Node, low: set[str]) -> None:
    """Add the fields that must be searched for what a test can't do without."""
    if isinstance(node, Not):
        _searched(node.part, low)
    elif isinstance(node, Test):
        if anchor_of(node) is None:
            low |= columns(needed(node))[1]
    else:
        for part in node.parts:
            _searched(part, low)


def _compiled(node: Node, numbers: _Numbers) -> Compiled:
    if isinstance(node, Not):
        return Reverse(_compiled(node.part, numbers))
    if isinstance(node, Test):
        anchor = anchor_of(node)
        if anchor is not None:
            return Group(True, np.array([numbers.by_anchor[anchor]], np.int64), ())
        bound = needed(node)
        return Unsure(None if bound == All(()) else _compiled(bound, numbers))
    found: list[int] = []
    parts: list[Compiled] = []
    for part in node.parts:
        anchor = anchor_of(part) if isinstance(part, Test) else None
        if anchor is not None:
            found.append(numbers.by_anchor[anchor])
        else:
            parts.append(_compiled(part, numbers))
    return Group(isinstance(node, All), np.array(sorted(set(found)), np.int64), tuple(parts))


def _fits(source: Source, product: str, category: str, service: str) -> bool:
    wanted = ((product, source.product), (category, source.category), (service, source.service))
    return all(not asked or asked == given for asked, given in wanted)


def _can(one: Question, channel: str, event: str) -> bool:
    if one.channels is not None and channel not in one.channels:
        return False
    return one.events is None or event in one.events


__all__ = ["Compiled", "Either", "Family", "Group", "Ints", "Question", "Reverse", "Route", "Source"]
