"""Which events can a tree match at all? The channels and event numbers that it insists on."""

from __future__ import annotations

from typing import Final

from kulla.watch.sigma.tree import All, Either, Node, Not, Test

CHANNEL: Final = "Channel"
EVENT: Final = "EventID"


def insisted(node: Node, field: str) -> frozenset[str] | None:
    """The lower-case values of the field of which one must stand in every event that matches.

    None where the tree does not insist on any.
    """
    if isinstance(node, Test):
        plain = node.field == field and node.how == "text" and len(node.pattern) == 1
        if plain and isinstance(node.pattern[0], str):
            return frozenset((node.pattern[0].lower(),))
        return None
    if isinstance(node, Not):
        return None
    found = [insisted(part, field) for part in node.parts]
    if isinstance(node, Either):
        if not found or any(one is None for one in found):
            return None
        return frozenset().union(*(one for one in found if one is not None))
    known = [one for one in found if one is not None]
    return frozenset.intersection(*known) if known else None


def reaches_channel(node: Node) -> bool:
    """Whether the tree itself says of which Windows channel it speaks."""
    return insisted(node, CHANNEL) is not None


def fits(node: Node, channel: str, event: str) -> bool:
    """Whether an event of this channel and number (both in lower case) can match the tree."""
    for field, value in ((CHANNEL, channel), (EVENT, event)):
        wanted = insisted(node, field)
        if wanted is not None and value not in wanted:
            return False
    return True


def without_route(node: Node) -> Node:
    """The tree without those parts of its topmost 'all' that only say channel or number."""
    if not isinstance(node, All):
        return node
    return All(tuple(part for part in node.parts if not _is_route(part)))


def _is_route(part: Node) -> bool:
    tests = part.parts if isinstance(part, Either) else (part,)
    return bool(tests) and all(
        isinstance(test, Test) and test.field in (CHANNEL, EVENT) for test in tests
    )
