"""Which rules are asked of which events: routes, shared searches, and compiled trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from kulla.watch.sigma.anchors import Anchor, anchor_of, needed, vectorscan
from kulla.watch.sigma.routes import CHANNEL, EVENT, insisted
from kulla.watch.sigma.rule import Rule
from kulla.watch.sigma.sql import VALUES, columns, expression, quoted
from kulla.watch.sigma.tree import All, Node, Not, Test
from kulla.watch.sources.gives import holds

Ints: TypeAlias = npt.NDArray[np.int64]
NOWHERE: Final = 0
"""The number of no anchor."""


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
    where on nothing. plain, low, asked: the fields that its exact condition reads, as `columns`
    gives them. searched: the fields
    of its anchors; in_line: the numbers of those that are looked for in whole lines.
    """

    rule: int
    node: Node
    compiled: Compiled
    channels: frozenset[str] | None
    events: frozenset[str] | None
    plain: set[str]
    low: set[str]
    asked: set[str]
    searched: set[str]
    in_line: list[int]
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
        self.anchors = len(numbers.by_anchor) + 1  # and NOWHERE
        self.questions = [_question(position, node, numbers) for position, node in fitting]
        self.by_field = {name: list(known) for name, known in numbers.by_field.items()}
        self._patterns: dict[str, str] = {}
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
            known = self._routes[key] = Route(self, asked, alone=len(key) == 1)
        return known

    def search(self, name: str, questions: Sequence[Question], *, alone: bool) -> Search:
        """The search of one field; the same for all routes, but where a route stands `alone`.

        That one looks through whole lines ('') only for what its own questions need.
        """
        first, known = self.first[name], self.by_field[name]
        if name == VALUES and alone:
            wanted = sorted({number for one in questions for number in one.in_line})
            numbers = np.array(wanted, np.int64)
            return Search(name, numbers, _listed([known[number - first] for number in wanted]))
        if name not in self._patterns:
            self._patterns[name] = _listed(known)
        return Search(name, np.arange(first, first + len(known)), self._patterns[name])


_ROUTES_KEPT: Final = 200


def _listed(anchors: Sequence[Anchor]) -> str:
    return "[" + ", ".join(quoted(vectorscan(one)) for one in anchors) + "]"


@dataclass(frozen=True, slots=True)
class Search:
    """One multi-pattern search: the field, the anchors' numbers in order, the SQL array of them."""

    field: str
    numbers: Ints
    patterns: str


class Route:
    """The questions for some kinds of events, and the searches that decide most of them."""

    def __init__(self, family: Family, asked: list[Question], *, alone: bool) -> None:
        self.family = family
        self.asked = asked
        fields = {name for one in asked for name in one.searched}
        self.searches = [family.search(name, asked, alone=alone) for name in sorted(fields)]


class _Numbers:
    """Gives every anchor its number; those of one field stand together."""

    def __init__(self) -> None:
        self.by_field: dict[str, dict[Anchor, int]] = {}
        self.by_anchor: dict[Anchor, int] = {}

    def note(self, node: Node) -> None:
        """Take in all anchors of a tree."""
        for anchor in _anchors(node):
            known = self.by_field.setdefault(anchor.field, {})
            known.setdefault(anchor, len(known))

    def freeze(self) -> dict[str, int]:
        """Number all, from 1; gives the first number of each field."""
        first = {}
        for name, known in self.by_field.items():
            first[name] = len(self.by_anchor) + 1
            for anchor in known:
                self.by_anchor[anchor] = len(self.by_anchor) + 1
        return first


def _question(position: int, node: Node, numbers: _Numbers) -> Question:
    plain, low, asked = columns(node)
    anchors = set(_anchors(node))
    return Question(
        position,
        node,
        _compiled(node, numbers),
        insisted(node, CHANNEL),
        insisted(node, EVENT),
        plain,
        low,
        asked,
        {anchor.field for anchor in anchors},
        [numbers.by_anchor[anchor] for anchor in anchors if anchor.field == VALUES],
    )


def _anchors(node: Node) -> Iterator[Anchor]:
    """All anchors of a tree, and of what its other tests can't do without."""
    if isinstance(node, Test):
        anchor = anchor_of(node)
        if anchor is not None:
            yield anchor
        elif (bound := needed(node)) != All(()):
            yield from _anchors(bound)
    elif isinstance(node, Not):
        yield from _anchors(node.part)
    else:
        for part in node.parts:
            yield from _anchors(part)


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
    came = (source.product, source.category, source.service)
    return holds((product, category, service), came)


def _can(one: Question, channel: str, event: str) -> bool:
    if one.channels is not None and channel not in one.channels:
        return False
    return one.events is None or event in one.events
