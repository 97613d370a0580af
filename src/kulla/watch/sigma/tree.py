"""The condition of a rule as a small tree, free of pySigma, that can be kept in a file.

A text pattern is a tuple of literal strings and of the marks ANY (`*`) and ONE (`?`), as Sigma 2.1
has them. Comparisons ignore case unless `cased`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

ANY: Final = 0
ONE: Final = 1

How = Literal[
    "text", "regex", "cidr", "lt", "lte", "gt", "gte", "exists", "null", "fieldref", "part"
]
Pattern: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """One question to one field; an empty field asks every value of the event (a keyword).

    pattern: for `text`. value: for `regex` the expression, for `cidr` the network, for comparisons
    a number in digits, for `exists` 'true' or 'false', for `fieldref` the other field, for `part`
    the number. flags: for `regex` of the letters i, m, s; for `fieldref` 'starts', 'ends' or
    'contains'; for `part` the unit (minute to year).
    """

    field: str
    how: How
    pattern: Pattern = ()
    value: str = ""
    flags: str = ""
    cased: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """True where every part is; an empty one is true."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """True where at least one part is; an empty one is false."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is not; a field that is missing makes a test false, and so this true."""

    part: Node


Node: TypeAlias = Test | All | Either | Not


def tests_of(node: Node) -> Iterator[Test]:
    """Every test in the tree, left to right."""
    if isinstance(node, Test):
        yield node
    elif isinstance(node, Not):
        yield from tests_of(node.part)
    else:
        for part in node.parts:
            yield from tests_of(part)


def fields_of(node: Node) -> set[str]:
    """The names of all fields that are asked for; '' for keywords."""
    found = set()
    for test in tests_of(node):
        found.add(test.field)
        if test.how == "fieldref":
            found.add(test.value)
    return found


def as_plain(node: Node) -> list[Any]:
    """The tree as lists, strings and numbers, for a JSON file; see `from_plain`."""
    if isinstance(node, Test):
        return [
            "t", node.field, node.how, list(node.pattern), node.value, node.flags, int(node.cased)
        ]  # fmt: skip
    if isinstance(node, Not):
        return ["n", as_plain(node.part)]
    return ["a" if isinstance(node, All) else "e", *(as_plain(part) for part in node.parts)]


def from_plain(plain: list[Any]) -> Node:
    """The tree that `as_plain` gave."""
    kind = plain[0]
    if kind == "t":
        _, field, how, pattern, value, flags, cased = plain
        return Test(field, how, tuple(pattern), value, flags, bool(cased))
    if kind == "n":
        return Not(from_plain(plain[1]))
    parts = tuple(from_plain(part) for part in plain[1:])
    return All(parts) if kind == "a" else Either(parts)
