"""A rule as it runs: what it is called, which logs it is for, and the tree of its condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kulla.watch.sigma.tree import Node, as_plain, from_plain


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to the events that a rule speaks of.

    product, category, service: Sigma's words for the log source; '' fits every batch. node: the
    condition, with what says which events of that source are meant.
    """

    product: str
    category: str
    service: str
    node: Node


@dataclass(frozen=True, slots=True)
class Rule:
    """A detection rule. id: its UUID, or a name of its own; file: where it was read."""

    id: str
    title: str
    name: str
    level: str
    status: str
    tags: tuple[str, ...]
    file: str
    description: str
    author: str
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    product: str
    category: str
    service: str
    variants: tuple[Variant, ...]
    quiet: bool = False  # only a part of a correlation that does not ask for its parts


@dataclass(frozen=True, slots=True)
class Unfit:
    """A rule that does not run, or runs only in part, with its place and reason."""

    id: str
    title: str
    file: str
    reason: str


def rule_as_plain(rule: Rule) -> dict[str, Any]:
    """A rule for a JSON file; `rule_from_plain` gives it back."""
    plain = {name: getattr(rule, name) for name in Rule.__slots__}
    plain["variants"] = [
        [v.product, v.category, v.service, as_plain(v.node)] for v in rule.variants
    ]
    return plain


def rule_from_plain(plain: dict[str, Any]) -> Rule:
    """The rule that `rule_as_plain` wrote."""
    lists = ("tags", "references", "false_positives")
    values: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in plain.items()}
    values["variants"] = tuple(
        Variant(product, category, service, from_plain(node))
        for product, category, service, node in plain["variants"]
    )
    return Rule(**values)
